//! Whom a request is about, as core reads it.

use crate::cookie;
use crate::edge::Settings;
use crate::memory::Memory;
use crate::problem::Problem;
use crate::request::Request;
use rapport_core::decide::Engine;
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::experiment::{Flags, stand_ins};
use rapport_core::person;
use rapport_core::profile::Profile;
use rapport_core::scoring::Band;
use rapport_core::targeting::Value;
use serde::Deserialize;

const MAX_ID: usize = 256;
/// Events that a question may bring along.
const MAX_UNSEEN: usize = 100;

/// A visitor as SDKs describe one. What it says is a claim, and affects this answer only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VisitorWire {
    pub anonymous_id: Option<String>,
    pub user_id: Option<String>,
    /// When the page sent this, by its own clock.
    pub sent_at: Option<serde_json::Value>,
    /// What happened, in the Segment shape.
    pub events: Vec<EventWire>,
    /// What is known from before, in base 64.
    pub profile: Option<String>,
    pub attributes: Option<Value<'static>>,
    pub url: Option<String>,
    /// Milliseconds since 1970; the edge's clock where absent.
    pub now: Option<f64>,
    pub grade: Option<String>,
    pub consent: Option<ConsentWire>,
    pub forced_variations: Option<Value<'static>>,
    pub shown: Option<Value<'static>>,
    pub sticky_bucket_assignment_docs: Option<Value<'static>>,
    pub enabled: Option<bool>,
    pub qa_mode: Option<bool>,
    /// What this edge folded of the visitor before.
    #[serde(skip)]
    pub memory: Option<Memory>,
    /// At most this many reasons of the score; as many as the backend gives where left out, 0 for none.
    pub reasons: Option<usize>,
}

/// What a page asks that cannot run the engine.
#[derive(Debug)]
pub struct DecideWire {
    pub asked: AskedWire,
    /// Who, and what happened.
    pub whom: VisitorWire,
}

/// What stands beside that.
#[derive(Debug, Deserialize)]
pub struct AskedWire {
    /// The write key, where no header or address carries it.
    #[serde(alias = "writeKey")]
    pub key: Option<String>,
    /// Of whom features and experiments are asked as well.
    pub visitor: Option<VisitorWire>,
}

impl DecideWire {
    /// Reads a body twice: to flatten one form into another, serde would keep all of it as values first.
    ///
    /// # Errors
    /// Where it is none of that form.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        Ok(Self { asked: read(body)?, whom: read(body)? })
    }
}

/// What the visitor chose; what was not said is allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ConsentWire {
    pub profiling: Option<bool>,
    pub personalization: Option<bool>,
}

impl ConsentWire {
    /// What the page's script keeps of a choice.
    pub fn of(kept: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(kept.clone()).ok()
    }
}

/// What may be done for a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    pub profiling: bool,
    pub personalization: bool,
}

impl VisitorWire {
    /// Checks that it says no more than anybody needs.
    ///
    /// # Errors
    /// Says what is too much.
    pub fn check(&self) -> Result<(), Problem> {
        let ids = [&self.anonymous_id, &self.user_id];
        let wrong = |id: &&Option<String>| {
            id.as_deref().is_some_and(|id| id.is_empty() || id.len() > MAX_ID)
        };
        if ids.iter().any(wrong) || self.events.len() > MAX_UNSEEN {
            return Err(Problem::Malformed(format!(
                "ids must have 1 to {MAX_ID} bytes, `events` at most {MAX_UNSEEN} events"
            )));
        }
        Ok(())
    }

    /// Takes up what the edge's own cookie says of the visitor, if it is the same one; without an id only
    /// where `nameless`.
    pub fn recall(
        &mut self,
        settings: &Settings,
        flags: &Flags,
        request: &Request,
        now: Millis,
        nameless: bool,
    ) {
        let id = self.anonymous_id.as_deref();
        let known = cookie::read(settings, request, now)
            .filter(|known| id.map_or(nameless, |id| known.is_of(settings, id)));
        let Some(known) = known else { return };
        let sticky = known.sticky(settings, flags, |name| self.value(name));
        // What the question itself says counts more: it is a claim, for this answer only.
        self.sticky_bucket_assignment_docs.get_or_insert_with(|| sticky.documents());
        self.shown.get_or_insert_with(|| known.shown(flags));
        self.memory = Some(known);
    }

    /// What stands for the visitor, by an attribute's name.
    fn value(&self, name: &str) -> Option<String> {
        let given = self.attributes.as_ref().and_then(|given| given.member(name));
        let given = given.filter(|value| value.truthy()).map(|value| value.to_text().into_owned());
        given.or_else(|| {
            stand_ins(name).iter().find_map(|id| match *id {
                "anonymousId" => self.anonymous_id.clone(),
                _ => self.user_id.clone(),
            })
        })
    }

    /// The time of the question.
    pub fn time(&self, now: Millis) -> Millis {
        self.now.map_or(now, |said| Millis(said as i64))
    }

    /// What the visitor allows: what is said beside the events counts, then what the last of them says.
    pub fn allowed(&self) -> Allowed {
        let ConsentWire { profiling, personalization } = self.consent.unwrap_or_default();
        let of_events = |purpose| {
            let said = self.events.iter().rev().filter_map(|event| event.flat().ok());
            said.filter_map(|flat| person::said(&flat, purpose)).next().unwrap_or(true)
        };
        Allowed {
            profiling: profiling.unwrap_or_else(|| of_events("profiling")),
            personalization: personalization.unwrap_or_else(|| of_events("personalization")),
        }
    }

    /// Folds the events, each at its own time, into a profile.
    ///
    /// # Errors
    /// Says what is wrong with an event.
    pub fn fold(&self, engine: &Engine, profile: &mut Profile, now: Millis) -> Result<(), Problem> {
        let heard =
            |event: &EventWire| self.memory.as_ref().is_some_and(|known| known.heard(event));
        for (at, wire) in self.events.iter().enumerate().filter(|(_, event)| !heard(event)) {
            let refused = |error: &dyn std::fmt::Display| {
                Problem::Malformed(format!("event {at} was refused: {error}"))
            };
            let flat = wire.flat().map_err(|error| refused(&error))?;
            let sent = wire.sent_at.as_ref().or(self.sent_at.as_ref());
            let time = time_of(wire, sent, now).map_err(|error| refused(&error))?;
            let compact = flat.encode(time).map_err(|error| refused(&error))?;
            engine.fold(profile, &Event::decode(&compact).map_err(|error| refused(&error))?, now);
        }
        Ok(())
    }

    /// The question as core takes it; `request` says what the page does not.
    pub fn context(
        &mut self,
        request: &Request,
        now: Millis,
        scored: Option<(u8, Band)>,
    ) -> Value<'static> {
        let mut attributes = match self.attributes.take() {
            Some(Value::Map(members)) => members,
            _ => Vec::new(),
        };
        let place = &request.place;
        for (name, value) in
            [("country", &place.country), ("region", &place.region), ("city", &place.city)]
        {
            let given = attributes.iter().any(|(known, _)| known == name);
            if let Some(value) = value.as_ref().filter(|_| !given) {
                attributes.push((name.into(), Value::Text(value.clone().into())));
            }
        }
        let mut context = vec![
            ("attributes".into(), Value::Map(attributes)),
            ("now".into(), Value::Number(now.0 as f64)),
        ];
        if let Some((score, band)) = scored {
            context.push(("score".into(), Value::Number(f64::from(score))));
            context.push(("band".into(), Value::Text(band.name().into())));
        }
        let text = |text: Option<String>| text.map(|text| Value::Text(text.into()));
        let told = [
            ("url", text(self.url.take())),
            ("anonymousId", text(self.anonymous_id.clone())),
            ("userId", text(self.user_id.take())),
            ("grade", text(self.grade.take())),
            ("enabled", self.enabled.map(Value::Bool)),
            ("qaMode", self.qa_mode.map(Value::Bool)),
            ("forcedVariations", self.forced_variations.take()),
            ("shown", self.shown.take()),
            ("stickyBucketAssignmentDocs", self.sticky_bucket_assignment_docs.take()),
        ];
        context.extend(told.into_iter().filter_map(|(name, value)| Some((name.into(), value?))));
        Value::Map(context)
    }
}

/// When an event happened, by this clock.
fn time_of(
    wire: &EventWire,
    sent: Option<&serde_json::Value>,
    now: Millis,
) -> Result<Millis, rapport_core::event::WireError> {
    match (&wire.sent_at, sent) {
        (None, Some(sent)) => EventWire {
            sent_at: Some(sent.clone()),
            timestamp: wire.timestamp.clone(),
            ..EventWire::default()
        }
        .event_time(now),
        _ => wire.event_time(now),
    }
}

/// Reads a body as JSON, whatever it is declared as.
///
/// # Errors
/// Where it is none of that form.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::Malformed(format!("the body is not what this takes: {error}")))
}
