//! Sandboxes: one request each, on a stack and in an arena of its own.
//!
//! Key types: [`Request`] is what a sandbox is made from, [`Sandbox`] what its client holds,
//! [`Workload`] what runs in it, [`Current`] how the running one is spoken to. [`submit`] makes one;
//! [`dispatch`] runs one and carries out how it ends; [`mod@gate`] is the way into the kernel.
//!
//! Invariant: a sandbox's frames may be abandoned at any moment in guest code, and no destructor on
//! them ever runs. So nothing of the kernel's may be owned by them: what they allocate is in the
//! arena, and what they do to the kernel they do inside the gate, which is never abandoned.

mod account;
mod census;
mod deadline;
mod dispatch;
mod faults;
mod gate;
pub mod logged;
pub mod making;
mod output;
pub mod records;
pub mod sight;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};

use luge_disk::Part;
use luge_memory::layout::KERNEL_STACK_BYTES;
use luge_memory::shares::Holder;
use luge_metrics::RouteMeter;
use luge_sandbox::{Life, Outcome, State, Times, Wait};
use luge_sched::{Comeback, Group, Measured, SHARED, Standing, TaskId, Ticket};
use luge_spec::{Answer, OnMiss};
use luge_trace::Kind;
use luge_wasi::{Folder, Unreadable};

use crate::arch::lock::Lock;
use crate::arch::switch::Context;
use crate::arch::time::Instant;
use crate::arch::traps::TrapNotes;
use crate::mm::arena::Arena;
use crate::mm::bodies::Body;
use crate::mm::{allocator, charged, frames, idle, stacks};
use crate::sched::{self, admission, trace};

pub use census::{after, census};
pub use deadline::wake;
pub use dispatch::{SWITCHES, end_if_alone, init, run, run_next};
pub use faults::report::Report;
pub use faults::{places_by, settle as settle_faults};
pub use gate::{EndNow, gate, gate_for, in_own_memory};
use output::Output;

/// What runs in a sandbox.
pub trait Workload: Send + Sync {
    /// Runs to the end, on the sandbox's stack, allocating in its arena.
    ///
    /// May be abandoned half-way; then nothing of it is ever dropped.
    fn run(&self, sandbox: Current) -> Outcome;

    /// A number that no other program has, if its instances may be kept in their arenas.
    fn program(&self) -> u64 {
        0
    }

    /// Whether it makes a program, see [`making`].
    fn is_making(&self) -> bool {
        false
    }
}

/// Files that a sandbox can read.
pub trait Files: Send + Sync {
    /// What there is.
    fn folder(&self) -> &Folder;

    /// Copies a part of the file with this number in [`Self::folder`], from `offset` on.
    ///
    /// # Errors
    /// [`Unreadable`]
    fn read(&self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, Unreadable>;
}

/// What a sandbox is made from.
pub struct Request {
    /// The function's name, for the log.
    pub name: Arc<str>,
    /// What runs.
    pub workload: Arc<dyn Workload>,
    /// Size of the native stack, in bytes.
    pub stack_bytes: u64,
    /// The most that it may have of linear memory and tables, in bytes.
    pub memory_bytes: u64,
    /// The most that it may ever write to its output, in bytes.
    pub output_bytes: u64,
    /// The most that it may have in files of its own at a time, in bytes.
    pub scratch_bytes: u64,
    /// `argv`, the name first.
    pub arguments: Vec<String>,
    /// What its answer is, and when it has succeeded; none is as usual.
    pub answer: Option<Arc<Answer>>,
    /// Environment variables.
    pub environment: Arc<[(String, String)]>,
    /// The files that it can read, if there are any.
    pub files: Option<Arc<dyn Files>>,
    /// Standard input.
    pub body: Body,
    /// How long after its arrival it is to be done, in nanoseconds.
    pub relative_deadline_ns: u64,
    /// What happens if it is not.
    pub on_miss: OnMiss,
    /// CPU time that it may take, in nanoseconds, if that is limited.
    pub budget_ns: Option<u64>,
    /// As whose its memory counts; none for work of the host's own.
    pub tenant: Option<Holder>,
    /// With which it was let in; none for work of the host's own.
    pub ticket: Option<Ticket>,
}

/// Why a request gets no sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No memory or no slot for another one now.
    NoRoom,
}

/// What an arena may map beyond the guest's own limit: the engine's bookkeeping, and the slack of
/// vectors that grow by doubling.
const ENGINE_ALLOWANCE: u64 = 8 << 20;
/// The place of this reason in `luge_metrics::REFUSALS`.
const NO_ROOM: usize = 6;
/// What must be free, beside the stack, for a sandbox to start, in bytes.
const ROOM_TO_START: u64 = 256 << 10;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// Where programs are made, numbers are others, so that those of requests do not depend on what is deployed.
static NEXT_MAKER: AtomicU64 = AtomicU64::new(1 << 32);
static ENDED: AtomicU64 = AtomicU64::new(0);
static LIVE: Lock<BTreeMap<u64, Arc<Sandbox>>> = Lock::new(BTreeMap::new());

/// One request's sandbox.
pub struct Sandbox {
    id: u64,
    request: Request,
    /// When it is to be done, if it never waits for its client; see [`mod@deadline`].
    deadline: Instant,
    /// When it is looked whether it has missed that.
    looks_at: Lock<Option<Instant>>,
    group: Group,
    /// Its route's number in the trace.
    route: u16,
    /// What is counted of its route, if it has one.
    meter: Option<&'static RouteMeter>,
    ticket: Lock<Option<Ticket>>,
    life: Lock<Life>,
    standing: Lock<Standing>,
    /// Its deadline has passed.
    is_late: AtomicBool,
    output: Lock<Output>,
    departure: Lock<Option<Departure>>,
    doom: Lock<Option<Outcome>>,
    /// When it asked to be woken, while it sleeps.
    alarm: Lock<Option<Instant>>,
    is_making: bool,
    /// Its trap is noted, see [`faults`].
    is_fault_noted: AtomicBool,
    /// Whether the log says how it was ended by force, once that was asked.
    is_end_logged: spin::Once<bool>,
    /// Its arena, once a program is made in it.
    made_in: Lock<Option<Box<Arena>>>,
    /// Its arena, for what its host calls leave behind on its behalf; not to be followed by others.
    own_memory: AtomicPtr<()>,
    native: UnsafeCell<Option<Native>>,
    sight: sight::Sight,
}

// SAFETY: `native` is touched by the dispatcher alone; everything else is locked, atomic, or never changes.
unsafe impl Sync for Sandbox {}
// SAFETY: what `native` points to belongs to the sandbox alone.
unsafe impl Send for Sandbox {}

/// What a sandbox has of the machine while it lives.
struct Native {
    context: Context,
    stack: stacks::Stack,
    arena: Box<Arena>,
    /// `PerCpu::host_calls`, `step`, `arena` and `engine_state`, kept while it does not run.
    host_calls: u32,
    step: u8,
    allocates_in: *mut (),
    engine_state: *mut u8,
    /// One at most: what the CPU knew of how it left its native code when it was preempted.
    notes: Vec<TrapNotes>,
}

/// Why a sandbox gave the CPU back by itself.
#[derive(Clone, Copy, Debug)]
enum Departure {
    Blocked(Wait),
    Finished(Outcome),
}

/// The sandbox that runs, as its own code sees it.
///
/// It counts no reference, since the frames that hold it are abandoned without a destructor.
#[derive(Clone, Copy)]
pub struct Current(*const Sandbox);

// SAFETY: it only gives out shared references to a `Sync` type.
unsafe impl Send for Current {}
// SAFETY: as above.
unsafe impl Sync for Current {}

impl Deref for Current {
    type Target = Sandbox;
    fn deref(&self) -> &Sandbox {
        // SAFETY: made for a sandbox by the dispatcher, which keeps it alive as long as any of its
        // frames can run; the value lives in those frames and their arena only.
        unsafe { &*self.0 }
    }
}

/// Makes a sandbox for `request`, which arrived at `now`, and queues it.
///
/// # Errors
/// [`Refused::NoRoom`] when there is no memory or slot for it; then nothing has happened, and the ticket is
/// given back.
pub fn submit(mut request: Request, now: Instant) -> Result<Arc<Sandbox>, Refused> {
    let began = Instant::now();
    account::tell_recalled();
    let ticket = request.ticket.take();
    let Some((stack, arena)) = take_room(&request) else {
        if let Some(ticket) = ticket {
            admission::meter(ticket.route())
                .refusals
                .at(NO_ROOM)
                .count();
            admission::give_back(ticket, Measured::Nothing);
        }
        return Err(Refused::NoRoom);
    };
    let sandbox = Arc::new(Sandbox::new(request, ticket, now));
    sandbox.furnish(stack, arena);
    LIVE.lock().insert(sandbox.id, sandbox.clone());
    sched::wake_at(sandbox.task(), sandbox.deadline);
    sandbox.note_at(Kind::Arrive, now);
    let admitted = Instant::now();
    sandbox.note_at(Kind::Admit, admitted);
    sandbox.queue(Comeback::Woken, admitted);
    sandbox.charge(Instant::now().since(began));
    Ok(sandbox)
}

/// A stack and an arena, if there are both.
fn take_room(request: &Request) -> Option<(stacks::Stack, Box<Arena>)> {
    let tenant = request.tenant.filter(|_| frames::are_shared());
    let stack_bytes = request.stack_bytes + KERNEL_STACK_BYTES;
    if tenant.is_some_and(|tenant| !charged::may_have(tenant, stack_bytes + ROOM_TO_START)) {
        return None;
    }
    let stack = stacks::take(request.stack_bytes)?;
    let has_room = idle::make_room(ROOM_TO_START);
    let limit = arena_limit(request);
    let workload = &request.workload;
    let arena = has_room.then(|| match workload.is_making() {
        true => Arena::take_for_good(limit),
        false => Arena::take(limit, workload.program(), (tenant, stack_bytes)),
    });
    match arena.flatten() {
        Some(arena) => Some((stack, arena)),
        None => {
            // SAFETY: nobody has run on the stack yet.
            unsafe { stacks::give_back(stack) };
            None
        }
    }
}

const fn arena_limit(request: &Request) -> u64 {
    request
        .memory_bytes
        .saturating_mul(2)
        .saturating_add(request.scratch_bytes)
        .saturating_add(ENGINE_ALLOWANCE)
}

/// Has the running sandbox, in which a program is made, take `bytes` of memory at most, and what engines are
/// allowed beyond that. Called by the sandbox itself.
pub fn limit_memory(bytes: u64) {
    if let Some(arena) = allocator::current_arena() {
        arena.limit_to(bytes.saturating_add(ENGINE_ALLOWANCE));
    }
}

/// Has frames for `bytes` more than the running sandbox has promised to it, in which a program is made. False if there
/// are not so many. Called by the sandbox itself.
#[must_use]
pub fn promise_memory(bytes: u64) -> bool {
    allocator::current_arena().is_some_and(|arena| arena.cover(bytes))
}

/// How many sandboxes of requests have ended since boot. Those that made programs do not count.
#[must_use]
pub fn ended() -> u64 {
    ENDED.load(Relaxed)
}

fn find(task: TaskId) -> Option<Arc<Sandbox>> {
    LIVE.lock().get(&task.0).cloned()
}

impl Sandbox {
    fn new(request: Request, ticket: Option<Ticket>, now: Instant) -> Self {
        let is_making = request.workload.is_making();
        let id = if is_making { &NEXT_MAKER } else { &NEXT_ID }.fetch_add(1, Relaxed);
        let deadline = now.plus_ns(request.relative_deadline_ns);
        let booked_ns = ticket.as_ref().and_then(Ticket::booked_ns);
        let estimate_ns = ticket.as_ref().map_or(0, Ticket::estimate_ns);
        let standing = Standing::new(id, deadline.as_ns(), booked_ns, estimate_ns);
        Self {
            id,
            deadline,
            looks_at: Lock::new(Some(deadline)),
            group: ticket.as_ref().map_or(SHARED, Ticket::group),
            route: trace::route_of(ticket.as_ref()),
            meter: ticket
                .as_ref()
                .map(|ticket| admission::meter(ticket.route())),
            ticket: Lock::new(ticket),
            life: Lock::new(Life::new(now.as_ns())),
            standing: Lock::new(standing),
            is_late: AtomicBool::new(false),
            output: Lock::new(Output::new(request.output_bytes)),
            departure: Lock::new(None),
            doom: Lock::new(None),
            alarm: Lock::new(None),
            is_making,
            is_fault_noted: AtomicBool::new(false),
            is_end_logged: spin::Once::new(),
            made_in: Lock::new(None),
            own_memory: AtomicPtr::default(),
            native: UnsafeCell::new(None),
            sight: sight::Sight::new(),
            request,
        }
    }

    /// Gives a new sandbox what it runs on.
    fn furnish(&self, stack: stacks::Stack, arena: Box<Arena>) {
        let argument = core::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the stack is new, page-aligned and at least 32 KiB; `first` never returns.
        let context = unsafe { Context::new(stack.top(), dispatch::first, argument) };
        let allocates_in = core::ptr::from_ref(&*arena).cast_mut().cast();
        self.own_memory.store(allocates_in, Relaxed);
        let native = Native {
            context,
            stack,
            arena,
            host_calls: 0,
            step: 0,
            allocates_in,
            engine_state: core::ptr::null_mut(),
            notes: Vec::new(),
        };
        // SAFETY: nobody else knows of the sandbox yet.
        let native = unsafe { (*self.native.get()).insert(native) };
        sight::show(self, native);
    }

    /// A number that no other sandbox of this boot has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.request.name
    }

    /// `argv`.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.request.arguments
    }

    /// Environment variables.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.request.environment
    }

    /// Standard input.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.request.body
    }

    /// The most that it may have of linear memory and tables, in bytes.
    #[must_use]
    pub fn memory_limit(&self) -> u64 {
        self.request.memory_bytes
    }

    /// The most that it may have in files of its own at a time, in bytes.
    #[must_use]
    pub fn scratch_limit(&self) -> u64 {
        self.request.scratch_bytes
    }

    /// The file below `/tmp` that is its answer, by its path there, if that is to be a file.
    #[must_use]
    pub fn response_file(&self) -> Option<&str> {
        self.request.answer.as_ref()?.file.as_deref()
    }

    /// The most that it may ever write to its output, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> u64 {
        self.request.output_bytes
    }

    /// Whether to end so is a success, by its own account and by that of its route.
    #[must_use]
    pub fn is_success(&self, outcome: Outcome) -> bool {
        match (outcome, &self.request.answer) {
            (Outcome::Exit(code), Some(answer)) => answer.is_success(code),
            _ => outcome.is_success(),
        }
    }

    /// The files that it can read, if there are any.
    #[must_use]
    pub fn files(&self) -> Option<&dyn Files> {
        self.request.files.as_deref()
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.life.lock().outcome()
    }

    /// How long it has been in each state.
    #[must_use]
    pub fn times(&self) -> Times {
        self.life.lock().times(Instant::now().as_ns())
    }

    fn task(&self) -> TaskId {
        TaskId(self.id)
    }

    fn queue(&self, comeback: Comeback, now: Instant) {
        let standing = &mut self.standing.lock();
        sched::make_ready(self.task(), self.group, standing, comeback, now);
    }

    /// Takes it out of the queue. Whether it was there.
    fn leave_queue(&self) -> bool {
        sched::forget(self.task(), &self.standing.lock())
    }

    /// Writes into the trace what happens to it now.
    fn note(&self, kind: Kind) {
        self.note_at(kind, Instant::now());
    }

    fn note_at(&self, kind: Kind, now: Instant) {
        trace::push(self.task(), self.route, kind, now);
    }

    fn state(&self) -> State {
        self.life.lock().state()
    }

    /// # Safety
    /// Only the dispatcher may call, and only one of these may live at a time.
    #[expect(
        clippy::mut_from_ref,
        reason = "the dispatcher is the only one to touch it"
    )]
    unsafe fn native(&self) -> Option<&mut Native> {
        // SAFETY: as the caller promises.
        unsafe { (*self.native.get()).as_mut() }
    }
}
