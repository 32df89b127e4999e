//! A disk that is really full: what was acknowledged stays, what was refused comes later, once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Scratch, Tenant, eventually, page, scratch};
use rapport_backend::log::survey;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A file system of so many megabytes, in memory.
struct Small(Scratch);

impl Small {
    /// Nothing where the system does not allow it.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = scratch();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "rapport"]);
        mount.arg(&*directory);
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What is still open there goes when it is closed.
        let _ = Command::new("umount").arg("--lazy").arg(&*self.0).status();
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
