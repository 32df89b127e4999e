//! Signals as people write them, and their compilation.

use super::matcher::{MAX_MATCHERS, MAX_PATHS, PATH_CHANNEL, PATH_EVENT, value_hash};
use super::signals::{Kind, MAGIC, MAX_SIGNALS, NO_PATH, SPAN};
use crate::binary::{crc32, cut, fnv1a32, level_hash, put_short_str};
use crate::event::{EventKind, FieldValue, MAX_PATH_BYTES, Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One signal of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalWire {
    /// Stable for ever and never 0: a changed definition gets a new one.
    pub id: u32,
    /// What tables and models call it.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// How its values read.
    #[serde(default)]
    pub unit: Unit,
    /// Whether pages may know its name, its words and its levels.
    #[serde(default = "yes")]
    pub public: bool,
    #[serde(flatten)]
    pub kind: KindWire,
    /// Which events count; all where absent.
    #[serde(default)]
    pub when: WhenWire,
    /// What a reason says, by form: `zero`, `one`, `few`, `other`, `missing`.
    /// `{n}` stands for the value, `{level}` for the level, `{NAME}` for another signal's value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
    /// The levels that pages may name; others travel as hashes and are never shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// What people call a level, where it is not its own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<String, String>,
    /// The kind's members once more, and whatever should not be there.
    #[serde(flatten, skip_serializing)]
    others: BTreeMap<String, serde_json::Value>,
}

/// How values read in words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Unit {
    #[default]
    Number = 0,
    Seconds = 1,
    Days = 2,
    Percent = 3,
}

/// The kinds of signals: see [`Kind`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum KindWire {
    Count {},
    Distinct {
        field: String,
    },
    Sum {
        field: String,
    },
    Max {
        field: String,
    },
    Last {
        field: String,
    },
    FirstLevel {
        field: String,
    },
    LastLevel {
        field: String,
    },
    SinceFirst {},
    SinceLast {},
    Engaged {
        #[serde(default = "engaged_field")]
        field: String,
    },
    Decayed {
        half_life_days: f64,
        field: Option<String>,
    },
    Session {},
    Visits {},
    Window {
        days: f64,
    },
    /// Names of the signals: the first divided by the second.
    Ratio {
        of: [String; 2],
    },
    Server {},
    ServerLevel {},
}

/// Which events a signal counts; every part that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WhenWire {
    /// `track`, `page`, `identify`, `group`, `alias`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<OneOrMany<String>>,
    /// Names of events or pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<OneOrMany<String>>,
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionWire>,
}

/// A test of one field; exactly one test is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionWire {
    /// A dotted path, or `event` or `channel`.
    pub field: String,
    /// Whether the test must fail instead; an absent field fails every test.
    #[serde(skip_serializing_if = "is_false")]
    pub not: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

/// A value, or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => core::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// Why a signal was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signal `{name}` (id {id}): {reason}")]
pub struct SignalProblem {
    pub id: u32,
    pub name: String,
    pub reason: String,
}

fn yes() -> bool {
    true
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn engaged_field() -> String {
    "properties.seconds".to_owned()
}

/// Compiles signals into a `signals` part. What cannot be compiled is left out and reported.
pub fn compile_signals(wires: &[SignalWire]) -> (Vec<u8>, Vec<SignalProblem>) {
    let mut compiler = Compiler::new(wires);
    let mut problems = Vec::new();
    let mut kept: Vec<&SignalWire> = Vec::new();
    for wire in wires {
        match compiler.check(wire, &kept) {
            Ok(()) => kept.push(wire),
            Err(reason) => {
                problems.push(SignalProblem { id: wire.id, name: wire.name.clone(), reason })
            }
        }
    }
    // A ratio goes when an operand went.
    let numbers: Vec<&str> =
        kept.iter().filter(|wire| wire.kind.is_number()).map(|wire| wire.name.as_str()).collect();
    kept.retain(|wire| {
        let KindWire::Ratio { of } = &wire.kind else { return true };
        let missing = of.iter().find(|name| !numbers.contains(&name.as_str()));
        if let Some(name) = missing {
            let reason = format!(
                "divides `{name}`, which is no signal of this bundle with a number of its own"
            );
            problems.push(SignalProblem { id: wire.id, name: wire.name.clone(), reason });
        }
        missing.is_none()
    });
    kept.sort_unstable_by_key(|wire| wire.id);
    (compiler.write(&kept), problems)
}

struct Compiler {
    /// Every path that is read, ascending.
    paths: Vec<String>,
    matchers: Vec<Vec<u8>>,
}

impl Compiler {
    fn new(wires: &[SignalWire]) -> Self {
        let fields = wires.iter().flat_map(|wire| {
            let conditions = wire.when.conditions.iter().map(|condition| condition.field.as_str());
            conditions.chain(wire.kind.field())
        });
        let mut paths: Vec<String> =
            fields.filter(|path| is_path(path)).map(str::to_owned).collect();
        paths.sort_unstable();
        paths.dedup();
        Self { paths, matchers: Vec::new() }
    }

    /// Whether the signal can be compiled; registers its matcher.
    fn check(&mut self, wire: &SignalWire, kept: &[&SignalWire]) -> Result<(), String> {
        if let Some(other) = wire.others.keys().find(|other| !wire.kind.has_member(other)) {
            // Above all a misspelt `public` must not publish.
            return Err(format!("`{}` is no member of such a signal", cut(other, 80)));
        }
        if wire.id == 0 {
            return Err("the id must not be 0".to_owned());
        }
        if wire.name.is_empty() || wire.name.len() > 64 || wire.name.contains(['{', '}']) {
            return Err("the name must hold 1 to 64 bytes and no braces".to_owned());
        }
        if let Some(other) =
            kept.iter().find(|other| other.id == wire.id || other.name == wire.name)
        {
            return Err(format!("shares its id or name with `{}`", other.name));
        }
        if kept.len() >= MAX_SIGNALS {
            return Err(format!("a bundle holds at most {MAX_SIGNALS} signals"));
        }
        if let Some(field) = wire.kind.field() {
            self.path(field)?;
        }
        wire.kind.span()?;
        if wire.kind.is_servers() && wire.when != WhenWire::default() {
            return Err("is set by the server: no event counts, so `when` says nothing".to_owned());
        }
        let matcher = self.matcher(&wire.when)?;
        if !self.matchers.contains(&matcher) {
            if self.matchers.len() >= MAX_MATCHERS {
                return Err(format!("a bundle holds at most {MAX_MATCHERS} different `when`s"));
            }
            self.matchers.push(matcher);
        }
        Ok(())
    }

    fn path(&self, field: &str) -> Result<u8, String> {
        if !is_path(field) {
            return Err(format!(
                "`{}` is not a field; write `event`, `channel`, or a path that starts with properties., traits. or context.",
                cut(field, 80)
            ));
        }
        match self.paths.binary_search_by(|path| path.as_str().cmp(field)) {
            Ok(index) if index < MAX_PATHS => Ok(index as u8),
            _ => Err(format!("signals read at most {MAX_PATHS} different fields")),
        }
    }

    fn matcher(&self, when: &WhenWire) -> Result<Vec<u8>, String> {
        let mut kinds = 0_u8;
        for word in when.kind.as_ref().map(OneOrMany::as_slice).unwrap_or_default() {
            let kind = EventKind::ALL.into_iter().find(|kind| kind.word() == word);
            let kind = kind.ok_or_else(|| format!("`{}` is not a type of event", cut(word, 80)))?;
            kinds |= 1 << kind as u8;
        }
        let mut out = vec![if kinds == 0 { 31 } else { kinds }];
        let names = when.event.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
        put_hashes(&mut out, names.iter().map(|name| level_hash(name)).collect())?;
        let count = u8::try_from(when.conditions.len())
            .map_err(|_| "has more than 255 conditions".to_owned())?;
        out.push(count);
        for condition in &when.conditions {
            out.push(self.path(&condition.field)?);
            condition.write(&mut out)?;
        }
        Ok(out)
    }

    fn write(&self, kept: &[&SignalWire]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[0; 4]);
        let paths = self.paths.get(..self.paths.len().min(MAX_PATHS)).unwrap_or_default();
        out.push(paths.len() as u8);
        out.push(self.matchers.len() as u8);
        paths.iter().for_each(|path| put_short_str(&mut out, path));
        self.matchers.iter().for_each(|matcher| out.extend_from_slice(matcher));
        out.extend_from_slice(&(kept.len() as u16).to_le_bytes());
        for wire in kept {
            let matcher = self.matcher(&wire.when).unwrap_or_default();
            let matcher =
                self.matchers.iter().position(|known| *known == matcher).unwrap_or_default();
            let path = wire.kind.field().and_then(|field| self.path(field).ok());
            let kind = wire.kind.compile(kept);
            out.extend_from_slice(&wire.id.to_le_bytes());
            out.extend_from_slice(&[kind.tag(), matcher as u8, path.unwrap_or(NO_PATH)]);
            match kind {
                Kind::Decayed { half_life: span } | Kind::Window { length: span } => {
                    out.extend_from_slice(&span.to_le_bytes());
                }
                Kind::Ratio { over, under } => {
                    out.extend_from_slice(&over.to_le_bytes());
                    out.extend_from_slice(&under.to_le_bytes());
                }
                _ => {}
            }
            put_short_str(&mut out, if wire.public { &wire.name } else { "" });
        }
        let sum = crc32(out.get(8..).unwrap_or_default());
        if let Some(slot) = out.get_mut(4..8) {
            slot.copy_from_slice(&sum.to_le_bytes());
        }
        out
    }
}

impl KindWire {
    /// The field that the kind reads.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Distinct { field }
            | Self::Sum { field }
            | Self::Max { field }
            | Self::Last { field }
            | Self::FirstLevel { field }
            | Self::LastLevel { field }
            | Self::Engaged { field } => Some(field),
            Self::Decayed { field, .. } => field.as_deref(),
            _ => None,
        }
    }

    /// Whether the kind is written with such a member.
    fn has_member(&self, member: &str) -> bool {
        match member {
            "kind" => true,
            "field" => self.field().is_some() || matches!(self, Self::Decayed { .. }),
            "half_life_days" => matches!(self, Self::Decayed { .. }),
            "days" => matches!(self, Self::Window { .. }),
            "of" => matches!(self, Self::Ratio { .. }),
            _ => false,
        }
    }

    /// Whether the signal's value is a level, not a number.
    pub fn is_category(&self) -> bool {
        matches!(self, Self::FirstLevel { .. } | Self::LastLevel { .. } | Self::ServerLevel {})
    }

    /// Whether only the server sets the signal.
    pub fn is_servers(&self) -> bool {
        matches!(self, Self::Server {} | Self::ServerLevel {})
    }

    /// Whether a ratio may be made of it.
    fn is_number(&self) -> bool {
        !self.is_category() && !matches!(self, Self::Ratio { .. })
    }

    /// The half-life or window in milliseconds.
    fn span(&self) -> Result<i64, String> {
        let (Self::Decayed { half_life_days: days, .. } | Self::Window { days }) = self else {
            return Ok(0);
        };
        let span = (days * Millis::DAY as f64) as i64;
        if SPAN.contains(&span) {
            Ok(span)
        } else {
            Err("its half-life or window must lie between a minute and ten years".to_owned())
        }
    }

    fn compile(&self, kept: &[&SignalWire]) -> Kind {
        let index =
            |name: &str| kept.iter().position(|wire| wire.name == name).unwrap_or_default() as u16;
        let span = self.span().unwrap_or_default();
        match self {
            Self::Count {} => Kind::Count,
            Self::Distinct { .. } => Kind::Distinct,
            Self::Sum { .. } => Kind::Sum,
            Self::Max { .. } => Kind::Max,
            Self::Last { .. } => Kind::Last,
            Self::FirstLevel { .. } => Kind::FirstLevel,
            Self::LastLevel { .. } => Kind::LastLevel,
            Self::SinceFirst {} => Kind::SinceFirst,
            Self::SinceLast {} => Kind::SinceLast,
            Self::Engaged { .. } => Kind::Engaged,
            Self::Decayed { .. } => Kind::Decayed { half_life: span },
            Self::Session {} => Kind::Session,
            Self::Visits {} => Kind::Visits,
            Self::Window { .. } => Kind::Window { length: span },
            Self::Ratio { of: [over, under] } => {
                Kind::Ratio { over: index(over), under: index(under) }
            }
            Self::Server {} => Kind::Server,
            Self::ServerLevel {} => Kind::ServerLevel,
        }
    }
}

impl ConditionWire {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), String> {
        let field = cut(&self.field, 80);
        let given = [
            self.equals.is_some(),
            self.one_of.is_some(),
            self.prefix.is_some(),
            self.contains.is_some(),
            self.exists.is_some(),
            self.at_least.is_some(),
            self.at_most.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err(format!(
                "the condition on `{field}` needs exactly one of equals, one_of, prefix, contains, exists, at_least, at_most"
            ));
        }
        let not = u8::from(self.not != (self.exists == Some(false))) << 7;
        let bound = |bound: f64| {
            bound
                .is_finite()
                .then_some(bound)
                .ok_or(format!("the bound on `{field}` is not finite"))
        };
        if self.exists.is_some() {
            out.push(not);
        } else if let Some(values) =
            self.one_of.as_deref().or(self.equals.as_ref().map(core::slice::from_ref))
        {
            let hashes: Result<Vec<u32>, String> =
                values.iter().map(|value| json_hash(field, value)).collect();
            out.push(1 | not);
            put_hashes(out, hashes?)?;
        } else if let Some(prefix) = &self.prefix {
            let len = u8::try_from(prefix.len())
                .map_err(|_| format!("the prefix on `{field}` is longer than 255 bytes"))?;
            out.extend_from_slice(&[2 | not, len]);
            out.extend_from_slice(&fnv1a32(prefix.as_bytes()).to_le_bytes());
        } else if let Some(part) = &self.contains {
            if part.is_empty() || part.len() > 255 {
                return Err(format!("what `{field}` contains must hold 1 to 255 bytes"));
            }
            out.push(3 | not);
            put_short_str(out, part);
        } else if let Some(least) = self.at_least {
            out.push(4 | not);
            out.extend_from_slice(&bound(least)?.to_le_bytes());
        } else if let Some(most) = self.at_most {
            out.push(5 | not);
            out.extend_from_slice(&bound(most)?.to_le_bytes());
        }
        Ok(())
    }
}

fn json_hash(field: &str, value: &serde_json::Value) -> Result<u32, String> {
    use serde_json::Value;
    let hash = match value {
        Value::String(text) => Some(value_hash(FieldValue::Text(text))),
        Value::Bool(flag) => Some(value_hash(FieldValue::Bool(*flag))),
        Value::Number(number) => {
            number.as_f64().map(|number| value_hash(FieldValue::Number(number)))
        }
        _ => None,
    };
    hash.ok_or_else(|| {
        format!("`{field}` can only be compared with text, numbers and truth values")
    })
}

fn put_hashes(out: &mut Vec<u8>, mut hashes: Vec<u32>) -> Result<(), String> {
    hashes.sort_unstable();
    hashes.dedup();
    let count = u8::try_from(hashes.len()).map_err(|_| "lists more than 255 values".to_owned())?;
    out.push(count);
    hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
    Ok(())
}

/// Whether an event can hold the path.
fn is_path(field: &str) -> bool {
    let rooted = ["properties.", "traits.", "context."]
        .iter()
        .any(|root| field.len() > root.len() && field.starts_with(root));
    [PATH_EVENT, PATH_CHANNEL].contains(&field.as_bytes())
        || (rooted && field.len() <= MAX_PATH_BYTES)
}
