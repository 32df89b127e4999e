//! Adding, checking, promoting and rolling back.

use super::overlay::{Registry, live_manifest, part_of};
use super::reading::{Read, read};
use super::store::{Action, Because, Move, NewModel, StoredModel};
use super::view::{CheckView, HistoryView, ModelView, ModelsView, MovedView};
use crate::app::App;
use crate::bundles::publish_moved;
use crate::clock;
use crate::error::{Problem, StoreError};
use crate::experiments::Wrong;
use crate::files::{Encoding, PartKind, PartName};
use crate::identity::{Permit, Scope};
use crate::sqlite::lock;
use rapport_core::bundle::ScoreInPage;
use rapport_core::model::{BroughtModel, CardWire, Model};
use rapport_core::scoring::{Background, Band, Score, margin};
use std::time::Instant;

/// Bytes that a model's file may have.
pub const MAX_FILE: usize = 16 * 1024 * 1024;

/// Keeps a file as a new version. It is read, converted where it is a tree ensemble, and held against
/// its card; nothing scores with it before it is promoted.
///
/// # Errors
/// [`Problem::Definition`] with all that is wrong with the card, [`Problem::Malformed`] where the file is
/// none that this takes or does not fit its card.
pub fn add(
    app: &App,
    permit: &Permit,
    card: Option<CardWire>,
    score_in_page: Option<ScoreInPage>,
    file: Vec<u8>,
) -> Result<ModelView, Problem> {
    let scope = permit.scope();
    let Read { name, kind, bytes, notes } = read(app, card, file)?;
    let place = score_in_page.unwrap_or(if kind == "onnx" || kind == "wasm" {
        ScoreInPage::Edge
    } else {
        ScoreInPage::Local
    });
    if kind == "wasm" && place == ScoreInPage::Local {
        return Err(Problem::Definition(vec![Wrong::new(
            "scoreInPage",
            "`local` came for a WebAssembly scorer, which pages do not run: `edge` or `off` was expected",
        )]));
    }
    let digest = PartName::of(PartKind::Private, &bytes).digest;
    let name_of_file = PartName { digest, kind: PartKind::Private, encoding: Encoding::Plain };
    app.files.put(scope, name_of_file, &bytes)?;
    let model = NewModel {
        name,
        kind: kind.to_owned(),
        digest,
        bytes: bytes.len(),
        score_in_page: place,
        at: clock::now(),
    };
    let version = app.records.add_model(permit.actor(), scope, &model)?;
    let stored = StoredModel { version, model, by: permit.actor().0.clone() };
    Ok(ModelView { notes, ..ModelView::new(&stored, &Registry::read(app, scope)?) })
}

/// All versions, what is live, and what was.
///
/// # Errors
/// Where the records cannot be read.
pub fn list(app: &App, scope: Scope) -> Result<ModelsView, StoreError> {
    let registry = Registry::read(app, scope)?;
    let fallback = registry.fallback().map(|stored| stored.version);
    Ok(ModelsView {
        live: registry.live(),
        fallback,
        models: registry.models.iter().map(|model| ModelView::new(model, &registry)).collect(),
        history: registry.moves.iter().map(HistoryView::from).collect(),
        brought: app.faults.of(scope).view(),
    })
}

/// Tries a version against what is published, as promoting it would: whether its signals are declared,
/// whether it opens, and what it says of its background.
///
/// # Errors
/// [`Problem::NotFound`] where there is no such version, [`Problem::NoBundle`] before anything is published.
pub fn check(app: &App, scope: Scope, id: &str) -> Result<CheckView, Problem> {
    let registry = Registry::read(app, scope)?;
    let stored = registry.find(id)?;
    let mut view = CheckView { version: stored.version, ..CheckView::default() };
    let part = match part_of(app, scope, stored) {
        Ok(part) => part,
        Err(Problem::Malformed(problem)) => {
            view.problems.push(problem);
            return Ok(view);
        }
        Err(problem) => return Err(problem),
    };
    if let Ok(brought) = BroughtModel::decode(&part) {
        if let Err(fault) = ask(app, &brought, &mut view) {
            view.problems.push(fault);
        }
    } else if let Ok(model) = Model::open(&part) {
        view.explains = model.explains();
    }
    view.ok = view.problems.is_empty();
    Ok(view)
}

/// Asks a brought model about its background, row by row.
fn ask(app: &App, brought: &BroughtModel, view: &mut CheckView) -> Result<(), String> {
    let frame = Model::open(&brought.frame).map_err(|error| error.to_string())?;
    let runs = app.engines.runs();
    let scorer =
        runs(brought.runtime, &brought.file, frame.signals()).map_err(|fault| fault.to_string())?;
    let start = Instant::now();
    let mut asked = Vec::new();
    for (at, row) in brought.background.iter().enumerate() {
        let margin =
            margin(&*scorer, row).map_err(|fault| format!("background row {at}: {fault}"))?;
        let (probability, score) = (frame.probability(margin), Score::at(&frame, margin));
        let band = Band::of(probability, frame.bands());
        asked.push((score.0, band.name()));
    }
    view.microseconds = Some(start.elapsed().as_secs_f64() * 1e6 / asked.len().max(1) as f64);
    view.scores = asked.iter().map(|(score, _)| *score).collect();
    view.bands = asked.iter().map(|(_, band)| *band).collect();
    let background =
        Background::new(&*scorer, &brought.background).map_err(|fault| fault.to_string())?;
    view.explains = match brought.background.first() {
        Some(row) => {
            let at = margin(&*scorer, row).map_err(|fault| fault.to_string())?;
            background.explain(&*scorer, row, at).map_err(|fault| fault.to_string())?;
            true
        }
        None => false,
    };
    Ok(())
}

/// Makes a version the live one and publishes that.
///
/// # Errors
/// As [`check`]; [`Problem::Conflict`] where the version does not pass it, or is live already.
pub fn promote(app: &App, permit: &Permit, id: &str) -> Result<MovedView, Problem> {
    let scope = permit.scope();
    // Before anything waits for it: a check may take a while.
    let checked = check(app, scope, id)?;
    if !checked.ok {
        return Err(Problem::Conflict(format!(
            "model {} was not promoted: {}",
            checked.version,
            checked.problems.join("; ")
        )));
    }
    let _alone = lock(&app.publishing);
    let mut registry = Registry::read(app, scope)?;
    let from = registry.live();
    if from == Some(checked.version) {
        return Err(Problem::Conflict(format!("model {} is live already", checked.version)));
    }
    go(app, permit, &mut registry, Action::Promote, Some(checked.version))
}

/// Makes the model live that was before the live one was promoted, and publishes that.
///
/// # Errors
/// [`Problem::Conflict`] where none was promoted, or that one no longer fits what is published.
pub fn roll_back(app: &App, permit: &Permit) -> Result<MovedView, Problem> {
    let _alone = lock(&app.publishing);
    let mut registry = Registry::read(app, permit.scope())?;
    let Some(to) = registry.before() else {
        return Err(Problem::Conflict(
            "there is nothing to roll back to: no promoted model is live".to_owned(),
        ));
    };
    go(app, permit, &mut registry, Action::Rollback, to)
}

fn go(
    app: &App,
    permit: &Permit,
    registry: &mut Registry,
    action: Action,
    version: Option<i64>,
) -> Result<MovedView, Problem> {
    let from = registry.live();
    let by = permit.actor().0.clone();
    let to = Move { action, version, at: clock::now(), by };
    registry.go(to.clone());
    let manifest = live_manifest(app, permit.scope(), registry, None)?;
    let number = publish_moved(app, permit, &manifest, &Because::Moved { to, from })?;
    let fallback = registry.fallback().map(|stored| stored.version);
    Ok(MovedView { bundle: number, live: registry.live(), was: from, fallback })
}
