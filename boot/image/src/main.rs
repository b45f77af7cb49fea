//! `luge-image`: makes the disk that the kernel takes its functions from, and looks into one.
//!
//! A disk is an ext4 file system with `functions.json` and modules on it, or with modules alone.
//! [`source`] reads either from a folder or from an image, [`deployment`] says what the kernel will
//! make of it, [`module`] whether a module will do, [`folder`] what is in a folder that a function reads,
//! [`compile`] makes native code, [`mod@build`] writes an image.
//!
//! Exit status: 0 done; 1 something is wrong with the input; 2 wrong usage, a tool is missing, or the
//! command is not there yet.

mod build;
mod deployment;
mod file;
mod folder;
mod list;
mod module;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use luge_image::compile;
use luge_spec::command_line::DEFAULT_PORT;

use build::{Build, MissingTool, NativeCode, Strictness};
use deployment::{Deployment, SpecRefused};
use source::Source;

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
    /// Check that an image or a folder can be read, that its spec is right and its modules valid.
    Verify(Input),
    /// Print the port of each tenant of an image or a folder, a line each.
    Ports(Input),
    /// Compile a module to native code, ahead of time.
    Compile(CompileArguments),
    /// Not there yet: add a module to an image.
    Add(NotYet),
    /// Not there yet: remove a module from an image.
    Remove(NotYet),
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
    /// Only warn of what the kernel will refuse, and put it on the disk all the same.
    #[arg(long)]
    keep_invalid: bool,
    /// Put native code beside each module: NAME.cwasm.
    #[arg(long)]
    native: bool,
}

#[derive(Args)]
struct CompileArguments {
    /// The module.
    module: PathBuf,
    /// The file of native code to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Args)]
struct Input {
    /// An image, or a folder to make one from.
    image: PathBuf,
    /// The port of the only tenant where there is no functions.json.
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

#[derive(Args)]
struct NotYet {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<String>,
}

/// The input is at fault, and what is wrong with it has been said.
const WRONG_INPUT: u8 = 1;
/// The command cannot be carried out here or as given.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("luge-image: {error:#}");
            ExitCode::from(if error.is::<MissingTool>() {
                WRONG_USE
            } else {
                WRONG_INPUT
            })
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
        Command::Add(_) => Ok(not_yet("add")),
        Command::Remove(_) => Ok(not_yet("remove")),
    }
}

fn not_yet(command: &str) -> ExitCode {
    eprintln!("luge-image: {command}: not yet");
    ExitCode::from(WRONG_USE)
}

impl Input {
    fn spec(&self) -> Result<luge_spec::Spec> {
        let source = Source::open(&self.image)?;
        Ok(deployment::read_spec(&source, self.port)?.spec)
    }

    fn deployment(&self) -> Result<Deployment> {
        Deployment::read(&Source::open(&self.image)?, self.port)
    }
}

fn build(arguments: BuildArguments) -> Result<ExitCode> {
    let image = arguments.image.or(arguments.output).unwrap_or_default();
    if !arguments.folder.is_dir() {
        bail!("there is no folder {}", arguments.folder.display());
    }
    let source = Source::Folder(arguments.folder.clone());
    let strictness = if arguments.keep_invalid {
        Strictness::Warn
    } else {
        Strictness::Refuse
    };
    let build = match Deployment::read(&source, DEFAULT_PORT) {
        Ok(deployment) => {
            report_warnings(&deployment);
            if report_invalid(&deployment) > 0 && strictness == Strictness::Refuse {
                bail!("{} is not written (see --keep-invalid)", image.display());
            }
            let native = if arguments.native {
                compile::expect_compiler()?;
                NativeCode::Beside
            } else {
                NativeCode::None
            };
            Build::of(&deployment, &source, native)?
        }
        Err(error) if strictness == Strictness::Warn && error.is::<SpecRefused>() => {
            eprintln!("warning: {error:#}");
            Build::of_everything(&arguments.folder)?
        }
        Err(error) => return Err(error),
    };
    build.write(&image)?;
    eprintln!("{}: {build}", image.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes the native code of a module that the kernel would take.
fn compile_module(arguments: &CompileArguments) -> Result<ExitCode> {
    let name = || arguments.module.display().to_string();
    let bytes = std::fs::read(&arguments.module).with_context(name)?;
    module::check(&bytes).with_context(name)?;
    let native = compile::compile(&bytes).with_context(name)?;
    let output = || arguments.output.display().to_string();
    std::fs::write(&arguments.output, native).with_context(output)?;
    Ok(ExitCode::SUCCESS)
}

fn verify(input: &Input) -> Result<ExitCode> {
    let deployment = input.deployment()?;
    report_warnings(&deployment);
    let bad = report_invalid(&deployment);
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

fn report_warnings(deployment: &Deployment) {
    for warning in &deployment.warnings {
        eprintln!("warning: {warning}");
    }
}

/// Names every module and every folder that the kernel will refuse; returns how many they are.
fn report_invalid(deployment: &Deployment) -> usize {
    let invalid: Vec<_> = deployment.invalid().collect();
    for (path, why) in &invalid {
        eprintln!("error: {path}: {why}");
    }
    let unusable: Vec<_> = deployment.unusable().collect();
    for (route, path, why) in &unusable {
        eprintln!("error: route {route}: folder {path}: {why}");
    }
    invalid.len() + unusable.len()
}
