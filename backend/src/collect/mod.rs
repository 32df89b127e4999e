//! `POST /v1/events`: checked at the door, written by one writer, acknowledged when on disk.

mod door;
mod hints;
pub mod http;
mod view;
mod writer;

pub use door::{Arrival, Batch, MAX_BATCH, MAX_BODY};
pub use writer::{Item, Submission, Writer};
