//! `rapport import events`: what happened before, from a file.

use super::Outcome;
use crate::progress::Ticker;
use rapport_backend::collect::{History, Item, Submission};
use rapport_backend::identity::settings::SettingsStore;
use rapport_backend::identity::store::IdentityStore;
use rapport_backend::identity::{Environment, Scope, WorkspaceId};
use rapport_backend::keys::DirectoryKeys;
use rapport_backend::lock_directory;
use rapport_backend::log::{DayLog, EventLog};
use rapport_backend::records::SqliteRecords;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Take in events of the past, from a file of JSON lines or CSV
///
/// A line of JSON is an event in the Segment shape. A CSV file's columns are called as an event's
/// members are, such as type, event, userId, timestamp, properties.plan, traits.email; empty cells
/// are absent. Events keep their own dates. An event that is there already is left out, so a file may
/// be imported again, after a stop in the middle too. The server must not run meanwhile; it folds
/// what is new when it starts.
#[derive(clap::Args)]
pub struct Args {
    /// The events, as `.jsonl` or `.csv`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The server's data directory
    #[arg(long, default_value = "data")]
    dir: PathBuf,
    /// The key store; DIR/keys where left out
    #[arg(long)]
    keys: Option<PathBuf>,
    /// The workspace, as ws_…; not needed where there is one
    #[arg(long, value_name = "ID")]
    workspace: Option<WorkspaceId>,
    /// Into the workspace's test environment
    #[arg(long)]
    test: bool,
    /// Where to write every refused line with its reason, as JSON lines
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
}

/// Events that are written in one commit.
const GROUP: usize = 2000;
/// After so many groups the log files what waits in memory.
const TIDY: u64 = 32;
/// So many refused lines are shown.
const SHOWN: u64 = 10;

pub fn run(args: Args) -> Outcome {
    if !args.dir.join("records.db").is_file() {
        let dir = args.dir.display();
        return Err(format!("{dir} is no data directory; say where with --dir").into());
    }
    let _lock = lock_directory(&args.dir)?;
    let keys = DirectoryKeys::open(&args.keys.unwrap_or_else(|| args.dir.join("keys")))?;
    let records = SqliteRecords::open(&args.dir)?;
    let workspaces: Vec<_> =
        records.workspaces()?.into_iter().map(|workspace| workspace.id).collect();
    let scope = scope(&workspaces, args.workspace, args.test)?;
    let log = DayLog::open_remembering(&args.dir)?;
    let consent = records.settings(scope)?.consent.into();
    let history = History::open(&log, &keys, scope, consent)?;
    let mut import = Import {
        history,
        log: &log,
        group: Vec::with_capacity(GROUP),
        groups: 0,
        counts: Counts::default(),
        refused: args.refused.as_deref().map(create).transpose()?,
        ticker: Ticker::new(),
    };
    let csv = args.file.extension().is_some_and(|extension| extension == "csv");
    if csv {
        import.csv(&args.file)?
    } else {
        import.json_lines(&args.file)?
    }
    import.finish()?;
    Ok(())
}

fn scope(
    workspaces: &[WorkspaceId],
    wanted: Option<WorkspaceId>,
    test: bool,
) -> Result<Scope, Box<dyn std::error::Error>> {
    let workspace = match (wanted, workspaces) {
        (Some(wanted), all) if all.contains(&wanted) => wanted,
        (Some(wanted), _) => return Err(format!("there is no workspace {wanted}").into()),
        (None, [only]) => *only,
        (None, all) => {
            let all: Vec<_> = all.iter().map(ToString::to_string).collect();
            return Err(format!("say which with --workspace: {}", all.join(", ")).into());
        }
    };
    let environment = if test { Environment::Test } else { Environment::Live };
    Ok(Scope { workspace, environment })
}

fn create(path: &Path) -> Result<BufWriter<File>, String> {
    let file =
        File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()));
    file.map(BufWriter::new)
}

#[derive(Default)]
struct Counts {
    new: u64,
    known: u64,
    erased: u64,
    refused: u64,
}

struct Import<'a> {
    history: History<'a>,
    log: &'a DayLog,
    group: Vec<Item>,
    groups: u64,
    counts: Counts,
    refused: Option<BufWriter<File>>,
    ticker: Ticker,
}

impl Import<'_> {
    fn json_lines(&mut self, path: &Path) -> Outcome {
        let failed = |error| format!("cannot read {}: {error}", path.display());
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).map_err(failed)? == 0
            {
                break;
            }
            if line.len() as u64 > MAX_LINE {
                let more = reader.skip_until(b'\n').map_err(failed)?;
                let bytes = line.len() + more;
                self.refuse(
                    number,
                    &format!("the line has {bytes} bytes; at most {MAX_LINE} are allowed"),
                )?;
                continue;
            }
            match std::str::from_utf8(&line).map(str::trim) {
                Ok("") => {}
                Ok(text) => self.event(number, text)?,
                Err(error) => self.refuse(number, &format!("it is not UTF-8: {error}"))?,
            }
        }
        Ok(())
    }

    fn csv(&mut self, path: &Path) -> Outcome {
        let failed = |error| format!("cannot read {}: {error}", path.display());
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(failed)?;
        let header = reader.headers().map_err(failed)?.clone();
        let mut record = csv::StringRecord::new();
        loop {
            let read = reader.read_record(&mut record);
            let line = record.position().map_or(0, csv::Position::line);
            match read {
                Ok(false) => return Ok(()),
                Ok(true) if record.len() != header.len() => {
                    let (cells, columns) = (record.len(), header.len());
                    self.refuse(
                        line,
                        &format!("it has {cells} cells where the header has {columns}"),
                    )?;
                }
                Ok(true) => self.event(line, &row(&header, &record).to_string())?,
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    let line = error.position().map_or(line, csv::Position::line);
                    self.refuse(line, "it is not UTF-8")?;
                }
                Err(error) => return Err(failed(error).into()),
            }
        }
    }

    fn event(&mut self, line: u64, json: &str) -> Outcome {
        match self.history.admit(json) {
            Ok(item) => {
                self.group.push(item);
                if self.group.len() >= GROUP {
                    self.write()?;
                }
                Ok(())
            }
            Err(refusal) => self.refuse(line, &refusal.to_string()),
        }
    }

    fn refuse(&mut self, line: u64, reason: &str) -> Outcome {
        self.counts.refused += 1;
        if self.counts.refused <= SHOWN {
            eprintln!("line {line}: {reason}");
        }
        if let Some(out) = &mut self.refused {
            writeln!(out, "{}", json!({ "line": line, "reason": reason }))?;
        }
        Ok(())
    }

    fn write(&mut self) -> Outcome {
        for submission in self.history.write(std::mem::take(&mut self.group))? {
            let count = match submission {
                Submission::Accepted(_) => &mut self.counts.new,
                Submission::Duplicate => &mut self.counts.known,
                Submission::Erased => &mut self.counts.erased,
            };
            *count += 1;
        }
        self.groups += 1;
        if self.groups.is_multiple_of(TIDY) {
            self.log.tidy()?;
        }
        let Counts { new, known, .. } = self.counts;
        self.ticker.step(|| format!("{new} events imported, {known} were there"));
        Ok(())
    }

    fn finish(mut self) -> Outcome {
        self.write()?;
        if let Some(out) = &mut self.refused {
            out.flush()?;
        }
        drop(self.ticker);
        let Counts { new, known, erased, refused } = self.counts;
        println!("{new} events imported, {known} were there, {refused} lines refused");
        if erased > 0 {
            println!("{erased} events of erased visitors left out");
        }
        Ok(())
    }
}

/// What the server takes of one event is smaller.
const MAX_LINE: u64 = 512 * 1024;

/// A row as an event: `properties.plan` is the member `plan` of `properties`.
fn row(header: &csv::StringRecord, record: &csv::StringRecord) -> Value {
    let mut event = Map::new();
    for (path, cell) in header.iter().zip(record).filter(|(_, cell)| !cell.trim().is_empty()) {
        put(&mut event, path.trim(), cell.trim());
    }
    // Cells are text; a number there is milliseconds.
    if let Some(Ok(millis)) = event.get("timestamp").and_then(Value::as_str).map(str::parse::<i64>)
    {
        event.insert("timestamp".to_owned(), json!(millis));
    }
    Value::Object(event)
}

fn put(members: &mut Map<String, Value>, path: &str, cell: &str) {
    match path.split_once('.') {
        None => _ = members.insert(path.to_owned(), json!(cell)),
        Some((first, rest)) => {
            let member = members.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(members) = member {
                put(members, rest, cell);
            }
        }
    }
}
