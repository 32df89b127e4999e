//! What runs on one row without tract: a list of steps over one block of numbers.
//!
//! Sums are made in `f64` in one order on every host and rounded once to what the graph computes with,
//! so that a page and a server give the same probability.

use crate::trees::Trees;

/// Steps in order; each reads what stands before its own place and writes there.
#[derive(Debug, Default)]
pub struct Program {
    pub steps: Vec<Step>,
    /// Numbers that a run needs, the row first.
    pub size: usize,
}

/// Where a value stands in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub at: usize,
    pub len: usize,
}

/// One step. `single` rounds each result to `f32`, as the graph does.
#[derive(Debug)]
pub enum Step {
    /// Copies numbers from anywhere before, in this order.
    Copy {
        from: Box<[u32]>,
        to: Span,
    },
    /// To the nearest `f32`, or towards zero to a whole number.
    Convert {
        from: Span,
        to: Span,
        to_whole: bool,
    },
    Dense {
        from: Span,
        to: Span,
        dense: Dense,
        single: bool,
    },
    Each {
        from: Span,
        to: Span,
        curve: Curve,
        single: bool,
    },
    /// With constants, one for all or one each; `swapped` where the constant stands first.
    With {
        from: Span,
        to: Span,
        by: Sum,
        constants: Box<[f64]>,
        swapped: bool,
        single: bool,
    },
    /// Two values, one of which may be a single number.
    Both {
        left: Span,
        right: Span,
        to: Span,
        by: Sum,
        single: bool,
    },
    Softmax {
        from: Span,
        to: Span,
        single: bool,
    },
    /// What is missing, or equals `replaced`, becomes the constant of its place.
    Impute {
        from: Span,
        to: Span,
        replaced: f64,
        by: Box<[f64]>,
    },
    /// Divides by a norm of all.
    Normalize {
        from: Span,
        to: Span,
        norm: Norm,
        single: bool,
    },
    Trees {
        from: Span,
        to: Span,
        trees: Trees,
        single: bool,
    },
    /// Finds each number among keys and writes the numbers that belong to it, else `other`.
    Match {
        from: Span,
        to: Span,
        keys: Box<[Box<[f64]>]>,
        values: Box<[f64]>,
        other: Box<[f64]>,
    },
}

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Curve {
    Relu,
    Sigmoid,
    Tanh,
    LeakyRelu(f64),
    Elu(f64),
    Selu(f64, f64),
    HardSigmoid(f64, f64),
    Clip(f64, f64),
    Softplus,
    Erf,
    /// Exact where the parameter is false, else by tanh.
    Gelu(bool),
    Exp,
    Log,
    Sqrt,
    Abs,
    Neg,
    Reciprocal,
}

/// Functions of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    Largest,
    Sum,
    Length,
}

/// A matrix and what is added, in blocks of [`LANES`] outputs so that each block stays in registers.
#[derive(Debug)]
pub struct Dense {
    /// Block by block, input by input, output by output.
    weights: Box<[[f64; LANES]]>,
    bias: Box<[[f64; LANES]]>,
    inputs: usize,
}

const LANES: usize = 8;

impl Dense {
    /// Of a matrix of `inputs` rows and `outputs` columns, asked by row and column.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weight: impl Fn(usize, usize) -> f64,
        bias: impl Fn(usize) -> f64,
    ) -> Dense {
        let mut dense = Dense { weights: Box::default(), bias: Box::default(), inputs };
        let blocks = outputs.div_ceil(LANES);
        let lanes = |block: usize, of: &dyn Fn(usize) -> f64| {
            std::array::from_fn(|lane| {
                let output = block * LANES + lane;
                if output < outputs { of(output) } else { 0.0 }
            })
        };
        dense.bias = (0..blocks).map(|block| lanes(block, &bias)).collect();
        dense.weights = (0..blocks * inputs)
            .map(|at| lanes(at / inputs, &|output| weight(at % inputs, output)))
            .collect();
        dense
    }

    /// Adds to the bias, which comes after the matrix in most graphs.
    pub fn add(&mut self, constants: &[f64]) {
        for (at, bias) in self.bias.as_flattened_mut().iter_mut().enumerate() {
            *bias += match constants {
                [one] => *one,
                each => each.get(at).copied().unwrap_or(0.0),
            };
        }
    }

    pub fn has_no_bias(&self) -> bool {
        self.bias.as_flattened().iter().all(|&bias| bias == 0.0)
    }

    fn run(&self, from: &[f64], to: &mut [f64]) {
        let matrices = self.weights.chunks_exact(self.inputs.max(1));
        for ((block, matrix), to) in self.bias.iter().zip(matrices).zip(to.chunks_mut(LANES)) {
            let mut sums = *block;
            for (&input, weights) in from.iter().zip(matrix) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += input * weight;
                }
            }
            to.copy_from_slice(&sums[..to.len()]);
        }
    }
}

impl Program {
    /// Runs on a block whose first numbers are the row.
    pub fn run(&self, block: &mut [f64]) {
        for step in &self.steps {
            step.run(block);
        }
    }
}

impl Span {
    pub fn range(self) -> std::ops::Range<usize> {
        self.at..self.at + self.len
    }
}

/// Splits what is read from what is written: places are given out in order.
fn parted(block: &mut [f64], to: Span) -> (&[f64], &mut [f64]) {
    let (before, after) = block.split_at_mut(to.at);
    (before, &mut after[..to.len])
}

fn round(to: &mut [f64], single: bool) {
    if single {
        to.iter_mut().for_each(|value| *value = f64::from(*value as f32));
    }
}

impl Step {
    /// Where it writes.
    pub fn to(&self) -> Span {
        match self {
            Step::Copy { to, .. }
            | Step::Convert { to, .. }
            | Step::Dense { to, .. }
            | Step::Each { to, .. }
            | Step::With { to, .. }
            | Step::Both { to, .. }
            | Step::Softmax { to, .. }
            | Step::Impute { to, .. }
            | Step::Normalize { to, .. }
            | Step::Trees { to, .. }
            | Step::Match { to, .. } => *to,
        }
    }

    fn run(&self, block: &mut [f64]) {
        let (block, to) = parted(block, self.to());
        match self {
            Step::Copy { from, .. } => {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = block[from as usize];
                }
            }
            Step::Convert { from, to_whole, .. } => {
                to.copy_from_slice(&block[from.range()]);
                if *to_whole {
                    to.iter_mut().for_each(|value| *value = libm::trunc(*value));
                }
                round(to, !to_whole);
            }
            Step::Dense { from, dense, single, .. } => {
                dense.run(&block[from.range()], to);
                round(to, *single);
            }
            Step::Each { from, curve, single, .. } => {
                curve.run(&block[from.range()], to);
                round(to, *single);
            }
            Step::With { from, by, constants, swapped, single, .. } => {
                let pairs = to.iter_mut().zip(&block[from.range()]).zip(constants.iter().cycle());
                for ((to, &value), &constant) in pairs {
                    *to = if *swapped { by.of(constant, value) } else { by.of(value, constant) };
                }
                round(to, *single);
            }
            Step::Both { left, right, by, single, .. } => {
                let (left, right) = (&block[left.range()], &block[right.range()]);
                for ((to, &left), &right) in
                    to.iter_mut().zip(left.iter().cycle()).zip(right.iter().cycle())
                {
                    *to = by.of(left, right);
                }
                round(to, *single);
            }
            Step::Softmax { from, single, .. } => {
                to.copy_from_slice(&block[from.range()]);
                softmax(to);
                round(to, *single);
            }
            Step::Trees { from, trees, single, .. } => {
                trees.run(&block[from.range()], to);
                round(to, *single);
            }
            Step::Impute { from, replaced, by, .. } => {
                let pairs = to.iter_mut().zip(&block[from.range()]).zip(by.iter().cycle());
                for ((to, &value), &by) in pairs {
                    let is_missing =
                        if replaced.is_nan() { value.is_nan() } else { value == *replaced };
                    *to = if is_missing { by } else { value };
                }
            }
            Step::Normalize { from, norm, single, .. } => {
                let from = &block[from.range()];
                let norm = match norm {
                    Norm::Largest => from.iter().map(|value| value.abs()).fold(0.0, f64::max),
                    Norm::Sum => from.iter().map(|value| value.abs()).sum(),
                    Norm::Length => libm::sqrt(from.iter().map(|value| value * value).sum()),
                };
                let norm = if norm == 0.0 { 1.0 } else { norm };
                for (to, value) in to.iter_mut().zip(from) {
                    *to = value / norm;
                }
                round(to, *single);
            }
            Step::Match { from, keys, values, other, .. } => {
                let pairs = block[from.range()].iter().zip(keys.iter().cycle());
                for ((value, keys), to) in pairs.zip(to.chunks_mut(other.len().max(1))) {
                    let found = keys.iter().position(|key| key == value);
                    let found = found.and_then(|at| values.get(at * to.len()..(at + 1) * to.len()));
                    to.copy_from_slice(found.unwrap_or(other));
                }
            }
        }
    }
}

impl Curve {
    fn run(self, from: &[f64], to: &mut [f64]) {
        let each = |to: &mut [f64], curve: &dyn Fn(f64) -> f64| {
            to.iter_mut().zip(from).for_each(|(to, &value)| *to = curve(value));
        };
        match self {
            // Apart from the rest, because every network has it and it takes no call a number.
            Curve::Relu => to.iter_mut().zip(from).for_each(|(to, &value)| {
                *to = if value < 0.0 { 0.0 } else { value };
            }),
            curve => each(to, &|value| curve.of(value)),
        }
    }

    pub fn of(self, x: f64) -> f64 {
        match self {
            Curve::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Curve::Sigmoid => sigmoid(x),
            Curve::Tanh => libm::tanh(x),
            Curve::LeakyRelu(slope) => {
                if x < 0.0 {
                    slope * x
                } else {
                    x
                }
            }
            Curve::Elu(alpha) => {
                if x < 0.0 {
                    alpha * libm::expm1(x)
                } else {
                    x
                }
            }
            Curve::Selu(alpha, gamma) => gamma * if x > 0.0 { x } else { alpha * libm::expm1(x) },
            Curve::HardSigmoid(alpha, beta) => clamp(alpha * x + beta, 0.0, 1.0),
            Curve::Clip(least, most) => clamp(x, least, most),
            Curve::Softplus => {
                // Without overflow for large numbers.
                if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
            }
            Curve::Erf => libm::erf(x),
            Curve::Gelu(false) => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Curve::Gelu(true) => {
                let inner = libm::sqrt(2.0 / std::f64::consts::PI) * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + libm::tanh(inner))
            }
            Curve::Exp => libm::exp(x),
            Curve::Log => libm::log(x),
            Curve::Sqrt => libm::sqrt(x),
            Curve::Abs => x.abs(),
            Curve::Neg => -x,
            Curve::Reciprocal => 1.0 / x,
        }
    }
}

/// NaN stays what it is: what is missing must not become a number unseen.
fn clamp(x: f64, least: f64, most: f64) -> f64 {
    if x < least {
        least
    } else if x > most {
        most
    } else {
        x
    }
}

/// Makes shares of log-odds.
pub fn softmax(values: &mut [f64]) {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in values.iter_mut() {
        *value = libm::exp(*value - most);
        sum += *value;
    }
    values.iter_mut().for_each(|value| *value /= sum);
}

/// The logistic function.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let power = libm::exp(x);
        power / (1.0 + power)
    }
}

impl Sum {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Sum::Add => left + right,
            Sum::Sub => left - right,
            Sum::Mul => left * right,
            Sum::Div => left / right,
            Sum::Pow => libm::pow(left, right),
            Sum::Min => {
                if right < left || right.is_nan() {
                    right
                } else {
                    left
                }
            }
            Sum::Max => {
                if right > left || right.is_nan() {
                    right
                } else {
                    left
                }
            }
        }
    }
}
