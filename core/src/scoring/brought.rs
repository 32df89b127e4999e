//! The port of models that customers bring: whatever turns a row into a probability.

/// A model that somebody else wrote, opened once and asked for every visitor.
///
/// Crates `onnx` and `scorer` implement it. What is asked of it may fail; that costs the one call.
pub trait Scorer: Send + Sync {
    /// That the lead of `row` qualifies, in `0..=1`; the same for the same row, always.
    ///
    /// The row has a value for each signal that the model's card declares, in its order: a number as it
    /// is, a date as days since 1970-01-01, a category as the index of its level (the number of levels
    /// where the level is unknown), NaN where missing.
    ///
    /// # Errors
    /// Says why this row has no probability; the next one may have.
    fn probability(&self, row: &[f64]) -> Result<f64, ScorerFault>;
}

/// Why a brought model gave no probability.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScorerFault {
    /// It stopped by itself: unreachable code, a division by zero, a stack overflow, an operator's error.
    #[error("the model trapped ({0}): run the row where the model was made")]
    Trap(String),
    #[error("the model took more than {0} units of work for one row: make it smaller")]
    Fuel(u64),
    #[error("the model wanted more than {0} bytes of memory: make it smaller")]
    Memory(u64),
    #[error("the model took longer than {0} ms for one row: make it faster")]
    Time(u64),
    #[error("the model answered {0}, which is no probability from 0 to 1: give a probability")]
    Nonsense(f64),
    /// What it takes or gives is not what its card says.
    #[error("the model does not fit its card: {0}")]
    Shape(String),
    /// Its file does not open here.
    #[error("the model's file cannot be used: {0}")]
    File(String),
    /// Nothing here runs its kind, or it has not arrived yet.
    #[error("nothing here runs {0} models: ask a server that does")]
    Absent(&'static str),
}

impl ScorerFault {
    /// Every code.
    pub const CODES: [&'static str; 8] =
        ["trap", "fuel", "memory", "time", "nonsense", "shape", "file", "absent"];

    /// A word for programs and counters, which stays as it is.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Fuel(_) => "fuel",
            Self::Memory(_) => "memory",
            Self::Time(_) => "time",
            Self::Nonsense(_) => "nonsense",
            Self::Shape(_) => "shape",
            Self::File(_) => "file",
            Self::Absent(_) => "absent",
        }
    }

    /// The fault of a code that came from where the model runs, which keeps the rest to itself.
    pub fn coded(code: &str) -> Self {
        const THERE: &str = "where it runs";
        match code {
            "nonsense" => Self::Nonsense(f64::NAN),
            "shape" => Self::Shape(THERE.to_owned()),
            "file" => Self::File(THERE.to_owned()),
            "absent" => Self::Absent("such"),
            // What is limited runs on servers, which say more.
            _ => Self::Trap(THERE.to_owned()),
        }
    }
}

/// A probability that may be used: whoever asks a [`Scorer`] looks at its answer by this.
///
/// # Errors
/// [`ScorerFault::Nonsense`] for everything else, NaN among it.
pub fn checked(probability: f64) -> Result<f64, ScorerFault> {
    if (0.0..=1.0).contains(&probability) {
        Ok(probability)
    } else {
        Err(ScorerFault::Nonsense(probability))
    }
}
