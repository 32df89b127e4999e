//! A visitor, as Python's callers describe one.

use crate::error::{visitor, wrong_type};
use crate::flags::Asking;
use crate::values;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rapport_core::experiment::{StickyBuckets, Visitor};
use rapport_core::targeting::Value;

/// The members of a visitor's dict, none of them read yet.
#[derive(Default)]
pub struct Described<'py> {
    pub attributes: Option<Bound<'py, PyAny>>,
    pub url: Option<Bound<'py, PyAny>>,
    pub profile: Option<Bound<'py, PyAny>>,
    pub events: Option<Bound<'py, PyAny>>,
    enabled: Option<Bound<'py, PyAny>>,
    qa_mode: Option<Bound<'py, PyAny>>,
    forced: Option<Bound<'py, PyAny>>,
    sticky: Option<Bound<'py, PyAny>>,
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
                "profile" => &mut described.profile,
                "events" => &mut described.events,
                "enabled" => &mut described.enabled,
                "qa_mode" => &mut described.qa_mode,
                "forced_variations" => &mut described.forced,
                "sticky" => &mut described.sticky,
                "anonymous_id" | "user_id" => continue,
                other => {
                    return Err(wrong_type(format!(
                        "a visitor has no `{other}`: give attributes, url, anonymous_id, user_id, \
                         profile, events, sticky, forced_variations, enabled or qa_mode; what \
                         conditions read belongs in attributes"
                    )));
                }
            };
            *slot = (!value.is_none()).then_some(value);
        }
        Ok(described)
    }

    /// The values of those attributes that a question reads, by their numbers.
    pub fn find(&self, asking: &Asking, reads: &[u16]) -> PyResult<Found<'py>> {
        let mut found = Found { attributes: Vec::with_capacity(reads.len()) };
        let Some(attributes) = &self.attributes else { return Ok(found) };
        let py = attributes.py();
        let dict = attributes.cast::<PyDict>().map_err(|_| {
            wrong_type("a visitor's `attributes` are a dict, such as {\"plan\": \"pro\"}")
        })?;
        for number in reads {
            let Some(name) = asking.name(py, *number) else { continue };
            if let Some(value) = dict.get_item(name)? {
                found.attributes.push((*number, value));
            }
        }
        Ok(found)
    }

    /// What is remembered of earlier assignments; `None` where nobody remembers.
    pub fn memory(&self) -> PyResult<Option<StickyBuckets>> {
        self.sticky
            .as_ref()
            .map(|documents| Ok(StickyBuckets::of(&values::read(documents)?)))
            .transpose()
    }

    /// The question as core takes it.
    pub fn visitor<'v>(
        &'v self,
        asking: &Asking,
        found: &'v Found<'_>,
        memory: Option<&'v StickyBuckets>,
        forced: &'v [(String, usize)],
    ) -> PyResult<Visitor<'v>> {
        let mut attributes = vec![Value::Null; asking.flags.attributes.len()];
        for (number, value) in &found.attributes {
            if let Some(slot) = attributes.get_mut(usize::from(*number)) {
                *slot = values::borrow(value).map_err(|error| asking.about(*number, error))?;
            }
        }
        let truthy = |given: &Option<Bound<'_, PyAny>>, otherwise| {
            given.as_ref().map_or(Ok(otherwise), |value| value.is_truthy())
        };
        Ok(Visitor {
            attributes,
            address: match &self.url {
                Some(url) => text(url, "url")?,
                None => "",
            },
            disabled: !truthy(&self.enabled, true)?,
            only_forced: truthy(&self.qa_mode, false)?,
            forced: forced.iter().map(|(key, at)| (key.as_str(), *at)).collect(),
            sticky: memory,
        })
    }

    /// Variations that were chosen by hand.
    pub fn forced(&self) -> PyResult<Vec<(String, usize)>> {
        let Some(forced) = &self.forced else { return Ok(Vec::new()) };
        let Ok(dict) = forced.cast::<PyDict>() else {
            return Err(wrong_type(
                "`forced_variations` is a dict of experiments' keys and numbers",
            ));
        };
        let pairs = dict
            .iter()
            .map(|(key, given)| Ok((key.extract()?, values::read(&given)?.to_number() as usize)));
        pairs.collect()
    }
}

fn text<'v>(object: &'v Bound<'_, PyAny>, what: &str) -> PyResult<&'v str> {
    let found = object.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
    found.ok_or_else(|| visitor(format!("a visitor's `{what}` is no text")))
}

/// Python's objects behind the attributes, held while core looks at them.
pub struct Found<'py> {
    attributes: Vec<(u16, Bound<'py, PyAny>)>,
}
