//! Attributes that core feeds itself.

/// They have the first numbers of all attributes; no caller sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Own {
    /// Milliseconds since 1970.
    Now,
    /// 0 to 100.
    Score,
    /// `qualified`, `undecided` or `not`.
    Band,
    Grade,
    /// By the keys of experiences, how many `times` the visitor saw them, and when `last`.
    Shown,
    /// The names of the visitor's audiences.
    Audiences,
}

impl Own {
    /// How conditions call them, by their numbers.
    #[cfg(feature = "wire")]
    pub const NAMES: [&str; 6] = ["$now", "$score", "$band", "$grade", "$shown", "$audiences"];
    /// How many there are.
    pub const COUNT: usize = 6;
}
