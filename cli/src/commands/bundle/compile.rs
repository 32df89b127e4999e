//! `rapport bundle compile`.

use super::file::BundleFile;
use super::read;
use crate::commands::Outcome;
use crate::output::{look_ahead, write_whole};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::SigningKey;
use rapport_core::bundle::{BundleWire, Compiled, compile};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_long_help = "\
Example:
  rapport bundle compile bundle.json --model buyers=leads.rpm --key sign.key --out bundle.rapport

The key is 32 bytes in base 64; where there is no such file, one is made. Keep it: hosts that pin the public
key, which is printed, take no bundle that another key signed.")]
pub struct Args {
    /// The bundle as people write it: docs/bundle-format.md
    bundle: PathBuf,
    /// A model's name in the bundle, and its file
    #[arg(long = "model", value_name = "NAME=FILE")]
    models: Vec<String>,
    /// The key to sign with
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where to write the bundle
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write nothing if anything is wrong
    #[arg(long)]
    strict: bool,
}

pub fn run(args: &Args) -> Outcome {
    let wire = authored(&args.bundle)?;
    let mut models = Vec::new();
    for named in &args.models {
        let (name, path) = named.split_once('=').ok_or_else(|| {
            format!("--model takes NAME=FILE, such as buyers=leads.rpm, not `{named}`")
        })?;
        models.push((name, read(&PathBuf::from(path))?));
    }
    look_ahead(&args.out)?;
    let compiled = compiled(&wire, &models);
    for problem in &compiled.problems {
        eprintln!("left out: {problem}");
    }
    if args.strict && !compiled.problems.is_empty() {
        return Err(format!("{} problems; nothing was written", compiled.problems.len()).into());
    }
    let file = BundleFile::new(&compiled, &signing_key(&args.key)?)?;
    write_whole(&args.out, |out| {
        serde_json::to_writer(&mut *out, &file)?;
        out.write_all(b"\n")
    })?;
    eprintln!(
        "{}: {} parts, public key {}",
        args.out.display(),
        compiled.parts.len(),
        file.public_key
    );
    Ok(())
}

/// Reads an authored bundle.
pub fn authored(path: &PathBuf) -> Result<BundleWire, Box<dyn std::error::Error>> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| format!("{} is no bundle: {error}", path.display()).into())
}

pub fn compiled(wire: &BundleWire, models: &[(&str, Vec<u8>)]) -> Compiled {
    let models: Vec<(&str, &[u8])> =
        models.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    compile(wire, &models)
}

fn signing_key(path: &Path) -> Result<SigningKey, Box<dyn std::error::Error>> {
    let shown = path.display();
    if !path.exists() {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        write_whole(path, |out| writeln!(out, "{}", BASE64_STANDARD.encode(seed)))?;
        keep_private(path)?;
        eprintln!("{shown}: a new key; keep it, and keep it to yourself");
        return Ok(SigningKey::from_bytes(&seed));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let seed = BASE64_STANDARD.decode(text.trim()).ok().and_then(|seed| seed.try_into().ok());
    let seed: [u8; 32] =
        seed.ok_or_else(|| format!("{shown} is no key: it holds 32 bytes in base 64"))?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(unix)]
fn keep_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn keep_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}
