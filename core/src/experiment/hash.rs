//! Where a visitor falls between 0 and 1.

use crate::targeting::digits;

/// How a seed and a visitor's value become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HashVersion {
    /// GrowthBook's first: FNV-1a of value and seed, a thousand buckets. Biased between experiments.
    V1 = 1,
    /// GrowthBook's second: FNV-1a of FNV-1a of seed and value, ten thousand buckets.
    V2 = 2,
    /// Rapport's own: MurmurHash3 (x86, 32 bits; A. Appleby) of the value's UTF-8 under the seed's
    /// hash, 2³² buckets.
    V3 = 3,
}

impl HashVersion {
    /// The version of that number, if there is one.
    pub const fn numbered(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            3 => Some(Self::V3),
            _ => None,
        }
    }

    /// Where `value` falls under `seed`, at least 0 and less than 1.
    ///
    /// Versions 1 and 2 hash the UTF-16 code units, as JavaScript sees a text, on every host: a
    /// visitor whose id is not ASCII gets the same variation in PHP and in the page.
    pub fn place(self, seed: &str, value: &str) -> f64 {
        match self {
            Self::V1 => f64::from(fnv(fnv(FNV, value), seed) % 1000) / 1000.0,
            Self::V2 => {
                let inner = fnv(fnv(FNV, seed), value);
                f64::from(fnv_of_decimal(inner) % 10_000) / 10_000.0
            }
            Self::V3 => {
                f64::from(murmur3(value.as_bytes(), murmur3(seed.as_bytes(), 0))) / TWO_TO_32
            }
        }
    }
}

const FNV: u32 = 0x811c_9dc5;
const TWO_TO_32: f64 = 4_294_967_296.0;

/// FNV-1a over UTF-16 code units, each taken whole.
fn fnv(hash: u32, text: &str) -> u32 {
    if text.is_ascii() {
        return crate::binary::hash_on(hash, text.as_bytes());
    }
    text.encode_utf16().fold(hash, |hash, unit| (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193))
}

fn fnv_of_decimal(number: u32) -> u32 {
    crate::binary::hash_on(FNV, digits(u64::from(number), &mut [0; 20]))
}

fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let scramble =
        |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(seed, |hash, block| {
        (hash ^ scramble(u32::from_le_bytes(*block)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    let tail = rest.iter().rev().fold(0, |tail: u32, &byte| tail << 8 | u32::from(byte));
    hash ^= scramble(tail);
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur3_is_the_published_one() {
        assert_eq!(murmur3(b"", 1), 0x514e_28b7);
        assert_eq!(murmur3(b"test", 0), 0xba6b_d213);
        assert_eq!(murmur3(b"Hello, world!", 0), 0xc036_3e43);
        assert_eq!(
            murmur3(b"The quick brown fox jumps over the lazy dog", 0x9747_b28c),
            0x2fa8_26cd
        );
    }

    #[test]
    fn text_that_is_not_ascii_hashes_by_its_utf16_units() {
        // As in JavaScript: `charCodeAt` of "é" is 233, of "😀" 55357 and 56832.
        let by_hand = |units: &[u32]| {
            units.iter().fold(FNV, |hash, unit| (hash ^ unit).wrapping_mul(0x0100_0193))
        };
        assert_eq!(fnv(FNV, "é"), by_hand(&[233]));
        assert_eq!(fnv(FNV, "a😀"), by_hand(&[97, 55357, 56832]));
        assert_eq!(fnv_of_decimal(0), fnv(FNV, "0"));
        assert_eq!(fnv_of_decimal(u32::MAX), fnv(FNV, "4294967295"));
    }

    #[test]
    fn places_are_uniform() {
        for version in [HashVersion::V2, HashVersion::V3] {
            for seed in ["pricing-page", "hero", "ünïcode"] {
                let (visitors, buckets) = (200_000, 100);
                let mut counts = vec![0.0; buckets];
                for visitor in 0..visitors {
                    let place = version.place(seed, &format!("visitor-{visitor}"));
                    counts[(place * buckets as f64) as usize] += 1.0;
                }
                let expected = f64::from(visitors) / buckets as f64;
                let chi2: f64 = counts
                    .iter()
                    .map(|count| (count - expected) * (count - expected) / expected)
                    .sum();
                // The 99.99 % point of χ² with 99 degrees of freedom is 161.
                assert!(chi2 < 161.0, "{version:?} {seed}: {chi2}");
            }
        }
    }
}
