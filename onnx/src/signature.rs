//! A graph's inputs, held against the signals that a card declares.

use crate::OpenError;
use crate::graph::{Graph, Port};
use crate::tensor::Element;
use rapport_core::model::{Signal, SignalKind};

/// How an input is filled: the places of a row, in the order of its columns.
pub struct Filled {
    pub element: Element,
    /// Without the rows' own dimension: `[n]` of a matrix, nothing of a list of rows.
    pub dims: Vec<usize>,
    pub columns: Vec<usize>,
}

/// One for each input of the graph: one matrix of all signals in order, or an input a signal, by name.
pub fn fill(graph: &Graph<'_>, signals: &[Signal]) -> Result<Vec<Filled>, OpenError> {
    let all: Vec<usize> = (0..signals.len()).collect();
    if signals.is_empty() {
        return Err(OpenError::Output(
            "the card declares no signals: name what the model reads".to_owned(),
        ));
    }
    match graph.inputs.as_slice() {
        [] => Err(crate::graph::broken("it has no inputs")),
        [one] if signals.len() > 1 || place(one, signals).is_none() => {
            Ok(vec![filled(one, signals, all)?])
        }
        many => {
            let mut is_read = vec![false; signals.len()];
            let mut inputs = Vec::new();
            for port in many {
                let at = place(port, signals).ok_or_else(|| OpenError::Input {
                    input: port.name.to_owned(),
                    what: format!(
                        "no signal has that name; the card declares {}: name signals as the inputs",
                        names(signals)
                    ),
                })?;
                if std::mem::replace(&mut is_read[at], true) {
                    let signal = signals[at].name.clone();
                    let what = "two inputs have its name: rename one".to_owned();
                    return Err(OpenError::Signal { signal, what });
                }
                inputs.push(filled(port, signals, vec![at])?);
            }
            match is_read.iter().position(|is_read| !is_read) {
                None => Ok(inputs),
                Some(at) => Err(OpenError::Signal {
                    signal: signals[at].name.clone(),
                    what: "no input has that name: take it off the card, or export with it"
                        .to_owned(),
                }),
            }
        }
    }
}

fn names(signals: &[Signal]) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<&str> =
        signals.iter().take(SHOWN).map(|signal| signal.name.as_str()).collect();
    if signals.len() > SHOWN {
        names.push("…");
    }
    names.join(", ")
}

/// The signal of an input's name; exporters replace what is no letter or digit.
fn place(port: &Port<'_>, signals: &[Signal]) -> Option<usize> {
    let plain = |name: &str| {
        let letters = name.trim().chars();
        letters.map(|c| if c.is_alphanumeric() { c } else { '_' }).collect::<String>()
    };
    let exact = signals.iter().position(|signal| signal.name == port.name);
    exact.or_else(|| signals.iter().position(|signal| plain(&signal.name) == plain(port.name)))
}

fn filled(port: &Port<'_>, signals: &[Signal], columns: Vec<usize>) -> Result<Filled, OpenError> {
    let wrong = |what: String| OpenError::Input { input: port.name.to_owned(), what };
    let expected = format!("a matrix of one row and {} columns was expected", columns.len());
    let Some(element) = port.element else {
        return Err(wrong(format!("it is no tensor; {expected}")));
    };
    if let Element::Other(code) = element {
        return Err(wrong(format!(
            "its type (ONNX code {code}) is not read here: export with float, double, int64, int32, bool or string"
        )));
    }
    let rows_fit = port.dims.first().is_none_or(|rows| rows.is_none_or(|rows| rows == 1));
    if !rows_fit {
        return Err(wrong(format!(
            "it takes {} rows at once: export with an open first dimension",
            port.dims.first().copied().flatten().unwrap_or(0)
        )));
    }
    let dims = match port.dims.as_slice() {
        _ if port.unshaped => vec![columns.len()],
        [_] if columns.len() == 1 => Vec::new(),
        [_, width] => {
            if width.is_some_and(|width| width != columns.len() as u64) {
                return Err(wrong(format!(
                    "it has {} columns, and the card declares {} signals ({}): {expected}",
                    width.unwrap_or(0),
                    columns.len(),
                    names(signals)
                )));
            }
            vec![columns.len()]
        }
        other => return Err(wrong(format!("it has {} dimensions; {expected}", other.len()))),
    };
    for &column in &columns {
        let signal = &signals[column];
        if element == Element::Text {
            let is_named =
                matches!(&signal.kind, SignalKind::Category { levels } if !levels.is_empty());
            if !is_named {
                return Err(wrong(format!(
                    "it takes text, but the signal \"{}\" is {}: declare it as a category with its levels",
                    signal.name,
                    kind(&signal.kind)
                )));
            }
        }
    }
    Ok(Filled { element, dims, columns })
}

fn kind(kind: &SignalKind) -> &'static str {
    match kind {
        SignalKind::Number | SignalKind::NonZero => "a number",
        SignalKind::Date => "a date",
        SignalKind::Category { .. } => "a category without levels",
    }
}
