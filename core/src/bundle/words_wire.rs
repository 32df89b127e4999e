//! Words as people write them, and their compilation.

use super::words::{
    FORM_NAMES, MAGIC, PHRASE_NAMES, PluralRule, SIGNAL_BASE, SLOT_LEVEL, SLOT_SIGNAL, SLOT_VALUE,
};
use crate::binary::{crc32, level_hash, put_short_str};
use crate::profile::SignalWire;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a locale says beside its signals. What is left out is said in English.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WordsWire {
    /// BCP 47, such as `en` or `de-AT`.
    pub locale: String,
    pub plural: PluralRule,
    /// `second_one`, `second_few`, `second_other`, the same of `minute`, `hour` and `day`, `moment`,
    /// `unknown`, `private_signal`, `private_level`; `{n}` stands for the number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub phrases: BTreeMap<String, String>,
    /// By the signals' names: what this locale says instead of what the signals say themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, SignalWordsWire>,
}

/// A signal in another language; what is left out is said as the signal says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignalWordsWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<String, String>,
}

impl Default for WordsWire {
    fn default() -> Self {
        let locale = "en".to_owned();
        let (phrases, signals) = Default::default();
        Self { locale, plural: PluralRule::OneOther, phrases, signals }
    }
}

const ENGLISH: [&str; PHRASE_NAMES.len()] = [
    "{n} second",
    "",
    "{n} seconds",
    "{n} minute",
    "",
    "{n} minutes",
    "{n} hour",
    "",
    "{n} hours",
    "{n} day",
    "",
    "{n} days",
    "a moment",
    "unknown",
    "other activity",
    "another value",
];

/// Compiles the words of the public signals among `kept`, whose order is that of the `signals` part.
/// A template that cannot be compiled is left out and reported with its signal's name.
pub(super) fn compile_words(
    wire: &WordsWire,
    kept: &[&SignalWire],
) -> (Vec<u8>, Vec<(String, String)>) {
    let mut problems = Vec::new();
    for name in wire.phrases.keys().filter(|name| !PHRASE_NAMES.contains(&name.as_str())) {
        problems.push((
            "words".to_owned(),
            format!("`{name}` is not a phrase; phrases are {}", PHRASE_NAMES.join(", ")),
        ));
    }
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&[0; 4]);
    out.push(wire.plural as u8);
    for (name, english) in PHRASE_NAMES.iter().zip(ENGLISH) {
        let phrase = wire.phrases.get(*name).map_or(english, String::as_str);
        put_short_str(&mut out, &phrase.replace("{n}", &SLOT_VALUE.to_string()));
    }
    for name in wire.signals.keys().filter(|name| !kept.iter().any(|signal| signal.name == **name))
    {
        problems.push((
            name.clone(),
            format!("locale `{}` says something about a signal that is not there", wire.locale),
        ));
    }
    let public: Vec<Spoken<'_>> =
        kept.iter().filter(|signal| signal.public).map(|signal| Spoken::of(signal, wire)).collect();
    out.extend_from_slice(&(public.len() as u16).to_le_bytes());
    for spoken in &public {
        let Spoken { signal, label, words, .. } = spoken;
        out.extend_from_slice(&signal.id.to_le_bytes());
        out.push(signal.unit as u8);
        put_short_str(&mut out, label);
        for form in words.keys().filter(|form| !FORM_NAMES.contains(&form.as_str())) {
            let reason = format!("`{form}` is not a form; forms are {}", FORM_NAMES.join(", "));
            problems.push((signal.name.clone(), reason));
        }
        for form in FORM_NAMES {
            let template = words.get(form).map_or(Ok(String::new()), |text| template(text, kept));
            put_short_str(&mut out, template.as_deref().unwrap_or_default());
            if let Err(reason) = template {
                problems.push((signal.name.clone(), format!("the words for `{form}`: {reason}")));
            }
        }
    }
    // Where signals show one level differently, the first one's word counts.
    let mut levels: BTreeMap<u32, &str> = BTreeMap::new();
    for Spoken { signal, shown, .. } in &public {
        for level in &signal.levels {
            let shown = shown.get(level).map_or(level.trim(), String::as_str);
            levels.entry(level_hash(level)).or_insert(shown);
        }
    }
    out.extend_from_slice(&(levels.len() as u16).to_le_bytes());
    for (hash, level) in levels {
        out.extend_from_slice(&hash.to_le_bytes());
        put_short_str(&mut out, level);
    }
    let sum = crc32(out.get(8..).unwrap_or_default());
    if let Some(slot) = out.get_mut(4..8) {
        slot.copy_from_slice(&sum.to_le_bytes());
    }
    (out, problems)
}

/// A signal as a locale speaks of it.
struct Spoken<'a> {
    signal: &'a SignalWire,
    label: &'a str,
    words: &'a BTreeMap<String, String>,
    shown: &'a BTreeMap<String, String>,
}

impl<'a> Spoken<'a> {
    fn of(signal: &'a SignalWire, wire: &'a WordsWire) -> Self {
        let ours = wire.signals.get(&signal.name);
        let label = ours.and_then(|ours| ours.label.as_deref()).unwrap_or(&signal.label);
        let words =
            ours.map(|ours| &ours.words).filter(|words| !words.is_empty()).unwrap_or(&signal.words);
        let shown =
            ours.map(|ours| &ours.shown).filter(|shown| !shown.is_empty()).unwrap_or(&signal.shown);
        Self { signal, label, words, shown }
    }
}

/// Replaces `{n}`, `{level}` and `{NAME}` by the characters that stand for them.
fn template(text: &str, kept: &[&SignalWire]) -> Result<String, String> {
    if text.contains(|letter: char| letter.is_control()) {
        return Err("must not hold control characters".to_owned());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('{') {
        out.push_str(head);
        let (name, tail) = tail.split_once('}').ok_or_else(|| "a `{` is not closed".to_owned())?;
        match name {
            "n" => out.push(SLOT_VALUE),
            "level" => out.push(SLOT_LEVEL),
            _ => {
                let index = kept.iter().position(|signal| signal.name == name && signal.public);
                let index = index
                    .ok_or_else(|| format!("`{{{name}}}` is not a public signal of this bundle"))?;
                out.push(SLOT_SIGNAL);
                out.extend(char::from_u32(SIGNAL_BASE + index as u32));
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    if out.len() > 255 { Err("longer than 255 bytes".to_owned()) } else { Ok(out) }
}
