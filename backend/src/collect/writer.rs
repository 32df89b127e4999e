//! The one thread that writes the log: what waits together is committed together.

use crate::error::{Problem, StoreError};
use crate::identity::Scope;
use crate::keys::{KeyStore, SubjectKey};
use crate::log::{Appended, Draft, EventLog, Offset, SealedWire, seal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// An event that passed the door.
#[derive(Debug)]
pub struct Item {
    pub draft: Draft,
    pub contents: SealedWire,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    Accepted(Offset),
    Duplicate,
    /// Its visitor was erased and stays so.
    Erased,
}

/// The way to the writer's thread.
pub struct Writer {
    queue: mpsc::Sender<Message>,
    /// Kilobytes that may wait.
    room: Arc<Semaphore>,
}

enum Message {
    Write(Waiting),
    Stop,
}

struct Waiting {
    items: Vec<Item>,
    done: oneshot::Sender<Result<Vec<Submission>, Arc<StoreError>>>,
    _room: OwnedSemaphorePermit,
}

/// Requests that may wait.
const QUEUE: usize = 4096;
/// A commit takes at most about this many events.
const GROUP: usize = 4000;
const RETRY_AFTER_SECONDS: u32 = 1;

impl Writer {
    /// Starts the thread; `backlog` bytes of events may wait for it.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        log: Arc<dyn EventLog>,
        keys: Arc<dyn KeyStore>,
        backlog: usize,
        written: impl Fn(Scope) + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("log writer".to_owned())
            .spawn(move || run(inbox, &*log, &*keys, &written))?;
        Ok((Self { queue, room: Arc::new(Semaphore::new(backlog / 1024)) }, thread))
    }

    /// Writes the items; answers when they are on stable storage.
    ///
    /// # Errors
    /// [`Problem::Overloaded`] where too much waits already, or why the log could not be written.
    pub async fn submit(&self, items: Vec<Item>, bytes: usize) -> Result<Vec<Submission>, Problem> {
        let overloaded = || Problem::Overloaded { retry_after: RETRY_AFTER_SECONDS };
        let kilobytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(kilobytes).map_err(|_| overloaded())?;
        let (done, result) = oneshot::channel();
        self.queue.try_send(Message::Write(Waiting { items, done, _room: room })).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => overloaded(),
                mpsc::error::TrySendError::Closed(_) => StoreError::Stopping.into(),
            },
        )?;
        let result = result.await.map_err(|_| StoreError::Stopping)?;
        result.map_err(|error| StoreError::Shared(error).into())
    }

    /// Ends the thread when all that waits is written.
    pub async fn stop(&self) {
        // Fails only where the thread has ended already.
        let _ = self.queue.send(Message::Stop).await;
    }
}

fn run(
    mut inbox: mpsc::Receiver<Message>,
    log: &dyn EventLog,
    keys: &dyn KeyStore,
    written: &dyn Fn(Scope),
) {
    while let Some(Message::Write(first)) = inbox.blocking_recv() {
        let mut count = first.items.len();
        let mut group = vec![first];
        let mut stop = false;
        while count < GROUP
            && let Ok(next) = inbox.try_recv()
        {
            let Message::Write(next) = next else {
                stop = true;
                break;
            };
            count += next.items.len();
            group.push(next);
        }
        let (items, requests): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.items, (waiting.done, waiting._room))).unzip();
        let sizes: Vec<_> = items.iter().map(Vec::len).collect();
        let outcome = write(log, keys, items.into_iter().flatten().collect()).map_err(Arc::new);
        if let Ok((_, scopes)) = &outcome {
            scopes.iter().for_each(|scope| written(*scope));
        }
        let mut at = 0;
        for ((done, _room), size) in requests.into_iter().zip(sizes) {
            let own = outcome
                .as_ref()
                .map(|(results, _)| results.get(at..at + size).unwrap_or_default().to_vec())
                .map_err(Arc::clone);
            at += size;
            // Whoever no longer listens has what it sent written all the same.
            let _ = done.send(own);
        }
        if stop {
            return;
        }
    }
}

/// Seals and appends in one commit; answers what became of each item, and which scopes grew.
fn write(
    log: &dyn EventLog,
    keys: &dyn KeyStore,
    items: Vec<Item>,
) -> Result<(Vec<Submission>, BTreeSet<Scope>), StoreError> {
    let mut subjects: BTreeMap<Scope, BTreeSet<_>> = BTreeMap::new();
    for item in &items {
        subjects.entry(item.draft.scope).or_default().insert(item.draft.subject);
    }
    let mut subject_keys = BTreeMap::new();
    for (scope, subjects) in subjects {
        let subjects: Vec<_> = subjects.into_iter().collect();
        let found = keys.ensure_subject_keys(scope, &subjects)?;
        subject_keys
            .extend(subjects.into_iter().zip(found).map(|(subject, key)| ((scope, subject), key)));
    }
    // Where each draft's result goes.
    let (mut drafts, mut places) =
        (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    let mut results = vec![Submission::Erased; items.len()];
    for (place, Item { mut draft, contents }) in items.into_iter().enumerate() {
        if let Some(SubjectKey::Kept(key)) = subject_keys.get(&(draft.scope, draft.subject)) {
            draft.sealed = seal(key, &draft, &contents)?;
            drafts.push(draft);
            places.push(place);
        }
    }
    let mut scopes = BTreeSet::new();
    for ((place, appended), draft) in places.into_iter().zip(log.append(&drafts)?).zip(&drafts) {
        let result = match appended {
            Appended::At(offset) => {
                scopes.insert(draft.scope);
                Submission::Accepted(offset)
            }
            Appended::Duplicate => Submission::Duplicate,
        };
        if let Some(slot) = results.get_mut(place) {
            *slot = result;
        }
    }
    Ok((results, scopes))
}
