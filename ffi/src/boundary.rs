//! Where foreign pointers become slices, and panics and errors become refusals.

use crate::parts::Parts;
use rapport_core::decide::OpenError;
use rapport_core::event::{EventError, WireError};
use rapport_core::experiment::FlagsError;
use rapport_core::model::import::ImportError;
use rapport_core::model::{EncodeError, ModelError};
use rapport_core::person::ArrivalError;
use rapport_core::profile::{ProfileError, SignalsError};
use rapport_core::scoring::Unexplained;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// All that a thread opened, and the answer to its last call.
#[derive(Default)]
pub struct Host {
    pub parts: Parts,
    pub numbers: Vec<f64>,
    pub bytes: Vec<u8>,
}

impl Host {
    /// Keeps bytes as the answer and says how many there are.
    pub fn answer(&mut self, bytes: Vec<u8>) -> i64 {
        self.bytes = bytes;
        self.bytes.len() as i64
    }
}

/// Why a call was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("handle {0} is closed, was opened by another thread, or is of another kind")]
    Handle(u32),
    #[error("the question's bytes are none for these flags: its texts must be UTF-8")]
    Question,
    #[error("the bytes end in the middle of an event")]
    Cut,
    #[error("a row has eight bytes a signal")]
    Row,
    #[error("nobody knows what `{0}` asks")]
    Unknown(String),
    #[error("the engine failed; please report what led to it: {0}")]
    Panicked(String),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Flags(#[from] FlagsError),
    #[error(transparent)]
    Signals(#[from] SignalsError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Arrival(#[from] ArrivalError),
    #[error(transparent)]
    Unexplained(#[from] Unexplained),
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
    static ERROR: RefCell<CString> = RefCell::default();
}

/// Does a call's work; whatever goes wrong, the caller gets `refused`, and [`error`] says why.
pub fn call<T>(refused: T, work: impl FnOnce(&mut Host) -> Result<T, Refusal>) -> T {
    // What a panic leaves half done are answers, which the next call overwrites.
    let done = catch_unwind(AssertUnwindSafe(|| HOST.with_borrow_mut(work)));
    let refusal = match done {
        Ok(Ok(answer)) => return answer,
        Ok(Err(refusal)) => refusal,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            Refusal::Panicked(said.unwrap_or("it gave no reason").to_owned())
        }
    };
    let text = refusal.to_string().replace('\0', "");
    let text = CString::new(text).unwrap_or_default();
    // A thread that is about to end keeps no reason any more.
    let _ = ERROR.try_with(|error| error.replace(text));
    refused
}

/// Why the last call was refused.
pub fn error() -> *const c_char {
    ERROR.try_with(|error| error.borrow().as_ptr()).unwrap_or(core::ptr::null())
}

/// The bytes that a caller passed.
///
/// # Safety
/// `at` stands for `length` bytes that stay as they are while the call lasts, or `length` is 0.
pub unsafe fn slice<'a>(at: *const c_char, length: usize) -> &'a [u8] {
    if at.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null; the rest is the caller's promise.
    unsafe { core::slice::from_raw_parts(at.cast(), length) }
}
