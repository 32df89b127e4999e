//! Folding events and deciding.

use crate::input::written;
use crate::page::Page;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use wasm_bindgen::prelude::*;

thread_local! {
    /// The engines of this page; usually there is one workspace a page, and so one engine. They stay
    /// as long as the page, so that nothing needs to know how to take them down.
    static PAGES: RefCell<ManuallyDrop<Vec<Page>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// Opens the parts that scores need and answers with the number of their engine; 0 where they are none that
/// this build reads. What nobody runs, no browser compiles: the rest comes with [`teach`].
#[wasm_bindgen]
pub fn open(signals: &[u8], model: &[u8]) -> usize {
    let Some(page) = Page::open(signals, model) else { return 0 };
    PAGES.with_borrow_mut(|pages| {
        pages.push(page);
        pages.len()
    })
}

/// Makes an engine explain; false where the parts are none that this build reads.
#[wasm_bindgen]
pub fn teach(engine: usize, signals: &[u8], model: &[u8], words: &[u8]) -> bool {
    with(engine, false, |page| page.teach(signals, model, words))
}

/// Decides on a saved profile as it is at `time`, in milliseconds since 1970, and says why where the
/// engine was taught to. Answers with the address of the decision, or 0 where the bytes are no profile.
#[wasm_bindgen]
pub fn explain(engine: usize, profile: &[u8], time: f64) -> *const f64 {
    with(engine, core::ptr::null(), |page| page.explain(profile, time))
}

/// Folds the event of `length` bytes that stands in the input, and decides.
/// Answers with the address of the decision, or 0 where the event is refused.
#[wasm_bindgen]
pub fn apply(engine: usize, length: usize) -> *const f64 {
    written(length, |event| with(engine, core::ptr::null(), |page| page.apply(event)))
}

/// Decides on the profile as it is at `time`, in milliseconds since 1970.
#[wasm_bindgen]
pub fn decide(engine: usize, time: f64) -> *const f64 {
    with(engine, core::ptr::null(), |page| page.decide(time))
}

/// Takes up a profile that was saved; false where these bytes are none.
#[wasm_bindgen]
pub fn restore(engine: usize, profile: &[u8]) -> bool {
    with(engine, false, |page| page.restore(profile))
}

/// Sets a signal that only the server sets, as it is since `at`; NaN makes it missing.
#[wasm_bindgen]
pub fn give(engine: usize, signal: u32, value: f64, at: f64) {
    with(engine, (), |page| page.give(signal, value, at));
}

/// The profile as bytes.
#[wasm_bindgen]
pub fn save(engine: usize) -> Vec<u8> {
    with(engine, Vec::new(), |page| page.save())
}

/// Starts anew, with a visitor of whom nothing is known.
#[wasm_bindgen]
pub fn forget(engine: usize) {
    with(engine, (), Page::forget);
}

fn with<T>(engine: usize, otherwise: T, work: impl FnOnce(&mut Page) -> T) -> T {
    PAGES.with_borrow_mut(|pages| match pages.get_mut(engine.wrapping_sub(1)) {
        Some(page) => work(page),
        None => otherwise,
    })
}
