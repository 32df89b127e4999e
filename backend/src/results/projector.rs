//! The thread that finds exposures and conversions in the log.

use super::reading::Reads;
use super::store::Found;
use crate::app::{App, Shared};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The way to the thread.
#[derive(Clone)]
pub struct Exposures {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    /// The log of a scope grew, or what is looked for changed; whoever waits is told when it is read.
    Read(Scope, Option<oneshot::Sender<()>>),
    /// Some were erased.
    Forget(Scope, Vec<SubjectId>),
    Stop,
}

/// Envelopes that are read in one commit.
const READ: u32 = 8192;
/// Nobody looks at results more often.
const REST: Duration = Duration::from_millis(100);
/// After a failure the thread waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// What the thread reads.
pub(crate) struct Inbox(mpsc::Receiver<Message>);

impl Exposures {
    /// A projector whose thread is not running yet, and what to run it with.
    pub(crate) fn prepare() -> (Self, Inbox) {
        let (inbox, messages) = mpsc::channel();
        (Self { inbox }, Inbox(messages))
    }

    /// Says that the log of a scope grew.
    pub fn grew(&self, scope: Scope) {
        // Fails only after the thread was told to stop; the next start catches up.
        let _ = self.inbox.send(Message::Read(scope, None));
    }

    /// Waits until the log of a scope is read, but no longer than `patience`.
    pub async fn catch_up(&self, scope: Scope, patience: Duration) {
        let (done, read) = oneshot::channel();
        let _ = self.inbox.send(Message::Read(scope, Some(done)));
        // Whoever waited in vain is answered with what there is.
        let _ = tokio::time::timeout(patience, read).await;
    }

    /// Drops what is about subjects, after what is being read.
    pub fn forget(&self, scope: Scope, subjects: Vec<SubjectId>) {
        let _ = self.inbox.send(Message::Forget(scope, subjects));
    }

    /// Ends the thread after what it is doing.
    pub fn stop(&self) {
        let _ = self.inbox.send(Message::Stop);
    }
}

impl Inbox {
    /// Starts the thread, which first catches up with the log.
    pub(crate) fn run(self, app: Shared) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("results".to_owned()).spawn(move || run(&self.0, &app))
    }
}

fn run(inbox: &mpsc::Receiver<Message>, app: &App) {
    match app.log.ends() {
        Ok(ends) => ends.into_iter().for_each(|(scope, _)| app.exposures.grew(scope)),
        Err(error) => tracing::error!(%error, "results cannot be read from the log"),
    }
    while let Ok(first) = inbox.recv() {
        // A scope that grew a hundred times meanwhile is read once.
        let (mut scopes, mut waiting) = (BTreeSet::new(), Vec::new());
        for message in std::iter::once(first).chain(inbox.try_iter()) {
            match message {
                Message::Read(scope, done) => {
                    scopes.insert(scope);
                    waiting.extend(done);
                }
                Message::Forget(scope, subjects) => {
                    if let Err(error) = app.results.forget(scope, &subjects) {
                        tracing::error!(%error, %scope, "an erasure is tried again in results");
                        std::thread::sleep(PAUSE);
                        app.exposures.forget(scope, subjects);
                    }
                }
                Message::Stop => return,
            }
        }
        for scope in scopes {
            if let Err(error) = catch_up(app, scope) {
                tracing::error!(%error, %scope, "results are not up to date; it is tried again");
                std::thread::sleep(PAUSE);
                app.exposures.grew(scope);
            }
        }
        let asked = !waiting.is_empty();
        waiting.into_iter().for_each(|done: oneshot::Sender<()>| _ = done.send(()));
        if !asked {
            std::thread::sleep(REST);
        }
    }
}

fn catch_up(app: &App, scope: Scope) -> Result<(), StoreError> {
    let Some(reads) = Reads::of(app, scope)? else { return Ok(()) };
    let known = app.results.reading(scope)?;
    let end = app.log.end(scope)?;
    if known.is_none_or(|(position, digest)| digest != reads.digest || position > end) {
        app.results.begin(scope, reads.digest)?;
    }
    loop {
        let position =
            app.results.reading(scope)?.map(|(position, _)| position).unwrap_or_default();
        let step = app.log.read(scope, position, READ)?;
        let Some(last) = step.last().map(|last| last.offset) else { return Ok(()) };
        let mut found = Found::default();
        for envelope in step {
            reads.read(&*app.keys, envelope, &mut found)?;
        }
        app.results.add(scope, last, &found)?;
        if *app.stopping.borrow() {
            // The next start goes on from here.
            return Ok(());
        }
    }
}
