//! What is looked at before anything is compiled: compiling is the one thing that nobody can interrupt.

use crate::{Limits, Refusal};
use wasmparser::{Encoding, FunctionBody, Parser, Payload};

/// Refuses what imports, and what is too large to be compiled or instantiated in little time.
pub fn admit(wasm: &[u8], limits: &Limits) -> Result<(), Refusal> {
    at_most("bytes", wasm.len() as u64, limits.file as u64)?;
    let mut tangle = 0u64;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(Refusal::Component);
            }
            Payload::ImportSection(imports) => {
                if let Some(import) = imports.into_imports().next() {
                    let import = import.map_err(invalid)?;
                    let (module, name) = (import.module.to_owned(), import.name.to_owned());
                    return Err(Refusal::Import { module, name });
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let pages = memory.map_err(invalid)?.initial;
                    at_most(
                        "bytes of memory",
                        pages.saturating_mul(1 << 16),
                        limits.memory as u64,
                    )?;
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let elements = table.map_err(invalid)?.ty.initial;
                    at_most("elements in a table", elements, limits.table as u64)?;
                }
            }
            Payload::CodeSectionStart { count, size, .. } => {
                at_most("functions", count.into(), limits.functions.into())?;
                at_most("bytes of code", size.into(), limits.code as u64)?;
            }
            Payload::CodeSectionEntry(function) => {
                let bytes = function.range().len() as u64;
                let variables = variables(&function)?.saturating_mul(8);
                tangle = tangle.saturating_add(bytes.saturating_mul(bytes + variables));
                if tangle > limits.tangle {
                    return Err(Refusal::Tangled);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn variables(function: &FunctionBody) -> Result<u64, Refusal> {
    let mut variables = 0;
    for group in function.get_locals_reader().map_err(invalid)? {
        variables += u64::from(group.map_err(invalid)?.0);
    }
    Ok(variables)
}

fn at_most(what: &'static str, found: u64, most: u64) -> Result<(), Refusal> {
    if found > most { Err(Refusal::TooLarge { what, found, most }) } else { Ok(()) }
}

fn invalid(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal::Invalid(error.to_string())
}
