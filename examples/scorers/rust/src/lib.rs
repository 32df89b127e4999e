//! A lead model of your own: what it must export is all here, what it decides is in `model.rs`.

mod model;

/// Room for the row, as [`cabi_realloc`] gives it: every call gets a new instance, so that one row is all there is.
const LONGEST: usize = 512;
static mut ROW: [f64; LONGEST] = [0.0; LONGEST];

/// Gives the caller room for a row.
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(_old: *mut u8, _old_size: usize, _align: usize, size: usize) -> *mut u8 {
    assert!(size <= LONGEST * size_of::<f64>());
    (&raw mut ROW).cast()
}

/// The probability, from 0 to 1, of the row that the caller wrote there.
///
/// # Safety
/// `row` must point to `length` numbers.
#[unsafe(no_mangle)]
unsafe extern "C" fn score(row: *const f64, length: usize) -> f64 {
    model::probability(unsafe { std::slice::from_raw_parts(row, length) })
}
