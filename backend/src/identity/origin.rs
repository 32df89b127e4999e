//! Websites as browsers name them.

use serde::{Deserialize, Serialize};

/// `https://acme.example`, or `https://*.acme.example` for every host below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// The text names no website.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no origin: write scheme and host as browsers do, such as https://acme.example or https://*.acme.example"
)]
pub struct NotAnOrigin(String);

impl Origin {
    /// Whether a page's `Origin` header names this website.
    pub fn covers(&self, origin: &str) -> bool {
        let Some((scheme, parent)) = self.0.split_once("*.") else { return self.0 == origin };
        let host = origin.strip_prefix(scheme).and_then(|host| host.strip_suffix(parent));
        host.and_then(|host| host.strip_suffix('.')).is_some_and(|host| !host.is_empty())
    }
}

impl TryFrom<String> for Origin {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.map(|host| host.strip_prefix("*.").unwrap_or(host));
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b':' | b'[' | b']' | b'_');
        match host {
            Some(host) if !host.is_empty() && host.len() <= 260 && host.bytes().all(plain) => {
                Ok(Self(text))
            }
            _ => Err(NotAnOrigin(text.chars().take(80).collect())),
        }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<Origin, NotAnOrigin> {
        text.to_owned().try_into()
    }

    #[test]
    fn an_origin_covers_itself_and_a_star_every_host_below() {
        let exact = origin("https://acme.example").unwrap();
        assert!(exact.covers("https://acme.example"));
        let below = origin("https://*.acme.example").unwrap();
        assert!(
            below.covers("https://www.acme.example") && below.covers("https://a.b.acme.example")
        );
        for other in [
            "http://acme.example",
            "https://acme.example.evil.example",
            "https://evilacme.example",
            "https://.acme.example",
            "null",
            "",
        ] {
            assert!(!exact.covers(other) && !below.covers(other), "{other}");
        }
        assert!(!below.covers("https://acme.example"));
        assert!(!exact.covers("https://www.acme.example"));
    }

    #[test]
    fn what_browsers_never_send_is_no_origin() {
        assert!(origin("http://localhost:8080").is_ok());
        for text in [
            "",
            "acme.example",
            "https://",
            "https://acme.example/",
            "https://*",
            "https://A.example",
            "https://a.*.b",
            "*",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
