//! Guests that choose their arguments badly on purpose.
//!
//! What every function here is held to: it returns an answer, it does not panic, it does not touch
//! a byte outside of memory (the language sees to that), and it does not take for ever.

mod world;

use luge_wasi::{Errno, Exit, Function, Parameter};
use world::{Command, PAGE, PATH};

/// Values that are wrong as a pointer, a length, a count, a descriptor or a flag, or just wrong
/// together: the start, misaligned, the last byte, the end, beyond it, and where sums overflow.
const HOSTILE: [u64; 16] = [
    0,
    1,
    2,
    3,
    7,
    0xfff9,
    0xffff,
    0x1_0000,
    0x1_0001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_fffc,
    0xffff_ffff,
    0x1_0000_0000,
    u64::MAX,
];

/// A deterministic generator (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_of(&mut self, values: &[u64]) -> u64 {
        values[self.next() as usize % values.len()]
    }
}

/// As the engine hands it over: a 32-bit argument has nothing above.
fn clip(parameter: Parameter, value: u64) -> u64 {
    match parameter {
        Parameter::I32 => value & 0xffff_ffff,
        Parameter::I64 => value,
    }
}

fn callable() -> impl Iterator<Item = Function> {
    Function::ALL.into_iter().filter(|f| f.returns_errno())
}

#[test]
fn every_function_survives_every_hostile_value_in_every_place() {
    for function in callable() {
        let parameters = function.parameters();
        for place in 0..parameters.len() {
            for others in HOSTILE {
                for value in HOSTILE {
                    let mut command = Command::with_files();
                    command.put(PATH, b"file");
                    let mut arguments: Vec<u64> =
                        parameters.iter().map(|p| clip(*p, others)).collect();
                    arguments[place] = clip(parameters[place], value);
                    let _ = command.call(function, &arguments);
                }
            }
        }
    }
}

#[test]
fn every_function_survives_random_arguments_on_random_memory() {
    let mut random = Random(1);
    let arguments = ["name", "30"];
    let environment = [("KEY", "value")];
    let mut command = Command::new(&arguments, &environment, &[9; 5000]);
    for round in 0..60_000 {
        if round % 100 == 0 {
            command
                .memory
                .iter_mut()
                .for_each(|byte| *byte = random.next() as u8);
            command = Command {
                memory: command.memory,
                ..Command::new(&arguments, &environment, &[9; 5000])
            };
            command.host().room = random.next() as usize % 64;
        }
        let function = Function::ALL[random.next() as usize % Function::ALL.len()];
        if !function.returns_errno() {
            continue;
        }
        let chosen: Vec<u64> = function
            .parameters()
            .iter()
            .map(|parameter| {
                let value = match random.next() % 4 {
                    0 => random.next(),
                    1 => random.one_of(&HOSTILE),
                    2 => random.next() % u64::from(PAGE),
                    _ => random.next() % 4,
                };
                clip(*parameter, value)
            })
            .collect();
        let _ = command.call(function, &chosen);
    }
}

/// Paths that lead somewhere, nowhere, out, round and round, or are none.
const PATHS: [&[u8]; 16] = [
    b"file",
    b"deep/inner",
    b"to-deep/../link",
    b"loop",
    b"out",
    b"absolute",
    b"../..",
    b"/",
    b".",
    b"a",
    b"a/b",
    b"a/../b/",
    b"\xff\xfe",
    b"nul\0nul",
    b"////",
    b"",
];

/// What the arguments of the calls on files are: a descriptor, a path and its length, a list of buffers
/// and its length, a place for results, a number of bytes, flags, rights, or a
/// word of 64 bits.
const SHAPES: [(Function, &[u8]); 31] = [
    (Function::FdAdvise, b"dwwf"),
    (Function::FdAllocate, b"dww"),
    (Function::FdClose, b"d"),
    (Function::FdDatasync, b"d"),
    (Function::FdFdstatGet, b"dr"),
    (Function::FdFdstatSetFlags, b"df"),
    (Function::FdFilestatGet, b"dr"),
    (Function::FdFilestatSetSize, b"dw"),
    (Function::FdFilestatSetTimes, b"dwwf"),
    (Function::FdPread, b"dbcwr"),
    (Function::FdPrestatGet, b"dr"),
    (Function::FdPrestatDirName, b"drn"),
    (Function::FdPwrite, b"dbcwr"),
    (Function::FdRead, b"dbcr"),
    (Function::FdReaddir, b"drnwr"),
    (Function::FdRenumber, b"dd"),
    (Function::FdSeek, b"dwfr"),
    (Function::FdSync, b"d"),
    (Function::FdTell, b"dr"),
    (Function::FdWrite, b"dbcr"),
    (Function::PathCreateDirectory, b"dpl"),
    (Function::PathFilestatGet, b"dfplr"),
    (Function::PathFilestatSetTimes, b"dfplwwf"),
    (Function::PathLink, b"dfpldpl"),
    (Function::PathOpen, b"dfplfWWfr"),
    (Function::PathReadlink, b"dplrnr"),
    (Function::PathRemoveDirectory, b"dpl"),
    (Function::PathRename, b"dpldpl"),
    (Function::PathSymlink, b"pldpl"),
    (Function::PathUnlinkFile, b"dpl"),
    // Twice as often, or little else would be open.
    (Function::PathOpen, b"dfplfWWfr"),
];

/// Arguments that make sense, most of them. Paths are 16 bytes apart from [`PATH`] on, the lists of
/// buffers follow.
fn sensible(random: &mut Random, shape: &[u8], lengths: &[u64; 4]) -> Vec<u64> {
    let mut path = 0;
    let mut one = |kind: &u8| {
        if random.next().is_multiple_of(32) {
            return random.one_of(&HOSTILE);
        }
        match kind {
            b'd' => 3 + random.next() % 6,
            b'p' => {
                path = random.next() as usize % 4;
                u64::from(PATH) + 16 * path as u64
            }
            b'l' => lengths[path],
            b'b' => u64::from(PATH) + 64,
            b'c' => 1 + random.next() % 2,
            b'r' => 0x2000,
            b'n' => random.next() % 300,
            b'f' => random.next() % 16,
            b'W' => (1 << 28) - 1,
            _ => random.next() % [16, 5_000, 1 << 21, 1 << 28][random.next() as usize % 4],
        }
    };
    shape.iter().map(&mut one).collect()
}

/// What is found, made, linked, moved and removed so is another tree every time.
#[test]
fn every_function_of_files_survives_random_arguments_on_a_random_tree() {
    let mut random = Random(2);
    let mut command = Command::with_files();
    let mut done = 0;
    for round in 0..100_000 {
        if round % 500 == 0 {
            command = Command::with_files();
        }
        let mut lengths = [0; 4];
        for (place, length) in lengths.iter_mut().enumerate() {
            let path = PATHS[random.next() as usize % PATHS.len()];
            command.put(PATH + 16 * place as u32, path);
            *length = path.len() as u64;
        }
        let buffers = [(0x3000, random.next() as u32 % 9_000), (0x4000, 3)];
        command.put_buffers(PATH + 64, &buffers);
        let (function, shape) = SHAPES[random.next() as usize % SHAPES.len()];
        // Or there would be nothing to work with.
        let closes = matches!(function, Function::FdClose | Function::FdRenumber);
        if closes && !random.next().is_multiple_of(8) {
            continue;
        }
        let arguments = sensible(&mut random, shape, &lengths);
        let parameters = function.parameters();
        let clipped = arguments.iter().zip(parameters).map(|(a, p)| clip(*p, *a));
        done += u32::from(command.call(function, &clipped.collect::<Vec<_>>()) == Errno::Success);
    }
    assert!(done > 5_000, "{done} calls did something");
}

#[test]
fn every_function_survives_a_guest_without_memory() {
    for function in callable() {
        for value in HOSTILE {
            let mut command = Command::with_files();
            command.memory.clear();
            let chosen: Vec<u64> = function
                .parameters()
                .iter()
                .map(|p| clip(*p, value))
                .collect();
            let _ = command.call(function, &chosen);
        }
    }
}

/// Where the paths `file` and `link` are in the calls below.
const FILE: u64 = 0x4000;
const LINK: u64 = 0x5000;

/// Every function with a pointer that it must follow, with one pointer made bad: which argument.
#[test]
fn a_bad_pointer_is_a_fault_in_every_function_that_follows_it() {
    use Function as F;
    let cases: &[(F, &[u64], &[usize])] = &[
        (F::ArgsGet, &[64, 128], &[0, 1]),
        (F::ArgsSizesGet, &[64, 128], &[0, 1]),
        (F::EnvironGet, &[64, 128], &[0, 1]),
        (F::EnvironSizesGet, &[64, 128], &[0, 1]),
        (F::ClockResGet, &[0, 64], &[1]),
        (F::ClockTimeGet, &[1, 1, 64], &[2]),
        (F::FdFdstatGet, &[1, 64], &[1]),
        (F::FdFilestatGet, &[1, 64], &[1]),
        (F::FdRead, &[0, 64, 1, 128], &[1, 3]),
        (F::FdWrite, &[1, 64, 1, 128], &[1, 3]),
        (F::PollOneoff, &[64, 512, 1, 1024], &[0, 1, 3]),
        (F::RandomGet, &[64, 16], &[0]),
        (F::FdPrestatGet, &[3, 64], &[1]),
        (F::FdPrestatDirName, &[4, 64, 4], &[1]),
        (F::FdReaddir, &[3, 512, 100, 0, 64], &[1, 4]),
        (F::FdSeek, &[6, 1, 0, 64], &[3]),
        (F::FdTell, &[6, 64], &[1]),
        (F::FdPread, &[6, 64, 1, 0, 128], &[1, 4]),
        (F::FdPwrite, &[6, 64, 1, 0, 128], &[1, 4]),
        (F::PathOpen, &[3, 1, FILE, 4, 0, 2, 0, 0, 64], &[2, 8]),
        (F::PathFilestatGet, &[3, 1, FILE, 4, 64], &[2, 4]),
        (F::PathFilestatSetTimes, &[4, 1, FILE, 4, 0, 0, 0], &[2]),
        (F::PathReadlink, &[3, LINK, 4, 512, 100, 64], &[1, 3, 5]),
        (F::PathCreateDirectory, &[4, FILE, 4], &[1]),
        (F::PathRemoveDirectory, &[4, FILE, 4], &[1]),
        (F::PathUnlinkFile, &[4, FILE, 4], &[1]),
        (F::PathRename, &[4, FILE, 4, 4, LINK, 4], &[1, 4]),
        (F::PathLink, &[4, 0, FILE, 4, 4, LINK, 4], &[2, 5]),
        (F::PathSymlink, &[FILE, 4, 4, LINK, 4], &[0, 3]),
    ];
    for (function, good, places) in cases {
        let mut command = Command::with_files();
        command.host().arguments = vec!["name".into()];
        command.host().environment = vec![("KEY".into(), "value".into())];
        assert_eq!(command.create("file", b"12"), 6);
        let set_up = |command: &mut Command| {
            command.put_buffers(64, &[(256, 4)]);
            command.put(FILE as u32, b"file");
            command.put(LINK as u32, b"link");
        };
        set_up(&mut command);
        assert_ne!(command.call(*function, good), Errno::Fault, "{function:?}");
        for place in *places {
            for bad in [
                u64::from(PAGE) - 1,
                PAGE.into(),
                0x7fff_ffff,
                0xffff_fffe,
                0xffff_ffff,
            ] {
                // The memory's last byte is a fine place for one byte.
                let mut chosen = good.to_vec();
                chosen[*place] = bad;
                set_up(&mut command);
                assert_eq!(
                    command.call(*function, &chosen),
                    Errno::Fault,
                    "{function:?} {chosen:x?}"
                );
            }
        }
    }
}

#[test]
fn a_call_that_fails_moves_no_byte() {
    let mut command = Command::with_body(b"body");
    command.put_buffers(64, &[(256, 4), (PAGE - 1, 2)]);
    assert_eq!(
        command.call(Function::FdRead, &[0, 64, 2, 128]),
        Errno::Fault
    );
    assert_eq!(
        command.call(Function::FdWrite, &[1, 64, 2, 128]),
        Errno::Fault
    );
    assert_eq!(command.bytes_at(256, 4), [0; 4]);
    assert!(command.host().response.is_empty());
}

/// Zig's empty slices point outside of memory.
#[test]
fn a_zero_length_buffer_outside_memory_is_a_success() {
    use Function as F;
    for place in [u64::from(PAGE), 0xaaaa_aaaa, 0xffff_ffff] {
        let mut command = Command::with_files();
        let file = u64::from(command.create("file", b"12"));
        command.put_buffers(64, &[(256, 4), (place as u32, 0), (256, 4)]);
        command.put(LINK as u32, b"link");
        let calls: &[(F, &[u64])] = &[
            (F::RandomGet, &[place, 0]),
            (F::FdRead, &[0, 64, 3, 128]),
            (F::FdRead, &[0, place, 0, 128]),
            (F::FdRead, &[file, 64, 3, 128]),
            (F::FdPread, &[file, 64, 3, 0, 128]),
            (F::FdPread, &[file, place, 0, 0, 128]),
            (F::FdWrite, &[1, 64, 3, 128]),
            (F::FdWrite, &[1, place, 0, 128]),
            (F::FdWrite, &[2, 64, 3, 128]),
            (F::FdWrite, &[file, 64, 3, 128]),
            (F::FdPwrite, &[file, 64, 3, 0, 128]),
            (F::FdReaddir, &[3, place, 0, 0, 128]),
            (F::PathReadlink, &[3, LINK, 4, place, 0, 128]),
            // There are none of either.
            (F::ArgsGet, &[place, place]),
            (F::EnvironGet, &[place, place]),
        ];
        for (function, call) in calls {
            let answer = command.call(*function, call);
            assert_eq!(answer, Errno::Success, "{function:?} {call:x?}");
        }
    }
}

/// It is the empty path, wherever it lies; the answer is that of every empty path.
#[test]
fn an_empty_path_outside_memory_is_an_empty_path() {
    use Function as F;
    for place in [64, u64::from(PAGE), 0xaaaa_aaaa, 0xffff_ffff] {
        let mut command = Command::with_files();
        command.put(FILE as u32, b"file");
        let calls: &[(F, &[u64])] = &[
            (F::PathOpen, &[4, 1, place, 0, 0, 2, 0, 0, 64]),
            (F::PathFilestatGet, &[4, 1, place, 0, 64]),
            (F::PathFilestatSetTimes, &[4, 1, place, 0, 0, 0, 0]),
            (F::PathReadlink, &[4, place, 0, 512, 100, 64]),
            (F::PathCreateDirectory, &[4, place, 0]),
            (F::PathRemoveDirectory, &[4, place, 0]),
            (F::PathUnlinkFile, &[4, place, 0]),
            (F::PathRename, &[4, place, 0, 4, FILE, 4]),
            (F::PathLink, &[4, 0, place, 0, 4, FILE, 4]),
            (F::PathSymlink, &[place, 0, 4, FILE, 4]),
            (F::PathSymlink, &[FILE, 4, 4, place, 0]),
        ];
        for (function, call) in calls {
            let answer = command.call(*function, call);
            assert_eq!(answer, Errno::NoEntry, "{function:?} {call:x?}");
        }
    }
}

#[test]
fn of_a_list_that_is_too_long_a_part_is_done() {
    let mut command = Command::with_body(&[7; 5000]);
    command.put_buffers(0x4000, &[(0x200, 2); 2000]);
    for (count, list) in [(1025, 0x4000), (2000, 0x4000), (0xffff_ffff, 0x4000)] {
        let call = [1, list, count, 128];
        assert_eq!(command.call(Function::FdWrite, &call), Errno::Success);
        assert_eq!(command.u32_at(128), 2 * 1024);
    }
    assert_eq!(command.host().response.len(), 3 * 2 * 1024);
    let call = [0, 0x4000, 2000, 128];
    assert_eq!(command.call(Function::FdRead, &call), Errno::Success);
    assert_eq!(command.u32_at(128), 2 * 1024);
}

#[test]
fn of_a_list_that_begins_with_many_empty_buffers_a_part_is_done_that_is_not_empty() {
    let mut command = Command::with_body(b"");
    command.put_buffers(0x4000, &[(0xaaaa_aaaa, 0); 3000]);
    command.put_buffers(0x4000 + 8 * 2999, &[(0x200, 5)]);
    let call = [1, 0x4000, 3000, 128];
    assert_eq!(command.call(Function::FdWrite, &call), Errno::Success);
    assert_eq!(command.u32_at(128), 5);
    // All of them are empty as far as memory goes, and then there is no list any more.
    let call = [1, 0x400, 0x2000_0000, 128];
    command.memory[0x400..].fill(0);
    assert_eq!(command.call(Function::FdWrite, &call), Errno::Fault);
}

#[test]
fn too_many_subscriptions_are_refused_before_they_are_read() {
    let mut command = Command::with_body(b"body");
    for count in [1025, 0x2000_0000, 0xffff_ffff] {
        let call = [0, 0, count, 128];
        assert_eq!(command.call(Function::PollOneoff, &call), Errno::Invalid);
    }
}

#[test]
fn a_list_that_names_the_same_memory_a_thousand_times_is_logged_in_part() {
    let mut command = Command::with_body(b"");
    command.put_buffers(0x8000, &[(0, PAGE); 1024]);
    assert_eq!(
        command.call(Function::FdWrite, &[2, 0x8000, 1024, 4]),
        Errno::Success
    );
    assert_eq!(command.u32_at(4), 16 << 10);
}

#[test]
fn a_read_into_its_own_list_of_buffers_does_no_harm() {
    let mut command = Command::with_body(&[0xff; 64]);
    command.put_buffers(64, &[(64, 16), (0, 8)]);
    assert_eq!(
        command.call(Function::FdRead, &[0, 64, 2, 128]),
        Errno::Fault
    );
}

#[test]
fn events_may_overwrite_their_subscriptions() {
    let mut command = Command::with_body(b"body");
    command.put(64 + 8, &[1]);
    command.put(64 + 48 + 8, &[2]);
    command.put(64 + 48 + 16, &[1]);
    assert_eq!(
        command.call(Function::PollOneoff, &[64, 64, 2, 0]),
        Errno::Success
    );
    assert_eq!(command.u32_at(0), 2);
}

#[test]
fn an_exit_is_no_answer() {
    for code in [0, 3, 0xffff_ffff] {
        let mut command = Command::with_body(b"");
        let ended = command.context.call(Function::ProcExit, &mut [], &[code]);
        assert_eq!(ended, Err(Exit(code as u32)));
    }
}
