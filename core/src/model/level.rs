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
        let mut text = String::from("#");
        for place in (0..8).rev() {
            let digit = (self.0 >> (4 * place)) as u8 % 16;
            text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }));
        }
        text
    }

    fn unnamed(level: &str) -> Option<LevelHash> {
        let digits = level.strip_prefix('#').filter(|digits| digits.len() == 8)?;
        u32::from_str_radix(digits, 16).ok().map(LevelHash)
    }
}
