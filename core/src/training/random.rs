//! Reproducible choices: a generator that is nothing but its seed.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        finish(self.0)
    }

    /// Uniform in 0..bound; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// `count` of the `items`, in their order.
    pub fn sample(&mut self, items: &[u32], count: usize) -> Vec<u32> {
        let mut wanted = count.min(items.len());
        let mut picked = Vec::with_capacity(wanted);
        for (place, &item) in items.iter().enumerate() {
            if self.below(items.len() - place) < wanted {
                picked.push(item);
                wanted -= 1;
            }
        }
        picked
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// One step of SplitMix64 from state `x`: a hash of 64 bits.
#[must_use]
pub fn mix(x: u64) -> u64 {
    finish(x.wrapping_add(STEP))
}

fn finish(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
