//! The thread that keeps the log's house: files what waits in memory, seals days, forgets old ones.

use super::EventLog;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Ends the thread.
pub struct Keeper {
    stop: mpsc::Sender<()>,
}

const REST: Duration = Duration::from_secs(1);
const FORGET: Duration = Duration::from_secs(60);

impl Keeper {
    /// Starts the thread, which calls `forget` now and about each minute.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        log: Arc<dyn EventLog>,
        forget: impl Fn() + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (stop, stopped) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("log keeper".to_owned()).spawn(move || {
                forget();
                let mut forgot = Instant::now();
                while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(REST) {
                    if let Err(error) = log.tidy() {
                        tracing::error!(%error, "the log was not tidied; it is tried again");
                    }
                    if forgot.elapsed() >= FORGET {
                        forget();
                        forgot = Instant::now();
                    }
                }
            })?;
        Ok((Self { stop }, thread))
    }

    /// Ends the thread after what it is doing.
    pub fn stop(&self) {
        // Fails only where the thread has ended already.
        let _ = self.stop.send(());
    }
}
