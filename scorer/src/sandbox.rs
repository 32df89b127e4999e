//! The engine that all scorers of a process share.

use crate::admission::admit;
use crate::clock::Clock;
use crate::slots::Slots;
use crate::{Limits, Refusal, WasmScorer};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::{Config, Enabled, Engine, Module, OperatorCost, PoolingAllocationConfig};

/// How much of a memory is put back by copying what was written, rather than by giving its pages back to
/// the system, which makes the next call fault them in again.
const KEPT: usize = 1 << 20;

/// Runs modules that nobody here trusts. Cheap to clone; one a process is enough.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub limits: Limits,
    pub engine: Engine,
    pub clock: Clock,
    pub slots: Slots,
    compiler: Mutex<()>,
}

/// Why this machine runs no scorers.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "the WebAssembly engine does not start, most likely for want of address space (see ulimit -v): {0}"
    )]
    Engine(String),
    #[error("the clock of the WebAssembly engine does not start: {0}")]
    Clock(#[from] std::io::Error),
}

impl Sandbox {
    /// # Errors
    /// Where the system gives no 4 GB of address space for each of [`Limits::at_once`], or no thread.
    pub fn new(limits: Limits) -> Result<Self, SandboxError> {
        let engine = Engine::new(&config(&limits));
        let engine = engine.map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let clock = Clock::start(engine.weak())?;
        let slots = Slots::new(limits.at_once);
        let shared = Shared { limits, engine, clock, slots, compiler: Mutex::new(()) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Compiles a module whose rows have `signals` values, and asks it for two of them.
    ///
    /// Takes about 10 ms, for the largest modules that are admitted seconds; one after the other, so that many who
    /// upload do not take the machine.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn open(&self, wasm: &[u8], signals: usize) -> Result<WasmScorer, Refusal> {
        admit(wasm, &self.shared.limits)?;
        let module = {
            let _one = self.shared.compiler.lock().unwrap_or_else(PoisonError::into_inner);
            Module::from_binary(&self.shared.engine, wasm)
        };
        let module = module.map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        WasmScorer::of(Arc::clone(&self.shared), &module, signals)
    }
}

fn config(limits: &Limits) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(limits.at_once)
        .total_memories(limits.at_once)
        .total_tables(limits.at_once)
        .max_core_instance_size(256 << 10)
        .max_memory_size(limits.memory)
        .table_elements(limits.table)
        .max_unused_warm_slots(limits.at_once)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT)
        .pagemap_scan(Enabled::Auto);
    // Growing is a call of the engine's, also where nothing is given.
    let mut cost = OperatorCost::default();
    (cost.MemoryGrow, cost.TableGrow) = (u8::MAX, u8::MAX);
    let mut config = Config::new();
    config
        .operator_cost(cost)
        .allocation_strategy(pool)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack)
        .wasm_backtrace_max_frames(None)
        .concurrency_support(false)
        // The same bits on every machine: one NaN, and nothing that is left to the processor.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}
