//! An opened model: from a row to a probability.

use crate::OpenError;
use crate::graph::{Graph, Node};
use crate::lower::{Lowering, Value};
use crate::output::{self, OUTPUT, SCALE};
use crate::program::{Program, sigmoid};
use crate::signature::fill;
use rapport_core::model::Signal;
use rapport_core::scoring::{Scorer, ScorerFault, checked};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A graph that gives the probability of one row.
pub struct OnnxModel {
    program: Program,
    signals: usize,
    last: Last,
    reading: Reading,
    /// What a run writes on, for as many runs as there were at once.
    blocks: Mutex<Vec<Box<[f64]>>>,
}

/// Where the probability comes from.
enum Last {
    /// The program leaves it here.
    Steps(usize, usize),
    #[cfg(feature = "tract")]
    Tract(crate::rest::Rest),
}

/// How an output of one or two numbers is read.
#[derive(Clone, Copy)]
struct Reading {
    column: usize,
    is_logit: bool,
}

/// A file that says which output is the probability and how it is written, for graphs that do not show
/// it: notes in the file's own metadata, which other software passes over.
pub fn marked(file: &[u8], output: Option<&str>, is_logit: Option<bool>) -> Vec<u8> {
    let scale = is_logit.map(|is_logit| if is_logit { "logit" } else { "probability" });
    let mut marked = file.to_vec();
    for (key, told) in [(OUTPUT, output), (SCALE, scale)] {
        if let Some(told) = told {
            let mut note = Vec::new();
            crate::write::bytes(&mut note, 1, key.as_bytes());
            crate::write::bytes(&mut note, 2, told.as_bytes());
            crate::write::bytes(&mut marked, 14, &note);
        }
    }
    marked
}

impl OnnxModel {
    /// Checks a file against the signals of its card and makes it ready.
    ///
    /// # Errors
    /// Says what is wrong, with which node, input or output, and what to do. See [`OpenError`].
    pub fn open(file: &[u8], signals: &[Signal]) -> Result<OnnxModel, OpenError> {
        let graph = Graph::read(file)?;
        let wanted = output::wanted(&graph)?;
        let inputs = fill(&graph, signals)?;
        let needed = needed(&graph, wanted.value);
        let mut lowering = Lowering::new(&graph, &needed, signals, &inputs);
        let mut rest = Vec::new();
        for &node in &needed {
            if !lowering.lower(node)? {
                rest.push(node);
            }
        }
        let last = match lowering.values.get(wanted.value) {
            Some(Value { span, .. }) => Last::Steps(span.at, span.len),
            None if rest.is_empty() => {
                return Err(OpenError::Output(format!(
                    "\"{}\" depends on no input: export the model, not its result",
                    wanted.value
                )));
            }
            #[cfg(feature = "tract")]
            None => {
                Last::Tract(crate::rest::Rest::new(&graph, &rest, &lowering.values, wanted.value)?)
            }
            #[cfg(not(feature = "tract"))]
            None => {
                return Err(OpenError::Operator {
                    node: rest[0].name.to_owned(),
                    operator: rest[0].operator.to_owned(),
                });
            }
        };
        let width = match &last {
            Last::Steps(_, width) => *width,
            #[cfg(feature = "tract")]
            Last::Tract(rest) => rest.width(),
        };
        let column = match width {
            1 => 0,
            2 => wanted.column.unwrap_or(1),
            width => {
                return Err(OpenError::Output(format!(
                    "\"{}\" holds {width} numbers a row: export a model of two classes",
                    wanted.value
                )));
            }
        };
        let reading = Reading { column, is_logit: wanted.is_logit };
        let blocks = Mutex::new(Vec::new());
        Ok(OnnxModel { program: lowering.program, signals: signals.len(), last, reading, blocks })
    }

    /// Whether all of it runs as steps of our own, with the same bits on every host.
    pub fn is_exact(&self) -> bool {
        matches!(self.last, Last::Steps(..))
    }

    fn run(&self, row: &[f64], block: &mut [f64]) -> Result<f64, ScorerFault> {
        block[..self.signals].copy_from_slice(row);
        self.program.run(block);
        let reading = self.reading;
        match &self.last {
            Last::Steps(at, width) => Ok(reading.of(&block[*at..at + width])),
            #[cfg(feature = "tract")]
            Last::Tract(rest) => rest.run(block, |output| reading.of(output)),
        }
    }
}

impl Reading {
    fn of(self, output: &[f64]) -> f64 {
        match (self.is_logit, output) {
            (false, output) => output.get(self.column).copied().unwrap_or(f64::NAN),
            (true, [one]) => sigmoid(*one),
            (true, [first, second]) => {
                sigmoid(if self.column == 1 { second - first } else { first - second })
            }
            (true, _) => f64::NAN,
        }
    }
}

impl Scorer for OnnxModel {
    fn probability(&self, row: &[f64]) -> Result<f64, ScorerFault> {
        if row.len() != self.signals {
            return Err(ScorerFault::Shape(format!(
                "it reads {} values and got {}: give one a signal",
                self.signals,
                row.len()
            )));
        }
        let blocks = || self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = blocks().pop();
        let mut block = kept.unwrap_or_else(|| vec![0.0; self.program.size].into());
        let probability = self.run(row, &mut block);
        blocks().push(block);
        // Rounding may leave the ends by a hair.
        let hair = f64::from(f32::EPSILON) * 8.0;
        let near = probability?;
        checked(if (-hair..=1.0 + hair).contains(&near) { near.clamp(0.0, 1.0) } else { near })
    }
}

/// The nodes that a value comes from, in order.
fn needed<'g, 'a>(graph: &'g Graph<'a>, value: &'a str) -> Vec<&'g Node<'a>> {
    let (mut values, mut nodes) = (BTreeSet::from([value]), Vec::new());
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| values.contains(output)) {
            nodes.push(node);
            values.extend(node.inputs.iter().copied());
        }
    }
    nodes.reverse();
    nodes
}
