//! What authored content must not do to a page: said where it is written; the page cleans again.

use super::compile::{items, members, text};
use crate::targeting::Value;

const MAX_SELECTOR: usize = 512;
/// Elements that run, frame or redirect.
const ELEMENTS: [&str; 8] =
    ["script", "iframe", "object", "embed", "base", "meta", "link", "frame"];
/// Attributes that hold addresses.
const ADDRESSES: [&str; 6] = ["href", "src", "action", "formaction", "xlink:href", "poster"];
/// How addresses begin that are code.
const CODE: [&str; 3] = ["javascript:", "vbscript:", "data:text"];
const ACTIONS: [&str; 3] = ["append", "set", "remove"];

/// Why a slot cannot show this.
pub(super) fn content_fault(content: &Value<'_>) -> Option<String> {
    match text(content, "type") {
        Some("text") if text(content, "text").is_some() => None,
        Some("html") => match text(content, "html") {
            Some(html) => html_fault(html),
            None => Some("content of type `html` needs a text `html`".to_owned()),
        },
        Some("json") if content.member("json").is_some() => None,
        Some(kind @ ("text" | "json")) => Some(format!("content of type `{kind}` needs `{kind}`")),
        _ => Some("content needs a `type`: text, html or json".to_owned()),
    }
}

/// What of a page's changes is none, or does harm.
pub(super) fn change_faults(changes: &Value<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, value) in members(Some(changes)) {
        match &**name {
            "domMutations" => {
                for (at, mutation) in items(Some(value)).iter().enumerate() {
                    if let Some(fault) = mutation_fault(mutation) {
                        faults.push(format!("change {at}: {fault}"));
                    }
                }
            }
            "css" if text(changes, "css").is_some_and(css_does_harm) => {
                faults.push("its `css` closes the style, imports or runs something".to_owned());
            }
            "css" => {}
            "js" if !value.truthy() => {}
            "js" => {
                faults.push("`js` runs on no page; write what changes as `domMutations`".to_owned())
            }
            "urlRedirect" if !text(changes, "urlRedirect").is_some_and(leads_somewhere) => {
                faults.push("`urlRedirect` must be an http(s) address or a path".to_owned());
            }
            "urlRedirect" => {}
            name => faults.push(format!(
                "`{name}` is no change of a page; those are domMutations, css and urlRedirect"
            )),
        }
    }
    if !matches!(changes, Value::Map(_)) {
        faults.push("changes of a page are an object, such as {\"domMutations\": []}".to_owned());
    }
    faults
}

fn mutation_fault(mutation: &Value<'_>) -> Option<String> {
    for name in ["selector", "parentSelector", "insertBeforeSelector"] {
        let given = text(mutation, name);
        if (name == "selector" || mutation.member(name).is_some())
            && !given.is_some_and(is_selector)
        {
            return Some(format!(
                "its `{name}` is no selector such as `#hero h1`, of at most 512 bytes"
            ));
        }
    }
    let attribute = text(mutation, "attribute").unwrap_or_default();
    let value = text(mutation, "value").unwrap_or_default();
    if !text(mutation, "action").is_some_and(|action| ACTIONS.contains(&action)) {
        return Some("its `action` is none of append, set, remove".to_owned());
    }
    let name = attribute.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Some("its `attribute` is no name".to_owned());
    }
    if name.starts_with("on") || name == "srcdoc" {
        return Some(format!("the attribute `{attribute}` runs a script"));
    }
    if ADDRESSES.contains(&name.as_str()) && runs(value) {
        return Some(format!("the address for `{attribute}` runs a script"));
    }
    if name == "html" { html_fault(value) } else { None }
}

fn html_fault(html: &str) -> Option<String> {
    let html = html.to_ascii_lowercase();
    for tag in html.split('<').skip(1) {
        let name =
            tag.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        if ELEMENTS.contains(&name) {
            return Some(format!("<{name}> is not shown"));
        }
        let inside = tag.split('>').next().unwrap_or_default();
        let parts = inside.split(|letter: char| letter.is_whitespace() || letter == '/');
        for (name, _) in parts.skip(1).filter_map(|part| part.split_once('=')) {
            if name.len() > 2 && name.starts_with("on") {
                return Some(format!("the attribute `{name}` runs a script"));
            }
        }
        if CODE.iter().any(|scheme| squeezed(inside).contains(scheme)) {
            return Some(format!("an address in <{name}> runs a script"));
        }
    }
    None
}

fn css_does_harm(css: &str) -> bool {
    let css = css.to_ascii_lowercase();
    ["</", "@import", "expression("].iter().chain(&CODE).any(|harm| css.contains(harm))
}

/// Whether an address is code.
fn runs(address: &str) -> bool {
    let address = squeezed(&address.to_ascii_lowercase());
    CODE.iter().any(|scheme| address.starts_with(scheme))
}

/// Browsers skip white space and control characters in the scheme of an address.
fn squeezed(text: &str) -> String {
    text.chars().filter(|letter| *letter > ' ').collect()
}

fn leads_somewhere(address: &str) -> bool {
    let path =
        address.starts_with('/') && !address.starts_with("//") && !address.starts_with("/\\");
    path || address.starts_with("https://") || address.starts_with("http://")
}

/// Whether brackets and quotes close, and nothing ends a rule of a style sheet.
fn is_selector(selector: &str) -> bool {
    let (mut open, mut quote, mut escaped) = (Vec::new(), None, false);
    for letter in selector.chars() {
        if core::mem::take(&mut escaped) {
            continue;
        }
        match (quote, letter) {
            (_, '\\') => escaped = true,
            (Some(mark), letter) if mark == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, ')' | ']') if open.pop() != Some(letter) => return false,
            (None, '{' | '}' | ';' | '<' | '@') => return false,
            _ => {}
        }
    }
    let length = selector.trim().len();
    (1..=MAX_SELECTOR).contains(&length) && open.is_empty() && quote.is_none() && !escaped
}
