//! The current bundle of each scope, opened once for all visitors.

use super::scoring::{Live, Scoring};
use super::service::keep;
use crate::app::App;
use crate::error::StoreError;
use crate::files::{Encoding, PartKind as FileKind, PartName};
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use crate::sqlite::lock;
use rapport_core::bundle::{Manifest, ManifestPart, PartKind, ScoreInPage};
use rapport_core::decide::{Brought, Decider, Engine};
use rapport_core::model::{BroughtModel, Runtime};
use rapport_core::scoring::ScorerFault;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// A bundle that decides.
pub struct OpenBundle {
    reading: Mutex<Scoring>,
    folding: [Mutex<Scoring>; OpenBundle::LANES],
    /// Of the signals part: profiles that were folded for other signals are folded again.
    pub signals: Sha256Digest,
    /// Of the manifest.
    pub digest: Sha256Digest,
    /// What pages decide with, in one file; absent where none may.
    pub decision: Option<PartName>,
    /// A brought model that pages may run: what a page reads its row with, and the model.
    pub brought: Option<BroughtParts>,
    /// Whether pages may learn scores.
    pub pages_may_ask: bool,
    /// Whether it declares signals that only the server sets.
    pub given: bool,
}

/// What a page needs to run a brought model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroughtParts {
    /// As a decision's file, with the frame in the model's place.
    pub frame: PartName,
    /// The brought model: `docs/model-format.md`.
    pub model: PartName,
}

impl OpenBundle {
    /// The engine that answers questions, one at a time.
    pub fn engine(&self) -> MutexGuard<'_, Scoring> {
        lock(&self.reading)
    }

    /// So many threads may fold at once.
    pub const LANES: usize = 2;

    /// The projector's own engines, so that a long history keeps nobody waiting: each lane has one.
    pub fn folding_engine(&self, lane: usize) -> MutexGuard<'_, Scoring> {
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
        let live = first(PartKind::Brought);
        let own = if live.is_some() { PartKind::Fallback } else { PartKind::Model };
        let (Some(signals), Some(model), Some(words)) =
            (first(PartKind::Signals), first(own), first(PartKind::Words))
        else {
            return Ok(None);
        };
        let read = |part: &ManifestPart| read_part(app, scope, part);
        let scores = live.unwrap_or(model);
        let pages_may_ask = scores.score_in_page != Some(ScoreInPage::Off);
        let ((digest, signal_bytes), (_, own), (_, words)) =
            (read(signals)?, read(model)?, read(words)?);
        let live = live.map(|part| read(part).map(|(digest, bytes)| (part, digest, bytes)));
        let live = live.transpose()?;
        let decision = if live.is_none() && scores.public {
            let joined = joined([&signal_bytes, &own, &words]);
            Some(keep(&*app.files, scope, FileKind::Binary, &joined)?)
        } else {
            None
        };
        let (mut brought, mut told, mut first_of_all) = (None, None, None);
        if let Some((part, digest, bytes)) = &live {
            let runs = app.engines.runs();
            let opened = Brought::open(&signal_bytes, bytes, &words, &|runtime, file, signals| {
                runs(runtime, file, signals)
            });
            first_of_all = Some(opened.map_err(ScorerFault::from));
            told = Some(Live {
                name: part.name.clone(),
                fallback: model.name.clone(),
                counts: app.faults.of(scope),
            });
            if part.public {
                let model =
                    PartName { digest: *digest, kind: FileKind::Binary, encoding: Encoding::Plain };
                brought = BroughtModel::decode(bytes)
                    .ok()
                    .filter(|model| model.runtime == Runtime::Onnx)
                    .map(|opened| {
                        let joined = joined([&signal_bytes, &opened.frame, &words]);
                        let frame = keep(&*app.files, scope, FileKind::Binary, &joined)?;
                        Ok::<_, StoreError>(BroughtParts { frame, model })
                    })
                    .transpose()?;
            }
        }
        let another = |again: Option<Result<Brought, ScorerFault>>| {
            let engine = Engine::open(&signal_bytes, &own, &words)
                .map_err(|error| StoreError::corrupt("bundle", error))?;
            Ok::<_, StoreError>(Mutex::new(Scoring::new(Decider::new(engine, again), told.clone())))
        };
        let again = || match (&first_of_all, &live) {
            (Some(Ok(first)), Some((_, _, bytes))) => {
                Some(first.again(&signal_bytes, bytes, &words).map_err(ScorerFault::from))
            }
            (Some(Err(fault)), _) => Some(Err(fault.clone())),
            _ => None,
        };
        let folding = [another(again())?, another(again())?];
        let reading = another(first_of_all)?;
        let given = lock(&reading).signals().iter().any(|signal| signal.kind.is_servers());
        Ok(Some(Self {
            reading,
            folding,
            signals: digest,
            digest: Sha256Digest::of(publication.manifest.as_bytes()),
            decision,
            brought,
            pages_may_ask,
            given,
        }))
    }
}

/// A part's bytes, and their hash.
fn read_part(
    app: &App,
    scope: Scope,
    part: &ManifestPart,
) -> Result<(Sha256Digest, Vec<u8>), StoreError> {
    let digest = Sha256Digest::parse(&part.hash)
        .ok_or_else(|| StoreError::corrupt("manifest", "a hash is malformed"))?;
    let kind = if part.public { FileKind::Binary } else { FileKind::Private };
    let bytes = app.files.get(scope, PartName { digest, kind, encoding: Encoding::Plain })?;
    let gone = || StoreError::corrupt("bundle", format_args!("its part {digest} is gone"));
    Ok((digest, bytes.ok_or_else(gone)?))
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
