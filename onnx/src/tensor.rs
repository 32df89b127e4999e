//! Constants of a graph: weights, shapes, names of categories.

use crate::OpenError;
use crate::graph::{broken, fields, text, unsupported};
use rapport_core::model::import::protobuf::Value;

/// Values that a tensor may have.
pub const MOST_VALUES: u64 = 4 << 20;

/// What a tensor's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    F32,
    F64,
    I32,
    I64,
    Bool,
    Text,
    /// Any other; the code says which.
    Other(u64),
}

impl Element {
    pub fn of(code: u64) -> Option<Element> {
        Some(match code {
            0 => return None,
            1 => Element::F32,
            6 => Element::I32,
            7 => Element::I64,
            8 => Element::Text,
            9 => Element::Bool,
            11 => Element::F64,
            code => Element::Other(code),
        })
    }

    #[cfg(feature = "tract")]
    pub fn code(self) -> u64 {
        match self {
            Element::F32 => 1,
            Element::I32 => 6,
            Element::I64 => 7,
            Element::Text => 8,
            Element::Bool => 9,
            Element::F64 => 11,
            Element::Other(code) => code,
        }
    }

    /// Bytes of a value where it is written raw.
    fn width(self) -> Option<usize> {
        Some(match self {
            Element::F32 | Element::I32 | Element::Other(12) => 4,
            Element::F64 | Element::I64 | Element::Other(13) => 8,
            Element::Bool | Element::Other(2 | 3) => 1,
            Element::Other(4 | 5 | 10 | 16) => 2,
            Element::Text | Element::Other(_) => return None,
        })
    }
}

pub struct Tensor<'a> {
    pub element: Element,
    pub dims: Vec<usize>,
    data: Data<'a>,
}

enum Data<'a> {
    Raw(&'a [u8]),
    Numbers(Vec<f64>),
    Texts,
    /// Of a kind that only the engine for the rest reads.
    Unread,
}

impl<'a> Tensor<'a> {
    /// Reads a tensor and what it is called; refuses one whose shape and values do not fit.
    pub fn named(bytes: &'a [u8]) -> Result<(&'a str, Tensor<'a>), OpenError> {
        let (mut name, mut code, mut dims) = ("", 0, Vec::new());
        let (mut raw, mut numbers, mut texts) = (None, Vec::new(), 0);
        let mut is_outside = false;
        for field in fields(bytes, "a tensor") {
            let (number, value) = field?;
            match number {
                1 => dims.extend(value.integers()),
                2 => code = if let Value::Varint(code) = value { code } else { 0 },
                4 => numbers.extend(value.floats().into_iter().map(f64::from)),
                5 | 7 => numbers.extend(value.integers().into_iter().map(|number| number as f64)),
                6 => texts += 1,
                8 => name = text(value)?,
                9 => raw = Some(value.bytes()),
                10 => numbers.extend(value.doubles()),
                13 => is_outside = true,
                14 => is_outside |= matches!(value, Value::Varint(1)),
                _ => {}
            }
        }
        if is_outside {
            return unsupported(
                format!("the tensor \"{name}\", whose values are in another file,"),
                "save all in one file (onnx.save with save_as_external_data=False)",
            );
        }
        let wrong = |what: String| broken(format!("the tensor \"{name}\" {what}"));
        let element = Element::of(code).ok_or_else(|| wrong("has no type".to_owned()))?;
        let mut count = 1u64;
        for &dim in &dims {
            let dim = u64::try_from(dim).map_err(|_| wrong(format!("has the size {dim}")))?;
            count = count.saturating_mul(dim);
        }
        if count > MOST_VALUES || dims.len() > 16 {
            let what = format!("values of the tensor \"{name}\"");
            return Err(OpenError::TooLarge { what, found: count, most: MOST_VALUES });
        }
        let held = match (raw, element.width()) {
            (Some(raw), Some(width)) if raw.len() % width == 0 => raw.len() / width,
            (Some(_), _) => return Err(wrong("has bytes that are no whole values".to_owned())),
            (None, _) if element == Element::Text => texts,
            (None, _) => numbers.len(),
        };
        if held as u64 != count {
            return Err(wrong(format!(
                "has {held} values, but its shape {dims:?} asks for {count}"
            )));
        }
        let data = match (raw, element) {
            (_, Element::Other(_)) => Data::Unread,
            (Some(raw), _) => Data::Raw(raw),
            (None, Element::Text) => Data::Texts,
            (None, _) => Data::Numbers(numbers),
        };
        let dims = dims.into_iter().map(|dim| dim as usize).collect();
        Ok((name, Tensor { element, dims, data }))
    }

    pub fn of(element: Element, numbers: Vec<f64>, is_list: bool) -> Tensor<'a> {
        let dims = if is_list { vec![numbers.len()] } else { Vec::new() };
        Tensor { element, dims, data: Data::Numbers(numbers) }
    }

    pub fn texts(count: usize, is_list: bool) -> Tensor<'a> {
        let dims = if is_list { vec![count] } else { Vec::new() };
        Tensor { element: Element::Text, dims, data: Data::Texts }
    }

    /// How many values it has.
    #[cfg(feature = "tract")]
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }

    /// Its values, where they are numbers that fit `f64`.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        let raw = match &self.data {
            Data::Numbers(numbers) => return Some(numbers.clone()),
            Data::Raw(raw) => *raw,
            Data::Texts | Data::Unread => return None,
        };
        let (fours, eights) = (raw.as_chunks().0.iter(), raw.as_chunks().0.iter());
        Some(match self.element {
            Element::F32 => fours.map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect(),
            Element::I32 => fours.map(|&bytes| f64::from(i32::from_le_bytes(bytes))).collect(),
            Element::F64 => eights.map(|&bytes| f64::from_le_bytes(bytes)).collect(),
            Element::I64 => eights.map(|&bytes| i64::from_le_bytes(bytes) as f64).collect(),
            Element::Bool => raw.iter().map(|&byte| f64::from(byte.min(1))).collect(),
            Element::Text | Element::Other(_) => return None,
        })
    }
}
