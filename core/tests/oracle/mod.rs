//! Slow, plain reference computations over the authored form, and random models to compare on.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use rapport_core::model::{LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel};

/// A small deterministic generator (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    /// In `0..1`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() >> 33) as usize % count
    }
}

/// What random trees look like.
#[derive(Clone, Copy)]
pub struct Growth {
    pub trees: usize,
    pub depth: usize,
    /// Splits of a tree at most; where the depth leaves room, growth is lopsided.
    pub splits: usize,
    pub numbers: usize,
    pub categories: usize,
}

pub fn forest(random: &mut Random, growth: Growth) -> TreeModel {
    let levels = |n: usize| (0..n).map(|level| format!("level {level}")).collect();
    let mut signals: Vec<Signal> = (0..growth.numbers)
        .map(|n| Signal { id: n as u32, ..Signal::new(format!("number {n}"), SignalKind::Number) })
        .collect();
    signals.extend((0..growth.categories).map(|n| Signal {
        id: 1000 + n as u32,
        ..Signal::new(format!("category {n}"), SignalKind::Category { levels: levels(2 + 9 * n) })
    }));
    let trees = (0..growth.trees).map(|_| tree(random, growth, &signals)).collect();
    TreeModel { signals, trees, base_margin: random.unit() - 0.5 }
}

fn tree(random: &mut Random, growth: Growth, signals: &[Signal]) -> Tree {
    let mut nodes = vec![leaf(random)];
    let mut open = vec![(0usize, 0usize)];
    for _ in 0..growth.splits {
        if open.is_empty() {
            break;
        }
        // Mostly the newest leaf, so that deep growth is leaf-wise and lopsided.
        let pick = if random.below(3) > 0 { open.len() - 1 } else { random.below(open.len()) };
        let (at, depth) = open.swap_remove(pick);
        let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
        let signal = random.below(signals.len());
        let rule = match &signals[signal].kind {
            SignalKind::Category { levels } => {
                let mut set = LevelSet::default();
                (0..levels.len())
                    .filter(|_| random.below(2) == 0)
                    .for_each(|level| set.insert(level));
                Rule::OneOf { levels: set, other_left: random.below(2) == 0 }
            }
            _ => Rule::AtMost(f64::from(random.below(40) as f32 * 0.1 - 2.0)),
        };
        nodes[at] = Node::Split {
            signal: signal as u16,
            rule,
            missing_left: random.below(2) == 0,
            left,
            right,
            cover: 0.0,
        };
        nodes.extend([leaf(random), leaf(random)]);
        if depth + 1 < growth.depth {
            open.extend([(left as usize, depth + 1), (right as usize, depth + 1)]);
        }
    }
    let mut covers = vec![0.0; nodes.len()];
    for at in (0..nodes.len()).rev() {
        covers[at] = match &nodes[at] {
            Node::Leaf { .. } => 1.0 + random.unit() * random.unit() * 300.0,
            Node::Split { left, right, .. } => covers[*left as usize] + covers[*right as usize],
        };
    }
    for (node, weight) in nodes.iter_mut().zip(covers) {
        match node {
            Node::Leaf { cover, .. } | Node::Split { cover, .. } => *cover = weight,
        }
    }
    Tree { nodes }
}

fn leaf(random: &mut Random) -> Node {
    Node::Leaf { value: (random.unit() - 0.5) * 0.4, cover: 0.0 }
}

/// A row with a tenth missing, unseen levels now and then.
pub fn row(random: &mut Random, signals: &[Signal]) -> Vec<f64> {
    let mut value = |signal: &Signal| match &signal.kind {
        _ if random.below(10) == 0 => f64::NAN,
        SignalKind::Category { levels } => random.below(levels.len() + 1) as f64,
        _ if random.below(4) == 0 => f64::from(random.below(40) as f32 * 0.1 - 2.0),
        _ => random.unit() * 5.0 - 2.5,
    };
    signals.iter().map(&mut value).collect()
}

/// Whether a value goes left.
pub fn goes_left(
    model: &TreeModel,
    signal: u16,
    rule: &Rule,
    missing_left: bool,
    value: f64,
) -> bool {
    let kind = &model.signals[usize::from(signal)].kind;
    if value.is_nan() || (*kind == SignalKind::NonZero && value.abs() <= f64::from(1e-35f32)) {
        return missing_left;
    }
    match (rule, kind) {
        (Rule::AtMost(cut), _) => value <= *cut,
        (Rule::OneOf { levels, other_left }, SignalKind::Category { levels: all }) => {
            if value > -1.0 && value < all.len() as f64 {
                levels.contains(value as usize)
            } else {
                *other_left
            }
        }
        (Rule::OneOf { .. }, _) => panic!("a set on a number"),
    }
}

/// The margin by walking every tree.
pub fn margin(model: &TreeModel, row: &[f64]) -> f64 {
    let leaf = |tree: &Tree| {
        let mut at = 0;
        loop {
            match &tree.nodes[at] {
                Node::Leaf { value, .. } => return *value,
                Node::Split { signal, rule, missing_left, left, right, .. } => {
                    let value = row[usize::from(*signal)];
                    at = if goes_left(model, *signal, rule, *missing_left, value) {
                        *left
                    } else {
                        *right
                    } as usize;
                }
            }
        }
    };
    model.base_margin + model.trees.iter().map(leaf).sum::<f64>()
}

fn cover(node: &Node) -> f64 {
    match node {
        Node::Leaf { cover, .. } | Node::Split { cover, .. } => *cover,
    }
}

/// The expected margin where only the signals in `known` are known.
pub fn expected(model: &TreeModel, row: &[f64], known: &dyn Fn(u16) -> bool) -> f64 {
    fn below(
        model: &TreeModel,
        tree: &Tree,
        at: usize,
        row: &[f64],
        known: &dyn Fn(u16) -> bool,
    ) -> f64 {
        match &tree.nodes[at] {
            Node::Leaf { value, .. } => *value,
            Node::Split { signal, rule, missing_left, left, right, .. } => {
                let (left, right) = (*left as usize, *right as usize);
                if known(*signal) {
                    let value = row[usize::from(*signal)];
                    let left_goes = goes_left(model, *signal, rule, *missing_left, value);
                    return below(model, tree, if left_goes { left } else { right }, row, known);
                }
                let (l, r) = (cover(&tree.nodes[left]), cover(&tree.nodes[right]));
                (l * below(model, tree, left, row, known)
                    + r * below(model, tree, right, row, known))
                    / (l + r)
            }
        }
    }
    model.base_margin
        + model.trees.iter().map(|tree| below(model, tree, 0, row, known)).sum::<f64>()
}

/// Shapley values over all subsets, for few signals.
pub fn brute_force(model: &TreeModel, row: &[f64]) -> Vec<f64> {
    let count = model.signals.len();
    let worth: Vec<f64> = (0..1usize << count)
        .map(|set| expected(model, row, &|signal| set >> signal & 1 == 1))
        .collect();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    let contribution = |signal: usize| -> f64 {
        (0..worth.len())
            .filter(|set| set >> signal & 1 == 0)
            .map(|set| {
                let size = set.count_ones() as usize;
                let weight = factorial(size) * factorial(count - size - 1) / factorial(count);
                weight * (worth[set | 1 << signal] - worth[set])
            })
            .sum()
    };
    (0..count).map(contribution).collect()
}

/// The classic algorithm: Lundberg and others, "Consistent Individualized Feature Attribution for
/// Tree Ensembles", 2018, algorithm 2, in `f64`.
pub fn classic(model: &TreeModel, row: &[f64]) -> Vec<f64> {
    let mut contributions = vec![0.0; model.signals.len()];
    for tree in &model.trees {
        recurse(model, tree, row, 0, Vec::new(), [1.0, 1.0], None, &mut contributions);
    }
    contributions
}

#[derive(Clone, Copy)]
struct Element {
    signal: Option<u16>,
    zero: f64,
    one: f64,
    weight: f64,
}

#[allow(clippy::too_many_arguments)]
fn recurse(
    model: &TreeModel,
    tree: &Tree,
    row: &[f64],
    at: usize,
    mut path: Vec<Element>,
    [zero, one]: [f64; 2],
    signal: Option<u16>,
    contributions: &mut [f64],
) {
    extend(&mut path, zero, one, signal);
    match &tree.nodes[at] {
        Node::Leaf { value, .. } => {
            for index in 1..path.len() {
                let mut unwound = path.clone();
                unwind(&mut unwound, index);
                let weight: f64 = unwound.iter().map(|element| element.weight).sum();
                let element = path[index];
                contributions[usize::from(element.signal.unwrap())] +=
                    weight * (element.one - element.zero) * value;
            }
        }
        Node::Split { signal, rule, missing_left, left, right, .. } => {
            let (left, right) = (*left as usize, *right as usize);
            let goes_left =
                goes_left(model, *signal, rule, *missing_left, row[usize::from(*signal)]);
            let (hot, cold) = if goes_left { (left, right) } else { (right, left) };
            let mut so_far = [1.0, 1.0];
            if let Some(index) = path.iter().position(|element| element.signal == Some(*signal)) {
                so_far = [path[index].zero, path[index].one];
                unwind(&mut path, index);
            }
            let whole = cover(&tree.nodes[left]) + cover(&tree.nodes[right]);
            for (child, one) in [(hot, so_far[1]), (cold, 0.0)] {
                let zero = so_far[0] * cover(&tree.nodes[child]) / whole;
                recurse(
                    model,
                    tree,
                    row,
                    child,
                    path.clone(),
                    [zero, one],
                    Some(*signal),
                    contributions,
                );
            }
        }
    }
}

fn extend(path: &mut Vec<Element>, zero: f64, one: f64, signal: Option<u16>) {
    let length = path.len();
    path.push(Element { signal, zero, one, weight: if length == 0 { 1.0 } else { 0.0 } });
    for i in (0..length).rev() {
        path[i + 1].weight += one * path[i].weight * (i + 1) as f64 / (length + 1) as f64;
        path[i].weight *= zero * (length - i) as f64 / (length + 1) as f64;
    }
}

fn unwind(path: &mut Vec<Element>, index: usize) {
    let last = path.len() - 1;
    let (zero, one) = (path[index].zero, path[index].one);
    let mut next = path[last].weight;
    for i in (0..last).rev() {
        if one != 0.0 {
            let weight = path[i].weight;
            path[i].weight = next * (last + 1) as f64 / ((i + 1) as f64 * one);
            next = weight - path[i].weight * zero * (last - i) as f64 / (last + 1) as f64;
        } else {
            path[i].weight = path[i].weight * (last + 1) as f64 / (zero * (last - i) as f64);
        }
    }
    for i in index..last {
        (path[i].signal, path[i].zero, path[i].one) =
            (path[i + 1].signal, path[i + 1].zero, path[i + 1].one);
    }
    path.pop();
}
