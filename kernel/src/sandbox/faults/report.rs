//! What is told of a trap that ended a sandbox.

use luge_journal::{Backtrace, Exception, Fault};
use luge_sandbox::Outcome;
use luge_trap::{Trap, vector};

use super::{FAULTS, Record};
use crate::arch::traps::Name;

/// A trap that ended a sandbox, as it was.
pub struct Report(Record);

impl Report {
    /// How many there ever were.
    #[must_use]
    pub fn count() -> u64 {
        FAULTS.lock().taken
    }

    /// The one that so many others came before, if it is kept still.
    #[must_use]
    pub fn numbered(number: u64) -> Option<Self> {
        FAULTS.lock().numbered(number).map(Self::of)
    }

    /// That of a sandbox, if it was ended by a trap and not too many others were since.
    #[must_use]
    pub fn of_sandbox(id: u64) -> Option<Self> {
        FAULTS.lock().of_sandbox(id).map(Self::of)
    }

    fn of(record: &mut Record) -> Self {
        record.settle();
        Self(*record)
    }

    /// The number of its route, if it had one.
    #[must_use]
    pub fn route(&self) -> u16 {
        self.0.route
    }

    /// What there is to tell, to somebody who knows what the route's number means: whose it is, and its path.
    #[must_use]
    pub fn fault<'a>(&'a self, route: Option<(&'a str, &'a str)>) -> Fault<'a> {
        let record = &self.0;
        let (tenant, route) = route.unzip();
        Fault {
            at_ns: record.at_ns,
            sandbox: record.sandbox,
            tenant,
            route: route.unwrap_or(record.name()),
            outcome: Outcome::Trap(trap_of(record.trap)),
            exception: (record.has_frame == 1).then(|| exception(record)),
            linear_stack: record.linear_stack,
            stack_used: (record.stack_used > 0).then_some(record.stack_used),
            stack_bytes: record.stack_bytes,
            charged_ns: record.charged_ns,
            total_ns: record.total_ns,
            backtrace: record.places.unwrap_or(Backtrace::EMPTY),
        }
    }
}

fn exception(record: &Record) -> Exception {
    let frame = &record.frame;
    let is_page_fault = frame.vector == u64::from(vector::PAGE_FAULT);
    Exception {
        name: Name(frame.vector).as_str(),
        rip: frame.rip,
        cr2: is_page_fault.then_some(frame.cr2),
        error_code: frame.error_code,
    }
}

fn trap_of(number: u64) -> Trap {
    let mut all = Trap::ALL.into_iter();
    all.find(|trap| *trap as u64 == number)
        .expect("it was made of a trap")
}
