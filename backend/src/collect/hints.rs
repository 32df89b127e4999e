//! What the server tells a page in return, where the page asks: its own fold of the visitor.

use super::view::HintView;
use super::writer::Submission;
use crate::app::{App, Shared};
use crate::error::{Problem, StoreError, blocking};
use crate::identity::{Scope, SubjectId};
use crate::profiles::profile_bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeMap;
use std::time::Duration;

/// A page waits no longer than this for the fold to catch up; what it gets then is older.
const PATIENCE: Duration = Duration::from_millis(500);
/// Nobody browses as more people than this at once.
const MOST: usize = 8;

/// The browsers of a batch by their subjects. Only who is known by a browser's own random id gets
/// hints: a `userId` can be guessed, and a claim returns nothing.
#[derive(Debug, Default)]
pub struct Asking {
    browsers: BTreeMap<SubjectId, String>,
}

impl Asking {
    /// Remembers a browser.
    pub fn add(&mut self, subject: SubjectId, anonymous_id: Option<&str>) {
        if let Some(id) = anonymous_id.filter(|id| !id.is_empty())
            && self.browsers.len() < MOST
        {
            self.browsers.insert(subject, id.to_owned());
        }
    }

    /// The server's profiles of the browsers, as far as the log has been folded.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub async fn answer(
        self,
        app: &Shared,
        scope: Scope,
        submissions: &[Submission],
    ) -> Result<Vec<HintView>, Problem> {
        let written = submissions.iter().filter_map(|submission| match submission {
            Submission::Accepted(offset) => Some(*offset),
            _ => None,
        });
        if let Some(last) = written.max() {
            app.projector.reached(app, scope, last, PATIENCE).await?;
        }
        let app = app.clone();
        blocking(move || {
            self.browsers
                .into_iter()
                .filter_map(|(subject, id)| hint(&app, scope, subject, id).transpose())
                .collect::<Result<_, _>>()
        })
        .await
    }
}

fn hint(
    app: &App,
    scope: Scope,
    subject: SubjectId,
    anonymous_id: String,
) -> Result<Option<HintView>, StoreError> {
    let Some((stored, profile)) = profile_bytes(app, scope, subject)? else { return Ok(None) };
    Ok(Some(HintView {
        anonymous_id,
        profile: BASE64_STANDARD.encode(profile),
        events: stored.events,
        as_of: stored.as_of,
        signals: stored.signals.to_string(),
    }))
}
