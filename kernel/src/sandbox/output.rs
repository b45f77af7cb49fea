//! What a sandbox writes, on its way to its client.
//!
//! Bytes are copied once, out of linear memory into buffers of the kernel's heap, and the buffers
//! are then moved to whoever sends them. A sandbox that writes faster than its client reads waits.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use luge_sandbox::{Event, State, Wait};
use x86_64::instructions::interrupts;

use super::{Departure, Sandbox};
use crate::arch::switch;
use crate::arch::time::Instant;
use crate::sched;

/// Bytes that may wait to be sent before the sandbox has to.
const WINDOW: usize = 256 << 10;
/// Small writes are gathered into buffers of this many bytes.
const BUFFER: usize = 16 << 10;

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

    /// Takes as much of `bytes` as fits the window and the allowance.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let room = (WINDOW - self.queued).min(usize::try_from(self.allowance).unwrap_or(WINDOW));
        let bytes = &bytes[..bytes.len().min(room)];
        match self.buffers.back_mut() {
            Some(last) if last.len() + bytes.len() <= last.capacity() => {
                last.extend_from_slice(bytes);
            }
            _ if !bytes.is_empty() => {
                // The first buffer is just as large as it must be: most answers are one write.
                let least = if self.buffers.is_empty() { 0 } else { BUFFER };
                let mut buffer = Vec::with_capacity(bytes.len().max(least));
                buffer.extend_from_slice(bytes);
                self.buffers.push_back(buffer);
            }
            _ => {}
        }
        self.queued += bytes.len();
        self.allowance -= bytes.len() as u64;
        bytes.len()
    }
}

impl Sandbox {
    /// Writes to the output, waiting for room. Returns how many bytes were taken: less than asked
    /// for only when the sandbox is to end or its allowance is used up.
    ///
    /// Called by the sandbox itself, inside the gate.
    pub fn write_output(&self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() && self.doom.lock().is_none() {
            let (taken, full) = {
                let mut output = self.output.lock();
                (output.push(&bytes[written..]), output.queued >= WINDOW)
            };
            written += taken;
            sched::want_attention();
            if written < bytes.len() {
                if !full {
                    break;
                }
                self.wait(Wait::Output);
            }
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

    /// Gives the CPU back and wants it again at once.
    ///
    /// Called by the sandbox itself.
    pub fn step_aside(&self) {
        self.wait(Wait::Until(0));
    }

    /// The next buffer of output, moved out. Called by the dispatcher's side.
    #[must_use]
    pub fn take_output(&self) -> Option<Vec<u8>> {
        let buffer = {
            let mut output = self.output.lock();
            let buffer = output.buffers.pop_front()?;
            output.queued -= buffer.len();
            buffer
        };
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

    /// Gives the CPU back until what it waits for is there.
    fn wait(&self, wait: Wait) {
        interrupts::disable();
        *self.departure.lock() = Some(Departure::Blocked(wait));
        // SAFETY: the sandbox itself calls, with interrupts off and no lock held.
        unsafe { switch::leave() };
        interrupts::enable();
    }

    /// Puts a blocked sandbox back into the queue.
    pub(super) fn wake_up(&self) {
        if matches!(self.state(), State::Blocked(_)) {
            self.happened(Event::Woken);
            self.queue();
        }
    }
}
