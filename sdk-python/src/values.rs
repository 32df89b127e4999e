//! Values of JSON as Python's own objects, and back.

use crate::error::visitor;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use rapport_core::targeting::Value;
use std::borrow::Cow;

/// Lists and dicts nest at most this deep.
const MAX_DEPTH: usize = 48;

/// A value whose text stays where Python has it.
pub fn borrow<'v>(object: &'v Bound<'_, PyAny>) -> PyResult<Value<'v>> {
    match object.cast::<PyString>() {
        Ok(text) => Ok(Value::Text(text_of(text))),
        Err(_) => read(object),
    }
}

/// A value that is borrowed from nothing.
///
/// # Errors
/// `VisitorError` where it is nothing that JSON has.
pub fn read(object: &Bound<'_, PyAny>) -> PyResult<Value<'static>> {
    read_at(object, 0)
}

fn read_at(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value<'static>> {
    if depth > MAX_DEPTH {
        return Err(visitor("a value nests deeper than 48 lists or dicts: give less of it"));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::Text(text_of(text).into_owned().into()));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(whole) = object.cast::<PyInt>() {
        return Ok(Value::Number(float_of(whole)?));
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Value::Number(number.value()));
    }
    if let Ok(list) = object.cast::<PyList>() {
        let items = list.iter().map(|item| read_at(&item, depth + 1));
        return Ok(Value::List(items.collect::<PyResult<_>>()?));
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        let items = tuple.iter().map(|item| read_at(&item, depth + 1));
        return Ok(Value::List(items.collect::<PyResult<_>>()?));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let mut members = Vec::with_capacity(dict.len());
        for (name, value) in dict.iter() {
            let name = text_of(&name.str()?).into_owned();
            members.push((Cow::Owned(name), read_at(&value, depth + 1)?));
        }
        return Ok(Value::map(members));
    }
    other(object)
}

/// Numbers of other libraries, and times.
fn other(object: &Bound<'_, PyAny>) -> PyResult<Value<'static>> {
    if let Ok(number) = object.extract::<f64>() {
        return Ok(Value::Number(number));
    }
    if let Ok(time) = object.call_method0("isoformat") {
        return Ok(Value::Text(text_of(&time.str()?).into_owned().into()));
    }
    Err(visitor(format!(
        "a {} is no value of an attribute: give a str, int, float, bool, None, list, dict or datetime",
        object.get_type().name()?
    )))
}

/// Surrogates that stand alone, which UTF-8 lacks, become U+FFFD.
fn text_of<'t>(text: &'t Bound<'_, PyString>) -> Cow<'t, str> {
    match text.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => text.to_string_lossy(),
    }
}

fn float_of(whole: &Bound<'_, PyInt>) -> PyResult<f64> {
    match whole.extract::<f64>() {
        Ok(number) => Ok(number),
        // Beyond what a double holds, as JavaScript has it.
        Err(_) if whole.lt(0)? => Ok(f64::NEG_INFINITY),
        Err(_) => Ok(f64::INFINITY),
    }
}

/// Python's own object.
pub fn write<'py>(py: Python<'py>, value: &Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        // Whole numbers that a double holds exactly are whole numbers in Python.
        Value::Number(number) if number.trunc() == *number && number.abs() < 9.0e15 => {
            (*number as i64).into_pyobject(py)?.into_any()
        }
        Value::Number(number) => PyFloat::new(py, *number).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            items.iter().try_for_each(|item| list.append(write(py, item)?))?;
            list.into_any()
        }
        Value::Map(members) => {
            let dict = PyDict::new(py);
            members
                .iter()
                .try_for_each(|(name, value)| dict.set_item(&**name, write(py, value)?))?;
            dict.into_any()
        }
    })
}
