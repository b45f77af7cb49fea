//! The bell in every interleaving: no news is overlooked, and nobody sleeps over it.
//!
//! The CPU's interrupt flag is a lock here: the dispatcher holds it while interrupts are off, and a handler runs
//! while it holds it. To let interrupts in and halt in one step is to fall asleep before the lock is given away.

use core::sync::atomic::Ordering;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::sync::{Arc, Mutex, MutexGuard};
use loom::thread;
use luge_sched::{Bell, Flag};

/// How often a device has news.
const NEWS: usize = 2;

/// The flag as it is, in the model.
struct Exact(AtomicBool);

impl Flag for Exact {
    fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }
    fn store(&self, value: bool, order: Ordering) {
        self.0.store(value, order);
    }
    fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

/// A flag that orders nothing but itself.
struct Loose(AtomicBool);

impl Flag for Loose {
    fn load(&self, _: Ordering) -> bool {
        self.0.load(Ordering::Relaxed)
    }
    fn store(&self, value: bool, _: Ordering) {
        self.0.store(value, Ordering::Relaxed);
    }
    fn swap(&self, value: bool, _: Ordering) -> bool {
        self.0.swap(value, Ordering::Relaxed)
    }
}

/// A machine with a device.
struct Machine {
    bell: Bell<Exact>,
    /// How often the device had news, by its own registers.
    registers: AtomicUsize,
    interrupts: Mutex<Cpu>,
}

/// What interrupts change.
struct Cpu {
    is_halted: bool,
}

/// The dispatcher's side of a machine, with interrupts off.
struct Dispatcher<'m> {
    machine: &'m Machine,
    cpu: Option<MutexGuard<'m, Cpu>>,
    seen: usize,
}

impl Machine {
    /// The device has news, and its handler runs as soon as interrupts are let in.
    fn has_news(&self) {
        self.registers.fetch_add(1, Ordering::Relaxed);
        let mut cpu = self.interrupts.lock().expect("nobody panics");
        self.bell.ring();
        cpu.is_halted = false;
    }
}

impl<'m> Dispatcher<'m> {
    fn new(machine: &'m Machine, seen: usize) -> Self {
        let cpu = Some(machine.interrupts.lock().expect("nobody panics"));
        Self { machine, cpu, seen }
    }

    fn let_interrupts_in(&mut self) {
        self.cpu = None;
        *self = Self::new(self.machine, self.seen);
    }

    fn look(&mut self) {
        self.let_interrupts_in();
        self.seen = self.machine.registers.load(Ordering::Relaxed);
        self.let_interrupts_in();
    }

    fn halt(&mut self) {
        self.cpu.as_mut().expect("interrupts are off").is_halted = true;
    }

    fn is_halted(&self) -> bool {
        self.cpu.as_ref().expect("interrupts are off").is_halted
    }
}

/// The kernel's own round.
fn round(dispatcher: &mut Dispatcher<'_>) {
    if dispatcher.machine.bell.answer() {
        dispatcher.look();
        return;
    }
    let machine = dispatcher.machine;
    machine.bell.if_silent(|| dispatcher.halt());
}

/// Looks first and answers then.
fn looks_first(dispatcher: &mut Dispatcher<'_>) {
    let mut is_silent = false;
    dispatcher.machine.bell.if_silent(|| is_silent = true);
    if is_silent {
        return dispatcher.halt();
    }
    dispatcher.look();
    let _ = dispatcher.machine.bell.answer();
}

/// Lets interrupts in before it halts.
fn halts_late(dispatcher: &mut Dispatcher<'_>) {
    if dispatcher.machine.bell.answer() {
        return dispatcher.look();
    }
    dispatcher.let_interrupts_in();
    dispatcher.halt();
}

/// Runs rounds until the CPU halts for good, in every interleaving with the device.
fn run(round: fn(&mut Dispatcher<'_>)) {
    loom::model(move || {
        let machine = Arc::new(Machine {
            bell: Bell::with(Exact(AtomicBool::new(true))),
            registers: AtomicUsize::new(0),
            interrupts: Mutex::new(Cpu { is_halted: false }),
        });
        let device = {
            let machine = machine.clone();
            thread::spawn(move || (0..NEWS).for_each(|_| machine.has_news()))
        };
        let seen = until_it_halts(&machine, 0, round);
        device.join().expect("the device does not panic");
        // Interrupts that came while it was halted have woken it.
        let seen = until_it_halts(&machine, seen, round);
        assert_eq!(seen, NEWS, "the CPU sleeps over news");
    });
}

fn until_it_halts(machine: &Machine, seen: usize, round: fn(&mut Dispatcher<'_>)) -> usize {
    let mut dispatcher = Dispatcher::new(machine, seen);
    while !dispatcher.is_halted() {
        round(&mut dispatcher);
    }
    dispatcher.seen
}

#[test]
fn no_news_is_overlooked_and_nobody_sleeps_over_it() {
    run(round);
}

#[test]
#[should_panic(expected = "the CPU sleeps over news")]
fn who_looks_before_it_answers_overlooks_news() {
    run(looks_first);
}

#[test]
#[should_panic(expected = "the CPU sleeps over news")]
fn who_lets_interrupts_in_before_it_halts_sleeps_over_news() {
    run(halts_late);
}

/// News that a device's other side, on another CPU, writes without a lock.
fn hand_over<F: Flag + Send + Sync + 'static>(flag: fn(AtomicBool) -> F) {
    loom::model(move || {
        let shared = Arc::new((
            Bell::with(flag(AtomicBool::new(false))),
            UnsafeCell::new(0_u32),
        ));
        let writer = {
            let shared = shared.clone();
            thread::spawn(move || {
                // SAFETY: nobody reads it before the bell is rung.
                shared.1.with_mut(|news| unsafe { *news = 7 });
                shared.0.ring();
            })
        };
        if shared.0.answer() {
            // SAFETY: the bell was rung after it was written; that this is enough is what is tested.
            let news = shared.1.with(|news| unsafe { *news });
            assert_eq!(news, 7);
        }
        writer.join().expect("the writer does not panic");
    });
}

#[test]
fn who_answers_sees_what_was_written_before_the_ring() {
    hand_over(Exact);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_ring_that_orders_nothing_hands_nothing_over() {
    hand_over(Loose);
}
