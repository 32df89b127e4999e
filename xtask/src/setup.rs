//! What a fresh machine lacks: installed where that is possible, named where not.

use crate::shell::{self, command};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The target that pages and edges run.
pub fn wasm_target() -> Result<()> {
    let sysroot = shell::capture(command(Path::new("."), "rustc", ["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown/lib");
    if library.is_dir() {
        return Ok(());
    }
    println!("setup: adding the Rust target wasm32-unknown-unknown");
    shell::run(command(Path::new("."), "rustup", ["target", "add", "wasm32-unknown-unknown"]))
        .context("install it with: rustup target add wasm32-unknown-unknown")
}

/// The npm packages of `folder`, as its lock file says; nothing to do when they are there.
pub fn npm(folder: &Path) -> Result<()> {
    node()?;
    let stamp = folder.join("node_modules/.package-lock.json");
    let lock = folder.join("package-lock.json");
    if newer(&stamp, &lock) {
        return Ok(());
    }
    println!("setup: npm packages of {}", folder.display());
    shell::run(command(folder, "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
        .with_context(|| format!("cannot install the npm packages of {}", folder.display()))
}

/// Node.js 20 or newer, with npm.
pub fn node() -> Result<()> {
    if !shell::exists("node") || !shell::exists("npm") {
        debian(&["nodejs", "npm"])?;
    }
    let version = shell::capture(command(Path::new("."), "node", ["--version"]))?;
    let major: u32 =
        version.trim().trim_start_matches('v').split('.').next().unwrap_or("").parse().unwrap_or(0);
    if major < 20 {
        bail!(
            "Node.js 20 or newer is needed, found {}: install it from your system's packages",
            version.trim()
        );
    }
    Ok(())
}

/// A Chromium to drive: `CHROMIUM`, or the system's, or Debian's package.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return Ok(path.into());
    }
    let known = ["chromium", "chromium-browser", "google-chrome"];
    if !known.iter().any(|name| on_path(name).is_some()) {
        debian(&["chromium"])?;
    }
    known
        .iter()
        .find_map(|name| on_path(name))
        .context("no Chromium: install the package `chromium` or set CHROMIUM to its path")
}

/// A Firefox for what is tested in a second browser: `FIREFOX`, the system's, or Debian's package. Where
/// there is none, those tests are skipped and say so.
pub fn firefox() {
    let there = std::env::var_os("FIREFOX").is_some()
        || ["firefox-esr", "firefox"].iter().any(|name| on_path(name).is_some());
    if !there && let Err(error) = debian(&["firefox-esr"]) {
        println!("setup: {error:#}");
    }
}

/// A Python virtual environment with the packages of `requirements`, kept in the user's cache.
pub fn python(requirements: &Path) -> Result<PathBuf> {
    let name = requirements.file_stem().unwrap_or_default();
    let folder = cache()?.join("venv").join(name);
    let interpreter = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    let wanted = std::fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(interpreter);
    }
    println!("setup: Python packages of {}", requirements.display());
    let create = || {
        let mut venv = command(Path::new("."), "python3", ["-m", "venv"]);
        venv.arg(&folder);
        venv
    };
    if shell::run(create()).is_err() {
        debian(&["python3-venv"])?;
        shell::run(create())?;
    }
    let interpreter_name = interpreter.to_string_lossy();
    let mut pip = command(Path::new("."), &interpreter_name, ["-m", "pip", "install", "--quiet"]);
    pip.arg("-r").arg(requirements);
    shell::run(pip)?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(interpreter)
}

/// PHP 8.1 or newer with what its SDK and the tests of it need.
pub fn php() -> Result<()> {
    let loaded = shell::capture(command(Path::new("."), "php", ["-m"])).unwrap_or_default();
    let modules = ["FFI", "curl", "mbstring", "sodium", "dom"];
    let complete = modules.iter().all(|module| loaded.lines().any(|line| line == *module))
        && ["phpunit", "composer"].iter().all(|program| on_path(program).is_some());
    let psr = ["php-psr-http-client", "php-psr-simple-cache", "php-nyholm-psr7"];
    let own = ["php-cli", "php-fpm", "php-curl", "php-mbstring", "php-xml", "phpunit", "composer"];
    if complete { Ok(()) } else { debian(&[own.as_slice(), &psr].concat()) }
}

/// Debian's WordPress, and a MariaDB that the test starts by itself.
pub fn wordpress() -> Result<()> {
    let complete = Path::new("/usr/share/wordpress/wp-load.php").is_file()
        && ["mariadbd", "mariadb-install-db", "mariadb"].iter().all(|name| on_path(name).is_some());
    if complete { Ok(()) } else { debian(&["wordpress", "mariadb-server", "php-mysql"]) }
}

/// Debian packages: installed when root, else named in one line.
pub fn debian(packages: &[&str]) -> Result<()> {
    let line = format!("apt-get install -y {}", packages.join(" "));
    let root =
        shell::capture(command(Path::new("."), "id", ["-u"])).is_ok_and(|id| id.trim() == "0");
    if !root || on_path("apt-get").is_none() {
        bail!("missing on this machine: {}. Install with: sudo {line}", packages.join(", "));
    }
    println!("setup: {line}");
    let quiet = |arguments: &[&str]| {
        let mut command = command(Path::new("."), "apt-get", arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
        command
    };
    shell::run(quiet(&["update", "-qq"]))?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    shell::run(quiet(&install))
}

/// `$XDG_CACHE_HOME/rapport`, or `~/.cache/rapport`.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("rapport"))
}

/// Where the real data sets stand: `RAPPORT_DATA`, or `../shared/data` from the root, if present.
pub fn data(root: &Path) -> Option<PathBuf> {
    let folder = match std::env::var_os("RAPPORT_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => root.parent()?.join("shared/data"),
    };
    folder.is_dir().then_some(folder)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn newer(this: &Path, than: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    matches!((time(this), time(than)), (Some(this), Some(than)) if this >= than)
}
