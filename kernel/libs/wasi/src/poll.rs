//! `poll_oneoff`: waiting for clocks, and the readiness of streams and files, which are always ready.

use crate::clock::{Clock, From, Moment};
use crate::context::Context;
use crate::descriptor::{Descriptor, Object, Stream};
use crate::memory::Memory;
use crate::transfer::MOST_BUFFERS;
use crate::{Errno, Host, right};

/// Size of a `subscription`: user data, tag at 8; clock: id at 16, timeout at 24, precision at 32,
/// flags at 40; stream: descriptor at 16.
const SUBSCRIPTION: u32 = 48;
/// Size of an `event`: user data, errno at 8, type at 10, bytes at 16, flags at 24.
const EVENT: u32 = 32;
/// `eventrwflags`: there will be no more.
const HANG_UP: u8 = 1;
/// Bytes that a write is said to take without waiting.
const WRITABLE: u64 = 4096;

/// Subscriptions that are looked at before others may run.
const AT_ONCE: u32 = 128;

/// What one subscription amounts to at the moment of the call.
enum State {
    /// It has happened, or cannot: errno, bytes, flags.
    Now(Errno, u64, u8),
    /// It will happen at this monotonic time.
    At(u64),
}

struct Subscription([u8; SUBSCRIPTION as usize]);

impl Subscription {
    fn u32_at(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.0[offset..offset + 4].try_into().unwrap_or_default())
    }

    fn u64_at(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.0[offset..offset + 8].try_into().unwrap_or_default())
    }

    fn event(&self, errno: Errno, bytes: u64, flags: u8) -> [u8; EVENT as usize] {
        let mut event = [0; EVENT as usize];
        event[..8].copy_from_slice(&self.0[..8]);
        event[8..10].copy_from_slice(&(errno.code() as u16).to_le_bytes());
        event[10] = self.0[8];
        event[16..24].copy_from_slice(&bytes.to_le_bytes());
        event[24] = flags;
        event
    }
}

impl<H: Host> Context<H> {
    /// Waits until at least one of the subscriptions has happened, and writes one event for each
    /// that has. If a stream is among them nothing waits: streams are always ready.
    pub(crate) fn poll(&mut self, memory: &mut Memory, call: &Poll) -> Result<(), Errno> {
        call.check(memory)?;
        let start = Moment::now(&mut self.host);
        let mut first_ns = u64::MAX;
        for index in 0..call.count {
            first_ns = match self.state(&call.subscription(memory, index)?, start)? {
                State::Now(..) => 0,
                State::At(at_ns) => first_ns.min(at_ns),
            };
            if first_ns == 0 {
                break;
            }
            self.breathe_at(index)?;
        }
        let now_ns = self.wait_until(first_ns, start);
        call.answer(memory, now_ns, |index, subscription| {
            self.breathe_at(index)?;
            self.state(subscription, start)
        })
    }

    fn breathe_at(&self, index: u32) -> Result<(), Errno> {
        match index % AT_ONCE == AT_ONCE - 1 && !self.host.breathe() {
            true => Err(Errno::Interrupted),
            false => Ok(()),
        }
    }

    /// Sleeps if need be, and answers the time it is then. A sleep that was cut short counts as done:
    /// the command is not wanted any more, and one event must be there.
    fn wait_until(&mut self, deadline_ns: u64, start: Moment) -> u64 {
        if deadline_ns > start.monotonic_ns {
            self.host.sleep_until(deadline_ns);
        }
        self.host.monotonic_ns().max(deadline_ns)
    }

    fn state(&self, subscription: &Subscription, start: Moment) -> Result<State, Errno> {
        let (right, writes) = match subscription.0[8] {
            0 => return Ok(subscription.clock(start)),
            1 => (right::READ, false),
            2 => (right::WRITE, true),
            _ => return Err(Errno::Invalid),
        };
        let descriptor = match self.descriptors.get(subscription.u32_at(16)) {
            Ok(descriptor) => descriptor,
            Err(errno) => return Ok(State::Now(errno, 0, 0)),
        };
        let allowed = descriptor.allow(right).and(descriptor.allow(right::POLL));
        Ok(match allowed {
            Err(errno) => State::Now(errno, 0, 0),
            Ok(()) if writes => State::Now(Errno::Success, WRITABLE, 0),
            Ok(()) => self.readable(descriptor),
        })
    }

    /// How much can be read; nothing more of a body is a hang-up.
    fn readable(&self, descriptor: &Descriptor) -> State {
        match descriptor.object {
            Object::Stream(Stream::Null) => State::Now(Errno::Success, 0, HANG_UP),
            Object::Stream(Stream::Body) if self.unread().is_empty() => {
                State::Now(Errno::Success, 0, HANG_UP)
            }
            Object::File(place) => match self.attributes(place) {
                Ok(file) => {
                    let rest = file.size.saturating_sub(descriptor.position);
                    State::Now(Errno::Success, rest, 0)
                }
                Err(errno) => State::Now(errno, 0, 0),
            },
            _ => State::Now(Errno::Success, self.unread().len() as u64, 0),
        }
    }
}

impl Subscription {
    fn clock(&self, start: Moment) -> State {
        let from = match self.u32_at(40) & 1 {
            0 => From::Now,
            _ => From::Start,
        };
        let deadline_ns = Clock::of(self.u32_at(16))
            .and_then(|clock| clock.deadline_ns(self.u64_at(24), from, start));
        match deadline_ns {
            Ok(deadline_ns) => State::At(deadline_ns),
            Err(errno) => State::Now(errno, 0, 0),
        }
    }
}

/// The arguments of `poll_oneoff`.
pub(crate) struct Poll {
    pub(crate) subscriptions: u32,
    pub(crate) events: u32,
    pub(crate) count: u32,
    /// Where the number of events goes.
    pub(crate) happened: u32,
}

impl Poll {
    fn check(&self, memory: &mut Memory) -> Result<(), Errno> {
        if self.count == 0 || self.count > MOST_BUFFERS {
            return Err(Errno::Invalid);
        }
        memory.bytes(self.subscriptions, self.count * SUBSCRIPTION)?;
        memory.bytes(self.events, self.count * EVENT)?;
        memory.bytes(self.happened, 4)?;
        Ok(())
    }

    fn subscription(&self, memory: &Memory, index: u32) -> Result<Subscription, Errno> {
        let pointer = Memory::element(self.subscriptions, index, SUBSCRIPTION)?;
        memory.array(pointer).map(Subscription)
    }

    /// Writes an event for each subscription that has happened by `now_ns`. A guest may have put the
    /// events where the subscriptions are: an event is smaller, so none is overwritten unread.
    fn answer(
        &self,
        memory: &mut Memory,
        now_ns: u64,
        state: impl Fn(u32, &Subscription) -> Result<State, Errno>,
    ) -> Result<(), Errno> {
        let mut happened = 0;
        for index in 0..self.count {
            let subscription = self.subscription(memory, index)?;
            let event = match state(index, &subscription)? {
                State::Now(errno, bytes, flags) => subscription.event(errno, bytes, flags),
                State::At(at_ns) if at_ns <= now_ns => subscription.event(Errno::Success, 0, 0),
                State::At(_) => continue,
            };
            memory.put(Memory::element(self.events, happened, EVENT)?, event)?;
            happened += 1;
        }
        memory.put_u32(self.happened, happened)
    }
}
