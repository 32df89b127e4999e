//! The page's engines: bytes in, numbers and UTF-8 out. No JSON, no strings, no objects in the hot path.
//! Two builds, so that a page without features and experiments does not download them: `scores` and `flags`.
//!
//! Functions rather than classes: what wasm-bindgen generates for a class (reference counts, borrow
//! checks, destructors) would be a tenth of what a visitor downloads.

#[cfg(feature = "full")]
mod flags;
#[cfg(feature = "full")]
mod folding;
#[cfg(feature = "full")]
mod full;
#[cfg(feature = "full")]
mod history;
#[cfg(target_arch = "wasm32")]
mod memory;
#[cfg(feature = "scores")]
mod page;
#[cfg(feature = "flags")]
mod questions;
#[cfg(feature = "full")]
mod scorer;
#[cfg(feature = "scores")]
mod scores;
#[cfg(feature = "full")]
mod stats;

#[cfg(any(feature = "scores", feature = "flags"))]
mod input {
    use rapport_core::event::MAX_EVENT_BYTES;
    use std::cell::RefCell;
    use wasm_bindgen::prelude::*;

    thread_local! {
        static INPUT: RefCell<[u8; MAX_EVENT_BYTES]> = const { RefCell::new([0; MAX_EVENT_BYTES]) };
    }

    /// Where the page writes the next event or question: 32 KiB.
    #[wasm_bindgen]
    pub fn input() -> *mut u8 {
        INPUT.with_borrow_mut(|input| input.as_mut_ptr())
    }

    /// What the page wrote; nothing where it says that it wrote more than there is room for.
    pub fn written<T>(length: usize, read: impl FnOnce(&[u8]) -> T) -> T {
        INPUT.with_borrow(|input| read(input.get(..length).unwrap_or_default()))
    }
}
