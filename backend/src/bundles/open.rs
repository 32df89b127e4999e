//! The current bundle of each scope, opened once for all visitors.

use super::service::keep;
use crate::app::App;
use crate::error::StoreError;
use crate::files::{Encoding, PartKind as FileKind, PartName};
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use crate::sqlite::lock;
use rapport_core::bundle::{Manifest, ManifestPart, PartKind, ScoreInPage};
use rapport_core::decide::Engine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// A bundle that decides.
pub struct OpenBundle {
    reading: Mutex<Engine>,
    folding: [Mutex<Engine>; OpenBundle::LANES],
    /// Of the signals part: profiles that were folded for other signals are folded again.
    pub signals: Sha256Digest,
    /// Of the manifest.
    pub digest: Sha256Digest,
    /// What pages decide with, in one file; absent where none may.
    pub decision: Option<PartName>,
    /// Whether pages may learn scores.
    pub pages_may_ask: bool,
    /// Whether it declares signals that only the server sets.
    pub given: bool,
}

impl OpenBundle {
    /// The engine that answers questions, one at a time.
    pub fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.reading)
    }

    /// So many threads may fold at once.
    pub const LANES: usize = 2;

    /// The projector's own engines, so that a long history keeps nobody waiting: each lane has one.
    pub fn folding_engine(&self, lane: usize) -> MutexGuard<'_, Engine> {
        let [first, rest @ ..] = &self.folding;
        lock(lane.checked_sub(1).and_then(|lane| rest.get(lane)).unwrap_or(first))
    }

    /// Opens the current bundle of a scope; `None` where none with a model is published.
    ///
    /// # Errors
    /// Where it cannot be read, or its parts do not fit together.
    pub fn read(app: &App, scope: Scope) -> Result<Option<Self>, StoreError> {
        let Some(publication) = app.records.publication(scope)? else { return Ok(None) };
        let manifest: Manifest = serde_json::from_str(&publication.manifest)
            .map_err(|error| StoreError::corrupt("manifest", error))?;
        let of_kind = |kind| manifest.parts.iter().filter(move |part| part.kind == kind);
        let first = |kind| of_kind(kind).find(|part| part.default).or_else(|| of_kind(kind).next());
        let (Some(signals), Some(model), Some(words)) =
            (first(PartKind::Signals), first(PartKind::Model), first(PartKind::Words))
        else {
            return Ok(None);
        };
        let read = |part: &ManifestPart| -> Result<(Sha256Digest, Vec<u8>), StoreError> {
            let digest = Sha256Digest::parse(&part.hash)
                .ok_or_else(|| StoreError::corrupt("manifest", "a hash is malformed"))?;
            let kind = if part.public { FileKind::Binary } else { FileKind::Private };
            let bytes =
                app.files.get(scope, PartName { digest, kind, encoding: Encoding::Plain })?;
            Ok((
                digest,
                bytes.ok_or_else(|| {
                    StoreError::corrupt("bundle", format_args!("its part {digest} is gone"))
                })?,
            ))
        };
        let pages_may_ask = model.score_in_page != Some(ScoreInPage::Off);
        let public = model.public;
        let ((digest, signals), (_, model), (_, words)) =
            (read(signals)?, read(model)?, read(words)?);
        let decision = if public {
            let joined = joined([&signals, &model, &words]);
            Some(keep(&*app.files, scope, FileKind::Binary, &joined)?)
        } else {
            None
        };
        let engine = || {
            let opened = Engine::open(&signals, &model, &words);
            opened.map(Mutex::new).map_err(|error| StoreError::corrupt("bundle", error))
        };
        let reading = engine()?;
        let given = lock(&reading).signals().iter().any(|signal| signal.kind.is_servers());
        Ok(Some(Self {
            reading,
            folding: [engine()?, engine()?],
            signals: digest,
            digest: Sha256Digest::of(publication.manifest.as_bytes()),
            decision,
            pages_may_ask,
            given,
        }))
    }
}

/// Signals, model and words one after the other, their lengths before them (docs/bundle-format.md): each
/// request takes a page's time.
fn joined(parts: [&[u8]; 3]) -> Vec<u8> {
    let lengths = parts.iter().flat_map(|part| (part.len() as u32).to_le_bytes());
    lengths.chain(parts.iter().flat_map(|part| part.iter().copied())).collect()
}

/// The bundles that are open.
#[derive(Default)]
pub struct OpenBundles {
    by_scope: RwLock<HashMap<Scope, Option<Arc<OpenBundle>>>>,
    news: RwLock<HashMap<Scope, watch::Sender<Option<Sha256Digest>>>>,
}

impl OpenBundles {
    /// The current bundle of a scope.
    ///
    /// # Errors
    /// Where it is not open yet and cannot be read.
    pub fn get(&self, app: &App, scope: Scope) -> Result<Option<Arc<OpenBundle>>, StoreError> {
        if let Some(bundle) =
            self.by_scope.read().unwrap_or_else(PoisonError::into_inner).get(&scope)
        {
            return Ok(bundle.clone());
        }
        let bundle = OpenBundle::read(app, scope)?.map(Arc::new);
        self.replace(scope, bundle.clone());
        Ok(bundle)
    }

    /// The hash of each manifest that is published from now on.
    pub fn listen(&self, scope: Scope) -> watch::Receiver<Option<Sha256Digest>> {
        let mut news = self.news.write().unwrap_or_else(PoisonError::into_inner);
        news.entry(scope).or_default().subscribe()
    }

    /// Tells who listens that the publication can be fetched.
    pub fn announce(&self, scope: Scope, bundle: Sha256Digest) {
        if let Some(news) = self.news.read().unwrap_or_else(PoisonError::into_inner).get(&scope) {
            news.send_replace(Some(bundle));
        }
    }

    /// Makes a bundle the current one; `true` where profiles have to be folded again for it.
    pub fn replace(&self, scope: Scope, bundle: Option<Arc<OpenBundle>>) -> bool {
        let signals = bundle.as_ref().map(|bundle| bundle.signals);
        let before =
            self.by_scope.write().unwrap_or_else(PoisonError::into_inner).insert(scope, bundle);
        before.flatten().map(|bundle| bundle.signals) != signals
    }
}
