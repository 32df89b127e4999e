//! The card of a brought model: what its file does not say, as people write it.

use super::{
    Bands, BroughtModel, EncodeError, LevelHash, Notation, Runtime, Signal, SignalKind, frame,
};
use serde::{Deserialize, Serialize};

/// A card, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardWire {
    /// What people call the model: letters, digits, `-` and `_`.
    pub name: String,
    /// What runs the file; found out from the file where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Runtime>,
    /// What the model reads, in the order of its columns.
    pub signals: Vec<CardSignalWire>,
    #[serde(default)]
    pub bands: BandsWire,
    /// Up to 64 rows of typical leads, which explanations compare with: a number, null where missing, the
    /// text or index of a category's level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<Vec<CellWire>>,
}

/// A signal that a card declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardSignalWire {
    /// As the bundle calls it.
    pub name: String,
    /// Its stable id there; found by the name where absent.
    #[serde(default, skip_serializing_if = "is_none_or_0")]
    pub id: Option<u32>,
    #[serde(default)]
    pub kind: CardKind,
    /// Of a category, in the order of their indices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// What the model is told where the value is missing; nothing where it takes missing values itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
}

/// How the values of a signal are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardKind {
    #[default]
    Number,
    /// A number whose 0 means missing.
    NonZero,
    /// Days since 1970-01-01.
    Date,
    Category,
}

/// The two thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandsWire {
    /// Probabilities below this are not qualified.
    pub not_below: f64,
    /// Probabilities from this on are qualified.
    pub qualified_from: f64,
}

/// A value of a background row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CellWire {
    Missing(()),
    Number(f64),
    Level(String),
}

/// A card that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub name: String,
    pub signals: Vec<Signal>,
    pub bands: Bands,
    /// By signal; NaN where the model takes missing values.
    pub missing: Vec<f64>,
    pub background: Vec<Vec<f64>>,
}

/// Something wrong with a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct CardProblem {
    /// Where it stands, such as `signals.2.levels`.
    pub at: String,
    /// What is wrong, what was expected, and what to do.
    pub reason: String,
}

/// Signals that a card may declare: as many as a bundle.
const MOST_SIGNALS: usize = 256;
const MOST_LEVELS: usize = 4096;
const LONGEST_NAME: usize = 64;

impl Default for BandsWire {
    fn default() -> Self {
        Self { not_below: 0.2, qualified_from: 0.5 }
    }
}

impl CardWire {
    /// Checks a card.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check(&self) -> Result<Card, Vec<CardProblem>> {
        let mut problems = Problems::default();
        let name = self.name.as_str();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
            let expected = "a name of 1 to 64 letters, digits, `-`, `_` and `.` was expected";
            problems.add("name", format!("`{}` came; {expected}", shown(name)));
        }
        let Bands { not_below, qualified_from } = self.bands.into();
        if !(0.0 <= not_below && not_below <= qualified_from && qualified_from <= 1.0) {
            problems.add("bands", format!(
                "{not_below} and {qualified_from} came; two probabilities were expected, `not_below` at most `qualified_from`"
            ));
        }
        if self.signals.is_empty() || self.signals.len() > MOST_SIGNALS {
            problems.add("signals", format!(
                "{} came; 1 to {MOST_SIGNALS} were expected: name what the model reads, in the order of its columns",
                self.signals.len()
            ));
        }
        let signals: Vec<Signal> = self
            .signals
            .iter()
            .enumerate()
            .map(|(at, one)| self.signal(at, one, &mut problems))
            .collect();
        let missing = self.signals.iter().map(|one| one.missing.unwrap_or(f64::NAN)).collect();
        let background = self.background(&signals, &mut problems);
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        Ok(Card { name: name.to_owned(), signals, bands: self.bands.into(), missing, background })
    }

    fn signal(&self, at: usize, one: &CardSignalWire, problems: &mut Problems) -> Signal {
        let place = |member: &str| format!("signals.{at}.{member}");
        if one.name.is_empty() || one.name.len() > LONGEST_NAME {
            problems.add(
                place("name"),
                "a name of 1 to 64 bytes was expected, as the bundle calls the signal",
            );
        }
        if self.signals.iter().take(at).any(|other| other.name == one.name) {
            problems.add(
                place("name"),
                format!("`{}` is there twice: name each signal once", one.name),
            );
        }
        let is_category = one.kind == CardKind::Category;
        if is_category == one.levels.is_empty() {
            problems.add(place("levels"), if is_category {
                "a category came without levels: list them in the order of their indices"
            } else {
                "levels came, but the kind is no category: make it `\"kind\": \"category\"`, or leave them out"
            });
        }
        let mut hashes: Vec<_> = one.levels.iter().map(|level| LevelHash::of(level)).collect();
        hashes.sort_unstable();
        if one.levels.len() > MOST_LEVELS || hashes.windows(2).any(|pair| pair[0] == pair[1]) {
            problems.add(
                place("levels"),
                format!("up to {MOST_LEVELS} different levels were expected"),
            );
        }
        let highest = one.levels.len() as f64;
        if one.missing.is_some_and(|value| {
            !value.is_finite() || is_category && !(0.0..=highest).contains(&value)
        }) {
            problems.add(
                place("missing"),
                "a number was expected; of a category, the index of a level",
            );
        }
        let kind = match one.kind {
            CardKind::Number => SignalKind::Number,
            CardKind::NonZero => SignalKind::NonZero,
            CardKind::Date => SignalKind::Date,
            CardKind::Category => SignalKind::Category { levels: one.levels.clone() },
        };
        Signal { id: one.id.unwrap_or(0), name: one.name.clone(), kind, notation: Notation::Untold }
    }

    fn background(&self, signals: &[Signal], problems: &mut Problems) -> Vec<Vec<f64>> {
        if self.background.len() > BroughtModel::MOST_BACKGROUND {
            problems.add(
                "background",
                format!(
                    "{} rows came; at most {} were expected: 8 to 16 typical ones do",
                    self.background.len(),
                    BroughtModel::MOST_BACKGROUND
                ),
            );
            return Vec::new();
        }
        let mut rows = Vec::new();
        for (at, cells) in self.background.iter().enumerate() {
            if cells.len() != signals.len() {
                problems.add(
                    format!("background.{at}"),
                    format!(
                        "{} values came; {} were expected, one a signal in their order",
                        cells.len(),
                        signals.len()
                    ),
                );
                continue;
            }
            let row = signals.iter().zip(cells).zip(&self.signals).map(|((signal, cell), one)| {
                let value = cell.value(&signal.kind);
                if value.is_none() {
                    problems.add(
                        format!("background.{at}.{}", signal.name),
                        format!(
                            "{cell} came; {} was expected, or null where missing",
                            signal.kind.expected()
                        ),
                    );
                }
                let value = value.unwrap_or(f64::NAN);
                if value.is_nan() { one.missing.unwrap_or(f64::NAN) } else { value }
            });
            rows.push(row.collect());
        }
        rows
    }
}

impl Card {
    /// The brought model of a file.
    ///
    /// # Errors
    /// As for any model that cannot be packed.
    pub fn bring(&self, runtime: Runtime, file: Vec<u8>) -> Result<BroughtModel, EncodeError> {
        Ok(BroughtModel {
            runtime,
            frame: frame(&self.name, self.signals.clone(), self.bands)?,
            missing: self.missing.clone(),
            background: self.background.clone(),
            file,
        })
    }
}

impl CellWire {
    fn value(&self, kind: &SignalKind) -> Option<f64> {
        match (self, kind) {
            (Self::Missing(()), _) => Some(f64::NAN),
            (Self::Level(level), SignalKind::Category { levels }) => {
                levels.iter().position(|known| known == level).map(|at| at as f64)
            }
            (Self::Number(index), SignalKind::Category { levels }) => {
                let fits = index.fract() == 0.0 && (0.0..=levels.len() as f64).contains(index);
                fits.then_some(*index)
            }
            (Self::Number(number), _) => Some(*number),
            (Self::Level(_), _) => None,
        }
    }
}

impl core::fmt::Display for CellWire {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Missing(()) => out.write_str("null"),
            Self::Number(number) => write!(out, "{number}"),
            Self::Level(level) => write!(out, "`{}`", shown(level)),
        }
    }
}

impl SignalKind {
    /// In words, for what was expected.
    const fn expected(&self) -> &'static str {
        match self {
            Self::Number | Self::NonZero => "a number",
            Self::Date => "a date as days since 1970-01-01",
            Self::Category { .. } => "one of its levels",
        }
    }
}

impl From<BandsWire> for Bands {
    fn from(wire: BandsWire) -> Self {
        Self { not_below: wire.not_below, qualified_from: wire.qualified_from }
    }
}

#[derive(Default)]
struct Problems(Vec<CardProblem>);

impl Problems {
    /// More than these nobody reads.
    const MOST: usize = 20;

    fn add(&mut self, at: impl Into<String>, reason: impl Into<String>) {
        if self.0.len() < Self::MOST {
            self.0.push(CardProblem { at: at.into(), reason: reason.into() });
        }
    }
}

/// As much of a text as a message takes.
fn shown(text: &str) -> &str {
    crate::binary::cut(text, 80)
}

fn is_none_or_0(id: &Option<u32>) -> bool {
    id.is_none_or(|id| id == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<Card, Vec<String>> {
        let wire: CardWire = serde_json::from_str(json).map_err(|error| vec![error.to_string()])?;
        wire.check().map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_card_says_what_its_file_does_not() {
        let card = checked(
            r#"{"name": "mlp-2", "kind": "onnx", "bands": {"not_below": 0.1, "qualified_from": 0.6},
                "signals": [{"name": "views", "missing": 0}, {"name": "source", "kind": "category", "levels": ["ads", "mail"]}],
                "background": [[null, "mail"], [3.5, null], [1, 2]]}"#,
        )
        .unwrap();
        assert_eq!(card.name, "mlp-2");
        assert_eq!(card.background[0], [0.0, 1.0]);
        assert!(card.background[1][1].is_nan());
        assert_eq!(card.background[2], [1.0, 2.0]);
        let brought = card.bring(Runtime::Onnx, vec![1, 2]).unwrap();
        assert!(BroughtModel::decode(&brought.encode()).is_ok());
    }

    #[test]
    fn a_wrong_card_is_told_where_it_is_wrong_what_came_and_what_was_expected() {
        let problems = checked(
            r#"{"name": "my model", "bands": {"not_below": 0.8, "qualified_from": 0.6},
                "signals": [{"name": "views", "levels": ["a"]}, {"name": "views", "kind": "category"}],
                "background": [[1], [1, "x"]]}"#,
        )
        .unwrap_err();
        for part in [
            "name: `my model` came; a name of",
            "bands: 0.8 and 0.6 came",
            "signals.0.levels: levels came",
            "signals.1.levels: a category came without levels",
            "signals.1.name: `views` is there twice",
            "background.0: 1 values came; 2 were expected",
            "background.1.views: `x` came",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(part)),
                "{part}: {problems:#?}"
            );
        }
        assert!(checked(r#"{"name": "a", "signals": []}"#).is_err());
        assert!(checked(r#"{"name": "a", "signals": [{"name": "a"}], "more": 1}"#).is_err());
    }
}
