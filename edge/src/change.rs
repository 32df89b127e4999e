//! What is decided, as steps on a page. Only steps that come to the same when the page's own script takes
//! them once more: what would be there twice is left to that script.

use crate::decide::EvaluatedView;
use rapport_core::targeting::Value;
use serde::Serialize;

/// So many steps a page takes; more are a mistake, or worse.
const MAX_STEPS: usize = 200;
const MAX_VALUE: usize = 200_000;
/// What runs code, or gives it rights, and our own marks.
const REFUSED: [&str; 5] = ["srcdoc", "nonce", "is", "http-equiv", "style"];
const ADDRESSES: [&str; 8] =
    ["href", "src", "action", "formaction", "poster", "srcset", "xlink:href", "ping"];

/// One change of the elements that a selector finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub selector: String,
    #[serde(flatten)]
    pub act: Act,
}

/// What becomes of an element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "act", rename_all = "camelCase")]
pub enum Act {
    /// Its content is this text.
    Text { value: String },
    /// Its content is this HTML.
    Html { value: String },
    /// An attribute has this value.
    Set { name: String, value: String },
    /// An attribute is gone.
    Unset { name: String },
    /// Classes come or go.
    Class { add: Vec<String>, remove: Vec<String> },
}

/// The steps of all slots and changes that a visitor gets.
pub fn steps_of(decided: &EvaluatedView) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Value::Map(features) = &decided.features {
        for (key, answer) in features {
            steps.extend(content(key, answer.at("value")));
        }
    }
    if let Value::List(pages) = &decided.pages {
        for page in pages {
            let result = page.at("experimentResult");
            if *result.at("inExperiment") != Value::Bool(true)
                || *page.at("experiment.manual") == Value::Bool(true)
            {
                continue;
            }
            if let Value::List(changes) = result.at("value.domMutations") {
                steps.extend(changes.iter().filter_map(change));
            }
        }
    }
    steps.truncate(MAX_STEPS);
    steps
}

/// What stands in a slot.
fn content(slot: &str, value: &Value<'_>) -> Option<Step> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !slot.bytes().all(plain) {
        return None;
    }
    let selector = format!("[data-rapport-slot=\"{slot}\"]");
    let act = match (text(value, "type")?, text(value, "text"), text(value, "html")) {
        ("text", Some(text), _) => Act::Text { value: text.to_owned() },
        ("html", _, Some(html)) => html_act(html)?,
        _ => return None,
    };
    Some(Step { selector, act })
}

/// A change in GrowthBook's format.
fn change(change: &Value<'_>) -> Option<Step> {
    let selector = text(change, "selector")?.to_owned();
    let (attribute, action) = (text(change, "attribute")?, text(change, "action")?);
    let value = text(change, "value").unwrap_or_default();
    if value.len() > MAX_VALUE {
        return None;
    }
    let classes = || value.split_whitespace().map(str::to_owned).collect();
    let act = match (attribute, action) {
        ("text", "set") => Act::Text { value: value.to_owned() },
        ("html", "set") => html_act(value)?,
        ("class", "append") => Act::Class { add: classes(), remove: Vec::new() },
        ("class", "remove") => Act::Class { add: Vec::new(), remove: classes() },
        ("class" | "position" | "html" | "text", _) => return None,
        (name, "set") if may_set(name, value) => {
            Act::Set { name: name.to_owned(), value: value.to_owned() }
        }
        (name, "remove") if may_set(name, "") => Act::Unset { name: name.to_owned() },
        _ => return None,
    };
    Some(Step { selector, act })
}

/// HTML that might run is left to the page's script, which cleans it.
fn html_act(html: &str) -> Option<Act> {
    let lower: String = html.to_ascii_lowercase();
    let runs = [
        "<script",
        "<iframe",
        "<object",
        "<embed",
        "<base",
        "<meta",
        "<link",
        "<style",
        "<frame",
        "<template",
        "srcdoc",
        "javascript:",
        "vbscript:",
        "data:text",
        "&#",
    ];
    let handler = lower.split(['<']).skip(1).any(|tag| {
        let tag = tag.split('>').next().unwrap_or_default();
        tag.split(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '"' | '\''))
            .any(|word| word.starts_with("on"))
    });
    let harmless =
        !handler && html.len() <= MAX_VALUE && !runs.iter().any(|word| lower.contains(word));
    harmless.then(|| Act::Html { value: html.to_owned() })
}

/// Whether an attribute may be given this value.
fn may_set(name: &str, value: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:.-".contains(&byte);
    let named = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && name.bytes().all(plain);
    if !named
        || name.starts_with("on")
        || name.starts_with("data-rapport")
        || REFUSED.contains(&name)
    {
        return false;
    }
    let bare: String =
        value.chars().filter(|letter| !letter.is_control() && !letter.is_whitespace()).collect();
    let bare = bare.to_ascii_lowercase();
    let code = ["javascript:", "vbscript:", "data:"].iter().any(|start| bare.contains(start));
    let strange = ADDRESSES.contains(&name) && !value.is_ascii();
    !code && !strange
}

fn text<'v>(value: &'v Value<'_>, name: &str) -> Option<&'v str> {
    match value.member(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

impl Act {
    /// The classes of an element that had these.
    pub fn classes(before: &str, add: &[String], remove: &[String]) -> String {
        let mut classes: Vec<&str> = before
            .split_whitespace()
            .filter(|class| !remove.iter().any(|gone| gone == class))
            .collect();
        for class in add {
            if !classes.contains(&class.as_str()) {
                classes.push(class);
            }
        }
        classes.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_gets_into_a_page() {
        for html in [
            "<script>x</script>",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=x>",
            "<a href=\"javascript:x\">",
            "<a href=&#106;avascript:x>",
            "<IFRAME src=x>",
            "<p\nONCLICK=x>",
            "<b style=\"x\"'onfocus=x>",
        ] {
            assert_eq!(html_act(html), None, "{html}");
        }
        for html in [
            "<b>Herbstaktion</b>",
            "<a href=\"/demo\">Book a demo on Monday</a>",
            "<p>only 1 > 0</p>",
        ] {
            assert!(html_act(html).is_some(), "{html}");
        }
        assert!(may_set("href", "/demo") && may_set("alt", "on sale") && may_set("title", "x"));
        for (name, value) in [
            ("onclick", "x"),
            ("srcdoc", "x"),
            ("href", "java\nscript:x"),
            ("nonce", "x"),
            ("data-rapport-slot", "x"),
            ("ONCLICK", "x"),
            ("src", "data:text/html,x"),
        ] {
            assert!(!may_set(name, value), "{name}={value}");
        }
    }

    #[test]
    fn what_comes_twice_is_there_once() {
        let add = ["warm".to_owned(), "a".to_owned()];
        let once = Act::classes("a b", &add, &["b".to_owned()]);
        assert_eq!(once, "a warm");
        assert_eq!(Act::classes(&once, &add, &["b".to_owned()]), once);
    }
}
