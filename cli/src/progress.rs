//! Word from long work, on standard error: soon where somebody watches, rarely where a log does.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Speaks up when work takes long.
pub struct Ticker {
    next: Instant,
    terminal: bool,
    spoke: bool,
    calls: u32,
}

impl Ticker {
    pub fn new() -> Ticker {
        let terminal = std::io::stderr().is_terminal();
        let patience = if terminal { 1 } else { 5 };
        Ticker {
            next: Instant::now() + Duration::from_secs(patience),
            terminal,
            spoke: false,
            calls: 0,
        }
    }

    /// Called often; looks at the clock every thousandth time.
    pub fn tick(&mut self, message: impl FnOnce() -> String) {
        self.calls = self.calls.wrapping_add(1);
        if self.calls.is_multiple_of(1000) {
            self.step(message);
        }
    }

    /// Called rarely.
    pub fn step(&mut self, message: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let mut out = std::io::stderr();
        let _ = if self.terminal {
            write!(out, "\r\x1b[K{}", message())
        } else {
            writeln!(out, "{}", message())
        };
        let _ = out.flush();
        self.spoke = true;
        self.next =
            now + if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if self.spoke && self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
