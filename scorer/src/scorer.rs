//! One scorer, opened.

use crate::Refusal;
use crate::clock::TICK;
use crate::sandbox::Shared;
use rapport_core::scoring::{Scorer, ScorerFault, checked};
use std::sync::Arc;
use wasmtime::{
    Error, Extern, ExternType, Instance, InstancePre, Linker, Module, ModuleExport,
    ResourceLimiter, Store, Trap, TypedFunc, WasmParams, WasmResults,
};

/// A customer's module, compiled and asked twice.
pub struct WasmScorer {
    shared: Arc<Shared>,
    module: InstancePre<Call>,
    memory: ModuleExport,
    realloc: ModuleExport,
    score: ModuleExport,
    /// What toolchains have run before anything else, where they make it.
    initialize: Option<ModuleExport>,
    signals: usize,
}

/// Of one call, what its instance wanted and did not get.
#[derive(Default)]
struct Call {
    refused_memory: bool,
    most_memory: usize,
}

impl Scorer for WasmScorer {
    fn probability(&self, row: &[f64]) -> Result<f64, ScorerFault> {
        if row.len() != self.signals {
            let (row, signals) = (row.len(), self.signals);
            let said =
                format!("the row has {row} values where its card declares {signals} signals");
            return Err(ScorerFault::Shape(said));
        }
        let shared = &*self.shared;
        let _slot = shared.slots.take();
        let _watched = shared.clock.watch();
        let call = Call { most_memory: shared.limits.memory, ..Call::default() };
        let mut store = Store::new(&shared.engine, call);
        store.limiter(|call| call);
        let ticks = shared.limits.time.as_nanos().div_ceil(TICK.as_nanos()) + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX));
        let answer = store
            .set_fuel(shared.limits.fuel)
            .and_then(|()| self.ask(&mut store, row))
            .map_err(|error| self.fault(&error, store.data()))?;
        checked(answer)
    }
}

impl WasmScorer {
    pub(crate) fn of(
        shared: Arc<Shared>,
        module: &Module,
        signals: usize,
    ) -> Result<Self, Refusal> {
        let invalid = |error: Error| Refusal::Invalid(format!("{error:#}"));
        let function = |name, wanted, fits: fn(&ExternType) -> bool| {
            let found = module.get_export(name).ok_or(Refusal::Missing(name))?;
            if !fits(&found) {
                return Err(Refusal::Type { name, found: shown(&found), wanted });
            }
            module.get_export_index(name).ok_or(Refusal::Missing(name))
        };
        let memory = function("memory", "a memory", |found| found.memory().is_some())?;
        let realloc =
            function("cabi_realloc", "a function of (i32, i32, i32, i32) to i32", |found| {
                signature(found).as_deref() == Some("(i32, i32, i32, i32) -> (i32)")
            })?;
        let score = function("score", "a function of (i32, i32) to f64", |found| {
            signature(found).as_deref() == Some("(i32, i32) -> (f64)")
        })?;
        let initialize = match function("_initialize", "a function of nothing", |found| {
            signature(found).as_deref() == Some("() -> ()")
        }) {
            Err(Refusal::Missing(_)) => None,
            found => Some(found?),
        };
        let module = Linker::new(&shared.engine).instantiate_pre(module).map_err(invalid)?;
        let scorer = Self { shared, module, memory, realloc, score, initialize, signals };
        for (row, value) in [("missing values", f64::NAN), ("zeros", 0.0)] {
            let answer = scorer.probability(&vec![value; signals]);
            answer.map_err(|fault| Refusal::Fault { row, fault })?;
        }
        Ok(scorer)
    }

    /// The call as the canonical ABI has it: room for the list, the list, the function.
    fn ask(&self, store: &mut Store<Call>, row: &[f64]) -> Result<f64, Error> {
        let instance = self.module.instantiate(&mut *store)?;
        if let Some(initialize) = &self.initialize {
            function::<(), ()>(store, &instance, initialize)?.call(&mut *store, ())?;
        }
        let realloc = function::<(u32, u32, u32, u32), u32>(store, &instance, &self.realloc)?;
        let room = realloc.call(&mut *store, (0, 0, 8, size_of_val(row) as u32))?;
        let Some(Extern::Memory(memory)) = instance.get_module_export(&mut *store, &self.memory)
        else {
            return Err(Trap::MemoryOutOfBounds.into());
        };
        let bytes = memory.data_mut(&mut *store).get_mut(room as usize..);
        let bytes = bytes.and_then(|bytes| bytes.get_mut(..size_of_val(row)));
        let bytes = bytes.ok_or(Trap::MemoryOutOfBounds)?;
        for (value, place) in row.iter().zip(bytes.chunks_exact_mut(8)) {
            // There are many NaN, and a module could tell them apart: it sees one.
            let value = if value.is_nan() { f64::NAN } else { *value };
            place.copy_from_slice(&value.to_le_bytes());
        }
        let score = function::<(u32, u32), f64>(store, &instance, &self.score)?;
        score.call(&mut *store, (room, row.len() as u32))
    }

    fn fault(&self, error: &Error, call: &Call) -> ScorerFault {
        let limits = &self.shared.limits;
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => ScorerFault::Fuel(limits.fuel),
            Some(Trap::Interrupt) => ScorerFault::Time(limits.time.as_millis() as u64),
            // Whoever is told that there is no more memory, gives up.
            _ if call.refused_memory => ScorerFault::Memory(limits.memory as u64),
            Some(trap) => ScorerFault::Trap(trap.to_string().replace("wasm trap: ", "")),
            None => ScorerFault::Trap(format!("{error:#}")),
        }
    }
}

impl ResourceLimiter for Call {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> Result<bool, Error> {
        self.refused_memory |= desired > self.most_memory;
        Ok(desired <= self.most_memory)
    }

    // The pool's tables have room for what is admitted and no more.
    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool, Error> {
        Ok(true)
    }
}

fn function<P: WasmParams, R: WasmResults>(
    store: &mut Store<Call>,
    instance: &Instance,
    export: &ModuleExport,
) -> Result<TypedFunc<P, R>, Error> {
    match instance.get_module_export(&mut *store, export) {
        Some(Extern::Func(function)) => function.typed(&*store),
        _ => Err(Trap::NullReference.into()),
    }
}

/// An export's type, where it is a function.
fn signature(export: &ExternType) -> Option<String> {
    let function = export.func()?;
    let list = |types: Vec<String>| types.join(", ");
    let parameters = list(function.params().map(|value| value.to_string()).collect());
    let results = list(function.results().map(|value| value.to_string()).collect());
    Some(format!("({parameters}) -> ({results})"))
}

fn shown(export: &ExternType) -> String {
    match signature(export) {
        Some(signature) => format!("a function of {signature}"),
        None if export.memory().is_some() => "a memory".into(),
        None => "a global, a table or a tag".into(),
    }
}
