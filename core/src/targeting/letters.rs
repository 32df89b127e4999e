//! Texts in whatever case.

#[cfg(feature = "wire")]
use std::collections::BTreeMap;

/// A text, letter by letter as each may stand. It is worked out where a condition is authored: the
/// tables of upper and lower case are larger than all else that decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letters(pub(super) Vec<Box<str>>);

impl Letters {
    /// Whether the text is this one in some case.
    pub fn are(&self, text: &str) -> bool {
        let mut letters = text.chars();
        let each = self.0.iter().all(|wanted| {
            letters.next().is_some_and(|letter| wanted.chars().any(|other| other == letter))
        });
        each && letters.next().is_none()
    }

    /// All texts that are the same in lower case, as JavaScript's `toLowerCase` makes it; only İ, which
    /// becomes two letters, is not found.
    #[cfg(feature = "wire")]
    pub fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let upper = UPPER.get_or_init(upper);
        let each = lower.chars().map(|letter| {
            let others = upper.get(&letter).map_or("", String::as_str);
            format!("{letter}{others}").into_boxed_str()
        });
        Self(each.collect())
    }
}

/// Of each letter those that become it in lower case.
#[cfg(feature = "wire")]
static UPPER: std::sync::OnceLock<BTreeMap<char, String>> = std::sync::OnceLock::new();

#[cfg(feature = "wire")]
fn upper() -> BTreeMap<char, String> {
    let mut upper: BTreeMap<char, String> = BTreeMap::new();
    for letter in (0..0x2_0000).filter_map(char::from_u32) {
        let mut lowered = letter.to_lowercase();
        if let (Some(lower), None) = (lowered.next(), lowered.next())
            && lower != letter
        {
            upper.entry(lower).or_default().push(letter);
        }
    }
    // At the end of a word Σ becomes ς.
    upper.entry('ς').or_default().push('Σ');
    upper
}

#[cfg(test)]
mod tests {
    use super::Letters;

    #[test]
    fn texts_are_the_same_in_any_case() {
        for (text, same) in [
            ("Straße", "STRAßE"),
            ("ÉCOLE", "école"),
            ("ΟΔΟΣ", "οδος"),
            ("οδος", "ΟΔΟΣ"),
            ("kelvin", "\u{212A}ELVIN"),
            ("日本", "日本"),
            ("", ""),
        ] {
            assert!(Letters::of(text).are(same), "{text} {same}");
        }
        for (text, other) in [("a", "aa"), ("aa", "a"), ("é", "e"), ("ß", "SS")] {
            assert!(!Letters::of(text).are(other), "{text} {other}");
        }
    }
}
