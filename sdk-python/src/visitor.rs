//! A visitor, as Python's callers describe one.

use crate::error::{visitor, wrong_type};
use crate::flags::{Asking, Reads};
use crate::values;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rapport_core::event::Millis;
use rapport_core::experiment::{Known, Shown, StickyBuckets, Visitor, stand_ins};
use rapport_core::scoring::Band;
use rapport_core::targeting::Value;
use std::time::{SystemTime, UNIX_EPOCH};

type Given<'py> = Option<Bound<'py, PyAny>>;

/// The members of a visitor's dict, none of them read yet.
#[derive(Default)]
pub struct Described<'py> {
    attributes: Given<'py>,
    url: Given<'py>,
    anonymous_id: Given<'py>,
    user_id: Given<'py>,
    pub profile: Given<'py>,
    pub events: Given<'py>,
    now: Given<'py>,
    consent: Given<'py>,
    shown: Given<'py>,
    grade: Given<'py>,
    enabled: Given<'py>,
    qa_mode: Given<'py>,
    forced: Given<'py>,
    sticky: Given<'py>,
    pub said: Given<'py>,
}

impl<'py> Described<'py> {
    /// Finds the members; what is None counts as absent.
    ///
    /// # Errors
    /// `TypeError` where it is no dict, or has a member that no visitor has.
    pub fn read(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        let Ok(dict) = object.cast::<PyDict>() else {
            return Err(wrong_type(format!(
                "a visitor is a dict such as {{\"attributes\": {{\"id\": \"u1\"}}}}, not a {}",
                object.get_type().name()?
            )));
        };
        let mut described = Self::default();
        for (name, value) in dict.iter() {
            let name = name.cast::<PyString>()?;
            let slot = match name.to_str()? {
                "attributes" => &mut described.attributes,
                "url" => &mut described.url,
                "anonymous_id" => &mut described.anonymous_id,
                "user_id" => &mut described.user_id,
                "profile" => &mut described.profile,
                "events" => &mut described.events,
                "now" => &mut described.now,
                "consent" => &mut described.consent,
                "shown" => &mut described.shown,
                "grade" => &mut described.grade,
                "enabled" => &mut described.enabled,
                "qa_mode" => &mut described.qa_mode,
                "forced_variations" => &mut described.forced,
                "sticky" => &mut described.sticky,
                "said" => &mut described.said,
                other => {
                    return Err(wrong_type(format!(
                        "a visitor has no `{other}`: give attributes, url, anonymous_id, user_id, \
                         profile, events, consent, shown, grade, now, sticky, forced_variations, \
                         enabled or qa_mode; what conditions read belongs in attributes"
                    )));
                }
            };
            *slot = (!value.is_none()).then_some(value);
        }
        Ok(described)
    }

    /// The time of the question: the visitor's `now`, or the clock's.
    pub fn now(&self) -> PyResult<Millis> {
        match &self.now {
            Some(now) => Ok(Millis(now.extract::<f64>()? as i64)),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(Millis(since.as_millis() as i64))
            }
        }
    }

    /// Whether the visitor allows a purpose, such as `profiling`; what was not said is allowed.
    pub fn allows(&self, purpose: &str) -> PyResult<bool> {
        let Some(consent) = &self.consent else { return Ok(true) };
        let Ok(dict) = consent.cast::<PyDict>() else {
            return Err(wrong_type("`consent` is a dict such as {\"personalization\": False}"));
        };
        dict.get_item(purpose)?.map_or(Ok(true), |choice| choice.is_truthy())
    }

    /// Python's objects that core needs to look at, for a question that reads these attributes.
    pub fn find(&self, asking: &Asking, reads: &Reads) -> PyResult<Found<'py>> {
        let mut attributes = Vec::with_capacity(reads.attributes.len());
        let given = match &self.attributes {
            Some(given) => Some(given.cast::<PyDict>().map_err(|_| {
                wrong_type("a visitor's `attributes` are a dict, such as {\"plan\": \"pro\"}")
            })?),
            None => None,
        };
        for number in &reads.attributes {
            let found = match (given, given.and_then(|given| asking.name(given.py(), *number))) {
                (Some(given), Some(name)) => given.get_item(name)?,
                _ => None,
            };
            let found =
                found.or_else(|| self.stand_in(asking.flags.attributes.get(usize::from(*number))?));
            attributes.extend(found.map(|value| (*number, value)));
        }
        Ok(Found {
            attributes,
            now: if reads.now { Some(self.now()?) } else { None },
            memory: match &self.sticky {
                Some(documents) => Some(StickyBuckets::of(&values::read(documents)?)),
                None => None,
            },
            forced: numbers(self.forced.as_ref(), "forced_variations", |value| {
                Ok(values::read(value)?.to_number() as usize)
            })?,
            shown: numbers(self.shown.as_ref(), "shown", |value| {
                let value = values::read(value)?;
                Ok((value.at("times").to_number() as u32, value.at("last").to_number() as i64))
            })?,
        })
    }

    /// Ids stand for attributes that are not given.
    fn stand_in(&self, attribute: &str) -> Given<'py> {
        stand_ins(attribute).iter().find_map(|id| match *id {
            "anonymousId" => self.anonymous_id.clone(),
            "userId" => self.user_id.clone(),
            _ => None,
        })
    }

    /// The question as core takes it.
    pub fn visitor<'v>(
        &'v self,
        asking: &'v Asking,
        found: &'v Found<'_>,
        scored: Option<(u8, Band)>,
    ) -> PyResult<Visitor<'v>> {
        let mut attributes = vec![Value::Null; asking.flags.attributes.len()];
        for (number, value) in &found.attributes {
            if let Some(slot) = attributes.get_mut(usize::from(*number)) {
                *slot = values::borrow(value).map_err(|error| asking.about(*number, error))?;
            }
        }
        let truthy = |given: &Given<'_>, otherwise| {
            given.as_ref().map_or(Ok(otherwise), |value| value.is_truthy())
        };
        let mut visitor = Visitor {
            attributes,
            address: match &self.url {
                Some(url) => text(url, "url")?,
                None => "",
            },
            disabled: !truthy(&self.enabled, true)?,
            only_forced: truthy(&self.qa_mode, false)?,
            forced: found.forced.iter().map(|(key, at)| (key.as_str(), *at)).collect(),
            sticky: found.memory.as_ref(),
        };
        let shown = found.shown.iter().map(|(experience, (times, last))| Shown {
            experience,
            times: *times,
            last: Millis(*last),
        });
        let known = Known {
            now: found.now,
            score: scored.map(|(score, _)| score),
            band: scored.map(|(_, band)| band),
            grade: self.grade.as_ref().map(|grade| text(grade, "grade")).transpose()?,
            shown: shown.collect(),
        };
        asking.flags.tell(&mut visitor, &known);
        Ok(visitor)
    }
}

/// The members of a dict by their names.
fn numbers<T>(
    given: Option<&Bound<'_, PyAny>>,
    what: &str,
    read: impl Fn(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<(String, T)>> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let dict = given.cast::<PyDict>();
    let dict = dict.map_err(|_| wrong_type(format!("a visitor's `{what}` is a dict")))?;
    dict.iter().map(|(name, value)| Ok((name.extract()?, read(&value)?))).collect()
}

fn text<'v>(object: &'v Bound<'_, PyAny>, what: &str) -> PyResult<&'v str> {
    let found = object.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
    found.ok_or_else(|| visitor(format!("a visitor's `{what}` is no text")))
}

/// Python's objects behind the attributes, held while core looks at them, and what was read at once.
pub struct Found<'py> {
    attributes: Vec<(u16, Bound<'py, PyAny>)>,
    /// The time, where it counts.
    now: Option<Millis>,
    /// What is remembered of earlier assignments; `None` where nobody remembers.
    pub memory: Option<StickyBuckets>,
    /// Variations that were chosen by hand.
    forced: Vec<(String, usize)>,
    /// How often experiences were shown, and when last.
    shown: Vec<(String, (u32, i64))>,
}
