//! Whom something is for: conditions on a visitor's attributes, compiled once where they are
//! authored and matched everywhere.
//!
//! The language is GrowthBook's, with what it lacks: networks, dates, and patterns that take linear
//! time. What core itself knows of the visitor are attributes like any other: [`Own`].

mod big;
#[cfg(feature = "wire")]
mod compile;
mod condition;
mod letters;
mod members;
mod network;
mod number;
mod operator;
mod own;
mod pattern;
mod stored;
mod value;
mod version;
#[cfg(feature = "wire")]
mod wire;

#[cfg(feature = "wire")]
pub use compile::{Compiler, Refusal};
pub use condition::{Condition, Scope, Test};
pub use members::Members;
pub use network::Network;
pub use own::Own;
pub use pattern::Pattern;
#[cfg(feature = "wire")]
pub use pattern::PatternRefusal;
pub use value::Value;

pub(crate) use stored::packed_variants;

pub(crate) use number::{digits, put_whole};

pub use number::text as number_text;
