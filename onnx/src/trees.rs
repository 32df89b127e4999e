//! Ensembles of trees inside a graph, as forests and trees behind a scaler are.
//!
//! An ensemble that is a whole graph is better imported by core: then it explains exactly.

use crate::OpenError;
use crate::graph::Node;
use crate::program::sigmoid;
use std::collections::BTreeMap;

/// Trees whose children stand behind their parents.
#[derive(Debug)]
pub struct Trees {
    branches: Vec<Branch>,
    /// The first node of each tree.
    roots: Vec<u32>,
    /// Of leaves: which sum, and what is added to it.
    weights: Vec<(u32, f64)>,
    base: Vec<f64>,
    finish: Finish,
    /// Values are rounded to `f32` before they are compared.
    single: bool,
}

#[derive(Debug)]
struct Branch {
    test: Test,
    column: u32,
    cut: f64,
    missing_holds: bool,
    /// Where to go; of a leaf, the range of its weights.
    holds: u32,
    fails: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Test {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    Differs,
    Leaf,
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Finish {
    /// One sum is the log-odds of the second of two classes.
    Odds,
    /// One sum is its probability.
    Share,
    /// One sum, its negative first.
    Margin,
    /// A number a class.
    Sums,
    Softmax,
    Logistic,
}

impl Trees {
    /// Of a classifier; nothing where it is of a kind that is not read.
    pub fn read(node: &Node<'_>, width: usize, single: bool) -> Result<Option<Trees>, OpenError> {
        let integers = |name: &str| Ok::<_, OpenError>(node.attribute(name)?.integers);
        let numbers = |name: &str| {
            let attribute = node.attribute(name)?;
            // Trees on `double` have their numbers in tensors.
            let tensor = node.attribute(&format!("{name}_as_tensor"))?.tensor;
            Ok::<_, OpenError>(
                tensor.and_then(|tensor| tensor.numbers()).unwrap_or(attribute.numbers),
            )
        };
        let transform = node.attribute("post_transform")?.texts.first().copied().unwrap_or("NONE");
        let (classes, words) =
            (integers("classlabels_int64s")?, node.attribute("classlabels_strings")?.texts);
        let classes = classes.len().max(words.len());
        let of_leaves =
            (integers("class_treeids")?, integers("class_nodeids")?, integers("class_ids")?);
        let weights = numbers("class_weights")?;
        let is_one = of_leaves.2.iter().all(|class| Some(class) == of_leaves.2.first());
        let positive = weights.iter().all(|&weight| weight >= 0.0);
        let (finish, sums) = match (classes == 2 && is_one, transform) {
            (true, "LOGISTIC") => (Finish::Odds, 1),
            (true, "NONE") if positive => (Finish::Share, 1),
            (true, "NONE") => (Finish::Margin, 1),
            (false, "NONE") => (Finish::Sums, classes),
            (false, "SOFTMAX") => (Finish::Softmax, classes),
            (false, "LOGISTIC") => (Finish::Logistic, classes),
            _ => return Ok(None),
        };
        let mut base = numbers("base_values")?;
        match (base.len(), sums) {
            (0, _) => base = vec![0.0; sums],
            (length, sums) if length == sums => {}
            _ => return Ok(None),
        }
        let wrong = |what: &str| node.wrong(format!("{what}: export the trees again"));
        let mut leaves: BTreeMap<(i64, i64), Vec<(u32, f64)>> = BTreeMap::new();
        let count = weights.len();
        if [of_leaves.0.len(), of_leaves.1.len(), of_leaves.2.len()] != [count; 3] {
            return Err(wrong("its weight columns differ in length"));
        }
        for (at, &weight) in weights.iter().enumerate() {
            let class = if sums == 1 { 0 } else { of_leaves.2[at] };
            if !(0..sums as i64).contains(&class) {
                return Err(wrong("a leaf votes for a class that is not there"));
            }
            let leaf = leaves.entry((of_leaves.0[at], of_leaves.1[at])).or_default();
            leaf.push((class as u32, weight));
        }
        let source = Source {
            trees: integers("nodes_treeids")?,
            nodes: integers("nodes_nodeids")?,
            columns: integers("nodes_featureids")?,
            holds: integers("nodes_truenodeids")?,
            fails: integers("nodes_falsenodeids")?,
            missing: integers("nodes_missing_value_tracks_true")?,
            cuts: numbers("nodes_values")?,
            modes: node.attribute("nodes_modes")?.texts,
        };
        let mut trees = Trees {
            branches: Vec::new(),
            roots: Vec::new(),
            weights: Vec::new(),
            base,
            finish,
            single,
        };
        source.build(&mut trees, &leaves, width).map_err(wrong)?;
        Ok(Some(trees))
    }

    /// Numbers that it gives.
    pub fn width(&self) -> usize {
        match self.finish {
            Finish::Odds | Finish::Share | Finish::Margin => 2,
            _ => self.base.len(),
        }
    }

    /// Numbers that it holds, for limits.
    pub fn held(&self) -> usize {
        self.branches.len() + self.weights.len()
    }

    pub fn run(&self, from: &[f64], to: &mut [f64]) {
        to.fill(0.0);
        to[..self.base.len()].copy_from_slice(&self.base);
        for &root in &self.roots {
            let mut at = root as usize;
            let leaf = loop {
                let branch = &self.branches[at];
                if branch.test == Test::Leaf {
                    break branch;
                }
                let value = from[branch.column as usize];
                let value = if self.single { f64::from(value as f32) } else { value };
                at = if branch.holds(value) { branch.holds } else { branch.fails } as usize;
            };
            for &(sum, weight) in &self.weights[leaf.holds as usize..leaf.fails as usize] {
                to[sum as usize] += weight;
            }
        }
        let one = to[0];
        match self.finish {
            Finish::Odds => to.copy_from_slice(&[sigmoid(-one), sigmoid(one)]),
            Finish::Share => to.copy_from_slice(&[1.0 - one, one]),
            Finish::Margin => to.copy_from_slice(&[-one, one]),
            Finish::Sums => {}
            Finish::Softmax => crate::program::softmax(to),
            Finish::Logistic => to.iter_mut().for_each(|sum| *sum = sigmoid(*sum)),
        }
    }
}

impl Branch {
    fn holds(&self, value: f64) -> bool {
        let holds = match self.test {
            Test::AtMost => value <= self.cut,
            Test::Below => value < self.cut,
            Test::AtLeast => value >= self.cut,
            Test::Above => value > self.cut,
            Test::Equal => value == self.cut,
            Test::Differs => value != self.cut,
            Test::Leaf => false,
        };
        holds || (self.missing_holds && value.is_nan())
    }
}

/// The operator's columns, a row a node.
struct Source<'a> {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    columns: Vec<i64>,
    holds: Vec<i64>,
    fails: Vec<i64>,
    missing: Vec<i64>,
    cuts: Vec<f64>,
    modes: Vec<&'a str>,
}

impl Source<'_> {
    fn build(
        &self,
        trees: &mut Trees,
        leaves: &BTreeMap<(i64, i64), Vec<(u32, f64)>>,
        width: usize,
    ) -> Result<(), &'static str> {
        let count = self.modes.len();
        let whole = [&self.trees, &self.nodes, &self.columns, &self.holds, &self.fails];
        if whole.iter().any(|column| column.len() != count) || self.cuts.len() != count {
            return Err("its node columns differ in length");
        }
        let keys = || self.trees.iter().copied().zip(self.nodes.iter().copied());
        let places: BTreeMap<(i64, i64), usize> = keys().zip(0..).collect();
        if places.len() != count {
            return Err("two nodes of a tree have the same id");
        }
        let child = |at: usize, ids: &[i64]| {
            places.get(&(self.trees[at], ids[at])).copied().ok_or("a child is not there")
        };
        let mut is_child = vec![false; count];
        for at in (0..count).filter(|&at| self.modes[at] != "LEAF") {
            is_child[child(at, &self.holds)?] = true;
            is_child[child(at, &self.fails)?] = true;
        }
        let mut seen = 0;
        for root in (0..count).filter(|&at| !is_child[at]) {
            trees.roots.push(trees.branches.len() as u32);
            let mut open = vec![(root, None)];
            while let Some((at, parent)) = open.pop() {
                seen += 1;
                if seen > count {
                    return Err("a node has two parents");
                }
                let place = trees.branches.len();
                if let Some((parent, holds)) = parent
                    && let Some(parent) = trees.branches.get_mut::<usize>(parent)
                {
                    *(if holds { &mut parent.holds } else { &mut parent.fails }) = place as u32;
                }
                let test = match self.modes[at] {
                    "BRANCH_LEQ" => Test::AtMost,
                    "BRANCH_LT" => Test::Below,
                    "BRANCH_GTE" => Test::AtLeast,
                    "BRANCH_GT" => Test::Above,
                    "BRANCH_EQ" => Test::Equal,
                    "BRANCH_NEQ" => Test::Differs,
                    "LEAF" => Test::Leaf,
                    _ => return Err("a node's mode is unknown"),
                };
                let mut branch = Branch {
                    test,
                    column: 0,
                    cut: self.cuts[at],
                    missing_holds: self.missing.get(at) == Some(&1),
                    holds: trees.weights.len() as u32,
                    fails: 0,
                };
                if test == Test::Leaf {
                    let key = (self.trees[at], self.nodes[at]);
                    trees.weights.extend(leaves.get(&key).into_iter().flatten());
                    branch.fails = trees.weights.len() as u32;
                } else {
                    let column = usize::try_from(self.columns[at]).unwrap_or(usize::MAX);
                    if column >= width {
                        return Err("it reads a column that is not there");
                    }
                    branch.column = column as u32;
                    open.push((child(at, &self.fails)?, Some((place, false))));
                    open.push((child(at, &self.holds)?, Some((place, true))));
                }
                trees.branches.push(branch);
            }
        }
        // What no root leads to is a circle.
        if seen == count { Ok(()) } else { Err("its nodes go in a circle") }
    }
}
