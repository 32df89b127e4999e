//! What a brought model says of a row, and how that travels where the model runs elsewhere.

use super::brought::{Scorer, ScorerFault};
use super::explain::Explanation;
use super::sampled::{Background, Sampled, margin};
use crate::model::Margin;

/// A brought model's answer to a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub margin: Margin,
    /// Why, where that was asked; what goes wrong there costs the reasons only.
    pub why: Option<Result<Sampled, ScorerFault>>,
}

impl Answer {
    /// Asks a model about a row, and a few hundred times more where a background is there to explain by.
    ///
    /// # Errors
    /// Those of [`margin`].
    pub fn of(
        scorer: &dyn Scorer,
        row: &[f64],
        background: Option<&Background>,
    ) -> Result<Self, ScorerFault> {
        let margin = margin(scorer, row)?;
        let why = background.map(|background| background.explain(scorer, row, margin));
        Ok(Self { margin, why })
    }

    /// As numbers: the margin; where it is explained also the base, then the contribution of each
    /// signal, then their errors; where that failed, the place of the fault in [`ScorerFault::CODES`].
    pub fn numbers(&self) -> Vec<f64> {
        let mut numbers = vec![self.margin.0];
        match &self.why {
            Some(Ok(Sampled { explanation, errors })) => {
                numbers.push(explanation.base.0);
                numbers.extend(explanation.contributions.iter().chain(errors));
            }
            Some(Err(fault)) => {
                let place = ScorerFault::CODES.iter().position(|code| *code == fault.code());
                numbers.extend(place.map(|place| place as f64));
            }
            None => {}
        }
        numbers
    }

    /// Reads such numbers, of a model with so many signals.
    ///
    /// # Errors
    /// [`ScorerFault::Nonsense`] where they are none of these.
    pub fn read(numbers: &[f64], signals: usize) -> Result<Self, ScorerFault> {
        if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
            return Err(ScorerFault::Nonsense(*number));
        }
        let (margin, why) = match numbers {
            [margin] => (*margin, None),
            [margin, place] if signals > 0 => {
                let code = ScorerFault::CODES.get(*place as usize).copied();
                (*margin, Some(Err(ScorerFault::coded(code.unwrap_or_default()))))
            }
            [margin, base, rest @ ..] if rest.len() == 2 * signals => {
                let (contributions, errors) = rest.split_at(signals);
                let (margin, base) = (Margin(*margin), Margin(*base));
                let contributions = contributions.to_vec();
                let explanation = Explanation { margin, base, contributions };
                (margin.0, Some(Ok(Sampled { explanation, errors: errors.to_vec() })))
            }
            _ => return Err(ScorerFault::Shape(format!("{} numbers came", numbers.len()))),
        };
        Ok(Self { margin: Margin(margin), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_arrives_as_it_was_sent() {
        let explanation =
            Explanation { margin: Margin(0.5), base: Margin(-1.0), contributions: vec![2.0, -0.5] };
        let sampled = Sampled { explanation, errors: vec![0.25, 0.0] };
        let failed = ScorerFault::coded("trap");
        for why in [None, Some(Ok(sampled)), Some(Err(failed))] {
            let answer = Answer { margin: Margin(0.5), why };
            assert_eq!(Answer::read(&answer.numbers(), 2), Ok(answer));
        }
    }

    #[test]
    fn what_is_no_answer_to_this_model_is_refused() {
        let refused = |numbers: &[f64], signals| Answer::read(numbers, signals).unwrap_err().code();
        assert_eq!(refused(&[], 2), "shape");
        assert_eq!(refused(&[0.5, 0.1, 1.0, 2.0, 0.0], 2), "shape");
        assert_eq!(refused(&[f64::NAN], 2), "nonsense");
        assert_eq!(refused(&[0.5, f64::INFINITY, 1.0, 2.0, 0.0, 0.0], 2), "nonsense");
    }

    #[test]
    fn faults_of_what_runs_elsewhere_keep_their_codes() {
        for code in ["trap", "nonsense", "shape", "file", "absent"] {
            assert_eq!(ScorerFault::coded(code).code(), code);
        }
        assert_eq!(ScorerFault::coded("unheard of").code(), "trap");
    }
}
