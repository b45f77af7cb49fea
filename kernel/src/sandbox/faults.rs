//! The last traps that ended a sandbox, with what the processor said where it was the processor that found them.
//!
//! A trap that the engine found in software has no fault frame. One that the processor found is noted when it is
//! judged ([`note_fault`]), and the end that follows from it is not noted again.
//!
//! Invariant: memory is static, so that noting a fault needs none.

use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use luge_trap::Trap;

use super::Sandbox;
use crate::arch::landmarks::Landmark;
use crate::arch::lock::Lock;
use crate::arch::time::Instant;
use crate::arch::traps::FaultFrame;

/// How many are kept.
const KEPT: usize = 32;
/// How many bytes of a route's name are kept.
const NAME_BYTES: usize = 48;

/// A trap that ended a sandbox.
#[derive(Clone, Copy)]
struct Record {
    at_ns: u64,
    sandbox: u64,
    /// The route's name, cut where there is no more room.
    name: [u8; NAME_BYTES],
    name_bytes: u64,
    trap: u64,
    /// Bytes of its stack that were in use; 0 without a frame.
    stack_used: u64,
    /// 1 if the processor found it; then the frame is what it found.
    has_frame: u64,
    frame: FaultFrame,
}

struct Faults {
    records: [Record; KEPT],
    /// How many there ever were. The newest is at the place of the one before this, counted round.
    taken: u64,
}

static FAULTS: Lock<Faults> = Lock::new(Faults {
    records: [Record::NONE; KEPT],
    taken: 0,
});
/// Where they lie, for a debugger.
static PLACE: AtomicPtr<Faults> = AtomicPtr::new(core::ptr::null_mut());

impl Record {
    const NONE: Self = Self {
        at_ns: 0,
        sandbox: 0,
        name: [0; NAME_BYTES],
        name_bytes: 0,
        trap: 0,
        stack_used: 0,
        has_frame: 0,
        frame: FaultFrame::NONE,
    };

    fn of(sandbox: &Sandbox, trap: Trap) -> Self {
        let mut name = [0; NAME_BYTES];
        let bytes = sandbox.name().as_bytes();
        let length = bytes.len().min(NAME_BYTES);
        name[..length].copy_from_slice(&bytes[..length]);
        Self {
            at_ns: Instant::now().as_ns(),
            sandbox: sandbox.id,
            name,
            name_bytes: length as u64,
            trap: trap as u64,
            ..Self::NONE
        }
    }
}

impl Faults {
    fn push(&mut self, record: Record) {
        self.records[self.taken as usize % KEPT] = record;
        self.taken += 1;
    }

    fn newest(&self) -> Option<&Record> {
        let before = self.taken.checked_sub(1)?;
        self.records.get(before as usize % KEPT)
    }
}

/// Says where the faults lie.
pub(super) fn start() {
    PLACE.store(FAULTS.place(), Relaxed);
}

/// The processor found `frame`, which ends the sandbox by `trap`.
pub(super) fn note_fault(sandbox: &Sandbox, trap: Trap, frame: &FaultFrame, stack_used: u64) {
    let record = Record {
        stack_used,
        has_frame: 1,
        frame: *frame,
        ..Record::of(sandbox, trap)
    };
    FAULTS.lock().push(record);
}

/// The sandbox has ended by `trap`.
pub(super) fn note_end(sandbox: &Sandbox, trap: Trap) {
    let mut faults = FAULTS.lock();
    let is_noted = faults
        .newest()
        .is_some_and(|newest| newest.sandbox == sandbox.id);
    if !is_noted {
        faults.push(Record::of(sandbox, trap));
    }
}

/// The last traps, for a debugger.
pub(super) const LANDMARKS: &[Landmark] = &[
    Landmark::place("faults", &raw const PLACE),
    Landmark::number("faults.count", KEPT as u64),
    Landmark::field("faults.taken", offset_of!(Faults, taken)),
    Landmark::field("faults.records", offset_of!(Faults, records)),
    Landmark::number("fault.bytes", size_of::<Record>() as u64),
    Landmark::field("fault.at_ns", offset_of!(Record, at_ns)),
    Landmark::field("fault.sandbox", offset_of!(Record, sandbox)),
    Landmark::field("fault.name", offset_of!(Record, name)),
    Landmark::field("fault.name_bytes", offset_of!(Record, name_bytes)),
    Landmark::field("fault.trap", offset_of!(Record, trap)),
    Landmark::field("fault.stack_used", offset_of!(Record, stack_used)),
    Landmark::field("fault.has_frame", offset_of!(Record, has_frame)),
    Landmark::field("fault.frame", offset_of!(Record, frame)),
];
