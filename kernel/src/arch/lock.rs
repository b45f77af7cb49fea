//! Locks that the fault verdict knows about.
//!
//! Key type: [`Lock`]. The kernel is never preempted while it runs its own code, so on one CPU a
//! lock is never found taken; it is there for later CPUs, and to count: a fault while the count is
//! not zero can have left something half-changed, and stops the kernel.
//!
//! Invariant: no lock is held across a switch to another context. [`super::switch`] asserts it.

use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::Relaxed;

use super::per_cpu;

/// A spin lock whose holders are counted per CPU. Interrupt handlers must not take it.
pub struct Lock<T> {
    inner: spin::Mutex<T>,
}

/// Holds the lock and the count.
pub struct LockGuard<'a, T> {
    inner: spin::MutexGuard<'a, T>,
}

impl<T> Lock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            inner: spin::Mutex::new(value),
        }
    }

    /// Takes the lock, spinning while another CPU has it.
    pub fn lock(&self) -> LockGuard<'_, T> {
        per_cpu::this().locks_held.fetch_add(1, Relaxed);
        LockGuard {
            inner: self.inner.lock(),
        }
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        // The field is dropped after this, a few instructions later: a fault in between would be
        // judged as if the lock were free, but nothing in between touches memory that can fault.
        per_cpu::this().locks_held.fetch_sub(1, Relaxed);
    }
}
