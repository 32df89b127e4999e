//! Sums over visitors: all that a statistic needs to remember of them.

/// What a measure can be of one visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0 or 1: the visitor converted or did not. The variance is p(1 − p).
    Proportion,
    /// Any amount: revenue, visits. The variance is the sample's, with n − 1.
    Amount,
}

/// One measure, added up over the visitors of one variation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize), serde(from = "super::wire::SumsWire"))]
pub struct Sums {
    /// How many visitors.
    pub units: u64,
    pub sum: f64,
    /// Sum of squares; that of a proportion is its sum.
    pub squares: f64,
    pub kind: Kind,
}

impl Sums {
    #[must_use]
    pub fn proportion(units: u64, sum: f64) -> Sums {
        Sums { units, sum, squares: sum, kind: Kind::Proportion }
    }

    #[must_use]
    pub fn amount(units: u64, sum: f64, squares: f64) -> Sums {
        Sums { units, sum, squares, kind: Kind::Amount }
    }

    /// Adds up `values`, one a visitor, in their order.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Sums {
        values.into_iter().fold(Sums::amount(0, 0.0, 0.0), |sums, value| {
            Sums::amount(sums.units + 1, sums.sum + value, sums.squares + value * value)
        })
    }

    /// 0 of nobody.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.units == 0 { 0.0 } else { self.sum / self.units as f64 }
    }

    /// Of one visitor; 0 where there are too few to know.
    #[must_use]
    pub fn variance(&self) -> f64 {
        match self.kind {
            Kind::Proportion => self.mean() * (1.0 - self.mean()),
            Kind::Amount if self.units <= 1 => 0.0,
            Kind::Amount => {
                let n = self.units as f64;
                (self.squares - self.sum * self.sum / n) / (n - 1.0)
            }
        }
    }

    /// Covariance of two measures of the same visitors, whose products add up to `products`.
    #[must_use]
    pub fn covariance(&self, other: &Sums, products: f64) -> f64 {
        if self.units <= 1 {
            return 0.0;
        }
        let n = self.units as f64;
        if self.kind == Kind::Proportion && other.kind == Kind::Proportion {
            products / n - self.sum * other.sum / (n * n)
        } else {
            (products - self.sum * other.sum / n) / (n - 1.0)
        }
    }

    /// Of both groups together. A sum of groups is an amount: its parts may differ in their rates.
    #[must_use]
    pub fn and(&self, other: &Sums) -> Sums {
        Sums::amount(self.units + other.units, self.sum + other.sum, self.squares + other.squares)
    }

    /// Of both groups as one, of the same kind.
    pub(super) fn pooled(&self, other: &Sums) -> Sums {
        let kind = if self.kind == other.kind { self.kind } else { Kind::Amount };
        Sums { kind, ..self.and(other) }
    }
}

/// Above 0: a variance that is no number tells nothing either.
pub(super) fn is_known(variance: f64) -> bool {
    variance > 0.0
}
