//! Deployments that run out of memory at every point where they can.

use alloc::sync::Arc;
use alloc::vec::Vec;

use log::{error, info};
use luge_sandbox::Outcome;
use luge_trap::Trap;

use crate::functions;
use crate::mm::allocator::failing;
use crate::sandbox::making::{Making, Unmade};
use crate::sandbox::{self, Workload};

/// How often the function of the module does the same. What the engine makes of it is larger than what an arena
/// refuses at once, which the engine expects, and says in words of its own.
const STEPS: usize = 8_000;

/// Translates a good module again and again, each time with another allocation failing. It may be translated all
/// the same, or not, but is never no good.
pub(super) fn with_failing_allocations() {
    let module = long_function();
    let (mut point, mut ended) = (0, 0);
    loop {
        failing::arm(point);
        let made = make(module.clone());
        if !failing::reached() {
            break;
        }
        match made {
            Ok(_) => {}
            Err(Unmade::Ended(Outcome::Trap(Trap::OutOfMemory))) => ended += 1,
            Err(Unmade::Ended(other)) => error!("allocation {point} failed: {other}"),
            Err(Unmade::Refused(why)) => error!("allocation {point} failed: {why}"),
        }
        point += 1;
    }
    let last = make(module).is_ok();
    info!("failing deployments: {point} points, {ended} out of memory, then made: {last}");
}

fn make(module: Vec<u8>) -> Result<Arc<dyn Workload>, Unmade> {
    let memory = functions::memory_for_upload(&module).unwrap_or_else(|why| panic!("{why}"));
    let making = Making::begin(functions::of_upload, module.into(), memory);
    let making = making.expect("there is room for one sandbox");
    loop {
        if let Some(end) = making.end() {
            return end;
        }
        if !sandbox::run_next() {
            making.cancel();
        }
    }
}

/// A command whose one function is long.
fn long_function() -> Vec<u8> {
    // One local of type i32, which each step multiplies by 77.
    let mut body = Vec::from([1, 1, 0x7f]);
    for _ in 0..STEPS {
        body.extend_from_slice(&[0x20, 0, 0x41, 0xcd, 0, 0x6c, 0x21, 0]);
    }
    body.push(0x0b);
    let mut code = Vec::from([1]);
    code.extend_from_slice(&length(body.len()));
    code.append(&mut body);
    let mut module = Vec::from(*b"\0asm\x01\0\0\0");
    // Types, functions, memories and exports: one function without parameters, one memory of a page.
    module.extend_from_slice(&[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1]);
    module.extend_from_slice(b"\x07\x13\x02\x06memory\x02\0\x06_start\0\0");
    module.push(10);
    module.extend_from_slice(&length(code.len()));
    module.append(&mut code);
    module
}

/// A length in LEB128, in four bytes.
fn length(bytes: usize) -> [u8; 4] {
    let part = |number: usize| (bytes >> (7 * number)) as u8 & 0x7f;
    [part(0) | 0x80, part(1) | 0x80, part(2) | 0x80, part(3)]
}
