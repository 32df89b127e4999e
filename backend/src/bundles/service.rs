//! Publishing a bundle, and finding its parts again.

use super::open::OpenBundle;
use super::sdk::SdkFiles;
use super::store::Publication;
use crate::app::App;
use crate::clock;
use crate::error::{Problem, StoreError};
use crate::experiments;
use crate::files::{Encoding, Files, PartKind, PartName};
use crate::identity::{Permit, Scope};
use crate::models::{Base, Because, Registry, live_manifest};
use crate::secret::Sha256Digest;
use crate::sqlite::lock;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rapport_core::bundle::{
    BundleProblem, BundleWire, Manifest, ManifestPart, PartKind as Kind, PublicFact, compile,
    kept_signals, public_report,
};
use rapport_core::experiment::Flags;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// What publishing did.
#[derive(Debug)]
pub struct Published {
    /// Counts up from 1 in each environment of a workspace.
    pub number: i64,
    pub manifest: Manifest,
    /// What was left out, and why.
    pub problems: Vec<BundleProblem>,
    /// What a competitor can read now.
    pub public: Vec<PublicFact>,
    /// How many profiles are folded anew for it.
    pub refolds: usize,
}

/// Compiles, signs and publishes a bundle. `authored` is a [`BundleWire`] without `workspace` and
/// `environment`, which the permit says; `models` are the model files by name.
///
/// # Errors
/// [`Problem::Malformed`] where the JSON is no bundle or a model does not fit it;
/// otherwise where it cannot be kept.
pub fn publish(
    app: &App,
    permit: &Permit,
    mut authored: Map<String, Value>,
    models: &BTreeMap<String, Vec<u8>>,
) -> Result<Published, Problem> {
    let scope = permit.scope();
    authored.insert("workspace".to_owned(), Value::from(scope.workspace.to_string()));
    authored.insert("environment".to_owned(), Value::from(scope.environment.word()));
    let _alone = lock(&app.publishing);
    if let Some(payload) = experiments::payload(app, scope)? {
        authored.insert("flags".to_owned(), payload.value);
    }
    let wire: BundleWire = serde_json::from_value(Value::Object(authored))
        .map_err(|error| Problem::Malformed(format!("not a bundle: {error}")))?;
    let files: Vec<_> =
        models.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let compiled = compile(&wire, &files);
    if compiled.problems.iter().any(|problem| problem.part == "model") {
        // All of them: a model may not fit because a signal was left out.
        let problems: Vec<String> = compiled.problems.iter().map(ToString::to_string).collect();
        return Err(Problem::Malformed(format!("nothing was published: {}", problems.join("; "))));
    }
    for part in &compiled.parts {
        let kind = if part.public { PartKind::Binary } else { PartKind::Private };
        keep(&*app.files, scope, kind, &part.bytes)?;
    }
    let authored = compiled.manifest(|bytes| Sha256Digest::of(bytes).to_string());
    let signals: Vec<_> = compiled
        .part(Kind::Signals)
        .map(|part| kept_signals(&wire, &part.bytes))
        .unwrap_or_default();
    let signals =
        serde_json::to_string(&signals).map_err(|error| StoreError::corrupt("signals", error))?;
    let manifest = String::from_utf8(authored.to_json())
        .map_err(|error| StoreError::corrupt("manifest", error))?;
    let base = Base { manifest, signals };
    // What was promoted stays live.
    let manifest = live_manifest(app, scope, &Registry::read(app, scope)?, Some(&base))?;
    let (number, changed) = sign(app, permit, &manifest, Some(&Because::Authored(base)))?;
    let refolds = if changed { app.profiles.subjects(scope)?.len() } else { 0 };
    app.projector.refold(scope);
    app.flags.refresh(app, scope)?;
    Ok(Published {
        number,
        manifest,
        problems: compiled.problems,
        public: public_report(&wire),
        refolds,
    })
}

/// Publishes flags with the rest of the current publication, if there is any. Where they are published
/// already, or there were never any, nothing happens.
///
/// # Errors
/// Where they cannot be kept.
pub fn publish_flags(app: &App, permit: &Permit, flags: &Flags) -> Result<(), Problem> {
    let scope = permit.scope();
    let _alone = lock(&app.publishing);
    let mut manifest = match current(app, scope) {
        Ok((manifest, _)) => manifest,
        Err(Problem::NoBundle) => Manifest {
            format: 1,
            workspace: scope.workspace.to_string(),
            environment: scope.environment.word().to_owned(),
            parts: Vec::new(),
        },
        Err(problem) => return Err(problem),
    };
    let Flags { features, experiments, audiences, .. } = flags;
    let empty = features.is_empty() && experiments.is_empty() && audiences.is_empty();
    if empty && manifest.parts.iter().all(|part| part.kind != Kind::Flags) {
        return Ok(());
    }
    let bytes = flags.to_bytes();
    let part = ManifestPart {
        kind: Kind::Flags,
        name: String::new(),
        default: false,
        score_in_page: None,
        public: true,
        hash: Sha256Digest::of(&bytes).to_string(),
        bytes: bytes.len(),
    };
    if manifest.parts.contains(&part) {
        return Ok(());
    }
    keep(&*app.files, scope, PartKind::Binary, &bytes)?;
    manifest.parts.retain(|part| part.kind != Kind::Flags);
    manifest.parts.push(part);
    sign(app, permit, &manifest, None)?;
    Ok(())
}

/// Publishes that another model is live; answers the bundle's number.
///
/// # Errors
/// Where it cannot be kept.
pub fn publish_moved(
    app: &App,
    permit: &Permit,
    manifest: &Manifest,
    because: &Because,
) -> Result<i64, Problem> {
    let (number, _) = sign(app, permit, manifest, Some(because))?;
    app.projector.refold(permit.scope());
    app.flags.refresh(app, permit.scope())?;
    Ok(number)
}

/// The flags of the newest publication, as hosts get them; `None` where it has none.
///
/// # Errors
/// Where they cannot be read.
pub fn published_flags(app: &App, scope: Scope) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(publication) = app.records.publication(scope)? else { return Ok(None) };
    let corrupt = |why: &str| StoreError::corrupt("manifest", why);
    let manifest: Manifest = serde_json::from_str(&publication.manifest)
        .map_err(|error| StoreError::corrupt("manifest", error))?;
    let Some(part) = manifest.parts.iter().find(|part| part.kind == Kind::Flags) else {
        return Ok(None);
    };
    let digest = Sha256Digest::parse(&part.hash).ok_or_else(|| corrupt("a hash is malformed"))?;
    let name = PartName { digest, kind: PartKind::Binary, encoding: Encoding::Plain };
    app.files.get(scope, name)?.ok_or_else(|| corrupt("its flags are gone")).map(Some)
}

/// Signs a manifest and makes it the current one; answers its number, and whether profiles have to be
/// folded again for it.
fn sign(
    app: &App,
    permit: &Permit,
    manifest: &Manifest,
    because: Option<&Because>,
) -> Result<(i64, bool), StoreError> {
    let scope = permit.scope();
    let signed = manifest.to_json();
    let signature = signing_key(app, scope)?.sign(&signed).to_bytes();
    let text = String::from_utf8(signed).map_err(|error| StoreError::corrupt("manifest", error))?;
    let publication = Publication { manifest: text, signature, published_at: clock::now() };
    let (by, records) = (permit.actor(), &app.records);
    let number = match because {
        Some(because) => records.publish_with(by, scope, &publication, because)?,
        None => records.publish(by, scope, &publication)?,
    };
    let changed = app.bundles.replace(scope, OpenBundle::read(app, scope)?.map(Arc::new));
    app.bundles.announce(scope, Sha256Digest::of(publication.manifest.as_bytes()));
    Ok((number, changed))
}

/// The newest publication.
///
/// # Errors
/// [`Problem::NoBundle`] before the first.
pub fn current(app: &App, scope: Scope) -> Result<(Manifest, Publication), Problem> {
    let publication = app.records.publication(scope)?.ok_or(Problem::NoBundle)?;
    let manifest = serde_json::from_str(&publication.manifest)
        .map_err(|error| StoreError::corrupt("manifest", error))?;
    Ok((manifest, publication))
}

/// What a page with a write key has to know, and the public parts of the bundle that it decides by.
pub struct PageConfig {
    /// As `sdk-js/README.md` has it.
    pub wire: Value,
    pub decision: Option<PartName>,
    pub flags: Option<PartName>,
}

/// Serves before the first publication, so that a page can already track.
///
/// # Errors
/// Where the SDK or the publication cannot be read.
pub fn page_config(app: &App, scope: Scope, key: &str) -> Result<PageConfig, Problem> {
    let sdk = app.sdk.load(&*app.files)?;
    let address = |name: PartName| format!("/v1/parts/{key}/{name}");
    let mut parts: Map<String, Value> = sdk
        .parts
        .iter()
        .map(|(part, name)| ((*part).to_owned(), Value::from(address(*name))))
        .collect();
    let (mut decision, mut flags) = (None, None);
    let mut config = Map::new();
    config.insert("key".to_owned(), Value::from(key));
    config.insert("endpoint".to_owned(), Value::from(app.public_url()));
    match current(app, scope) {
        Ok((manifest, publication)) => {
            let bundle = Sha256Digest::of(publication.manifest.as_bytes());
            // The bundle that is open may be the one before, for a moment.
            let open = match app.bundles.get(app, scope)? {
                Some(open) if open.digest == bundle => Some(open),
                _ => OpenBundle::read(app, scope)?.map(Arc::new),
            };
            let open = open.filter(|open| open.digest == bundle);
            decision = open.as_ref().and_then(|open| open.decision);
            let brought = open.and_then(|open| open.brought);
            let public = manifest.parts.iter().find(|part| part.kind == Kind::Flags && part.public);
            let digest = public.and_then(|part| Sha256Digest::parse(&part.hash));
            flags = digest.map(|digest| PartName {
                digest,
                kind: PartKind::Binary,
                encoding: Encoding::Plain,
            });
            for (part, name) in [
                ("decision", decision),
                ("flags", flags),
                ("frame", brought.map(|brought| brought.frame)),
                ("brought", brought.map(|brought| brought.model)),
            ] {
                if let Some(name) = name {
                    parts.insert(part.to_owned(), Value::from(address(name)));
                }
            }
            config.insert("bundle".to_owned(), Value::from(bundle.to_string()));
            config.insert("manifest".to_owned(), Value::from(publication.manifest));
            config.insert(
                "signature".to_owned(),
                Value::from(BASE64_STANDARD.encode(publication.signature)),
            );
            config.insert(
                "publicKey".to_owned(),
                Value::from(BASE64_STANDARD.encode(verifying_key(app, scope)?.as_bytes())),
            );
        }
        Err(Problem::NoBundle) => _ = config.insert("bundle".to_owned(), json!(null)),
        Err(problem) => return Err(problem),
    }
    config.insert("parts".to_owned(), Value::Object(parts));
    Ok(PageConfig { wire: Value::Object(config), decision, flags })
}

/// A part that a page of the scope may read, packed as asked for where that is kept.
///
/// # Errors
/// [`Problem::NotFound`] where neither the workspace nor the installation keeps it.
pub fn part(
    app: &App,
    scope: Scope,
    name: PartName,
    brotli: bool,
) -> Result<(Encoding, Vec<u8>), Problem> {
    let encodings: &[Encoding] =
        if brotli { &[Encoding::Brotli, Encoding::Plain] } else { &[Encoding::Plain] };
    for scope in [scope, SdkFiles::SCOPE] {
        for encoding in encodings {
            if let Some(bytes) = app.files.get(scope, name.packed(*encoding))? {
                return Ok((*encoding, bytes));
            }
        }
    }
    Err(Problem::NotFound("part"))
}

/// A part of a scope's bundles, whether or not a page may read it.
///
/// # Errors
/// [`Problem::NotFound`] where the scope keeps none of this hash.
pub fn part_for_servers(app: &App, scope: Scope, digest: Sha256Digest) -> Result<Vec<u8>, Problem> {
    for kind in [PartKind::Binary, PartKind::Private] {
        let name = PartName { digest, kind, encoding: Encoding::Plain };
        if let Some(bytes) = app.files.get(scope, name)? {
            return Ok(bytes);
        }
    }
    Err(Problem::NotFound("part"))
}

/// The key that the manifests of a scope are verified with.
///
/// # Errors
/// Where the key store cannot be read.
pub fn verifying_key(app: &App, scope: Scope) -> Result<VerifyingKey, StoreError> {
    Ok(signing_key(app, scope)?.verifying_key())
}

fn signing_key(app: &App, scope: Scope) -> Result<SigningKey, StoreError> {
    let seed = app.keys.workspace_key(scope.workspace)?.derive("sign bundles", &scope.to_bytes());
    Ok(SigningKey::from_bytes(seed.expose()))
}

/// Keeps a part, and packed beside it where that makes it smaller and anybody may fetch it.
pub(crate) fn keep(
    files: &dyn Files,
    scope: Scope,
    kind: PartKind,
    bytes: &[u8],
) -> Result<PartName, StoreError> {
    let name = PartName::of(kind, bytes);
    if kind != PartKind::Private && files.get(scope, name)?.is_none() {
        let packed = brotli(bytes)?;
        if packed.len() < bytes.len() {
            files.put(scope, name.packed(Encoding::Brotli), &packed)?;
        }
    }
    files.put(scope, name, bytes)?;
    Ok(name)
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    const BUFFER: usize = 64 * 1024;
    const QUALITY: u32 = 11;
    const WINDOW: u32 = 22;
    let mut packed = brotli::CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
    packed
        .write_all(bytes)
        .and_then(|()| packed.flush())
        .map_err(|error| StoreError::file("packing", "a part", error))?;
    Ok(packed.into_inner())
}
