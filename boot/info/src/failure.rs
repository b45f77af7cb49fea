//! Every way in which the loader refuses to go on, and the exit code of each.

use core::fmt;

use crate::config::ConfigError;
use crate::exit::ExitCode;
use crate::kernel::KernelError;
use crate::memory_map::MemoryMapError;
use crate::paging::MapError;
use crate::plan::PlanError;
use crate::start_info::StartInfoError;

/// Why there will be no kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The start information is no use.
    StartInfo(StartInfoError),
    /// The memory map is no use.
    MemoryMap(MemoryMapError),
    /// The kernel ELF is damaged.
    Kernel(KernelError),
    /// The kernel wishes what the loader cannot give.
    Config(ConfigError),
    /// The parts do not fit into the address space or into memory.
    Plan(PlanError),
    /// A mapping cannot be entered into the page tables.
    Map(MapError),
}

impl Failure {
    /// What the machine stops with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::StartInfo(_) => ExitCode::BadStartInfo,
            Self::MemoryMap(_) => ExitCode::BadMemoryMap,
            Self::Kernel(_) | Self::Config(_) => ExitCode::BadKernel,
            Self::Plan(PlanError::NoMemory { .. }) | Self::Map(MapError::NoMemory) => {
                ExitCode::NoMemory
            }
            Self::Plan(PlanError::ModuleOutsideMemory { .. }) => ExitCode::BadStartInfo,
            Self::Plan(_) | Self::Map(_) => ExitCode::BadKernel,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartInfo(error) => write!(f, "start information: {error}"),
            Self::MemoryMap(error) => write!(f, "memory map: {error}"),
            Self::Kernel(error) => write!(f, "kernel: {error}"),
            Self::Config(error) => write!(f, "kernel's .bootloader-config: {error}"),
            Self::Plan(error) => write!(f, "layout: {error}"),
            Self::Map(error) => write!(f, "page tables: {error}"),
        }
    }
}

macro_rules! from_errors {
    ($($error:ty => $variant:ident),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from_errors! {
    StartInfoError => StartInfo,
    MemoryMapError => MemoryMap,
    KernelError => Kernel,
    ConfigError => Config,
    PlanError => Plan,
    MapError => Map,
}
