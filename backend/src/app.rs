//! What every handler shares: the ports, and the threads behind them.

use crate::bundles::{OpenBundles, Scripts, SdkFiles};
use crate::collect::{Rates, Writer};
use crate::error::StoreError;
use crate::experiments::Publisher;
use crate::files::Files;
use crate::flags::FlagBoard;
use crate::identity::Scope;
use crate::keys::KeyStore;
use crate::live::Feed;
use crate::log::EventLog;
use crate::models::{Engines, Faults};
use crate::privacy::Erasure;
use crate::profiles::{ProfileStore, Projector};
use crate::records::Records;
use crate::results::{ExposureStore, Exposures};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A running server's parts. Nothing in it is global: tests run many in one process.
pub struct App {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) profiles: Arc<dyn ProfileStore>,
    pub(crate) writer: Writer,
    pub(crate) rates: Rates,
    /// So many proxies of the operator's own stand before the server.
    pub(crate) proxies: usize,
    pub(crate) projector: Projector,
    /// Proofs and merges that the projector holds in memory at once.
    pub(crate) acts_together: usize,
    pub(crate) results: Arc<dyn ExposureStore>,
    pub(crate) exposures: Exposures,
    pub(crate) feed: Feed,
    pub(crate) bundles: OpenBundles,
    /// Held by who makes a publication out of the one before.
    pub(crate) publishing: Mutex<()>,
    /// What runs the models that customers bring, and how that goes.
    pub(crate) engines: Engines,
    pub(crate) faults: Faults,
    pub(crate) flags: FlagBoard,
    pub(crate) publisher: Publisher,
    pub(crate) sdk: SdkFiles,
    pub(crate) scripts: Scripts,
    pub(crate) public_url: String,
    pub(crate) openapi: String,
    /// Turns true when the server stops, so that endless answers end.
    pub(crate) stopping: watch::Sender<bool>,
}

/// The app as handlers hold it.
pub type Shared = Arc<App>;

impl App {
    /// How browsers reach the server, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Throws the profiles of a scope away and folds its log again; answers how many there are then.
    ///
    /// # Errors
    /// Where a store cannot be read or written.
    pub async fn rebuild(&self, scope: Scope) -> Result<usize, StoreError> {
        self.projector.rebuild(scope).await
    }

    /// The list of erasures, oldest first.
    ///
    /// # Errors
    /// Where the records cannot be read.
    pub fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        self.records.erasures()
    }

    /// How many events of a scope are in the log but not in its profiles yet.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn lag(&self, scope: Scope) -> Result<u64, StoreError> {
        let (end, folded) = (self.log.end(scope)?, self.profiles.position(scope)?);
        Ok(end.0.saturating_sub(folded.0).try_into().unwrap_or_default())
    }
}
