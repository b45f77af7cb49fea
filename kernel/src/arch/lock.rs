//! Locks that the fault verdict knows about.
//!
//! Key type: [`Lock`]. The kernel is never preempted while it runs its own code, so on one CPU a
//! lock is never found taken; it is there for later CPUs, and to count: a fault while the count is
//! not zero can have left something half-changed, and stops the kernel.
//!
//! Invariant: no lock is held across a switch to another context; [`super::switch`] asserts it.

use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::Relaxed;

use super::{interrupts, per_cpu};

/// A spin lock whose holders are counted per CPU. Interrupt handlers must not take it.
pub struct Lock<T> {
    inner: spin::Mutex<T>,
}

/// Holds the lock and the count.
pub struct LockGuard<'a, T> {
    inner: ManuallyDrop<spin::MutexGuard<'a, T>>,
}

/// Marks work on a sandbox's behalf that must be neither interrupted half-way nor abandoned, as if a
/// lock were held.
pub struct Critical(());

impl<T> Lock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            inner: spin::Mutex::new(value),
        }
    }

    /// Opens the lock whoever holds it.
    ///
    /// # Safety
    /// The holder, if any, must never run again.
    pub unsafe fn seize(&self) {
        // SAFETY: the caller promises that the holder is gone for good.
        unsafe { self.inner.force_unlock() };
    }

    /// Where the value lies, for a debugger.
    pub fn place(&self) -> *mut T {
        core::ptr::from_ref(&*self.lock()).cast_mut()
    }

    /// Takes the lock, unless it is taken.
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        let held = &per_cpu::this().locks_held;
        held.fetch_add(1, Relaxed);
        let Some(inner) = self.inner.try_lock() else {
            held.fetch_sub(1, Relaxed);
            return None;
        };
        Some(LockGuard {
            inner: ManuallyDrop::new(inner),
        })
    }

    /// Takes the lock, spinning while another CPU has it.
    // Each switch takes some dozen locks, and a call for each is a fifth of what it takes.
    #[inline(always)]
    pub fn lock(&self) -> LockGuard<'_, T> {
        per_cpu::this().locks_held.fetch_add(1, Relaxed);
        LockGuard {
            inner: ManuallyDrop::new(self.inner.lock()),
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
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the guard is dropped here and nowhere else, and not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        // Only now: as long as the lock is held, a fault must be judged so.
        per_cpu::this().locks_held.fetch_sub(1, Relaxed);
    }
}

impl Critical {
    /// From here on, until the value is dropped.
    #[must_use]
    pub fn enter() -> Self {
        per_cpu::this().locks_held.fetch_add(1, Relaxed);
        Self(())
    }

    /// A point at which everything is consistent: the CPU may be taken, or the sandbox ended, here.
    pub fn breathe(&self) {
        let held = &per_cpu::this().locks_held;
        held.fetch_sub(1, Relaxed);
        interrupts::preemption_point();
        per_cpu::this().locks_held.fetch_add(1, Relaxed);
    }
}

impl Drop for Critical {
    fn drop(&mut self) {
        per_cpu::this().locks_held.fetch_sub(1, Relaxed);
    }
}
