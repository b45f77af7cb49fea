//! `luge-image`: makes the disk that the kernel takes its functions from, and looks into one.
//!
//! A disk is an ext4 file system with `functions.json` and modules on it, or with modules alone.
//! [`source`] reads either from a folder or from an image, [`deployment`] says what the kernel will
//! make of it, [`module`] whether a module will do, [`translation`] whether the interpreter takes it, [`folder`] what is in a folder that a function reads,
//! [`compile`] starts the compiler of native code, [`mod@build`] gathers what an image is made of, [`change`] changes that of an
//! image, [`mod@write`] writes one, [`progress`] tells what takes long.
//!
//! Exit status: 0 done; 1 something is wrong with the input; 2 wrong usage, or a tool is missing.

mod build;
mod change;
mod compile;
mod deployment;
mod file;
mod folder;
mod list;
mod module;
mod progress;
mod source;
mod translation;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use luge_journal::Harmless;
use luge_spec::command_line::DEFAULT_PORT;

use build::{Build, Strictness};
use change::{Addition, Change, Existing};
use compile::{Compiler, MissingCompiler};
use deployment::{Deployment, SpecRefused};
use progress::{Progress, When};
use source::Source;
use write::MissingTool;

/// Makes the disk that Luge takes its functions from, and looks into one.
#[derive(Parser)]
#[command(name = "luge-image", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an image from a folder of modules (NAME.wasm), with or without a functions.json.
    Build(BuildArguments),
    /// Show the tenants, routes, modules and limits of an image or a folder.
    List(Input),
    /// Check that an image or a folder can be read, that its spec is right, and its modules valid and such as the engines take.
    Verify(Input),
    /// Print the port of each tenant of an image or a folder, a line each.
    Ports(Input),
    /// Compile a module to native code, ahead of time.
    Compile(CompileArguments),
    /// Add a module to an image, and a route to its functions.json if it has one.
    Add(AddArguments),
    /// Remove a route, or a module with its routes, from an image, and what only they used.
    Remove(RemoveArguments),
}

#[derive(Args)]
struct BuildArguments {
    /// The folder.
    folder: PathBuf,
    /// The image to write.
    #[arg(conflicts_with = "output", required_unless_present = "output")]
    image: Option<PathBuf>,
    /// The image to write.
    #[arg(short, long, value_name = "IMAGE")]
    output: Option<PathBuf>,
    /// Report the modules that the kernel would refuse, leave them out, and make a disk of the others.
    #[arg(long, conflicts_with = "keep_invalid")]
    allow_invalid: bool,
    /// For tests: put on the disk what the kernel will refuse, a bad functions.json too.
    #[arg(long)]
    keep_invalid: bool,
    /// Put native code beside each module: NAME.cwasm.
    #[arg(long)]
    native: bool,
    #[command(flatten)]
    progress: ProgressArgument,
}

#[derive(Args)]
struct ProgressArgument {
    /// When to tell what is being done.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: When,
}

#[derive(Args)]
struct AddArguments {
    /// The image.
    image: PathBuf,
    /// The module.
    module: PathBuf,
    /// Where it lies on the image [default: its name].
    #[arg(long)]
    path: Option<String>,
    /// The route [default: its name without .wasm].
    #[arg(long)]
    route: Option<String>,
    /// Whose route, if the image has several tenants.
    #[arg(long)]
    tenant: Option<String>,
    /// A key of the route in functions.json. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Put it in the place of a module with the same path; routes stay as they are.
    #[arg(long)]
    replace: bool,
    /// Put native code beside it.
    #[arg(long)]
    native: bool,
    #[command(flatten)]
    progress: ProgressArgument,
}

#[derive(Args)]
struct RemoveArguments {
    /// The image.
    image: PathBuf,
    /// A route (/NAME), or a module with all of its routes (NAME.wasm or NAME).
    what: String,
    /// Whose route, if several tenants have one of that name.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    progress: ProgressArgument,
}

#[derive(Args)]
struct CompileArguments {
    /// The module.
    module: PathBuf,
    /// The file of native code to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    progress: ProgressArgument,
}

#[derive(Args)]
struct Input {
    /// An image, or a folder to make one from.
    image: PathBuf,
    /// The port of the only tenant where there is no functions.json.
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(flatten)]
    progress: ProgressArgument,
}

/// The input is at fault, and what is wrong with it has been said.
const WRONG_INPUT: u8 = 1;
/// The command cannot be carried out here or as given.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("luge-image: {}", plain(&format!("{error:#}")));
            ExitCode::from(
                if error.is::<MissingTool>() || error.is::<MissingCompiler>() {
                    WRONG_USE
                } else {
                    WRONG_INPUT
                },
            )
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build(arguments) => build(arguments),
        Command::List(input) => {
            let deployment = input.deployment()?;
            report_warnings(&deployment);
            print!("{}", list::List(&deployment));
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify(input) => verify(&input),
        Command::Ports(input) => {
            for tenant in &input.spec()?.tenants {
                println!("{}", tenant.port);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Compile(arguments) => compile_module(&arguments),
        Command::Add(arguments) => add(arguments),
        Command::Remove(arguments) => remove(&arguments),
    }
}

/// `KEY=VALUE`.
fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is wanted")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl ProgressArgument {
    fn progress(&self) -> Progress {
        Progress::new(self.progress)
    }
}

/// The compiler, if native code is wanted.
fn compiler_if(is_wanted: bool) -> Result<Option<Compiler>> {
    is_wanted.then(Compiler::find).transpose()
}

fn add(arguments: AddArguments) -> Result<ExitCode> {
    let addition = Addition {
        module: arguments.module,
        path: arguments.path,
        route: arguments.route,
        tenant: arguments.tenant,
        settings: arguments.set,
        existing: if arguments.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        },
        compiler: compiler_if(arguments.native)?,
    };
    let progress = arguments.progress.progress();
    let mut change = Change::begin(&arguments.image)?;
    let added = change.add(&addition, progress)?;
    let image = change.finish(progress)?;
    eprintln!("{}: {added}: {image}", arguments.image.display());
    Ok(ExitCode::SUCCESS)
}

fn remove(arguments: &RemoveArguments) -> Result<ExitCode> {
    let mut change = Change::begin(&arguments.image)?;
    let removed = change.remove(&arguments.what, arguments.tenant.as_deref())?;
    let image = change.finish(arguments.progress.progress())?;
    eprintln!("{}: {removed}: {image}", arguments.image.display());
    Ok(ExitCode::SUCCESS)
}

impl Input {
    fn spec(&self) -> Result<luge_spec::Spec> {
        let source = Source::open(&self.image)?;
        Ok(deployment::read_spec(&source, self.port)?.spec)
    }

    fn deployment(&self) -> Result<Deployment> {
        let source = Source::open(&self.image)?;
        Deployment::read(&source, self.port, false, self.progress.progress())
    }
}

fn build(arguments: BuildArguments) -> Result<ExitCode> {
    let image = arguments.image.or(arguments.output).unwrap_or_default();
    if !arguments.folder.is_dir() {
        bail!("there is no folder {}", arguments.folder.display());
    }
    let progress = arguments.progress.progress();
    let source = Source::Folder(arguments.folder.clone());
    let strictness = match (arguments.allow_invalid, arguments.keep_invalid) {
        (true, _) => Strictness::LeaveOut,
        (false, true) => Strictness::Keep,
        (false, false) => Strictness::Refuse,
    };
    let deployment = Deployment::read(&source, DEFAULT_PORT, arguments.native, progress);
    let build = match deployment {
        Ok(mut deployment) => {
            report_warnings(&deployment);
            let bad = report_invalid(&deployment, strictness);
            match strictness {
                Strictness::Refuse if bad > 0 => {
                    bail!("{} is not written (see --allow-invalid)", image.display())
                }
                Strictness::LeaveOut => deployment.leave_out_invalid(),
                Strictness::Refuse | Strictness::Keep => {}
            }
            if bad > 0 && deployment.served().count() == 0 {
                bail!(
                    "no route is left to serve, and {} is not written",
                    image.display()
                );
            }
            Build::of(
                &deployment,
                &source,
                compiler_if(arguments.native)?.as_ref(),
                strictness,
                progress,
            )?
        }
        Err(error) if strictness == Strictness::Keep && error.is::<SpecRefused>() => {
            eprintln!("warning: {}", plain(&format!("{error:#}")));
            Build::of_everything(&arguments.folder)?
        }
        Err(error) => return Err(error),
    };
    build.write(&image, progress)?;
    eprintln!("{}: {build}", image.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes the native code of a module that the kernel would take.
fn compile_module(arguments: &CompileArguments) -> Result<ExitCode> {
    let name = || arguments.module.display().to_string();
    let bytes = std::fs::read(&arguments.module).with_context(name)?;
    module::check(&bytes).with_context(name)?;
    let compiler = Compiler::find()?;
    let progress = arguments.progress.progress();
    let step = progress.begin(format_args!("native code: {}", name()));
    let native = compiler.compile(&bytes).with_context(name)?;
    step.end(native.len() as u64);
    let output = || arguments.output.display().to_string();
    std::fs::write(&arguments.output, native).with_context(output)?;
    Ok(ExitCode::SUCCESS)
}

fn verify(input: &Input) -> Result<ExitCode> {
    let deployment = input.deployment()?;
    report_warnings(&deployment);
    let bad = report_invalid(&deployment, Strictness::Refuse);
    let modules = deployment.modules.len();
    if bad > 0 {
        eprintln!(
            "{}: {bad} of {} modules and folders cannot be used",
            input.image.display(),
            modules + deployment.folders.len()
        );
        return Ok(ExitCode::from(WRONG_INPUT));
    }
    println!(
        "{}: {} routes, {modules} modules, all well",
        input.image.display(),
        deployment.routes().count()
    );
    Ok(ExitCode::SUCCESS)
}

/// A text in which names of a module's may be, as one that harms no terminal.
fn plain(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| Harmless(line.as_bytes()).to_string());
    lines.collect::<Vec<_>>().join("\n")
}

fn report_warnings(deployment: &Deployment) {
    for warning in &deployment.warnings {
        eprintln!("warning: {}", plain(&warning.to_string()));
    }
}

/// Names every module and every folder that the kernel will refuse; returns how many they are.
fn report_invalid(deployment: &Deployment, strictness: Strictness) -> usize {
    let (level, fate) = match strictness {
        Strictness::LeaveOut => ("warning", "left out: "),
        Strictness::Refuse | Strictness::Keep => ("error", ""),
    };
    let invalid: Vec<_> = deployment.invalid().collect();
    for (path, why) in &invalid {
        eprintln!("{level}: {path}: {fate}{}", plain(&why.to_string()));
    }
    let unusable: Vec<_> = deployment.unusable().collect();
    for (route, path, why) in &unusable {
        eprintln!(
            "{level}: route {route}: {fate}folder {path}: {}",
            plain(&why.to_string())
        );
    }
    invalid.len() + unusable.len()
}
