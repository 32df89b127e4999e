//! The cookie in which an edge keeps what it folded itself, signed: nobody else writes one that counts.
//! The page's script neither reads it nor writes it; what that keeps is its own.

use crate::edge::Settings;
use crate::memory::Memory;
use crate::request::Request;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rapport_core::event::Millis;
use sha2::Sha256;

/// The form that this edge writes, and the only one that it reads.
const VERSION: u8 = 1;
/// Name and value hold at most so many bytes.
const MOST: usize = 1_500;
const TAG: usize = 16;
/// The longest that browsers keep a cookie.
const SECONDS: i64 = 400 * 86_400;
/// A secret that can be guessed proves nothing.
const LEAST_SECRET: usize = 16;

/// The secrets that an edge signs by: the first one; what the others signed counts as well, so that
/// secrets can be changed.
#[derive(Clone)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Reads secrets with commas between; `None` where there is none.
    ///
    /// # Errors
    /// Where one is too short.
    pub fn read(text: &str) -> Result<Option<Self>, SecretError> {
        let all = text.split(',').map(str::trim).filter(|secret| !secret.is_empty());
        let all: Vec<_> = all.map(str::to_owned).collect();
        if all.iter().any(|secret| secret.len() < LEAST_SECRET) {
            return Err(SecretError);
        }
        Ok((!all.is_empty()).then_some(Self(all)))
    }

    fn macs(&self, key: &str, about: &[u8]) -> impl Iterator<Item = Hmac<Sha256>> {
        self.0.iter().filter_map(move |secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
            for part in [b"rapport edge ", key.as_bytes(), b" ", about] {
                mac.update(part);
            }
            Some(mac)
        })
    }

    /// A number that nobody guesses who does not know the secret.
    pub fn number(&self, secret: usize, key: &str, about: &str) -> u64 {
        let mac = self.macs(key, about.as_bytes()).nth(secret);
        let bytes = mac.map(|mac| mac.finalize().into_bytes());
        let first = bytes.as_ref().and_then(|bytes| bytes.first_chunk::<8>().copied());
        u64::from_le_bytes(first.unwrap_or_default())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} secrets", self.0.len())
    }
}

/// Why secrets are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret has fewer than {LEAST_SECRET} characters: take random ones, such as `openssl rand -base64 32` prints"
)]
pub struct SecretError;

/// What this edge folded of a request's visitor; `None` where the cookie is absent, forged, damaged, too
/// large, too old, or of another version.
pub fn read(settings: &Settings, request: &Request, now: Millis) -> Option<Memory> {
    let secrets = settings.secrets.as_ref()?;
    let text = request.cookie(&name(settings))?;
    if text.len() > MOST {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
    let mut macs = secrets.macs(&settings.key, body);
    let secret = macs.position(|mac| mac.verify_truncated_left(tag).is_ok())?;
    let (version, rest) = body.split_first()?;
    let (written, rest) = rest.split_first_chunk::<4>().filter(|_| *version == VERSION)?;
    let age = now.0 / 1_000 - i64::from(u32::from_le_bytes(*written));
    if age > SECONDS { None } else { Memory::read(rest, secret) }
}

/// The cookie that keeps what was folded; `None` where nothing is signed here.
pub fn write(settings: &Settings, memory: &Memory, now: Millis) -> Option<String> {
    let secrets = settings.secrets.as_ref()?;
    let mut bytes = vec![VERSION];
    bytes.extend(((now.0 / 1_000) as u32).to_le_bytes());
    bytes.extend(memory.bytes());
    let tag = secrets.macs(&settings.key, &bytes).next()?.finalize().into_bytes();
    bytes.extend(tag.get(..TAG)?);
    Some(header(settings, &BASE64_URL_SAFE_NO_PAD.encode(bytes), SECONDS))
}

/// The cookie's end, where the request has one and its visitor wants nothing kept.
pub fn forget(settings: &Settings, request: &Request) -> Option<String> {
    request.cookie(&name(settings)).map(|_| header(settings, "", 0))
}

/// As many bytes a memory may have, so that the cookie is not too large.
pub fn room(settings: &Settings) -> usize {
    (MOST - name(settings).len() - 1) / 4 * 3 - 1 - 4 - TAG
}

fn name(settings: &Settings) -> String {
    format!("rapport_{}_edge", settings.key)
}

fn header(settings: &Settings, value: &str, seconds: i64) -> String {
    let secure = if settings.public_url.starts_with("https:") { "; Secure" } else { "" };
    let name = name(settings);
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn settings(secrets: &str) -> Settings {
        Settings {
            key: "wk_live_a".to_owned(),
            public_key: None,
            public_url: "https://acme.example".to_owned(),
            visitor_cookie: false,
            secrets: Secrets::read(secrets).unwrap(),
            conformance: false,
        }
    }

    fn asked(cookie: &str) -> Request {
        let pair = cookie.split(';').next().unwrap_or_default();
        let headers = vec![("cookie".to_owned(), format!("a=b; {pair}"))];
        Request { headers, ..Request::get("/") }
    }

    /// Signed as it should be, whatever is in it.
    fn signed(settings: &Settings, body: &[u8]) -> String {
        let secrets = settings.secrets.as_ref().unwrap();
        let tag = secrets.macs(&settings.key, body).next().unwrap().finalize().into_bytes();
        let bytes = [body, &tag[..TAG]].concat();
        format!("{}={}", name(settings), BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn only_this_version_counts_and_only_as_long_as_browsers_keep_it() {
        let ours = settings("0123456789abcdef");
        let body = |version: u8, seconds: i64| {
            [&[version], &(seconds as u32).to_le_bytes()[..], &Memory::default().bytes()].concat()
        };
        let seconds = NOW.0 / 1_000;
        let known = |version, written| {
            read(&ours, &asked(&signed(&ours, &body(version, written))), NOW).is_some()
        };
        assert!(known(VERSION, seconds));
        assert!(
            !known(VERSION - 1, seconds) && !known(VERSION + 1, seconds) && !known(255, seconds)
        );
        assert!(known(VERSION, seconds - SECONDS) && !known(VERSION, seconds - SECONDS - 1));
        for short in [&[][..], &[VERSION], &body(VERSION, seconds)[..12]] {
            assert_eq!(read(&ours, &asked(&signed(&ours, short)), NOW), None);
        }
    }

    #[test]
    fn what_is_written_is_read_by_who_knows_the_secret_and_by_nobody_else() {
        let (ours, theirs) = (settings("0123456789abcdef"), settings("fedcba9876543210"));
        let later = settings("fedcba9876543210,0123456789abcdef");
        let memory = Memory::default();
        let cookie = write(&ours, &memory, NOW).unwrap();
        assert!(cookie.ends_with("; Secure") && cookie.contains("; HttpOnly"));
        assert_eq!(read(&ours, &asked(&cookie), NOW), Some(memory.clone()));
        assert_eq!(
            read(&later, &asked(&cookie), NOW).map(|known| known.bytes()),
            Some(memory.bytes())
        );
        assert_eq!(read(&theirs, &asked(&cookie), NOW), None);
        let other = Settings { key: "wk_live_b".to_owned(), ..settings("0123456789abcdef") };
        let moved = cookie.replace("wk_live_a", "wk_live_b");
        assert_eq!(read(&other, &asked(&moved), NOW), None);
        assert_eq!(write(&settings(""), &Memory::default(), NOW), None);
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_and_none_is_shown() {
        assert!(Secrets::read("short").is_err() && Secrets::read("0123456789abcdef,x").is_err());
        assert!(Secrets::read(" , ").unwrap().is_none());
        let shown = format!("{:?}", settings("0123456789abcdef"));
        assert!(!shown.contains("0123456789abcdef"));
    }
}
