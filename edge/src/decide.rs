//! `POST /v1/decide` and `/v1/evaluate`: the score with its reasons, and what is shown by it, in the
//! backend's form.

use crate::bundle::OpenBundle;
use crate::edge::Settings;
use crate::problem::Problem;
use crate::request::Request;
use crate::visitor::{DecideWire, VisitorWire};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rapport_core::decide::{Engine, Want};
use rapport_core::event::Millis;
use rapport_core::experiment::{Asker, Everything};
use rapport_core::profile::Profile;
use rapport_core::scoring::Band;
use rapport_core::targeting::Value;
use serde::Serialize;

/// As many as the backend gives.
const REASONS: usize = 6;
/// More than a model has signals.
const ALL_REASONS: usize = 256;

/// For pages that cannot run the engine.
#[derive(Debug, Serialize)]
pub struct DecidedView {
    #[serde(flatten)]
    score: Option<ScoreView>,
    /// `features`, and `experiments` of pages, by their keys, where somebody asked and the visitor refuses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Value<'static>>,
    /// Hash of the bundle's manifest.
    bundle: String,
}

/// For hosts without an engine.
#[derive(Debug, Serialize)]
pub struct EvaluatedView {
    /// Null, not 0, where nobody may be scored.
    pub score: Option<ScoreView>,
    pub features: Value<'static>,
    /// The experiments of pages.
    pub pages: Value<'static>,
    /// The keys of all experiences.
    pub experiences: Vec<String>,
    /// Hash of the bundle's manifest.
    pub bundle: String,
}

/// A score with its reasons: base + the points of the reasons + rest = score.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreView {
    pub score: u8,
    pub probability: f64,
    pub band: &'static str,
    pub base: u8,
    pub reasons: Vec<ReasonView>,
    pub rest: i32,
    /// Milliseconds since 1970-01-01 UTC.
    pub as_of: i64,
}

/// What one signal adds to a score or takes from it.
#[derive(Debug, Serialize)]
pub struct ReasonView {
    pub signal: u32,
    pub label: String,
    pub text: String,
    pub points: i32,
}

/// The score of who asks, and where the page says of whom, what it is to show.
///
/// # Errors
/// Where the profile is none of this bundle, an event is none, or there is nothing to say.
pub fn decide(
    bundle: &OpenBundle,
    settings: &Settings,
    mut wire: DecideWire,
    request: &Request,
    now: Millis,
) -> Result<DecidedView, Problem> {
    wire.whom.check()?;
    let bundle_hash = bundle.hash.clone();
    let Some(visitor) = wire.asked.visitor else {
        wire.whom.recall(settings, &bundle.flags, request, now, false);
        let score = score(bundle, &wire.whom, now)?.ok_or(Problem::NotFound("score"))?;
        return Ok(DecidedView { score: Some(score), flags: None, bundle: bundle_hash });
    };
    let VisitorWire { anonymous_id, user_id, sent_at, events, profile, reasons, consent, .. } =
        wire.whom;
    let visitor = VisitorWire {
        anonymous_id: anonymous_id.or(visitor.anonymous_id),
        user_id: user_id.or(visitor.user_id),
        consent: consent.or(visitor.consent),
        sent_at,
        events,
        profile,
        reasons,
        // Of a page the edge's clock counts.
        now: None,
        ..visitor
    };
    let Asked { score, decided } = ask(bundle, settings, visitor, request, now)?;
    Ok(DecidedView { score, flags: decided.map(Everything::brief), bundle: bundle_hash })
}

/// Everything that the bundle says of a visitor.
///
/// # Errors
/// Where the profile is none of this bundle, or an event is none.
pub fn evaluate(
    bundle: &OpenBundle,
    settings: &Settings,
    visitor: VisitorWire,
    request: &Request,
    now: Millis,
) -> Result<EvaluatedView, Problem> {
    let Asked { score, decided } = ask(bundle, settings, visitor, request, now)?;
    let Everything { features, pages } =
        decided.unwrap_or_else(|| Everything::refused(&bundle.flags));
    let experiences = bundle.flags.experiences.iter().map(|one| one.key.to_string()).collect();
    let (features, pages) = (Value::Map(features), Value::List(pages));
    Ok(EvaluatedView { score, features, pages, experiences, bundle: bundle.hash.clone() })
}

/// What is decided for a visitor; nothing but the score for who refuses personalization.
struct Asked {
    score: Option<ScoreView>,
    decided: Option<Everything>,
}

fn ask(
    bundle: &OpenBundle,
    settings: &Settings,
    mut visitor: VisitorWire,
    request: &Request,
    now: Millis,
) -> Result<Asked, Problem> {
    visitor.check()?;
    if visitor.memory.is_none() {
        visitor.recall(settings, &bundle.flags, request, now, false);
    }
    let now = visitor.time(now);
    let allowed = visitor.allowed();
    let score = score(bundle, &visitor, now)?;
    let decided = allowed.personalization.then(|| {
        let known = score.as_ref().and_then(|score| Some((score.score, Band::named(score.band)?)));
        let context = visitor.context(request, now, known);
        Asker::new(&context).everything(&bundle.flags)
    });
    Ok(Asked { score, decided })
}

/// Absent where nothing scores the visitor, or nobody may.
fn score(
    bundle: &OpenBundle,
    visitor: &VisitorWire,
    now: Millis,
) -> Result<Option<ScoreView>, Problem> {
    if !visitor.allowed().profiling {
        return Ok(None);
    }
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
            as_of: decision.as_of.0,
        })
    });
    scored.transpose()
}

fn opened(engine: &Engine, visitor: &VisitorWire) -> Result<Profile, Problem> {
    let Some(profile) = &visitor.profile else {
        let known = visitor.memory.as_ref().and_then(|memory| memory.profile(engine));
        return Ok(known.unwrap_or_else(|| engine.new_profile()));
    };
    let bytes = BASE64_STANDARD.decode(profile).ok();
    let opened = bytes.and_then(|bytes| engine.open_profile(&bytes).ok());
    opened.ok_or_else(|| {
        let text = "the visitor's profile is none of this bundle: ask the backend for it anew";
        Problem::Malformed(text.to_owned())
    })
}
