//! Ends calls whose time is over, and costs nothing while there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wasmtime::EngineWeak;

pub const TICK: Duration = Duration::from_millis(10);

/// Ticks without a call until the clock rests.
const IDLE_TICKS: u32 = 100;

/// A thread that moves the engine's epoch on every [`TICK`] while calls run.
#[derive(Debug)]
pub struct Clock {
    state: Arc<State>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    running: AtomicU64,
    rests: AtomicBool,
    ended: AtomicBool,
}

impl Clock {
    pub fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let theirs = Arc::clone(&state);
        let thread = thread::Builder::new().name("scorer-clock".into());
        let thread = thread.spawn(move || tick(&theirs, &engine))?;
        Ok(Self { state, thread })
    }

    /// That a call runs, until this is dropped.
    pub fn watch(&self) -> Watched<'_> {
        self.state.running.fetch_add(1, SeqCst);
        if self.state.rests.load(SeqCst) {
            self.thread.thread().unpark();
        }
        Watched(&self.state)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.state.ended.store(true, SeqCst);
        self.thread.thread().unpark();
    }
}

pub struct Watched<'a>(&'a State);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

fn tick(state: &State, engine: &EngineWeak) {
    let mut idle = 0;
    while !state.ended.load(SeqCst) {
        idle = if state.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE_TICKS {
            thread::sleep(TICK);
        } else {
            // Whoever starts a call now either sees that the clock rests, or is seen here.
            state.rests.store(true, SeqCst);
            if state.running.load(SeqCst) == 0 && !state.ended.load(SeqCst) {
                thread::park();
            }
            state.rests.store(false, SeqCst);
            idle = 0;
        }
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
    }
}
