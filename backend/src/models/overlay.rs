//! What is published of the models: the bundle as it was authored, with the live model in it.

use super::built_in::built_in;
use super::store::{Action, Base, Move, StoredModel};
use crate::app::App;
use crate::bundles::{current, keep};
use crate::error::{Problem, StoreError};
use crate::files::{Encoding, PartKind as FileKind, PartName};
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use rapport_core::bundle::{Manifest, ManifestPart, PartKind, ScoreInPage, fit_brought, fit_model};
use rapport_core::model::BROUGHT_MAGIC;
use rapport_core::profile::SignalWire;

/// The models of a scope, and which of them were live one after the other.
pub struct Registry {
    pub models: Vec<StoredModel>,
    pub moves: Vec<Move>,
    /// What is live, behind what was before it was promoted.
    stack: Vec<i64>,
}

impl Registry {
    /// The registry of a scope.
    ///
    /// # Errors
    /// Where the records cannot be read.
    pub fn read(app: &App, scope: Scope) -> Result<Self, StoreError> {
        let (models, moves) = (app.records.models(scope)?, app.records.moves(scope)?);
        let mut registry = Self { models, moves: Vec::new(), stack: Vec::new() };
        moves.into_iter().for_each(|next| registry.go(next));
        Ok(registry)
    }

    /// What another move makes of it.
    pub fn go(&mut self, next: Move) {
        match (next.action, next.version) {
            (Action::Promote, Some(version)) => self.stack.push(version),
            _ => _ = self.stack.pop(),
        }
        self.moves.push(next);
    }

    /// The live version; `None` stands for the bundle's own model.
    pub fn live(&self) -> Option<i64> {
        self.stack.last().copied()
    }

    /// What rolling back makes live; the outer `None` where nothing was promoted.
    pub fn before(&self) -> Option<Option<i64>> {
        let (_, before) = self.stack.split_last()?;
        Some(before.last().copied())
    }

    /// The model that answers where the live one, which somebody brought, fails: the native one that was
    /// live last. `None` stands for the bundle's own, or the built-in one.
    pub fn fallback(&self) -> Option<&StoredModel> {
        self.version(self.live()?).filter(|live| !live.is_native())?;
        let of = |version: &i64| self.version(*version);
        self.stack.iter().rev().filter_map(of).find(|stored| stored.is_native())
    }

    /// Whether a version was ever live.
    pub fn was_live(&self, version: i64) -> bool {
        self.moves.iter().any(|one| one.version == Some(version))
    }

    /// The version of that number, or the newest of that name.
    ///
    /// # Errors
    /// [`Problem::NotFound`] where there is none.
    pub fn find(&self, id: &str) -> Result<&StoredModel, Problem> {
        let number = id.parse().ok().and_then(|number| self.version(number));
        let named = || self.models.iter().rev().find(|stored| stored.model.name == id);
        number.or_else(named).ok_or(Problem::NotFound("model"))
    }

    fn version(&self, version: i64) -> Option<&StoredModel> {
        self.models.iter().find(|stored| stored.version == version)
    }
}

impl StoredModel {
    /// Whether core runs it.
    pub fn is_native(&self) -> bool {
        !matches!(self.model.kind.as_str(), "onnx" | "wasm")
    }
}

/// The manifest that says what is live: of `authored`, or of what was authored last.
///
/// # Errors
/// [`Problem::NoBundle`] before anything is published, [`Problem::Conflict`] where a model does not fit.
pub fn live_manifest(
    app: &App,
    scope: Scope,
    registry: &Registry,
    authored: Option<&Base>,
) -> Result<Manifest, Problem> {
    let stored = match authored {
        Some(_) => None,
        None => app.records.base(scope)?,
    };
    let base = authored.or(stored.as_ref());
    let mut manifest = match base {
        Some(base) => parsed(&base.manifest)?,
        None => current(app, scope)?.0,
    };
    if authored.is_none() {
        // Features and experiments are published by themselves.
        let (now, _) = current(app, scope)?;
        manifest.parts.retain(|part| part.kind != PartKind::Flags);
        manifest.parts.extend(now.parts.into_iter().filter(|part| part.kind == PartKind::Flags));
    }
    let Some(live) = registry.live().and_then(|version| registry.version(version)) else {
        return Ok(manifest);
    };
    let signals = declared(base)?;
    let own =
        manifest.parts.iter().find(|part| part.kind == PartKind::Model && part.default).cloned();
    manifest.parts.retain(|part| part.kind != PartKind::Model);
    if live.is_native() {
        manifest.parts.push(published(app, scope, live, &signals, PartKind::Model)?);
        return Ok(manifest);
    }
    manifest.parts.push(published(app, scope, live, &signals, PartKind::Brought)?);
    let fallback = match (registry.fallback(), own) {
        (Some(native), _) => published(app, scope, native, &signals, PartKind::Fallback)?,
        (None, Some(own)) => ManifestPart { kind: PartKind::Fallback, ..own },
        (None, None) => {
            let bytes = built_in(&signals).map_err(|error| StoreError::corrupt("model", error))?;
            part(app, scope, ("built-in", ScoreInPage::Local), &bytes, PartKind::Fallback)?
        }
    };
    manifest.parts.push(ManifestPart { default: false, ..fallback });
    Ok(manifest)
}

/// A version made to fit what was authored last.
///
/// # Errors
/// [`Problem::NoBundle`] before anything is published, [`Problem::Malformed`] where it does not fit.
pub fn part_of(app: &App, scope: Scope, stored: &StoredModel) -> Result<Vec<u8>, Problem> {
    let base = app.records.base(scope)?;
    if base.is_none() {
        current(app, scope)?;
    }
    fitted(app, scope, stored, &declared(base.as_ref())?)
}

fn published(
    app: &App,
    scope: Scope,
    stored: &StoredModel,
    signals: &[SignalWire],
    kind: PartKind,
) -> Result<ManifestPart, Problem> {
    let bytes = fitted(app, scope, stored, signals).map_err(|problem| match problem {
        Problem::Malformed(why) => {
            Problem::Conflict(format!("model {} does not fit the bundle: {why}", stored.version))
        }
        other => other,
    })?;
    let named = (stored.model.name.as_str(), stored.model.score_in_page);
    Ok(part(app, scope, named, &bytes, kind)?)
}

fn part(
    app: &App,
    scope: Scope,
    (name, place): (&str, ScoreInPage),
    bytes: &[u8],
    kind: PartKind,
) -> Result<ManifestPart, StoreError> {
    let public = place == ScoreInPage::Local;
    let file = if public { FileKind::Binary } else { FileKind::Private };
    let kept = keep(&*app.files, scope, file, bytes)?;
    Ok(ManifestPart {
        kind,
        name: name.to_owned(),
        default: true,
        score_in_page: Some(place),
        public,
        hash: kept.digest.to_string(),
        bytes: bytes.len(),
    })
}

fn fitted(
    app: &App,
    scope: Scope,
    stored: &StoredModel,
    signals: &[SignalWire],
) -> Result<Vec<u8>, Problem> {
    let name = PartName {
        digest: stored.model.digest,
        kind: FileKind::Private,
        encoding: Encoding::Plain,
    };
    let bytes = app.files.get(scope, name)?;
    let bytes = bytes.filter(|bytes| Sha256Digest::of(bytes) == stored.model.digest);
    let gone = || StoreError::corrupt("model", format_args!("its file {} is gone", name.digest));
    let bytes = bytes.ok_or_else(gone)?;
    let signals: Vec<&SignalWire> = signals.iter().collect();
    let fitted = if bytes.starts_with(&BROUGHT_MAGIC) {
        let public = stored.model.score_in_page == ScoreInPage::Local;
        fit_brought(&bytes, &signals, public)
    } else {
        fit_model(&bytes, &signals)
    };
    fitted.map_err(Problem::Malformed)
}

fn declared(base: Option<&Base>) -> Result<Vec<SignalWire>, Problem> {
    let base = base.ok_or_else(|| {
        Problem::Conflict(
            "an older release published the bundle: publish it once more with POST /v1/bundles"
                .to_owned(),
        )
    })?;
    let signals = serde_json::from_str(&base.signals);
    Ok(signals.map_err(|error| StoreError::corrupt("signals", error))?)
}

fn parsed(manifest: &str) -> Result<Manifest, StoreError> {
    serde_json::from_str(manifest).map_err(|error| StoreError::corrupt("manifest", error))
}
