//! The suite × host matrix, and the line that closes a test run.

use std::collections::BTreeMap;

/// How many cases of a suite passed, failed and were skipped on a host.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

/// Results by suite and host, in the order in which hosts first appeared.
#[derive(Default)]
pub struct Matrix {
    cells: BTreeMap<(String, String), Counts>,
    hosts: Vec<String>,
    reasons: Vec<String>,
    unstable: Vec<String>,
}

impl Matrix {
    pub fn add(&mut self, suite: &str, host: &str, counts: Counts) {
        if !self.hosts.iter().any(|known| known == host) {
            self.hosts.push(host.into());
        }
        let cell = self.cells.entry((suite.into(), host.into())).or_default();
        cell.passed += counts.passed;
        cell.failed += counts.failed;
        cell.skipped += counts.skipped;
    }

    /// Counts `count` skipped cases; the reason is printed below the matrix.
    pub fn skip(&mut self, suite: &str, host: &str, count: usize, reason: &str) {
        self.add(suite, host, Counts { skipped: count, ..Counts::default() });
        self.reasons.push(format!("{suite} on {host}: {count} skipped: {reason}"));
    }

    /// Notes tests that failed and passed when they were run again.
    pub fn unstable(&mut self, suite: &str, host: &str, failed: usize) {
        self.unstable.push(format!("{suite} on {host}: {failed} failed, then passed: look above"));
    }

    pub fn total(&self) -> Counts {
        self.cells.values().fold(Counts::default(), |sum, cell| Counts {
            passed: sum.passed + cell.passed,
            failed: sum.failed + cell.failed,
            skipped: sum.skipped + cell.skipped,
        })
    }

    /// Prints the matrix, the reasons for skips and the closing line.
    pub fn print(&self) {
        let mut suites: Vec<&str> = self.cells.keys().map(|(suite, _)| suite.as_str()).collect();
        suites.dedup();
        print!("\n{:<28}", "suite");
        for host in &self.hosts {
            print!("{host:>16}");
        }
        println!();
        for suite in suites {
            print!("{suite:<28}");
            for host in &self.hosts {
                let cell = self.cells.get(&(suite.to_string(), host.clone()));
                print!("{:>16}", cell.map_or("·".into(), shown));
            }
            println!();
        }
        for reason in &self.reasons {
            println!("SKIPPED {reason}");
        }
        for test in &self.unstable {
            println!("UNSTABLE {test}");
        }
        let total = self.total();
        println!("\n{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    }
}

fn shown(counts: &Counts) -> String {
    let mut text = counts.passed.to_string();
    if counts.failed > 0 {
        text.push_str(&format!(" ✗{}", counts.failed));
    }
    if counts.skipped > 0 {
        text.push_str(&format!(" –{}", counts.skipped));
    }
    text
}
