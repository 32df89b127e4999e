//! How good probabilities are, given the outcomes.

/// Measures of a set of probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Metrics {
    pub n: usize,
    /// Share of positives.
    pub prevalence: f64,
    /// Accuracy of always naming the larger class.
    pub majority_accuracy: f64,
    /// Accuracy at probability one half.
    pub accuracy: f64,
    pub auc: f64,
    /// Average precision, the step-wise area under precision and recall.
    pub pr_auc: f64,
    pub log_loss: f64,
    pub brier: f64,
    /// Expected calibration error over ten equally wide bins.
    pub ece: f64,
    /// Share of positives in the tenth with the highest probabilities.
    pub precision_top_decile: f64,
}

/// What a pair of band thresholds does.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct AtThresholds {
    /// Negatives called qualified.
    pub fpr: f64,
    /// Positives called qualified.
    pub recall: f64,
    /// Share of positives among the qualified; 0 where there are none.
    pub precision: f64,
    /// Accuracy where the qualified are called positive and all others negative.
    pub accuracy: f64,
    /// Share of rows that are qualified or not qualified, that is, not undecided.
    pub coverage: f64,
    /// Accuracy on the decided rows.
    pub decided_accuracy: f64,
}

impl Metrics {
    /// Measures `probabilities`; both slices have one length.
    #[must_use]
    pub fn of(labels: &[bool], probabilities: &[f64]) -> Metrics {
        let n = labels.len();
        let rows = n.max(1) as f64;
        let positives = labels.iter().filter(|label| **label).count() as f64;
        let prevalence = positives / rows;
        let right =
            labels.iter().zip(probabilities).filter(|(label, p)| **label == (**p >= 0.5)).count()
                as f64;
        let falling = by_falling(probabilities);
        let top = &falling[..n.div_ceil(10)];
        let hits = top.iter().filter(|&&row| labels[row]).count() as f64;
        Metrics {
            n,
            prevalence,
            majority_accuracy: prevalence.max(1.0 - prevalence),
            accuracy: right / rows,
            auc: auc(labels, probabilities),
            pr_auc: average_precision(labels, probabilities, &falling, positives),
            log_loss: labels
                .iter()
                .zip(probabilities)
                .map(|(&label, &p)| loss(label, p))
                .sum::<f64>()
                / rows,
            brier: labels
                .iter()
                .zip(probabilities)
                .map(|(&label, &p)| square(p - truth(label)))
                .sum::<f64>()
                / rows,
            ece: calibration_error(labels, probabilities),
            precision_top_decile: hits / top.len().max(1) as f64,
        }
    }
}

impl AtThresholds {
    /// What calling rows qualified from `qualified_from` on, and not qualified below `not_below`, does.
    #[must_use]
    pub fn of(
        labels: &[bool],
        probabilities: &[f64],
        not_below: f64,
        qualified_from: f64,
    ) -> AtThresholds {
        let mut counts = [[0.0_f64; 3]; 2];
        for (&label, &p) in labels.iter().zip(probabilities) {
            let band = if p >= qualified_from { 2 } else { usize::from(p >= not_below) };
            counts[usize::from(label)][band] += 1.0;
        }
        let [negatives, positives] = counts;
        let (all_negatives, all_positives) =
            (negatives.iter().sum::<f64>(), positives.iter().sum::<f64>());
        let rows = all_negatives + all_positives;
        let decided = negatives[0] + negatives[2] + positives[0] + positives[2];
        AtThresholds {
            fpr: share(negatives[2], all_negatives),
            recall: share(positives[2], all_positives),
            precision: share(positives[2], positives[2] + negatives[2]),
            accuracy: share(positives[2] + negatives[0] + negatives[1], rows),
            coverage: share(decided, rows),
            decided_accuracy: share(positives[2] + negatives[0], decided),
        }
    }
}

/// The chance that a positive ranks above a negative; ties count half. One half where a class is absent.
#[must_use]
pub fn auc(labels: &[bool], scores: &[f64]) -> f64 {
    let mut rising = by_falling(scores);
    rising.reverse();
    let mut ranks = 0.0;
    let mut start = 0;
    while start < rising.len() {
        let mut end = start;
        while end < rising.len() && scores[rising[end]] == scores[rising[start]] {
            end += 1;
        }
        let hits = rising[start..end].iter().filter(|&&row| labels[row]).count() as f64;
        ranks += hits * (start + end + 1) as f64 / 2.0;
        start = end.max(start + 1);
    }
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return 0.5;
    }
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// Log loss of each row's margin, where margins are log-odds.
#[must_use]
pub fn margin_losses(labels: &[bool], margins: &[f64]) -> Vec<f64> {
    let loss = |(&label, &margin): (&bool, &f64)| {
        let wrong = if label { -margin } else { margin };
        wrong.max(0.0) + libm::log1p(libm::exp(-wrong.abs()))
    };
    labels.iter().zip(margins).map(loss).collect()
}

/// Mean recall over the thresholds that let between a half and one and a half of the share `fpr` of
/// the negatives through; 0 where that is no negative. Of equal margins, negatives count first.
#[must_use]
pub fn recall_near(labels: &[bool], margins: &[f64], fpr: f64) -> f64 {
    let negatives = labels.iter().filter(|label| !**label).count() as f64;
    let (first, last) = ((negatives * fpr / 2.0).round(), (negatives * fpr * 1.5).round());
    let mut falling: Vec<(f64, bool)> =
        margins.iter().copied().zip(labels.iter().copied()).collect();
    falling.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let (mut right, mut wrong, mut summed, mut looks) = (0.0, 0.0, 0.0, 0.0);
    for (_, positive) in falling {
        if positive {
            right += 1.0;
            continue;
        }
        wrong += 1.0;
        if wrong > last {
            break;
        }
        if wrong > first {
            summed += right;
            looks += 1.0;
        }
    }
    let positives = labels.len() as f64 - negatives;
    if looks > 0.0 { summed / looks / positives.max(1.0) } else { 0.0 }
}

/// Mean |observed − predicted| over ten equally wide bins, weighted by rows.
fn calibration_error(labels: &[bool], probabilities: &[f64]) -> f64 {
    let mut bins = [(0.0_f64, 0.0_f64); 10];
    for (&label, &p) in labels.iter().zip(probabilities) {
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        bin.0 += truth(label);
        bin.1 += p;
    }
    bins.iter().map(|(observed, predicted)| (observed - predicted).abs()).sum::<f64>()
        / labels.len().max(1) as f64
}

fn average_precision(labels: &[bool], scores: &[f64], falling: &[usize], positives: f64) -> f64 {
    let (mut area, mut hits, mut start) = (0.0, 0.0, 0);
    while start < falling.len() {
        let mut end = start;
        let before = hits;
        while end < falling.len() && scores[falling[end]] == scores[falling[start]] {
            hits += truth(labels[falling[end]]);
            end += 1;
        }
        area += (hits - before) * hits / end.max(1) as f64;
        start = end.max(start + 1);
    }
    share(area, positives)
}

/// Rows by falling score, ties by row.
fn by_falling(scores: &[f64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..scores.len()).collect();
    rows.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    rows
}

fn loss(label: bool, p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    -if label { libm::log(p) } else { libm::log1p(-p) }
}

fn truth(label: bool) -> f64 {
    f64::from(u8::from(label))
}

fn square(x: f64) -> f64 {
    x * x
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
