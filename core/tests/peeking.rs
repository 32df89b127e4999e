//! Looking all the time must not find what is not there.
#![allow(clippy::disallowed_methods)]

use rapport_core::bandit::Draws;
use rapport_core::stats::{Difference, Sequence, Side, Statistic, Sums, compare, t_test};

const VISITORS: usize = 2_000;

/// How one experiment without any effect ends when it is looked at after every visitor: what the
/// sequence claims ever, and what a plain test claims ever.
fn false_alarms(seed: u64, binary: bool) -> [bool; 2] {
    let sequence = Sequence::default();
    let mut draws = Draws::new(seed);
    let mut arms = [[0.0; 3]; 2];
    let mut alarms = [false; 2];
    for _ in 0..VISITORS {
        let value = match binary {
            true => f64::from(u8::from(draws.uniform() < 0.3)),
            false => 5.0 + 2.0 * draws.normal(),
        };
        let arm = &mut arms[usize::from(draws.next_u64() >> 63 == 1)];
        *arm = [arm[0] + 1.0, arm[1] + value, arm[2] + value * value];
        let [control, treatment] = arms
            .map(|[units, sum, squares]| Statistic::Mean(Sums::amount(units as u64, sum, squares)));
        let Ok(effect) = compare(&control, &treatment, Difference::Absolute) else { continue };
        alarms[0] |= sequence.test(&effect, Side::Both).p_value < 0.05;
        if effect.units >= 100 && effect.units % 100 == 0 {
            alarms[1] |= t_test(&effect, Side::Both, 0.05).p_value < 0.05;
        }
    }
    alarms
}

#[test]
fn a_sequence_raises_a_false_alarm_in_at_most_one_experiment_of_twenty() {
    let experiments = if std::env::var_os("RAPPORT_SOAK").is_some() { 10_000 } else { 400 };
    for binary in [true, false] {
        let mut counts = [0; 2];
        for seed in 0..experiments {
            for (count, alarm) in counts.iter_mut().zip(false_alarms(seed, binary)) {
                *count += u32::from(alarm);
            }
        }
        let [sequential, plain] = counts.map(|count| f64::from(count) / experiments as f64);
        println!(
            "sequential_false_positive {sequential} (a t test looked at twenty times: {plain}) \
             of {experiments} experiments, binary: {binary}"
        );
        assert!(sequential <= 0.05, "{sequential}");
        // The test sees what it is there to prevent.
        assert!(plain > 0.1, "{plain}");
    }
}

#[test]
fn a_sequence_finds_what_is_there() {
    let mut draws = Draws::new(1);
    let mut group = |mean: f64| Sums::of((0..5000).map(|_| mean + draws.normal()));
    let (control, treatment) = (Statistic::Mean(group(1.0)), Statistic::Mean(group(1.2)));
    for difference in [Difference::Absolute, Difference::Relative] {
        let effect = compare(&control, &treatment, difference).unwrap();
        for side in [Side::Both, Side::Greater] {
            let verdict = Sequence::default().test(&effect, side);
            assert!(verdict.p_value < 0.001 && verdict.interval[0] > 0.0);
        }
        assert!(Sequence::default().test(&effect, Side::Less).p_value > 0.4);
    }
}
