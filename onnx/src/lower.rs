//! From a graph's nodes to steps on one row, as far as they go.

use crate::OpenError;
use crate::graph::{Graph, Node};
use crate::program::{Curve, Dense, Norm, Program, Span, Step, Sum};
use crate::signature::Filled;
use crate::tensor::{Element, Tensor};
use crate::trees::Trees;
use rapport_core::model::{Signal, SignalKind};
use std::collections::BTreeMap;

/// Numbers that a run may need.
const MOST_NUMBERS: usize = 1 << 20;
/// Numbers that all steps together may hold: weights, keys.
const MOST_HELD: usize = 4 << 20;

/// A value of the graph that the program makes.
#[derive(Debug, Clone)]
pub struct Value {
    pub span: Span,
    /// Without the rows' own dimension.
    pub dims: Vec<usize>,
    pub element: Element,
    /// Of text: the signal of each number, whose levels the numbers count.
    texts: Vec<usize>,
}

/// Builds a program node by node.
pub struct Lowering<'g, 'a> {
    graph: &'g Graph<'a>,
    /// Those that the probability comes from.
    nodes: &'g [&'g Node<'a>],
    signals: &'g [Signal],
    pub program: Program,
    pub values: BTreeMap<&'a str, Value>,
    held: usize,
}

/// Whether a node became steps, or is for the engine that runs the rest.
type Lowered = Result<Option<Value>, OpenError>;

impl<'g, 'a> Lowering<'g, 'a> {
    pub fn new(
        graph: &'g Graph<'a>,
        nodes: &'g [&'g Node<'a>],
        signals: &'g [Signal],
        inputs: &[Filled],
    ) -> Self {
        let program = Program { steps: Vec::new(), size: signals.len() };
        let values = BTreeMap::new();
        let mut lowering = Lowering { graph, nodes, signals, program, values, held: 0 };
        for (port, filled) in graph.inputs.iter().zip(inputs) {
            let row = Span { at: filled.columns[0], len: filled.columns.len() };
            let value = Value {
                span: row,
                dims: filled.dims.clone(),
                element: filled.element,
                texts: if filled.element == Element::Text {
                    filled.columns.clone()
                } else {
                    Vec::new()
                },
            };
            // Numbers arrive as `f64`; the graph asks for less.
            let value = match filled.element {
                Element::F64 | Element::Text => value,
                element => {
                    let to = lowering.place(row.len);
                    let to_whole = element != Element::F32;
                    lowering.program.steps.push(Step::Convert { from: row, to, to_whole });
                    Value { span: to, ..value }
                }
            };
            lowering.values.insert(port.name, value);
        }
        lowering
    }

    /// Makes steps of a node whose result something needs, where it can.
    pub fn lower(&mut self, node: &Node<'a>) -> Result<bool, OpenError> {
        let read = node.inputs.iter().filter(|input| !input.is_empty());
        let is_ready = read.clone().all(|input| {
            self.values.contains_key(input) || self.graph.constants.contains_key(input)
        });
        if !is_ready || !matches!(node.domain, "" | "ai.onnx.ml") {
            return Ok(false);
        }
        let Some(value) = self.value(node)? else { return Ok(false) };
        if self.program.size > MOST_NUMBERS || self.held > MOST_HELD {
            let (found, most) = (self.program.size.max(self.held) as u64, MOST_NUMBERS as u64);
            let what = format!("numbers that node \"{}\" comes to", node.name);
            return Err(OpenError::TooLarge { what, found, most });
        }
        // Classifiers give the label first.
        let output = usize::from(node.operator.ends_with("Classifier"));
        if let Some(&name) = node.outputs.get(output) {
            self.values.insert(name, value);
        }
        Ok(true)
    }

    fn value(&mut self, node: &Node<'a>) -> Lowered {
        let Some(input) = node.inputs.iter().find_map(|input| self.values.get(input)).cloned()
        else {
            return Ok(None);
        };
        let curve = match node.operator {
            "Relu" => Some(Curve::Relu),
            "Sigmoid" => Some(Curve::Sigmoid),
            "Tanh" => Some(Curve::Tanh),
            "LeakyRelu" => Some(Curve::LeakyRelu(node.number("alpha", 0.01)?)),
            "Elu" => Some(Curve::Elu(node.number("alpha", 1.0)?)),
            "Selu" => Some(Curve::Selu(
                node.number("alpha", 1.673_263_192_176_818_8)?,
                node.number("gamma", 1.050_701_022_148_132_3)?,
            )),
            "HardSigmoid" => {
                Some(Curve::HardSigmoid(node.number("alpha", 0.2)?, node.number("beta", 0.5)?))
            }
            "Softplus" => Some(Curve::Softplus),
            "Erf" => Some(Curve::Erf),
            "Gelu" => {
                let approximate = node.attribute("approximate")?.texts;
                Some(Curve::Gelu(approximate.first() == Some(&"tanh")))
            }
            "Exp" => Some(Curve::Exp),
            "Log" => Some(Curve::Log),
            "Sqrt" => Some(Curve::Sqrt),
            "Abs" => Some(Curve::Abs),
            "Neg" => Some(Curve::Neg),
            "Reciprocal" => Some(Curve::Reciprocal),
            "Clip" => self.clip(node)?,
            _ => None,
        };
        if let Some(curve) = curve {
            return Ok(self.each(&input, curve));
        }
        match node.operator {
            "Identity" => Ok(Some(input)),
            // Nothing is dropped where nothing is trained.
            "Dropout" => {
                Ok((!node.outputs.get(1).is_some_and(|mask| self.is_read(mask))).then_some(input))
            }
            "Cast" => self.cast(node, input),
            "Flatten" => Ok((node.integer("axis", 1)? == 1).then(|| flat(input))),
            "Reshape" => Ok(self.reshape(node, input)),
            "Concat" => self.concat(node),
            "Gather" | "ArrayFeatureExtractor" => self.gather(node, &input),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" => Ok(self.sum(node)),
            "MatMul" | "Gemm" => self.dense(node, &input),
            "LinearClassifier" | "LinearRegressor" => self.linear(node, &input),
            "Softmax" => {
                let axis = node.integer("axis", -1)?;
                if !decimal(&input) || input.dims.len() != 1 || !matches!(axis, 1 | -1) {
                    return Ok(None);
                }
                let single = input.element == Element::F32;
                Ok(Some(self.step(&input, |from, to| Step::Softmax { from, to, single })))
            }
            "TreeEnsembleClassifier" => self.trees(node, &input),
            "Scaler" => self.scaler(node, &input),
            "Imputer" => self.imputer(node, &input),
            "Normalizer" => self.normalizer(node, &input),
            "OneHotEncoder" => self.one_hot(node, &input),
            "LabelEncoder" => self.label(node, &input),
            "BatchNormalization" => self.batch_norm(node, &input),
            _ => Ok(None),
        }
    }

    fn is_read(&self, value: &str) -> bool {
        self.nodes.iter().any(|node| node.inputs.contains(&value))
    }

    fn place(&mut self, len: usize) -> Span {
        let at = self.program.size;
        self.program.size = at.saturating_add(len);
        Span { at, len }
    }

    /// A step that writes as many numbers as it reads.
    fn step(&mut self, input: &Value, step: impl FnOnce(Span, Span) -> Step) -> Value {
        let to = self.place(input.span.len);
        self.program.steps.push(step(input.span, to));
        Value { span: to, ..input.clone() }
    }

    fn each(&mut self, input: &Value, curve: Curve) -> Option<Value> {
        let single = input.element == Element::F32;
        decimal(input).then(|| self.step(input, |from, to| Step::Each { from, to, curve, single }))
    }

    fn clip(&self, node: &Node<'a>) -> Result<Option<Curve>, OpenError> {
        let bound =
            |at: usize, name, usual| match node.inputs.get(at).filter(|input| !input.is_empty()) {
                Some(input) => Ok(self.numbers(input).and_then(|numbers| numbers.first().copied())),
                None => node.number(name, usual).map(Some),
            };
        let least = bound(1, "min", f64::NEG_INFINITY)?;
        let most = bound(2, "max", f64::INFINITY)?;
        Ok(least.zip(most).map(|(least, most)| Curve::Clip(least, most)))
    }

    fn constant(&self, name: &str) -> Option<&'g Tensor<'a>> {
        self.graph.constants.get(name).map(|constant| &constant.tensor)
    }

    fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        self.constant(name)?.numbers()
    }

    fn cast(&mut self, node: &Node<'a>, input: Value) -> Lowered {
        let to = Element::of(node.integer("to", 0)? as u64);
        Ok(match (input.element, to) {
            (from, Some(to)) if from == to => Some(input),
            (Element::Text, _) | (_, Some(Element::Text | Element::Other(_)) | None) => None,
            (_, Some(element @ (Element::F32 | Element::F64))) => {
                let value = match element {
                    Element::F64 => input,
                    _ => self.step(&input, |from, to| Step::Convert { from, to, to_whole: false }),
                };
                Some(Value { element, ..value })
            }
            (_, Some(element @ (Element::I32 | Element::I64))) => {
                let value =
                    self.step(&input, |from, to| Step::Convert { from, to, to_whole: true });
                Some(Value { element, ..value })
            }
            (_, Some(Element::Bool)) => None,
        })
    }

    /// Only what keeps one row one row.
    fn reshape(&self, node: &Node<'a>, input: Value) -> Option<Value> {
        let shape = self.numbers(node.inputs.get(1)?)?;
        let (&rows, dims) = shape.split_first()?;
        let dims: Vec<usize> = match dims {
            [-1.0] => vec![input.span.len],
            dims => dims
                .iter()
                .map(|&dim| (dim > 0.0).then_some(dim as usize))
                .collect::<Option<_>>()?,
        };
        let fits = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))
            == Some(input.span.len);
        (matches!(rows, -1.0 | 0.0 | 1.0) && fits && !dims.is_empty())
            .then_some(Value { dims, ..input })
    }

    fn concat(&mut self, node: &Node<'a>) -> Lowered {
        let parts: Option<Vec<&Value>> =
            node.inputs.iter().map(|input| self.values.get(input)).collect();
        let Some(parts) = parts else { return Ok(None) };
        let first = parts[0];
        let is_flat = parts.iter().all(|part| part.dims.len() == 1);
        if !matches!(node.integer("axis", 0)?, 1 | -1)
            || !is_flat
            || parts.iter().any(|part| part.element != first.element)
        {
            return Ok(None);
        }
        let from: Vec<u32> =
            parts.iter().flat_map(|part| part.span.range().map(|at| at as u32)).collect();
        let texts: Vec<usize> = parts.iter().flat_map(|part| part.texts.iter().copied()).collect();
        let element = first.element;
        Ok(Some(self.copy(from, element, texts)))
    }

    fn copy(&mut self, from: Vec<u32>, element: Element, texts: Vec<usize>) -> Value {
        let to = self.place(from.len());
        let dims = vec![to.len];
        self.program.steps.push(Step::Copy { from: from.into(), to });
        Value { span: to, dims, element, texts }
    }

    /// Columns by their numbers.
    fn gather(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let axis = if node.operator == "Gather" { node.integer("axis", 0)? } else { -1 };
        let places = node.inputs.get(1).and_then(|input| self.constant(input));
        let numbers = places.and_then(Tensor::numbers);
        let is_first = node.inputs.first().is_some_and(|input| self.values.contains_key(input));
        let (Some(places), Some(numbers)) = (places, numbers) else { return Ok(None) };
        let is_list = node.operator != "Gather" || places.dims.len() == 1;
        if !is_first || input.dims.len() != 1 || !matches!(axis, 1 | -1) || !is_list {
            return Ok(None);
        }
        let len = input.span.len as f64;
        let mut from = Vec::new();
        let mut texts = Vec::new();
        for number in numbers {
            let number = if number < 0.0 { number + len } else { number };
            if !(0.0..len).contains(&number) {
                return Err(
                    node.wrong(format!("it reads column {number} of {len}: export it again"))
                );
            }
            from.push((input.span.at + number as usize) as u32);
            texts.extend(input.texts.get(number as usize));
        }
        Ok(Some(self.copy(from, input.element, texts)))
    }

    fn sum(&mut self, node: &Node<'a>) -> Option<Value> {
        let by = match node.operator {
            "Add" => Sum::Add,
            "Sub" => Sum::Sub,
            "Mul" => Sum::Mul,
            "Div" => Sum::Div,
            "Pow" => Sum::Pow,
            "Min" => Sum::Min,
            _ => Sum::Max,
        };
        let [left, right] = node.inputs.as_slice() else { return None };
        let (constant, name, swapped) = match (self.values.get(left), self.values.get(right)) {
            (Some(left), Some(right)) => {
                let (left, right) = (left.clone(), right.clone());
                return self.both(by, &left, &right);
            }
            (Some(_), None) => (right, left, false),
            _ => (left, right, true),
        };
        let (input, constant) = (self.values.get(name)?.clone(), self.constant(constant)?);
        let len = input.span.len;
        // Of more dimensions than a row it would make a value of another shape.
        let fits = match constant.dims.as_slice() {
            [] | [1] | [1, 1] => true,
            [width] | [1, width] => *width == len,
            _ => false,
        };
        if !decimal(&input) || input.dims.len() != 1 || !fits {
            return None;
        }
        let constants = constant.numbers()?;
        let is_read_once = self.reads(name) == 1;
        if let (Sum::Add, Some(Step::Dense { to, dense, .. })) = (by, self.program.steps.last_mut())
            && *to == input.span
            && dense.has_no_bias()
            && is_read_once
        {
            dense.add(&constants);
            return Some(input);
        }
        self.held += constants.len();
        let (constants, single) = (constants.into(), input.element == Element::F32);
        Some(self.step(&input, |from, to| Step::With { from, to, by, constants, swapped, single }))
    }

    fn reads(&self, value: &str) -> usize {
        let inputs = self.nodes.iter().flat_map(|node| &node.inputs);
        inputs.filter(|&&input| input == value).count()
    }

    fn both(&mut self, by: Sum, left: &Value, right: &Value) -> Option<Value> {
        let len = left.span.len.max(right.span.len);
        let fits = |value: &Value| {
            decimal(value)
                && value.dims.len() == 1
                && (value.span.len == len || value.span.len == 1)
        };
        if !fits(left) || !fits(right) || left.element != right.element {
            return None;
        }
        let to = self.place(len);
        let single = left.element == Element::F32;
        self.program.steps.push(Step::Both { left: left.span, right: right.span, to, by, single });
        Some(Value { span: to, dims: vec![len], ..left.clone() })
    }

    /// A matrix behind a row.
    fn dense(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let is_gemm = node.operator == "Gemm";
        let is_first = node.inputs.first().is_some_and(|input| self.values.contains_key(input));
        let Some(matrix) = node.inputs.get(1).and_then(|name| self.constant(name)) else {
            return Ok(None);
        };
        let &[rows, columns] = matrix.dims.as_slice() else { return Ok(None) };
        let (mut turned, mut alpha, mut beta) = (false, 1.0, 1.0);
        if is_gemm {
            if node.integer("transA", 0)? != 0 {
                return Ok(None);
            }
            turned = node.integer("transB", 0)? != 0;
            (alpha, beta) = (node.number("alpha", 1.0)?, node.number("beta", 1.0)?);
        }
        let (inputs, outputs) = if turned { (columns, rows) } else { (rows, columns) };
        if !is_first || !decimal(input) || input.dims.len() != 1 {
            return Ok(None);
        }
        if inputs != input.span.len {
            return Err(node.wrong(format!(
                "its matrix takes {inputs} numbers and gets {}: export the whole model, with the columns it was fitted on",
                input.span.len
            )));
        }
        let bias = match node.inputs.get(2).filter(|name| is_gemm && !name.is_empty()) {
            None => vec![0.0],
            Some(name) => {
                let Some(tensor) = self.constant(name) else { return Ok(None) };
                let fits = matches!(tensor.dims.as_slice(), [] | [1] | [1, 1])
                    || matches!(tensor.dims.as_slice(), [n] | [1, n] if *n == outputs);
                match tensor.numbers() {
                    Some(numbers) if fits => numbers,
                    _ => return Ok(None),
                }
            }
        };
        let Some(weights) = matrix.numbers() else { return Ok(None) };
        let bias = |output: usize| beta * if let [one] = bias[..] { one } else { bias[output] };
        let at = |input: usize, output: usize| {
            let at = if turned { output * columns + input } else { input * columns + output };
            alpha * weights[at]
        };
        Ok(Some(self.matrix(input, outputs, Dense::new(inputs, outputs, at, bias))))
    }

    fn matrix(&mut self, input: &Value, outputs: usize, dense: Dense) -> Value {
        self.held += input.span.len * outputs;
        let to = self.place(outputs);
        let single = input.element == Element::F32;
        self.program.steps.push(Step::Dense { from: input.span, to, dense, single });
        Value { span: to, dims: vec![outputs], ..input.clone() }
    }

    fn linear(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let coefficients = node.attribute("coefficients")?.numbers;
        let intercepts = node.attribute("intercepts")?.numbers;
        let transform = node.attribute("post_transform")?.texts.first().copied().unwrap_or("NONE");
        let classifies = node.operator == "LinearClassifier";
        let label_is_read =
            classifies && node.outputs.first().is_some_and(|label| self.is_read(label));
        let width = input.span.len;
        if label_is_read || input.dims.len() != 1 || input.element == Element::Text || width == 0 {
            return Ok(None);
        }
        if coefficients.is_empty() || coefficients.len() % width != 0 {
            return Err(node.wrong(format!(
                "its {} coefficients do not fit {width} columns: export it again",
                coefficients.len()
            )));
        }
        let outputs = coefficients.len() / width;
        let labels = ["classlabels_ints", "classlabels_strings"];
        let mut classes = 0;
        for name in labels {
            let attribute = node.attribute(name)?;
            classes = classes.max(attribute.integers.len()).max(attribute.texts.len());
        }
        // Both are computed with `float`, whatever comes in.
        let input = Value { element: Element::F32, ..input.clone() };
        let bias = |output: usize| intercepts.get(output).copied().unwrap_or(0.0);
        let at = |input: usize, output: usize| coefficients[output * width + input];
        let mut scores = self.matrix(&input, outputs, Dense::new(width, outputs, at, bias));
        if classifies && outputs == 1 && classes == 2 {
            // One margin stands for both classes.
            let one = scores.span.at as u32;
            scores = self.copy(vec![one, one], Element::F32, Vec::new());
            let constants: Box<[f64]> = Box::new([-1.0, 1.0]);
            let (by, swapped, single) = (Sum::Mul, false, true);
            scores = self.step(&scores, |from, to| Step::With {
                from,
                to,
                by,
                constants,
                swapped,
                single,
            });
        }
        Ok(match transform {
            "NONE" => Some(scores),
            "LOGISTIC" => self.each(&scores, Curve::Sigmoid),
            "SOFTMAX" => {
                Some(self.step(&scores, |from, to| Step::Softmax { from, to, single: true }))
            }
            _ => None,
        })
    }

    fn trees(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let label_is_read = node.outputs.first().is_some_and(|label| self.is_read(label));
        if label_is_read || input.dims.len() != 1 || input.element == Element::Text {
            return Ok(None);
        }
        let single = input.element != Element::F64;
        let Some(trees) = Trees::read(node, input.span.len, single)? else { return Ok(None) };
        self.held += trees.held();
        let to = self.place(trees.width());
        let dims = vec![to.len];
        self.program.steps.push(Step::Trees { from: input.span, to, trees, single: true });
        Ok(Some(Value { span: to, dims, element: Element::F32, texts: Vec::new() }))
    }

    fn scaler(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let (offset, scale) = (node.attribute("offset")?.numbers, node.attribute("scale")?.numbers);
        let fits = |numbers: &[f64]| numbers.len() == 1 || numbers.len() == input.span.len;
        if input.element == Element::Text || !fits(&offset) || !fits(&scale) {
            let (offsets, width) = (offset.len(), input.span.len);
            return Err(node
                .wrong(format!("it scales {offsets} columns and gets {width}: export it again")));
        }
        let with = |by, constants: Vec<f64>| {
            let constants = constants.into();
            move |from, to| Step::With { from, to, by, constants, swapped: false, single: true }
        };
        let input = Value { element: Element::F32, ..input.clone() };
        let moved = self.step(&input, with(Sum::Sub, offset));
        Ok(Some(self.step(&moved, with(Sum::Mul, scale))))
    }

    fn imputer(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let (mut by, mut replaced) = (
            node.attribute("imputed_value_floats")?.numbers,
            node.attribute("replaced_value_float")?.numbers.first().copied().unwrap_or(0.0),
        );
        if by.is_empty() {
            let whole = node.attribute("imputed_value_int64s")?.integers;
            by = whole.into_iter().map(|number| number as f64).collect();
            replaced = node.integer("replaced_value_int64", 0)? as f64;
        }
        if input.element == Element::Text || (by.len() != 1 && by.len() != input.span.len) {
            return Ok(None);
        }
        let by = by.into();
        Ok(Some(self.step(input, |from, to| Step::Impute { from, to, replaced, by })))
    }

    fn normalizer(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let norm = match node.attribute("norm")?.texts.first().copied().unwrap_or("MAX") {
            "MAX" => Norm::Largest,
            "L1" => Norm::Sum,
            "L2" => Norm::Length,
            _ => return Ok(None),
        };
        if input.dims.len() != 1 || input.element == Element::Text {
            return Ok(None);
        }
        let input = Value { element: Element::F32, ..input.clone() };
        Ok(Some(self.step(&input, |from, to| Step::Normalize { from, to, norm, single: true })))
    }

    /// The key of each place that stands for one of the words, by the levels that the card declares.
    fn keys(&self, input: &Value, words: &[&str]) -> Box<[Box<[f64]>]> {
        let place = |&signal: &usize| {
            let SignalKind::Category { levels } = &self.signals[signal].kind else {
                return Box::default();
            };
            let level = |word: &&str| levels.iter().position(|level| level == word);
            words.iter().map(|word| level(word).map_or(f64::NAN, |at| at as f64)).collect()
        };
        input.texts.iter().map(place).collect()
    }

    fn one_hot(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let words = node.attribute("cats_strings")?.texts;
        let numbers = node.attribute("cats_int64s")?.integers;
        let keys = match (input.element, words.is_empty()) {
            (Element::Text, false) => self.keys(input, &words),
            (Element::Text, true) | (_, false) => {
                return Err(node.wrong(
                    "its categories are not of the kind that its input is: export it again",
                ));
            }
            (_, true) => [numbers.iter().map(|&number| number as f64).collect()].into(),
        };
        let width = words.len().max(numbers.len());
        let mut values = vec![0.0; width.saturating_mul(width)];
        for at in 0..width {
            values[at * width + at] = 1.0;
        }
        // Without zeros, what is unknown is an error: NaN, which no probability comes of.
        let other = if node.integer("zeros", 1)? == 1 { 0.0 } else { f64::NAN };
        let mut dims = input.dims.clone();
        dims.push(width);
        Ok(self.matched(input, keys, values, vec![other; width], Element::F32, dims))
    }

    fn label(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let words = node.attribute("keys_strings")?.texts;
        let mut keys = node.attribute("keys_floats")?.numbers;
        keys.extend(node.attribute("keys_int64s")?.integers.into_iter().map(|key| key as f64));
        let floats = node.attribute("values_floats")?.numbers;
        let whole = node.attribute("values_int64s")?.integers;
        let (values, element, other) = if floats.is_empty() {
            let values = whole.into_iter().map(|value| value as f64).collect();
            (values, Element::I64, node.integer("default_int64", -1)? as f64)
        } else {
            (floats, Element::F32, node.number("default_float", 0.0)?)
        };
        let keys = match (input.element, words.is_empty()) {
            (Element::Text, false) => self.keys(input, &words),
            (Element::Text, true) | (_, false) => return Ok(None),
            (_, true) => [keys.into()].into(),
        };
        if keys.iter().any(|keys| keys.len() != values.len()) {
            return Ok(None);
        }
        Ok(self.matched(input, keys, values, vec![other], element, input.dims.clone()))
    }

    fn matched(
        &mut self,
        input: &Value,
        keys: Box<[Box<[f64]>]>,
        values: Vec<f64>,
        other: Vec<f64>,
        element: Element,
        dims: Vec<usize>,
    ) -> Option<Value> {
        if keys.is_empty() || other.is_empty() {
            return None;
        }
        self.held += keys.iter().map(|keys| keys.len()).sum::<usize>() + values.len();
        let to = self.place(input.span.len.saturating_mul(other.len()));
        let (values, other) = (values.into(), other.into());
        self.program.steps.push(Step::Match { from: input.span, to, keys, values, other });
        Some(Value { span: to, dims, element, texts: Vec::new() })
    }

    /// With fixed means and variances it is a factor and a summand a column.
    fn batch_norm(&mut self, node: &Node<'a>, input: &Value) -> Lowered {
        let numbers: Option<Vec<Vec<f64>>> =
            node.inputs.iter().skip(1).map(|name| self.numbers(name)).collect();
        let Some([scale, bias, mean, variance]) = numbers.as_deref() else { return Ok(None) };
        let width = input.span.len;
        let fits = [scale, bias, mean, variance].iter().all(|numbers| numbers.len() == width);
        if !decimal(input) || input.dims.len() != 1 || !fits {
            return Ok(None);
        }
        let epsilon = node.number("epsilon", 1e-5)?;
        let factor = |at: usize| scale[at] / libm::sqrt(variance[at] + epsilon);
        let factors: Box<[f64]> = (0..width).map(factor).collect();
        let summands: Box<[f64]> = (0..width).map(|at| bias[at] - mean[at] * factor(at)).collect();
        let single = input.element == Element::F32;
        let with = |by, constants| {
            move |from, to| Step::With { from, to, by, constants, swapped: false, single }
        };
        let scaled = self.step(input, with(Sum::Mul, factors));
        Ok(Some(self.step(&scaled, with(Sum::Add, summands))))
    }
}

fn decimal(value: &Value) -> bool {
    matches!(value.element, Element::F32 | Element::F64)
}

fn flat(value: Value) -> Value {
    Value { dims: vec![value.span.len], ..value }
}
