//! Sends batches over HTTP, each connection a thread; answers how fast, how late, at what cost.

use crate::traffic::{BATCH, Traffic};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

pub struct Plan {
    pub address: String,
    pub key: String,
    pub seconds: f64,
    pub connections: usize,
    pub visitors: u64,
    /// Events a second; as fast as they are answered where absent.
    pub rate: Option<f64>,
    /// Listens to the live feed with it.
    pub admin_key: Option<String>,
}

#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    /// Milliseconds from when a batch was due to its answer.
    waits: Vec<f64>,
    /// Batches answered in each second.
    seconds: Vec<u64>,
}

pub fn run(plan: &Plan) -> Value {
    let sent: Mutex<HashMap<String, Instant>> = Mutex::default();
    let (ready, is_ready) = mpsc::channel();
    let (done, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let (tallies, mut delays, elapsed, cpu) = std::thread::scope(|scope| {
        let listener = plan.admin_key.as_ref().map(|key| {
            let (sent, done, ready) = (&sent, &done, ready.clone());
            scope.spawn(move || listen(&plan.address, key, sent, done, &ready))
        });
        if listener.is_some() {
            is_ready.recv_timeout(Duration::from_secs(30)).expect("the live feed opens");
        }
        let (start, before) = (Instant::now(), cpu_seconds());
        let senders: Vec<_> = (0..plan.connections)
            .map(|index| {
                let (sent, next) = (&sent, &next);
                scope.spawn(move || send(plan, index as u64, start, next, sent))
            })
            .collect();
        let tallies: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        let (elapsed, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - before);
        // What is on its way to the feed gets a moment.
        let patience = Instant::now();
        while listener.is_some()
            && !sent.lock().unwrap().is_empty()
            && patience.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
        let delays = listener.map(|listener| listener.join().unwrap()).unwrap_or_default();
        (tallies, delays, elapsed, cpu)
    });
    let mut waits: Vec<f64> = tallies.iter().flat_map(|tally| tally.waits.clone()).collect();
    let mut seconds = vec![0; plan.seconds.ceil() as usize];
    for tally in &tallies {
        seconds.iter_mut().zip(&tally.seconds).for_each(|(sum, batches)| *sum += batches);
    }
    let accepted: u64 = tallies.iter().map(|tally| tally.accepted).sum();
    json!({
        "events_per_s": accepted as f64 / elapsed,
        "slowest_second": seconds.iter().min().map(|batches| batches * BATCH as u64),
        "refused_batches": tallies.iter().map(|tally| tally.refused).sum::<u64>(),
        "p50_ms": percentile(&mut waits, 0.5), "p99_ms": percentile(&mut waits, 0.99),
        "feed_p50_ms": percentile(&mut delays, 0.5), "feed_p99_ms": percentile(&mut delays, 0.99),
        "feed_heard": delays.len(), "feed_missed": sent.lock().unwrap().len(),
        "generator_cores": cpu / elapsed,
    })
}

fn send(
    plan: &Plan,
    index: u64,
    start: Instant,
    next: &AtomicU64,
    sent: &Mutex<HashMap<String, Instant>>,
) -> Tally {
    let seed = std::process::id() as u64 ^ rapport_backend::clock::now() as u64;
    let mut traffic = Traffic::new(seed.wrapping_mul(index + 1));
    let mut connection = Connection::open(&plan.address);
    let (mut body, mut tally) = (String::new(), Tally::default());
    tally.seconds = vec![0; plan.seconds.ceil() as usize];
    loop {
        let mut due = Instant::now();
        let number = next.fetch_add(1, Ordering::Relaxed);
        if let Some(rate) = plan.rate {
            // A batch that had to wait for a free connection counts from when it was due.
            due = start + Duration::from_secs_f64(number as f64 * BATCH as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        if start.elapsed().as_secs_f64() >= plan.seconds {
            return tally;
        }
        let visitor = traffic.visitor(plan.visitors);
        let path = plan.admin_key.is_some().then(|| format!("/sent/{index}/{number}"));
        let now = rapport_backend::clock::now();
        traffic.body(&mut body, &plan.key, visitor, now, path.as_deref());
        if let Some(path) = path {
            sent.lock().unwrap().insert(path, due);
        }
        let accepted = connection.post(&body);
        tally.waits.push(due.elapsed().as_secs_f64() * 1000.0);
        if let Some(batches) = tally.seconds.get_mut(start.elapsed().as_secs() as usize) {
            *batches += 1;
        }
        match accepted {
            Some(events) => tally.accepted += events,
            None => tally.refused += 1,
        }
    }
}

/// HTTP/1.1 with just what a load needs: one connection, kept alive, answers with a length.
struct Connection {
    stream: BufReader<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), answer: Vec::new() }
    }

    /// How many events were accepted; nothing where the server refused the batch.
    fn post(&mut self, body: &str) -> Option<u64> {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: load\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
        let (mut line, mut length, mut status) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if line == "\r\n" || line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            }
        }
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer).unwrap();
        if status != 200 {
            return None;
        }
        let text = std::str::from_utf8(&self.answer).unwrap();
        let (_, rest) = text.split_once(r#""accepted":"#).unwrap();
        rest[..rest.find([',', '}']).unwrap()].parse().ok()
    }
}

/// Reads the live feed until told to stop; answers the delays of what it heard, in milliseconds.
fn listen(
    address: &str,
    key: &str,
    sent: &Mutex<HashMap<String, Instant>>,
    done: &AtomicBool,
    ready: &mpsc::Sender<()>,
) -> Vec<f64> {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /v1/live HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {key}\r\n\r\n")
        .unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (mut reader, mut line, mut delays) = (BufReader::new(stream), Vec::new(), Vec::new());
    while !done.load(Ordering::Relaxed) {
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => break,
            // A line that is not whole yet is read on.
            Err(_) => continue,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        if text.starts_with("event: snapshot") {
            let _ = ready.send(());
        }
        for part in text.split(r#""path":""#).skip(1) {
            let path = part.split('"').next().unwrap_or_default();
            if let Some(due) = sent.lock().unwrap().remove(path) {
                delays.push(due.elapsed().as_secs_f64() * 1000.0);
            }
        }
        line.clear();
    }
    delays
}

fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values
        .get(((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1)))
        .copied()
}

/// CPU seconds that this process has used.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let ticks: f64 =
        after_name.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
    // Linux counts a hundred a second whatever the kernel's own clock does.
    ticks / 100.0
}
