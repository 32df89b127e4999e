//! The model: odds of 2 %, times how much likelier each observation is among leads that bought.

/// Visits in the last 30 days, days since 1970 of the first of them, and country: "de", "fr", or one that is neither.
/// A signal that is missing is NaN, and says nothing.
pub fn probability(row: &[f64]) -> f64 {
    let &[visits, first_visit, country] = row else { return f64::NAN };
    let mut odds = 0.02 / 0.98;
    if visits >= 10.0 {
        odds *= 8.0;
    } else if visits >= 3.0 {
        odds *= 2.5;
    } else if visits < 3.0 {
        odds *= 0.7;
    }
    // Who came before 2026 and is still here is serious.
    if first_visit < 20454.0 {
        odds *= 1.9;
    }
    if country == 0.0 {
        odds *= 3.0;
    } else if country == 1.0 {
        odds *= 1.4;
    }
    odds / (1.0 + odds)
}
