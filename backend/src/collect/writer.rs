//! The one thread that writes the log: what waits together is committed together.

use crate::error::{Problem, StoreError};
use crate::identity::{Scope, SubjectId};
use crate::keys::{KeyStore, SubjectKey};
use crate::log::{Appended, Draft, EventLog, Offset, Plain, seal_bytes};
use crate::profiles::WaitingView;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// An event that passed the door.
#[derive(Debug)]
pub struct Item {
    pub draft: Draft,
    /// What will be sealed: small, because many items may wait.
    plain: Vec<u8>,
}

impl Item {
    /// A draft and what is to be sealed in it.
    pub fn new(draft: Draft, plain: Plain) -> Self {
        let Plain { bytes: plain, schema_version } = plain;
        Self { draft: Draft { schema_version, ..draft }, plain }
    }
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
    backlog: Backlog,
}

/// The room for events that are being read or wait to be written, in kilobytes.
#[derive(Clone)]
pub struct Backlog {
    free: Arc<Semaphore>,
    most: usize,
}

/// A place in the backlog, given up when it is dropped.
pub struct Room {
    held: OwnedSemaphorePermit,
    backlog: Backlog,
}

impl Backlog {
    fn new(bytes: usize) -> Self {
        let most = bytes / 1024;
        Self { free: Arc::new(Semaphore::new(most)), most }
    }

    /// The smallest place.
    ///
    /// # Errors
    /// [`Problem::Overloaded`] where there is none.
    pub fn room(&self) -> Result<Room, Problem> {
        Ok(Room { held: self.take(1)?, backlog: self.clone() })
    }

    fn take(&self, kilobytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kilobytes = u32::try_from(kilobytes).unwrap_or(u32::MAX);
        let taken = self.free.clone().try_acquire_many_owned(kilobytes);
        taken.map_err(|_| Problem::Overloaded { retry_after: RETRY_AFTER_SECONDS })
    }
}

impl Room {
    /// Makes it large enough for so many bytes.
    ///
    /// # Errors
    /// [`Problem::Overloaded`] where the backlog is full.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let wanted = bytes / 1024 + 1;
        let held = self.held.num_permits();
        if wanted > held {
            self.held.merge(self.backlog.take(wanted - held)?);
        }
        Ok(())
    }
}

enum Message {
    Write(Waiting),
    Stop,
}

struct Waiting {
    items: Vec<Item>,
    done: oneshot::Sender<Result<Vec<Submission>, Arc<StoreError>>>,
    _room: Room,
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
        Ok((Self { queue, backlog: Backlog::new(backlog) }, thread))
    }

    /// Where bodies are counted while they arrive.
    pub const fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// What waits for it.
    pub fn waiting(&self) -> WaitingView {
        let Backlog { free, most } = &self.backlog;
        WaitingView {
            requests: self.queue.max_capacity() - self.queue.capacity(),
            kilobytes: most.saturating_sub(free.available_permits()),
            most: *most,
        }
    }

    /// Writes the items; answers when they are on stable storage.
    ///
    /// # Errors
    /// [`Problem::Overloaded`] where too much waits already, or why the log could not be written.
    pub async fn submit(&self, items: Vec<Item>, room: Room) -> Result<Vec<Submission>, Problem> {
        let (done, result) = oneshot::channel();
        self.queue.try_send(Message::Write(Waiting { items, done, _room: room })).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    Problem::Overloaded { retry_after: RETRY_AFTER_SECONDS }
                }
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
        let (outcomes, grew) = write(log, keys, items);
        grew.into_iter().for_each(written);
        for ((done, _room), outcome) in requests.into_iter().zip(outcomes) {
            // Whoever no longer listens has what it sent written all the same.
            let _ = done.send(outcome);
        }
        if stop {
            return;
        }
    }
}

/// What became of a request, or why it could not be written.
pub type Outcome = Result<Vec<Submission>, Arc<StoreError>>;

/// Seals and appends in one commit; answers what became of each request, and which scopes grew.
/// What is wrong with one request is no other's fault: where the commit fails, each tries its own.
pub fn write(
    log: &dyn EventLog,
    keys: &dyn KeyStore,
    requests: Vec<Vec<Item>>,
) -> (Vec<Outcome>, BTreeSet<Scope>) {
    let subject_keys = subject_keys(keys, &requests);
    let mut drafts = Vec::with_capacity(requests.iter().map(Vec::len).sum());
    let sealed: Vec<_> = requests
        .into_iter()
        .map(|items| {
            let start = drafts.len();
            let places = seal_all(&subject_keys, items, &mut drafts);
            if places.is_err() {
                drafts.truncate(start);
            }
            places.map(|places| (places, start..drafts.len()))
        })
        .collect();
    let together = log.append(&drafts).map_err(Arc::new);
    let several = sealed.iter().filter(|request| request.is_ok()).count() > 1;
    let mut grew = BTreeSet::new();
    let outcomes = sealed.into_iter().map(|request| {
        let (places, range) = request?;
        let own = drafts.get(range.clone()).unwrap_or_default();
        let appended = match &together {
            Ok(appended) => appended.get(range).unwrap_or_default().to_vec(),
            Err(_) if several => log.append(own)?,
            Err(error) => return Err(StoreError::Shared(error.clone())),
        };
        let mut results = vec![Submission::Erased; places.len()];
        let kept = results.iter_mut().zip(&places).filter(|(_, kept)| **kept);
        for (((result, _), appended), draft) in kept.zip(appended).zip(own) {
            *result = match appended {
                Appended::At(offset) => {
                    grew.insert(draft.scope);
                    Submission::Accepted(offset)
                }
                Appended::Duplicate => Submission::Duplicate,
            };
        }
        Ok(results)
    });
    let outcomes = outcomes.map(|outcome| outcome.map_err(Arc::new)).collect();
    (outcomes, grew)
}

type SubjectKeys = BTreeMap<Scope, Result<BTreeMap<SubjectId, SubjectKey>, Arc<StoreError>>>;

/// The keys of everybody whom the requests are about.
fn subject_keys(keys: &dyn KeyStore, requests: &[Vec<Item>]) -> SubjectKeys {
    let mut subjects: BTreeMap<Scope, BTreeSet<_>> = BTreeMap::new();
    for item in requests.iter().flatten() {
        subjects.entry(item.draft.scope).or_default().insert(item.draft.subject);
    }
    let found = subjects.into_iter().map(|(scope, subjects)| {
        let subjects: Vec<_> = subjects.into_iter().collect();
        let keys = keys.ensure_subject_keys(scope, &subjects);
        (scope, keys.map(|keys| subjects.into_iter().zip(keys).collect()).map_err(Arc::new))
    });
    found.collect()
}

/// Seals the items of a request; answers of each whether it is among the drafts, which it is not
/// where its visitor was erased.
fn seal_all(
    keys: &SubjectKeys,
    items: Vec<Item>,
    drafts: &mut Vec<Draft>,
) -> Result<Vec<bool>, StoreError> {
    let mut kept = Vec::with_capacity(items.len());
    for Item { mut draft, plain } in items {
        let of_scope = match keys.get(&draft.scope) {
            Some(Ok(keys)) => keys,
            Some(Err(error)) => return Err(StoreError::Shared(error.clone())),
            None => return Err(StoreError::corrupt("key", "its workspace has none")),
        };
        let key = of_scope.get(&draft.subject).cloned().and_then(SubjectKey::kept);
        kept.push(key.is_some());
        if let Some(key) = key {
            draft.sealed = seal_bytes(&key, &draft, &plain)?;
            drafts.push(draft);
        }
    }
    Ok(kept)
}
