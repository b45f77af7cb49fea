//! Running sandboxes, from the dispatcher's side, and how they end.

use alloc::sync::Arc;
use core::panic::PanicInfo;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use log::{Level, debug, error, log_enabled, warn};
use luge_journal::LinearStack;
use luge_memory::layout::NATIVE_CODE;
use luge_metrics::Counter;
use luge_sandbox::{Event, Outcome, State, Wait};
use luge_sched::{Comeback, TaskId};
use luge_spec::OnMiss;
use luge_trace::Kind;
use luge_trap::{Running, Trap, Verdict};
use x86_64::instructions::interrupts;

use super::gate::{gate, gate_for_good};
use super::{Current, Departure, ENDED, LIVE, Native, Sandbox, faults, find, records, sight};
use crate::arch::switch::{self, Return};
use crate::arch::time::{self, Instant};
use crate::arch::traps::{self, Found, Name, TrapNotes, calls};
use crate::arch::{interrupts as irq, per_cpu};
use crate::mm::allocator::{self, Exhausted};
use crate::mm::arena::Arena;
use crate::mm::stacks;
use crate::observe::steps;
use crate::sched;

/// How often the CPU went to a sandbox.
pub static SWITCHES: Counter = Counter::new();

/// Registers what the lower layers call when a sandbox is to leave the CPU.
pub fn init() {
    faults::start();
    records::start();
    allocator::on_exhaustion(|what| {
        calls::note();
        finish(Outcome::Trap(match what {
            Exhausted::Memory => Trap::OutOfMemory,
            Exhausted::Stack => Trap::StackOverflow,
        }))
    });
    irq::on_preemption(|| {
        // SAFETY: called on the sandbox's stack, interrupts off, while guest code was running, so
        // no lock is held.
        unsafe { switch::leave() }
    });
}

/// The first function on a sandbox's stack.
pub(super) extern "C" fn first(sandbox: *mut ()) -> ! {
    let sandbox = Current(sandbox.cast());
    let outcome = sandbox.request.workload.run(sandbox);
    finish(outcome)
}

/// Ends the running sandbox from its own stack, of which nothing needs to be left.
fn finish(outcome: Outcome) -> ! {
    // It may be the engine that ran out of something after a trap.
    traps::engine_has_resumed();
    gate_for_good(|| {
        interrupts::disable();
        let sandbox = per_cpu::this().sandbox.load(Relaxed).cast::<Sandbox>();
        // SAFETY: a sandbox is running, and it is alive.
        let alive = unsafe { &*sandbox };
        if let Outcome::Trap(trap) = outcome {
            sight::on_trap_of_engine(sandbox, trap as u8);
            faults::note_trap(alive, trap);
        }
        *alive.departure.lock() = Some(Departure::Finished(outcome));
        // SAFETY: interrupts are off and no lock is held.
        unsafe { switch::leave() };
    })
}

/// Ends the running sandbox if what panics is code of the kernel's that works for it alone, as the translation of
/// a module does ([`super::making`]): it holds nothing that anybody shares, and all that it made goes with it.
/// Returns if anything else panics: that is the end of the kernel.
pub fn end_if_alone(panic: &PanicInfo<'_>) {
    let is_alone = interrupts::without_interrupts(|| {
        let cpu = per_cpu::this();
        cpu.running.load(Relaxed)
            && cpu.runs_own_code.load(Relaxed)
            && cpu.host_calls.load(Relaxed) == 0
            && cpu.locks_held.load(Relaxed) == 0
    });
    if !is_alone {
        return;
    }
    // Where, and not what: that may quote somebody's module at any length. Nothing is said with too little of the
    // stack left for it.
    if let Some(place) = panic.location() {
        let _ = gate(|| error!("what works for a sandbox alone panicked at {place}"));
    }
    // Some of it bears no refusal of memory, and that is no mistake of what it works on.
    let lacked = allocator::current_arena().is_some_and(Arena::has_refused);
    finish(Outcome::Trap(if lacked {
        Trap::OutOfMemory
    } else {
        Trap::Unreachable
    }))
}

/// Runs a sandbox until it gives the CPU back, and does what follows from how it did.
pub fn run(task: TaskId) {
    let sandbox = find(task).expect("only who lives is queued");
    sandbox.happened(Event::Dispatched);
    // SAFETY: this is the dispatcher.
    let native = unsafe { sandbox.native() }.expect("a queued sandbox has its stack and arena");
    let (returned, ran_ns) = enter(&sandbox, native);
    sandbox.has_run(ran_ns);
    if returned == Return::Faulted {
        let trap = judge_fault(&sandbox, native);
        return end(&sandbox, Event::Finished(Outcome::Trap(trap)));
    }
    let departure = sandbox.departure.lock().take();
    match departure {
        Some(Departure::Finished(outcome)) => end(&sandbox, Event::Finished(outcome)),
        Some(Departure::Blocked(wait)) => sandbox.block(wait),
        None => {
            native.keep(TrapNotes::take());
            let now = Instant::now();
            sandbox.happened_at(Event::Preempted, now);
            if !sandbox.end_if_doomed() {
                sandbox.queue(Comeback::Preempted, now);
            }
        }
    }
}

/// Runs the sandbox that comes first; false if none is ready. For the dispatcher's stand-ins:
/// benchmarks and the batch.
pub fn run_next() -> bool {
    sched::run_one(run)
}

/// Lets the sandbox run, and says how it came back and what CPU time that took it.
fn enter(sandbox: &Arc<Sandbox>, native: &mut Native) -> (Return, u64) {
    let cpu = per_cpu::this();
    cpu.stack_low.store(native.stack.range().start, Relaxed);
    cpu.stack_high.store(native.stack.range().end, Relaxed);
    cpu.kernel_stack_top
        .store(native.stack.kernel_range().end, Relaxed);
    cpu.host_calls.store(native.host_calls, Relaxed);
    cpu.arena.store(native.allocates_in, Relaxed);
    cpu.engine_state.store(native.engine_state, Relaxed);
    cpu.runs_own_code.store(sandbox.is_making, Relaxed);
    cpu.sandbox
        .store(Arc::as_ptr(sandbox).cast_mut().cast(), Relaxed);
    sandbox.arm_turn();
    cpu.interrupted_ticks.store(0, Relaxed);
    // That was for whoever ran before.
    cpu.preemption_due.store(false, Relaxed);
    match native.notes.pop() {
        None => TrapNotes::forget(),
        Some(notes) => notes.bring_back(),
    }
    SWITCHES.count();
    let entered = time::ticks();
    cpu.step.store(native.step, Relaxed);
    cpu.step_began.store(entered, Relaxed);
    // SAFETY: the context is new or was stored when the sandbox left; a faulted or finished one is
    // torn down and never found again.
    let returned = unsafe { switch::enter(&mut native.context) };
    if cpu.host_calls.load(Relaxed) > 0 {
        steps::end_of_part();
        native.step = cpu.step.load(Relaxed);
    }
    let ticks = (time::ticks() - entered).saturating_sub(cpu.interrupted_ticks.load(Relaxed));
    cpu.sandbox.store(null_mut(), Relaxed);
    native.allocates_in = cpu.arena.swap(null_mut(), Relaxed);
    native.engine_state = cpu.engine_state.swap(null_mut(), Relaxed);
    native.host_calls = cpu.host_calls.swap(0, Relaxed);
    (returned, time::ns_of_ticks(ticks))
}

impl Native {
    /// Keeps what is to be brought back. Without memory for it, the report of its end will lack it.
    fn keep(&mut self, notes: Option<TrapNotes>) {
        if let Some(notes) = notes
            && self.notes.try_reserve_exact(1).is_ok()
        {
            self.notes.push(notes);
        }
    }
}

fn judge_fault(sandbox: &Sandbox, native: &Native) -> Trap {
    let found = per_cpu::this()
        .last_fault
        .lock()
        .take()
        .expect("the handler left its frame");
    let running = Running {
        guest_code: traps::guest_code(),
        native_code: NATIVE_CODE,
        stack: native.stack.range(),
        guard: native.stack.guard(),
        kernel_stack: native.stack.kernel_range(),
        kernel_guard: native.stack.kernel_guard(),
        host_calls: native.host_calls,
        locks_held: 0,
    };
    let trap = match traps::trap_of(&found.frame, &running) {
        Verdict::End(trap) | Verdict::AskEngine(trap) => trap,
        Verdict::Panic(_) => unreachable!("the handler gave another verdict on the same values"),
    };
    report(sandbox, native.stack.range().end, &found, trap);
    trap
}

fn report(sandbox: &Sandbox, stack_end: u64, found: &Found, trap: Trap) {
    let used = faults::note_fault(sandbox, trap, found, stack_end);
    if !log_enabled!(Level::Warn) || !sandbox.may_log_end() {
        return;
    }
    let frame = &found.frame;
    warn!(
        "sandbox {} ({}) fault: trap {trap}: {} at rip={:#x} cr2={:#x} error={:#x} rsp={:#x} stack used={used}",
        sandbox.id,
        sandbox.name(),
        Name(frame.vector),
        frame.rip,
        frame.cr2,
        frame.error_code,
        frame.rsp,
    );
}

/// Ends a sandbox for good: its arena and stack go whole, its client is told.
fn end(sandbox: &Arc<Sandbox>, event: Event) {
    let began = Instant::now();
    sandbox.count_late_end(began);
    sandbox.happened_at(event, began);
    let _ = sandbox.leave_queue();
    let looks_at = sandbox.looks_at.lock().take();
    if let Some(moment) = looks_at {
        sched::forget_wake(sandbox.task(), moment);
    }
    sandbox.forget_alarm();
    LIVE.lock().remove(&sandbox.id);
    if !sandbox.is_making {
        ENDED.fetch_add(1, Relaxed);
    }
    // SAFETY: this is the dispatcher, and the sandbox will not run again.
    if let Some(native) = unsafe { (*sandbox.native.get()).take() } {
        sight::hide(&native);
        if sandbox.is_making && sandbox.outcome() == Some(Outcome::Exit(0)) {
            *sandbox.made_in.lock() = Some(native.arena);
        } else {
            // SAFETY: the sandbox will not run again.
            unsafe { native.arena.retire() };
        }
        // SAFETY: nobody runs on the stack any more, and what pointed into it was in the arena.
        unsafe { stacks::give_back(native.stack) };
    }
    say_how_it_ended(sandbox);
    sandbox.charge(Instant::now().since(began));
    sandbox.give_ticket_back();
    sandbox.count_end();
    sched::want_attention();
}

/// What the program did by itself is for those who look closely; being ended by force is not.
fn say_how_it_ended(sandbox: &Sandbox) {
    let (id, name) = (sandbox.id, sandbox.name());
    match sandbox.outcome() {
        Some(outcome @ (Outcome::Exit(_) | Outcome::Cancelled)) => {
            debug!("sandbox {id} ({name}) ended: {outcome}");
        }
        Some(outcome) => {
            let is_logged = log_enabled!(Level::Warn) && sandbox.may_log_end();
            if is_logged {
                warn!("sandbox {id} ({name}) ended: {outcome}");
            }
            if let Outcome::Trap(trap) = outcome {
                faults::note_end(sandbox, trap);
                if is_logged {
                    faults::say(id, name);
                }
            }
        }
        None => {}
    }
}

impl Sandbox {
    /// Reports the fault by which its compiled code told the engine of `trap`, if that was by a fault; if not, where
    /// it was left.
    ///
    /// Called by the sandbox itself, inside the gate.
    pub fn report_trap(&self, trap: Trap) {
        let cpu = per_cpu::this();
        let found = cpu.last_fault.lock().take();
        match found {
            Some(found) => report(self, cpu.stack_high.load(Relaxed), &found, trap),
            None => faults::note_trap(self, trap),
        }
    }

    /// The address that the processor could not let its compiled code touch, if that has just been.
    ///
    /// Called by the sandbox itself, before [`Self::report_trap`].
    pub fn touched(&self) -> Option<u64> {
        let found = per_cpu::this().last_fault.lock();
        found.as_ref().map(|found| found.frame.cr2)
    }

    /// Notes that the stack in linear memory has run out, which is why the sandbox ends by `trap`.
    ///
    /// Called by the sandbox itself, inside the gate.
    pub fn report_linear_stack(&self, trap: Trap, stack: LinearStack) {
        faults::note_linear_stack(self, trap, stack);
    }

    /// Ends the sandbox because nobody waits for its answer any more.
    ///
    /// Called by the dispatcher's side. In guest code it ends now, inside the gate when it leaves.
    pub fn cancel(&self) {
        if self.outcome().is_none() {
            self.doom(Outcome::Cancelled);
        }
    }

    /// Ends the sandbox because its client takes the answer too slowly. As [`Self::cancel`].
    pub fn give_reader_up(&self) {
        if self.outcome().is_none() {
            self.doom(Outcome::SlowReader);
        }
    }

    pub(super) fn doom(&self, outcome: Outcome) {
        self.doom.lock().get_or_insert(outcome);
        match self.state() {
            State::Blocked(_) => self.wake_up(),
            // Inside the gate it keeps its place, and ends when it leaves.
            State::Queued => {
                let _ = self.end_if_doomed();
            }
            State::Running | State::Ended(_) => {}
        }
    }

    /// Ends a sandbox in the state `Queued`, whether it is in the queue or not yet, if it is doomed and
    /// outside the gate. Whether it has ended.
    fn end_if_doomed(&self) -> bool {
        let Some(doom) = *self.doom.lock() else {
            return false;
        };
        // SAFETY: this is the dispatcher.
        let in_gate = unsafe { self.native() }.is_some_and(|native| native.host_calls > 0);
        if in_gate {
            return false;
        }
        let me = find(self.task()).expect("it has not ended");
        end(
            &me,
            match doom {
                Outcome::OverDeadline => Event::DeadlinePassed,
                Outcome::OverBudget => Event::BudgetUsedUp,
                Outcome::ResponseTooLong => Event::WroteTooMuch,
                Outcome::SlowReader => Event::ReaderGivenUp,
                _ => Event::Cancelled,
            },
        );
        true
    }

    fn block(&self, wait: Wait) {
        self.happened(Event::Blocked(wait));
        let has_room = wait == Wait::Output && self.output_queued() == 0;
        if self.doom.lock().is_some() || has_room {
            return self.wake_up();
        }
        if let Wait::Until(moment) = wait {
            if moment <= Instant::now().as_ns() {
                return self.wake_up();
            }
            let moment = Instant::from_ns(moment);
            // Where its deadline ends it, that comes before anyway.
            if moment < self.due_at(moment) || self.request.on_miss == OnMiss::Run {
                sched::wake_at(self.task(), moment);
                *self.alarm.lock() = Some(moment);
            }
        }
    }

    pub(super) fn happened(&self, event: Event) {
        self.happened_at(event, Instant::now());
    }

    pub(super) fn happened_at(&self, event: Event, now: Instant) {
        let result = self.life.lock().apply(event, now.as_ns());
        if let Err(error) = result {
            panic!("sandbox {}: {error}", self.id);
        }
        let kind = match event {
            Event::Dispatched => Kind::Dispatch,
            Event::Preempted => Kind::Preempt,
            Event::Blocked(_) => Kind::Block,
            Event::Woken => Kind::Resume,
            Event::Finished(_) => Kind::Finish,
            Event::DeadlinePassed
            | Event::BudgetUsedUp
            | Event::Cancelled
            | Event::ReaderGivenUp
            | Event::WroteTooMuch => Kind::Kill,
        };
        self.note_at(kind, now);
    }
}
