//! What the server tells a page in return, where the page asks: its own fold of the visitor.

use super::view::HintsView;
use super::writer::{Item, Submission};
use crate::app::{App, Shared};
use crate::clock::Millis;
use crate::error::{Problem, StoreError, blocking};
use crate::identity::{Scope, SubjectId};
use crate::log::Offset;
use crate::profiles::profile_bytes;
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
pub struct Asking {
    pub subject: SubjectId,
    pub anonymous_id: String,
    /// Whether the visitor agreed to anything that an id is kept for.
    pub stores: bool,
    /// The last event of the batch, in the order in which events fold.
    last: (Millis, String),
}

impl Asking {
    /// The one browser of a batch; `None` where there is none, or several.
    pub fn of(items: &[Item]) -> Option<Self> {
        let last = items.iter().max_by_key(|item| item.draft.event_time)?;
        let subject = last.draft.subject;
        let anonymous_id = last.contents.event.anonymous_id.clone().filter(|id| !id.is_empty())?;
        items.iter().all(|item| item.draft.subject == subject).then(|| Self {
            subject,
            anonymous_id,
            stores: items.iter().all(|item| item.draft.consent.analytics),
            last: (last.draft.event_time, last.draft.message_id.clone()),
        })
    }

    /// The server's profile of the browser. The profile itself is left out where the fold has not
    /// caught up with what was just acknowledged.
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
        let last = written.max().unwrap_or_default();
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
        let current = app.profiles.position(scope)? >= last;
        let Some((stored, profile)) = profile_bytes(app, scope, self.subject)? else {
            return Ok(None);
        };
        let (time, message_id) = self.last;
        Ok(Some(HintsView {
            version: stored.as_of,
            expires: crate::clock::now() + LIFE,
            anonymous_id: self.anonymous_id,
            profile: current.then(|| BASE64_STANDARD.encode(profile)),
            up_to: (current && stored.event_time == time).then_some(message_id),
            events: stored.events,
            as_of: stored.as_of,
            bundle: stored.signals.to_string(),
        }))
    }
}
