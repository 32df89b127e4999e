//! Requests over the loopback: as many as go, or so many a second; what each took.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What is asked, by whom.
pub struct Load<'a> {
    pub address: SocketAddr,
    /// Whole requests, in rotation.
    pub requests: &'a [Vec<u8>],
    pub connections: usize,
}

impl Load<'_> {
    /// Answers a second, when each connection asks again once it is answered.
    pub fn capacity(&self, time: Duration) -> Result<f64> {
        let begun = Instant::now();
        let asked = AtomicUsize::new(0);
        let took = self.on_all(|_, connection| {
            let mut answered = 0_u32;
            while begun.elapsed() < time {
                connection.ask(self.request(&asked))?;
                answered += 1;
            }
            Ok(answered)
        })?;
        Ok(f64::from(took.into_iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
    }

    /// Milliseconds from when each request was due to the end of its answer, at so many a second.
    pub fn latencies(&self, rate: f64, time: Duration) -> Result<Vec<f64>> {
        let asked = AtomicUsize::new(0);
        let count = (rate * time.as_secs_f64()) as usize;
        let begun = Instant::now();
        let took = self.on_all(|number, connection| {
            let mut took = Vec::new();
            for turn in (number..count).step_by(self.connections) {
                let due = begun + Duration::from_secs_f64(turn as f64 / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                connection.ask(self.request(&asked))?;
                took.push(due.elapsed().as_secs_f64() * 1e3);
            }
            Ok(took)
        })?;
        Ok(took.concat())
    }

    fn request(&self, asked: &AtomicUsize) -> &[u8] {
        &self.requests[asked.fetch_add(1, Ordering::Relaxed) % self.requests.len()]
    }

    fn on_all<T: Send>(
        &self,
        work: impl Fn(usize, &mut Connection) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let work = &work;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|number| {
                    scope.spawn(move || work(number, &mut Connection::open(self.address)?))
                })
                .collect();
            let done = threads.into_iter().map(|thread| thread.join());
            done.map(|result| result.unwrap_or_else(|_| bail!("a connection's thread failed")))
                .collect()
        })
    }
}

/// What came back, and when it began to.
pub struct Answered {
    pub head: String,
    pub body: Vec<u8>,
    pub first_byte: Duration,
}

/// A connection that is kept open.
pub struct Connection {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("nobody listens")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, held: Vec::new() })
    }

    /// Sends a request and reads the answer, which must be a good one.
    pub fn ask(&mut self, request: &[u8]) -> Result<Answered> {
        let begun = Instant::now();
        self.stream.write_all(request)?;
        ensure!(self.held.is_empty(), "more was answered than asked");
        self.more()?;
        let first_byte = begun.elapsed();
        let end = self.find(b"\r\n\r\n", 0)?;
        let head = String::from_utf8_lossy(&self.held[..end]).to_lowercase();
        ensure!(head.starts_with("http/1.1 200"), "an answer is none: {head}");
        self.held.drain(..end + 4);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = match length {
            Some(length) => self.take(length.trim().parse()?)?,
            None => self.chunks()?,
        };
        Ok(Answered { head, body, first_byte })
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.find(b"\r\n", 0)?;
            let length = String::from_utf8_lossy(&self.held[..end]).into_owned();
            let length = usize::from_str_radix(length.trim(), 16).context("no chunk")?;
            self.held.drain(..end + 2);
            body.extend(self.take(length)?);
            self.take(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn find(&mut self, what: &[u8], from: usize) -> Result<usize> {
        loop {
            let found = self.held[from..].windows(what.len()).position(|here| here == what);
            match found {
                Some(at) => return Ok(from + at),
                None => self.more()?,
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.held.len() < length {
            self.more()?;
        }
        let rest = self.held.split_off(length);
        Ok(std::mem::replace(&mut self.held, rest))
    }

    fn more(&mut self) -> Result<()> {
        let mut chunk = [0; 65_536];
        let read = self.stream.read(&mut chunk)?;
        ensure!(read > 0, "the connection was closed");
        self.held.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}

/// The value below which this part of them lies.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
