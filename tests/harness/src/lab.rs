//! Everything that can be booted, and the booting of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::boot::{Boot, Disk, Kernel};
use crate::disk::Folder;
use crate::machine::Machine;
use crate::ports;
use crate::transcript::Transcript;

/// The last lines of a stream that are worth reading after a failure.
const TAIL: usize = 40;

/// What has been built, shared by all scenarios.
pub struct Workshop {
    root: PathBuf,
    target: PathBuf,
    built: Mutex<BTreeMap<String, PathBuf>>,
    /// One for each thing that is being built, held by whoever builds it.
    building: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    /// Held by whoever builds a bare-metal package: cargo has one place for all the variants of a kernel.
    bare: Mutex<()>,
    /// Held by whoever makes scripts of conformance tests, which share a cache of native code.
    pub(crate) scripts: Mutex<()>,
}

/// The working place of one scenario: its machines, its files.
pub struct Lab {
    workshop: Arc<Workshop>,
    name: String,
    heard: Mutex<Vec<Arc<Transcript>>>,
}

impl Workshop {
    /// Builds the host's tool for disks; what else is needed is built when it is first asked for.
    ///
    /// # Errors
    /// Something did not build.
    pub fn open() -> Result<Arc<Workshop>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        fs::create_dir_all(target.join("scenarios"))?;
        let workshop = Workshop {
            root,
            target,
            built: Mutex::default(),
            building: Mutex::default(),
            bare: Mutex::default(),
            scripts: Mutex::default(),
        };
        workshop.run(Command::new("cargo").args(["build", "-q", "-p", "luge-image"]))?;
        Ok(Arc::new(workshop))
    }

    /// The top of the source tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `qemu-run.sh`, without options.
    #[must_use]
    pub fn qemu_run(&self) -> Command {
        // Whoever starts the tests in the background has a shell ignore SIGINT for all that follow, and a
        // script cannot undo that.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(self.root.join("qemu-run.sh"))
            .current_dir(&self.root);
        command
    }

    /// The loader.
    ///
    /// # Errors
    /// It does not build.
    pub fn loader(&self) -> Result<PathBuf> {
        self.once("loader", || self.bare("luge-pvh", "loader", &[]))
    }

    /// A kernel.
    ///
    /// # Errors
    /// It does not build.
    pub fn kernel(&self, kernel: &Kernel) -> Result<PathBuf> {
        match (kernel, kernel.recipe()) {
            (_, Some((name, switches))) => {
                self.once(name, || self.bare("luge-kernel", name, switches))
            }
            (Kernel::File(path), None) => Ok(path.clone()),
            (_, None) => unreachable!("only a file has no recipe"),
        }
    }

    /// The host's tool for disks, with the compiler of native code beside it, whose first build takes minutes.
    ///
    /// # Errors
    /// It does not build.
    pub fn compiler(&self) -> Result<PathBuf> {
        self.once("compiler", || {
            self.run(Command::new("cargo").args(["build", "-q", "-p", "luge-compile"]))?;
            Ok(self.target.join("debug/luge-image"))
        })
    }

    /// The folder of the guests, with `examples` and `hostile` in it.
    ///
    /// # Errors
    /// They do not build.
    pub fn guests(&self) -> Result<PathBuf> {
        self.once("guests", || {
            let guests = self.target.join("functions");
            self.run(Command::new(self.root.join("tests/guests/build.sh")).arg(&guests))?;
            Ok(guests)
        })
    }

    /// The folder of the programs, with their spec. Their first build takes minutes.
    ///
    /// # Errors
    /// They do not build.
    pub fn programs(&self) -> Result<PathBuf> {
        self.once("programs", || {
            let programs = self.target.join("programs");
            let build = self.root.join("tests/guests/programs/build.sh");
            self.run(Command::new(build).arg(&programs))?;
            Ok(programs)
        })
    }

    /// Builds something at its first use. Whoever comes second waits, and nobody waits for the build of anything
    /// else: a machine may be running meanwhile.
    pub(crate) fn once(
        &self,
        name: &str,
        build: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        let one = {
            let mut all = self.building.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(name.to_owned()).or_default())
        };
        let _building = one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.is_built(name) {
            return Ok(path);
        }
        let path = build().with_context(|| format!("building {name}"))?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.insert(name.to_owned(), path.clone());
        Ok(path)
    }

    fn is_built(&self, name: &str) -> Option<PathBuf> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.get(name).cloned()
    }

    /// Builds a bare-metal package and puts its program aside under `name`.
    fn bare(&self, package: &str, name: &str, switches: &[&str]) -> Result<PathBuf> {
        let _bare = self.bare.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cargo = Command::new("cargo");
        cargo
            .args(["bare", "-q", "-p", package])
            .args(switches)
            .env("RUSTC_BOOTSTRAP", "1");
        self.run(&mut cargo)?;
        let aside = self.target.join("scenarios").join(name);
        // At once, since a machine of another run may be loading it.
        let new = aside.with_extension(std::process::id().to_string());
        let built = self.target.join("x86_64-unknown-unknown/release");
        fs::copy(built.join(package), &new)?;
        fs::rename(&new, &aside)?;
        Ok(aside)
    }

    /// Where `qemu-run.sh` keeps the files of a machine while it runs.
    #[must_use]
    pub fn files_of(&self, machine: &Machine) -> PathBuf {
        self.target.join(format!("run.{}", machine.script()))
    }

    /// The file with the time that each scenario of the last run took.
    #[must_use]
    pub fn times(&self) -> PathBuf {
        self.target.join("scenarios/times.txt")
    }

    /// Runs a tool to its end. Gives what it printed.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub fn run(&self, command: &mut Command) -> Result<String> {
        let output = command
            .current_dir(&self.root)
            .output()
            .context("starting it")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command:?} failed:\n{said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Where everything is built.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// An image of this size with a folder's files on it, made by mke2fs alone.
    pub(crate) fn image_of(&self, folder: &Folder, size: &str) -> Result<PathBuf> {
        let image = folder.path().with_extension("img");
        if image.exists() {
            fs::remove_file(&image)?;
        }
        let mut tool = Command::new("mke2fs");
        tool.args(["-q", "-t", "ext4", "-d"])
            .arg(folder.path())
            .arg(&image)
            .arg(size);
        self.run(&mut tool)?;
        Ok(image)
    }
}

impl Lab {
    /// A working place for the scenario `name`.
    #[must_use]
    pub fn new(workshop: Arc<Workshop>, name: &str) -> Lab {
        Lab {
            workshop,
            name: name.to_owned(),
            heard: Mutex::default(),
        }
    }

    /// What has been built.
    #[must_use]
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    /// An empty folder of this scenario.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn folder(&self, name: &str) -> Result<Folder> {
        Folder::new(
            self.workshop
                .target
                .join("scenarios/work")
                .join(&self.name)
                .join(name),
        )
    }

    /// An example function, by its name without `.wasm`.
    ///
    /// # Errors
    /// The guests do not build.
    pub fn example(&self, name: &str) -> Result<PathBuf> {
        Ok(self
            .workshop
            .guests()?
            .join("examples")
            .join(format!("{name}.wasm")))
    }

    /// A function that uses files, by its name without `.wasm`.
    ///
    /// # Errors
    /// The guests do not build.
    pub fn file_user(&self, name: &str) -> Result<PathBuf> {
        Ok(self
            .workshop
            .guests()?
            .join("files")
            .join(format!("{name}.wasm")))
    }

    /// A guest that misbehaves, by its name without `.wasm`.
    ///
    /// # Errors
    /// The guests do not build.
    pub fn hostile(&self, name: &str) -> Result<PathBuf> {
        Ok(self
            .workshop
            .guests()?
            .join("hostile")
            .join(format!("{name}.wasm")))
    }

    /// An image with a folder's files on it, made by mke2fs alone, so that nothing is checked.
    ///
    /// # Errors
    /// There is no mke2fs, or it fails.
    pub fn plain_image(&self, folder: &Folder) -> Result<PathBuf> {
        let files = fs::read_dir(folder.path())?;
        let mut bytes = 0;
        for file in files {
            bytes += file?.metadata()?.len();
        }
        // A quarter more for what the file system needs.
        let mebibytes = 8 + ((bytes + bytes / 4) >> 20);
        self.workshop.image_of(folder, &format!("{mebibytes}M"))
    }

    /// An image with a folder's functions on it and native code beside each.
    ///
    /// # Errors
    /// There is no compiler, or something is wrong with the folder.
    pub fn native_image(&self, folder: &Folder) -> Result<PathBuf> {
        self.native_image_of(folder.path(), &folder.path().with_extension("img"))
    }

    /// The same of a folder that has another owner.
    ///
    /// # Errors
    /// As there.
    pub fn native_image_of(&self, folder: &Path, image: &Path) -> Result<PathBuf> {
        let mut tool = Command::new(self.workshop.compiler()?);
        tool.args(["build", "--native", "--keep-invalid"])
            .arg(folder)
            .arg(image);
        self.workshop.run(&mut tool)?;
        Ok(image.to_owned())
    }

    /// The file of native code of an example function.
    ///
    /// # Errors
    /// There is no compiler, or no such function.
    pub fn native_code(&self, example: &str) -> Result<Vec<u8>> {
        self.native_code_of(&self.example(example)?)
    }

    /// The same of a module.
    ///
    /// # Errors
    /// There is no compiler, or it refuses the module.
    pub fn native_code_of(&self, module: &Path) -> Result<Vec<u8>> {
        let file = self.folder("code")?.path().join("native");
        let mut tool = Command::new(self.workshop.compiler()?);
        tool.arg("compile").arg(module).arg("-o").arg(&file);
        self.workshop.run(&mut tool)?;
        Ok(fs::read(file)?)
    }

    /// Boots a machine, on ports of its own.
    ///
    /// # Errors
    /// Something does not build, or `qemu-run.sh` cannot be started.
    pub fn boot(&self, boot: &Boot) -> Result<Machine> {
        let port = ports::free()?;
        self.listen(Machine::start(self.qemu_run(boot, port)?, port)?)
    }

    /// Boots what `qemu-run.sh` builds and boots by itself, in the way in which people start it.
    ///
    /// # Errors
    /// `qemu-run.sh` cannot be started.
    pub fn boot_by_default(&self) -> Result<Machine> {
        let port = ports::free()?;
        let mut command = self.workshop.qemu_run();
        command.args(["--port", &port.to_string(), "--cpu-timeout", "300"]);
        self.listen(Machine::start(command, port)?)
    }

    /// Remembers what the machine says.
    fn listen(&self, machine: Machine) -> Result<Machine> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Arc::clone(&machine.serial));
        heard.push(Arc::clone(&machine.report));
        drop(heard);
        Ok(machine)
    }

    /// Boots a machine and waits until it is ready.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn serve(&self, boot: &Boot) -> Result<Machine> {
        let machine = self.boot(boot)?;
        machine.ready()?;
        Ok(machine)
    }

    /// Boots by a script of the source tree that hands what follows `--` to `qemu-run.sh` and sees to the disk
    /// itself.
    ///
    /// # Errors
    /// Something does not build, or the script cannot be started.
    pub fn boot_by(&self, script: &str, arguments: &[&str], boot: &Boot) -> Result<Machine> {
        let port = ports::free()?;
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(self.workshop.root.join(script))
            .current_dir(&self.workshop.root)
            .args(arguments)
            .arg("--");
        self.options(&mut command, boot, port)?;
        self.listen(Machine::start(command, port)?)
    }

    fn qemu_run(&self, boot: &Boot, port: u16) -> Result<Command> {
        let mut command = self.workshop.qemu_run();
        self.options(&mut command, boot, port)?;
        match &boot.disk {
            Disk::None => command.args(["--image", "none"]),
            Disk::Image(path) => command.arg("--image").arg(path),
            Disk::Modules(path) => command.arg("--modules").arg(path),
        };
        Ok(command)
    }

    /// All but the disk.
    fn options(&self, command: &mut Command, boot: &Boot, port: u16) -> Result<()> {
        let loader = boot
            .loader
            .clone()
            .map_or_else(|| self.workshop.loader(), Ok)?;
        command.args(["--no-build", "--accel", "tcg"]);
        command.arg("--loader").arg(loader);
        command
            .arg("--kernel")
            .arg(self.workshop.kernel(&boot.kernel)?);
        command.args(["--port", &port.to_string()]);
        command.args(["--cpu-timeout", &boot.limit.as_secs().max(1).to_string()]);
        command
            .args(["--append", &boot.append.join(" ")])
            .args(&boot.switches);
        Ok(())
    }

    /// The last words of every machine of this scenario, to be shown after a failure.
    #[must_use]
    pub fn last_words(&self) -> String {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (stream, name) in heard
            .iter()
            .zip(["serial port", "qemu-run.sh"].iter().cycle())
        {
            let lines = stream.lines();
            let tail = &lines[lines.len().saturating_sub(TAIL)..];
            text.push_str(&format!(
                "--- {name}, last {} lines ---\n{}\n",
                tail.len(),
                tail.join("\n")
            ));
        }
        text
    }
}
