//! `cargo xtask test`: every suite on every host, then the suite × host matrix.

mod brought;
mod clients;
mod edge;
pub mod leads;
mod native;
mod nextjs;
mod node;
mod php;
pub mod python;
mod readme;

use crate::matrix::{Counts, Matrix};
use crate::shell::Ended;
use crate::{lint, setup, wasm};
use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  cargo xtask test                         everything: ten minutes on two cores
  cargo xtask test --only native           the Rust tests
  cargo xtask test --only node,chromium    WebAssembly and the SDK

Tests on real data read it from RAPPORT_DATA (../shared/data where unset) and are skipped without it.
CHROMIUM names the browser to drive where it is not on the path.")]
pub struct Arguments {
    /// Only these stages, parted by commas
    #[arg(long, value_name = "STAGES", value_enum, value_delimiter = ',')]
    only: Vec<Stage>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Stage {
    /// The Rust tests of all crates
    Native,
    /// A server that Segment's own libraries send to
    Clients,
    /// Conformance cases and SDK tests in Node.js
    Node,
    /// The same and the websites in Chromium
    Chromium,
    /// The edge on both of its hosts: workerd, and `rapport edge`
    Edge,
    /// A Next.js site whose server, middleware and pages decide the same
    Nextjs,
    /// OpenFeature's scenarios, of the stages that run them anyway
    Openfeature,
    /// The PHP SDK, and conformance cases through its engine
    Php,
    /// The Python SDK, as a wheel that was built and installed
    Python,
    /// Every command that README.md and the examples show
    Readme,
    /// What `cargo xtask lint` checks
    Lint,
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let mut matrix = Matrix::default();
    let wants = |stage| arguments.only.is_empty() || arguments.only.contains(&stage);
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    timed("page build", || wasm::page(root).and_then(|()| wasm::full(root)))?;
    timed("model of the tests' pages", || leads::train(root))?;
    if [Stage::Node, Stage::Chromium, Stage::Edge].into_iter().any(wants) {
        timed("engines for ONNX", || brought::pack(root))?;
    }
    if wants(Stage::Native) {
        timed("native", || native::run(root, &mut matrix))?;
    }
    if wants(Stage::Clients) {
        timed("clients", || clients::run(root, &mut matrix))?;
    }
    if wants(Stage::Node) {
        timed("node", || node::run(root, node::Host::Node, &mut matrix))?;
    }
    if wants(Stage::Chromium) {
        timed("chromium", || node::run(root, node::Host::Chromium, &mut matrix))?;
    }
    if wants(Stage::Edge) {
        timed("edge", || edge::run(root, &mut matrix))?;
    }
    if wants(Stage::Nextjs) {
        timed("nextjs", || nextjs::run(root, &mut matrix))?;
    }
    if arguments.only.contains(&Stage::Openfeature) && !wants(Stage::Node) {
        timed("openfeature", || node::openfeature(root, &mut matrix))?;
    }
    if wants(Stage::Php) {
        timed("php", || php::run(root, &mut matrix))?;
    }
    if wants(Stage::Python) {
        timed("python", || python::run(root, &mut matrix))?;
    }
    if wants(Stage::Readme) {
        timed("README", || readme::run(root, &mut matrix))?;
    }
    if wants(Stage::Lint) {
        timed("lint", || {
            for (_, result) in lint::check_all(root) {
                let failed = usize::from(result.is_err());
                matrix.add("lint", "native", Counts { passed: 1 - failed, failed, skipped: 0 });
            }
            Ok(())
        })?;
    }
    matrix.print();
    match matrix.total() {
        Counts { failed: 0, passed: 1.., .. } => Ok(()),
        total => bail!("{} failed", total.failed),
    }
}

/// How long one test program or file may take: nobody waits for ever for one that hangs.
const TIME: Duration = Duration::from_secs(600);

/// What one run of a test program or file came to.
struct Outcome {
    counts: Counts,
    /// Whether its time was over.
    late: bool,
    /// All that it printed.
    said: String,
    /// Of that, what belongs to the failures.
    why: String,
}

impl Outcome {
    /// Of a program that ended so; one that failed without saying of what counts as one failure.
    fn of(ended: &Ended, counts: Counts, why: String) -> Self {
        let least = usize::from(!ended.success);
        let counts = Counts { failed: counts.failed.max(least), ..counts };
        Self { counts, late: ended.late, said: ended.stdout.clone(), why }
    }

    fn print(&self, suite: &str) {
        let Counts { passed, failed, .. } = self.counts;
        let verdict = if failed > 0 { "FAILED" } else { "ok" };
        println!("{verdict:<7} {suite:<28} {passed} passed, {failed} failed");
        if failed > 0 {
            println!("{}", self.why);
        }
    }
}

/// Runs once more what failed in time: only what fails twice fails the run. A test that passed the second
/// time is a fault all the same, of the test or of what it tests: it is shown with its reason and
/// listed below the matrix.
fn twice(
    suite: &str,
    host: &str,
    matrix: &mut Matrix,
    mut run: impl FnMut() -> Result<Outcome>,
) -> Result<Outcome> {
    let first = run()?;
    if first.counts.failed == 0 || first.late {
        return Ok(first);
    }
    let second = run()?;
    if second.counts.failed == 0 {
        println!("UNSTABLE {suite}: failed, then passed\n{}", first.why);
        matrix.unstable(suite, host, first.counts.failed);
    }
    Ok(second)
}

/// What the outermost suite counts of a report in JUnit's form.
fn counted(report: &str) -> Counts {
    let line = report.lines().find(|line| line.contains("<testsuite ")).unwrap_or_default();
    let number = |name: &str| {
        let value =
            line.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    let (failed, skipped) = (number("failures") + number("errors"), number("skipped"));
    Counts { passed: number("tests") - failed - skipped, failed, skipped }
}

fn timed<T>(stage: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n== {stage}");
    let start = Instant::now();
    let result = work();
    println!("== {stage}: {:.0} s", start.elapsed().as_secs_f64());
    result
}
