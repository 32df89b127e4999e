//! Words that stand for "no value".

/// Whether a cell is empty or holds a word that means so in any column; "Select" is what a form
/// field says that nobody touched.
#[must_use]
pub fn is_missing(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "", "select", "na", "n/a", "#n/a", "nan", "null", "<na>", "(blank)", "(empty)", "\\n",
        "#null!",
    ];
    listed(&WORDS, text)
}

/// Whether a cell holds a word that says nothing where a number or a date is due. In a category such
/// a word stays a level of its own: that somebody answered "unknown" can tell something.
#[must_use]
pub fn says_nothing(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "unknown",
        "none",
        "nil",
        "-",
        "--",
        "?",
        ".",
        "n.a.",
        "not available",
        "not applicable",
        "missing",
        "undefined",
        "tbd",
        "k.a.",
    ];
    is_missing(text) || listed(&WORDS, text)
}

fn listed(words: &[&str], text: &str) -> bool {
    let text = text.trim();
    text.len() <= 14 && words.iter().any(|word| word.eq_ignore_ascii_case(text))
}
