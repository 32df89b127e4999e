//! The collector under load: durable events over HTTP, the live feed, what is kept and what it takes.
//!
//! The load comes from `backend/examples/collect_load` over the loopback, so server and load share
//! the machine; what the load took of it is printed beside.

use super::Figure;
use crate::shell;
use anyhow::{Context, Result};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const SUITE: &str = "collect";
const CONNECTIONS: u64 = 48;

/// How much is measured.
pub struct Scale {
    /// Events that the store holds before.
    pub events: u64,
    pub visitors: u64,
    /// Within how many days those arrived.
    pub days: u64,
    /// Events of the day that is sealed.
    pub sealed: u64,
    /// How long each load lasts.
    pub seconds: u64,
}

impl Scale {
    /// What the bars are meant for.
    pub const FULL: Self =
        Self { events: 20_000_000, visitors: 100_000, days: 1, sealed: 200_000, seconds: 60 };
    /// Says within two minutes whether something broke.
    pub const SMALL: Self =
        Self { events: 200_000, visitors: 10_000, days: 3, sealed: 50_000, seconds: 8 };
}

pub fn figures(root: &Path, scale: &Scale) -> Result<Vec<Figure>> {
    let build = |arguments: [&'static str; 4]| {
        shell::built(root, ["--quiet", "--release"].into_iter().chain(arguments))
    };
    let server = build(["--package", "rapport-cli", "--bin", "rapport"])?;
    let load = build(["--package", "rapport-backend", "--example", "collect_load"])?;
    let room = shell::target(root).join("bench");
    clear(&room)?;
    let directory = room.join(format!("collect-{}", std::process::id()));
    std::fs::create_dir_all(&directory).context("no room for the bench")?;
    let figures = measure(root, scale, &server, &load, &directory);
    std::fs::remove_dir_all(&directory).context("cannot clear the bench's directory")?;
    figures
}

/// Removes what runs left behind that were killed: it is many gigabytes.
fn clear(room: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(room) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let process = name.strip_prefix("collect-");
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            std::fs::remove_dir_all(&path).context("cannot clear what an earlier run left")?;
        }
    }
    Ok(())
}

fn measure(
    root: &Path,
    scale: &Scale,
    server: &Path,
    load: &Path,
    directory: &Path,
) -> Result<Vec<Figure>> {
    let tool = |arguments: &[&str]| -> Result<Value> {
        let mut command = shell::command(root, &load.to_string_lossy(), arguments);
        command.stderr(Stdio::inherit());
        let start = Instant::now();
        let said = shell::capture(command)?;
        let last = said.lines().last().unwrap_or_default();
        let value = serde_json::from_str(last).with_context(|| format!("it said: {said}"))?;
        let (stage, seconds) = (arguments.first().unwrap_or(&""), start.elapsed().as_secs());
        eprintln!("{stage}, {seconds} s → {last}");
        Ok(value)
    };
    let folder = directory.to_string_lossy();
    let visitors = scale.visitors.to_string();
    let held =
        tool(&["prepare", &folder, &scale.events.to_string(), &visitors, &scale.days.to_string()])?;
    let refold = tool(&["refold", &folder])?;
    let sealed = directory.join("sealed");
    let sealed = tool(&["seal", &sealed.to_string_lossy(), &scale.sealed.to_string()])?;

    let serving = Serving::start(root, server, directory)?;
    let [write_key, admin_key] = ["write_key", "admin_key"].map(|name| held[name].as_str());
    let (write_key, admin_key) =
        (write_key.context("no write key")?, admin_key.context("no admin key")?);
    let run = |seconds: u64, rest: &[&str]| {
        let (seconds, connections) = (seconds.to_string(), CONNECTIONS.to_string());
        let mut words = vec!["run", &serving.url, write_key, &seconds, &connections, &visitors];
        words.extend(rest);
        tool(&words)
    };
    let before = serving.cpu()?;
    let full = run(scale.seconds, &[])?;
    let server_cores = (serving.cpu()? - before) / scale.seconds as f64;
    let events_per_s = number(&full, "events_per_s")?;
    let half = run(scale.seconds / 2, &[&format!("{:.0}", events_per_s / 2.0)])?;
    serving.settle();
    let feed = run(scale.seconds / 2, &["1000", admin_key])?;
    let rss = serving.memory()?;
    drop(serving);

    let figure = |name, value, unit| Figure::alone(SUITE, name, value, unit);
    Ok(vec![
        figure("collect_events_per_s", events_per_s, "events/s"),
        figure("collect_slowest_second", number(&full, "slowest_second")?, "events/s"),
        figure("collect_generator_cores", number(&full, "generator_cores")?, "cores"),
        figure("collect_server_cores", server_cores, "cores"),
        figure("collect_cpu_us", server_cores / events_per_s * 1e6, "us"),
        figure("collect_p99_ms", number(&half, "p99_ms")?, "ms"),
        figure("feed_p99_ms", number(&feed, "feed_p99_ms")?, "ms"),
        figure("refold_events_per_s", number(&refold, "events_per_s")?, "events/s"),
        figure("refold_cpu_us", number(&refold, "cpu_us")?, "us"),
        figure("collect_rss_mb", rss, "MB"),
        figure("log_bytes_per_event", number(&sealed, "bytes_per_event")?, "bytes"),
        figure("log_bytes_after_30_days", number(&sealed, "bytes_after_30_days")?, "bytes"),
        figure("log_seal_us", number(&sealed, "seal_us")?, "us"),
    ])
}

fn number(object: &Value, name: &str) -> Result<f64> {
    object[name].as_f64().with_context(|| format!("no figure {name} in {object}"))
}

/// A server of its own, ended when dropped.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(root: &Path, server: &Path, directory: &Path) -> Result<Self> {
        let mut serve = shell::command(root, &server.to_string_lossy(), ["serve", "--dir"]);
        serve.arg(directory).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        // All the load comes from one address.
        serve.args(["--events-per-second", "0"]);
        let mut child = serve.spawn().context("cannot start rapport serve")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Rapport serves at ").map(str::to_owned));
        std::thread::spawn(move || lines.for_each(drop));
        let serving = Self { child, url: url.unwrap_or_default() };
        anyhow::ensure!(!serving.url.is_empty(), "rapport serve did not start");
        Ok(serving)
    }

    /// A line of what the kernel says about the process.
    fn kernel(&self, file: &str) -> Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
            .context("the server is gone")
    }

    /// Seconds of CPU so far.
    fn cpu(&self) -> Result<f64> {
        let stat = self.kernel("stat")?;
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
    }

    /// Resident megabytes.
    fn memory(&self) -> Result<f64> {
        let status = self.kernel("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("no VmRSS")?.parse::<f64>()? / 1024.0)
    }

    /// Waits until the server has no more work, or two minutes: what came before is not the feed's fault.
    fn settle(&self) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(120) {
            let before = self.cpu().unwrap_or_default();
            std::thread::sleep(Duration::from_secs(1));
            if self.cpu().unwrap_or_default() - before < 0.1 {
                return;
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A server that is gone already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
