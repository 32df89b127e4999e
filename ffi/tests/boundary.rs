//! What crosses the boundary: answers and refusals, never a panic.
#![allow(clippy::unwrap_used)]

use rapport::{
    rapport_ask, rapport_close, rapport_compile_flags, rapport_decide, rapport_error, rapport_fold,
    rapport_merge, rapport_open_engine, rapport_open_flags, rapport_open_model,
    rapport_open_signals, rapport_output, rapport_score, rapport_testing, rapport_values,
};
use std::ffi::{CStr, c_char};

fn refusal() -> String {
    // SAFETY: the reason is a text that ends with a zero and stands until the next call.
    unsafe { CStr::from_ptr(rapport_error()) }.to_str().unwrap().to_owned()
}

fn pointed(bytes: &[u8]) -> (*const c_char, usize) {
    (bytes.as_ptr().cast(), bytes.len())
}

fn compiled(payload: &str) -> Vec<u8> {
    let (at, length) = pointed(payload.as_bytes());
    // SAFETY: the bytes outlive the call, and the answer is copied before the next one.
    unsafe {
        let length = rapport_compile_flags(at, length);
        core::slice::from_raw_parts(rapport_output(), usize::try_from(length).unwrap()).to_vec()
    }
}

fn opened(flags: &[u8]) -> u32 {
    let (at, length) = pointed(flags);
    // SAFETY: the bytes outlive the call.
    unsafe { rapport_open_flags(at, length) }
}

#[test]
fn the_same_bytes_have_one_handle_that_is_closed_as_often_as_it_was_opened() {
    let flags = compiled(r#"{"features": {"hero": {"defaultValue": 1}}}"#);
    let [first, second] = [(); 2].map(|()| opened(&flags));
    assert_eq!(first, second);
    // SAFETY: no bytes are read.
    let asked = || unsafe { !rapport_ask(first, 0, 0, [0].as_ptr(), 1).is_null() };
    assert!(asked());
    rapport_close(first);
    assert!(asked());
    rapport_close(first);
    assert!(!asked());
    assert!(refusal().contains("is closed"));
    rapport_close(first);
    assert_eq!(opened(&flags), first, "what was closed is kept a while");
}

#[test]
fn handles_of_another_thread_and_of_another_kind_are_refused() {
    let flags = opened(&compiled(r#"{"features": {"a": {}, "b": {}}}"#));
    // SAFETY: empty bytes are not read.
    let decided = unsafe { rapport_decide(flags, core::ptr::null(), 0, 0.0, 5) };
    assert!(decided.is_null());
    let elsewhere = std::thread::spawn(move || {
        // SAFETY: as above.
        unsafe { rapport_ask(flags, 0, 0, core::ptr::null(), 0).is_null() }
    });
    assert!(elsewhere.join().unwrap());
}

/// Bytes that look like something and are not.
#[test]
fn nonsense_is_refused_with_a_reason() {
    let good = compiled(r#"{"features": {"hero": {"defaultValue": [1, {"a": "b"}]}}}"#);
    let flags = opened(&good);
    let mut nonsense: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    for at in 0..good.len() {
        let mut turned = good.clone();
        turned[at] ^= 0xff;
        nonsense.push(turned);
    }
    nonsense.push(vec![0xff; 4_096]);
    for bytes in &nonsense {
        let (at, length) = pointed(bytes);
        // SAFETY: the bytes outlive each call.
        unsafe {
            assert_eq!(rapport_open_flags(at, length), 0);
            assert!(!refusal().is_empty());
            assert_eq!(rapport_open_signals(at, length), 0);
            assert_eq!(rapport_open_model(at, length), 0);
            assert_eq!(rapport_open_engine(at, length, at, length, at, length), 0);
            assert_eq!(rapport_compile_flags(at, length), -1);
            assert_eq!(rapport_testing(at, length), -1);
            assert!(rapport_score(flags, 1, at, length).is_null());
            assert_eq!(rapport_fold(flags, at, length, at, length), -1);
            assert_eq!(rapport_merge(flags, at, length, at, length), -1);
            assert!(rapport_values(flags, at, length, 0.0).is_null());
            // A question may be anything: it is answered or refused.
            rapport_ask(flags, 0, 0, at, length);
            rapport_ask(flags, 1, u32::MAX, at, length);
        }
    }
}
