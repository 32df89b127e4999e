//! A tree that asks the same question everywhere on a level (Prokhorenkova et al. 2018): a strong
//! restraint on small tables. Where a question parts nothing, the node is left whole.

use super::bins::FeatureKind;
use super::grow::{CodeNode, CodeTree, Grown, Parting, Shape, Soil, Spare, part_rows};
use super::histogram::{Histogram, Moment, Packed};
use super::random::Random;
use super::split::{Bounds, CodeSet, leaf_value};
use core::ops::Range;

/// Grows a symmetric tree on `rows`, which end up ordered leaf by leaf; leaf values are not yet shrunk.
pub fn grow(
    soil: &Soil,
    shape: Shape,
    rows: &mut [u32],
    random: &mut Random,
    spare: &mut Spare,
) -> Grown {
    let sum = rows.iter().fold(0, |sum: Packed, &row| sum.wrapping_add(soil.packed[row as usize]));
    let mut nodes = vec![empty(rows.len())];
    let mut histogram = spare.take(soil.binned.features.len());
    histogram.count(soil.binned, rows, soil.packed);
    let mut level = vec![Part { node: 0, range: 0..rows.len(), sum, histogram }];
    let mut scratch = Vec::new();
    for depth in 0..shape.max_depth {
        let Some(question) = best_question(soil, shape, &level, random) else { break };
        let deeper = depth + 1 < shape.max_depth;
        let mut next = Vec::with_capacity(level.len() * 2);
        for part in level {
            divide(soil, &question, part, rows, &mut nodes, &mut next, &mut scratch, spare, deeper);
        }
        level = next;
    }
    let mut leaves = Vec::with_capacity(level.len());
    for part in level {
        let mut sum = Moment::default();
        for &row in &rows[part.range.clone()] {
            sum.gradient += soil.moments[row as usize].gradient;
            sum.hessian += soil.moments[row as usize].hessian;
        }
        nodes[part.node as usize].value = leaf_value(sum, &soil.search.penalties, Bounds::NONE);
        leaves.push((part.node, part.range));
        spare.give(part.histogram);
    }
    Grown { tree: CodeTree { nodes }, leaves }
}

/// A node of the current level.
struct Part {
    node: u32,
    range: Range<usize>,
    sum: Packed,
    histogram: Histogram,
}

struct Question {
    feature: usize,
    left: CodeSet,
}

fn empty(rows: usize) -> CodeNode {
    CodeNode { value: 0.0, cover: rows as f64, parting: None }
}

#[allow(clippy::too_many_arguments)]
fn divide(
    soil: &Soil,
    question: &Question,
    mut part: Part,
    rows: &mut [u32],
    nodes: &mut Vec<CodeNode>,
    next: &mut Vec<Part>,
    scratch: &mut Vec<u32>,
    spare: &mut Spare,
    deeper: bool,
) {
    let Range { start, end } = part.range;
    let sums = part.histogram.of(question.feature);
    let codes = soil.binned.features[question.feature].codes;
    let held = |side: bool| {
        (0..codes).any(|code| sums[code] != 0 && question.left.contains(code as u8) == side)
    };
    if !(held(true) && held(false)) {
        next.push(part);
        return;
    }
    let middle = start
        + part_rows(&mut rows[start..end], soil.binned, question.feature, question.left, scratch);
    let first = nodes.len() as u32;
    nodes[part.node as usize].parting = Some(Parting {
        feature: question.feature,
        left: question.left,
        children: [first, first + 1],
    });
    nodes.push(empty(middle - start));
    nodes.push(empty(end - middle));
    let sum = |range: &[u32]| {
        range.iter().fold(0, |sum: Packed, &row| sum.wrapping_add(soil.packed[row as usize]))
    };
    let (left_sum, right_sum) = (sum(&rows[start..middle]), sum(&rows[middle..end]));
    let mut other = spare.take(soil.binned.features.len());
    let left_smaller = middle - start <= end - middle;
    if deeper {
        let counted = if left_smaller { &rows[start..middle] } else { &rows[middle..end] };
        other.count(soil.binned, counted, soil.packed);
        part.histogram.subtract(&other, soil.binned);
    }
    let (of_left, of_right) =
        if left_smaller { (other, part.histogram) } else { (part.histogram, other) };
    next.push(Part { node: first, range: start..middle, sum: left_sum, histogram: of_left });
    next.push(Part { node: first + 1, range: middle..end, sum: right_sum, histogram: of_right });
}

/// The question with the highest gain over all nodes of the level, chance included.
fn best_question(
    soil: &Soil,
    shape: Shape,
    level: &[Part],
    random: &mut Random,
) -> Option<Question> {
    let search = soil.search;
    let penalties = search.penalties;
    let score = |sum: Packed, extra: f64| {
        let sum = search.scale.unpack(sum);
        sum.gradient * sum.gradient / (sum.hessian + penalties.l2 + extra)
    };
    let heavy = |sum: Packed, least: f64| search.scale.unpack(sum).hessian >= least;
    let mut best: Option<(f64, Question)> = None;
    let mut offer = |gain: f64, question: &dyn Fn() -> Question, random: &mut Random| {
        if gain <= 1e-9 {
            return;
        }
        let gain = gain + shape.chance * random.normal();
        if best.as_ref().is_none_or(|best| gain > best.0) {
            best = Some((gain, question()));
        }
    };
    let mut gains = [[0.0_f64; 2]; 256];
    for &feature in soil.features {
        if shape.feature_share < 1.0 && random.unit() >= shape.feature_share {
            continue;
        }
        let codes = soil.binned.features[feature].codes;
        gains[..codes].fill([0.0; 2]);
        match &soil.binned.features[feature].kind {
            FeatureKind::Ordered { .. } => {
                let mut any_missing = false;
                let mut present = [false; 256];
                for part in level {
                    let sums = &part.histogram.of(feature)[..codes];
                    let own = score(part.sum, 0.0);
                    let missing = sums[0];
                    any_missing |= missing != 0;
                    let mut left: Packed = 0;
                    let mut last = [0.0; 2];
                    for at in 1..codes {
                        if sums[at] != 0 {
                            present[at] = true;
                            left = left.wrapping_add(sums[at]);
                            last = [left, left.wrapping_add(missing)].map(|left| {
                                let right = part.sum.wrapping_sub(left);
                                let fits = heavy(left, penalties.min_hessian)
                                    && heavy(right, penalties.min_hessian);
                                if fits { score(left, 0.0) + score(right, 0.0) - own } else { 0.0 }
                            });
                        }
                        gains[at][0] += last[0];
                        gains[at][1] += last[1];
                    }
                    if missing != 0 {
                        let right = score(missing, 0.0);
                        gains[0][1] += right + score(part.sum.wrapping_sub(missing), 0.0) - own;
                    }
                }
                for at in 1..codes {
                    if !present[at] {
                        continue;
                    }
                    for (side, &gain) in
                        gains[at].iter().take(1 + usize::from(any_missing)).enumerate()
                    {
                        let question = || {
                            let mut left = CodeSet::up_to(at);
                            if side == 1 {
                                left.insert(0);
                            }
                            Question { feature, left }
                        };
                        offer(gain, &question, random);
                    }
                }
            }
            FeatureKind::Levels { .. } => {
                let order = search.fixed_orders.and_then(|orders| orders.get(feature));
                let present = (0..codes)
                    .filter(|&code| level.iter().any(|part| part.histogram.of(feature)[code] != 0))
                    .count();
                let extra = if present > 2 { penalties.category_l2 } else { 0.0 };
                let least = if present > 2 {
                    penalties.category_min_hessian
                } else {
                    penalties.min_hessian
                };
                for part in level {
                    let sums = &part.histogram.of(feature)[..codes];
                    let own = score(part.sum, 0.0);
                    let gain = |left: Packed| {
                        let right = part.sum.wrapping_sub(left);
                        if heavy(left, least) && heavy(right, least) {
                            score(left, extra) + score(right, extra) - own
                        } else {
                            0.0
                        }
                    };
                    for code in 0..codes {
                        if sums[code] != 0 {
                            gains[code][0] += gain(sums[code]);
                        }
                    }
                    if let Some(order) = order {
                        let mut left: Packed = 0;
                        for (at, &code) in order.iter().enumerate() {
                            left = left.wrapping_add(sums[code as usize]);
                            gains[at][1] += gain(left);
                        }
                    }
                }
                for (code, &[alone, first]) in gains.iter().enumerate().take(codes) {
                    offer(
                        alone,
                        &|| Question { feature, left: CodeSet::of(core::iter::once(code as u8)) },
                        random,
                    );
                    if let Some(order) = order {
                        let question = || Question {
                            feature,
                            left: CodeSet::of(order.iter().take(code + 1).copied()),
                        };
                        offer(first, &question, random);
                    }
                }
            }
        }
    }
    best.map(|best| best.1)
}
