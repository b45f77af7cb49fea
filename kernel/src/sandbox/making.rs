//! Programs that are made while the machine runs, of what somebody sent.
//!
//! Key type: [`Making`]. To translate a module is long work on foreign bytes. So it is done in a sandbox: it is
//! preempted and ended like a guest (wherever it is neither in the gate nor at the allocator's books, since
//! it shares nothing), what it allocates has a limit, and it comes behind all that is promised. What comes of it stays where it was made: the sandbox's arena becomes the program's own
//! ([`Housed`]), and goes whole when nobody has the program any more. Whatever counts of references
//! sandboxes have left in it, having been abandoned, then goes with it.
//!
//! Invariant: nothing outside of a program's arena points into it but its [`Housed`] and the sandboxes that
//! run it, which hold that, and arenas that are parked, in which nothing runs before it is forgotten.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::forget;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use luge_sandbox::Outcome;
use luge_spec::OnMiss;
use luge_trap::Trap;

use super::{Current, EndNow, Refused, Request, Sandbox, Workload, gate, submit};
use crate::arch::lock::Lock;
use crate::arch::time::Instant;
use crate::mm::allocator;
use crate::mm::arena::{Arena, parked};

/// Makes a program of some bytes, or says why not. All that it allocates is the program's.
pub type Make = fn(&[u8]) -> Result<Arc<dyn Workload>, String>;

/// The stack for it, in bytes: translating is no recursion.
const STACK_BYTES: u64 = 256 << 10;
/// How long it may take in all, in nanoseconds.
const LONGEST_NS: u64 = 120_000_000_000;

/// A program that is being made.
pub struct Making {
    sandbox: Arc<Sandbox>,
    work: Arc<Work>,
}

/// Why there is no program.
pub enum Unmade {
    /// The bytes are no good: why.
    Refused(String),
    /// It was not finished.
    Ended(Outcome),
}

impl Making {
    /// Begins to make a program of `input`, which may take `memory_bytes` of memory.
    ///
    /// # Errors
    /// [`Refused`], as for any sandbox.
    pub fn begin(make: Make, input: Vec<u8>, memory_bytes: u64) -> Result<Making, Refused> {
        let work = Arc::new(Work {
            make,
            input,
            made: Lock::new(None),
        });
        let request = Request {
            name: "deployment".into(),
            workload: work.clone(),
            stack_bytes: STACK_BYTES,
            // An arena has twice as much.
            memory_bytes: memory_bytes / 2,
            output_bytes: 0,
            scratch_bytes: 0,
            answer: None,
            arguments: Vec::new(),
            environment: Arc::default(),
            files: None,
            body: Vec::new(),
            relative_deadline_ns: LONGEST_NS,
            on_miss: OnMiss::Kill,
            budget_ns: None,
            ticket: None,
        };
        let sandbox = submit(request, Instant::now())?;
        Ok(Making { sandbox, work })
    }

    /// What came of it, once it has ended. To be asked no more after that.
    pub fn end(&self) -> Option<Result<Arc<dyn Workload>, Unmade>> {
        let outcome = self.sandbox.outcome()?;
        let memory = self.sandbox.made_in.lock().take();
        let made = self.work.made.lock().take();
        Some(match (made, memory) {
            (Some(Ok(Made(program))), Some(memory)) => Ok(Arc::new(Housed::new(program, memory))),
            (Some(Err(why)), _) => Err(Unmade::Refused(why)),
            _ => Err(Unmade::Ended(outcome)),
        })
    }

    /// CPU time that it took, in nanoseconds.
    pub fn charged_ns(&self) -> u64 {
        self.sandbox.charged_ns()
    }

    /// Bytes that it is made of.
    pub fn input_bytes(&self) -> usize {
        self.work.input.len()
    }

    /// Nobody wants it any more.
    pub fn cancel(&self) {
        self.sandbox.cancel();
    }
}

struct Work {
    make: Make,
    input: Vec<u8>,
    made: Lock<Option<Result<Made, String>>>,
}

/// The most of a reason that is kept, in bytes.
const LONGEST_REASON: usize = 1024;

/// A reason as far as it is kept. It may quote the input, which is not ours to store in the kernel's heap at
/// any length: that gives large pieces only while memory lasts, and whoever asks for one must bear a refusal.
fn shortened(mut why: String) -> String {
    if why.len() > LONGEST_REASON {
        why.truncate(why.floor_char_boundary(LONGEST_REASON));
        why.push('…');
    }
    why
}

/// A program in the arena of the sandbox that made it.
struct Made(*const dyn Workload);

// SAFETY: it is a program, which any sandbox may run.
unsafe impl Send for Made {}

impl Workload for Work {
    fn run(&self, _: Current) -> Outcome {
        let made = (self.make)(&self.input).map_err(shortened);
        let arena = allocator::current_arena();
        if made.is_err() && arena.is_some_and(Arena::has_refused) {
            // Whatever the reason says, the input may be good.
            forget(made);
            return Outcome::Trap(Trap::OutOfMemory);
        }
        let noted = gate(|| {
            // In the kernel's heap: the arena goes with whatever was refused.
            let made = match &made {
                Ok(program) => Ok(Made(Arc::as_ptr(program))),
                Err(why) => Err(why.clone()),
            };
            *self.made.lock() = Some(made);
        });
        // The arena stays as it is, or goes whole.
        forget(made);
        match noted {
            Ok(()) => Outcome::Exit(0),
            Err(EndNow(outcome)) => outcome,
        }
    }

    fn is_making(&self) -> bool {
        true
    }
}

/// A program with the memory that all of it lies in.
struct Housed {
    program: *const dyn Workload,
    /// Dropped last.
    memory: Box<Arena>,
}

// SAFETY: as for `Made`; and the memory is nobody else's.
unsafe impl Send for Housed {}
// SAFETY: a `Workload` is `Sync`.
unsafe impl Sync for Housed {}

/// What all programs have that were made and live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Housing {
    /// How many they are.
    pub programs: usize,
    /// What their arenas have mapped, in bytes.
    pub bytes: u64,
}

static PROGRAMS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What all programs have that were made and live.
#[must_use]
pub fn housing() -> Housing {
    Housing {
        programs: PROGRAMS.load(Relaxed),
        bytes: BYTES.load(Relaxed),
    }
}

impl Housed {
    fn new(program: *const dyn Workload, memory: Box<Arena>) -> Self {
        PROGRAMS.fetch_add(1, Relaxed);
        BYTES.fetch_add(memory.bytes(), Relaxed);
        Self { program, memory }
    }

    fn program(&self) -> &dyn Workload {
        let _lives_in = &self.memory;
        // SAFETY: it was made in `memory`, which is there as long as this, and is never changed again: nobody
        // else has the pointer, and no destructor of the program's ever runs.
        unsafe { &*self.program }
    }
}

impl Workload for Housed {
    fn run(&self, sandbox: Current) -> Outcome {
        self.program().run(sandbox)
    }

    fn program(&self) -> u64 {
        self.program().program()
    }
}

impl Drop for Housed {
    fn drop(&mut self) {
        PROGRAMS.fetch_sub(1, Relaxed);
        BYTES.fetch_sub(self.memory.bytes(), Relaxed);
        // Instances of it that wait in their arenas would be found by nobody.
        parked::forget(self.program().program());
    }
}
