//! How long a newcomer waits: a fresh clone, empty caches, `cargo xtask dev`, the first scored page.

use super::Figure;
use crate::{setup, shell};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let chromium = setup::chromium()?;
    setup::npm(&root.join("sdk-js"))?;
    let scratch = std::env::temp_dir().join(format!("rapport-fresh-{}", std::process::id()));
    let clone = scratch.join("clone");
    std::fs::create_dir_all(&scratch)?;
    shell::run(shell::command(root, "git", ["clone".as_ref(), "--quiet".as_ref(), root, &clone]))?;
    let start = Instant::now();
    let mut dev = shell::command(&clone, "cargo", ["xtask", "dev", "--port", "0"]);
    dev.env_remove("CARGO_TARGET_DIR").env_remove("CARGO").stdout(Stdio::piped());
    for (variable, folder) in
        [("CARGO_HOME", "cargo"), ("npm_config_cache", "npm"), ("XDG_CACHE_HOME", "cache")]
    {
        dev.env(variable, scratch.join(folder));
    }
    let mut child = dev.spawn().context("cannot start cargo xtask dev")?;
    let stdout = child.stdout.take().context("no output")?;
    let site = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .inspect(|line| eprintln!("  {line}"))
        .find_map(|line| line.trim().strip_prefix("website").and_then(address));
    let scored = site.context("it ended before it named a website").and_then(|site| {
        let script = root.join("xtask/src/bench/first_score.mjs");
        let mut visit = shell::command(&root.join("sdk-js"), "node", [script]);
        visit.arg(&site).env("CHROMIUM", &chromium);
        shell::capture(visit)
    });
    let seconds = start.elapsed().as_secs_f64();
    let _ = shell::capture(shell::command(root, "kill", ["-TERM", &child.id().to_string()]));
    child.wait()?;
    std::fs::remove_dir_all(&scratch).context("cannot clear the scratch folder")?;
    if scored?.trim().parse::<u8>().is_err() {
        bail!("the first page showed no score");
    }
    Ok(vec![Figure::alone("dev", "dev_first_page_s", seconds, "s")])
}

fn address(rest: &str) -> Option<String> {
    rest.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_string)
}
