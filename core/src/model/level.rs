//! How the levels of a category travel: as a hash of their text.

use crate::binary::level_hash;

/// FNV-1a (32 bits) of a category level's UTF-8 text, white space around it removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LevelHash(pub u32);

impl LevelHash {
    pub fn of(level: &str) -> LevelHash {
        if let Some(hash) = Self::unnamed(level) {
            return hash;
        }
        LevelHash(level_hash(level))
    }

    /// The stand-in for the text of a level whose text did not travel: `#` and eight hex digits,
    /// which [`LevelHash::of`] takes back.
    pub fn stand_in(self) -> String {
        let digit =
            |place: u32| char::from(b"0123456789abcdef"[(self.0 >> (4 * place)) as usize % 16]);
        core::iter::once('#').chain((0..8).rev().map(digit)).collect()
    }

    fn unnamed(level: &str) -> Option<LevelHash> {
        let digits = level.strip_prefix('#').filter(|digits| digits.len() == 8)?;
        u32::from_str_radix(digits, 16).ok().map(LevelHash)
    }
}
