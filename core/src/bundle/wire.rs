//! Bundles as people write them, and their compilation to parts.

use super::WordsWire;
use super::words_wire::compile_words;
use crate::experiment::compile_flags;
use crate::profile::{SignalWire, Signals, compile_signals};
use crate::targeting::Value;
use serde::{Deserialize, Serialize};

/// A workspace's bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleWire {
    pub workspace: String,
    /// `live` or `test`.
    pub environment: String,
    pub signals: Vec<SignalWire>,
    /// The models; their bytes travel beside the JSON.
    #[serde(default)]
    pub models: Vec<ModelWire>,
    /// One entry a locale, the default one first; English where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<WordsWire>,
    /// Features, experiments, audiences and experiences: `docs/flags-format.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Value<'static>>,
}

/// How a model is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelWire {
    pub name: String,
    /// Whether it answers where no name is asked for. Exactly one does; the first where none says so.
    #[serde(default)]
    pub default: bool,
    #[serde(default)]
    pub score_in_page: ScoreInPage,
}

/// Where a model scores the visitor of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreInPage {
    /// In the page itself; the model is public.
    #[default]
    Local,
    /// On the edge or the server; only scores travel.
    Edge,
    /// Nowhere; only the backend scores.
    Off,
}

/// One content-addressed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub kind: PartKind,
    /// The model's name, the words' locale, otherwise empty.
    pub name: String,
    /// Whether pages get it.
    pub public: bool,
    pub bytes: Vec<u8>,
}

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    Signals,
    Model,
    Words,
    Flags,
    /// A model that a customer brought, where one is live; there is no part `model` then.
    Brought,
    /// The model that scores where the brought one fails.
    Fallback,
}

/// What came of compiling a bundle: the good parts, and what is wrong with the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    pub parts: Vec<Part>,
    pub problems: Vec<BundleProblem>,
    workspace: String,
    environment: String,
    models: Vec<ModelWire>,
}

/// Something in a bundle that does not publish, or publishes without a detail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} `{name}`: {reason}")]
pub struct BundleProblem {
    /// `signal`, `model`, `words` or `flags`.
    pub part: &'static str,
    pub name: String,
    pub reason: String,
}

/// What the publisher signs, and what names the parts. Its canonical bytes are those of
/// [`Manifest::to_json`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The highest format among the parts.
    pub format: u8,
    pub workspace: String,
    pub environment: String,
    pub parts: Vec<ManifestPart>,
}

/// One part of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    pub kind: PartKind,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub default: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_in_page: Option<ScoreInPage>,
    /// Whether pages get it.
    pub public: bool,
    /// Of the part's bytes, as the publisher's hash function writes it.
    pub hash: String,
    pub bytes: usize,
}

/// Compiles a bundle. `models` are the model files by name. What cannot be compiled is left out
/// and reported; a bundle with problems may still be published without them.
pub fn compile(wire: &BundleWire, models: &[(&str, &[u8])]) -> Compiled {
    let mut problems = Vec::new();
    let (bytes, signal_problems) = compile_signals(&wire.signals);
    for problem in signal_problems {
        problems.push(BundleProblem { part: "signal", name: problem.name, reason: problem.reason });
    }
    let kept = kept_signals(wire, &bytes);
    let mut parts =
        vec![Part { kind: PartKind::Signals, name: String::new(), public: true, bytes }];
    let mut published: Vec<ModelWire> = Vec::new();
    for model in &wire.models {
        let file = models.iter().find(|(name, _)| *name == model.name).map(|(_, bytes)| *bytes);
        let part = match file {
            _ if published.iter().any(|other| other.name == model.name) => {
                Err("this name is taken".to_owned())
            }
            None => Err("its file is missing".to_owned()),
            Some(file) => super::fit::fit_model(file, &kept),
        };
        match part {
            Ok(bytes) => {
                let public = model.score_in_page == ScoreInPage::Local;
                parts.push(Part { kind: PartKind::Model, name: model.name.clone(), public, bytes });
                published.push(model.clone());
            }
            Err(reason) => {
                problems.push(BundleProblem { part: "model", name: model.name.clone(), reason })
            }
        }
    }
    settle_default(&mut published, &mut problems);
    let english = [WordsWire::default()];
    for words in if wire.words.is_empty() { &english } else { wire.words.as_slice() } {
        let (bytes, word_problems) = compile_words(words, &kept);
        problems.extend(word_problems.into_iter().map(|(name, reason)| BundleProblem {
            part: "words",
            name,
            reason,
        }));
        parts.push(Part { kind: PartKind::Words, name: words.locale.clone(), public: true, bytes });
    }
    if let Some(payload) = &wire.flags {
        let (flags, flag_problems) = compile_flags(payload);
        problems.extend(flag_problems.into_iter().map(|problem| BundleProblem {
            part: "flags",
            name: problem.at,
            reason: problem.reason,
        }));
        let bytes = flags.to_bytes();
        parts.push(Part { kind: PartKind::Flags, name: String::new(), public: true, bytes });
    }
    Compiled {
        parts,
        problems,
        workspace: wire.workspace.clone(),
        environment: wire.environment.clone(),
        models: published,
    }
}

impl Compiled {
    /// The part of a kind, the default one where there are several.
    pub fn part(&self, kind: PartKind) -> Option<&Part> {
        let default =
            self.models.iter().find(|model| model.default).map(|model| model.name.as_str());
        self.parts.iter().find(|part| {
            part.kind == kind && (kind != PartKind::Model || Some(part.name.as_str()) == default)
        })
    }

    /// Names every part by `hash` of its bytes.
    pub fn manifest(&self, hash: impl Fn(&[u8]) -> String) -> Manifest {
        let parts = self.parts.iter().map(|part| {
            let model = self
                .models
                .iter()
                .find(|model| part.kind == PartKind::Model && model.name == part.name);
            ManifestPart {
                kind: part.kind,
                name: part.name.clone(),
                default: model.is_some_and(|model| model.default),
                score_in_page: model.map(|model| model.score_in_page),
                public: part.public,
                hash: hash(&part.bytes),
                bytes: part.bytes.len(),
            }
        });
        Manifest {
            format: 1,
            workspace: self.workspace.clone(),
            environment: self.environment.clone(),
            parts: parts.collect(),
        }
    }
}

impl Manifest {
    /// The bytes that are signed: JSON without white space, members in their declared order.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and lists always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The signals that went into the part, in its order.
pub fn kept_signals<'a>(wire: &'a BundleWire, part: &[u8]) -> Vec<&'a SignalWire> {
    let Ok(signals) = Signals::open(part) else { return Vec::new() };
    signals
        .iter()
        .filter_map(|signal| wire.signals.iter().find(|wire| wire.id == signal.id))
        .collect()
}

fn settle_default(models: &mut [ModelWire], problems: &mut Vec<BundleProblem>) {
    let mut found = false;
    for model in models.iter_mut() {
        if model.default && found {
            model.default = false;
            let reason = "another model is the default already".to_owned();
            problems.push(BundleProblem { part: "model", name: model.name.clone(), reason });
        }
        found |= model.default;
    }
    if let (false, Some(first)) = (found, models.first_mut()) {
        first.default = true;
    }
}
