//! What an acknowledgement means: on stable storage, whatever happens to the machine or its disk.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Reply, Tenant, page};
use rapport_backend::keys::DirectoryKeys;
use rapport_backend::log::{DayLog, Disk, EventLog, MachineDisk, Offset, Replayed, contents};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A disk that remembers what it was asked to keep, and fails or waits where it is told to.
#[derive(Debug, Default)]
struct Watched {
    /// What each file would hold after a power cut.
    durable: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    /// Syncs that may return; none where absent.
    held: Mutex<bool>,
    released: Condvar,
    syncs: AtomicU64,
    fails: Mutex<Option<Fault>>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Every write.
    Full,
    /// Every sync.
    ReadOnly,
    /// Writes that hold this text.
    Text(&'static str),
}

impl Watched {
    fn hold(&self, hold: bool) {
        *self.held.lock().unwrap() = hold;
        self.released.notify_all();
    }

    fn fail(&self, fault: Option<Fault>) {
        *self.fails.lock().unwrap() = fault;
    }

    fn keeps(&self, text: &str) -> bool {
        let durable = self.durable.lock().unwrap();
        durable.values().any(|bytes| holds(bytes, text))
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

impl Disk for Watched {
    fn write(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        match *self.fails.lock().unwrap() {
            Some(Fault::Full) => {
                // As a disk does that fills up in the middle.
                MachineDisk.write(path, file, &bytes[..bytes.len() / 2], at)?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Some(Fault::Text(text)) if holds(bytes, text) => {
                return Err(io::Error::other("this record cannot be written"));
            }
            _ => {}
        }
        MachineDisk.write(path, file, bytes, at)
    }

    fn sync(&self, path: &Path, _file: &File) -> io::Result<()> {
        if let Some(Fault::ReadOnly) = *self.fails.lock().unwrap() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let mut held = self.held.lock().unwrap();
        while *held {
            held = self.released.wait(held).unwrap();
        }
        drop(held);
        // Nobody else writes to the file meanwhile: there is one writer.
        let bytes = std::fs::read(path)?;
        self.durable.lock().unwrap().insert(path.to_owned(), bytes);
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn watched() -> (House, Arc<Watched>) {
    let disk = Arc::new(Watched::default());
    let house = House::open_with(|config| config.disk = disk.clone());
    (house, disk)
}

fn send(house: &House, tenant: &Tenant, ids: &[String]) -> Reply {
    let batch: Vec<_> = ids.iter().map(|id| page("ann", id, "/")).collect();
    house.post("/v1/events").key(&tenant.write_key).json(&json!({ "batch": batch })).send()
}

fn statuses(reply: &Reply) -> Vec<Value> {
    let reply = reply.json();
    reply["results"].as_array().unwrap().iter().map(|result| result["status"].clone()).collect()
}

#[test]
fn every_answer_follows_the_sync_that_kept_its_events() {
    let (house, disk) = watched();
    let acme = house.tenant("Acme");
    std::thread::scope(|scope| {
        for sender in 0..6 {
            let (house, acme, disk) = (&house, &acme, &disk);
            scope.spawn(move || {
                for number in 0..8 {
                    let ids: Vec<_> =
                        (0..3).map(|event| format!("m-{sender}-{number}-{event}.")).collect();
                    assert_eq!(send(house, acme, &ids).status, 200);
                    assert!(ids.iter().all(|id| disk.keeps(id)), "{ids:?} answered before kept");
                }
            });
        }
    });
    let before = disk.syncs.load(Ordering::SeqCst);
    disk.hold(true);
    std::thread::scope(|scope| {
        let (answer, answered) = std::sync::mpsc::channel();
        let (house, acme) = (&house, &acme);
        scope.spawn(move || answer.send(send(house, acme, &["late".to_owned()])).unwrap());
        assert!(answered.recv_timeout(Duration::from_millis(300)).is_err(), "no sync, no answer");
        let status = house.get("/v1/profiles/status").key(&acme.admin_key).send();
        assert_eq!(status.status, 200, "who only asks does not wait for the disk");
        assert_eq!(disk.syncs.load(Ordering::SeqCst), before);
        disk.hold(false);
        assert_eq!(answered.recv().unwrap().status, 200);
    });
}

/// Copies the key store as it stands whenever envelopes are written.
#[derive(Debug)]
struct Copying {
    keys: PathBuf,
    copies: PathBuf,
    count: AtomicU64,
}

impl Disk for Copying {
    fn write(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if at > 8 {
            let number = self.count.fetch_add(1, Ordering::SeqCst);
            house::copy(&self.keys, &self.copies.join(number.to_string()));
        }
        MachineDisk.write(path, file, bytes, at)
    }

    fn sync(&self, path: &Path, file: &File) -> io::Result<()> {
        MachineDisk.sync(path, file)
    }
}

#[test]
fn a_key_is_kept_before_the_first_event_that_needs_it() {
    let (keys, copies) = (house::scratch(), house::scratch());
    let (keys_at, copies_at) = (keys.join("keys"), copies.to_path_buf());
    let count = AtomicU64::new(0);
    let disk = Arc::new(Copying { keys: keys_at.clone(), copies: copies_at, count });
    let mut house = House::open_with(|config| {
        config.disk = disk.clone();
        config.keys = keys_at.clone();
    });
    let acme = house.tenant("Acme");
    for number in 0..3 {
        // Each event is somebody's first.
        let event = page(&format!("new {number}"), &format!("m{number}"), "/");
        assert_eq!(house.send(&acme, json!([event]))["accepted"], 1);
    }
    house.stop();
    let log = DayLog::open(&house.directory).unwrap();
    let envelopes = log.read(acme.scope, Offset(0), 10).unwrap();
    assert_eq!(envelopes.len(), 3);
    for (number, envelope) in envelopes.into_iter().skip(1).enumerate() {
        // The first group stands right behind the journal's magic and is not copied.
        let kept = DirectoryKeys::open(&copies.join(number.to_string())).unwrap();
        assert!(matches!(contents(&kept, envelope).unwrap(), Replayed::Event(_)), "{number}");
    }
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    let (mut house, disk) = watched();
    let acme = house.tenant("Acme");
    let acknowledged = Mutex::new(BTreeSet::new());
    let (kept, image) = std::thread::scope(|scope| {
        for sender in 0..6 {
            let (house, acme, acknowledged) = (&house, &acme, &acknowledged);
            scope.spawn(move || {
                for number in 0..20 {
                    let ids: Vec<_> =
                        (0..4).map(|event| format!("m-{sender}-{number}-{event}")).collect();
                    assert_eq!(send(house, acme, &ids).status, 200);
                    acknowledged.lock().unwrap().extend(ids);
                }
            });
        }
        // The power fails while much is under way.
        while acknowledged.lock().unwrap().len() < 200 {
            std::thread::yield_now();
        }
        let kept = acknowledged.lock().unwrap().clone();
        (kept, disk.durable.lock().unwrap().clone())
    });
    house.stop();
    for (path, mut bytes) in image {
        // Of what was not synced, some may have arrived all the same, and not in order.
        let now = std::fs::read(&path).unwrap();
        let torn = now[bytes.len()..].iter().enumerate();
        bytes.extend(torn.take(700).map(|(at, byte)| if at % 512 < 100 { 0 } else { *byte }));
        std::fs::write(&path, bytes).unwrap();
    }
    // What followed from the log is younger than it now.
    house.start();
    let ids: Vec<_> = kept.iter().cloned().collect();
    for ids in ids.chunks(50) {
        let statuses = statuses(&send(&house, &acme, ids));
        assert!(statuses.iter().all(|status| status == "duplicate"), "{statuses:?}");
    }
    let new = send(&house, &acme, &["after".to_owned()]);
    assert_eq!(statuses(&new), ["accepted"]);
}

#[test]
fn a_disk_that_is_full_or_read_only_refuses_and_recovers() {
    let (mut house, disk) = watched();
    let acme = house.tenant("Acme");
    let id = |text: &str| [text.to_owned()];
    assert_eq!(send(&house, &acme, &id("m1")).status, 200);
    for (fault, says) in [(Fault::Full, "disk-full"), (Fault::ReadOnly, "read-only")] {
        disk.fail(Some(fault));
        for _ in 0..3 {
            let refused = send(&house, &acme, &id(says));
            assert_eq!(refused.status, 507, "{}", refused.text);
            assert!(refused.text.contains(says), "{}", refused.text);
        }
        disk.fail(None);
        assert_eq!(statuses(&send(&house, &acme, &id(says))), ["accepted"], "as if new");
    }
    assert_eq!(house.settle(&acme, 3).len(), 1);
    house.stop();
    house.start();
    assert_eq!(statuses(&send(&house, &acme, &id("disk-full"))), ["duplicate"]);
}

#[test]
fn a_record_that_cannot_be_written_refuses_no_other() {
    let (house, disk) = watched();
    let acme = house.tenant("Acme");
    send(&house, &acme, &["first".to_owned()]);
    disk.fail(Some(Fault::Text("poison")));
    // The first request holds the writer back, so that the others come as one group.
    disk.hold(true);
    std::thread::scope(|scope| {
        let (house, acme) = (&house, &acme);
        let senders: Vec<_> = (0..8)
            .map(|number| {
                let id = if number == 5 { "poison".to_owned() } else { format!("m{number}") };
                scope.spawn(move || send(house, acme, &[id]).status)
            })
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        disk.hold(false);
        let statuses: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        let expected: Vec<_> = (0..8).map(|number| if number == 5 { 500 } else { 200 }).collect();
        assert_eq!(statuses, expected);
    });
    house.settle(&acme, 8);
}
