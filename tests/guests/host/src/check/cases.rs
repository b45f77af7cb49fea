//! The table of cases, and what it means to pass one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use luge_sandbox::Outcome;
use serde::Deserialize;

use crate::engine::INTERPRETER;
use crate::files::HostFiles;
use crate::sandbox::{Current, Sandbox, Workload};

/// Size of a guest's native stack, as in the kernel, in bytes.
const STACK_BYTES: usize = 512 << 10;
/// How long a guest may take that is to end by itself: for those that do not, and longer than any host can need.
pub const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// How long one is waited for that is not. Host's time: it makes no difference how far it has come.
const DEADLINE: Duration = Duration::from_secs(2);
/// Most bytes of an answer that a failure shows.
const SHOWN: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// Explains the table to people.
    #[serde(rename = "about")]
    _about: Vec<String>,
    runs: Vec<Run>,
    refused: Vec<Refused>,
    #[serde(skip)]
    folder: PathBuf,
}

/// A module that runs, what it is given and what it answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    module: String,
    #[serde(default)]
    query: String,
    stdin: Option<String>,
    stdin_file: Option<PathBuf>,
    /// What is mounted at `/`.
    folder: Option<PathBuf>,
    stdout: Option<String>,
    stdout_file: Option<PathBuf>,
    outcome: String,
    /// Set if it shows what it is for in a kernel built for scenarios only.
    #[serde(default)]
    scenario: bool,
}

/// A module that is refused when it is loaded, and a part of the reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    module: String,
    reason: String,
}

impl Cases {
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut cases: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a table of cases", path.display()))?;
        cases.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(cases)
    }

    pub fn count(&self) -> usize {
        self.runs.len() + self.refused.len()
    }

    /// Tries every case; a sentence for each that fails.
    pub fn check(&self, modules: &Path) -> Vec<String> {
        let runs = self.runs.iter().filter_map(|run| {
            let failure = self.check_run(modules, run).err()?;
            Some(format!("{}?{}: {failure:#}", run.module, run.query))
        });
        let refused = self.refused.iter().filter_map(|refused| {
            let failure = check_refused(modules, refused).err()?;
            Some(format!("{}: {failure:#}", refused.module))
        });
        runs.chain(refused).collect()
    }

    fn check_run(&self, modules: &Path, run: &Run) -> Result<()> {
        let compiled = compile(modules, &run.module)?;
        if run.scenario {
            let refusal = compiled
                .err()
                .context("a kernel without scenarios admits it")?;
            anyhow::ensure!(
                refusal.contains("luge_scenario"),
                "refused for another reason: {refusal}"
            );
            return Ok(());
        }
        let program = compiled.map_err(anyhow::Error::msg)?;
        let sandbox = Sandbox {
            name: run.module.clone(),
            arguments: arguments(&run.module, &run.query),
            body: self
                .bytes(run.stdin.as_deref(), run.stdin_file.as_deref())?
                .unwrap_or_default(),
            files: match &run.folder {
                Some(folder) => Some(HostFiles::of(&self.folder.join(folder))?),
                None => None,
            },
            ..Sandbox::default()
        };
        let patience = if run.outcome == Outcome::OverDeadline.to_string() {
            DEADLINE
        } else {
            PATIENCE
        };
        let (outcome, answer) = execute(program, sandbox, patience);
        anyhow::ensure!(
            outcome == run.outcome,
            "{outcome} instead of {}",
            run.outcome
        );
        if let Some(expected) = self.bytes(run.stdout.as_deref(), run.stdout_file.as_deref())? {
            anyhow::ensure!(answer == expected, "{}", difference(&answer, &expected));
        }
        Ok(())
    }

    fn bytes(&self, text: Option<&str>, file: Option<&Path>) -> Result<Option<Vec<u8>>> {
        if let Some(file) = file {
            let path = self.folder.join(file);
            let bytes =
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(Some(bytes));
        }
        Ok(text.map(|text| text.as_bytes().to_vec()))
    }
}

fn check_refused(modules: &Path, refused: &Refused) -> Result<()> {
    let reason = compile(modules, &refused.module)?
        .err()
        .context("it is admitted")?;
    anyhow::ensure!(reason.contains(&refused.reason), "the reason is: {reason}");
    Ok(())
}

fn compile(modules: &Path, name: &str) -> Result<Result<Arc<dyn Workload>, String>> {
    let path = modules.join(format!("{name}.wasm"));
    let wasm = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(INTERPRETER
        .load(&wasm, &[])
        .map_err(|error| error.to_string()))
}

/// `argv`: the name, then the query's values in order.
fn arguments(module: &str, query: &str) -> Vec<String> {
    let name = module.rsplit('/').next().unwrap_or(module);
    let values = query.split('&').filter(|pair| !pair.is_empty());
    let values = values.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    std::iter::once(name)
        .chain(values)
        .map(|value| value.replace("%20", " "))
        .collect()
}

/// Runs a program on a thread of its own and gives up on it when `patience` is over.
pub fn execute(
    program: Arc<dyn Workload>,
    sandbox: Sandbox,
    patience: Duration,
) -> (String, Vec<u8>) {
    let sandbox: &'static Sandbox = Box::leak(Box::new(sandbox));
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let outcome = program.run(Current(sandbox));
        let _ = sender.send(outcome);
    };
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(run)
        .expect("a thread can be made");
    let outcome = receiver
        .recv_timeout(patience)
        .unwrap_or(Outcome::OverDeadline);
    sandbox.doomed.store(true, Relaxed);
    (
        outcome.to_string(),
        std::mem::take(&mut *sandbox.output.lock().unwrap()),
    )
}

/// Both answers, cut short and readable.
fn difference(answer: &[u8], expected: &[u8]) -> String {
    let mut text = String::new();
    for (name, bytes) in [("answer", answer), ("expected", expected)] {
        let shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
        let _ = write!(text, "\n  {name}: {} bytes: {shown}", bytes.len());
    }
    text
}
