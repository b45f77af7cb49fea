//! How the machine says why it stopped, where no power-off can.
//!
//! The loader and the kernel share this list; the harness and `qemu-run.sh` read it off QEMU's exit
//! status. QEMU's `isa-debug-exit` device at [`PORT`] ends QEMU with the status `2 v + 1` for a
//! written value `v`, so every status from here is odd, and never 0 or 1: 0 is a clean power-off
//! through ACPI, 1 is QEMU's own complaint about its command line.

use core::fmt;

/// The I/O port of QEMU's `isa-debug-exit` (`iobase=0xf4,iosize=4`).
pub const PORT: u16 = 0xf4;

/// Why the machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// The kernel panicked, or took a fault that was its own (status 33).
    Panic = 0x10,
    /// A fault while a fault was being handled, a double fault, an NMI or a machine check
    /// (status 35).
    LastWords = 0x11,
    /// A module failed while the kernel ran every function of the disk once (status 37).
    BatchFailed = 0x12,
    /// A device that is needed is not there, or does not work and cannot be mended by resetting it (status 39).
    DeviceFailed = 0x13,
    /// The loader got no start information that it can read, or no kernel module (status 65).
    BadStartInfo = 0x20,
    /// The firmware's memory map is damaged (status 67).
    BadMemoryMap = 0x21,
    /// The kernel ELF is damaged, or asks for what the loader cannot give (status 69).
    BadKernel = 0x22,
    /// The loader ran out of memory for page tables, segments or the stack (status 71).
    NoMemory = 0x23,
    /// The loader itself took a fault or panicked (status 73).
    LoaderFault = 0x24,
}

impl ExitCode {
    /// Every code, in the order of their values.
    pub const ALL: [ExitCode; 9] = [
        ExitCode::Panic,
        ExitCode::LastWords,
        ExitCode::BatchFailed,
        ExitCode::DeviceFailed,
        ExitCode::BadStartInfo,
        ExitCode::BadMemoryMap,
        ExitCode::BadKernel,
        ExitCode::NoMemory,
        ExitCode::LoaderFault,
    ];

    /// The value to write to [`PORT`].
    #[must_use]
    pub const fn value(self) -> u8 {
        self as u8
    }

    /// The exit status of QEMU after [`value`](Self::value) was written to [`PORT`].
    #[must_use]
    pub const fn qemu_status(self) -> u8 {
        2 * self.value() + 1
    }

    /// The code behind an exit status of QEMU, if it is one of ours.
    #[must_use]
    pub fn from_qemu_status(status: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|code| code.qemu_status() == status)
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ExitCode::Panic => "kernel panic",
            ExitCode::LastWords => "fault inside a fault handler",
            ExitCode::BatchFailed => "a module failed in the batch",
            ExitCode::DeviceFailed => "a device failed",
            ExitCode::BadStartInfo => "no usable start information",
            ExitCode::BadMemoryMap => "damaged memory map",
            ExitCode::BadKernel => "damaged kernel",
            ExitCode::NoMemory => "the loader ran out of memory",
            ExitCode::LoaderFault => "fault in the loader",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_of_its_own_that_leads_back_to_it() {
        for code in ExitCode::ALL {
            assert_eq!(ExitCode::from_qemu_status(code.qemu_status()), Some(code));
        }
    }

    #[test]
    fn the_statuses_are_the_ones_that_the_scripts_know() {
        let statuses = ExitCode::ALL.map(ExitCode::qemu_status);
        assert_eq!(statuses, [33, 35, 37, 39, 65, 67, 69, 71, 73]);
    }

    #[test]
    fn a_clean_power_off_and_a_complaint_of_qemu_are_no_code() {
        assert_eq!(ExitCode::from_qemu_status(0), None);
        assert_eq!(ExitCode::from_qemu_status(1), None);
    }
}
