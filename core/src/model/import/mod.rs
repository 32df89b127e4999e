//! Models of other software, brought into the authored form: margins and decisions as there.
//!
//! Pack them with [`Packing::EXACT`](super::Packing::EXACT) to keep both to the last digit.

mod lightgbm;
mod onnx;
pub mod protobuf;
mod xgboost;

pub use lightgbm::lightgbm;
pub use onnx::{onnx, onnx_classifier};
pub use xgboost::xgboost;

/// Why a foreign model cannot be brought in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("this is no {format} model: {what}")]
    Format { format: &'static str, what: String },
    #[error("{what} cannot be scored as one margin: {instead}")]
    Unsupported { what: String, instead: &'static str },
    #[error("tree {tree}: {what}")]
    Tree { tree: usize, what: String },
}

/// Levels that a category may have: more make no sense, and each costs memory.
const MOST_LEVELS: usize = 1 << 16;

/// The greatest `f64` that, rounded to `f32`, is at most `most`: the cut that parts `f64` values
/// as software parts them that rounds to `f32` first.
fn cut_of_f32(most: f32) -> f64 {
    let next = most.next_up();
    if !most.is_finite() || !next.is_finite() {
        return f64::from(most);
    }
    let middle = (f64::from(most) + f64::from(next)) / 2.0;
    // The middle rounds to the even neighbour.
    if middle as f32 == most { middle } else { middle.next_down() }
}

#[cfg(test)]
mod tests {
    use super::cut_of_f32;

    #[test]
    fn a_cut_parts_exactly_the_values_that_round_to_either_side() {
        for most in [0.0f32, -0.0, 1.0, 1.5, -2.25, 3.4e38, 1e-45, -1e-45, 0.1, 7.3e-12] {
            let cut = cut_of_f32(most);
            assert!(cut as f32 <= most && cut.next_up() as f32 > most, "{most}: {cut}");
        }
    }
}
