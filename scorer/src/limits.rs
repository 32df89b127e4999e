//! How much a scorer may take.

use std::time::Duration;

/// How much a scorer may take, of one call and of the machine that runs it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// WebAssembly instructions of one call, its start included; a byte that a bulk instruction moves counts as
    /// one, growing as 255.
    /// The same row runs out of them on every machine, or on none.
    pub fuel: u64,
    /// How long one call may take where the fuel has not ended it: on a machine that has much else to do. It ends
    /// at most two ticks of 10 ms later.
    pub time: Duration,
    /// Linear memory, in bytes.
    pub memory: usize,
    /// The stack of its functions, in bytes. Threads that ask scorers need as much, and 100 KB of their own.
    pub stack: usize,
    /// Elements of a table.
    pub table: usize,
    /// Calls at the same moment; more wait.
    pub at_once: u32,
    /// The whole file, in bytes.
    pub file: usize,
    /// Its functions, how many and how many bytes all together: compiling takes time by both.
    pub functions: u32,
    pub code: usize,
    /// What compiling takes beyond that: a function's bytes times these and eight times its variables, summed
    /// over all functions. 1e9 take at most two seconds.
    pub tangle: u64,
}

impl Default for Limits {
    /// A thousand trees take 50,000 instructions, a net of 50 × 64 neurons 20,000.
    fn default() -> Self {
        Self {
            fuel: 5_000_000,
            time: Duration::from_millis(200),
            memory: 16 << 20,
            stack: 256 << 10,
            table: 10_000,
            at_once: 32,
            file: 8 << 20,
            functions: 10_000,
            code: 1 << 20,
            tangle: 4_000_000_000,
        }
    }
}
