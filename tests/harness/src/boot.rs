//! The description of a machine that is to be booted.

use std::path::PathBuf;
use std::time::Duration;

/// Longest life of a machine in processor time of the host, unless its [`Boot`] says otherwise.
const LIMIT: Duration = Duration::from_secs(300);

/// Which kernel boots. [`Lab`](crate::Lab) builds each when it is first asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// What `qemu-run.sh` boots.
    Product,
    /// The same with the host calls and faults that misbehave on purpose (feature `scenarios`).
    Scenarios,
    /// Some file.
    File(PathBuf),
}

impl Kernel {
    /// The name of the kernel's file under `target/scenarios`, and the switches with which cargo builds
    /// it; `None` for a file that is there already.
    #[must_use]
    pub fn recipe(&self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Kernel::Product => Some(("kernel", &[])),
            Kernel::Scenarios => Some(("kernel-scenarios", &["--features", "scenarios"])),
            Kernel::File(_) => None,
        }
    }
}

/// What the machine finds in its first virtio window.
#[derive(Clone, Debug)]
pub enum Disk {
    /// No disk.
    None,
    /// This image.
    Image(PathBuf),
    /// An image made of the functions in this folder.
    Modules(PathBuf),
}

/// A machine to be booted.
#[derive(Clone, Debug)]
pub struct Boot {
    pub(crate) kernel: Kernel,
    pub(crate) loader: Option<PathBuf>,
    pub(crate) disk: Disk,
    pub(crate) append: Vec<String>,
    pub(crate) switches: Vec<String>,
    pub(crate) limit: Duration,
}

impl Boot {
    /// A machine with this kernel, no disk and an empty command line.
    #[must_use]
    pub fn new(kernel: Kernel) -> Boot {
        Boot {
            kernel,
            loader: None,
            disk: Disk::None,
            append: Vec::new(),
            switches: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Boots another kernel.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Boot {
        self.kernel = kernel;
        self
    }

    /// Boots this file in place of the loader.
    #[must_use]
    pub fn loader(mut self, loader: PathBuf) -> Boot {
        self.loader = Some(loader);
        self
    }

    /// Gives the machine a disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Boot {
        self.disk = disk;
        self
    }

    /// Adds `key=value` pairs to the kernel's command line.
    #[must_use]
    pub fn append(mut self, parameters: &str) -> Boot {
        self.append.push(parameters.to_owned());
        self
    }

    /// Adds an option of `qemu-run.sh`.
    #[must_use]
    pub fn switch(mut self, option: &str) -> Boot {
        self.switches.push(option.to_owned());
        self
    }

    /// Ends the machine when it has used so much processor time of the host, or has used none for so long.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Boot {
        self.limit = limit;
        self
    }
}
