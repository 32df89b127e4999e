//! `rapport log`: what is in an event log, whether it is whole, and all of it again.

use super::Outcome;
use crate::progress::Ticker;
use rapport_backend::Sha256Digest;
use rapport_backend::error::StoreError;
use rapport_backend::identity::Scope;
use rapport_backend::keys::DirectoryKeys;
use rapport_backend::log::{
    Damage, DaySurvey, Envelope, Offset, Open, Replayed, contents, forgotten, survey,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Look at an event log, check that it is whole, or replay it
///
/// Nothing is changed. A server may have the log open meanwhile.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport log inspect --dir data              (what each day holds)
  rapport log verify --dir data               (bytes, offsets, seals)
  rapport log replay --dir data > events.jsonl")]
pub struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(clap::Subcommand)]
enum Job {
    /// Print what each day holds: bytes, workspaces, offsets
    Inspect(Where),
    /// Check every byte, that offsets have no gaps, that no message is there twice, and that each seal opens
    Verify(Where),
    /// Print each event as a line of JSON, as it was sent; who was erased is anonymous
    Replay(Where),
}

#[derive(clap::Args)]
struct Where {
    /// The server's data directory
    #[arg(long, default_value = "data")]
    dir: PathBuf,
    /// The key store; DIR/keys where left out
    #[arg(long)]
    keys: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    match args.job {
        Job::Inspect(place) => inspect(&place),
        Job::Verify(place) => verify(&place),
        Job::Replay(place) => replay(&place),
    }
}

impl Where {
    fn keys(&self) -> Result<DirectoryKeys, Box<dyn std::error::Error>> {
        let keys = self.keys.clone().unwrap_or_else(|| self.dir.join("keys"));
        // Opening makes a key store where there is none, and a new one opens nothing.
        if !keys.join("master.key").is_file() {
            return Err(format!("{} is no key store; say where with --keys", keys.display()).into());
        }
        Ok(DirectoryKeys::open(&keys)?)
    }

    fn survey(
        &self,
        visit: impl FnMut(Envelope) -> Result<(), StoreError>,
    ) -> Result<Vec<DaySurvey>, Box<dyn std::error::Error>> {
        if !self.dir.join("log").is_dir() {
            return Err(format!("{} holds no log; say where with --dir", self.dir.display()).into());
        }
        Ok(survey(&self.dir, visit)?)
    }
}

fn inspect(place: &Where) -> Outcome {
    let mut out = std::io::stdout().lock();
    for day in place.survey(|_| Ok(()))? {
        let events: u64 = day.scopes.values().map(|span| span.events).sum();
        let form = if day.sealed { "sealed" } else { "in the journal" };
        writeln!(out, "{}  {events} events, {} bytes, {form}", day.day, day.bytes)?;
        for (scope, span) in &day.scopes {
            writeln!(out, "  {scope}  {} to {}", span.first.0, span.last.0)?;
        }
        for damage in &day.damage {
            let Damage { path, at, bytes, why, .. } = damage;
            writeln!(out, "  {}: {bytes} bytes at {at}: {why}", path.display())?;
        }
    }
    Ok(())
}

fn verify(place: &Where) -> Outcome {
    const SHOWN: usize = 10;
    let keys = place.keys()?;
    let (mut faults, mut count) = (Vec::new(), 0usize);
    let mut fault = |text: String| {
        count += 1;
        if faults.len() < SHOWN {
            faults.push(text);
        }
    };
    let mut ticker = Ticker::new();
    let (mut events, mut tombstones) = (0u64, 0u64);
    let mut ends: BTreeMap<Scope, Offset> = forgotten(&place.dir)?;
    let mut messages = HashSet::new();
    let days = place.survey(|envelope| {
        let (scope, offset) = (envelope.draft.scope, envelope.offset);
        let end = ends.entry(scope).or_default();
        if offset.0 != end.0 + 1 {
            fault(format!("{scope}: offset {} follows {}", offset.0, end.0));
        }
        *end = offset;
        let message = [scope.to_bytes().as_slice(), envelope.draft.message_id.as_bytes()].concat();
        // A day sealed after an erasure has forgotten whose messages those were, and which.
        let known = !envelope.draft.message_id.is_empty();
        if known && !messages.insert(Sha256Digest::of(&message)) {
            fault(format!("{scope}: the message of offset {} is there twice", offset.0));
        }
        events += 1;
        match contents(&keys, envelope) {
            Ok(Replayed::Event(_)) => {}
            Ok(Replayed::Tombstone { .. }) => tombstones += 1,
            Err(error @ StoreError::Corrupt { .. }) => {
                fault(format!("{scope}: offset {}: {error}", offset.0));
            }
            Err(error) => return Err(error),
        }
        ticker.tick(|| format!("{events} events checked"));
        Ok(())
    })?;
    drop(ticker);
    for day in &days {
        for damage in &day.damage {
            let Damage { path, at, bytes, why, harmless } = damage;
            let what = format!("{}: {bytes} bytes at {at}", path.display());
            if *harmless {
                println!("{what} were never acknowledged; the next start cuts them off");
            } else {
                fault(format!("{what} are damaged: {why}"));
            }
        }
    }
    let (opened, in_days) = (events - tombstones, days.len());
    println!("{events} events of {in_days} days: {opened} open, {tombstones} of erased visitors");
    if count == 0 {
        return Ok(());
    }
    faults.iter().for_each(|fault| println!("{fault}"));
    Err(format!("the log has {count} faults").into())
}

fn replay(place: &Where) -> Outcome {
    let keys = place.keys()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let replayed = place.survey(|envelope| {
        let scope = envelope.draft.scope;
        written = writeln!(out, "{}", line(scope, contents(&keys, envelope)?));
        // Whoever reads may stop when it has seen enough.
        if written.is_ok() { Ok(()) } else { Err(StoreError::Stopping) }
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => replayed.map(drop),
    }
}

/// An event as it replays, in the columns of `docs/log-format.md`.
fn line(scope: Scope, replayed: Replayed) -> Value {
    let (offset, event_time, open) = match &replayed {
        Replayed::Event(event) => {
            let envelope = &event.envelope;
            (envelope.offset, envelope.draft.event_time, &envelope.draft.open)
        }
        Replayed::Tombstone { offset, event_time, open } => (*offset, *event_time, open),
    };
    let mut line = columns(scope, offset, event_time, open);
    if let Replayed::Event(event) = &replayed {
        let draft = &event.envelope.draft;
        line["message_id"] = json!(draft.message_id);
        line["subject"] = json!(draft.subject.to_string());
        line["sent_at"] = json!(draft.sent_at);
        line["received_at"] = json!(draft.received_at);
        line["consent"] = json!(draft.consent.bits());
        line["schema_version"] = json!(draft.schema_version);
        line["sealed"] = json!(event.sealed);
    }
    line
}

fn columns(scope: Scope, offset: Offset, event_time: i64, open: &Open) -> Value {
    json!({
        "workspace": scope.workspace.to_string(), "environment": scope.environment.word(),
        "offset": offset.0, "event_time": event_time, "kind": open.kind, "name": open.name,
        "path": open.path, "referrer_host": open.referrer_host, "source": open.source,
        "medium": open.medium, "campaign": open.campaign, "client_time": open.client_time,
    })
}
