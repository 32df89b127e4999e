//! What the server tells a page in return, where the page asks: its own fold of the visitor.

use super::view::{ConsentView, HintsView};
use super::writer::Submission;
use crate::app::{App, Shared};
use crate::clock::Millis;
use crate::error::{Problem, StoreError, blocking};
use crate::identity::{Scope, SubjectId};
use crate::log::{Draft, Offset};
use crate::profiles::{Who, given, profile_bytes, profiling_word};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::time::Duration;

/// A page waits no longer than this for the fold to catch up.
const PATIENCE: Duration = Duration::from_millis(500);
/// A page that was away for longer asks again.
const LIFE: Millis = 24 * 3_600_000;

/// The browser that a batch is of. Only who is known by a browser's own random id gets hints: a
/// `userId` can be guessed, and a claim returns nothing.
#[derive(Debug)]
pub struct Browser {
    pub subject: SubjectId,
    pub anonymous_id: String,
    /// Whether the visitor agreed to anything that an id is kept for.
    pub stores: bool,
    /// The last event of the batch, in the order in which events fold.
    last: (Millis, String),
}

/// Whom a batch's events are about, as they come by.
#[derive(Debug, Default)]
pub enum Asking {
    #[default]
    Nobody,
    One(Browser),
    /// Several, or somebody without an id of a browser's own.
    Others,
}

impl Asking {
    /// Looks at the next event.
    pub fn add(&mut self, draft: &Draft, anonymous_id: Option<String>) {
        let last = || (draft.event_time, draft.message_id.clone());
        let known = anonymous_id.filter(|id| !id.is_empty());
        match (&mut *self, known) {
            (Self::Nobody, Some(anonymous_id)) => {
                let (subject, stores) = (draft.subject, draft.consent.analytics);
                *self = Self::One(Browser { subject, anonymous_id, stores, last: last() });
            }
            (Self::One(browser), Some(_)) if browser.subject == draft.subject => {
                browser.stores &= draft.consent.analytics;
                if draft.event_time >= browser.last.0 {
                    browser.last = last();
                }
            }
            _ => *self = Self::Others,
        }
    }

    /// The one browser that all of them are about.
    pub fn one(self) -> Option<Browser> {
        if let Self::One(browser) = self { Some(browser) } else { None }
    }
}

impl Browser {
    /// The server's profile of the browser. The profile itself is left out where the fold has not
    /// caught up with what was just acknowledged, or with a new bundle.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub async fn answer(
        self,
        app: &Shared,
        scope: Scope,
        submissions: &[Submission],
    ) -> Result<Option<HintsView>, Problem> {
        let written = submissions.iter().filter_map(|submission| match submission {
            Submission::Accepted(offset) => Some(*offset),
            _ => None,
        });
        let mut last = written.max().unwrap_or_default();
        if submissions.contains(&Submission::Duplicate) {
            // It was acknowledged before, nobody knows when.
            let app = app.clone();
            last = blocking(move || app.log.end(scope)).await?;
        }
        app.projector.reached(app, scope, last, PATIENCE).await?;
        let app = app.clone();
        blocking(move || self.look_up(&app, scope, last)).await
    }

    fn look_up(
        self,
        app: &App,
        scope: Scope,
        last: Offset,
    ) -> Result<Option<HintsView>, StoreError> {
        let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(None) };
        let position = app.profiles.position(scope)?;
        let now = crate::clock::now();
        let mut view = HintsView {
            version: position.0,
            now,
            expires: now + LIFE,
            anonymous_id: self.anonymous_id,
            profile: None,
            up_to: None,
            events: None,
            as_of: None,
            bundle: bundle.digest.to_string(),
            signals: Vec::new(),
            consent: None,
        };
        let Some((stored, profile)) = profile_bytes(app, scope, self.subject)? else {
            // Who said no on another device is told so; what was said here the page knows itself.
            let who = Who::stored(app, scope);
            if who.members(who.person(self.subject)?)?.len() < 2 {
                return Ok(None);
            }
            let word = profiling_word(app, scope, self.subject, position)?;
            view.consent = word.map(|profiling| ConsentView { profiling });
            return Ok(view.consent.is_some().then_some(view));
        };
        if position >= last && stored.signals == bundle.signals {
            if bundle.given {
                let engine = bundle.engine();
                let opened = engine.open_profile(&profile);
                let opened = opened.map_err(|error| StoreError::corrupt("profile", error))?;
                view.signals = given::shown(engine.signals(), &opened);
            }
            let (time, message_id) = self.last;
            view.profile = Some(BASE64_STANDARD.encode(profile));
            view.up_to = (stored.event_time == time).then_some(message_id);
            (view.events, view.as_of) = (Some(stored.events), Some(stored.as_of));
        }
        Ok(Some(view))
    }
}
