//! Answers, as hosts give them.

/// An answer to a request, and what the backend answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Answers about one visitor are nobody else's.
pub const PRIVATE: &str = "private, no-store";
/// What is named by its hash never changes.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// The one address whose answer changes.
pub const MUTABLE: &str = "public, max-age=60, stale-while-revalidate=86400";

impl Answer {
    /// An answer without a body.
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// JSON for the one who asked.
    pub fn json(body: Vec<u8>) -> Self {
        Self { body, ..Self::empty(200) }
            .with("content-type", "application/json")
            .with("cache-control", PRIVATE)
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Whether it is what was asked for.
    pub const fn is_good(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}
