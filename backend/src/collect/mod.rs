//! Events come in: checked at the door, written by one writer, acknowledged when on disk.

mod batch;
mod body;
mod bots;
mod cookie;
mod door;
mod hints;
mod history;
pub mod http;
pub mod pixel;
mod rate;
mod reading;
pub mod segment;
mod source;
mod view;
mod writer;

pub use batch::{Batch, EVENT_SCHEMA, MAX_BATCH};
pub use body::MAX_BODY;
pub use bots::is_program;
pub use door::{Admitted, Arrival, Refusal, consent};
pub use history::{History, HistoryRefusal};
pub use http::{Parcel, may_send};
pub use rate::Rates;
pub use writer::{Item, Submission, Writer, write};
