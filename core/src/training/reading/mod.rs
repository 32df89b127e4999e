//! Cells as people write them: what a column holds is judged from all of its cells, then each cell
//! is read in that light.

mod cell;
mod date;
mod number;
mod sketch;

pub use cell::{is_missing, says_nothing};
pub use date::{DateOrder, days};
pub use number::{DecimalMark, number};
pub use sketch::{ColumnKind, Reading, Sketch, Stray};
