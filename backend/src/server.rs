//! Starting and stopping.

use crate::app::{App, Shared};
use crate::bundles::{OpenBundles, Scripts, SdkFiles};
use crate::clock;
use crate::collect::{Rates, Writer};
use crate::config::Config;
use crate::error::{StoreError, blocking};
use crate::experiments::{self, Publisher};
use crate::files::DirectoryFiles;
use crate::flags::FlagBoard;
use crate::keys::DirectoryKeys;
use crate::live::Feed;
use crate::log::{DayLog, Keeper};
use crate::models::Faults;
use crate::profiles::{Projector, SqliteProfiles};
use crate::records::SqliteRecords;
use crate::results::{Exposures, SqliteExposures, keep_learning};
use crate::{connections, privacy, profiles, router};
use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("another process uses the data directory {0}; stop it, or choose another with --dir")]
    InUse(PathBuf),
    #[error("the data directory {path} cannot be used: {source}")]
    Data { path: PathBuf, source: std::io::Error },
    #[error("port {} of {} is taken; choose another with --listen", .0.port(), .0.ip())]
    PortTaken(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the system gave no thread: {0}")]
    Thread(std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A server that serves.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    app: Shared,
    serving: tokio::task::JoinHandle<()>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<JoinHandle<()>>,
    keeper: Keeper,
    _lock: File,
}

/// Answers that are under way get this long to end.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Opens the data directory and serves it. Returns as soon as requests are answered.
///
/// # Errors
/// Where the directory is in use or unusable, or nothing can listen at the address.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let lock = lock_directory(&config.data)?;
    let listener =
        TcpListener::bind(config.listen).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => StartError::PortTaken(config.listen),
            _ => StartError::Listen { address: config.listen, source },
        })?;
    let address = listener
        .local_addr()
        .map_err(|source| StartError::Listen { address: config.listen, source })?;

    let (projector, inbox) = Projector::prepare();
    let (publisher, changes) = Publisher::prepare();
    let (exposures, viewed) = Exposures::prepare();
    let keys = Arc::new(DirectoryKeys::open(&config.keys)?);
    let log = DayLog::open_on(&config.data, config.disk)?;
    let log = Arc::new(log.sealing_under(keys.clone()).sorting_from(config.fold_together));
    let grew = (projector.clone(), exposures.clone());
    let (writer, writing) =
        Writer::start(log.clone(), keys.clone(), config.backlog, move |scope| {
            grew.0.grew(scope);
            grew.1.grew(scope);
        })
        .map_err(StartError::Thread)?;
    let (routes, document) = router::routes(config.connections.answer);
    let app: Shared = Arc::new(App {
        records: Arc::new(SqliteRecords::open(&config.data)?),
        log,
        keys,
        files: Arc::new(DirectoryFiles::open(config.data.join("files"))?),
        profiles: Arc::new(SqliteProfiles::open(&config.data)?),
        writer,
        rates: Rates::new(config.events_per_second),
        proxies: config.proxies,
        projector,
        acts_together: config.acts_together,
        results: Arc::new(SqliteExposures::open(&config.data)?),
        exposures,
        feed: Feed::default(),
        bundles: OpenBundles::default(),
        publishing: Mutex::default(),
        engines: config.engines,
        faults: Faults::default(),
        flags: FlagBoard::default(),
        publisher,
        sdk: SdkFiles::new(config.sdk),
        scripts: Scripts::default(),
        public_url: config
            .public_url
            .unwrap_or_else(|| format!("http://{address}"))
            .trim_end_matches('/')
            .to_owned(),
        openapi: document.to_json().map_err(|error| StoreError::corrupt("API document", error))?,
        stopping: watch::Sender::new(false),
    });
    privacy::apply_all(&app)?;
    profiles::log_all(&app)?;
    experiments::publish_all(&app)?;
    let projecting = inbox.run(app.clone()).map_err(StartError::Thread)?;
    let viewing = viewed.run(app.clone()).map_err(StartError::Thread)?;
    let forgetting = app.clone();
    let (keeper, keeping) =
        Keeper::start(app.log.clone(), move || privacy::forget_old(&forgetting))
            .map_err(StartError::Thread)?;

    let serving = connections::serve(
        listener,
        routes.with_state(app.clone()),
        config.connections,
        app.stopping.subscribe(),
    );
    let serving = tokio::spawn(serving);
    let tasks = vec![
        tokio::spawn(forget_salts(app.clone())),
        tokio::spawn(changes.publish(app.clone())),
        tokio::spawn(keep_learning(app.clone(), config.learning)),
    ];
    Ok(Running {
        address,
        app,
        serving,
        tasks,
        threads: vec![writing, projecting, viewing, keeping],
        keeper,
        _lock: lock,
    })
}

/// Destroys old salts though nobody comes who would make a new one.
async fn forget_salts(app: Shared) {
    let mut stopping = app.stopping.subscribe();
    let mut hourly = tokio::time::interval(Duration::from_secs(3600));
    loop {
        tokio::select! {
            _ = hourly.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let app = app.clone();
        let yesterday = clock::now().div_euclid(86_400_000) - 1;
        if let Err(error) = blocking(move || app.keys.forget_salts(yesterday)).await {
            tracing::error!(%error, "old salts were not destroyed");
        }
    }
}

impl Running {
    /// The parts, for work without HTTP.
    pub const fn app(&self) -> &Shared {
        &self.app
    }

    /// Stops taking requests, ends what is under way, and closes the data directory.
    pub async fn stop(self) {
        let Self { app, serving, tasks, threads, keeper, .. } = self;
        app.stopping.send_replace(true);
        if tokio::time::timeout(LAST_ANSWERS, serving).await.is_err() {
            tracing::warn!("some requests were cut off");
        }
        // The databases close with the last who holds them.
        for task in tasks {
            let _ = task.await;
        }
        app.writer.stop().await;
        app.projector.stop();
        app.exposures.stop();
        keeper.stop();
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().try_for_each(JoinHandle::join));
        if !matches!(joined.await, Ok(Ok(()))) {
            tracing::error!("a background thread ended badly");
        }
    }
}

/// One process a data directory: two writers would give two events the same offset.
///
/// # Errors
/// Where another process has it, or it cannot be used.
pub fn lock_directory(directory: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::Data { path: directory.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let lock = File::create(directory.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
