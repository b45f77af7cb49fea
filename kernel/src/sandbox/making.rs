//! Programs that are made, of what lies on the disk or of what somebody sent.
//!
//! Key type: [`Making`]. To translate a module is long work on foreign bytes. So it is done in a sandbox: it is
//! preempted and ended like a guest (wherever it is neither in the gate nor at the allocator's books, since
//! it shares nothing), a panic of it is its end and nobody else's, what it allocates has a limit, and it comes behind
//! all that is promised. What comes of it stays where it was made: the sandbox's arena becomes the program's own
//! ([`Housed`]), and goes whole when nobody has the program any more. Whatever counts of references
//! sandboxes have left in it, having been abandoned, then goes with it.
//!
//! Invariant: nothing outside of a program's arena points into it but its [`Housed`] and the sandboxes that
//! run it, which hold that, and arenas that are parked, in which nothing runs before it is forgotten.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
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
use crate::mm::bodies::Body;
use crate::mm::promised::Promised;

/// Makes a program of some bytes, or says why not. All that it allocates is the program's.
pub type Make = fn(&[u8]) -> Result<Arc<dyn Workload>, String>;

/// Turns two files into a program, as the kernel: what it allocates lies in the kernel's heap.
pub type Finish = fn(&[u8], &[u8]) -> Result<Arc<dyn Workload>, String>;

/// Makes a program in a sandbox of its own.
pub trait Maker: Send + Sync {
    /// Does it, on the sandbox's stack and in its arena, or says why it cannot be done.
    ///
    /// # Errors
    /// What is wrong with what it is made from.
    fn make(&self, sandbox: Current) -> Result<Product, String>;
}

/// What a [`Maker`] has made.
pub enum Product {
    /// A program. The arena, with all that lies in it, is the program's from then on.
    Program(Arc<dyn Workload>),
    /// Two files, which have been checked, and what makes a program of them outside of the sandbox. Then the
    /// arena goes.
    Files(Vec<u8>, Vec<u8>, Finish),
}

/// On which terms a program is made.
pub struct Terms {
    /// What the log calls the sandbox.
    pub name: Arc<str>,
    /// Memory that it may take, in bytes.
    pub memory_bytes: u64,
    /// Memory that is there for it whatever others take.
    pub promised: Promised,
    /// Bytes that it is made of and that are held for it outside of its memory.
    pub input_bytes: usize,
    /// How long it may take in all, in nanoseconds.
    pub longest_ns: u64,
    /// Among which programs it counts.
    pub share: &'static Share,
}

/// The stack for it, in bytes: translating is no recursion.
const STACK_BYTES: u64 = 256 << 10;
/// How long a deployment may take in all, in nanoseconds.
const LONGEST_NS: u64 = 120_000_000_000;

/// A program that is being made.
pub struct Making {
    sandbox: Arc<Sandbox>,
    work: Arc<Work>,
    share: &'static Share,
    input_bytes: usize,
}

/// Why there is no program.
pub enum Unmade {
    /// What it is to be made from is no good: why.
    Refused(String),
    /// It was not finished.
    Ended(Outcome),
}

impl fmt::Display for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(why) => why,
            Self::Ended(Outcome::Trap(Trap::OutOfMemory)) => {
                "translating it takes more memory than it may have, or than there is"
            }
            Self::Ended(Outcome::OverDeadline) => "translating it takes longer than it may",
            Self::Ended(Outcome::Trap(Trap::Unreachable)) => {
                "the interpreter failed at translating it, and the log says where"
            }
            Self::Ended(_) => "its translation was ended",
        })
    }
}

impl Making {
    /// Begins to make a program of `input`, which somebody has sent, and which may take as much memory as is
    /// `promised`.
    ///
    /// # Errors
    /// [`Refused`], as for any sandbox.
    pub fn begin(make: Make, input: Body, promised: Promised) -> Result<Making, Refused> {
        let terms = Terms {
            name: "deployment".into(),
            memory_bytes: promised.bytes(),
            promised,
            input_bytes: input.len(),
            longest_ns: LONGEST_NS,
            share: &UPLOADED,
        };
        Self::begin_by(Arc::new(Sent { make, input }), terms)
    }

    /// Begins to have `maker` make a program.
    ///
    /// # Errors
    /// [`Refused`], as for any sandbox.
    pub fn begin_by(maker: Arc<dyn Maker>, terms: Terms) -> Result<Making, Refused> {
        let work = Arc::new(Work {
            maker,
            promised: Lock::new(Some(terms.promised)),
            made: Lock::new(None),
        });
        let request = Request {
            name: terms.name,
            workload: work.clone(),
            stack_bytes: STACK_BYTES,
            // An arena has twice as much.
            memory_bytes: terms.memory_bytes / 2,
            output_bytes: 0,
            scratch_bytes: 0,
            answer: None,
            arguments: Vec::new(),
            environment: Arc::default(),
            files: None,
            body: Body::default(),
            relative_deadline_ns: terms.longest_ns,
            on_miss: OnMiss::Kill,
            budget_ns: None,
            tenant: None,
            ticket: None,
        };
        let sandbox = submit(request, Instant::now())?;
        terms.share.making.fetch_add(1, Relaxed);
        Ok(Making {
            sandbox,
            work,
            share: terms.share,
            input_bytes: terms.input_bytes,
        })
    }

    /// What came of it, once it has ended. To be asked no more after that.
    pub fn end(&self) -> Option<Result<Arc<dyn Workload>, Unmade>> {
        let outcome = self.sandbox.outcome()?;
        let mut memory = self.sandbox.made_in.lock().take();
        if let Some(memory) = &mut memory {
            // Nothing more is allocated in it.
            memory.uncover();
        }
        let made = self.work.made.lock().take();
        if outcome != Outcome::Exit(0) {
            return Some(Err(Unmade::Ended(outcome)));
        }
        Some(match (made, memory) {
            (Some(Ok(Made::Program(program))), Some(memory)) => {
                Ok(Arc::new(Housed::new(program, memory, self.share)))
            }
            (Some(Ok(Made::Files(files, finish))), Some(memory)) => {
                // SAFETY: they lie in `memory`, which is there until below, and nobody changes them any more.
                let (first, second) = unsafe { (&*files[0], &*files[1]) };
                let program = finish(first, second);
                drop(memory);
                program.map_err(Unmade::Refused)
            }
            (Some(Err(why)), _) => Err(Unmade::Refused(why)),
            _ => Err(Unmade::Ended(outcome)),
        })
    }

    /// CPU time that it took, in nanoseconds.
    pub fn charged_ns(&self) -> u64 {
        self.sandbox.charged_ns()
    }

    /// Bytes that it is made of and that are held for it outside of its memory.
    pub fn input_bytes(&self) -> usize {
        self.input_bytes
    }

    /// Nobody wants it any more.
    pub fn cancel(&self) {
        self.sandbox.cancel();
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.share.making.fetch_sub(1, Relaxed);
    }
}

/// Makes a program of bytes that somebody has sent.
struct Sent {
    make: Make,
    input: Body,
}

impl Maker for Sent {
    fn make(&self, _: Current) -> Result<Product, String> {
        (self.make)(&self.input).map(Product::Program)
    }
}

struct Work {
    maker: Arc<dyn Maker>,
    /// Frames for the sandbox's arena, until it runs.
    promised: Lock<Option<Promised>>,
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

/// What lies in the arena of the sandbox that made it.
enum Made {
    Program(*const dyn Workload),
    Files([*const [u8]; 2], Finish),
}

// SAFETY: it is a program, which any sandbox may run, or bytes that nobody changes.
unsafe impl Send for Made {}

impl Made {
    fn of(product: &Product) -> Self {
        match product {
            Product::Program(program) => Self::Program(Arc::as_ptr(program)),
            Product::Files(first, second, finish) => Self::Files(
                [first, second].map(|bytes| core::ptr::from_ref(bytes.as_slice())),
                *finish,
            ),
        }
    }
}

impl Workload for Work {
    fn run(&self, sandbox: Current) -> Outcome {
        let arena = allocator::current_arena();
        let promised = match gate(|| self.promised.lock().take()) {
            Ok(promised) => promised,
            Err(EndNow(outcome)) => return outcome,
        };
        if let (Some(arena), Some(promised)) = (arena, promised) {
            arena.cover_with(promised);
        }
        let made = self.maker.make(sandbox).map_err(shortened);
        if made.is_err() && arena.is_some_and(Arena::has_refused) {
            // Whatever the reason says, the input may be good.
            forget(made);
            return Outcome::Trap(Trap::OutOfMemory);
        }
        let noted = gate(|| {
            // In the kernel's heap: the arena goes with whatever was refused.
            let made = match &made {
                Ok(product) => Ok(Made::of(product)),
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
    share: &'static Share,
    /// Dropped last.
    memory: Box<Arena>,
}

// SAFETY: as for `Made`; and the memory is nobody else's.
unsafe impl Send for Housed {}
// SAFETY: a `Workload` is `Sync`.
unsafe impl Sync for Housed {}

/// Programs of one origin: how many of them live, and what they have of memory.
pub struct Share {
    making: AtomicUsize,
    programs: AtomicUsize,
    bytes: AtomicU64,
}

/// What the programs of a [`Share`] have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Housing {
    /// How many they are.
    pub programs: usize,
    /// What their arenas have mapped, in bytes.
    pub bytes: u64,
}

/// Those that somebody has sent.
pub static UPLOADED: Share = Share::new();
/// Those of the disk.
pub static OF_DISK: Share = Share::new();

impl Share {
    const fn new() -> Self {
        Self {
            making: AtomicUsize::new(0),
            programs: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Whether one of them is being made.
    #[must_use]
    pub fn is_making(&self) -> bool {
        self.making.load(Relaxed) > 0
    }

    /// What they have now.
    #[must_use]
    pub fn housing(&self) -> Housing {
        Housing {
            programs: self.programs.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }
}

impl Housed {
    fn new(program: *const dyn Workload, memory: Box<Arena>, share: &'static Share) -> Self {
        share.programs.fetch_add(1, Relaxed);
        share.bytes.fetch_add(memory.bytes(), Relaxed);
        Self {
            program,
            share,
            memory,
        }
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
        self.share.programs.fetch_sub(1, Relaxed);
        self.share.bytes.fetch_sub(self.memory.bytes(), Relaxed);
        // Instances of it that wait in their arenas would be found by nobody.
        parked::forget(self.program().program());
    }
}
