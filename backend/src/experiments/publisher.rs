//! Brings what was changed to visitors: shortly after a change, what runs is compiled, told to who
//! listens, and published with the bundle. Changes that come together go together.

use super::Payload;
use crate::app::{App, Shared};
use crate::bundles;
use crate::error::{Problem, StoreError, blocking};
use crate::identity::{Actor, Permit, Scope};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// What else is changed within this time goes along.
const TOGETHER: Duration = Duration::from_millis(100);
/// After a failure the publisher waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// The way to the publisher's task.
#[derive(Clone)]
pub struct Publisher {
    inbox: mpsc::UnboundedSender<(Scope, Actor)>,
}

/// What the publisher's task reads.
pub struct Changes(mpsc::UnboundedReceiver<(Scope, Actor)>);

impl Publisher {
    /// A publisher whose task is not running yet, and what to run it with.
    pub fn prepare() -> (Self, Changes) {
        let (inbox, changes) = mpsc::unbounded_channel();
        (Self { inbox }, Changes(changes))
    }

    /// Says that what a scope decides was changed, and by whom.
    pub fn changed(&self, scope: Scope, by: Actor) {
        // Fails only after the task ended; the next start publishes what is missing.
        let _ = self.inbox.send((scope, by));
    }
}

impl Changes {
    /// Publishes until the server stops.
    pub async fn publish(mut self, app: Shared) {
        let mut stopping = app.stopping.subscribe();
        loop {
            let first = tokio::select! {
                first = self.0.recv() => first,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            let Some((scope, by)) = first else { return };
            tokio::time::sleep(TOGETHER).await;
            let mut waiting = BTreeMap::from([(scope, by)]);
            while let Ok((scope, by)) = self.0.try_recv() {
                waiting.insert(scope, by);
            }
            for (scope, by) in waiting {
                let (work, permit) = (app.clone(), Permit::of(by.clone(), scope));
                let published = blocking(move || publish(&work, &permit)).await;
                if let Err(error) = published {
                    tracing::error!(%error, %scope, "flags were not published; it is tried again");
                    tokio::time::sleep(PAUSE).await;
                    app.publisher.changed(scope, by);
                }
            }
        }
    }
}

/// Publishes what a stop may have kept from being published.
///
/// # Errors
/// Where the records cannot be read.
pub fn publish_all(app: &App) -> Result<(), StoreError> {
    for scope in app.records.defined_scopes()? {
        app.publisher.changed(scope, Actor("server".to_owned()));
    }
    Ok(())
}

fn publish(app: &App, permit: &Permit) -> Result<(), Problem> {
    let scope = permit.scope();
    let open = app.flags.refresh(app, scope)?;
    bundles::publish_flags(app, permit, &open.flags)?;
    Ok(())
}

/// What runs in a scope; `None` where nothing was ever authored.
///
/// # Errors
/// Where the records cannot be read.
pub fn payload(app: &App, scope: Scope) -> Result<Option<Payload>, StoreError> {
    let definitions = app.records.definitions(scope)?;
    if definitions.is_empty() {
        return Ok(None);
    }
    let learnt = app.records.newest_weights(scope)?;
    Ok(Some(Payload::with(&definitions, learnt)))
}
