//! `rapport bundle inspect` and `verify`.

use super::compile::{authored, compiled};
use super::file::{BundleFile, FileError};
use super::read;
use crate::commands::Outcome;
use crate::output::print;
use rapport_core::bundle::{Manifest, PartKind, public_report};
use rapport_core::experiment::Flags;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// An authored bundle (JSON), or a compiled one
    bundle: PathBuf,
}

#[derive(clap::Args)]
pub struct VerifyArgs {
    /// A compiled bundle
    bundle: PathBuf,
    /// The workspace's public key, in base 64; without it the file's own shows only that nothing is damaged
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
}

pub fn run(args: &Args) -> Outcome {
    let bytes = read(&args.bundle)?;
    let mut text = String::new();
    match BundleFile::read(&bytes) {
        Ok(file) => inspect_file(&file, &mut text)
            .map_err(|error| format!("{}: {error}", args.bundle.display()))?,
        Err(_) => inspect_authored(&args.bundle, &mut text)?,
    }
    print(text.trim_end())?;
    Ok(())
}

pub fn verify(args: &VerifyArgs) -> Outcome {
    let shown = args.bundle.display();
    let file = BundleFile::read(&read(&args.bundle)?);
    let manifest = file.and_then(|file| file.verify(args.public_key.as_deref()));
    let manifest = manifest.map_err(|error| format!("{shown}: {error}"))?;
    let whose = match &args.public_key {
        Some(_) => "signed by the key that was given",
        None => "signed by its own key; give --public-key to see who published it",
    };
    print(&format!("{shown}: {} parts, all whole; {whose}", manifest.parts.len()))?;
    Ok(())
}

fn inspect_file(file: &BundleFile, out: &mut String) -> Result<(), FileError> {
    let manifest = file.manifest()?;
    let _ = writeln!(out, "public key {}", file.public_key);
    parts(&manifest, out);
    for part in manifest.parts.iter().filter(|part| part.kind == PartKind::Flags) {
        if let Ok(flags) = Flags::open(&file.part(part)?) {
            let experiences = flags.experiences.iter().map(|one| &*one.key).collect();
            let experiments = flags.experiments.iter().map(|one| &*one.key).collect();
            list("features", flags.features.iter().map(|one| &*one.key).collect(), out);
            list("experiments of pages", experiments, out);
            list("experiences, by priority", experiences, out);
            list("audiences", flags.audiences.iter().map(|one| &*one.name).collect(), out);
            list("attributes read", flags.attributes.iter().map(String::as_str).collect(), out);
        }
    }
    Ok(())
}

fn inspect_authored(path: &PathBuf, out: &mut String) -> Outcome {
    let wire = authored(path)?;
    let compiled = compiled(&wire, &[]);
    parts(&compiled.manifest(super::file::hash), out);
    for problem in &compiled.problems {
        // Models' files are beside the bundle, not in it.
        if problem.part != "model" {
            let _ = writeln!(out, "left out: {problem}");
        }
    }
    let _ = writeln!(out, "\nOnce it is published, everybody can read:");
    for fact in public_report(&wire) {
        let hashed = if fact.hashed { " (only a hash; a guess can be confirmed)" } else { "" };
        let _ = writeln!(out, "  {} of {}: {}{hashed}", fact.what, fact.of, fact.text);
    }
    Ok(())
}

fn parts(manifest: &Manifest, out: &mut String) {
    let _ = writeln!(out, "workspace {}, {}", manifest.workspace, manifest.environment);
    for part in &manifest.parts {
        let kind = format!("{:?}", part.kind).to_lowercase();
        let name = if part.name.is_empty() { String::new() } else { format!(" {}", part.name) };
        let private = if part.public { "" } else { ", for servers only" };
        let hash = part.hash.get(..12).unwrap_or(&part.hash);
        let _ = writeln!(out, "  {kind}{name}: {} bytes, {hash}…{private}", part.bytes);
    }
}

fn list(what: &str, names: Vec<&str>, out: &mut String) {
    if !names.is_empty() {
        let _ = writeln!(out, "{what}: {}", names.join(", "));
    }
}
