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
        let (rest, fragment) = whole.split_once('#').unwrap_or((whole, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
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
        rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or("/")
    }

    /// Names and values of the query, as they are written.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
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
    let head = pattern.split([':', '/', '?']).next().unwrap_or_default();
    let schemeless = head.contains('.') && find(pattern, SCHEME).is_none();
    let completed;
    let pattern = if schemeless {
        completed = String::from("https://") + pattern;
        Address::new(&completed)
    } else {
        Address::new(pattern)
    };
    let slashes = |path: &str| {
        let path = path.strip_prefix('/').unwrap_or(path);
        path.strip_suffix('/').unwrap_or(path).to_owned()
    };
    (pattern.host.is_empty() || alike(pattern.host, address.host))
        && alike(&slashes(pattern.path), &slashes(address.path))
        && (pattern.fragment.is_empty() || alike(pattern.fragment, address.fragment))
        && pattern.parameters().all(|(name, value)| alike(value, address.parameter(name)))
}

/// Whether a text is like a pattern in which `*` stands for anything; case does not count.
fn alike(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match find(rest, piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The variation that the address's query asks for by the experiment's key, if there is such a one.
pub fn query_override(key: &str, address: &str, variations: usize) -> Option<usize> {
    let (_, value) = Address::new(address).parameters().find(|(name, _)| *name == key)?;
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let number: usize = value.get(..digits)?.parse().ok()?;
    (number < variations).then_some(number)
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
