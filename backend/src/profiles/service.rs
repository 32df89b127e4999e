//! Reading profiles, and deciding for pages that cannot.

use super::fold::REFUSED;
use super::people::{Who, moment};
use super::store::StoredProfile;
use super::view::{LastEventView, ReasonView, ScoreView, StatusView, VisitorView};
use crate::app::App;
use crate::bundles::{OpenBundle, Scoring};
use crate::clock;
use crate::collect::consent;
use crate::error::{Problem, StoreError};
use crate::identity::{Scope, SubjectId};
use crate::keys::{SubjectKey, pseudonym};
use crate::log::{Envelope, Offset};
use crate::seal::SecretKey;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rapport_core::decide::{Decided, Engine, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::person::{VisitorRef, Words};
use rapport_core::profile::Profile;
use rapport_core::scoring::{Band, ScorerFault};

/// People read three reasons and look at six.
pub const REASONS: usize = 6;
/// More than a model has signals.
pub const MOST_REASONS: usize = 256;

/// The visitors of a scope, the latest first, scored as of now.
///
/// # Errors
/// Where a store cannot be read.
pub fn visitors(app: &App, scope: Scope, limit: u32) -> Result<Vec<VisitorView>, StoreError> {
    let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(Vec::new()) };
    let stored = app.profiles.recent(scope, limit)?;
    let views = stored.iter().map(|stored| match visitor_view(app, scope, &bundle, stored) {
        // One damaged profile must not hide everybody else's; its next event folds it anew.
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, %scope, "a profile is left out");
            Ok(None)
        }
        view => view,
    });
    views.filter_map(Result::transpose).collect()
}

/// One visitor, scored as of now.
///
/// # Errors
/// [`Problem::NotFound`] where the scope has no such visitor.
pub fn visitor(app: &App, scope: Scope, subject: SubjectId) -> Result<VisitorView, Problem> {
    let bundle = app.bundles.get(app, scope)?.ok_or(Problem::NoBundle)?;
    let person = Who::stored(app, scope).person(subject)?;
    let stored = app.profiles.profile(scope, person)?.ok_or(Problem::NotFound("visitor"))?;
    visitor_view(app, scope, &bundle, &stored)?.ok_or(Problem::NotFound("visitor"))
}

/// How far the profiles of a scope are behind, and what waits to be written.
///
/// # Errors
/// Where a store cannot be read.
pub fn lag(app: &App, scope: Scope) -> Result<StatusView, StoreError> {
    let (folded, logged) = (app.profiles.position(scope)?, app.log.end(scope)?);
    let now = clock::now();
    let first = if logged > folded { app.log.read(scope, folded, 1)? } else { Vec::new() };
    let waited = first.first().map_or(0, |first| (now - first.draft.received_at).max(0));
    Ok(StatusView {
        logged: logged.0,
        folded: folded.0,
        lag: logged.0.saturating_sub(folded.0).try_into().unwrap_or_default(),
        lag_seconds: waited as f64 / 1000.0,
        due: app.profiles.count_due(scope, now)?,
        waiting: app.writer.waiting(),
        brought: app.faults.of(scope).view(),
    })
}

/// A stored profile as clients see it; `None` where its subject was erased meanwhile.
///
/// # Errors
/// Where the key store cannot be read, or the profile was changed.
pub fn visitor_view(
    app: &App,
    scope: Scope,
    bundle: &OpenBundle,
    stored: &StoredProfile,
) -> Result<Option<VisitorView>, StoreError> {
    let Some(SubjectKey::Kept(key)) = app.keys.subject_key(scope, stored.subject)? else {
        return Ok(None);
    };
    let mut engine = bundle.engine();
    let profile = open(&key, scope, &engine, stored)?;
    let now = Millis(clock::now()).max(Millis(stored.event_time));
    let (kind, name, path) = stored.last_event.clone();
    let members = Who::stored(app, scope).members(stored.subject)?;
    let merged = members.into_iter().filter(|member| *member != stored.subject);
    Ok(Some(VisitorView {
        id: stored.subject.to_string(),
        score: score(&mut engine, &profile, now, REASONS),
        last_event: LastEventView { kind, name, path, at: stored.event_time },
        first_seen: stored.first_seen,
        events: stored.events,
        trail: stored.trail.points().to_vec(),
        members: merged.map(|member| member.to_string()).collect(),
        cause: None,
    }))
}

/// Whose score is asked for.
#[derive(Debug)]
pub struct Question<'a> {
    /// Of which the server may know more.
    pub browser: Option<&'a str>,
    /// What is known from before, in base 64: it stands for what the server knows of the browser.
    pub profile: Option<&'a str>,
    /// What the server may not have got yet.
    pub unseen: Vec<EventWire>,
    pub now: Millis,
    /// At most this many reasons.
    pub reasons: usize,
    /// Whether a page asks, which not every model may answer.
    pub is_page: bool,
}

/// Decides for who cannot do it: the profile that came along, or the server's own of a browser, with what the
/// server has not seen yet on top; without either, of that alone. Nothing of it is kept.
///
/// # Errors
/// [`Problem::NoBundle`] where nothing decides, [`Problem::NotFound`] of who does not agree to be profiled,
/// [`Problem::Malformed`] for an event that core refuses, and a profile that is none of this bundle.
pub fn decide(app: &App, scope: Scope, question: Question<'_>) -> Result<ScoreView, Problem> {
    let Question { browser, profile, mut unseen, now, reasons, is_page } = question;
    let default = app.records.settings(scope)?.consent.into();
    let (mut words, mut agreed) = (Words::default(), true);
    unseen.retain(|event| {
        // What is wrong with an event is said where it is folded.
        let Ok(flat) = event.flat() else { return true };
        agreed = words.hear((), consent(&flat, default).into());
        agreed
    });
    // Who said no last has no score: not 0, and not somebody else's.
    if !agreed {
        return Err(Problem::NotFound("score: the visitor does not agree to be profiled"));
    }
    let bundle = app
        .bundles
        .get(app, scope)?
        .filter(|bundle| bundle.pages_may_ask || !is_page)
        .ok_or(Problem::NoBundle)?;
    let mut engine = bundle.engine();
    let profile_said = profile.is_some();
    let mut profile = match (profile, browser) {
        (Some(said), _) => said_profile(&engine, said)?,
        (None, Some(browser)) => held_profile(app, scope, &engine, browser)?,
        (None, None) => engine.new_profile(),
    };
    let ids: Vec<_> =
        unseen.iter().map(|wire| wire.message_id.as_deref().unwrap_or_default()).collect();
    // What came with a profile is on top of that one, whatever the log holds.
    let held = if profile_said { vec![false; ids.len()] } else { app.log.holds(scope, &ids)? };
    for (wire, _) in unseen.iter().zip(held).filter(|(_, held)| !held) {
        let refused = |error| Problem::Malformed(format!("an event was refused: {error}"));
        let time = wire.event_time(now).map_err(refused)?;
        let compact = wire.encode(time).map_err(refused)?;
        let event = Event::decode(&compact).map_err(|error| refused(error.into()))?;
        engine.fold(&mut profile, &event, now);
    }
    Ok(score(&mut engine, &profile, now, reasons))
}

fn said_profile(engine: &Engine, said: &str) -> Result<Profile, Problem> {
    let opened =
        BASE64_STANDARD.decode(said).ok().and_then(|bytes| engine.open_profile(&bytes).ok());
    opened.ok_or_else(|| {
        let text = "the visitor's profile is none of this bundle: leave it out, or fold it anew";
        Problem::Malformed(text.to_owned())
    })
}

/// What the server knows of a browser.
fn held_profile(
    app: &App,
    scope: Scope,
    engine: &Engine,
    browser: &str,
) -> Result<Profile, StoreError> {
    let workspace_key = app.keys.workspace_key(scope.workspace)?;
    let subject = pseudonym(&workspace_key, scope, VisitorRef::Anonymous(browser));
    let person = Who::stored(app, scope).person(subject)?;
    let key = app.keys.subject_key(scope, person)?.and_then(SubjectKey::kept);
    match (key, app.profiles.profile(scope, person)?) {
        (Some(key), Some(stored)) => open(&key, scope, engine, &stored),
        _ => Ok(engine.new_profile()),
    }
}

/// A subject's profile as bytes, with its row: the person's whom the subject proved to be, where it
/// did. `None` where there is none, or the person was erased.
///
/// # Errors
/// Where a store cannot be read, or the profile was changed.
pub fn profile_bytes(
    app: &App,
    scope: Scope,
    subject: SubjectId,
) -> Result<Option<(StoredProfile, Vec<u8>)>, StoreError> {
    let person = Who::stored(app, scope).person(subject)?;
    let key = app.keys.subject_key(scope, person)?.and_then(SubjectKey::kept);
    let (Some(key), Some(stored)) = (key, app.profiles.profile(scope, person)?) else {
        return Ok(None);
    };
    let bytes = unseal(&key, scope, &stored)?;
    Ok(Some((stored, bytes)))
}

/// What the person who a subject is said of profiling, in what the log holds up to `until`; `None`
/// where they said nothing.
///
/// # Errors
/// Where a store cannot be read.
pub fn profiling_word(
    app: &App,
    scope: Scope,
    subject: SubjectId,
    until: Offset,
) -> Result<Option<bool>, StoreError> {
    let who = Who::stored(app, scope);
    let person = who.person(subject)?;
    let refusals = who.refusals(person)?.into_iter();
    let mut said: Vec<_> = refusals.map(|(at, member)| (at, member, REFUSED)).collect();
    let events = who.events(&*app.log, person, until)?;
    said.extend(events.iter().map(|event| {
        let Envelope { draft, .. } = event;
        (moment(event), draft.subject, draft.consent.into())
    }));
    said.sort_unstable_by_key(|(at, ..)| *at);
    let mut words = Words::default();
    said.into_iter().for_each(|(_, member, consent)| _ = words.hear(member, consent));
    Ok(words.said())
}

/// Scores a profile and says why.
fn score(engine: &mut Scoring, profile: &Profile, now: Millis, reasons: usize) -> ScoreView {
    let decided = engine.decide(profile, now, Want { reasons, next_change: false });
    let Decided { decision, by, fault, errors } = &decided;
    let reasons = decision.reasons.iter().enumerate().map(|(at, reason)| {
        let mut text = String::new();
        engine.describe(profile, decision, reason, &mut text);
        ReasonView {
            signal: reason.id,
            label: engine.words().label(reason.id).to_owned(),
            text,
            points: reason.points,
            error: errors.get(at).copied(),
        }
    });
    ScoreView {
        score: decision.score,
        probability: decision.probability,
        band: band_word(decision.band),
        base: decision.base,
        reasons: reasons.collect(),
        rest: decision.rest,
        as_of: decision.as_of.0,
        scored_by: engine.scored_by(*by).map(str::to_owned),
        fault: fault.as_ref().map(ScorerFault::code),
    }
}

/// The word that documents and rows use.
pub const fn band_word(band: Band) -> &'static str {
    match band {
        Band::Not => "not",
        Band::Undecided => "undecided",
        Band::Qualified => "qualified",
    }
}

/// Opens a stored profile.
pub fn open(
    key: &SecretKey,
    scope: Scope,
    engine: &Engine,
    stored: &StoredProfile,
) -> Result<Profile, StoreError> {
    let bytes = unseal(key, scope, stored)?;
    engine.open_profile(&bytes).map_err(|error| StoreError::corrupt("profile", error))
}

fn unseal(key: &SecretKey, scope: Scope, stored: &StoredProfile) -> Result<Vec<u8>, StoreError> {
    let opened = key.open(&bound(scope, stored.subject), &stored.sealed);
    opened.map_err(|error| StoreError::corrupt("profile", error))
}

/// Seals a profile for its row.
pub fn seal(
    key: &SecretKey,
    scope: Scope,
    subject: SubjectId,
    engine: &Engine,
    profile: &Profile,
) -> Result<Vec<u8>, StoreError> {
    Ok(key.seal(&bound(scope, subject), &profile.encode(engine.signals()))?)
}

fn bound(scope: Scope, subject: SubjectId) -> Vec<u8> {
    [b"rapport.profile.1".as_slice(), &scope.to_bytes(), &subject.0].concat()
}
