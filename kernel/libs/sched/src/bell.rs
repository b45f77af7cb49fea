//! The bell: how interrupt handlers tell the dispatcher that there is something to look at.
//!
//! It is all that the scheduler shares without a lock, since handlers may take none. States: *silent* and
//! *rung*. Who may do what:
//!
//! 1. A handler, or anybody with news, writes the news first and [rings](Bell::ring) then.
//! 2. The dispatcher [answers](Bell::answer) first and looks for news then. So whoever rings while it looks
//!    is heard the next time.
//! 3. The dispatcher halts the CPU only [if the bell is silent](Bell::if_silent), asked with interrupts off,
//!    and lets interrupts in and halts in one step. So nobody rings between the question and the sleep.
//!
//! Memory orders: ringing releases what was written before it to who answers, which acquires it; with one CPU
//! the compiler alone has to be held back. `tests/bell.rs` runs every interleaving of this protocol, and of
//! what it would be with any of the three in the wrong order.

use core::sync::atomic::{AtomicBool, Ordering};

/// A flag that several may touch at once. There is one, [`AtomicBool`]; models of it find out what goes wrong.
pub trait Flag {
    /// What it is now.
    fn load(&self, order: Ordering) -> bool;
    /// Sets it.
    fn store(&self, value: bool, order: Ordering);
    /// Sets it, and says what it was.
    fn swap(&self, value: bool, order: Ordering) -> bool;
}

impl Flag for AtomicBool {
    #[inline]
    fn load(&self, order: Ordering) -> bool {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: bool, order: Ordering) {
        self.store(value, order);
    }

    #[inline]
    fn swap(&self, value: bool, order: Ordering) -> bool {
        self.swap(value, order)
    }
}

/// The bell.
pub struct Bell<F = AtomicBool>(F);

impl Bell {
    /// One that has been rung already: there is something to look at after the boot.
    #[must_use]
    pub const fn rung() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl<F: Flag> Bell<F> {
    /// A bell with this flag, which says whether it has been rung.
    pub const fn with(flag: F) -> Self {
        Self(flag)
    }

    /// There is news, which has been written. For interrupt handlers too: it neither waits nor locks.
    #[inline]
    pub fn ring(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether there is news; who asks looks at all of it now. Until somebody rings again there is none.
    #[inline]
    pub fn answer(&self) -> bool {
        self.0.swap(false, Ordering::Acquire)
    }

    /// Has the CPU halted by `halt` if nobody has rung. Interrupts are off; `halt` lets them in and sleeps in
    /// one step, and has them off again when it returns.
    #[inline]
    pub fn if_silent(&self, halt: impl FnOnce()) {
        if !self.0.load(Ordering::Acquire) {
            halt();
        }
    }
}
