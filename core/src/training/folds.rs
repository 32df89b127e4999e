//! Which rows train and which judge.

use super::random::mix;

/// A fold number a row, classes spread evenly: within a class, rows are ordered by a hash of seed
/// and row, and dealt out in turn. The same rule serves the benchmark's peers.
#[must_use]
pub fn stratified(labels: &[bool], folds: usize, seed: u64) -> Vec<usize> {
    let mut fold = vec![0; labels.len()];
    let start = mix(seed);
    for class in [false, true] {
        let mut rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
        rows.sort_unstable_by_key(|&row| (mix(start ^ row as u64), row));
        for (place, row) in rows.into_iter().enumerate() {
            fold[row] = place % folds.max(1);
        }
    }
    fold
}

/// The rows outside and inside fold `judge`.
#[must_use]
pub fn split(fold: &[usize], judge: usize) -> (Vec<u32>, Vec<u32>) {
    (0..fold.len() as u32).partition(|&row| fold[row as usize] != judge)
}
