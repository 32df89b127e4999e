//! Independent pieces of work, which a host may spread over its cores.

/// A piece of work that leaves its result where it was told to.
pub type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Runs jobs, all of them, before it returns. Results never depend on the order.
pub trait Workers: Sync {
    fn run<'a>(&self, jobs: Vec<Job<'a>>);
}

/// Runs one job after another on the caller's thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneByOne;

impl Workers for OneByOne {
    fn run<'a>(&self, jobs: Vec<Job<'a>>) {
        jobs.into_iter().for_each(|job| job());
    }
}
