//! The runtime's locks, counted like the kernel's own.
//!
//! A lock is a word in the runtime's memory, zero when nobody holds it. The count is what keeps a
//! sandbox from being preempted or abandoned while it holds one: the interrupt handler tries again
//! later, and a fault is the kernel's. So on one CPU a lock is never found taken.

use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::arch::per_cpu;
use crate::mm::allocator;

/// Held for writing, or exclusively. Other values count the readers.
const EXCLUSIVE: usize = usize::MAX;

fn word<'a>(lock: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the runtime passes a pointer to a word of its own that is used for nothing else and lives
    // as long as the call.
    unsafe { AtomicUsize::from_ptr(lock) }
}

/// Takes the lock once `next` gives a new value for the one that it has.
fn take(lock: *mut usize, next: impl Fn(usize) -> Option<usize>) {
    // Overflowing the stack with a lock held would be the kernel's end; here it is the sandbox's.
    allocator::check_stack();
    per_cpu::this().locks_held.fetch_add(1, Relaxed);
    while word(lock).fetch_update(Acquire, Relaxed, &next).is_err() {
        core::hint::spin_loop();
    }
}

fn done() {
    per_cpu::this().locks_held.fetch_sub(1, Relaxed);
}

fn take_exclusively(lock: *mut usize) {
    take(lock, |value| (value == 0).then_some(EXCLUSIVE));
}

fn release_exclusive(lock: *mut usize) {
    word(lock).store(0, Release);
    done();
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_acquire(lock: *mut usize) {
    take_exclusively(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_release(lock: *mut usize) {
    release_exclusive(lock);
}

/// A lock is a word of the runtime's own memory: there is nothing to free.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_free(_: *mut usize) {}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_read(lock: *mut usize) {
    take(lock, |value| (value != EXCLUSIVE).then_some(value + 1));
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_read_release(lock: *mut usize) {
    word(lock).fetch_sub(1, Release);
    done();
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_write(lock: *mut usize) {
    take_exclusively(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_write_release(lock: *mut usize) {
    release_exclusive(lock);
}

/// As for [`wasmtime_sync_lock_free`].
#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_free(_: *mut usize) {}
