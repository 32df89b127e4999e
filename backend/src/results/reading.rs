//! What of the log concerns experiments: exposures, goals, and who works here.

use super::store::{Conversion, Exposure, Found, LeafSeen};
use crate::app::App;
use crate::clock::Millis;
use crate::collect::is_program;
use crate::error::StoreError;
use crate::experiments::{Definition, Kind, Status, variation_keys};
use crate::identity::{Scope, SubjectId};
use crate::keys::KeyStore;
use crate::log::{Contents, Envelope, Offset, Open, Replayed, SealedWire, contents};
use crate::secret::Sha256Digest;
use rapport_core::targeting::Network;
use serde_json::{Value, json};

/// What pages report when somebody is shown a variation.
pub const EXPOSURE: &str = "Experiment Viewed";

/// An exposure tells so many attributes, and texts of so many bytes; the rest tells nobody apart.
const MOST_TOLD: usize = 32;
const MOST_TEXT: usize = 200;
/// What is found of the same events; another number reads the log again.
const EDITION: u32 = 2;

/// What is looked for.
#[derive(Debug)]
pub struct Reads {
    goals: Vec<Goal>,
    networks: Vec<Network>,
    domains: Vec<String>,
    cookies: bool,
    /// Of all that decides what is found.
    pub digest: Sha256Digest,
}

#[derive(Debug)]
struct Goal {
    key: String,
    done: Done,
    /// The property that says what it is worth.
    value: Option<String>,
}

#[derive(Debug)]
enum Done {
    Event(String),
    /// A page's path; a `*` at its end stands for whatever follows.
    Page(String),
}

impl Reads {
    /// What is looked for in a scope; `None` where nothing is tested.
    ///
    /// # Errors
    /// Where the records cannot be read.
    pub fn of(app: &App, scope: Scope) -> Result<Option<Self>, StoreError> {
        let definitions = app.records.definitions(scope)?;
        let tested = |one: &Definition| matches!(one.kind, Kind::Experiment | Kind::Experience);
        if !definitions.iter().any(tested) {
            return Ok(None);
        }
        let staff = app.records.settings(scope)?.staff;
        let kept = definitions.iter().filter(|one| one.status != Status::Archived);
        let text = |one: &Definition, name: &str| Some(one.content.get(name)?.as_str()?.to_owned());
        let mut goals = Vec::new();
        for one in kept {
            if one.kind == Kind::Goal {
                let event = text(one, "event").map(Done::Event);
                let Some(done) = event.or(text(one, "page").map(Done::Page)) else { continue };
                goals.push(Goal { key: one.key.clone(), done, value: text(one, "value") });
            } else if one.kind == Kind::Experiment {
                goals.extend(landings(one));
            }
        }
        let told: Vec<_> = goals
            .iter()
            .map(|goal| json!([goal.key, format!("{:?}", goal.done), goal.value]))
            .collect();
        // What retention forgot is to be forgotten here, too.
        let forgotten = app.log.forgotten(scope)?.0;
        let digest =
            Sha256Digest::of(json!([EDITION, told, staff, forgotten]).to_string().as_bytes());
        Ok(Some(Self {
            goals,
            networks: staff.networks.iter().filter_map(|text| Network::parse(text)).collect(),
            domains: staff.email_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            cookies: !staff.cookies.is_empty(),
            digest,
        }))
    }

    /// What an envelope says of it.
    ///
    /// # Errors
    /// Where the key store cannot be read. An event that cannot be opened says nothing.
    pub fn read(
        &self,
        keys: &dyn KeyStore,
        envelope: Envelope,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let draft = &envelope.draft;
        if !draft.consent.analytics {
            return Ok(());
        }
        let open = &draft.open;
        let viewed = open.kind == "track" && open.name == EXPOSURE;
        let reached: Vec<&Goal> = self
            .goals
            .iter()
            .filter(|goal| match &goal.done {
                Done::Event(name) => open.kind == "track" && open.name == *name,
                Done::Page(path) => {
                    open.kind == "page" && open.path.as_deref().is_some_and(|at| like(path, at))
                }
            })
            .collect();
        let finds_staff = self.cookies || !self.networks.is_empty() || !self.domains.is_empty();
        if !viewed && reached.is_empty() && !finds_staff {
            return Ok(());
        }
        let offset = envelope.offset;
        let contents = match contents(keys, envelope) {
            Ok(Replayed::Event(contents)) => contents,
            Ok(Replayed::Tombstone { .. }) => return Ok(()),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%error, "an event is left out of results");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Contents { envelope: Envelope { draft, .. }, sealed } = *contents;
        if finds_staff && self.is_staff(&sealed) {
            found.staff.push(draft.subject);
        }
        if viewed {
            found.exposures.extend(exposure(&draft.open, &sealed, draft.subject, draft.event_time));
        }
        found.conversions.extend(reached.into_iter().map(|goal| Conversion {
            goal: goal.key.clone(),
            subject: draft.subject,
            at: draft.event_time,
            offset: Offset(offset.0),
            value: goal.value.as_deref().map_or(0.0, |path| worth(&sealed, path)),
        }));
        Ok(())
    }

    fn is_staff(&self, sealed: &SealedWire) -> bool {
        let address = sealed.ip.as_deref().unwrap_or_default();
        if self.cookies && sealed.staff
            || self.networks.iter().any(|network| network.holds(address))
        {
            return true;
        }
        let event = &sealed.event;
        let traits = event.context.get("traits").and_then(|traits| traits.get("email"));
        let mails = [event.traits.get("email"), event.properties.get("email"), traits];
        mails.into_iter().flatten().filter_map(Value::as_str).any(|mail| {
            let domain =
                mail.rsplit_once('@').map(|(_, domain)| domain.trim().to_ascii_lowercase());
            domain.is_some_and(|domain| self.domains.contains(&domain))
        })
    }
}

/// Where a redirect leads is where its visitors are seen though their exposure was lost.
fn landings(one: &Definition) -> Vec<Goal> {
    let variations = one.content.get("variations").and_then(Value::as_array);
    let keys = variation_keys(&one.content);
    let landing = |(key, variation): (&String, &Value)| {
        let path = path_of(variation.get("urlRedirect")?.as_str()?)?;
        Some(Goal { key: landing_key(&one.key, key), done: Done::Page(path), value: None })
    };
    keys.iter().zip(variations.into_iter().flatten()).filter_map(landing).collect()
}

/// What arrivals at a redirect's target are counted as; no goal is called so.
pub fn landing_key(experiment: &str, variation: &str) -> String {
    format!("{experiment} → {variation}")
}

fn path_of(address: &str) -> Option<String> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => address,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.starts_with('/').then(|| path.to_owned())
}

fn like(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == pattern,
    }
}

fn exposure(open: &Open, sealed: &SealedWire, subject: SubjectId, at: Millis) -> Option<Exposure> {
    let properties = &sealed.event.properties;
    let text = |name: &str| match properties.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let leaf = || {
        Some(LeafSeen {
            version: properties.get("banditVersion")?.as_i64()?,
            leaf: properties.get("leafId")?.as_i64()?,
            propensity: properties.get("propensity")?.as_f64()?,
        })
    };
    let plain = |value: &Value| match value {
        Value::String(text) => text.len() <= MOST_TEXT,
        Value::Bool(_) | Value::Number(_) => true,
        _ => false,
    };
    let told = properties.get("context").and_then(Value::as_object).into_iter().flatten();
    let told = told.filter(|(name, value)| !name.starts_with('$') && plain(value));
    let context = &sealed.event.context;
    let agents = [context.get("userAgent").and_then(Value::as_str), sealed.user_agent.as_deref()];
    let bot = agents.into_iter().flatten().next().is_some_and(is_program)
        || context.get("webdriver") == Some(&Value::Bool(true))
        || context.get("bot").is_some_and(Value::is_string);
    Some(Exposure {
        experiment: text("experimentId")?,
        variation: text("variationId")?,
        subject,
        at,
        bot,
        leaf: leaf(),
        context: told
            .take(MOST_TOLD)
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain(seen_by_server(open, sealed))
            .collect(),
    })
}

/// What the server itself sees of who is exposed: on what, and from where.
fn seen_by_server(open: &Open, sealed: &SealedWire) -> impl Iterator<Item = (String, Value)> {
    let context = &sealed.event.context;
    let agent = context.get("userAgent").and_then(Value::as_str).or(sealed.user_agent.as_deref());
    let url = context.get("page").and_then(|page| page.get("url")).and_then(Value::as_str);
    let own = url.and_then(|url| url.split_once("://")?.1.split(['/', '?', '#']).next());
    let source = match (&open.source, &open.referrer_host) {
        (Some(source), _) => Some(source.as_str()),
        // Within the site: where the visit began, another event says.
        (None, Some(host)) => (own != Some(host)).then_some(host.as_str()),
        (None, None) => url.map(|_| "direct"),
    };
    let told = [("$device", agent.map(device)), ("$source", source)];
    told.map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).into_iter().flatten()
}

/// What a browser runs on.
fn device(agent: &str) -> &'static str {
    let has = |mark: &str| agent.contains(mark);
    if has("iPad") || has("Tablet") || has("Android") && !has("Mobile") {
        "tablet"
    } else if has("Mobi") || has("iPhone") {
        "mobile"
    } else {
        "desktop"
    }
}

fn worth(sealed: &SealedWire, path: &str) -> f64 {
    let mut names = path.split('.');
    let first = names.next().and_then(|name| sealed.event.properties.get(name));
    let value = names.try_fold(first, |value, name| Some(value?.get(name)));
    let number = match value.flatten() {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite()).unwrap_or(0.0)
}
