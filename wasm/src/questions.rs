//! Features and experiments: a question's bytes in, an answer's numbers out.

use crate::input::written;
use rapport_core::experiment::{Flags, Question};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use wasm_bindgen::prelude::*;

thread_local! {
    /// They stay as long as the page.
    static FLAGS: RefCell<ManuallyDrop<Vec<Flags>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    static ANSWER: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// What a question is about; all else is everything.
const FEATURE: u8 = 0;
const EXPERIMENT: u8 = 1;

/// Opens flags and answers with their number; 0 where the bytes are none that this build reads.
#[wasm_bindgen(js_name = openFlags)]
pub fn open_flags(bytes: &[u8]) -> usize {
    let Ok(flags) = Flags::open(bytes) else { return 0 };
    FLAGS.with_borrow_mut(|all| {
        all.push(flags);
        all.len()
    })
}

/// Answers the question of `length` bytes that stands in the input: about a feature (`what` is 0), an
/// experiment of pages (1), or everything (2). Gives the address of the answer, or 0 where the question
/// is refused.
#[wasm_bindgen]
pub fn ask(flags: usize, what: u8, number: usize, length: usize) -> *const f64 {
    FLAGS.with_borrow(|all| {
        let Some(flags) = all.get(flags.wrapping_sub(1)) else { return core::ptr::null() };
        written(length, |bytes| {
            let Some(mut question) = Question::read(bytes, flags) else { return core::ptr::null() };
            ANSWER.with_borrow_mut(|answer| {
                answer.clear();
                match what {
                    FEATURE => question.feature(flags, number, answer),
                    EXPERIMENT => question.experiment(flags, number, answer),
                    _ => question.all(flags, answer),
                }
                answer.as_ptr()
            })
        })
    })
}
