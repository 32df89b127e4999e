//! Looking at a log without changing it, whoever else has it open: for `rapport log`.

use super::day::{DayNumber, journal_of};
use super::group::{self, MAGIC};
use super::{Envelope, Offset, record};
use crate::error::StoreError;
use crate::identity::Scope;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a day's journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySurvey {
    /// As `2026-11-23`.
    pub day: String,
    pub journal: PathBuf,
    pub bytes: u64,
    pub scopes: BTreeMap<Scope, Span>,
    /// What is wrong with its bytes.
    pub damage: Vec<Damage>,
}

/// What a day holds of one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: Offset,
    pub last: Offset,
    pub events: u64,
}

/// Bytes of a journal that are no whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    pub at: u64,
    pub bytes: u64,
    /// At the end of the newest day it is what a crash leaves; nobody was told that it is there.
    pub harmless: bool,
}

/// Reads every journal of a data directory and shows `visit` each envelope, in the order they came.
/// Goes on behind damage.
///
/// # Errors
/// Where a file cannot be read, or is no journal that this release knows.
pub fn survey(
    data: &Path,
    mut visit: impl FnMut(Envelope) -> Result<(), StoreError>,
) -> Result<Vec<DaySurvey>, StoreError> {
    let directory = data.join("log");
    let failed = |error| StoreError::file("reading", &directory, error);
    let mut days = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        days.extend(name.to_str().and_then(DayNumber::parse));
    }
    days.sort_unstable();
    let newest = days.last().copied();
    let surveyed = days.into_iter().map(|day| {
        let journal = journal_of(&directory.join(day.to_string()));
        of_day(day, journal, Some(day) == newest, &mut visit)
    });
    surveyed.collect()
}

fn of_day(
    day: DayNumber,
    path: PathBuf,
    newest: bool,
    visit: &mut impl FnMut(Envelope) -> Result<(), StoreError>,
) -> Result<DaySurvey, StoreError> {
    let failed = |error| StoreError::file("reading", &path, error);
    let file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut head = [0; MAGIC.len()];
    file.read_exact_at(&mut head, 0).map_err(failed)?;
    if group::version(head) != Some(group::VERSION) {
        let shown = path.display();
        return Err(StoreError::corrupt("log", format_args!("{shown} is no journal of version 1")));
    }
    let (mut scopes, mut damage) = (BTreeMap::new(), Vec::new());
    let (mut at, mut body) = (MAGIC.len() as u64, Vec::new());
    while at < bytes {
        let Some(next) = group::read(&file, at, bytes, &mut body).map_err(failed)? else {
            let next = group::next(&file, at + 1, bytes).map_err(failed)?;
            let harmless = newest && next.is_none();
            let next = next.unwrap_or(bytes);
            damage.push(Damage { at, bytes: next - at, harmless });
            at = next;
            continue;
        };
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            let Some(envelope) = record::read(&mut rest) else {
                damage.push(Damage { at, bytes: next - at, harmless: false });
                break;
            };
            let offset = envelope.offset;
            let span = scopes.entry(envelope.draft.scope).or_insert(Span {
                first: offset,
                last: offset,
                events: 0,
            });
            (span.last, span.events) = (offset, span.events + 1);
            visit(envelope)?;
        }
        at = next;
    }
    Ok(DaySurvey { day: day.to_string(), journal: path, bytes, scopes, damage })
}
