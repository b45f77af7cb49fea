//! The table of the catalogue.
//!
//! Native code overflows the native stack, and the processor finds most of its traps. The interpreter keeps
//! its guests' frames in a stack of its own, with limits of its own, and checks everything in software, so
//! there the same guests end without a fault; what the processor has to find beneath an interpreter is
//! brought about by stand-ins: native code of the kernel that counts as a guest's.

use anyhow::Result;
use luge_harness::Lab;
use luge_trap::Trap;
use serde_json::Value;

use super::fault::{Code, Fault, Touched};
use crate::guests::{Engine, Guests, text, thrown};

/// The stack of a case that says nothing else, in bytes.
pub const STACK: u32 = 512 << 10;
/// The smallest stack that a route may ask for, in bytes.
const SMALLEST: u32 = 32 << 10;

/// A way to be ended by force.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, and its route's.
    pub name: &'static str,
    /// What runs.
    pub guest: Guest,
    /// The size of its native stack, in bytes.
    pub stack: u32,
    wasmi: Option<End>,
    native: Option<End>,
}

/// What runs.
#[derive(Clone, Copy, Debug)]
pub enum Guest {
    /// A module of the collection, by the case's name.
    Hostile,
    /// A module with these fields.
    Text(&'static str),
    /// A module whose fields are made.
    Made(fn() -> String),
}

/// How a case ends.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// By this name.
    pub trap: Trap,
    /// And by this fault, if the processor finds it.
    pub fault: Option<Fault>,
}

impl Case {
    /// How it ends in an engine; nothing if it is not for that engine.
    pub fn expected(&self, engine: Engine) -> Option<End> {
        match engine {
            Engine::Wasmi => self.wasmi,
            Engine::Wasmtime => self.native,
        }
    }

    /// Adds it to a disk, its route with these keys.
    pub fn add_to(&self, guests: Guests, lab: &Lab, keys: Value) -> Result<Guests> {
        match self.guest {
            Guest::Hostile => guests.file_with(self.name, lab.hostile(self.name)?, keys),
            Guest::Text(fields) => guests.text_with(self.name, fields, keys),
            Guest::Made(make) => guests.text_with(self.name, &make(), keys),
        }
    }
}

/// The case with this name.
pub fn named(name: &str) -> &'static Case {
    let mut all = CASES.iter();
    all.find(|case| case.name == name)
        .expect("there is such a case")
}

/// A trap that software finds in both engines.
const fn by_software(name: &'static str, guest: Guest, trap: Trap) -> Case {
    let end = Some(End { trap, fault: None });
    Case {
        name,
        guest,
        stack: STACK,
        wasmi: end,
        native: end,
    }
}

/// A trap that software finds in native code. The interpreter does not have what leads to it.
const fn in_native_code(name: &'static str, guest: Guest, trap: Trap) -> Case {
    Case {
        wasmi: None,
        ..by_software(name, guest, trap)
    }
}

/// A trap that software finds in the interpreter, and the processor in native code.
const fn natively(
    name: &'static str,
    guest: Guest,
    trap: Trap,
    exception: &'static str,
    touched: Touched,
) -> Case {
    let fault = Fault {
        exception,
        code: Code::Native,
        touched,
    };
    Case {
        native: Some(End {
            trap,
            fault: Some(fault),
        }),
        ..by_software(name, guest, trap)
    }
}

/// A fault of the stand-ins, the same in both engines.
const fn stand_in(
    name: &'static str,
    guest: Guest,
    trap: Trap,
    exception: &'static str,
    code: Code,
    touched: Touched,
) -> Case {
    let fault = Fault {
        exception,
        code,
        touched,
    };
    let end = Some(End {
        trap,
        fault: Some(fault),
    });
    Case {
        name,
        guest,
        stack: STACK,
        wasmi: end,
        native: end,
    }
}

/// The native stack of a guest of native code runs into its guard.
const fn overflow(name: &'static str, guest: Guest) -> Case {
    natively(name, guest, Trap::StackOverflow, "#PF", Touched::StackGuard)
}

use Code::{Executor, Kernel};
use Guest::{Hostile, Made, Text};
use Touched::{MemoryGuard, Nothing, Null, StackGuard};

/// All cases.
pub const CASES: &[Case] = &[
    // Every trap by its name.
    in_native_code(
        "uncaught-exception",
        Text(thrown::UNCAUGHT),
        Trap::UncaughtException,
    ),
    in_native_code("null-reference", Text(thrown::NULL), Trap::NullReference),
    overflow("stack-overflow", Hostile),
    natively(
        "integer-divide-by-zero",
        Hostile,
        Trap::IntegerDivideByZero,
        "#DE",
        Nothing,
    ),
    natively(
        "integer-overflow",
        Hostile,
        Trap::IntegerOverflow,
        "#DE",
        Nothing,
    ),
    natively(
        "memory-out-of-bounds",
        Hostile,
        Trap::MemoryOutOfBounds,
        "#PF",
        MemoryGuard,
    ),
    natively(
        "table-out-of-bounds",
        Hostile,
        Trap::TableOutOfBounds,
        "#PF",
        Null,
    ),
    natively(
        "indirect-call-to-null",
        Hostile,
        Trap::IndirectCallToNull,
        "#PF",
        Null,
    ),
    natively("bad-signature", Hostile, Trap::BadSignature, "#UD", Nothing),
    natively("unreachable", Hostile, Trap::Unreachable, "#UD", Nothing),
    natively(
        "bad-conversion-to-integer",
        Hostile,
        Trap::BadConversionToInteger,
        "#UD",
        Nothing,
    ),
    by_software("out-of-memory", Hostile, Trap::OutOfMemory),
    // Overflows, by all kinds of frames.
    overflow("mutual", Text(text::MUTUAL)),
    overflow("indirect", Text(text::INDIRECT)),
    overflow("frame-8k", Made(|| text::frames_of(8 << 10))),
    overflow("frame-64k", Made(|| text::frames_of(64 << 10))),
    overflow("frame-128k", Made(|| text::frames_of(128 << 10))),
    filling(
        "fill-by-8k",
        Made(|| text::calling("fill_stack_by", "(i32.const 0x2000)")),
    ),
    filling(
        "fill-by-128k",
        Made(|| text::calling("fill_stack_by", "(i32.const 0x20000)")),
    ),
    // Compiled code has no such frame: a function may have 50,000 locals, and the compiler takes minutes.
    filling(
        "fill-by-1m",
        Made(|| text::calling("fill_stack_by", "(i32.const 0x100000)")),
    ),
    filling("fill-stack", Made(|| text::calling("fill_stack", ""))),
    // Overflows that are found when the host is called: by the check of the room left, at the gate, or by
    // the guard, if something takes the rest of the stack without that check.
    by_software("host-calls", Text(text::HOST_CALLS), Trap::StackOverflow),
    by_software("reenter", Hostile, Trap::StackOverflow),
    filling("reenter-into-guard", Hostile),
    // The timer's interrupt is what needs the last bytes.
    Case {
        stack: SMALLEST,
        ..stand_in(
            "linger",
            Made(|| text::calling("linger", "")),
            Trap::StackOverflow,
            "#PF",
            Kernel,
            StackGuard,
        )
    },
    // Before there is an instance.
    natively(
        "start",
        Text(text::START),
        Trap::Unreachable,
        "#UD",
        Nothing,
    ),
    overflow("recursive-start", Text(text::RECURSIVE_START)),
    natively(
        "data",
        Text(text::DATA),
        Trap::MemoryOutOfBounds,
        "#UD",
        Nothing,
    ),
    natively(
        "elements",
        Text(text::ELEMENTS),
        Trap::TableOutOfBounds,
        "#UD",
        Nothing,
    ),
    // Beyond linear memory, from all sides. The farthest address is beyond the guard too, so a check in
    // software finds it.
    natively(
        "shadow-stack",
        Text(text::SHADOW_STACK),
        Trap::MemoryOutOfBounds,
        "#PF",
        MemoryGuard,
    ),
    natively(
        "far",
        Text(text::FAR),
        Trap::MemoryOutOfBounds,
        "#PF",
        MemoryGuard,
    ),
    natively(
        "straddling",
        Text(text::STRADDLING),
        Trap::MemoryOutOfBounds,
        "#PF",
        MemoryGuard,
    ),
    natively(
        "farthest",
        Text(text::FARTHEST),
        Trap::MemoryOutOfBounds,
        "#UD",
        Nothing,
    ),
    // With state in vector registers.
    natively(
        "vectors-live",
        Made(text::vectors_live),
        Trap::IntegerDivideByZero,
        "#DE",
        Nothing,
    ),
    stand_in(
        "avx",
        Made(|| text::calling("avx", "")),
        Trap::Unreachable,
        "#UD",
        Executor,
        Nothing,
    ),
    // By stand-ins for native code.
    stand_in(
        "divide",
        Hostile,
        Trap::IntegerDivideByZero,
        "#DE",
        Executor,
        Nothing,
    ),
    stand_in(
        "wild-write",
        Hostile,
        Trap::MemoryOutOfBounds,
        "#PF",
        Executor,
        Touched::Address(0x4000_dead_0000),
    ),
    raising(
        "raise-6",
        Made(|| text::calling("raise", "(i32.const 6)")),
        Trap::Unreachable,
        "#UD",
    ),
    raising(
        "raise-7",
        Made(|| text::calling("raise", "(i32.const 7)")),
        Trap::ProcessorException,
        "#NM",
    ),
    raising(
        "raise-12",
        Made(|| text::calling("raise", "(i32.const 12)")),
        Trap::ProcessorException,
        "#SS",
    ),
    raising(
        "raise-13",
        Made(|| text::calling("raise", "(i32.const 13)")),
        Trap::ProcessorException,
        "#GP",
    ),
    raising(
        "raise-16",
        Made(|| text::calling("raise", "(i32.const 16)")),
        Trap::ProcessorException,
        "#MF",
    ),
    raising(
        "raise-19",
        Made(|| text::calling("raise", "(i32.const 19)")),
        Trap::ProcessorException,
        "#XM",
    ),
];

/// The native stack runs into its guard by a stand-in.
const fn filling(name: &'static str, guest: Guest) -> Case {
    stand_in(
        name,
        guest,
        Trap::StackOverflow,
        "#PF",
        Executor,
        StackGuard,
    )
}

/// An exception by a stand-in. #AC is not among them: only ring 3 has alignment checks.
const fn raising(name: &'static str, guest: Guest, trap: Trap, exception: &'static str) -> Case {
    stand_in(name, guest, trap, exception, Executor, Nothing)
}
