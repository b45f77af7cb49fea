//! Placeholder.
#![no_std]
#![no_main]
extern crate alloc;
use {acpi as _, bitflags as _, bootloader_api as _, ext4_view as _, smoltcp as _, wasmi as _};
struct A;
// SAFETY: placeholder.
unsafe impl core::alloc::GlobalAlloc for A {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}
#[global_allocator]
static G: A = A;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
