//! Contextual bandits by leaves: what is grown, and that hosts show what was meant.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods)]
#![cfg(feature = "wire")]

use rapport_core::bandit::{
    Column, Draws, Earned, Growth, GrowthError, Test, choose, contexts, equal,
};
use rapport_core::experiment::{Asker, compile_flags};
use rapport_core::targeting::Value;

const PLANS: [&str; 3] = ["free", "team", "enterprise"];

/// Visitors with a plan and a budget, which one in ten does not tell.
fn visitors(count: usize, seed: u64) -> Vec<Column> {
    let mut draws = Draws::new(seed);
    let plans = (0..count).map(|_| (draws.uniform() * 3.0).floor()).collect();
    let mut budget = || {
        let budget = (draws.uniform() * 1000.0).floor();
        if draws.uniform() < 0.1 { f64::NAN } else { budget }
    };
    let budgets = (0..count).map(|_| budget()).collect();
    let levels = PLANS.map(str::to_owned).to_vec();
    vec![
        Column { name: "plan".into(), levels, values: plans },
        Column { name: "budget".into(), levels: Vec::new(), values: budgets },
    ]
}

/// Enterprises like the second arm; of the others those with a budget below 400 like the third.
fn rate(columns: &[Column], row: usize, arm: usize) -> f64 {
    let favourite = match (columns[0].values[row] as usize, columns[1].values[row]) {
        (2, _) => 1,
        (_, budget) if budget < 400.0 => 2,
        _ => 0,
    };
    if arm == favourite { 0.2 } else { 0.08 }
}

#[test]
fn leaves_are_found_where_the_arms_differ_and_nowhere_else() {
    let (count, mut draws) = (12_000, Draws::new(3));
    let columns = visitors(count, 1);
    let mut earn = |rate: &dyn Fn(usize, usize) -> f64| -> Vec<Earned> {
        let mut one = |row| {
            let arm = (draws.uniform() * 3.0) as usize;
            let reward = f64::from(u8::from(draws.uniform() < rate(row, arm)));
            Earned { arm, reward, propensity: 1.0 / 3.0 }
        };
        (0..count).map(&mut one).collect()
    };
    let leaves =
        Growth::of(3).leaves(&columns, &earn(&|row, arm| rate(&columns, row, arm))).unwrap();
    assert_eq!(leaves.len(), 3, "{leaves:?}");
    assert!(leaves.iter().any(|leaf| leaf.tests.contains(&Test::Is { column: 0, level: 2 })));
    assert!(leaves.last().unwrap().tests.is_empty());
    assert!(leaves.iter().all(|leaf| (leaf.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9));
    assert!(leaves.iter().all(|leaf| leaf.best.iter().any(|best| *best > 0.99)), "{leaves:?}");
    // Where nothing tells whom an arm is for, at most one in twenty is split by chance.
    let split = (0..100).filter(|_| {
        let leaves = Growth::of(3).leaves(&columns, &earn(&|_, arm| 0.05 + 0.05 * arm as f64));
        leaves.unwrap().len() > 1
    });
    let split = split.count();
    assert!(split <= 10, "{split} of 100");
}

#[test]
fn a_host_puts_every_visitor_into_the_leaf_that_was_learnt() {
    let count = 9_000;
    let columns = visitors(count, 5);
    let mut draws = Draws::new(7);
    let earned: Vec<Earned> = (0..count)
        .map(|row| {
            let arm = (draws.uniform() * 3.0) as usize;
            let reward = f64::from(u8::from(draws.uniform() < rate(&columns, row, arm)));
            Earned { arm, reward, propensity: 1.0 / 3.0 }
        })
        .collect();
    let leaves = Growth::of(3).leaves(&columns, &earned).unwrap();
    let payload = format!(
        r#"{{"features": {{"hero": {{"defaultValue": 0, "rules": [{{"key": "hero", "hashVersion": 2,
            "contextualVariations": [0, 1, 2], "contextualBanditRef": "hero"}}]}}}},
            "contextualBandits": {{"hero": {{"banditVersion": 1, "contexts": {}}}}}}}"#,
        serde_json::to_string(&contexts(&leaves, &columns)).unwrap()
    );
    let payload: Value<'static> = serde_json::from_str(&payload).unwrap();
    let (flags, problems) = compile_flags(&payload);
    assert_eq!(problems, []);
    let mut counts = vec![0usize; leaves.len()];
    for row in 0..count {
        let plan = PLANS[columns[0].values[row] as usize];
        let budget = columns[1].values[row];
        let budget = if budget.is_nan() { String::new() } else { format!(r#","budget":{budget}"#) };
        let context = format!(r#"{{"attributes": {{"id": "v{row}", "plan": "{plan}"{budget}}}}}"#);
        let context: Value<'_> = serde_json::from_str(&context).unwrap();
        let answer = Asker::new(&context).feature(&flags, "hero");
        let leaf = answer.member("experimentResult").unwrap().member("leafId").unwrap();
        let Value::Number(leaf) = leaf else { panic!("{leaf:?}") };
        counts[*leaf as usize] += 1;
    }
    assert_eq!(counts, leaves.iter().map(|leaf| leaf.visitors).collect::<Vec<_>>());
}

/// Conversions lost to the best arm of each visitor; weights change every 500 visitors.
fn regret(columns: &[Column], seed: u64, known: &[Column]) -> f64 {
    let count = columns[0].values.len();
    let (mut draws, mut lost) = (Draws::new(seed), 0.0);
    let mut earned: Vec<Earned> = Vec::new();
    let mut leaves = Vec::new();
    for row in 0..count {
        if row > 0 && row % 500 == 0 {
            let seen: Vec<Column> = known
                .iter()
                .map(|column| Column { values: column.values[..row].to_vec(), ..column.clone() })
                .collect();
            leaves = Growth::of(3).leaves(&seen, &earned).unwrap();
        }
        let holds = |test: &Test| match *test {
            Test::Below { column, cut } => known[column].values[row] < cut,
            Test::Is { column, level } => known[column].values[row] == level as f64,
        };
        let leaf = leaves.iter().find(|leaf| leaf.tests.iter().all(holds));
        let weights = leaf.map_or_else(|| equal(3), |leaf| leaf.weights.clone());
        let choice = choose(&weights, draws.uniform()).unwrap();
        let expected = rate(columns, row, choice.arm);
        let reward = f64::from(u8::from(draws.uniform() < expected));
        earned.push(Earned { arm: choice.arm, reward, propensity: choice.propensity });
        lost += 0.2 - expected;
    }
    lost
}

#[test]
fn leaves_lose_far_less_than_one_arm_for_all() {
    let columns = visitors(15_000, 9);
    let seeds = if std::env::var_os("RAPPORT_SOAK").is_some() { 40 } else { 4 };
    let mean = |known: &[Column]| {
        (1..=seeds).map(|seed| regret(&columns, seed, known)).sum::<f64>() / seeds as f64
    };
    let (by_leaf, for_all) = (mean(&columns), mean(&[]));
    assert!(by_leaf < 0.6 * for_all, "{by_leaf} and {for_all}");
    println!(
        "{seeds} worlds: {by_leaf:.0} conversions lost by leaf, {for_all:.0} by one arm for all"
    );
}

#[test]
fn a_log_that_cannot_be_is_refused() {
    let columns = visitors(2, 1);
    let good = Earned { arm: 0, reward: 1.0, propensity: 0.5 };
    let refused = |wrong: Earned| Growth::of(2).leaves(&columns, &[good, wrong]).unwrap_err();
    assert_eq!(refused(Earned { arm: 2, ..good }), GrowthError::Arm(1));
    for propensity in [0.0, -1.0, 1.5, f64::NAN] {
        assert_eq!(refused(Earned { propensity, ..good }), GrowthError::Propensity(1));
    }
    assert_eq!(refused(Earned { reward: f64::INFINITY, ..good }), GrowthError::Reward(1));
    assert_eq!(Growth::of(2).leaves(&columns, &[good]), Err(GrowthError::Column("plan".into())));
    let nothing = Growth::of(2).leaves(&[], &[]).unwrap();
    assert!((nothing[0].weights[0] - 0.5).abs() < 0.02, "{nothing:?}");
}
