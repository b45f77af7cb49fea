//! What a command needs of WASI, and no more: its body, its answer, memory, and an end.
//!
//! A command that uses it is a `_start` without `main`:
//!
//! ```ignore
//! #[unsafe(no_mangle)]
//! extern "C" fn _start() {
//!     small::write(b"hello\n");
//! }
//! ```
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_read(descriptor: u32, list: *const Buffer, count: u32, done: *mut u32) -> u32;
    fn fd_write(descriptor: u32, list: *const Buffer, count: u32, done: *mut u32) -> u32;
    fn proc_exit(code: u32) -> !;
}

/// `iovec`: where bytes are, or go.
#[repr(C)]
struct Buffer {
    pointer: *const u8,
    length: usize,
}

const STDIN: u32 = 0;
const STDOUT: u32 = 1;

/// Reads some of the body; 0 bytes is its end.
pub fn read(bytes: &mut [u8]) -> usize {
    let list = Buffer {
        pointer: bytes.as_ptr(),
        length: bytes.len(),
    };
    let mut done = 0;
    // SAFETY: the list is one buffer of writable bytes, and `done` is writable.
    let errno = unsafe { fd_read(STDIN, &list, 1, &mut done) };
    if errno == 0 { done as usize } else { exit(1) }
}

/// Answers with `bytes`. Ends the command with code 1 if nobody takes them.
pub fn write(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let list = Buffer {
            pointer: bytes.as_ptr(),
            length: bytes.len(),
        };
        let mut done = 0;
        // SAFETY: the list is one buffer of readable bytes, and `done` is writable.
        let errno = unsafe { fd_write(STDOUT, &list, 1, &mut done) };
        if errno != 0 {
            exit(1);
        }
        bytes = &bytes[done as usize..];
    }
}

/// Ends the command.
pub fn exit(code: u32) -> ! {
    // SAFETY: it has no conditions, and does not return.
    unsafe { proc_exit(code) }
}

/// Writes `value` in decimal into `text` and returns the part that it fills.
pub fn decimal(mut value: u32, text: &mut [u8; 10]) -> &[u8] {
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &text[start..];
        }
    }
}

/// A command that panics reaches the instruction that is not to be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    wasm32::unreachable()
}

/// Memory that is never given back: a command's life is one request.
struct Bump;

#[global_allocator]
static BUMP: Bump = Bump;

/// Where the next block may be; 0 before the first.
static NEXT: AtomicUsize = AtomicUsize::new(0);

const PAGE: usize = 65536;

// SAFETY: blocks lie one after the other in pages that the memory grew by, so none overlaps another
// or anything else.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = wasm32::memory_size::<0>() * PAGE;
        let next = match NEXT.load(Relaxed) {
            0 => size,
            next => next,
        };
        let start = next.next_multiple_of(layout.align());
        let end = start + layout.size();
        if end > size {
            let pages = (end - size).div_ceil(PAGE);
            if wasm32::memory_grow::<0>(pages) == usize::MAX {
                return core::ptr::null_mut();
            }
        }
        NEXT.store(end, Relaxed);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
