//! `POST /v1/decide`: the score with its reasons, all features and changes of pages, for one visitor.

use crate::bundle::OpenBundle;
use crate::problem::Problem;
use crate::request::Request;
use crate::visitor::{Allowed, VisitorWire};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rapport_core::decide::{Engine, Want};
use rapport_core::event::Millis;
use rapport_core::experiment::{Asker, Flags};
use rapport_core::profile::Profile;
use rapport_core::scoring::Band;
use rapport_core::targeting::Value;
use serde::Serialize;

/// As many as the backend gives.
const REASONS: usize = 6;
/// More than a model has signals.
const ALL_REASONS: usize = 256;

/// The answer: what the backend says of a score, then what is decided by it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecidedView {
    /// Absent, not 0, where nobody may be scored.
    #[serde(flatten)]
    pub score: Option<ScoreView>,
    /// Milliseconds since 1970-01-01 UTC.
    pub as_of: i64,
    /// Hash of the bundle's manifest.
    pub bundle: String,
    /// `audiences`, `features` by their keys, `changes` of pages, `exposures` to tell.
    #[serde(flatten)]
    pub shown: Shown,
}

/// A score with its reasons: base + the points of the reasons + rest = score.
#[derive(Debug, Serialize)]
pub struct ScoreView {
    pub score: u8,
    pub probability: f64,
    pub band: &'static str,
    pub base: u8,
    pub reasons: Vec<ReasonView>,
    pub rest: i32,
}

/// What one signal adds to a score or takes from it.
#[derive(Debug, Serialize)]
pub struct ReasonView {
    pub signal: u32,
    pub label: String,
    pub text: String,
    pub points: i32,
}

/// What core answers of all flags.
#[derive(Debug, Serialize)]
pub struct Shown {
    audiences: Value<'static>,
    features: Value<'static>,
    changes: Value<'static>,
    exposures: Value<'static>,
    #[serde(rename = "stickyBucketAssignmentDocs", skip_serializing_if = "Option::is_none")]
    sticky: Option<Value<'static>>,
}

/// Decides for the visitor of a request.
///
/// # Errors
/// Where the profile is none of this bundle, or an event is none.
pub fn decide(
    bundle: &OpenBundle,
    mut visitor: VisitorWire,
    request: &Request,
    now: Millis,
) -> Result<DecidedView, Problem> {
    let allowed = visitor.allowed();
    let score = if allowed.profiling { scored(bundle, &visitor, now)? } else { None };
    let known = score.as_ref().and_then(|score| Some((score.score, Band::named(score.band)?)));
    let context = visitor.context(request, now, known);
    Ok(DecidedView {
        score,
        as_of: now.0,
        bundle: bundle.hash.clone(),
        shown: Shown::of(&bundle.flags, &context, allowed),
    })
}

fn scored(
    bundle: &OpenBundle,
    visitor: &VisitorWire,
    now: Millis,
) -> Result<Option<ScoreView>, Problem> {
    let reasons = visitor.reasons.unwrap_or(REASONS).min(ALL_REASONS);
    let scored = bundle.scoring(|engine| {
        let mut profile = opened(engine, visitor)?;
        visitor.fold(engine, &mut profile, now)?;
        let decision = engine.decide(&profile, now, Want { reasons, next_change: false });
        let reasons = decision.reasons.iter().map(|reason| {
            let mut text = String::new();
            engine.describe(&profile, &decision, reason, &mut text);
            let label = engine.words().label(reason.id).to_owned();
            ReasonView { signal: reason.id, label, text, points: reason.points }
        });
        Ok(ScoreView {
            score: decision.score,
            probability: decision.probability,
            band: decision.band.name(),
            base: decision.base,
            reasons: reasons.collect(),
            rest: decision.rest,
        })
    });
    scored.transpose()
}

fn opened(engine: &Engine, visitor: &VisitorWire) -> Result<Profile, Problem> {
    let Some(profile) = &visitor.profile else { return Ok(engine.new_profile()) };
    let bytes = BASE64_STANDARD.decode(profile).ok();
    let opened = bytes.and_then(|bytes| engine.open_profile(&bytes).ok());
    opened.ok_or_else(|| {
        Problem::Malformed(
            "the visitor's profile is none of this bundle: ask the backend for it anew".to_owned(),
        )
    })
}

impl Shown {
    fn of(flags: &Flags, context: &Value<'_>, allowed: Allowed) -> Self {
        let nothing = || Value::List(Vec::new());
        if !allowed.personalization {
            let (audiences, changes, exposures) = (nothing(), nothing(), nothing());
            return Self { audiences, features: defaults(flags), changes, exposures, sticky: None };
        }
        let Value::Map(mut members) = Asker::new(context).all(flags) else {
            let (audiences, changes, exposures) = (nothing(), nothing(), nothing());
            return Self {
                audiences,
                features: Value::Map(Vec::new()),
                changes,
                exposures,
                sticky: None,
            };
        };
        let mut take = |name: &str| {
            let found = members.iter_mut().find(|(known, _)| known == name);
            found.map(|(_, value)| std::mem::take(value))
        };
        Self {
            audiences: take("audiences").unwrap_or_else(nothing),
            features: take("features").unwrap_or_default(),
            changes: take("changes").unwrap_or_else(nothing),
            exposures: take("exposures").unwrap_or_else(nothing),
            sticky: take("stickyBucketAssignmentDocs"),
        }
    }
}

/// What everybody gets who refuses all else.
fn defaults(flags: &Flags) -> Value<'static> {
    let features = flags.features.iter().map(|feature| {
        let on = feature.default.truthy();
        let members = vec![
            ("value".into(), feature.default.clone()),
            ("on".into(), Value::Bool(on)),
            ("off".into(), Value::Bool(!on)),
            ("source".into(), Value::Text("defaultValue".into())),
            ("ruleId".into(), Value::Text("".into())),
        ];
        (feature.key.to_string().into(), Value::Map(members))
    });
    Value::Map(features.collect())
}
