//! Plays worlds of bandits that `xtask/peers/bandits.py` wrote, and prints what each cost.
//!
//! A world is what every arm would have earned of every visitor. The file holds, little-endian: worlds,
//! visitors, arms, features and visitors a batch (u32 each); then a world behind the other: contexts
//! (f64, visitor by visitor), rewards (u8, arm by arm) and their expectations (f64).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "an example, which does I/O")]

use rapport_core::bandit::{
    Draws, Fitted, LinearPolicy, Posterior, Ridge, Thompson, choose, equal, linear_weights,
};

struct World<'a> {
    arms: usize,
    features: usize,
    contexts: &'a [u8],
    rewards: &'a [u8],
    expected: &'a [u8],
}

impl World<'_> {
    fn visitors(&self) -> usize {
        self.rewards.len() / self.arms
    }

    fn context(&self, visitor: usize) -> Vec<f64> {
        let bytes = &self.contexts[visitor * self.features * 8..][..self.features * 8];
        numbers(bytes)
    }

    /// By how much less than the best arm this one was expected to earn.
    fn regret(&self, visitor: usize, arm: usize) -> f64 {
        let expected = numbers(&self.expected[visitor * self.arms * 8..][..self.arms * 8]);
        expected.iter().copied().fold(f64::MIN, f64::max) - expected[arm]
    }

    fn reward(&self, visitor: usize, arm: usize) -> f64 {
        f64::from(self.rewards[visitor * self.arms + arm])
    }
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// As rates are learnt: Thompson sampling, each batch with new weights.
fn by_rate(world: &World<'_>, batch: usize, seed: u64, policy: &Thompson) -> f64 {
    let (mut shown, mut earned) = (vec![0.0; world.arms], vec![0.0; world.arms]);
    let (mut weights, mut places, mut regret) = (equal(world.arms), Draws::new(seed), 0.0);
    for visitor in 0..world.visitors() {
        if visitor > 0 && visitor % batch == 0 {
            let arms: Vec<Posterior> = earned
                .iter()
                .zip(&shown)
                .map(|(won, seen)| Posterior::of_rate(*won, *seen))
                .collect();
            weights = Thompson { seed: seed + visitor as u64, ..*policy }.weights(&arms).weights;
        }
        let arm = choose(&weights, places.uniform()).unwrap().arm;
        shown[arm] += 1.0;
        earned[arm] += world.reward(visitor, arm);
        regret += world.regret(visitor, arm);
    }
    regret
}

/// As contexts are learnt: an arm is linear in them.
fn by_context(world: &World<'_>, batch: usize, seed: u64, policy: LinearPolicy, floor: f64) -> f64 {
    let mut ridges = vec![Ridge::new(world.features, 1.0); world.arms];
    let mut fitted: Vec<Fitted> = ridges.iter().filter_map(Ridge::fit).collect();
    let (mut places, mut regret) = (Draws::new(seed), 0.0);
    let mut late: Vec<(Vec<f64>, usize, f64)> = Vec::new();
    for visitor in 0..world.visitors() {
        if visitor > 0 && visitor % batch == 0 {
            for (context, arm, reward) in late.drain(..) {
                ridges[arm].learn(&context, reward);
            }
            fitted = ridges.iter().filter_map(Ridge::fit).collect();
        }
        let context = world.context(visitor);
        let weights = linear_weights(&fitted, &context, policy, floor);
        let arm = choose(&weights, places.uniform()).unwrap().arm;
        late.push((context, arm, world.reward(visitor, arm)));
        regret += world.regret(visitor, arm);
    }
    regret
}

fn main() {
    let path = std::env::args().nth(1).expect("which file?");
    let file = std::fs::read(path).unwrap();
    let head: Vec<usize> = file[..20]
        .chunks_exact(4)
        .map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()) as usize)
        .collect();
    let [worlds, visitors, arms, features, batch] = head[..] else { panic!("no worlds") };
    let sizes = [visitors * features * 8, visitors * arms, visitors * arms * 8];
    let all: Vec<World<'_>> = file[20..]
        .chunks_exact(sizes.iter().sum())
        .map(|bytes| {
            let (contexts, rest) = bytes.split_at(sizes[0]);
            let (rewards, expected) = rest.split_at(sizes[1]);
            World { arms, features, contexts, rewards, expected }
        })
        .collect();
    assert_eq!(all.len(), worlds);
    let play = |name: &str, play: &dyn Fn(&World<'_>, u64) -> f64| {
        let regrets = all.iter().zip(1u64..).map(|(world, number)| play(world, number << 32));
        let regrets: Vec<String> = regrets.map(|regret| format!("{regret:.6}")).collect();
        println!("{{\"policy\":\"{name}\",\"regrets\":[{}]}}", regrets.join(","));
    };
    for floor in [0.0, 0.01] {
        let named = |policy: &str| format!("{policy} floor {floor}");
        if features == 0 {
            let policy = Thompson { top_two: false, draws: 2_000, floor, ..Thompson::default() };
            play(&named("thompson"), &|world, seed| by_rate(world, batch, seed, &policy));
        } else {
            let policy = LinearPolicy::Ucb { alpha: 1.0 };
            play(&named("linucb"), &|world, seed| by_context(world, batch, seed, policy, floor));
        }
    }
}
