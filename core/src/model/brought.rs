//! Models that customers bring: a file that something else runs, and all that core has to know of it.
//!
//! What the file does not say is an ordinary model file that adds nothing up, its *frame*: name,
//! signals, scale and bands. A host opens the frame as any model, takes the visitor's row from it, has
//! the row scored, and goes on with the margin as if the frame had made it. `docs/model-format.md`.

use super::{
    AdditiveModel, Bands, EncodeError, LeadModel, Margin, ModelError, Signal, decode, encode,
};
use crate::binary::{Fault, Reader, crc32};

/// The first four bytes of every brought model.
pub const BROUGHT_MAGIC: [u8; 4] = *b"RPB1";

/// A file somebody brought, with what its card says.
#[derive(Debug, Clone, PartialEq)]
pub struct BroughtModel {
    pub runtime: Runtime,
    /// A model file ([`frame`]).
    pub frame: Vec<u8>,
    /// What is told instead of a missing value, by signal; NaN where the model takes missing values.
    pub missing: Vec<f64>,
    /// Rows that stand for nobody in particular: explanations compare with them. At least one, at most
    /// [`BroughtModel::MOST_BACKGROUND`], each with a value a signal.
    pub background: Vec<Vec<f64>>,
    /// The ONNX graph, or the WebAssembly module.
    pub file: Vec<u8>,
}

/// What runs a brought model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Runtime {
    Onnx,
    Wasm,
}

/// Why bytes are no brought model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BroughtError {
    #[error("this is no brought model: it does not start with RPB1")]
    NotBrought,
    #[error("the brought model is damaged or ends early, before byte {at}: {what}")]
    Invalid { at: usize, what: &'static str },
    #[error("what a brought model declares is refused: {0}")]
    Frame(#[from] ModelError),
}

/// A model file that reads signals and parts bands, and whose margin comes from elsewhere.
///
/// # Errors
/// As for any model that cannot be packed.
pub fn frame(name: &str, signals: Vec<Signal>, bands: Bands) -> Result<Vec<u8>, EncodeError> {
    let empty = AdditiveModel { signals, bias: 0.0, groups: Vec::new() };
    encode(&LeadModel::of_logistic(name, empty, bands))
}

impl Runtime {
    /// The word that cards, manifests and the API use, and how such files' names end.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Wasm => "wasm",
        }
    }
}

impl BroughtModel {
    pub const MOST_BACKGROUND: usize = 64;

    /// The bytes that parts of bundles and registries name by their hash.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = vec![match self.runtime {
            Runtime::Onnx => 0,
            Runtime::Wasm => 1,
        }];
        body.extend_from_slice(&(self.frame.len() as u32).to_le_bytes());
        body.extend_from_slice(&self.frame);
        body.push(self.background.len() as u8);
        for value in self.missing.iter().chain(self.background.iter().flatten()) {
            body.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        body.extend_from_slice(&self.file);
        [BROUGHT_MAGIC.as_slice(), &crc32(&body).to_le_bytes(), &body].concat()
    }

    /// Checks such bytes.
    ///
    /// # Errors
    /// See [`BroughtError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BroughtError> {
        if !bytes.starts_with(&BROUGHT_MAGIC) {
            return Err(BroughtError::NotBrought);
        }
        let mut input = Reader::new(bytes);
        input.take(BROUGHT_MAGIC.len());
        if !input.proves_the_rest() {
            input.invalid("its checksum is another");
        }
        let runtime = match input.u8() {
            0 => Runtime::Onnx,
            number => {
                if number != 1 {
                    input.invalid("what runs it is unknown");
                }
                Runtime::Wasm
            }
        };
        let frame_length = input.count(1);
        let frame = input.take(frame_length).to_vec();
        let refused =
            |Fault { at, what }| BroughtError::Invalid { at, what: Fault { at, what }.what() };
        if input.failed() {
            return input.end().map_err(refused).and(Err(BroughtError::NotBrought));
        }
        let signals = decode(&frame)?.signals().len();
        let rows = usize::from(input.u8());
        if rows == 0 || rows > Self::MOST_BACKGROUND {
            input.invalid("it has no background, or more than 64 rows of it");
        }
        let missing = input.f64s(signals, 8, &f64::from_bits);
        let background =
            (0..rows).map(|_| input.f64s(signals, 8, &f64::from_bits)).collect::<Vec<_>>();
        let file = input.take(input.rest().len()).to_vec();
        input.end().map_err(refused)?;
        Ok(Self { runtime, frame, missing, background, file })
    }
}

impl Margin {
    /// Log-odds of a probability, as near to the ends as margins go.
    pub fn of_probability(probability: f64) -> Self {
        const NEAREST: f64 = 1e-12;
        let p = probability.clamp(NEAREST, 1.0 - NEAREST);
        Self(libm::log(p / (1.0 - p)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, SignalKind};

    fn example() -> BroughtModel {
        let category = SignalKind::Category { levels: vec!["Ads".into(), "Mail".into()] };
        let signals =
            vec![Signal::new("visits", SignalKind::Number), Signal::new("source", category)];
        let bands = Bands { not_below: 0.25, qualified_from: 0.75 };
        BroughtModel {
            runtime: Runtime::Wasm,
            frame: frame("theirs", signals, bands).unwrap(),
            missing: vec![0.0, f64::NAN],
            background: vec![vec![f64::NAN, 2.0], vec![3.0, 0.0]],
            file: b"\0asm and more".to_vec(),
        }
    }

    #[test]
    fn what_was_brought_comes_back() {
        let bytes = example().encode();
        let back = BroughtModel::decode(&bytes).unwrap();
        assert_eq!(back.encode(), bytes);
        assert_eq!(back.file, example().file);
        let frame = Model::open(&back.frame).unwrap();
        assert_eq!((frame.name(), frame.signals().len()), ("theirs", 2));
    }

    #[test]
    fn no_cut_and_no_flipped_byte_is_taken() {
        let bytes = example().encode();
        for length in 0..bytes.len() {
            assert!(BroughtModel::decode(&bytes[..length]).is_err(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            assert!(BroughtModel::decode(&broken).is_err(), "{at}");
        }
    }

    #[test]
    fn a_margin_gives_its_probability_back() {
        let model = Model::open(&example().frame).unwrap();
        for p in [0.001, 0.2, 0.5, 0.731, 0.999] {
            assert!((model.probability(Margin::of_probability(p)).0 - p).abs() < 1e-12);
        }
        for p in [0.0, 1.0] {
            assert!((model.probability(Margin::of_probability(p)).0 - p).abs() < 1e-9);
        }
    }
}
