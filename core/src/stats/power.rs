//! Before an experiment: how many visitors it needs, what it can find, how likely it finds it.

use libm::{ceil, fabs};

use super::effect::Effect;
use super::frequentist::Side;
use super::sequential::Sequence;
use super::special::{normal_below, normal_quantile};

/// An experiment of one treatment and one control that is yet to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Variance of one visitor, in the control and in the treatment: p(1 − p) of a rate p.
    pub variances: [f64; 2],
    /// Share of the visitors that get the treatment, between 0 and 1.
    pub share: f64,
    /// Share of experiments without effect that may be called significant.
    pub alpha: f64,
    /// `None`: looked at once, at the end (a two-sided test). Else at any time.
    pub sequence: Option<Sequence>,
}

impl Plan {
    /// For a rate that is `rate` in the control and `rate + lift` in the treatment, half and half.
    #[must_use]
    pub fn of_rates(rate: f64, lift: f64, alpha: f64) -> Plan {
        let variances = [rate, rate + lift].map(|rate| rate * (1.0 - rate));
        Plan { variances, share: 0.5, alpha, sequence: None }
    }

    /// The chance to call a true difference significant by the time `units` visitors came.
    /// Of a sequence, the chance at that very moment: it may have been sooner.
    #[must_use]
    pub fn power(&self, difference: f64, units: f64) -> f64 {
        let error = self.error(units);
        let reach = self.reach(error, units);
        normal_below((difference - reach) / error) + normal_below((-difference - reach) / error)
    }

    /// Visitors of both variations that find a true difference with this power; `None` where the
    /// difference is 0, or no number of visitors below 10¹⁵ does.
    #[must_use]
    pub fn units_for(&self, difference: f64, power: f64) -> Option<u64> {
        let enough = |units: f64| self.power(difference, units) >= power;
        let mut high = 2.0;
        while !enough(high) {
            high *= 2.0;
            if high > 1e15 || difference == 0.0 {
                return None;
            }
        }
        let mut low = 0.5 * high;
        while high - low > 0.5 {
            let middle = 0.5 * (low + high);
            if enough(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(ceil(high) as u64)
    }

    /// The least difference that `units` visitors find with this power.
    #[must_use]
    pub fn detectable(&self, units: f64, power: f64) -> f64 {
        let error = self.error(units);
        let reach = self.reach(error, units);
        // The other tail adds less than this can show, wherever power is above α.
        fabs(reach + normal_quantile(power) * error)
    }

    /// Standard error of the difference.
    fn error(&self, units: f64) -> f64 {
        let [control, treatment] = self.variances;
        ((control / (1.0 - self.share) + treatment / self.share) / units).sqrt()
    }

    /// How far from 0 an estimate must be.
    fn reach(&self, error: f64, units: f64) -> f64 {
        match self.sequence {
            None => normal_quantile(1.0 - self.alpha / 2.0) * error,
            Some(sequence) => {
                let effect = Effect {
                    estimate: 0.0,
                    standard_error: error,
                    units: units as u64,
                    freedom: units,
                };
                Sequence { alpha: self.alpha, ..sequence }.test(&effect, Side::Both).interval[1]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fleiss, without correction: 10 % → 12 %, α 5 %, power 80 % needs 3,839 each (3,838.2).
    #[test]
    fn a_rate_from_ten_to_twelve_per_cent_needs_what_the_textbook_says() {
        let plan = Plan::of_rates(0.10, 0.02, 0.05);
        let units = plan.units_for(0.02, 0.8).unwrap();
        assert!((7676..=7678).contains(&units), "{units}");
        assert!((plan.power(0.02, units as f64) - 0.8).abs() < 1e-4);
        assert!((plan.detectable(units as f64, 0.8) - 0.02).abs() < 1e-5);
        assert_eq!(plan.units_for(-0.02, 0.8), Some(units));
        assert_eq!(plan.units_for(0.0, 0.8), None);
    }

    #[test]
    fn looking_any_time_costs_visitors_and_an_uneven_split_does_too() {
        let plan = Plan::of_rates(0.10, 0.02, 0.05);
        let once = plan.units_for(0.02, 0.8).unwrap();
        let any_time = Plan { sequence: Some(Sequence::default()), ..plan };
        let sequential = any_time.units_for(0.02, 0.8).unwrap();
        assert!(sequential > once && sequential < 3 * once, "{sequential}");
        assert!(Plan { share: 0.1, ..plan }.units_for(0.02, 0.8).unwrap() > 2 * once);
    }
}
