//! Lead models that are WebAssembly modules of the customer, run by wasmtime within limits.
