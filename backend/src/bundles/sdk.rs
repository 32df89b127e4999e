//! The SDK's built files, which every workspace's pages load.

use super::service::keep;
use crate::error::StoreError;
use crate::files::{Files, PartKind, PartName};
use crate::identity::{Scope, WorkspaceId};
use crate::sqlite::lock;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// The directory that the SDK is built into. Files are read again when they change.
pub struct SdkFiles {
    directory: Option<PathBuf>,
    loaded: Mutex<Option<(Stamp, Arc<Sdk>)>>,
}

/// The SDK as it stands in the directory.
#[derive(Debug, Default)]
pub struct Sdk {
    scripts: BTreeMap<Pages, String>,
    /// Parts by the names that the loader knows them by.
    pub parts: BTreeMap<&'static str, PartName>,
}

/// What pages do with a bundle, which decides how much code their script carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pages {
    Track,
    Score,
    Show,
}

type Stamp = Vec<Option<(SystemTime, u64)>>;

const SCRIPTS: [(Pages, &str); 3] = [
    (Pages::Track, "page-track.js"),
    (Pages::Score, "page-score.js"),
    (Pages::Show, "page-show.js"),
];
/// What the loader calls a part, its file, and its kind.
const PARTS: [(&str, &str, PartKind); 12] = [
    ("sdk", "rapport.js", PartKind::Script),
    ("scoring", "scoring.js", PartKind::Script),
    ("wasm", "rapport_bg.wasm", PartKind::Wasm),
    ("flagsWasm", "flags_bg.wasm", PartKind::Wasm),
    ("visit", "scoring.js", PartKind::Script),
    ("forms", "forms.js", PartKind::Script),
    ("vitals", "vitals.js", PartKind::Script),
    ("links", "links.js", PartKind::Script),
    ("platforms", "platforms.js", PartKind::Script),
    ("debug", "debug.js", PartKind::Script),
    ("inspector", "inspector.js", PartKind::Script),
    ("personalize", "personalize.js", PartKind::Script),
];

impl Sdk {
    /// The classic script that starts everything; empty where the SDK is not built.
    pub fn script(&self, pages: Pages) -> &str {
        self.scripts.get(&pages).map_or("", String::as_str)
    }
}

impl SdkFiles {
    /// Where the SDK's parts are kept.
    pub const SCOPE: Scope = Scope::live(WorkspaceId::INSTALLATION);

    /// Reads from a directory; without one there is no SDK.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, loaded: Mutex::default() }
    }

    /// The SDK; new or changed files are kept as parts of the installation, so that pages with an
    /// older loader still find theirs.
    ///
    /// # Errors
    /// Where a file cannot be read or kept.
    pub fn load(&self, files: &dyn Files) -> Result<Arc<Sdk>, StoreError> {
        let Some(directory) = &self.directory else { return Ok(Arc::default()) };
        let scripts = SCRIPTS.iter().map(|(_, file)| *file);
        let names = PARTS.iter().map(|(_, file, _)| *file).chain(scripts);
        let stamp: Stamp = names
            .map(|name| {
                fs::metadata(directory.join(name))
                    .and_then(|data| Ok((data.modified()?, data.len())))
                    .ok()
            })
            .collect();
        let mut loaded = lock(&self.loaded);
        if let Some((known, sdk)) = &*loaded
            && *known == stamp
        {
            return Ok(sdk.clone());
        }
        let read = |name: &str| match fs::read(directory.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("reading", directory.join(name), error)),
        };
        let mut sdk = Sdk::default();
        for (pages, file) in SCRIPTS {
            if let Some(bytes) = read(file)? {
                let text = String::from_utf8(bytes)
                    .map_err(|error| StoreError::corrupt("the SDK", error))?;
                sdk.scripts.insert(pages, text);
            }
        }
        for (part, file, kind) in PARTS {
            if let Some(bytes) = read(file)? {
                sdk.parts.insert(part, keep(files, Self::SCOPE, kind, &bytes)?);
            }
        }
        let sdk = Arc::new(sdk);
        *loaded = Some((stamp, sdk.clone()));
        Ok(sdk)
    }
}
