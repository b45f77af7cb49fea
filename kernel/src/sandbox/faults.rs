//! The last traps that ended a sandbox, with what the processor said where it was the processor that found them.
//!
//! A trap that the engine found in software has no fault frame. One that the processor found is noted when it is
//! judged ([`note_fault`]), and the end that follows from it completes that ([`note_end`]). Addresses of native code
//! are kept as they are, and become places in a module when somebody wants to read them ([`report`]), or when that
//! code is about to go ([`settle`]), whichever comes first.
//!
//! Invariant: memory is static, so that noting a fault needs none.

pub mod report;

use core::mem::offset_of;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use log::warn;
use luge_journal::{Backtrace, LinearStack, Place};
use luge_trap::Trap;
use spin::Once;

use super::Sandbox;
use crate::arch::landmarks::Landmark;
use crate::arch::lock::Lock;
use crate::arch::per_cpu;
use crate::arch::time::Instant;
use crate::arch::traps::{Calls, FaultFrame, Found, calls};

use report::Report;

/// How many are kept.
const KEPT: usize = 64;
/// How many places of a backtrace the log has.
const SAID: usize = 6;
/// How many bytes of a route's name are kept.
const NAME_BYTES: usize = 48;

/// Which place in its module an address of native code is, if it is in a function.
pub type PlaceOf = fn(u64) -> Option<Place>;

static PLACE_OF: Once<PlaceOf> = Once::new();

/// A trap that ended a sandbox.
#[derive(Clone, Copy)]
struct Record {
    at_ns: u64,
    sandbox: u64,
    /// The route's name, cut where there is no more room.
    name: [u8; NAME_BYTES],
    name_bytes: u64,
    trap: u64,
    /// Bytes of its stack that were in use; 0 if that is not known.
    stack_used: u64,
    /// 1 if the processor found it; then the frame is what it found.
    has_frame: u64,
    frame: FaultFrame,
    /// Its route's number.
    route: u16,
    calls: Calls,
    stack_bytes: u64,
    charged_ns: u64,
    total_ns: u64,
    /// Its stack in linear memory, if that has run out.
    linear_stack: Option<LinearStack>,
    /// The calls as places, once somebody has asked.
    places: Option<Backtrace>,
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
        route: 0,
        calls: Calls::NONE,
        stack_bytes: 0,
        charged_ns: 0,
        total_ns: 0,
        linear_stack: None,
        places: None,
    };

    /// Makes it one of this sandbox's.
    fn begin(&mut self, sandbox: &Sandbox, trap: Trap) {
        let bytes = sandbox.name().as_bytes();
        let length = bytes.len().min(NAME_BYTES);
        self.name[..length].copy_from_slice(&bytes[..length]);
        self.name_bytes = length as u64;
        self.at_ns = Instant::now().as_ns();
        self.sandbox = sandbox.id;
        self.trap = trap as u64;
        self.route = sandbox.route;
        self.stack_bytes = sandbox.request.stack_bytes;
        (self.charged_ns, self.total_ns) = (0, 0);
        (self.stack_used, self.has_frame) = (0, 0);
        self.calls = Calls::NONE;
        self.linear_stack = None;
        self.places = None;
    }

    fn name(&self) -> &str {
        let bytes = self.name.get(..self.name_bytes as usize);
        let whole = bytes.unwrap_or_default().utf8_chunks().next();
        whole.map_or("", |chunk| chunk.valid())
    }

    /// Finds out which places its calls are.
    fn settle(&mut self) {
        if self.places.is_none() {
            let addresses = self.calls.addresses().iter();
            let places = addresses.filter_map(|address| PLACE_OF.get()?(*address));
            self.places = Some(Backtrace::new(places, self.calls.is_cut));
        }
    }
}

impl Faults {
    /// Makes the oldest one of this sandbox's.
    fn begin(&mut self, sandbox: &Sandbox, trap: Trap) -> &mut Record {
        sandbox.is_fault_noted.store(true, Relaxed);
        let record = &mut self.records[self.taken as usize % KEPT];
        self.taken += 1;
        record.begin(sandbox, trap);
        record
    }

    /// The numbers of those that are kept, each the number of those before it.
    fn numbers(&self) -> Range<u64> {
        self.taken.saturating_sub(KEPT as u64)..self.taken
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Record> {
        let is_kept = self.numbers().contains(&number);
        is_kept.then(|| &mut self.records[number as usize % KEPT])
    }

    fn of_sandbox(&mut self, id: u64) -> Option<&mut Record> {
        let mut newest_first = self.numbers().rev();
        let found = newest_first.find(|number| self.records[*number as usize % KEPT].sandbox == id);
        self.numbered(found?)
    }
}

/// Says where the faults lie.
pub(super) fn start() {
    PLACE.store(FAULTS.place(), Relaxed);
}

/// Tells who knows the places of addresses in native code.
pub fn places_by(place_of: PlaceOf) {
    PLACE_OF.call_once(|| place_of);
}

/// The processor found `found`, which ends the sandbox by `trap`. Says how much of its stack was in use, in bytes.
pub(super) fn note_fault(sandbox: &Sandbox, trap: Trap, found: &Found, stack_end: u64) -> u64 {
    let used = stack_end.saturating_sub(found.frame.rsp);
    let mut faults = FAULTS.lock();
    let record = faults.begin(sandbox, trap);
    record.stack_used = used;
    record.has_frame = 1;
    record.frame = found.frame;
    record.calls = found.calls;
    used
}

/// The engine found by itself that the running sandbox, which has left its native code, is to end by `trap`.
/// Called inside the gate.
pub(super) fn note_trap(sandbox: &Sandbox, trap: Trap) {
    if sandbox.is_fault_noted.load(Relaxed) {
        return;
    }
    if let Some((calls, rsp)) = calls::noted() {
        let stack_end = per_cpu::this().stack_high.load(Relaxed);
        let mut faults = FAULTS.lock();
        let record = faults.begin(sandbox, trap);
        record.stack_used = stack_end.saturating_sub(rsp);
        record.calls = calls;
    }
}

/// The stack in linear memory of the running sandbox has run out, which is why it ends by `trap`. Called inside
/// the gate.
pub(super) fn note_linear_stack(sandbox: &Sandbox, trap: Trap, stack: LinearStack) {
    let mut faults = FAULTS.lock();
    let record = match sandbox.is_fault_noted.load(Relaxed) {
        true => faults.of_sandbox(sandbox.id),
        false => Some(faults.begin(sandbox, trap)),
    };
    if let Some(record) = record {
        record.linear_stack = Some(stack);
    }
}

/// The sandbox has ended by `trap`.
pub(super) fn note_end(sandbox: &Sandbox, trap: Trap) {
    let (charged_ns, total_ns) = (sandbox.charged_ns(), sandbox.times().total_ns);
    let mut faults = FAULTS.lock();
    let record = match sandbox.is_fault_noted.load(Relaxed) {
        true => faults.of_sandbox(sandbox.id),
        false => Some(faults.begin(sandbox, trap)),
    };
    // Others may have taken its place since.
    if let Some(record) = record {
        (record.charged_ns, record.total_ns) = (charged_ns, total_ns);
    }
}

/// Says in the log where the sandbox was that has just been ended by a trap, and what it may be for.
pub(super) fn say(id: u64, name: &str) {
    let Some(report) = Report::of_sandbox(id) else {
        return;
    };
    let fault = report.fault(None);
    if let Some(stack) = fault.linear_stack {
        warn!("sandbox {id} ({name}): {stack}");
    }
    for (number, place) in fault.backtrace.places().take(SAID).enumerate() {
        let relation = if number == 0 { "in" } else { "called by" };
        warn!("sandbox {id} ({name}) backtrace: {relation} {place}");
    }
}

/// Native code is about to go: whatever is to be known of it is found out now.
pub fn settle() {
    let mut faults = FAULTS.lock();
    for number in faults.numbers() {
        if let Some(record) = faults.numbered(number) {
            record.settle();
        }
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
