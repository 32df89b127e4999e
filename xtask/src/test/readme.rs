//! Runs every command that README.md and the examples' pages show.

use crate::matrix::{Counts, Matrix};
use crate::shell;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What `cargo xtask dev` prints when a page can be scored.
const READY: &str = "ready";
const PATIENCE: Duration = Duration::from_secs(1200);

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("rapport-readme-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    for page in pages(root)? {
        let text = std::fs::read_to_string(root.join(&page))
            .with_context(|| format!("cannot read {page}"))?;
        for line in commands(&text) {
            let result = try_command(root, &scratch, &line);
            let verdict = if result.is_ok() { "ok" } else { "FAILED" };
            println!("{verdict:<7} {line}");
            if let Err(error) = &result {
                println!("{error:#}");
            }
            let failed = usize::from(result.is_err());
            matrix.add(&page, "native", Counts { passed: 1 - failed, failed, skipped: 0 });
        }
    }
    std::fs::remove_dir_all(&scratch).context("cannot clear the scratch folder")
}

/// README.md, and that of each example.
fn pages(root: &Path) -> Result<Vec<String>> {
    let mut pages = vec!["README.md".to_string()];
    for entry in std::fs::read_dir(root.join("examples")).context("no examples")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let page = format!("examples/{name}/README.md");
        if root.join(&page).is_file() {
            pages.push(page);
        }
    }
    pages.sort();
    Ok(pages)
}

/// The lines of all `sh` blocks, continued lines joined; this very command is left out.
fn commands(readme: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in readme.replace("\\\n", "").lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            commands.push(line.trim().to_string());
        }
    }
    commands.retain(|line| line != "cargo xtask test");
    commands
}

fn try_command(root: &Path, scratch: &Path, line: &str) -> Result<()> {
    let mut command = shell::command(root, "bash", ["-euo", "pipefail", "-c"]);
    command.env("RAPPORT_DIR", scratch);
    let serves = line.starts_with("cargo xtask dev");
    if serves {
        // A port that no other demo on this machine has, and a folder of its own.
        command.arg(format!("exec {line} --dir {}/demo --port 0", scratch.display()));
        return until_ready(command);
    }
    let ended = shell::within(command.arg(line), PATIENCE)?;
    if ended.success { Ok(()) } else { bail!("{}{}", ended.stdout, ended.stderr) }
}

/// Starts a server, waits until it says that it is ready, and ends it.
fn until_ready(mut command: Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().context("no output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + PATIENCE;
    let mut seen = String::new();
    let result = loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(READY) => break Ok(()),
            Ok(line) => seen.push_str(&(line + "\n")),
            Err(_) => break Err(anyhow::anyhow!("never said `{READY}`; it printed:\n{seen}")),
        }
    };
    end(&mut child)?;
    result
}

/// Asks the server to end; it gets 20 seconds.
fn end(child: &mut Child) -> Result<()> {
    let id = child.id().to_string();
    shell::capture(shell::command(Path::new("."), "kill", ["-TERM", &id]))?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            bail!("did not end within 20 s when asked to");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
