//! One sort for all: the standard library's are made anew for each type and comparison, two to six
//! kilobytes a time, which every visitor would download.

/// The numbers `0..count` in the order that `before` gives them; equal ones stay as they stand.
/// Merge sort, from the bottom up.
pub(crate) fn ordered(count: usize, before: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut from: Vec<usize> = (0..count).collect();
    let mut to = from.clone();
    let mut width = 1;
    while width < count {
        for (run, merged) in to.chunks_mut(2 * width).enumerate() {
            let mut left = 2 * width * run;
            let (middle, end) = ((left + width).min(count), left + merged.len());
            let mut right = middle;
            for slot in merged {
                let goes_on = right == end || left < middle && !before(from[right], from[left]);
                let next = if goes_on { &mut left } else { &mut right };
                *slot = from[*next];
                *next += 1;
            }
        }
        (from, to) = (to, from);
        width *= 2;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        let mut seed = 1u32;
        for count in 0..70 {
            let keys: Vec<u32> = (0..count)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    seed >> 28
                })
                .collect();
            let mut wanted: Vec<usize> = (0..keys.len()).collect();
            wanted.sort_by_key(|&index| keys[index]);
            assert_eq!(ordered(keys.len(), &|a, b| keys[a] < keys[b]), wanted);
        }
    }
}
