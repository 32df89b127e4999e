//! The engine as WebAssembly, and the JavaScript around it.

use crate::{setup, shell};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use walrus::ir::Value;
use walrus::{ConstExpr, DataKind, FunctionBuilder, FunctionId, FunctionKind, Module};
use wasm_bindgen_cli_support::Bindgen;

#[derive(clap::Args)]
pub struct Arguments {
    /// Also the build that takes JavaScript objects, for Node and conformance
    #[arg(long)]
    full: bool,
    /// Also the engines for ONNX models, which take minutes to compile
    #[arg(long)]
    onnx: bool,
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    page(root)?;
    if arguments.onnx {
        onnx(root)?;
    }
    if arguments.full { full(root) } else { Ok(()) }
}

/// Features of what pages run, and the files that it becomes.
const PAGES: [(&str, &str); 2] = [("scores", "rapport_bg.wasm"), ("flags", "flags_bg.wasm")];

/// What visitors download: `sdk-js/dist` with the engines, the SDK, the loader and the inspector.
pub fn page(root: &Path) -> Result<()> {
    let dist = root.join("sdk-js/dist");
    for (feature, file) in PAGES {
        let mut module = open(&compile(root, feature)?)?;
        snip_panics(&mut module)?;
        blank_panic_data(&mut module);
        let folder = dist.join("engine").join(feature);
        let bound = bind(root, module.emit_wasm(), &folder, &ENGINE)?;
        fs::rename(bound, dist.join(file))?;
    }
    // The SDK's mocks compile payloads, and need it in whatever state.
    if !dist.join("full/engine.js").is_file() {
        full(root)?;
    }
    shell::run(shell::command(&root.join("sdk-js"), "node", ["build.mjs"]))
}

/// The build for Node, conformance and tools, which takes and gives JavaScript objects: `sdk-js/dist/full`.
pub fn full(root: &Path) -> Result<()> {
    // Its errors are read by people, so that what prints them stays.
    let module = open(&compile(root, "full")?)?.emit_wasm();
    bind(root, module, &root.join("sdk-js/dist/full"), &ENGINE).map(drop)
}

/// What runs ONNX models in pages and at the edge, `sdk-js/dist/onnx`: the engine for chains and trees, and
/// the one with tract for the rest. One build for both hosts, bound anew only where it changed.
pub fn onnx(root: &Path) -> Result<()> {
    let dist = root.join("sdk-js/dist/onnx");
    fs::create_dir_all(&dist)?;
    // The large one would take minutes to optimise for a tenth of its bytes.
    let engines: [(_, &[&str], &[&str]); 2] =
        [("chains", &[], &["-Oz"]), ("tract", &["--features", "tract"], &["-O1"])];
    for (name, features, passes) in engines {
        let how = ["--quiet", "--profile", "edge", "--target", "wasm32-unknown-unknown"];
        let how = how.into_iter().chain(["--package", "rapport-onnx-wasm"]);
        let built = fs::read(shell::built(root, how.chain(features.iter().copied()))?)?;
        let kept = shell::target(root).join(format!("onnx-{name}.wasm"));
        let is_bound = dist.join(format!("{name}_bg.wasm")).is_file();
        if is_bound && fs::read(&kept).is_ok_and(|kept| kept == built) {
            continue;
        }
        bind(root, built.clone(), &dist, &Binding { name, typed: true, passes })?;
        fs::write(kept, built)?;
    }
    for file in ["page.mjs", "worker.mjs", "chains.worker.mjs", "tract.worker.mjs"] {
        fs::copy(root.join("onnx-wasm").join(file), dist.join(file))?;
    }
    Ok(())
}

fn compile(root: &Path, feature: &str) -> Result<PathBuf> {
    let how = ["--quiet", "--profile", "page", "--target", "wasm32-unknown-unknown"];
    let what = ["--package", "rapport-wasm", "--features", feature];
    shell::built(root, how.into_iter().chain(what))
}

/// What becomes of a module.
pub struct Binding {
    /// What its files are called.
    pub name: &'static str,
    /// Whether TypeScript is told what there is.
    pub typed: bool,
    /// How it is optimised.
    pub passes: &'static [&'static str],
}

const ENGINE: Binding = Binding { name: "engine", typed: true, passes: &SMALLEST };

/// Writes the JavaScript around a module and the optimised `…_bg.wasm` into `folder`; says where that is.
pub fn bind(root: &Path, module: Vec<u8>, folder: &Path, how: &Binding) -> Result<PathBuf> {
    let Binding { name, typed, passes } = *how;
    Bindgen::new()
        .input_bytes(name, module)
        .web(true)?
        .typescript(typed)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .with_context(|| format!("cannot bind into {}", folder.display()))?;
    let bound = folder.join(format!("{name}_bg.wasm"));
    let optimiser = root.join("sdk-js/node_modules/binaryen/bin/wasm-opt");
    let mut command = shell::command(root, "node", [optimiser]);
    command.args(passes).args(FEATURES).arg(&bound).arg("-o").arg(&bound);
    shell::run(command)?;
    Ok(bound)
}

fn open(wasm: &Path) -> Result<Module> {
    Module::from_file(wasm).with_context(|| format!("{} is no WebAssembly", wasm.display()))
}

/// Panics trap in a page, and nobody reads their messages: what would print them becomes the trap.
fn snip_panics(module: &mut Module) -> Result<()> {
    let printing = |name: &str| {
        ["9panicking", "slice_index_fail", "slice_error_fail", "unwrap_failed", "expect_failed"]
            .iter()
            .chain(&["capacity_overflow", "12handle_error", "18handle_alloc_error", "rust_oom"])
            .chain(&["panic_access_error", "panic_already", "4core3fmt"])
            .any(|part| name.contains(part))
    };
    let found: Vec<FunctionId> = module
        .funcs
        .iter_local()
        .filter(|(id, _)| module.funcs.get(*id).name.as_deref().is_some_and(printing))
        .map(|(id, _)| id)
        .collect();
    for id in found {
        let ty = module.types.get(module.funcs.get(id).ty());
        let (parameters, results) = (ty.params().to_vec(), ty.results().to_vec());
        let mut trap = FunctionBuilder::new(&mut module.types, &parameters, &results);
        trap.func_body().unreachable();
        let arguments = parameters.iter().map(|ty| module.locals.add(*ty)).collect();
        let trap = trap.local_func(arguments);
        module.funcs.get_mut(id).kind = FunctionKind::Local(trap);
    }
    Ok(())
}

/// What traps says nothing, so that its sentences and the places in the source are never read.
fn blank_panic_data(module: &mut Module) {
    let segments: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    for id in segments {
        let data = module.data.get_mut(id);
        let DataKind::Active { offset: ConstExpr::Value(Value::I32(offset)), .. } = data.kind
        else {
            continue;
        };
        let bytes = &mut data.value;
        // A place is the address of a path, its length, a line and a column.
        let mut blank = Vec::new();
        for at in (0..bytes.len().saturating_sub(15)).step_by(4) {
            let number =
                |at: usize| bytes[at..].first_chunk().map_or(0, |&n| u32::from_le_bytes(n));
            let (start, length) = (number(at).wrapping_sub(offset as u32), number(at + 4));
            let path = start as usize..(start as usize).saturating_add(length as usize);
            if bytes.get(path.clone()).is_some_and(|path| path.ends_with(b".rs")) {
                blank.extend([path, at..at + 16]);
            }
        }
        for text in PANIC_TEXTS {
            let found = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(text.as_bytes()));
            blank.extend(found.map(|at| at..at + text.len()));
        }
        blank.into_iter().for_each(|range| bytes[range].fill(0));
    }
}

/// What only the standard library's panics and its printing of numbers read.
const PANIC_TEXTS: [&str; 20] = [
    "slice index starts at ",
    " but ends at ",
    "index out of bounds: the len is ",
    " but the index is ",
    "range start index ",
    "range end index ",
    " out of range for slice of length ",
    "min > max. min = ",
    ", max = ",
    "cannot access a Thread Local Storage value during or after destruction: ",
    "0123456789abcdef",
    concat!(
        "00010203040506070809101112131415161718192021222324",
        "25262728293031323334353637383940414243444546474849",
        "50515253545556575859606162636465666768697071727374",
        "75767778798081828384858687888990919293949596979899"
    ),
    "attempt to divide by zero",
    "0x0123456789ABCDEF",
    "RefCell already mutably borrowed",
    "RefCell already borrowed",
    "capacity overflow",
    "assertion failed: k <= self.len()",
    "mid > len",
    "AccessError",
];

/// Of all levels and inlining limits these compress best; LLVM has inlined already, and how it
/// nests blocks is not the shortest way.
const SMALLEST: [&str; 7] = [
    "-Oz",
    "--flatten",
    "--rereloop",
    "-Oz",
    "--always-inline-max-function-size=0",
    "--flexible-inline-max-function-size=0",
    "--one-caller-inline-max-function-size=0",
];

/// Bulk memory, SIMD and the rest are in every browser that runs WebAssembly modules of 2021 and later.
const FEATURES: [&str; 9] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
    "--strip-debug",
    "--strip-target-features",
];
