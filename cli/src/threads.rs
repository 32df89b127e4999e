//! The cores of this machine, for core's jobs.

use rapport_core::training::{Job, Workers};
use std::sync::Mutex;

/// As many threads as the machine runs at once.
pub struct Threads;

impl Workers for Threads {
    fn run<'a>(&self, jobs: Vec<Job<'a>>) {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
        let queue = Mutex::new(jobs.into_iter());
        std::thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(|| {
                    loop {
                        let next =
                            queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                        let Some(job) = next else { break };
                        job();
                    }
                });
            }
        });
    }
}
