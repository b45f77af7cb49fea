//! What modules cost the interpreter, measured: `luge_module::cost` says it beforehand.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::engine::wasmi::{new_engine, translate};

thread_local! {
    /// Bytes that this thread has, and the most that it ever had.
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (held, most) = HELD.get();
        let held = held.wrapping_add(layout.size());
        HELD.set((held, most.max(held)));
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (held, most) = HELD.get();
        HELD.set((held.wrapping_sub(layout.size()), most));
        // SAFETY: the caller's promise about the block is handed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The most memory that validating and translating a module takes, in bytes.
fn peak(wasm: &[u8]) -> usize {
    // A thread of its own, since what others release here was never counted.
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            let engine = new_engine();
            let (before, _) = HELD.get();
            HELD.set((before, before));
            let module = translate(&engine, wasm).expect("it is right");
            let (_, most) = HELD.get();
            drop(module);
            most - before
        });
        measured.join().expect("it is measured")
    })
}

/// A number in LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A section of so many parts.
fn section(number: u8, parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let parts: Vec<_> = parts.collect();
    let contents = [leb(parts.len()), parts.concat()].concat();
    [vec![number], leb(contents.len()), contents].concat()
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

fn times(part: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    std::iter::repeat_n(part.to_vec(), count)
}

/// A type of so many parameters, in which a number is written.
fn numbered_type(number: usize, parameters: usize) -> Vec<u8> {
    let kinds = (0..parameters).map(|bit| 0x7f - (number >> bit.min(63) & 1) as u8);
    [0x60]
        .into_iter()
        .chain(leb(parameters))
        .chain(kinds)
        .chain([0])
        .collect()
}

/// Modules of many things of one kind.
fn of_one_kind(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    let plain = || section(1, times(&[0x60, 0, 0], 1));
    let memory = || section(5, times(&[0, 1], 1));
    let functions = |bytes: usize| {
        let body = [leb(bytes + 2), vec![0], vec![1; bytes], vec![0x0b]].concat();
        module(&[
            plain(),
            section(3, times(&[0], count)),
            section(10, times(&body, count)),
        ])
    };
    let one = || {
        (
            section(3, times(&[0], 1)),
            section(10, times(&[2, 0, 0x0b], 1)),
        )
    };
    let exports = (0..count).map(|number| {
        let name = format!("{number:x}");
        [leb(name.len()), name.into_bytes(), vec![0, 0]].concat()
    });
    let (types, code) = one();
    let exports = module(&[plain(), types.clone(), section(7, exports), code.clone()]);
    let list = [vec![1, 0], leb(count), vec![0; count]].concat();
    let list = module(&[plain(), types, section(9, std::iter::once(list)), code]);
    vec![
        ("functions of no code", functions(0)),
        ("functions of 40 bytes", functions(36)),
        (
            "equal types",
            module(&[section(1, times(&[0x60, 0, 0], count))]),
        ),
        (
            "types",
            module(&[section(
                1,
                (0..count).map(|number| numbered_type(number, 24)),
            )]),
        ),
        (
            "long types",
            module(&[section(
                1,
                (0..count / 4).map(|number| numbered_type(number, 128)),
            )]),
        ),
        (
            "globals",
            module(&[section(6, times(&[0x7f, 1, 0x41, 0, 0x0b], count))]),
        ),
        (
            "element segments",
            module(&[section(9, times(&[1, 0, 0], count))]),
        ),
        ("functions in one element segment", list),
        (
            "passive data segments",
            module(&[section(11, times(&[1, 0], count))]),
        ),
        (
            "data segments",
            module(&[
                memory(),
                section(11, times(&[0, 0x41, 0, 0x0b, 4, 1, 2, 3, 4], count)),
            ]),
        ),
        ("one long data segment", {
            let long = [vec![0, 0x41, 0, 0x0b], leb(count * 16), vec![7; count * 16]].concat();
            module(&[memory(), section(11, std::iter::once(long))])
        }),
        ("exports", exports),
        ("imports", {
            let import = |number| {
                [
                    vec![0],
                    leb(4),
                    format!("{number:04x}").into_bytes(),
                    vec![0, 0],
                ]
                .concat()
            };
            module(&[plain(), section(2, (0..count).map(import))])
        }),
    ]
}

#[test]
fn no_module_of_many_things_costs_more_than_is_said_and_reserved() {
    // Also just behind a power of two, when vectors have doubled.
    for count in [10_000, (1 << 14) + 1] {
        for (what, wasm) in of_one_kind(count) {
            let (said, found) = (luge_module::cost(&wasm).bytes as usize, peak(&wasm));
            println!("{count} {what}: {said} said, {found} found");
            assert!(
                found <= said,
                "{count} {what}: {found} bytes, and {said} were said"
            );
            // A figure that is much too high refuses what would run.
            assert!(
                said < 12 * found + 4096,
                "{count} {what}: {found} bytes, and {said} were said"
            );
        }
    }
}
