//! Where a request comes from, as far as that can be known.

use crate::clock::{self, Millis};
use crate::identity::credential::{cookie, cookie_names};
use crate::identity::proof::VISITOR_COOKIE;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const MAX_USER_AGENT: usize = 512;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request's connection and headers say of who sent it.
#[derive(Debug, Clone)]
pub struct Source {
    pub received_at: Millis,
    /// Of the client; of its proxy where the server was not told of one.
    pub address: IpAddr,
    pub user_agent: Option<String>,
    /// The website whose page sent it, as its browser says.
    pub origin: Option<String>,
    /// The page that sent it, as its browser says.
    pub referrer: Option<String>,
    /// Whether the page has the server's own host: only there a cookie reaches the visitor's browser.
    pub first_party: bool,
    /// The visitor cookie, not looked at yet.
    pub cookie: Option<String>,
    /// The names of all cookies.
    pub cookies: Vec<String>,
}

impl Source {
    /// Reads it, behind so many proxies of the operator's own.
    pub fn of(parts: &Parts, proxies: usize) -> Self {
        let headers = &parts.headers;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let origin = text(headers, &header::ORIGIN).map(str::to_owned);
        let own_host =
            text(headers, &header::HOST).zip(origin.as_deref()).is_some_and(|(host, origin)| {
                origin.split_once("://").is_some_and(|(_, rest)| rest == host)
            });
        Self {
            received_at: clock::now(),
            address: forwarded(headers, proxies).unwrap_or(peer),
            user_agent: text(headers, &header::USER_AGENT)
                .map(|text| text.chars().take(MAX_USER_AGENT).collect()),
            first_party: own_host || text(headers, &FETCH_SITE) == Some("same-origin"),
            origin,
            referrer: text(headers, &header::REFERER).map(str::to_owned),
            cookie: cookie(headers, VISITOR_COOKIE).map(str::to_owned),
            cookies: cookie_names(headers),
        }
    }

    /// What tells visitors without an id apart: the website, the address, the browser.
    pub fn traces(&self) -> [String; 3] {
        let browser = self.user_agent.clone().unwrap_or_default();
        [self.site().to_owned(), self.address.to_string(), browser]
    }

    fn site(&self) -> &str {
        let page = self.origin.as_deref().or(self.referrer.as_deref()).unwrap_or_default();
        let host = page.split_once("://").map_or("", |(_, rest)| rest);
        host.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

/// Each proxy adds the address that it was called from behind what it was sent: what lies before
/// the entries of the operator's own proxies, anybody can have written.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let back = proxies.checked_sub(1)?;
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let entry = entries.iter().rev().nth(back)?;
    // Some proxies write the port as well.
    entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip())).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(headers: &[(&str, &str)], proxies: usize) -> Source {
        let mut request = axum::http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Source::of(&request.body(()).unwrap().into_parts().0, proxies)
    }

    #[test]
    fn only_the_operators_own_proxies_are_believed() {
        let forged = [("x-forwarded-for", "6.6.6.6, 203.0.113.7"), ("x-forwarded-for", "10.0.0.2")];
        let address = |headers, proxies| source(headers, proxies).address.to_string();
        assert_eq!(address(&forged, 0), "0.0.0.0");
        assert_eq!(address(&forged, 1), "10.0.0.2");
        assert_eq!(address(&forged, 2), "203.0.113.7");
        assert_eq!(address(&forged, 9), "0.0.0.0");
        assert_eq!(address(&[("x-forwarded-for", "' OR 1=1")], 1), "0.0.0.0");
        assert_eq!(address(&[("x-forwarded-for", "203.0.113.7:4711")], 1), "203.0.113.7");
        assert_eq!(address(&[("x-forwarded-for", "[2001:db8::1]:4711")], 1), "2001:db8::1");
    }

    #[test]
    fn a_page_of_the_servers_own_host_is_first_party() {
        let host = ("host", "acme.example");
        assert!(source(&[host, ("origin", "https://acme.example")], 0).first_party);
        assert!(source(&[host, ("sec-fetch-site", "same-origin")], 0).first_party);
        assert!(!source(&[host, ("origin", "https://www.acme.example")], 0).first_party);
        assert!(!source(&[host, ("sec-fetch-site", "same-site")], 0).first_party);
        assert!(!source(&[host], 0).first_party);
    }

    #[test]
    fn the_site_is_the_pages_host() {
        assert_eq!(
            source(&[("origin", "https://acme.example:8443")], 0).site(),
            "acme.example:8443"
        );
        assert_eq!(source(&[("referer", "https://acme.example/a?b")], 0).site(), "acme.example");
        assert_eq!(source(&[("origin", "null")], 0).site(), "");
    }
}
