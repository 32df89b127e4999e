//! Events that were acknowledged and wait to be forwarded: files of lines, synced before anybody is told.

use rapport_edge::{Failure, Fate, Host, Waiting, patience};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

/// What waits holds at most this many bytes on disk.
const MOST_BYTES: u64 = 1 << 30;
/// So many batches are on their way at once.
const TOGETHER: usize = 8;
const ENDING: &str = "waiting";

type Told = oneshot::Sender<io::Result<()>>;

enum Message {
    /// Keep these lines; tell once they are on disk.
    Keep(Vec<u8>, Told),
    /// Write to another file from now on.
    Seal(Told),
}

/// The queue of one folder.
pub struct Queue {
    folder: PathBuf,
    writer: Sender<Message>,
    /// Bytes on disk.
    held: Arc<AtomicU64>,
    news: Notify,
}

impl Queue {
    /// Opens a folder; what an earlier process left there is forwarded first.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let files = files(&folder)?;
        let sizes = files.iter().map(|file| file.metadata().map_or(0, |data| data.len()));
        let held = Arc::new(AtomicU64::new(sizes.sum()));
        let next = files.last().and_then(|file| number(file)).map_or(0, |last| last + 1);
        let (writer, messages) = channel();
        let writing = Writer { folder: folder.clone(), next, open: None, held: held.clone() };
        std::thread::Builder::new().name("events".into()).spawn(move || writing.run(&messages))?;
        Ok(Self { folder, writer, held, news: Notify::new() })
    }

    /// Keeps a batch. Done once it is on disk.
    pub async fn keep(&self, batch: &Waiting) -> Result<(), Failure> {
        if self.held.load(Ordering::Relaxed) > MOST_BYTES {
            return Err(Failure(
                "as much waits for the backend as may; try again later".to_owned(),
            ));
        }
        let mut line = serde_json::to_vec(batch).map_err(|error| Failure(error.to_string()))?;
        line.push(b'\n');
        self.told(|told| Message::Keep(line, told))
            .await
            .map_err(|error| Failure(error.to_string()))?;
        self.news.notify_one();
        Ok(())
    }

    /// Forwards what waits, oldest files first, for as long as the process lives. `hurry` makes its waits shorter.
    pub async fn forward<H: Host + 'static>(
        self: Arc<Self>,
        host: Arc<H>,
        deliver: impl Fn(Arc<H>, Waiting) -> Delivery + Clone + Send + Sync + 'static,
        hurry: u32,
    ) {
        loop {
            match self.forward_file(&host, &deliver, hurry).await {
                Ok(true) => {}
                Ok(false) => self.news.notified().await,
                Err(error) => {
                    tracing::error!("events wait, and cannot be read: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Forwards the oldest file; `false` where there is none.
    async fn forward_file<H: Host + 'static>(
        &self,
        host: &Arc<H>,
        deliver: &(impl Fn(Arc<H>, Waiting) -> Delivery + Clone + Send + Sync + 'static),
        hurry: u32,
    ) -> io::Result<bool> {
        self.told(Message::Seal).await?;
        let Some(file) = files(&self.folder)?.into_iter().next() else { return Ok(false) };
        let text = std::fs::read(&file)?;
        let mut under_way = JoinSet::new();
        // What breaks off was not acknowledged.
        for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"))
        {
            let batch: Waiting = match serde_json::from_slice(line) {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::error!("{} holds a line that is none: {error}", file.display());
                    continue;
                }
            };
            while under_way.len() >= TOGETHER {
                under_way.join_next().await;
            }
            under_way.spawn(until_delivered(host.clone(), deliver.clone(), batch, hurry));
        }
        while under_way.join_next().await.is_some() {}
        std::fs::remove_file(&file)?;
        self.held.fetch_sub(
            (text.len() as u64).min(self.held.load(Ordering::Relaxed)),
            Ordering::Relaxed,
        );
        Ok(true)
    }

    async fn told(&self, message: impl FnOnce(Told) -> Message) -> io::Result<()> {
        let (told, hears) = oneshot::channel();
        let ended = || io::Error::other("the thread that writes events ended");
        self.writer.send(message(told)).map_err(|_| ended())?;
        hears.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// An attempt to forward a batch.
pub type Delivery = std::pin::Pin<Box<dyn Future<Output = Fate> + Send>>;

async fn until_delivered<H: Host>(
    host: Arc<H>,
    deliver: impl Fn(Arc<H>, Waiting) -> Delivery,
    batch: Waiting,
    hurry: u32,
) {
    for failures in 0.. {
        match deliver(host.clone(), batch.clone()).await {
            Fate::Delivered => return,
            Fate::Refused(why) => {
                tracing::error!("the backend refused a batch for good: {why}");
                return;
            }
            Fate::Later(why) => {
                tracing::warn!("events wait: {why}");
                let wait = patience(failures, host.now().0 as u8);
                let wait = Duration::from_millis(wait.unsigned_abs()) / hurry.max(1);
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// The one thread that writes: what waits together is synced together.
struct Writer {
    folder: PathBuf,
    next: u64,
    open: Option<File>,
    held: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let (mut lines, mut told, mut sealing) = (Vec::new(), Vec::new(), Vec::new());
            for message in std::iter::once(first).chain(messages.try_iter()) {
                match message {
                    Message::Keep(line, teller) => {
                        lines.extend(line);
                        told.push(teller);
                    }
                    Message::Seal(teller) => sealing.push(teller),
                }
            }
            let written = if lines.is_empty() { Ok(()) } else { self.write(&lines) };
            for teller in told {
                // Who gave up meanwhile needs no answer.
                let _ = teller.send(again(&written));
            }
            if !sealing.is_empty() {
                self.open = None;
            }
            for teller in sealing {
                let _ = teller.send(Ok(()));
            }
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => {
                let path = self.folder.join(format!("{:016}.{ENDING}", self.next));
                self.next += 1;
                let file = OpenOptions::new().create_new(true).append(true).open(path)?;
                // The name is to outlive a crash as well.
                File::open(&self.folder)?.sync_all()?;
                file
            }
        };
        file.write_all(lines)?;
        file.sync_data()?;
        self.held.fetch_add(lines.len() as u64, Ordering::Relaxed);
        // A file that failed is not written to again: what follows a torn line would be lost with it.
        self.open = Some(file);
        Ok(())
    }
}

fn again(result: &io::Result<()>) -> io::Result<()> {
    result.as_ref().copied().map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

/// The files, oldest first.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if number(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn number(file: &Path) -> Option<u64> {
    let ours = file.extension().is_some_and(|ending| ending == ENDING);
    file.file_stem().filter(|_| ours)?.to_str()?.parse().ok()
}
