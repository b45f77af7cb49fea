//! Guests that choose their arguments badly on purpose.
//!
//! What every function here is held to: it returns an answer, it does not panic, it does not touch
//! a byte outside of memory (the language sees to that), and it does not take for ever.

mod world;

use luge_wasi::{Errno, Exit, Function, Parameter};
use world::{Command, PAGE};

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
                    let mut command = Command::with_body(b"body");
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

#[test]
fn every_function_survives_a_guest_without_memory() {
    for function in callable() {
        for value in HOSTILE {
            let mut command = Command::with_body(b"body");
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
    ];
    let (arguments, environment) = (["name"], [("KEY", "value")]);
    for (function, good, places) in cases {
        let mut command = Command::new(&arguments, &environment, b"body");
        command.put_buffers(64, &[(256, 4)]);
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

#[test]
fn a_huge_list_is_refused_before_it_is_read() {
    let mut command = Command::with_body(b"body");
    for count in [1025, 0x2000_0000, 0xffff_ffff] {
        assert_eq!(
            command.call(Function::FdRead, &[0, 0, count, 128]),
            Errno::Invalid
        );
        assert_eq!(
            command.call(Function::FdWrite, &[1, 0, count, 128]),
            Errno::Invalid
        );
        assert_eq!(
            command.call(Function::PollOneoff, &[0, 0, count, 128]),
            Errno::Invalid
        );
    }
    assert_eq!(
        command.call(Function::FdWrite, &[1, 0, 1024, 128]),
        Errno::Success
    );
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
