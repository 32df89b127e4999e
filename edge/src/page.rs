//! Pages in flight: what is decided for a visitor becomes steps that a host applies while the page
//! streams through it. Whatever goes wrong, the page goes out as its site made it.

use crate::bundle::{OpenBundle, hex};
use crate::change::{Step, steps_of};
use crate::cookie;
use crate::decide::{EvaluatedView, evaluate};
use crate::edge::Settings;
use crate::hydration;
use crate::problem::Problem;
use crate::request::{Method, Request};
use crate::visitor::{ConsentWire, VisitorWire};
use rapport_core::event::{EventWire, Millis};
use rapport_core::targeting::Value;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::borrow::Cow;

/// Pages that say that they are longer are not touched.
const MAX_PAGE: u64 = 20 * 1024 * 1024;

/// What is done to a page of a visitor's, whatever page the site answers with.
#[derive(Debug, Clone)]
pub struct Plan {
    steps: Vec<Step>,
    /// What the page's scripts take up, as JSON that may stand in a page.
    hydration: String,
    /// What conditions read and only the edge knows.
    attributes: Json,
    script: String,
    cookies: Vec<String>,
    /// Stands for all that this visitor gets: who has the same has the same page.
    set: String,
    /// How a cookie begins that says who the visitor is.
    id_cookie: String,
}

/// What a host does to one answer of the site's.
#[derive(Debug, Clone, Serialize)]
pub struct Rewrite {
    pub steps: Vec<Step>,
    /// To stand at the end of the page's head; `NONCE` in it is the page's, where the answer's headers named none.
    pub head: String,
    /// The address that the page's own tag would have: with one in its head, none is put in.
    pub script: String,
    /// What the script tag is.
    pub tag: String,
    /// Whether there is nothing to change: the browser has the page as it is now.
    #[serde(skip)]
    pub unchanged: bool,
    /// Headers that the answer gets instead of its own.
    #[serde(skip)]
    pub headers: Vec<(&'static str, String)>,
    /// Headers that the answer loses: they speak of what the site sent.
    #[serde(skip)]
    pub dropped: &'static [&'static str],
}

/// Stands in for the page's nonce until that is known.
pub const NONCE: &str = "RAPPORT-NONCE";

/// Whether a request is a browser's for a page.
pub fn is_for_page(request: &Request) -> bool {
    let asks = request.header("accept").is_some_and(|kinds| kinds.contains("text/html"));
    let special = ["range", "upgrade"].iter().any(|name| request.header(name).is_some());
    request.method == Method::Get && asks && !special && !request.place.bot
}

/// Decides for the visitor of a page.
///
/// # Errors
/// Where nothing can be decided; then the page is the site's.
pub fn plan(
    bundle: &OpenBundle,
    settings: &Settings,
    request: &Request,
    now: Millis,
    fresh: impl FnOnce() -> Option<String>,
) -> Result<Plan, Problem> {
    let kept = |name: &str| {
        let value = request.cookie(&format!("rapport_{}_{name}", settings.key))?;
        serde_json::from_slice::<Json>(&decoded(value)).ok()
    };
    let id = kept("id");
    let text = |name: &str| id.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let consent = kept("consent").and_then(|consent| ConsentWire::of(&consent));
    let (anonymous_id, cookie) = match text("anonymousId").filter(|id| is_id(id)) {
        Some(id) => (Some(id), None),
        None if settings.visitor_cookie && consent.unwrap_or_default().profiling != Some(false) => {
            let id = fresh();
            let cookie = id.as_deref().map(|id| id_cookie(settings, id));
            (id, cookie)
        }
        None => (None, None),
    };
    let url = format!("{}{}{}", settings.public_url, request.path, query(request));
    let attributes = page_attributes(request, &url);
    let place = &request.place;
    let known = [("country", &place.country), ("region", &place.region), ("city", &place.city)];
    let known = known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Json::from(value.clone()?))));
    let view = view_of(&url, request, anonymous_id.clone());
    let mut visitor = VisitorWire {
        anonymous_id: anonymous_id.clone(),
        user_id: text("userId"),
        attributes: Some(attributes),
        url: Some(url),
        consent,
        // As if it had been told: the page's script tells it, and only that is kept.
        events: vec![view],
        ..VisitorWire::default()
    };
    visitor.recall(settings, &bundle.flags, request, now, true);
    // The page's script always remembers, if only nothing yet.
    visitor.sticky_bucket_assignment_docs.get_or_insert(Value::Map(Vec::new()));
    let refuses = consent.unwrap_or_default().profiling == Some(false);
    let forgotten = cookie::forget(settings, request).filter(|_| refuses);
    let decided: EvaluatedView = evaluate(bundle, settings, visitor, request, now)?;
    Ok(Plan {
        steps: steps_of(&decided),
        hydration: hydration::inline(bundle, &decided, anonymous_id.as_deref()),
        attributes: Json::Object(known.collect()),
        script: format!("/v1/sdk/{}.js", settings.key),
        id_cookie: format!("rapport_{}_id=", settings.key),
        cookies: cookie.into_iter().chain(forgotten).collect(),
        set: set_of(&decided, anonymous_id.as_deref()),
    })
}

/// Of two visits that get the same it is the same, whenever they are.
fn set_of(decided: &EvaluatedView, anonymous_id: Option<&str>) -> String {
    let mut all = serde_json::to_value(decided).unwrap_or_default();
    all["anonymousId"] = Json::from(anonymous_id);
    if let Some(score) = all.get_mut("score").and_then(Json::as_object_mut) {
        score.remove("asOf");
    }
    hex(all.to_string().as_bytes()).get(..16).unwrap_or_default().to_owned()
}

/// A page's tag: the site's, and what the visitor got of it.
fn tag_of(site: &str, set: &str) -> String {
    let (kind, tag) = site.strip_prefix("W/").map_or(("s", site), |tag| ("w", tag));
    format!("W/\"{kind}{}~{set}\"", tag.trim_matches('"'))
}

/// The site's part of such a tag, where the rest says the same.
fn site_tag<'t>(tag: &'t str, set: &str) -> Option<(bool, &'t str)> {
    let (site, of) = tag.trim().strip_prefix("W/\"")?.strip_suffix('"')?.rsplit_once('~')?;
    let weak = (of == set).then(|| site.strip_prefix('w').map(|tag| (true, tag)))?;
    weak.or_else(|| site.strip_prefix('s').map(|tag| (false, tag)))
}

/// The view of this page, as the page's script tells it.
fn view_of(url: &str, request: &Request, anonymous_id: Option<String>) -> EventWire {
    let search = query(request);
    let referrer = request.header("referer").unwrap_or_default();
    let page = json!({ "url": url, "path": request.path, "search": search, "referrer": referrer });
    let campaign = form_urlencoded::parse(request.query.as_bytes()).filter_map(|(name, value)| {
        let name = match name.strip_prefix("utm_")? {
            "campaign" => "name",
            name @ ("source" | "medium" | "term" | "content") => name,
            _ => return None,
        };
        Some((name.to_owned(), Json::from(value.into_owned())))
    });
    let campaign: Map<String, Json> = campaign.collect();
    let mut context = Map::new();
    context.insert("page".to_owned(), page.clone());
    if !campaign.is_empty() {
        context.insert("campaign".to_owned(), Json::Object(campaign));
    }
    let properties = page.as_object().cloned().unwrap_or_default();
    EventWire { kind: "page".to_owned(), anonymous_id, properties, context, ..EventWire::default() }
}

impl Plan {
    /// What the site is asked to compare, where the browser has the page as this visitor gets it now.
    pub fn known(&self, request: &Request) -> Option<String> {
        let tags = request.header("if-none-match")?.split(',');
        let known = tags.filter_map(|tag| site_tag(tag, &self.set));
        let known = known.map(|(weak, tag)| format!("{}\"{tag}\"", if weak { "W/" } else { "" }));
        Some(known.collect::<Vec<_>>().join(", ")).filter(|known| !known.is_empty())
    }

    /// What is done to an answer of the site's; `None` where it is not touched.
    pub fn rewrite(&self, status: u16, header: impl Fn(&str) -> Option<String>) -> Option<Rewrite> {
        let is_html = header("content-type").is_some_and(|kind| {
            let kind = kind.trim_start().to_ascii_lowercase();
            kind.starts_with("text/html") || kind.starts_with("application/xhtml")
        });
        let untouchable = header("cache-control")
            .is_some_and(|rules| rules.contains("no-transform"))
            || header("x-rapport-edge").is_some_and(|word| word.trim() == "off")
            || header("content-disposition").is_some_and(|how| how.contains("attachment"))
            // A site that says itself who the visitor is has decided by that.
            || header("set-cookie").is_some_and(|set| set.contains(&self.id_cookie));
        let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
        let unchanged = status == 304;
        if !(unchanged || status == 200 && is_html)
            || untouchable
            || length.is_some_and(|length| length > MAX_PAGE)
        {
            return None;
        }
        let policy = header("content-security-policy");
        let nonce = policy.as_deref().and_then(nonce_of).unwrap_or(NONCE);
        let settings = json!({ "attributes": self.attributes }).to_string();
        let mut headers = vec![
            // One visitor's page is nobody else's.
            ("cache-control", "private, no-cache".to_owned()),
            ("vary", vary(header("vary"))),
        ];
        headers.extend(header("etag").map(|tag| ("etag", tag_of(&tag, &self.set))));
        headers.extend(self.cookies.iter().map(|cookie| ("set-cookie", cookie.clone())));
        Some(Rewrite {
            unchanged,
            steps: self.steps.clone(),
            head: format!(
                "<script type=\"application/json\" id=\"rapport-hydration\" nonce=\"{nonce}\">{}</script>",
                self.hydration
            ),
            script: self.script.clone(),
            tag: format!(
                "<script async src=\"{}\" data-rapport=\"{}\" nonce=\"{nonce}\"></script>",
                self.script,
                escaped(&settings)
            ),
            headers,
            dropped: &[
                "content-length",
                "etag",
                "last-modified",
                "expires",
                "content-md5",
                "digest",
                "accept-ranges",
            ],
        })
    }
}

/// What conditions may ask of a page and its browser, by the names that pages use.
fn page_attributes(request: &Request, url: &str) -> Value<'static> {
    let text = |text: &str| Value::Text(text.to_owned().into());
    let host = url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    let mut attributes: Vec<(Cow<'static, str>, Value<'static>)> = vec![
        ("url".into(), text(url)),
        ("host".into(), text(host)),
        ("path".into(), text(&request.path)),
        ("referrer".into(), text(request.header("referer").unwrap_or_default())),
        ("device".into(), text(device(request))),
    ];
    let query = pairs.iter().map(|(name, value)| (name.clone().into(), text(value)));
    attributes.push(("query".into(), Value::Map(query.collect())));
    let language = request.header("accept-language").and_then(|all| all.split([',', ';']).next());
    attributes.extend(language.map(|language| ("language".into(), text(language.trim()))));
    let campaign = [
        ("utm_source", "utmSource"),
        ("utm_medium", "utmMedium"),
        ("utm_campaign", "utmName"),
        ("utm_term", "utmTerm"),
        ("utm_content", "utmContent"),
    ];
    for (parameter, attribute) in campaign {
        let value = pairs.iter().find(|(name, _)| name == parameter);
        attributes.extend(value.map(|(_, value)| (attribute.into(), text(value))));
    }
    Value::Map(attributes)
}

fn device(request: &Request) -> &'static str {
    let agent = request.header("user-agent").unwrap_or_default();
    let mobile = request.header("sec-ch-ua-mobile") == Some("?1");
    if agent.contains("iPad") || (agent.contains("Android") && !agent.contains("Mobile")) {
        "tablet"
    } else if mobile || agent.contains("Mobile") {
        "mobile"
    } else {
        "desktop"
    }
}

fn query(request: &Request) -> String {
    if request.query.is_empty() { String::new() } else { format!("?{}", request.query) }
}

/// What a page's script reads as its visitor's id, and this edge after it.
fn id_cookie(settings: &Settings, id: &str) -> String {
    let value = json!({ "anonymousId": id, "sequence": 0 }).to_string();
    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let secure = if settings.public_url.starts_with("https:") { "; Secure" } else { "" };
    let seconds = 400 * 86_400;
    format!("rapport_{}_id={value}; Path=/; SameSite=Lax; Max-Age={seconds}{secure}", settings.key)
}

fn is_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A cookie's value without its percent signs.
fn decoded(value: &str) -> Vec<u8> {
    let pair = format!("v={value}");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned().into_bytes())
        .unwrap_or_default()
}

/// The nonce that a policy lets scripts have.
fn nonce_of(policy: &str) -> Option<&str> {
    let (_, rest) = policy.split_once("'nonce-")?;
    let nonce = rest.split('\'').next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    nonce.bytes().all(plain).then_some(nonce).filter(|nonce| !nonce.is_empty())
}

fn vary(own: Option<String>) -> String {
    match own {
        Some(own) if own.to_ascii_lowercase().contains("cookie") || own.trim() == "*" => own,
        Some(own) if !own.is_empty() => format!("{own}, Cookie"),
        _ => "Cookie".to_owned(),
    }
}

/// As it stands in an attribute between quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_nonce_of_a_policy_is_taken() {
        assert_eq!(nonce_of("script-src 'self' 'nonce-aGVs+bG8='; style-src *"), Some("aGVs+bG8="));
        for policy in
            ["script-src 'self'", "script-src 'nonce-'", "script-src 'nonce-a\"><script>'", ""]
        {
            assert_eq!(nonce_of(policy), None, "{policy}");
        }
    }

    #[test]
    fn a_tag_counts_for_who_gets_the_same_and_the_site_sees_its_own() {
        for site in ["\"a~b\"", "W/\"x\""] {
            let tag = tag_of(site, "0123");
            assert!(tag.starts_with("W/\""));
            let (weak, own) = site_tag(&tag, "0123").unwrap();
            assert_eq!(format!("{}\"{own}\"", if weak { "W/" } else { "" }), site);
            assert_eq!(site_tag(&tag, "4567"), None);
        }
        for other in ["\"site\"", "*", "", "W/\"~0123\"", "W/\"s"] {
            assert_eq!(site_tag(other, "0123"), None, "{other}");
        }
    }

    #[test]
    fn an_answer_varies_by_its_cookie_once() {
        assert_eq!(vary(None), "Cookie");
        assert_eq!(vary(Some("Accept-Encoding".to_owned())), "Accept-Encoding, Cookie");
        assert_eq!(vary(Some("cookie".to_owned())), "cookie");
        assert_eq!(vary(Some("*".to_owned())), "*");
    }
}
