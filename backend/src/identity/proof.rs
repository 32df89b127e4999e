//! Proofs of who somebody is: the identity token that a customer's server signs, and the visitor
//! cookie that this server signs. Without one, what a page says is a claim.

use super::WorkspaceId;
use crate::clock::Millis;
use crate::seal::SecretKey;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

const MAX_TOKEN: usize = 4096;

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    #[error("the identity token is not `v1.PAYLOAD.SIGNATURE`")]
    Malformed,
    #[error("the identity token was signed with none of the valid secrets, or changed")]
    Forged,
    #[error("the identity token has expired; have the server make one for each page")]
    Expired,
    #[error("the identity token is for another user than `userId`")]
    OtherUser,
    #[error("the identity token is for another workspace")]
    OtherWorkspace,
    #[error(
        "a page may only say that its own browser is somebody's; send other aliases from a server"
    )]
    OtherBrowser,
}

#[derive(Deserialize)]
struct PayloadWire {
    sub: String,
    /// Seconds since 1970-01-01 UTC.
    exp: i64,
    wid: Option<String>,
}

/// Says whether `token` proves that its bearer is `user`. Nothing of a token is read before its
/// signature is known to be good.
///
/// # Errors
/// Says why it does not.
pub fn prove(
    token: &str,
    secrets: &[Vec<u8>],
    user: &str,
    workspace: WorkspaceId,
    now: Millis,
) -> Result<(), NotProved> {
    let (signed, signature) = token
        .rsplit_once('.')
        .filter(|(signed, _)| token.len() <= MAX_TOKEN && signed.starts_with("v1."))
        .ok_or(NotProved::Malformed)?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| NotProved::Malformed)?;
    // Every secret is tried, so that time does not tell which one it was.
    let good = secrets.iter().filter(|secret| authentic(secret, signed, &signature)).count() > 0;
    if !good {
        return Err(NotProved::Forged);
    }
    let payload = BASE64_URL_SAFE_NO_PAD.decode(signed.split_at(3).1);
    let payload = payload.map_err(|_| NotProved::Malformed)?;
    let payload: PayloadWire =
        serde_json::from_slice(&payload).map_err(|_| NotProved::Malformed)?;
    if payload.exp.saturating_mul(1000) <= now {
        return Err(NotProved::Expired);
    }
    if payload.wid.is_some_and(|wid| wid.parse().ok() != Some(workspace)) {
        return Err(NotProved::OtherWorkspace);
    }
    if payload.sub == user { Ok(()) } else { Err(NotProved::OtherUser) }
}

fn authentic(secret: &[u8], signed: &str, signature: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.update(signed.as_bytes());
    mac.verify_slice(signature).is_ok()
}

/// The name of the cookie that a first-party browser keeps its visitor id in.
pub const VISITOR_COOKIE: &str = "rapport_vid";
/// Browsers keep a cookie no longer than 400 days.
const COOKIE_LIFE_SECONDS: i64 = 400 * 86_400;

/// Signs visitor cookies of one workspace's environment.
pub struct VisitorCookies(SecretKey);

impl VisitorCookies {
    /// With the key that only this server has.
    pub const fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The cookie's value, `ID.ISSUED.SIGNATURE`; `None` for an id that no page of ours makes up.
    pub fn sign(&self, id: &str, now: Millis) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(8..=64).contains(&id.len()) || !id.bytes().all(plain) {
            return None;
        }
        let signed = format!("{id}.{}", now / 1000);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.0.authenticate(&[signed.as_bytes()]));
        Some(format!("{signed}.{signature}"))
    }

    /// The header's value that gives a browser the cookie.
    pub fn header(&self, id: &str, now: Millis, secure: bool) -> Option<String> {
        let value = self.sign(id, now)?;
        let secure = if secure { "; Secure" } else { "" };
        Some(format!(
            "{VISITOR_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_LIFE_SECONDS}{secure}"
        ))
    }

    /// The id in a cookie that this server signed and that has not expired.
    pub fn read<'a>(&self, value: &'a str, now: Millis) -> Option<&'a str> {
        let (signed, signature) = value.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !self.0.authenticated(&[signed.as_bytes()], &signature) {
            return None;
        }
        let (id, issued) = signed.rsplit_once('.')?;
        let age = now / 1000 - issued.parse::<i64>().ok()?;
        (age < COOKIE_LIFE_SECONDS).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_800_000_000_000;

    fn token(secret: &[u8], payload: &str) -> String {
        let signed = format!("v1.{}", BASE64_URL_SAFE_NO_PAD.encode(payload));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn only_a_whole_token_of_a_valid_secret_for_that_user_in_that_workspace_and_time_proves() {
        let workspace = WorkspaceId::generate().unwrap();
        let secrets = [b"new".to_vec(), b"old".to_vec()];
        let judge = |token: &str| prove(token, &secrets, "u1", workspace, NOW);
        let exp = NOW / 1000 + 60;
        let good = format!(r#"{{"sub":"u1","exp":{exp}}}"#);
        assert_eq!(judge(&token(b"new", &good)), Ok(()));
        assert_eq!(judge(&token(b"old", &good)), Ok(()), "the one before it still counts");
        assert_eq!(judge(&token(b"older", &good)), Err(NotProved::Forged));
        assert_eq!(judge(&token(b"", &good)), Err(NotProved::Forged));
        let cases = [
            (format!(r#"{{"sub":"u2","exp":{exp}}}"#), Err(NotProved::OtherUser)),
            (format!(r#"{{"sub":"u1","exp":{}}}"#, NOW / 1000), Err(NotProved::Expired)),
            (format!(r#"{{"sub":"u1","exp":{exp},"wid":"{workspace}"}}"#), Ok(())),
            (
                format!(r#"{{"sub":"u1","exp":{exp},"wid":"ws_0000000000001"}}"#),
                Err(NotProved::OtherWorkspace),
            ),
            (r#"{"sub":"u1"}"#.to_owned(), Err(NotProved::Malformed)),
            ("[]".to_owned(), Err(NotProved::Malformed)),
        ];
        for (payload, expected) in cases {
            assert_eq!(judge(&token(b"new", &payload)), expected, "{payload}");
        }
        let whole = token(b"new", &good);
        for broken in [
            "",
            "v1",
            "v1..",
            "v2.e30.AAAA",
            "..",
            &whole[..whole.len() - 2],
            &whole.replacen("v1", "v2", 1),
            &"x".repeat(5000),
        ] {
            assert!(judge(broken).is_err(), "{broken}");
        }
        assert_eq!(prove(&whole, &[], "u1", workspace, NOW), Err(NotProved::Forged));
    }

    #[test]
    fn a_cookie_is_read_only_by_who_signed_it() {
        let (ours, theirs) = (
            VisitorCookies::new(SecretKey::from_bytes([1; 32])),
            VisitorCookies::new(SecretKey::from_bytes([2; 32])),
        );
        let cookie = ours.sign("visitor-1", NOW).unwrap();
        assert_eq!(ours.read(&cookie, NOW), Some("visitor-1"));
        assert_eq!(theirs.read(&cookie, NOW), None);
        assert_eq!(ours.read(&cookie.replace("visitor-1", "visitor-2"), NOW), None);
        assert_eq!(ours.read(&cookie, NOW + COOKIE_LIFE_SECONDS * 1000), None, "too old");
        for broken in ["", ".", "..", "visitor-1", "visitor-1.1.", &cookie[..cookie.len() - 1]] {
            assert_eq!(ours.read(broken, NOW), None, "{broken}");
        }
        for id in ["short", "with.dot.in.it", "with space", "a;b=cdefgh", &"x".repeat(65)] {
            assert_eq!(ours.sign(id, NOW), None, "{id}");
        }
    }
}
