//! Where the server keeps things and where it listens.

use crate::log::{Disk, MachineDisk};
use crate::models::Engines;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const BACKLOG: usize = 64 * 1024 * 1024;
/// Half a second's work.
const FOLD_TOGETHER: u32 = 100_000;
const ACTS_TOGETHER: usize = 1 << 20;
/// Far above what a large office's browsers send together.
const EVENTS_PER_SECOND: u32 = 500;

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Everything but keys; one process at a time.
    pub data: PathBuf,
    /// The key store. Back it up apart from the data, or erasure does not reach the backups.
    pub keys: PathBuf,
    /// Port 0 takes any free port.
    pub listen: SocketAddr,
    /// How browsers reach the server, without a slash at the end; `http://ADDRESS` where left out.
    pub public_url: Option<String>,
    /// So many bytes of events may wait to be written; more are refused until there is room.
    pub backlog: usize,
    /// What the SDK's build wrote; without it pages get no SDK from here.
    pub sdk: Option<PathBuf>,
    pub connections: Connections,
    /// How the log reaches stable storage.
    pub disk: Arc<dyn Disk>,
    /// Where so many events wait to be folded into profiles, they are folded by subject, in one commit.
    pub fold_together: u32,
    /// Proofs and merges, about 100 bytes each, that are held in memory while much is folded together;
    /// where there are more, it is folded in the order of the log.
    pub acts_together: usize,
    /// So many proxies of the operator's own stand before the server, each adding to
    /// `X-Forwarded-For` the address that it was called from.
    pub proxies: usize,
    /// So many events a second may come from one address with a public key, twenty times as many at
    /// once; any number where absent.
    pub events_per_second: Option<u32>,
    /// So often it is looked whether an experiment is due to learn.
    pub learning: Duration,
    /// What runs the models that customers bring.
    pub engines: Engines,
}

/// How many connections there are at once, and how long one may stall.
#[derive(Debug, Clone)]
pub struct Connections {
    /// So many are open; more wait to be taken. Each costs a file and up to 64 KB.
    pub most: usize,
    /// So many are open from one address; more are closed at once.
    pub most_of_one: usize,
    /// A request's head arrives within this time of when the connection had nothing else to do.
    pub head: Duration,
    /// A request is read and answered within this time; streams only begin.
    pub answer: Duration,
    /// A client takes something of its answer within this time.
    pub take: Duration,
    /// A body that was answered before its end is still taken, and thrown away, for this time.
    pub linger: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            // Systems usually allow a process 1,024 files.
            most: 800,
            most_of_one: 400,
            head: Duration::from_secs(15),
            answer: Duration::from_secs(30),
            take: Duration::from_secs(30),
            linger: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Everything below one directory, listening on the loopback's port 4400.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            keys: data.join("keys"),
            data,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4400)),
            public_url: None,
            backlog: BACKLOG,
            sdk: None,
            connections: Connections::default(),
            disk: Arc::new(MachineDisk),
            fold_together: FOLD_TOGETHER,
            acts_together: ACTS_TOGETHER,
            proxies: 0,
            events_per_second: Some(EVENTS_PER_SECOND),
            learning: Duration::from_secs(60),
            engines: Engines::built_in(),
        }
    }
}
