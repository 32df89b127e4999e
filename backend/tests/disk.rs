//! Disks that are really full or read-only: what was acknowledged stays, what was refused comes later, once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Scratch, Tenant, eventually, page, scratch};
use rapport_backend::log::{Disk, MachineDisk, survey};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

/// A file system of so many megabytes, in memory.
struct Small(Scratch);

impl Small {
    /// Nothing where the system does not allow it.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = scratch();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "rapport"]);
        run(mount.arg(&*directory)).then(|| Self(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What is still open there goes when it is closed.
        let _ = Command::new("umount").arg("--lazy").arg(&*self.0).status();
    }
}

/// A disk in a file, with a file system that has been on many machines.
struct Image {
    file: PathBuf,
    mounted: PathBuf,
    _room: Scratch,
}

impl Image {
    /// Nothing where the system does not allow it.
    fn make(megabytes: u32) -> Option<Self> {
        let room = scratch();
        let (file, mounted) = (room.join("disk"), room.join("mounted"));
        std::fs::create_dir(&mounted).unwrap();
        let image = Self { file, mounted, _room: room };
        let size = format!("{megabytes}M");
        let made = run(Command::new("truncate").args(["--size", &size]).arg(&image.file))
            && run(Command::new("mkfs.ext4").arg("-q").arg(&image.file));
        (made && image.mount()).then_some(image)
    }

    fn mount(&self) -> bool {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.file).arg(&self.mounted))
    }

    /// What the kernel does where a disk has faults: nothing more is written, not even to open files.
    fn abort(&self) {
        assert!(run(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.mounted)));
    }

    /// Takes the disk out, mends it, and puts it in again.
    fn mend(&self) {
        eventually(|| run(Command::new("umount").arg(&self.mounted)).then_some(()));
        // Ends with 1 where it mended something.
        let _ = run(Command::new("e2fsck").arg("-fy").arg(&self.file));
        assert!(self.mount());
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.mounted));
    }
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The machine's disk, which fails between two steps only. Where ext4 fails while another thread syncs,
/// Linux forgets the transaction that both wait for, and answers the one of them with "kept".
#[derive(Debug, Default)]
struct Between(RwLock<()>);

impl Disk for Between {
    fn write(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
        let _step = self.0.read().unwrap();
        MachineDisk.write(path, file, bytes, at)
    }

    fn sync(&self, path: &Path, file: &File) -> std::io::Result<()> {
        let _step = self.0.read().unwrap();
        MachineDisk.sync(path, file)
    }
}

/// Leaves so many bytes free.
fn fill(ballast: &Path, free: u64) {
    let mut file = OpenOptions::new().create(true).append(true).open(ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(free)).unwrap();
}

/// Sends a batch; answers what became of each event, nothing where the server refused them all.
fn send(house: &House, tenant: &Tenant, ids: &[String]) -> Option<Vec<Value>> {
    let batch: Vec<_> = ids.iter().map(|id| page(id.split('-').next().unwrap(), id, "/")).collect();
    let body = json!({ "batch": batch });
    let reply = house.post("/v1/events").key(&tenant.write_key).json(&body).send();
    if reply.status != 200 {
        assert!(reply.status >= 500, "{} {}", reply.status, reply.text);
        return None;
    }
    let results = reply.json()["results"].as_array().unwrap().clone();
    Some(results.iter().map(|result| result["status"].clone()).collect())
}

#[test]
fn nothing_acknowledged_is_lost_when_the_disk_fills_up_under_load() {
    let Some(small) = Small::mount(48) else {
        println!("SKIPPED mounting a small file system needs root");
        return;
    };
    let batches = if std::env::var_os("RAPPORT_SOAK").is_some() { 400 } else { 60 };
    let data = small.0.join("data");
    let mut house = House::open_with(|config| {
        config.data = data.clone();
        config.keys = data.join("keys");
    });
    let acme = house.tenant("Acme");
    let ballast = small.0.join("ballast");
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for round in 0..2 {
        fill(&ballast, 200_000);
        std::thread::scope(|threads| {
            let senders: Vec<_> = (0..3)
                .map(|sender| {
                    let (house, acme) = (&house, &acme);
                    threads.spawn(move || {
                        let (mut kept, mut lost) = (Vec::new(), Vec::new());
                        for number in 0..batches {
                            let id = |event| format!("v{sender}-{round}-{number}-{event}");
                            let ids: Vec<_> = (0..20).map(id).collect();
                            let taken = send(house, acme, &ids).is_some();
                            if taken { &mut kept } else { &mut lost }.extend(ids);
                        }
                        (kept, lost)
                    })
                })
                .collect();
            for sender in senders {
                let (kept, lost) = sender.join().unwrap();
                acknowledged.extend(kept);
                refused.extend(lost);
            }
        });
        assert!(!refused.is_empty(), "the disk was never full");
        std::fs::remove_file(&ballast).unwrap();
        for ids in std::mem::take(&mut refused).chunks(20) {
            let taken = eventually(|| send(&house, &acme, ids));
            assert!(taken.iter().all(|status| status == "accepted"), "{taken:?}");
            acknowledged.extend(ids.iter().cloned());
        }
    }
    for _ in 0..2 {
        for ids in acknowledged.chunks(50) {
            let again = send(&house, &acme, ids).unwrap();
            assert!(again.iter().all(|status| status == "duplicate"), "{again:?}");
        }
        house.settle(&acme, acknowledged.len() as u64);
        house.stop();
        let days = survey(&data, |_| Ok(())).unwrap();
        assert!(days.iter().all(|day| day.damage.is_empty()));
        house.start();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_disk_becomes_read_only_under_load() {
    let Some(image) = Image::make(64) else {
        println!("SKIPPED a disk in a file needs root and loop devices");
        return;
    };
    let rounds = if std::env::var_os("RAPPORT_SOAK").is_some() { 10 } else { 2 };
    let data = image.mounted.join("data");
    let disk = Arc::new(Between::default());
    let mut house = House::open_with(|config| {
        config.disk = disk.clone();
        config.data = data.clone();
        config.keys = data.join("keys");
    });
    let acme = house.tenant("Acme");
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (kept, lost) = std::thread::scope(|threads| {
            let senders: Vec<_> = (0..3)
                .map(|sender| {
                    let (house, acme, taken, refused) = (&house, &acme, &taken, &refused);
                    threads.spawn(move || {
                        let (mut kept, mut lost) = (Vec::new(), Vec::new());
                        for number in 0.. {
                            let id = |event| format!("v{sender}-{round}-{number}-{event}");
                            let ids: Vec<_> = (0..20).map(id).collect();
                            let (list, count) = match send(house, acme, &ids) {
                                Some(_) => (&mut kept, taken),
                                None => (&mut lost, refused),
                            };
                            list.push(ids);
                            count.fetch_add(1, Ordering::SeqCst);
                            if refused.load(Ordering::SeqCst) > 30 {
                                break;
                            }
                        }
                        (kept, lost)
                    })
                })
                .collect();
            eventually(|| (taken.load(Ordering::SeqCst) > 50).then_some(()));
            let step = disk.0.write().unwrap();
            image.abort();
            drop(step);
            let all = senders.into_iter().map(|sender| sender.join().unwrap());
            all.reduce(|(mut kept, mut lost), (more, less)| {
                kept.extend(more);
                lost.extend(less);
                (kept, lost)
            })
            .unwrap()
        });
        house.stop();
        image.mend();
        house.start();
        for ids in &kept {
            let again = send(&house, &acme, ids).unwrap();
            assert!(again.iter().all(|status| status == "duplicate"), "{again:?}");
        }
        for ids in &lost {
            // Some may have reached the disk without an answer.
            let new = send(&house, &acme, ids).unwrap();
            assert!(new.iter().all(|status| status == "accepted" || status == "duplicate"));
        }
        acknowledged.extend(kept.into_iter().chain(lost).flatten());
        house.settle(&acme, acknowledged.len() as u64);
    }
    house.stop();
    let days = survey(&data, |_| Ok(())).unwrap();
    assert!(days.iter().all(|day| day.damage.is_empty()));
    println!("{rounds} times read-only, {} events, none lost, none twice", acknowledged.len());
}
