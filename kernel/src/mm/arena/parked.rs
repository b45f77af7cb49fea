//! Arenas that wait, with their instance in them, for the next sandbox of the same program.
//!
//! A parked arena is as its snapshot says and nobody's. It is given up for a newer one when there is no
//! place, and whenever somebody who needs memory or a slot would be refused otherwise.

use alloc::boxed::Box;

use luge_metrics::PoolMeter;

use super::Arena;
use crate::arch::lock::Lock;
use crate::mm::frames;

/// How many arenas are parked at most.
const PLACES: usize = 64;
/// And how much of all memory they may take: one part in so many.
const SHARE: usize = 16;

static POOL: Lock<Pool> = Lock::new(Pool {
    places: [const { None }; PLACES],
    frames: 0,
    oldest: 0,
});

/// How often there was an arena with an instance of the program in it.
pub static TAKES: PoolMeter = PoolMeter::new();

struct Pool {
    places: [Option<Parked>; PLACES],
    /// The sum of those that are parked.
    frames: u64,
    /// Where the next one is given up for a newer one.
    oldest: usize,
}

struct Parked {
    arena: Box<Arena>,
    /// Frames that are free again once it is given up.
    frames: u64,
}

impl Pool {
    fn take(&mut self, is_wanted: impl Fn(&Arena) -> bool) -> Option<Box<Arena>> {
        let is_wanted = |parked: &Parked| is_wanted(&parked.arena);
        let place = self
            .places
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(is_wanted))?;
        let parked = place.take()?;
        self.frames -= parked.frames;
        Some(parked.arena)
    }

    /// Parks an arena. Returns one that had to make room, maybe the same.
    fn put(&mut self, arena: Box<Arena>) -> Option<Box<Arena>> {
        let frames = arena.frames();
        let most = frames::counts().1 / SHARE;
        if (self.frames + frames) as usize > most {
            return Some(arena);
        }
        self.frames += frames;
        let empty = self.places.iter().position(Option::is_none);
        let place = empty.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % PLACES;
            self.oldest
        });
        let older = self.places[place].replace(Parked { arena, frames })?;
        self.frames -= older.frames;
        Some(older.arena)
    }
}

/// Parks an arena that has been restored.
pub(super) fn put(arena: Box<Arena>) {
    // Dropped only when the lock is not held any more.
    let older = POOL.lock().put(arena);
    drop(older);
}

/// An arena that a sandbox of `program` left, with the same limit.
pub(super) fn take(program: u64, limit: u64) -> Option<Box<Arena>> {
    let arena = POOL
        .lock()
        .take(|arena| arena.program() == program && arena.limit() == limit);
    TAKES.asked(arena.is_some());
    arena
}

/// Gives up a parked arena. False if there is none.
pub fn give_up_one() -> bool {
    let arena = POOL.lock().take(|_| true);
    arena.is_some()
}

/// What `attempt` gives; parked arenas are given up one by one while it gives nothing.
pub(super) fn or_without<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        let got = attempt();
        if got.is_some() || !give_up_one() {
            return got;
        }
    }
}

/// Gives up what is parked of a program that is about to go.
pub fn forget(program: u64) {
    while let Some(arena) = { POOL.lock().take(|arena| arena.program() == program) } {
        drop(arena);
    }
}

/// Gives up all of them.
#[cfg(feature = "scenarios")]
pub fn forget_all() {
    while give_up_one() {}
}

/// What parked arenas have, that would be free without them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle {
    /// How many there are.
    pub arenas: u32,
    /// Frames.
    pub frames: usize,
    /// Slots of linear memories.
    pub memories: u32,
    /// Bytes of the kernel's heap.
    pub heap_bytes: usize,
}

/// What they have now.
#[must_use]
pub fn idle() -> Idle {
    let pool = POOL.lock();
    let arenas = pool.places.iter().flatten().count();
    let memories = pool
        .places
        .iter()
        .flatten()
        .map(|parked| parked.arena.memories());
    Idle {
        arenas: arenas as u32,
        memories: memories.sum(),
        frames: pool.frames as usize,
        heap_bytes: arenas * size_of::<Arena>(),
    }
}
