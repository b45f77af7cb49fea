//! What a sandbox writes, on its way to its client.
//!
//! Bytes are copied once, out of linear memory into buffers of the kernel's heap, and the buffers
//! are then moved to whoever sends them. A sandbox that writes faster than its client reads waits.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use luge_sandbox::{Event, Outcome, State, Wait};
use luge_sched::Comeback;
use x86_64::instructions::interrupts;

use super::{Departure, Sandbox};
use crate::arch::paging::PAGE_BYTES;
use crate::arch::time::Instant;
use crate::arch::{per_cpu, switch};
use crate::mm::{frames, heap};
use crate::observe::steps;
use crate::sched;

/// Bytes that may wait to be sent before the sandbox has to.
const WINDOW: usize = 256 << 10;
/// Small writes are gathered into buffers of this many bytes. So much each sandbox may have waiting, however
/// much the others have.
const BUFFER: usize = 16 << 10;

/// What all sandboxes together may have waiting: this part of all memory. The kernel's heap does not
/// shrink, so what output takes once is lost for sandboxes.
const SHARE: usize = 16;

/// Bytes that wait, in all sandboxes.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How long a sandbox waits for memory when it has too little waiting for anybody to take it.
const RETRY_NS: u64 = 1_000_000;

fn machine_has_room(bytes: usize) -> bool {
    let (_, frames) = frames::counts();
    WAITING.load(Relaxed) + bytes <= frames * PAGE_BYTES as usize / SHARE
}

/// What became of a write.
enum Pushed {
    /// So many bytes were taken; the rest can never be.
    AllThatMayBe(usize),
    /// So many were taken; there is no more room now.
    Full(usize),
}

pub(super) struct Output {
    buffers: VecDeque<Vec<u8>>,
    queued: usize,
    /// What may still be written at all.
    allowance: u64,
}

impl Output {
    pub(super) const fn new(allowance: u64) -> Self {
        Self {
            buffers: VecDeque::new(),
            queued: 0,
            allowance,
        }
    }

    /// Takes as much of `bytes` as fits the window, the machine and the allowance.
    fn push(&mut self, bytes: &[u8]) -> Pushed {
        let allowance = usize::try_from(self.allowance).unwrap_or(usize::MAX);
        let wanted = &bytes[..bytes.len().min(allowance)];
        let taken = &wanted[..wanted.len().min(WINDOW - self.queued)];
        let taken = if machine_has_room(taken.len()) {
            taken
        } else {
            &taken[..taken.len().min(BUFFER.saturating_sub(self.queued))]
        };
        if self.store(taken).is_none() {
            return Pushed::Full(0);
        }
        WAITING.fetch_add(taken.len(), Relaxed);
        self.queued += taken.len();
        self.allowance -= taken.len() as u64;
        if taken.len() < wanted.len() {
            Pushed::Full(taken.len())
        } else {
            Pushed::AllThatMayBe(taken.len())
        }
    }

    /// Appends to the last buffer if it has room, else makes a new one. None without memory.
    fn store(&mut self, bytes: &[u8]) -> Option<()> {
        if let Some(last) = self.buffers.back_mut()
            && last.len() + bytes.len() <= last.capacity()
        {
            last.extend_from_slice(bytes);
            return Some(());
        }
        if bytes.is_empty() {
            return Some(());
        }
        // The first buffer is just as large as it must be: most answers are one write.
        let least = if self.buffers.is_empty() { 0 } else { BUFFER };
        let mut buffer = Vec::new();
        let reserved = heap::refusable(|| {
            buffer.try_reserve_exact(bytes.len().max(least))?;
            self.buffers.try_reserve(1)
        });
        reserved.ok()?;
        buffer.extend_from_slice(bytes);
        self.buffers.push_back(buffer);
        Some(())
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop_front()?;
        self.queued -= buffer.len();
        WAITING.fetch_sub(buffer.len(), Relaxed);
        Some(buffer)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl Sandbox {
    /// Writes to the output, waiting for room. Returns how many bytes were taken: less than asked
    /// for only when the sandbox is to end, for instance for having written more than it may.
    ///
    /// Called by the sandbox itself, inside the gate.
    pub fn write_output(&self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() && self.doom.lock().is_none() {
            let pushed = self.output.lock().push(&bytes[written..]);
            sched::want_attention();
            match pushed {
                Pushed::AllThatMayBe(taken) => {
                    written += taken;
                    if written < bytes.len() {
                        // An answer that is cut off is none, whatever the guest would do next.
                        self.doom.lock().get_or_insert(Outcome::ResponseTooLong);
                    }
                    return written;
                }
                Pushed::Full(taken) => written += taken,
            }
            self.wait(if self.output_queued() >= BUFFER {
                Wait::Output
            } else {
                Wait::Until(Instant::now().plus_ns(RETRY_NS).as_ns())
            });
        }
        written
    }

    /// Sleeps until `moment`, or until the sandbox is to end.
    ///
    /// Called by the sandbox itself, inside the gate.
    pub fn sleep_until(&self, moment: Instant) {
        while Instant::now() < moment && self.doom.lock().is_none() {
            self.wait(Wait::Until(moment.as_ns()));
        }
    }

    /// Gives the CPU back and wants it again at once. False if the sandbox is to end.
    ///
    /// Called by the sandbox itself.
    pub fn step_aside(&self) -> bool {
        self.wait(Wait::Until(0));
        self.doom.lock().is_none()
    }

    /// Gives the CPU to who should have it, if an interrupt said so since the sandbox has it. For long host calls, between
    /// two parts. False if the sandbox is to end.
    ///
    /// Called by the sandbox itself, inside the gate.
    pub fn breathe(&self) -> bool {
        steps::end_of_part();
        if per_cpu::this().preemption_due.load(Relaxed) {
            interrupts::disable();
            // SAFETY: the sandbox itself calls, with interrupts off and no lock held.
            unsafe { switch::leave() };
            interrupts::enable();
        }
        self.doom.lock().is_none()
    }

    /// The next buffer of output, moved out. Called by the dispatcher's side.
    #[must_use]
    pub fn take_output(&self) -> Option<Vec<u8>> {
        let buffer = self.output.lock().pop()?;
        if self.state() == State::Blocked(Wait::Output) {
            self.wake_up();
        }
        Some(buffer)
    }

    /// Bytes that wait to be taken.
    #[must_use]
    pub fn output_queued(&self) -> usize {
        self.output.lock().queued
    }

    /// Whether what waits is as much as will be gathered: a buffer full, or all that there will be. To take
    /// less each time is to have a buffer for every byte.
    #[must_use]
    pub fn output_is_gathered(&self) -> bool {
        self.output_queued() >= BUFFER || self.outcome().is_some()
    }

    /// Gives the CPU back until what it waits for is there.
    fn wait(&self, wait: Wait) {
        interrupts::disable();
        *self.departure.lock() = Some(Departure::Blocked(wait));
        // SAFETY: the sandbox itself calls, with interrupts off and no lock held.
        unsafe { switch::leave() };
        interrupts::enable();
    }

    pub(super) fn forget_alarm(&self) {
        let alarm = self.alarm.lock().take();
        if let Some(moment) = alarm {
            sched::forget_wake(self.task(), moment);
        }
    }

    /// Puts a blocked sandbox back into the queue.
    pub(super) fn wake_up(&self) {
        let State::Blocked(wait) = self.state() else {
            return;
        };
        self.forget_alarm();
        let now = Instant::now();
        self.happened_at(Event::Woken, now);
        if wait == Wait::Output {
            self.has_been_read();
        }
        self.queue(Comeback::Woken, now);
    }
}
