//! Linear arms for hosts that only match conditions: a grid over what is known of visitors, each cell
//! with the weights that linear Thompson sampling gives the visitors in its middle.

use super::leaves::{Column, Earned, GrowthError, Leaf, Test, check};
use super::linear::{Fitted, LinearPolicy, Ridge, linear_weights};
use super::thompson::{Posterior, Thompson};

/// How a grid is laid and weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    pub arms: usize,
    /// A column that would make more of them is left out of the grid; arms still learn by it.
    pub most_leaves: usize,
    pub weigh: Thompson,
}

/// Coefficients stay small until so many visitors speak against it.
const PENALTY: f64 = 1.0;
/// Of a column's levels, so many have cells and coefficients of their own.
const LEVELS: usize = 8;
/// Numbers are cut here.
const QUANTILES: [f64; 2] = [1.0 / 3.0, 2.0 / 3.0];

impl Linear {
    /// Cells with their weights; rows of columns and of `earned` are the same visitors.
    ///
    /// # Errors
    /// See [`GrowthError`].
    pub fn leaves(&self, columns: &[Column], earned: &[Earned]) -> Result<Vec<Leaf>, GrowthError> {
        check(self.arms, columns, earned)?;
        let scales: Vec<Scale> = columns.iter().map(Scale::of).collect();
        let context = |row: usize| -> Vec<f64> {
            let own = columns.iter().zip(&scales);
            let own = own.flat_map(|(column, scale)| scale.figures(column.values[row]));
            core::iter::once(1.0).chain(own).collect()
        };
        let contexts: Vec<Vec<f64>> = (0..earned.len()).map(context).collect();
        let width = 1 + scales.iter().map(Scale::width).sum::<usize>();
        let (arms, spread) = self.fit(&contexts, earned, width);
        let cells = self.cells(columns, &scales, earned.len());
        Ok(cells
            .into_iter()
            .zip(0..)
            .map(|((tests, rows), number)| {
                self.leaf(tests, &rows, &contexts, (&arms, spread), number, width)
            })
            .collect())
    }

    /// The arms, and how far rewards are from what they expect.
    fn fit(&self, contexts: &[Vec<f64>], earned: &[Earned], width: usize) -> (Vec<Fitted>, f64) {
        let sign = if self.weigh.less_is_better { -1.0 } else { 1.0 };
        let mut ridges = vec![Ridge::new(width, PENALTY); self.arms];
        for (context, one) in contexts.iter().zip(earned) {
            ridges[one.arm].learn(context, sign * one.reward);
        }
        let fallback = Ridge::new(width, PENALTY);
        let fitted: Vec<Fitted> =
            ridges.iter().filter_map(|ridge| ridge.fit().or_else(|| fallback.fit())).collect();
        let missed = |(context, one): (&Vec<f64>, &Earned)| {
            let gap = sign * one.reward - fitted[one.arm].expect(context);
            gap * gap
        };
        let squares: f64 = contexts.iter().zip(earned).map(missed).sum();
        (fitted, (squares / earned.len().max(1) as f64).sqrt())
    }

    /// Cells in the order in which they are asked, each with its visitors; the last one is for the rest.
    fn cells(
        &self,
        columns: &[Column],
        scales: &[Scale],
        visitors: usize,
    ) -> Vec<(Vec<Test>, Vec<usize>)> {
        let mut cells = vec![(Vec::new(), (0..visitors).collect::<Vec<usize>>())];
        for (at, (column, scale)) in columns.iter().zip(scales).enumerate() {
            let tests = scale.tests(at);
            if cells.len() * (tests.len() + 1) > self.most_leaves {
                continue;
            }
            let split = |(tests_before, mut rows): (Vec<Test>, Vec<usize>)| {
                let mut parts = Vec::new();
                for test in &tests {
                    let (inside, outside): (Vec<usize>, Vec<usize>) =
                        rows.into_iter().partition(|row| test.holds_for(column.values[*row]));
                    rows = outside;
                    parts.push(([tests_before.clone(), vec![*test]].concat(), inside));
                }
                parts.push((tests_before, rows));
                parts
            };
            cells = cells.into_iter().flat_map(split).collect();
        }
        cells
    }

    fn leaf(
        &self,
        tests: Vec<Test>,
        rows: &[usize],
        contexts: &[Vec<f64>],
        (arms, spread): (&[Fitted], f64),
        number: u64,
        width: usize,
    ) -> Leaf {
        let mut middle = vec![0.0; width];
        for row in rows {
            for (sum, figure) in middle.iter_mut().zip(&contexts[*row]) {
                *sum += figure / rows.len() as f64;
            }
        }
        middle[0] = 1.0;
        let Thompson { seed, draws, floor, .. } = self.weigh;
        let policy = LinearPolicy::Thompson { spread, draws, seed: seed.wrapping_add(number) };
        let belief = |arm: &Fitted| Posterior::Normal {
            mean: if self.weigh.less_is_better {
                -arm.expect(&middle)
            } else {
                arm.expect(&middle)
            },
            deviation: spread * arm.unsure(&middle),
        };
        Leaf {
            tests,
            visitors: rows.len(),
            beliefs: arms.iter().map(belief).collect(),
            weights: linear_weights(arms, &middle, policy, floor),
            best: linear_weights(arms, &middle, policy, 0.0),
        }
    }
}

/// How a column's values become figures of about the same size.
enum Scale {
    Number { mean: f64, deviation: f64, cuts: Vec<f64> },
    Levels(usize),
}

impl Scale {
    fn of(column: &Column) -> Scale {
        if !column.levels.is_empty() {
            return Scale::Levels(column.levels.len().min(LEVELS));
        }
        let mut known: Vec<f64> =
            column.values.iter().copied().filter(|value| value.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        let count = known.len().max(1) as f64;
        let mean = known.iter().sum::<f64>() / count;
        let variance =
            known.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        let cut = |part: f64| known.get((part * known.len() as f64) as usize).copied();
        let mut cuts: Vec<f64> = QUANTILES.into_iter().filter_map(cut).collect();
        cuts.dedup();
        // Nobody is below the least.
        cuts.retain(|cut| known.first().is_some_and(|least| least < cut));
        Scale::Number { mean, deviation: if variance > 0.0 { variance.sqrt() } else { 1.0 }, cuts }
    }

    fn width(&self) -> usize {
        if let Scale::Levels(levels) = self { *levels } else { 2 }
    }

    /// A number, and whether it is known; or 1 at the value's level.
    fn figures(&self, value: f64) -> Vec<f64> {
        match self {
            Scale::Number { mean, deviation, .. } if value.is_finite() => {
                vec![(value - mean) / deviation, 0.0]
            }
            Scale::Number { .. } => vec![0.0, 1.0],
            Scale::Levels(levels) => {
                (0..*levels).map(|level| f64::from(u8::from(value == level as f64))).collect()
            }
        }
    }

    fn tests(&self, column: usize) -> Vec<Test> {
        match self {
            Scale::Number { cuts, .. } => {
                cuts.iter().map(|cut| Test::Below { column, cut: *cut }).collect()
            }
            Scale::Levels(levels) => (0..*levels).map(|level| Test::Is { column, level }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Draws;
    use super::*;

    #[test]
    fn each_cell_shows_most_what_earns_most_there() {
        let (count, mut draws) = (3000, Draws::new(5));
        let plans: Vec<f64> = (0..count).map(|_| (draws.uniform() * 2.0).floor()).collect();
        let scores: Vec<f64> = (0..count).map(|_| (draws.uniform() * 100.0).floor()).collect();
        // The second arm is for high scores; of the second plan both are as good.
        let rate = |row: usize, arm: usize| match (plans[row] as usize, arm) {
            (1, _) => 0.3,
            (_, 0) => 0.6 - scores[row] / 200.0,
            _ => 0.1 + scores[row] / 200.0,
        };
        let mut one = |row: usize| {
            let arm = (draws.uniform() * 2.0) as usize;
            let reward = f64::from(u8::from(draws.uniform() < rate(row, arm)));
            Earned { arm, reward, propensity: 0.5 }
        };
        let earned: Vec<Earned> = (0..count).map(&mut one).collect();
        let levels = vec!["free".to_owned(), "team".to_owned()];
        let columns = [
            Column { name: "plan".into(), levels, values: plans.clone() },
            Column { name: "$score".into(), levels: Vec::new(), values: scores.clone() },
        ];
        let weigh = Thompson { floor: 0.05, ..Thompson::default() };
        let linear = Linear { arms: 2, most_leaves: 16, weigh };
        let leaves = linear.leaves(&columns, &earned).unwrap();
        assert_eq!(leaves.len(), 9);
        assert_eq!(leaves.iter().map(|leaf| leaf.visitors).sum::<usize>(), count);
        let first = |leaf: &Leaf| leaf.tests.first() == Some(&Test::Is { column: 0, level: 0 });
        let free: Vec<&Leaf> = leaves.iter().filter(|leaf| first(leaf)).collect();
        assert!(free[0].weights[0] > 0.9 && free[2].weights[1] > 0.6, "{free:?}");
        assert!(leaves.iter().all(|leaf| leaf.weights.iter().all(|weight| *weight >= 0.05)));
        let least = Linear { weigh: Thompson { less_is_better: true, ..weigh }, ..linear };
        let leaves = least.leaves(&columns, &earned).unwrap();
        assert!(leaves[0].weights[1] > 0.9, "{leaves:?}");
        assert!(Linear { most_leaves: 1, ..linear }.leaves(&columns, &earned).unwrap().len() == 1);
        assert!(linear.leaves(&columns, &[]).is_err());
        let empty = columns.map(|column| Column { values: Vec::new(), ..column });
        let nothing = linear.leaves(&empty, &[]).unwrap();
        assert!(nothing[0].weights.iter().all(|weight| (weight - 0.5).abs() < 1e-9));
    }
}
