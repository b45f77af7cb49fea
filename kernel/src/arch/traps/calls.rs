//! Which instructions of native code have led to where a sandbox is: followed from frame to frame on its stack.
//!
//! Compiled code keeps frame pointers, as the kernel does, so the frames are a list that `rbp` begins: at each, the
//! caller's `rbp`, and above it the address to return to. What it costs is bounded, nothing is allocated, and nothing
//! is looked up: what functions they are, somebody can ask later.
//!
//! There are two moments for it. The processor finds a trap: then [`Calls::at_fault`] is what the fault's handler
//! keeps. Or the kernel finds that a sandbox cannot go on, for want of stack or memory, and the engine will leave its
//! compiled code for good: then [`note`] keeps them for [`noted`], which is asked when it has.
//!
//! A function makes its frame with its first two instructions. What overflows a stack is a call, or what follows these
//! two; but where an interrupt finds no room just before them, the caller is left out.
//!
//! Invariant: only words of the running sandbox's own stack are read, all of which is mapped.

use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use luge_journal::MOST_FRAMES;
use luge_memory::layout::NATIVE_CODE;
use x86_64::instructions::interrupts;

use super::FaultFrame;
use crate::arch::per_cpu;

/// How many addresses are kept: some more than there are places in a report, since between a module's functions and
/// the host's there may be code of the engine's.
const MOST: usize = MOST_FRAMES + 2;
/// How many frames are looked at, those of the kernel's and the engine's included.
const LONGEST_WAY: usize = 64;

/// Instructions in native code, the innermost first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Calls {
    addresses: [u64; MOST],
    kept: usize,
    /// Whether there were, or may be, more of them.
    pub is_cut: bool,
}

impl Calls {
    /// None.
    pub const NONE: Self = Self {
        addresses: [0; MOST],
        kept: 0,
        is_cut: false,
    };

    /// Addresses of the instruction that the innermost function is at, and of the calls that led there.
    pub fn addresses(&self) -> &[u64] {
        &self.addresses[..self.kept]
    }

    /// Those that led to a fault on the stack `stack`.
    pub(super) fn at_fault(frame: &FaultFrame, stack: Range<u64>) -> Self {
        let mut calls = Self::NONE;
        if NATIVE_CODE.contains(&frame.rip) {
            calls.push(frame.rip);
        }
        calls.follow(frame.rbp, &stack);
        calls
    }

    /// Adds those whose frames begin at `rbp`.
    fn follow(&mut self, mut rbp: u64, stack: &Range<u64>) {
        for _ in 0..LONGEST_WAY {
            let next = word(rbp, stack);
            let Some((next, address)) = next.zip(word(rbp.wrapping_add(8), stack)) else {
                return;
            };
            self.push_return(address);
            // Frames only ever lie above those that they have called.
            if self.is_cut || next <= rbp {
                return;
            }
            rbp = next;
        }
        self.is_cut = true;
    }

    /// A return address is behind its call, which may be a function's last instruction.
    fn push_return(&mut self, address: u64) {
        let call = address.wrapping_sub(1);
        if NATIVE_CODE.contains(&call) {
            self.push(call);
        }
    }

    fn push(&mut self, address: u64) {
        match self.addresses.get_mut(self.kept) {
            Some(place) => {
                *place = address;
                self.kept += 1;
            }
            None => self.is_cut = true,
        }
    }
}

/// The word at `address`, if it is one of `stack`.
fn word(address: u64, stack: &Range<u64>) -> Option<u64> {
    let end = address.checked_add(8)?;
    if address < stack.start || end > stack.end || !address.is_multiple_of(8) {
        return None;
    }
    // SAFETY: all of the stack is mapped; whatever the word holds is only looked at.
    Some(unsafe { (address as *const u64).read_volatile() })
}

/// What [`note`] has kept of the running sandbox, on one CPU. A sandbox may be ended while it is
/// written to, so it has no lock.
#[derive(Debug)]
pub struct Noted {
    is_whole: AtomicBool,
    rsp: AtomicU64,
    addresses: [AtomicU64; MOST],
    kept: AtomicUsize,
    is_cut: AtomicBool,
    /// Whether nothing more is to be kept.
    is_over: AtomicBool,
}

impl Noted {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            is_whole: AtomicBool::new(false),
            rsp: AtomicU64::new(0),
            addresses: [const { AtomicU64::new(0) }; MOST],
            kept: AtomicUsize::new(0),
            is_cut: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    /// Nothing is kept any more.
    pub(super) fn forget(&self) {
        self.is_whole.store(false, Relaxed);
        self.is_over.store(false, Relaxed);
    }

    /// Has `before`, which [`Self::get`] gave, be what is kept.
    pub(super) fn put(&self, before: Option<(Calls, u64)>) {
        self.forget();
        if let Some((calls, rsp)) = before {
            self.keep(&calls, rsp);
        }
    }

    fn keep(&self, calls: &Calls, rsp: u64) {
        self.forget();
        self.rsp.store(rsp, Relaxed);
        for (place, address) in self.addresses.iter().zip(calls.addresses()) {
            place.store(*address, Relaxed);
        }
        self.kept.store(calls.kept, Relaxed);
        self.is_cut.store(calls.is_cut, Relaxed);
        self.is_whole.store(true, Relaxed);
    }

    /// What is kept.
    pub(super) fn get(&self) -> Option<(Calls, u64)> {
        self.is_whole.load(Relaxed).then(|| {
            let calls = Calls {
                addresses: core::array::from_fn(|at| self.addresses[at].load(Relaxed)),
                kept: self.kept.load(Relaxed),
                is_cut: self.is_cut.load(Relaxed),
            };
            (calls, self.rsp.load(Relaxed))
        })
    }
}

/// Keeps what has led here, if native code has: the running sandbox, on whose stack this is called, may be about to
/// leave that code for good.
pub fn note() {
    note_below(u64::MAX);
}

/// The same where only frames of this sandbox's stack below the address `end` can be those of native code. Costs next to
/// nothing where there are none.
#[inline]
pub fn note_below(end: u64) {
    let cpu = per_cpu::this();
    if cpu.noted_calls.is_over.load(Relaxed) {
        return;
    }
    let stack = cpu.stack_low.load(Relaxed)..cpu.stack_high.load(Relaxed).min(end);
    let (rbp, rsp);
    // SAFETY: two registers are read.
    unsafe {
        asm!("mov {}, rbp", "mov {}, rsp", out(reg) rbp, out(reg) rsp,
            options(nomem, nostack, preserves_flags));
    }
    if has_native_code(rbp, &stack) {
        keep(rbp, rsp, &stack);
    }
}

/// Whether native code is among what has led to the frame that `rbp` begins.
fn has_native_code(mut rbp: u64, stack: &Range<u64>) -> bool {
    for _ in 0..LONGEST_WAY {
        let Some((next, address)) = word(rbp, stack).zip(word(rbp.wrapping_add(8), stack)) else {
            return false;
        };
        if NATIVE_CODE.contains(&address) {
            return true;
        }
        if next <= rbp {
            return false;
        }
        rbp = next;
    }
    false
}

#[cold]
fn keep(rbp: u64, rsp: u64, stack: &Range<u64>) {
    let mut calls = Calls::NONE;
    calls.follow(rbp, stack);
    if calls.kept == 0 {
        return;
    }
    write(|noted| noted.keep(&calls, rsp));
    super::scenario::once_noted();
}

/// The running sandbox will end in a way that nobody reports, or that is noted: nothing more is.
pub fn note_no_more() {
    write(|noted| noted.is_over.store(true, Relaxed));
}

/// Others that note something must not come between, nor whoever takes what is noted.
fn write(change: impl FnOnce(&Noted)) {
    interrupts::without_interrupts(|| {
        let cpu = per_cpu::this();
        change(&cpu.noted_calls);
        cpu.has_trap_notes.store(true, Relaxed);
    });
}

/// What the running sandbox has noted, and its stack pointer then. None if it has noted nothing.
pub fn noted() -> Option<(Calls, u64)> {
    per_cpu::this().noted_calls.get()
}
