//! Looking at a log without changing it, whoever else has it open: for `rapport log`.

use super::day::{DayNumber, journal_of};
use super::days::numbers;
use super::group::{self, MAGIC};
use super::sealed_day::{read_volume, volumes};
use super::shelf::{Shelf, Volume};
use super::{Envelope, Offset, record};
use crate::error::StoreError;
use crate::identity::Scope;
use rapport_archive::{Archive, ArchiveError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a day holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySurvey {
    /// As `2026-11-23`.
    pub day: String,
    /// Whether it left the journal.
    pub sealed: bool,
    /// Of its journal, or of its sealed files.
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

/// Bytes of a file that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    pub at: u64,
    pub bytes: u64,
    pub why: String,
    /// At the end of the newest day it is what a crash leaves; nobody was told that it is there.
    pub harmless: bool,
}

/// Reads every day of a data directory and shows `visit` each envelope: day by day, in a day scope by
/// scope, in a scope by offset. Goes on behind damage.
///
/// # Errors
/// Where a file cannot be read, or is no journal that this release knows.
pub fn survey(
    data: &Path,
    mut visit: impl FnMut(Envelope) -> Result<(), StoreError>,
) -> Result<Vec<DaySurvey>, StoreError> {
    let directory = data.join("log");
    let days = numbers(&directory)?;
    let newest = days.last().copied();
    let surveyed = days.into_iter().map(|day| {
        let of_day = directory.join(day.to_string());
        match Hot::open(&of_day, Some(day) == newest) {
            Ok(hot) => hot.survey(day, &mut visit),
            // It may have been sealed a moment ago.
            Err(StoreError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                sealed(day, &of_day, &mut visit)
            }
            Err(error) => Err(error),
        }
    });
    surveyed.collect()
}

/// A day's journal, as it is found.
struct Hot {
    path: PathBuf,
    file: File,
    bytes: u64,
    newest: bool,
}

impl Hot {
    fn open(directory: &Path, newest: bool) -> Result<Self, StoreError> {
        let path = journal_of(directory);
        let failed = |error| StoreError::file("reading", &path, error);
        let file = File::open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let mut head = [0; MAGIC.len()];
        file.read_exact_at(&mut head, 0).map_err(failed)?;
        if group::version(head) != Some(group::VERSION) {
            let why = format!("{} is no journal of version 1", path.display());
            return Err(StoreError::corrupt("log", why));
        }
        Ok(Self { path, file, bytes, newest })
    }

    fn survey(
        &self,
        day: DayNumber,
        visit: &mut impl FnMut(Envelope) -> Result<(), StoreError>,
    ) -> Result<DaySurvey, StoreError> {
        let (mut scopes, mut damage) = (BTreeMap::new(), Vec::new());
        self.each_group(&mut damage, |at, body| {
            let mut rest = body;
            while let Some((scope, offset)) = record::skip(&mut rest) {
                let (span, _) = scopes
                    .entry(scope)
                    .or_insert((Span { first: offset, last: offset, events: 0 }, at));
                (span.last, span.events) = (offset, span.events + 1);
            }
            Ok(rest.is_empty())
        })?;
        for (scope, (_, first)) in &scopes {
            self.each_group_from(*first, &mut Vec::new(), |_, body| {
                let mut rest = body;
                while !rest.is_empty() {
                    let mut peek = rest;
                    match record::skip(&mut peek) {
                        Some((of, _)) if of == *scope => match record::read(&mut rest) {
                            Some(envelope) => visit(envelope)?,
                            None => return Ok(false),
                        },
                        Some(_) => rest = peek,
                        None => return Ok(false),
                    }
                }
                Ok(true)
            })?;
        }
        let scopes = scopes.into_iter().map(|(scope, (span, _))| (scope, span)).collect();
        Ok(DaySurvey { day: day.to_string(), sealed: false, bytes: self.bytes, scopes, damage })
    }

    fn each_group(
        &self,
        damage: &mut Vec<Damage>,
        visit: impl FnMut(u64, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.each_group_from(MAGIC.len() as u64, damage, visit)
    }

    /// Shows `visit` where each whole group begins, and its body; it answers whether that is whole.
    fn each_group_from(
        &self,
        mut at: u64,
        damage: &mut Vec<Damage>,
        mut visit: impl FnMut(u64, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::file("reading", &self.path, error);
        let mut note = |at, bytes, harmless| {
            let why = "they are no group of envelopes".to_owned();
            damage.push(Damage { path: self.path.clone(), at, bytes, why, harmless });
        };
        let mut body = Vec::new();
        while at < self.bytes {
            match group::read(&self.file, at, self.bytes, &mut body).map_err(failed)? {
                Some(next) => {
                    if !visit(at, &body)? {
                        note(at, next - at, false);
                    }
                    at = next;
                }
                None => {
                    let next = group::next(&self.file, at + 1, self.bytes).map_err(failed)?;
                    let end = next.unwrap_or(self.bytes);
                    note(at, end - at, self.newest && next.is_none());
                    at = end;
                }
            }
        }
        Ok(())
    }
}

fn sealed(
    day: DayNumber,
    directory: &Path,
    visit: &mut impl FnMut(Envelope) -> Result<(), StoreError>,
) -> Result<DaySurvey, StoreError> {
    let mut survey = DaySurvey {
        day: day.to_string(),
        sealed: true,
        bytes: 0,
        scopes: BTreeMap::new(),
        damage: Vec::new(),
    };
    let shelf = Shelf::default();
    for (scope, volume) in volumes(directory)? {
        let length = std::fs::metadata(&volume.path)
            .map_err(|error| StoreError::file("reading", &volume.path, error))?
            .len();
        survey.bytes += length;
        damage_of(&volume, length, &mut survey.damage)?;
        let mut span = Span { first: volume.first, last: volume.last, events: 0 };
        read_volume(&shelf, scope, &volume, |envelope| {
            span.events += 1;
            visit(envelope)
        })?;
        survey.scopes.insert(scope, span);
    }
    Ok(survey)
}

fn damage_of(volume: &Volume, length: u64, damage: &mut Vec<Damage>) -> Result<(), StoreError> {
    let mut note = |at, bytes, why| {
        damage.push(Damage { path: volume.path.clone(), at, bytes, why, harmless: false });
    };
    let opened = File::open(&volume.path).map_err(ArchiveError::from).and_then(|file| {
        let found = rapport_archive::check(file.try_clone()?)?;
        Ok((found, Archive::open(file)?.rows()))
    });
    match opened {
        Ok((found, rows)) => {
            let named = (volume.last.0 - volume.first.0 + 1).cast_unsigned();
            if rows != named {
                note(0, length, format!("it holds {rows} events where its name says {named}"));
            }
            found.into_iter().for_each(|(at, bytes)| note(at, bytes, "they changed".to_owned()));
        }
        Err(ArchiveError::Damaged(why)) => note(0, length, why),
        Err(ArchiveError::File(error)) => {
            return Err(StoreError::file("reading", &volume.path, error));
        }
    }
    Ok(())
}
