//! What the log says of a fault, and what it should say.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use elf::ElfBytes;
use elf::endian::LittleEndian;
use luge_harness::{Kernel, Lab};
use luge_memory::layout::{self, KERNEL_IMAGE, NATIVE_CODE, Owner, PAGE_BYTES, StackPart};

/// What is to be seen of a fault that ends a sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The exception, by its name in the manuals.
    pub exception: &'static str,
    /// Where the instruction was.
    pub code: Code,
    /// What it touched.
    pub touched: Touched,
}

/// Where an instruction was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// In code that was compiled ahead of time.
    Native,
    /// In the executor's section of the kernel, where the stand-ins for native code are too.
    Executor,
    /// In the kernel, and not in that section: an interrupt's first instructions, or the engine's.
    Kernel,
}

/// What an instruction touched that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Nothing: it is no page fault.
    Nothing,
    /// The guard of the stack that it ran on, where the stack ends.
    StackGuard,
    /// What is not mapped of the slot of a linear memory.
    MemoryGuard,
    /// The first page of all.
    Null,
    /// This address.
    Address(u64),
}

/// A fault, as it is in the log.
#[derive(Clone, Debug)]
pub struct Logged {
    exception: String,
    rip: u64,
    cr2: u64,
    rsp: u64,
}

/// Frames larger than a page touch every page that they have, so the first touch beyond the stack is at
/// most so far from its end, in bytes.
const REACH: u64 = 2 * PAGE_BYTES;

impl Logged {
    /// Reads a line of the log, `… fault: trap NAME: #XX at rip=… cr2=… error=… rsp=… …`.
    pub fn parse(line: &str) -> Result<Logged> {
        let number = |key: &str| -> Result<u64> {
            let (_, rest) = line
                .split_once(&format!(" {key}=0x"))
                .with_context(|| format!("no {key} in {line}"))?;
            let digits = rest.split(' ').next().unwrap_or(rest);
            u64::from_str_radix(digits, 16).with_context(|| format!("{key} in {line}"))
        };
        let (before, _) = line.split_once(" at rip=").context("no rip")?;
        let exception = before.rsplit(' ').next().unwrap_or_default();
        Ok(Logged {
            exception: exception.to_owned(),
            rip: number("rip")?,
            cr2: number("cr2")?,
            rsp: number("rsp")?,
        })
    }

    /// Checks that this is the fault that was expected, of a sandbox whose stack has `stack_bytes`.
    ///
    /// `executor` is where the executor's section is.
    pub fn expect(&self, fault: &Fault, executor: &Range<u64>, stack_bytes: u64) -> Result<()> {
        ensure!(
            self.exception == fault.exception,
            "{} instead of {}",
            self.exception,
            fault.exception
        );
        let code = self.code(executor)?;
        ensure!(
            code == fault.code,
            "rip {:#x} is in {code:?}, not in {:?}",
            self.rip,
            fault.code
        );
        self.expect_touch(fault.touched, stack_bytes)
    }

    fn code(&self, executor: &Range<u64>) -> Result<Code> {
        Ok(match self.rip {
            rip if NATIVE_CODE.contains(&rip) => Code::Native,
            rip if executor.contains(&rip) => Code::Executor,
            rip if KERNEL_IMAGE.contains(&rip) => Code::Kernel,
            rip => bail!("rip {rip:#x} is in no code"),
        })
    }

    fn expect_touch(&self, touched: Touched, stack_bytes: u64) -> Result<()> {
        let cr2 = self.cr2;
        let owner = |address| layout::owner_of(address, &(0..0), |_| stack_bytes);
        match touched {
            Touched::Nothing => {}
            Touched::StackGuard => {
                let Owner::Stack { slot, part } = owner(cr2) else {
                    bail!("cr2 {cr2:#x} is in no stack's slot");
                };
                ensure!(
                    part == StackPart::Guard,
                    "cr2 {cr2:#x} is in no guard of a sandbox's stack"
                );
                let beyond = layout::stack_range(slot, stack_bytes).start - cr2;
                ensure!(beyond <= REACH, "cr2 is {beyond} bytes beyond the stack");
                let its_stack =
                    layout::stack_guard(slot, stack_bytes).start..layout::stack_slot(slot).end;
                let on_it = its_stack.contains(&self.rsp);
                ensure!(on_it, "rsp {:#x} is on another stack", self.rsp);
            }
            Touched::MemoryGuard => {
                let Owner::Memory { slot, guard } = owner(cr2) else {
                    bail!("cr2 {cr2:#x} is in no linear memory's slot");
                };
                let first = layout::memory_range(slot).start;
                ensure!(
                    guard || cr2 >= first + 65536,
                    "cr2 {cr2:#x} is in the memory"
                );
            }
            Touched::Null => ensure!(cr2 < PAGE_BYTES, "cr2 {cr2:#x} is not in the first page"),
            Touched::Address(address) => {
                ensure!(cr2 == address, "cr2 is {cr2:#x}, not {address:#x}");
            }
        }
        Ok(())
    }
}

/// Where the executor's section is in the kernel with scenarios.
pub fn executor(lab: &Lab) -> Result<Range<u64>> {
    let file = fs::read(lab.workshop().kernel(&Kernel::Scenarios)?)?;
    let file = ElfBytes::<LittleEndian>::minimal_parse(&file)?;
    let (symbols, names) = file.symbol_table()?.context("the kernel has no symbols")?;
    let find = |wanted: &str| {
        let mut all = symbols.iter();
        let found = all.find(|symbol| names.get(symbol.st_name as usize).ok() == Some(wanted));
        found
            .map(|symbol| symbol.st_value)
            .with_context(|| format!("the kernel has no {wanted}"))
    };
    Ok(find("__guest_code_start")?..find("__guest_code_end")?)
}
