//! Pages: which of them an experiment is for, what their addresses force, and where they lead.

use crate::targeting::Pattern;

/// The parts of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address<'a> {
    pub whole: &'a str,
    /// With the port, without a name before `@`.
    pub host: &'a str,
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    /// Without the sign before it.
    pub fragment: &'a str,
}

impl<'a> Address<'a> {
    /// Takes an address apart; without a scheme it is a path.
    pub fn new(whole: &'a str) -> Self {
        let (rest, fragment) = cut(whole, b'#').unwrap_or((whole, ""));
        let (rest, query) = cut(rest, b'?').unwrap_or((rest, ""));
        let (host, path) = match find(rest, SCHEME).and_then(|at| rest.get(at + SCHEME.len()..)) {
            Some(rest) => {
                let (host, path) =
                    rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
                (host.rsplit_once('@').map_or(host, |(_, host)| host), path)
            }
            None => ("", rest),
        };
        Self { whole, host, path: if path.is_empty() { "/" } else { path }, query, fragment }
    }

    fn behind_origin(&self) -> &'a str {
        let origin = find(self.whole, SCHEME).map_or(0, |at| at + SCHEME.len());
        let rest = self.whole.get(origin..).unwrap_or_default();
        let end = rest.bytes().position(|byte| b"/?#".contains(&byte));
        end.and_then(|at| rest.get(at..)).unwrap_or("/")
    }

    /// Names and values of the query, as they are written.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut left = Some(self.query);
        core::iter::from_fn(move || {
            let (pair, rest) =
                cut(left?, b'&').map_or((left?, None), |(pair, rest)| (pair, Some(rest)));
            left = rest;
            Some(cut(pair, b'=').unwrap_or((pair, "")))
        })
        .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
    }

    /// The variation of so many that the query asks for by the experiment's key, if there is such a one.
    pub(super) fn variation(&self, key: &str, variations: usize) -> Option<usize> {
        let (_, value) = self.parameters().find(|(name, _)| *name == key)?;
        let digits = value.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = value.get(..digits)?.parse().ok()?;
        (number < variations).then_some(number)
    }

    fn parameter(&self, name: &str) -> &'a str {
        self.parameters().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
    }
}

/// What stands between a scheme and a host.
const SCHEME: &str = "://";

/// Where `part` begins in `text`. The library's search is faster, and a kilobyte.
fn find(text: &str, part: &str) -> Option<usize> {
    text.as_bytes()
        .windows(part.len().max(1))
        .position(|window| window == part.as_bytes())
        .or(part.is_empty().then_some(0))
}

/// What stands before and behind the first such byte, which is ASCII.
#[cfg_attr(target_arch = "wasm32", inline(never))] // small in pages, fast elsewhere
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Pages that an experiment is for, or not for.
#[derive(Debug, Clone, PartialEq)]
pub struct PagePattern {
    pub include: bool,
    pub like: PageLike,
}

/// What an address is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum PageLike {
    /// An address in which `*` stands for anything; without a host it is for all hosts.
    Simple(Box<str>),
    /// The address, or what of it stands behind the origin.
    Pattern(Pattern),
    Nothing,
}

impl PagePattern {
    fn matches(&self, address: &Address<'_>) -> bool {
        match &self.like {
            PageLike::Simple(pattern) => simple(address, pattern),
            PageLike::Pattern(pattern) => {
                pattern.found_in(address.whole) || pattern.found_in(address.behind_origin())
            }
            PageLike::Nothing => false,
        }
    }
}

/// Whether pages are for the address: none that excludes it matches, and one that includes it does, if
/// there are such.
pub(super) fn targeted(pages: &[PagePattern], address: &Address<'_>) -> bool {
    let excluded = pages.iter().any(|page| !page.include && page.matches(address));
    let mut including = pages.iter().filter(|page| page.include).peekable();
    !excluded && (including.peek().is_none() || including.any(|page| page.matches(address)))
}

fn simple(address: &Address<'_>, pattern: &str) -> bool {
    // `acme.com/pricing` begins with a host although no scheme says so.
    let mut head = pattern.bytes().take_while(|byte| !b":/?".contains(byte));
    let schemeless = head.any(|byte| byte == b'.') && find(pattern, SCHEME).is_none();
    let completed;
    let pattern = if schemeless {
        completed = String::from("https://") + pattern;
        Address::new(&completed)
    } else {
        Address::new(pattern)
    };
    (pattern.host.is_empty() || alike(pattern.host, address.host))
        && alike(without_slashes(pattern.path), without_slashes(address.path))
        && (pattern.fragment.is_empty() || alike(pattern.fragment, address.fragment))
        && pattern.parameters().all(|(name, value)| alike(value, address.parameter(name)))
}

/// A path without the slashes around it.
fn without_slashes(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

/// Whether a text is like a pattern in which `*` stands for anything; case does not count.
fn alike(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let Some((first, mut pieces)) = cut(&pattern, b'*') else { return text == pattern };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    while let Some((piece, behind)) = cut(pieces, b'*') {
        let Some(at) = find(rest, piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
        pieces = behind;
    }
    rest.ends_with(pieces)
}

/// The variation that the address's query asks for by the experiment's key, if there is such a one.
pub fn query_override(key: &str, address: &str, variations: usize) -> Option<usize> {
    Address::new(address).variation(key, variations)
}

/// Where a redirect leads: to the new address, with what the old one's query has beyond the new one's
/// where the query is to be kept.
pub fn redirect(from: &str, to: &str, keep_query: bool) -> String {
    if !keep_query {
        return to.to_owned();
    }
    let (old, new) = (Address::new(from), Address::new(to));
    let (head, fragment) = to.split_once('#').map_or((to, None), |(head, rest)| (head, Some(rest)));
    let mut out = head.to_owned();
    let mut separator = if head.contains('?') { '&' } else { '?' };
    for (name, value) in old.parameters() {
        if new.parameters().all(|(other, _)| other != name) {
            out.push(separator);
            out.push_str(name);
            out.push('=');
            out.push_str(value);
            separator = '&';
        }
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn included(pattern: &str, address: &str) -> bool {
        let like = PageLike::Simple(pattern.into());
        targeted(&[PagePattern { include: true, like }], &Address::new(address))
    }

    #[test]
    fn simple_patterns_match_addresses() {
        for (pattern, inside, outside) in [
            ("/pricing", "https://acme.test/pricing/?a=1", "https://acme.test/pricing/eu"),
            ("acme.test/*", "http://ACME.test/anything", "http://other.test/anything"),
            ("*.acme.test/docs", "https://www.acme.test/docs", "https://acme.test/docs"),
            ("/a*c", "https://x.test/abbc", "https://x.test/abb"),
            ("https://acme.test/?plan=pro*", "https://acme.test/?plan=pro-2", "https://acme.test/"),
            ("/#top", "https://acme.test/#top", "https://acme.test/#end"),
        ] {
            assert!(included(pattern, inside), "{pattern} {inside}");
            assert!(!included(pattern, outside), "{pattern} {outside}");
        }
    }

    #[test]
    fn what_is_excluded_is_excluded_whatever_includes_it() {
        let page = |include, pattern: &str| PagePattern {
            include,
            like: PageLike::Simple(pattern.into()),
        };
        let pages = [page(true, "/docs/*"), page(false, "/docs/internal")];
        assert!(targeted(&pages, &Address::new("https://acme.test/docs/api")));
        assert!(!targeted(&pages, &Address::new("https://acme.test/docs/internal")));
        assert!(targeted(&pages[1..], &Address::new("https://acme.test/pricing")));
    }
}
