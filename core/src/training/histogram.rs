//! Sums of gradients and hessians a code: what splits are found in.
//!
//! A sum is one `u64`: the gradient (signed) above, the hessian (never negative) below, both in
//! whole steps. Integer sums do not depend on the order of rows, and a sibling is a subtraction.

use super::bins::Binned;

/// Sums of all features; 256 codes a feature, so that a byte always finds its place.
#[derive(Debug, Clone)]
pub struct Histogram(Vec<[u64; 256]>);

/// A gradient and a hessian in whole steps.
pub type Packed = u64;

/// How long a step is.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub gradient: f64,
    pub hessian: f64,
}

/// A gradient and a hessian, or sums of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moment {
    pub gradient: f64,
    pub hessian: f64,
}

impl Histogram {
    #[must_use]
    pub fn new(features: usize) -> Histogram {
        Histogram(vec![[0; 256]; features])
    }

    /// Counts `rows` anew.
    pub fn count(&mut self, binned: &Binned, rows: &[u32], packed: &[Packed]) {
        for (sums, feature) in self.0.iter_mut().zip(&binned.features) {
            sums[..feature.codes].fill(0);
        }
        for &row in rows {
            let moment = packed[row as usize];
            for (sums, &code) in self.0.iter_mut().zip(binned.row(row)) {
                let slot = &mut sums[code as usize];
                *slot = slot.wrapping_add(moment);
            }
        }
    }

    /// Takes the sums of one child away, which leaves those of the other.
    pub fn subtract(&mut self, child: &Histogram, binned: &Binned) {
        for ((sums, minus), feature) in self.0.iter_mut().zip(&child.0).zip(&binned.features) {
            for (slot, minus) in sums.iter_mut().zip(minus).take(feature.codes) {
                *slot = slot.wrapping_sub(*minus);
            }
        }
    }

    /// The sums of a feature, one a code.
    #[must_use]
    pub fn of(&self, feature: usize) -> &[Packed; 256] {
        &self.0[feature]
    }
}

impl Scale {
    /// Steps as fine as the sums of `rows` moments allow in 32 bits each.
    #[must_use]
    pub fn fitting(rows: usize, most: Moment) -> Scale {
        let bits = 30 - usize::BITS.saturating_sub(rows.max(1).leading_zeros()).min(26);
        let steps = f64::from(1_u32 << bits);
        let step = |most: f64| if most > 0.0 { most / steps } else { 1.0 };
        Scale { gradient: step(most.gradient), hessian: step(most.hessian) }
    }

    /// Rounds a moment to whole steps, up or down by chance so that sums stay unbiased;
    /// `dither` holds two uniform numbers in [0, 1).
    #[must_use]
    pub fn pack(&self, moment: Moment, dither: (f64, f64)) -> Packed {
        let gradient = (moment.gradient / self.gradient + dither.0).floor() as i32;
        let hessian = (moment.hessian / self.hessian + dither.1).floor() as u32;
        (i64::from(gradient) << 32).wrapping_add(i64::from(hessian)) as u64
    }

    #[must_use]
    pub fn unpack(&self, sum: Packed) -> Moment {
        Moment {
            gradient: f64::from((sum >> 32) as i32) * self.gradient,
            hessian: f64::from(sum as u32) * self.hessian,
        }
    }
}
