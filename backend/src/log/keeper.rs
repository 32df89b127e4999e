//! The thread that keeps the log's house: files what waits in memory.

use super::EventLog;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends the thread.
pub struct Keeper {
    stop: mpsc::Sender<()>,
}

const REST: Duration = Duration::from_secs(1);

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(log: Arc<dyn EventLog>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (stop, stopped) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("log keeper".to_owned()).spawn(move || {
                while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(REST) {
                    if let Err(error) = log.tidy() {
                        tracing::error!(%error, "the log was not tidied; it is tried again");
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
