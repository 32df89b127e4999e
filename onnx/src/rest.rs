//! What is more than steps on a row, run by tract.
//!
//! tract works constants out while it reads a graph, before anybody can ask how large they get. So only
//! operators whose results are as large as what they read are let in, or whose sizes stand in the file.

use crate::OpenError;
use crate::graph::{Graph, Node, unsupported};
use crate::lower::Value;
use crate::program::Span;
use crate::tensor::Element;
use crate::write;
use rapport_core::scoring::ScorerFault;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::SimpleState;
use tract_onnx::tract_hir::infer::Factoid;

/// Bytes that all values of one run may take together.
const MOST_BYTES: u64 = 64 << 20;
/// Values that constants may come to when they are worked out.
const MOST_FOLDED: u64 = 4 << 20;

/// Operators that run, in order.
const OPERATORS: [&str; 111] = [
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "ArrayFeatureExtractor",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Conv",
    "Cos",
    "Cosh",
    "CumSum",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "LinearClassifier",
    "LinearRegressor",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "Normalizer",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "RMSNormalization",
    "RNN",
    "Reciprocal",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Round",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tan",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// The part of a graph that tract runs, on what the program leaves.
pub struct Rest {
    plan: Arc<TypedSimplePlan>,
    inputs: Vec<Given>,
    width: usize,
    /// One for each run that there was at once.
    states: Mutex<Vec<State>>,
}

type State = SimpleState<TypedFact, Box<dyn TypedOp>>;

/// A value that goes in.
struct Given {
    span: Span,
    shape: Vec<usize>,
    element: Element,
}

impl Rest {
    pub fn new(
        graph: &Graph<'_>,
        nodes: &[&Node<'_>],
        values: &BTreeMap<&str, Value>,
        output: &str,
    ) -> Result<Rest, OpenError> {
        admit(graph, nodes)?;
        let read: BTreeSet<&str> =
            nodes.iter().flat_map(|node| node.inputs.iter().copied()).collect();
        let mut inputs = Vec::new();
        let mut body = Vec::new();
        for (&name, value) in values.iter().filter(|(name, _)| read.contains(*name)) {
            if value.element == Element::Text {
                let reader = nodes.iter().find(|node| node.inputs.contains(&name));
                return Err(match reader {
                    Some(node) => node.wrong(
                        "it reads text, which only OneHotEncoder and LabelEncoder do: encode categories first",
                    ),
                    None => OpenError::Output("it is text".to_owned()),
                });
            }
            let shape = [&[1], value.dims.as_slice()].concat();
            write::bytes(&mut body, 11, &port(name, value.element, &shape));
            inputs.push(Given { span: value.span, shape, element: value.element });
        }
        for (_, constant) in graph.constants.iter().filter(|(name, _)| read.contains(*name)) {
            write::bytes(&mut body, if constant.is_node { 1 } else { 5 }, constant.message);
        }
        for node in nodes {
            write::bytes(&mut body, 1, node.message);
        }
        let mut result = Vec::new();
        write::bytes(&mut result, 1, output.as_bytes());
        write::bytes(&mut body, 12, &result);
        let mut model = Vec::new();
        for version in &graph.versions {
            write::bytes(&mut model, 8, version);
        }
        write::bytes(&mut model, 7, &body);
        let misfit =
            |what: String| OpenError::Output(format!("\"{output}\" cannot be computed: {what}"));
        let (plan, width) = catch_unwind(|| plan(&model))
            .map_err(|_| misfit("the graph does not hold together: export it again".to_owned()))?
            .map_err(|error| misfit(format!("{error:#}")))?;
        let states = Mutex::new(Vec::new());
        let rest = Rest { plan, inputs, width, states };
        // What fails whatever the row is shows now, not at the first visitor.
        let row = vec![0.0; values.values().map(|value| value.span.range().end).max().unwrap_or(0)];
        match rest.run(&row, |output| output.len() as f64) {
            Ok(_) => Ok(rest),
            Err(fault) => Err(misfit(fault.to_string())),
        }
    }

    /// Numbers that a row comes to.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn run(&self, block: &[f64], read: impl Fn(&[f64]) -> f64) -> Result<f64, ScorerFault> {
        let states = || self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = states().pop();
        let run = || -> TractResult<(State, f64)> {
            let mut state = match kept {
                Some(state) => state,
                None => self.plan.spawn()?,
            };
            let inputs = self.inputs.iter().map(|given| given.tensor(block));
            let outputs = state.run(inputs.collect::<TractResult<_>>()?)?;
            let output =
                outputs.first().ok_or_else(|| TractError::msg("no output"))?.cast_to::<f64>()?;
            let answer = read(output.try_as_plain_ram()?.as_slice::<f64>()?);
            Ok((state, answer))
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok((state, answer))) => {
                states().push(state);
                Ok(answer)
            }
            Ok(Err(error)) => Err(ScorerFault::Trap(format!("{error:#}"))),
            Err(_) => Err(ScorerFault::Trap("an operator panicked".to_owned())),
        }
    }
}

impl Given {
    fn tensor(&self, block: &[f64]) -> TractResult<TValue> {
        let numbers = &block[self.span.range()];
        let shape = self.shape.as_slice();
        if self.element != Element::F32 && self.element != Element::F64 {
            all_there(numbers.iter().all(|number| number.is_finite()))?;
        }
        let tensor = match self.element {
            Element::F64 => Tensor::from_shape(shape, numbers)?,
            Element::F32 => {
                Tensor::from_shape(shape, &numbers.iter().map(|&x| x as f32).collect::<TVec<_>>())?
            }
            Element::I32 => {
                Tensor::from_shape(shape, &numbers.iter().map(|&x| x as i32).collect::<TVec<_>>())?
            }
            Element::Bool => {
                Tensor::from_shape(shape, &numbers.iter().map(|&x| x != 0.0).collect::<TVec<_>>())?
            }
            _ => {
                Tensor::from_shape(shape, &numbers.iter().map(|&x| x as i64).collect::<TVec<_>>())?
            }
        };
        Ok(tensor.into_tvalue())
    }
}

/// Whole numbers have no way to say that a value is missing.
fn all_there(is_there: bool) -> TractResult<()> {
    if is_there {
        Ok(())
    } else {
        Err(TractError::msg("a value is missing that the model takes as a whole number"))
    }
}

/// Lets in what is known and stays small.
fn admit(graph: &Graph<'_>, nodes: &[&Node<'_>]) -> Result<(), OpenError> {
    // What constants come to, as far as that can be told: the product of what they are made of.
    let mut folded: BTreeMap<&str, u64> = graph
        .constants
        .iter()
        .map(|(&name, constant)| (name, constant.tensor.count().max(1) as u64))
        .collect();
    for node in nodes {
        let is_known =
            matches!(node.domain, "" | "ai.onnx.ml") && OPERATORS.contains(&node.operator);
        if !is_known {
            let domain = if node.domain.is_empty() { "" } else { "." };
            let operator = format!("{}{domain}{}", node.domain, node.operator);
            return Err(OpenError::Operator { node: node.name.to_owned(), operator });
        }
        if node.has_graphs()? {
            let what = format!("node \"{}\", which holds a graph of its own,", node.name);
            return unsupported(what, "export without loops and branches");
        }
        if node.operator == "Expand" {
            let shape = node.inputs.get(1).and_then(|name| graph.constants.get(name));
            let numbers = shape.and_then(|shape| shape.tensor.numbers());
            let count =
                numbers.map_or(f64::INFINITY, |dims| dims.iter().map(|dim| dim.abs()).product());
            if count > MOST_FOLDED as f64 {
                return Err(node.wrong(format!(
                    "it expands to {count} values, more than {MOST_FOLDED}, or to a size that it computes: \
                     export with fixed shapes"
                )));
            }
        }
        let read = node.inputs.iter().filter(|input| !input.is_empty());
        let sizes: Option<Vec<u64>> = read.map(|input| folded.get(input).copied()).collect();
        if let Some(sizes) = sizes {
            let size = sizes.into_iter().fold(1, u64::saturating_mul);
            if size > MOST_FOLDED {
                let what = format!("values that node \"{}\" makes of constants", node.name);
                return Err(OpenError::TooLarge { what, found: size, most: MOST_FOLDED });
            }
            folded.extend(node.outputs.iter().map(|&output| (output, size)));
        }
    }
    Ok(())
}

fn plan(model: &[u8]) -> TractResult<(Arc<TypedSimplePlan>, usize)> {
    let mut model = tract_onnx::onnx().model_for_read(&mut &*model)?;
    model.analyse(false)?;
    let mut bytes = 0u64;
    for node in model.nodes() {
        for output in &node.outputs {
            let shape = output.fact.shape.concretize();
            let size = shape.into_iter().flatten().try_fold(1u64, |size, dim| {
                dim.to_i64().ok().map(|dim| size.saturating_mul(dim.unsigned_abs()))
            });
            let each = output.fact.datum_type.concretize().map_or(8, |kind| kind.size_of() as u64);
            bytes = bytes.saturating_add(size.unwrap_or(1).saturating_mul(each));
            if bytes > MOST_BYTES {
                return Err(TractError::msg(format!(
                    "node \"{}\" brings its values to {bytes} bytes, more than {MOST_BYTES}: make the model smaller",
                    node.name
                )));
            }
        }
    }
    let model = model.into_optimized()?;
    let fact = model.output_fact(0)?;
    let width = fact.shape.as_concrete();
    let width =
        width.ok_or_else(|| TractError::msg("its size is open: export with fixed shapes"))?;
    let width = width.iter().product();
    Ok((TypedSimplePlan::new(model)?, width))
}

/// An input of a graph.
fn port(name: &str, element: Element, shape: &[usize]) -> Vec<u8> {
    let (mut dims, mut tensor, mut kind, mut port) = (vec![], vec![], vec![], vec![]);
    for &size in shape {
        let mut dim = Vec::new();
        write::whole(&mut dim, 1, size as u64);
        write::bytes(&mut dims, 1, &dim);
    }
    write::whole(&mut tensor, 1, element.code());
    write::bytes(&mut tensor, 2, &dims);
    write::bytes(&mut kind, 1, &tensor);
    write::bytes(&mut port, 1, name.as_bytes());
    write::bytes(&mut port, 2, &kind);
    port
}
