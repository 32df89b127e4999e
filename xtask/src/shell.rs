//! Runs other programs, loudly when they fail.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A command in `folder`; arguments as in [`Command::args`].
pub fn command<A: AsRef<OsStr>>(
    folder: &Path,
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    command
}

/// Cargo, as the one that runs this program.
pub fn cargo<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    command(folder, &program, arguments)
}

/// Runs to the end with inherited output; an exit code other than 0 is an error.
pub fn run(mut command: Command) -> Result<()> {
    let shown = show(&command);
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// Runs to the end and returns standard output; errors carry the end of standard error.
pub fn capture(mut command: Command) -> Result<String> {
    let shown = show(&command);
    let output = command.output().with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = stderr.lines().rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{shown} ended with {}:\n{}", output.status, tail.join("\n"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program came to that was given so much time.
pub struct Ended {
    pub success: bool,
    /// Ended by us, with all that it had started, because its time was over.
    pub late: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Runs to the end, or to the end of its time.
pub fn within(command: &mut Command, time: Duration) -> Result<Ended> {
    let shown = show(command);
    // Files, not pipes: what it started may live on, and hold a pipe open for ever.
    let files = [unnamed_file()?, unnamed_file()?];
    let [stdout, stderr] = &files;
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    let deadline = Instant::now() + time;
    let status = loop {
        match child.try_wait()? {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            status => break status,
        }
    };
    if status.is_none() {
        let family = family(child.id()).into_iter().map(|process| process.to_string());
        // Some may have ended by themselves meanwhile.
        let _ = Command::new("kill").arg("-KILL").args(family).stderr(Stdio::null()).status();
        child.wait()?;
    }
    let [stdout, stderr] = files.map(|mut file| -> Result<String> {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let (stdout, mut stderr, late) = (stdout?, stderr?, status.is_none());
    if late {
        stderr += &format!("{shown} was not done after {} s, and was ended\n", time.as_secs());
    }
    let success = status.is_some_and(|status| status.success());
    Ok(Ended { success, late, stdout, stderr })
}

/// A process and all that it started, where the system tells.
fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut at = 0;
    while let Some(process) = family.get(at) {
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
        let children = threads.filter_map(|thread| {
            std::fs::read_to_string(thread.ok()?.path().join("children")).ok()
        });
        let children: Vec<u32> = children
            .flat_map(|all| all.split(' ').filter_map(|one| one.parse().ok()).collect::<Vec<_>>())
            .collect();
        family.extend(children);
        at += 1;
    }
    family
}

/// A file without a name.
fn unnamed_file() -> Result<File> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("rapport-said-{}-{count}", std::process::id()));
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Builds a binary of the workspace and returns where it is.
pub fn executable(root: &Path, package: &str, binary: &str) -> Result<PathBuf> {
    built(root, ["--package", package, "--bin", binary])
}

/// Builds the one program or library that `arguments` of `cargo build` name, and returns where it is.
pub fn built<'a>(root: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<PathBuf> {
    let mut build = cargo(root, ["build", "--message-format=json-render-diagnostics"]);
    build.args(arguments).stderr(Stdio::inherit());
    let shown = show(&build);
    let output = build.output().with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let file = message["executable"].as_str().or_else(|| message["filenames"][0].as_str())?;
        Some(PathBuf::from(file))
    });
    built.with_context(|| format!("{shown} named no file"))
}

/// Where cargo keeps what it builds, and where what takes long to make may be kept beside it.
pub fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Whether a program of that name answers to `--version`.
pub fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().take(8) {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{command, within};
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn what_hangs_is_ended_with_all_that_it_started() {
        let script = "sleep 600 & echo $!; wait";
        let mut hanging = command(Path::new("."), "sh", ["-c", script]);
        let mut time = Duration::from_millis(100);
        let started = loop {
            let ended = within(&mut hanging, time).unwrap();
            assert!(ended.late && !ended.success);
            assert!(ended.stderr.contains("was not done after"), "{}", ended.stderr);
            if let Ok(started) = ended.stdout.trim().parse::<u32>() {
                break started;
            }
            // Too early, on a machine with much to do.
            time *= 2;
        };
        let state = || std::fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z") {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_ends_in_time_says_all_that_it_has_to_say() {
        let script = "echo out; echo err >&2; exit 3";
        let mut quick = command(Path::new("."), "sh", ["-c", script]);
        let ended = within(&mut quick, Duration::from_secs(60)).unwrap();
        assert!(!ended.late && !ended.success);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
    }
}
