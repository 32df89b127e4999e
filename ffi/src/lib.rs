//! Rapport's core behind a C interface (`rapport.h`): converts, calls core, converts back.
//!
//! Whatever the caller passes, nothing panics across the boundary and no handle is followed: handles
//! are numbers that are looked up, panics are caught and become refusals.

mod boundary;
mod decisions;
mod folding;
mod parts;
mod testing;

use boundary::{call, slice};
use parts::Part;
use rapport_core::experiment::{Question, compile_flags};
use rapport_core::targeting::Value;
use std::ffi::c_char;

/// What `rapport.h` declares.
const ABI: u32 = 1;

#[unsafe(no_mangle)]
pub extern "C" fn rapport_abi() -> u32 {
    ABI
}

#[unsafe(no_mangle)]
pub extern "C" fn rapport_error() -> *const c_char {
    boundary::error()
}

#[unsafe(no_mangle)]
pub extern "C" fn rapport_output() -> *const u8 {
    call(core::ptr::null(), |host| Ok(host.bytes.as_ptr()))
}

/// # Safety
/// `bytes` stands for `length` readable bytes; so it is for all functions of this file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_open_flags(bytes: *const c_char, length: usize) -> u32 {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(bytes, length) };
    call(0, |host| host.parts.open([bytes, b"", b"F"], || Part::flags(bytes)))
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_open_signals(bytes: *const c_char, length: usize) -> u32 {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(bytes, length) };
    call(0, |host| host.parts.open([bytes, b"", b"S"], || Part::signals(bytes)))
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_open_model(bytes: *const c_char, length: usize) -> u32 {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(bytes, length) };
    call(0, |host| host.parts.open([bytes, b"", b"M"], || Part::model(bytes)))
}

/// # Safety
/// See [`rapport_open_flags`]; of each pair.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_open_engine(
    signals: *const c_char,
    signals_length: usize,
    model: *const c_char,
    model_length: usize,
    words: *const c_char,
    words_length: usize,
) -> u32 {
    // SAFETY: the caller's promise, thrice.
    let (signals, model, words) = unsafe {
        (slice(signals, signals_length), slice(model, model_length), slice(words, words_length))
    };
    call(0, |host| host.parts.open([signals, model, words], || Part::engine(signals, model, words)))
}

#[unsafe(no_mangle)]
pub extern "C" fn rapport_close(handle: u32) {
    call((), |host| {
        host.parts.close(handle);
        Ok(())
    });
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_compile_flags(payload: *const c_char, length: usize) -> i64 {
    // SAFETY: the caller's promise.
    let payload = unsafe { slice(payload, length) };
    call(-1, |host| {
        let payload: Value<'static> = serde_json::from_slice(payload)?;
        Ok(host.answer(compile_flags(&payload).0.to_bytes()))
    })
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_ask(
    flags: u32,
    experiment: u32,
    number: u32,
    question: *const c_char,
    length: usize,
) -> *const f64 {
    // SAFETY: the caller's promise.
    let question = unsafe { slice(question, length) };
    call(core::ptr::null(), |host| {
        let flags = host.parts.flags_of(flags)?;
        let mut question = Question::read(question, flags).ok_or(boundary::Refusal::Question)?;
        host.numbers.clear();
        if experiment == 0 {
            question.feature(flags, number as usize, &mut host.numbers);
        } else {
            question.experiment(flags, number as usize, &mut host.numbers);
        }
        Ok(host.numbers.as_ptr())
    })
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_score(
    model: u32,
    explain: u32,
    row: *const c_char,
    length: usize,
) -> *const f64 {
    // SAFETY: the caller's promise.
    let row = unsafe { slice(row, length) };
    call(core::ptr::null(), |host| {
        decisions::score(host.parts.model_of(model)?, explain != 0, row, &mut host.numbers)?;
        Ok(host.numbers.as_ptr())
    })
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_decide(
    engine: u32,
    profile: *const c_char,
    length: usize,
    now: f64,
    reasons: u32,
) -> *const f64 {
    // SAFETY: the caller's promise.
    let profile = unsafe { slice(profile, length) };
    call(core::ptr::null(), |host| {
        let engine = host.parts.engine_of(engine)?;
        let (numbers, words) = (&mut host.numbers, &mut host.bytes);
        decisions::decide(engine, profile, now, reasons as usize, numbers, words)?;
        Ok(host.numbers.as_ptr())
    })
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_encode_event(
    json: *const c_char,
    length: usize,
    time: f64,
) -> i64 {
    // SAFETY: the caller's promise.
    let json = unsafe { slice(json, length) };
    call(-1, |host| Ok(host.answer(folding::encode(json, time)?)))
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_event_time(
    json: *const c_char,
    length: usize,
    received: f64,
) -> f64 {
    // SAFETY: the caller's promise.
    let json = unsafe { slice(json, length) };
    call(f64::NAN, |_| folding::event_time(json, received))
}

/// # Safety
/// See [`rapport_open_flags`]; of both pairs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_fold(
    handle: u32,
    profile: *const c_char,
    length: usize,
    events: *const c_char,
    events_length: usize,
) -> i64 {
    // SAFETY: the caller's promise, twice.
    let (profile, events) = unsafe { (slice(profile, length), slice(events, events_length)) };
    call(-1, |host| {
        let folded = folding::fold(host.parts.signals_of(handle)?, profile, events)?;
        Ok(host.answer(folded))
    })
}

/// # Safety
/// See [`rapport_open_flags`]; of both pairs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_merge(
    handle: u32,
    profile: *const c_char,
    length: usize,
    other: *const c_char,
    other_length: usize,
) -> i64 {
    // SAFETY: the caller's promise, twice.
    let (profile, other) = unsafe { (slice(profile, length), slice(other, other_length)) };
    call(-1, |host| {
        let merged = folding::merge(host.parts.signals_of(handle)?, profile, other)?;
        Ok(host.answer(merged))
    })
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_values(
    handle: u32,
    profile: *const c_char,
    length: usize,
    now: f64,
) -> *const f64 {
    // SAFETY: the caller's promise.
    let profile = unsafe { slice(profile, length) };
    call(core::ptr::null(), |host| {
        let signals = host.parts.signals_of(handle)?;
        folding::values(signals, profile, now, &mut host.numbers)?;
        Ok(host.numbers.as_ptr())
    })
}

/// # Safety
/// See [`rapport_open_flags`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rapport_testing(json: *const c_char, length: usize) -> i64 {
    // SAFETY: the caller's promise.
    let json = unsafe { slice(json, length) };
    call(-1, |host| Ok(host.answer(testing::answer(json)?)))
}
