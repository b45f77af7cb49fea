//! The platform layer as the runtime could use it, in kernels built with the feature `scenarios` only. The
//! runtime that there is remaps nothing, because only its pooling allocator does, which wants `std`.

use alloc::sync::Arc;
use core::ptr::null_mut;

use log::{error, info};
use luge_native::settings::{MEMORY_GUARD, MEMORY_SPAN};
use luge_sandbox::Outcome;
use luge_trap::Trap;

use super::memory::{
    EXECUTE, READ, WRITE, wasmtime_memory_image_free, wasmtime_memory_image_map_at,
    wasmtime_memory_image_new, wasmtime_mmap_new, wasmtime_mmap_remap, wasmtime_mprotect,
    wasmtime_munmap,
};
use crate::arch::paging::PAGE_BYTES;
use crate::arch::stand_in::wild_write;
use crate::mm;
use crate::mm::memories::Image;
use crate::sandbox::{Current, Workload};
use crate::scenario::{request_for, run};

const PAGE: usize = PAGE_BYTES as usize;
const STACK: u64 = 64 << 10;
/// All that may ever become accessible of a linear memory, in bytes.
const ALL: usize = (MEMORY_SPAN - 2 * MEMORY_GUARD) as usize;

/// Runs everything below in sandboxes, and reports what was not as it should be.
pub fn all() {
    let mut image = null_mut();
    let data = [b'i'; 2 * PAGE];
    // SAFETY: the pointer is to the data.
    let made = wasmtime_memory_image_new(data.as_ptr(), data.len(), &mut image);
    assert_eq!(made, 0, "there is memory for an image");
    let image = Shared(image);
    try_with(image);
    let before = mm::statistics();
    try_with(image);
    let after = mm::statistics();
    if before != after {
        error!("memory: {before:?}, then {after:?}");
    }
    wasmtime_memory_image_free(image.0);
    info!("platform: all tried");
}

fn try_with(image: Shared) {
    let out_of_bounds = Outcome::Trap(Trap::MemoryOutOfBounds);
    for (name, test, expected) in [
        ("blank", blank as Test, Outcome::Exit(0)),
        ("refused", refused, Outcome::Exit(0)),
        ("hidden", touch_what_is_hidden, out_of_bounds),
        ("unmapped", touch_what_is_unmapped, out_of_bounds),
    ] {
        let outcome = run(request_for(Arc::new(Trial { test, image }), STACK));
        if outcome != expected {
            error!("{name}: {outcome}");
        }
    }
}

#[derive(Clone, Copy)]
struct Shared(*mut Image);

// SAFETY: an image is never written to once it is made.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Gives 0, or the line of what was not as it should be.
type Test = fn(*mut Image) -> u32;

struct Trial {
    test: Test,
    image: Shared,
}

impl Workload for Trial {
    fn run(&self, _: Current) -> Outcome {
        Outcome::Exit((self.test)(self.image.0))
    }
}

/// Gives up a test with the number of the line.
macro_rules! expect {
    ($holds:expr) => {
        if !$holds {
            return line!();
        }
    };
}

/// A linear memory of four pages, with the image in the second and third: where its address space begins.
fn memory(image: *mut Image) -> *mut u8 {
    let mut span = null_mut();
    let base = |span: *mut u8| span.wrapping_add(MEMORY_GUARD as usize);
    let made = wasmtime_mmap_new(MEMORY_SPAN as usize, 0, &mut span) == 0
        && wasmtime_mprotect(base(span), 4 * PAGE, READ | WRITE) == 0
        && wasmtime_memory_image_map_at(image, base(span).wrapping_add(PAGE), 2 * PAGE) == 0;
    assert!(made, "there is room for a memory");
    base(span)
}

fn write(base: *mut u8, page: usize) {
    // SAFETY: the callers' pages are accessible, and nobody else's.
    unsafe { base.add(page * PAGE).write_volatile(b'w') };
}

fn read(base: *mut u8, page: usize) -> u8 {
    // SAFETY: as in `write`.
    unsafe { base.add(page * PAGE).read_volatile() }
}

fn reads(base: *mut u8) -> [u8; 4] {
    [0, 1, 2, 3].map(|page| read(base, page))
}

/// What is remapped reads as zero, and can be used; what is not stays.
fn blank(image: *mut Image) -> u32 {
    let base = memory(image);
    expect!(reads(base) == [0, b'i', b'i', 0]);
    write(base, 0);
    write(base, 1);
    expect!(wasmtime_mmap_remap(base.wrapping_add(PAGE), 2 * PAGE, READ | WRITE) == 0);
    expect!(reads(base) == [b'w', 0, 0, 0]);
    (0..4).for_each(|page| write(base, page));
    expect!(wasmtime_mmap_remap(base.wrapping_add(3 * PAGE), PAGE, READ | WRITE) == 0);
    expect!(reads(base) == [b'w', b'w', b'w', 0]);
    expect!(wasmtime_mmap_remap(base, ALL, 0) == 0);
    expect!(wasmtime_mprotect(base, 4 * PAGE, READ | WRITE) == 0);
    expect!(reads(base) == [0; 4]);
    0
}

/// What would not be what it is called, or is nobody's, is an error and changes nothing.
fn refused(image: *mut Image) -> u32 {
    let base = memory(image);
    let span = base.wrapping_sub(MEMORY_GUARD as usize);
    write(base, 3);
    expect!(wasmtime_mprotect(base, PAGE, READ | WRITE | EXECUTE) != 0);
    expect!(wasmtime_mprotect(base, PAGE, READ | EXECUTE) != 0);
    expect!(wasmtime_mprotect(span, PAGE, READ | WRITE) != 0);
    expect!(wasmtime_mprotect(base.wrapping_add(5 * PAGE), PAGE, READ | WRITE) != 0);
    expect!(wasmtime_mmap_remap(base, PAGE, READ | EXECUTE) != 0);
    expect!(wasmtime_mmap_remap(span, PAGE, 0) != 0);
    // A part of the image would stay; something behind the range would.
    expect!(wasmtime_mmap_remap(base, 2 * PAGE, READ | WRITE) != 0);
    expect!(wasmtime_mmap_remap(base, 3 * PAGE, 0) != 0);
    // There is nothing yet.
    expect!(wasmtime_mmap_remap(base.wrapping_add(4 * PAGE), PAGE, READ | WRITE) != 0);
    expect!(reads(base) == [0, b'i', b'i', b'w']);
    expect!(wasmtime_munmap(span, PAGE) != 0);
    expect!(wasmtime_munmap(span, MEMORY_SPAN as usize) == 0);
    expect!(wasmtime_munmap(span, MEMORY_SPAN as usize) != 0);
    0
}

fn touch_what_is_hidden(image: *mut Image) -> u32 {
    let base = memory(image);
    write(base, 3);
    expect!(wasmtime_mmap_remap(base.wrapping_add(3 * PAGE), ALL - 3 * PAGE, 0) == 0);
    expect!(read(base, 2) == b'i');
    wild_write(base.wrapping_add(3 * PAGE) as u64);
    line!()
}

fn touch_what_is_unmapped(image: *mut Image) -> u32 {
    let base = memory(image);
    write(base, 0);
    let span = base.wrapping_sub(MEMORY_GUARD as usize);
    expect!(wasmtime_munmap(span, MEMORY_SPAN as usize) == 0);
    wild_write(base as u64);
    line!()
}
