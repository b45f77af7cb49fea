//! What ordinary commands are answered.

mod world;

use luge_wasi::{Errno, Function as F};
use world::Command;

#[test]
fn arguments_are_an_array_of_c_strings() {
    let arguments = ["fib", "30", ""];
    let mut command = Command::new(&arguments, &[], b"");
    assert_eq!(command.call(F::ArgsSizesGet, &[0, 4]), Errno::Success);
    assert_eq!((command.u32_at(0), command.u32_at(4)), (3, 8));
    assert_eq!(command.call(F::ArgsGet, &[16, 101]), Errno::Success);
    let pointers = [command.u32_at(16), command.u32_at(20), command.u32_at(24)];
    assert_eq!(pointers, [101, 105, 108]);
    assert_eq!(command.bytes_at(101, 8), b"fib\x0030\x00\x00");
}

#[test]
fn the_environment_is_an_array_of_assignments() {
    let environment = [("A", "1"), ("LONG", "value=x")];
    let mut command = Command::new(&[], &environment, b"");
    assert_eq!(command.call(F::EnvironSizesGet, &[0, 4]), Errno::Success);
    assert_eq!((command.u32_at(0), command.u32_at(4)), (2, 17));
    assert_eq!(command.call(F::EnvironGet, &[16, 100]), Errno::Success);
    assert_eq!(command.bytes_at(100, 17), b"A=1\0LONG=value=x\0");
}

#[test]
fn an_argument_ends_at_a_nul() {
    let arguments = ["a\0b", "c"];
    let mut command = Command::new(&arguments, &[], b"");
    assert_eq!(command.call(F::ArgsSizesGet, &[0, 4]), Errno::Success);
    assert_eq!(command.u32_at(4), 4);
    assert_eq!(command.call(F::ArgsGet, &[16, 100]), Errno::Success);
    assert_eq!(command.bytes_at(100, 4), b"a\0c\0");
}

#[test]
fn a_body_is_read_in_parts_to_its_end() {
    let mut command = Command::with_body(b"hello world");
    command.put_buffers(64, &[(256, 3), (512, 0), (1024, 5)]);
    assert_eq!(command.call(F::FdRead, &[0, 64, 3, 0]), Errno::Success);
    assert_eq!(command.u32_at(0), 8);
    assert_eq!(command.bytes_at(256, 3), b"hel");
    assert_eq!(command.bytes_at(1024, 5), b"lo wo");
    assert_eq!(command.call(F::FdRead, &[0, 64, 3, 0]), Errno::Success);
    assert_eq!(
        (command.u32_at(0), command.bytes_at(256, 3)),
        (3, &b"rld"[..])
    );
    assert_eq!(command.call(F::FdRead, &[0, 64, 3, 0]), Errno::Success);
    assert_eq!(command.u32_at(0), 0);
}

#[test]
fn a_response_is_written_as_far_as_there_is_room() {
    let mut command = Command::with_body(b"");
    command.put(256, b"hello world");
    command.put_buffers(64, &[(256, 6), (0, 0), (262, 5)]);
    command.host().room = 4;
    assert_eq!(command.call(F::FdWrite, &[1, 64, 3, 0]), Errno::Success);
    assert_eq!(command.u32_at(0), 4);
    command.host().room = 100;
    assert_eq!(command.call(F::FdWrite, &[1, 64, 3, 0]), Errno::Success);
    assert_eq!(command.u32_at(0), 11);
    assert_eq!(command.host().response, b"hellhello world");
}

#[test]
fn a_response_that_nobody_reads_is_a_broken_pipe() {
    let mut command = Command::with_body(b"");
    command.put_buffers(64, &[(256, 6)]);
    command.host().room = 0;
    assert_eq!(command.call(F::FdWrite, &[1, 64, 1, 0]), Errno::BrokenPipe);
    command.put_buffers(64, &[(256, 0)]);
    assert_eq!(command.call(F::FdWrite, &[1, 64, 1, 0]), Errno::Success);
}

#[test]
fn stderr_becomes_lines() {
    let mut command = Command::with_body(b"");
    command.put(256, b"one\r\ntw");
    command.put(300, b"o\n\nend");
    command.put_buffers(64, &[(256, 7), (300, 6)]);
    assert_eq!(command.call(F::FdWrite, &[2, 64, 2, 0]), Errno::Success);
    assert_eq!(command.u32_at(0), 13);
    assert_eq!(command.host().log, ["one", "two", ""]);
    command.context.finish();
    assert_eq!(command.host().log, ["one", "two", "", "end"]);
}

#[test]
fn a_line_without_an_end_is_broken() {
    let mut command = Command::with_body(b"");
    command.put_buffers(64, &[(0x1000, 1100)]);
    command.put(0x1000, &[b'x'; 1100]);
    assert_eq!(command.call(F::FdWrite, &[2, 64, 1, 0]), Errno::Success);
    command.context.finish();
    let lengths: Vec<usize> = command.host().log.iter().map(String::len).collect();
    assert_eq!(lengths, [512, 512, 76]);
}

#[test]
fn clocks_show_their_time() {
    let mut command = Command::with_body(b"");
    for (clock, ns) in [
        (0, 1_000_000_000_000),
        (1, 10_000_000_000),
        (2, 77),
        (3, 77),
    ] {
        assert_eq!(
            command.call(F::ClockTimeGet, &[clock, 0, 8]),
            Errno::Success
        );
        assert_eq!(command.u64_at(8), ns);
        assert_eq!(command.call(F::ClockResGet, &[clock, 8]), Errno::Success);
        assert_eq!(command.u64_at(8), 1);
    }
    assert_eq!(command.call(F::ClockTimeGet, &[4, 0, 8]), Errno::Invalid);
    assert_eq!(command.call(F::ClockResGet, &[4, 8]), Errno::Invalid);
}

#[test]
fn random_fills_what_was_asked_for_and_lets_others_run() {
    let mut command = Command::with_body(b"");
    assert_eq!(command.call(F::RandomGet, &[8, 40_000]), Errno::Success);
    assert_eq!(command.bytes_at(0, 8), [0; 8]);
    assert!(command.bytes_at(8, 64).iter().any(|byte| *byte != 0));
    assert_eq!(command.bytes_at(40_008, 8), [0; 8]);
    assert_eq!(command.host().breaths.get(), 9);
}

#[test]
fn streams_say_what_they_are() {
    let mut command = Command::with_body(b"four");
    // Unknown, that is a pipe; and a terminal, so that the C library writes the log line by line.
    for (number, file_type, readable, writable) in [
        (0, 0, true, false),
        (1, 0, false, true),
        (2, 2, false, true),
    ] {
        assert_eq!(command.call(F::FdFdstatGet, &[number, 64]), Errno::Success);
        assert_eq!(command.memory[64], file_type);
        let rights = command.u64_at(72);
        assert_eq!((rights & 2 != 0, rights & 64 != 0), (readable, writable));
        assert_eq!(rights & 0b10_0100, 0, "a stream cannot seek or tell");
        assert_eq!(
            command.call(F::FdFilestatGet, &[number, 128]),
            Errno::Success
        );
        assert_eq!((command.memory[144], command.u64_at(152)), (file_type, 1));
        assert_eq!(command.u64_at(160), if number == 0 { 4 } else { 0 });
    }
}

#[test]
fn without_files_only_the_devices_are_preopened() {
    let mut command = Command::with_body(b"");
    assert_eq!(command.call(F::FdPrestatGet, &[3, 64]), Errno::Success);
    assert_eq!(command.u64_at(64), 4 << 32);
    assert_eq!(
        command.call(F::FdPrestatDirName, &[3, 64, 4]),
        Errno::Success
    );
    assert_eq!(command.bytes_at(64, 4), b"/dev");
    for number in [0, 1, 2, 4, 5, 6, 7] {
        assert_eq!(
            command.call(F::FdPrestatGet, &[number, 64]),
            Errno::BadDescriptor
        );
        assert_eq!(
            command.call(F::FdPrestatDirName, &[number, 64, 8]),
            Errno::BadDescriptor
        );
    }
}

#[test]
fn unknown_descriptors_are_bad_in_every_function_that_takes_one() {
    for function in F::ALL {
        if !(function.name().starts_with("fd_")
            || function.name().starts_with("path_")
            || function.name().starts_with("sock_"))
        {
            continue;
        }
        for number in [4, 5, 1000, 0xffff_ffff] {
            let mut command = Command::with_body(b"");
            let mut arguments = vec![0; function.parameters().len()];
            // The third of symlink is the descriptor; the first is a path.
            arguments[if function == F::PathSymlink { 2 } else { 0 }] = number;
            assert_eq!(
                command.call(function, &arguments),
                Errno::BadDescriptor,
                "{function:?}"
            );
        }
    }
}

#[test]
fn what_a_stream_cannot_do_has_the_errno_that_libraries_expect() {
    let cases = [
        (F::FdSeek, Errno::NotSeekable),
        (F::FdTell, Errno::NotSeekable),
        (F::FdPread, Errno::NotSeekable),
        (F::FdPwrite, Errno::NotSeekable),
        (F::FdAdvise, Errno::NotSeekable),
        (F::FdAllocate, Errno::NotSeekable),
        (F::FdSync, Errno::Invalid),
        (F::FdDatasync, Errno::Invalid),
        (F::FdFilestatSetSize, Errno::Invalid),
        (F::FdFilestatSetTimes, Errno::NotSupported),
        (F::FdReaddir, Errno::NotADirectory),
        (F::PathOpen, Errno::NotADirectory),
        (F::PathSymlink, Errno::NotADirectory),
        (F::SockAccept, Errno::NotASocket),
        (F::SockRecv, Errno::NotASocket),
        (F::SockSend, Errno::NotASocket),
        (F::SockShutdown, Errno::NotASocket),
    ];
    for (function, errno) in cases {
        let mut command = Command::with_body(b"");
        let arguments = vec![1; function.parameters().len()];
        assert_eq!(command.call(function, &arguments), errno, "{function:?}");
    }
}

#[test]
fn reading_a_response_or_writing_a_body_is_not_allowed() {
    let mut command = Command::with_body(b"body");
    command.put_buffers(64, &[(256, 4)]);
    assert_eq!(command.call(F::FdRead, &[1, 64, 1, 0]), Errno::NotCapable);
    assert_eq!(command.call(F::FdWrite, &[0, 64, 1, 0]), Errno::NotCapable);
}

#[test]
fn rights_can_be_given_up_but_not_taken() {
    let mut command = Command::with_body(b"body");
    command.put_buffers(64, &[(256, 4)]);
    assert_eq!(
        command.call(F::FdFdstatSetRights, &[1, u64::MAX, 0]),
        Errno::NotCapable
    );
    assert_eq!(
        command.call(F::FdFdstatSetRights, &[1, 0, 0]),
        Errno::Success
    );
    assert_eq!(command.call(F::FdWrite, &[1, 64, 1, 0]), Errno::NotCapable);
    assert_eq!(
        command.call(F::FdFdstatSetRights, &[1, 64, 0]),
        Errno::NotCapable
    );
}

#[test]
fn flags_of_a_stream_are_kept() {
    let mut command = Command::with_body(b"");
    assert_eq!(command.call(F::FdFdstatSetFlags, &[1, 4]), Errno::Success);
    assert_eq!(command.call(F::FdFdstatGet, &[1, 64]), Errno::Success);
    assert_eq!(command.memory[66], 4);
    assert_eq!(
        command.call(F::FdFdstatSetFlags, &[1, 2]),
        Errno::NotSupported
    );
}

#[test]
fn a_closed_descriptor_is_gone_and_a_renumbered_one_has_moved() {
    let mut command = Command::with_body(b"");
    command.put(256, b"text");
    command.put_buffers(64, &[(256, 4)]);
    assert_eq!(command.call(F::FdRenumber, &[1, 2]), Errno::Success);
    assert_eq!(
        command.call(F::FdWrite, &[1, 64, 1, 0]),
        Errno::BadDescriptor
    );
    assert_eq!(command.call(F::FdWrite, &[2, 64, 1, 0]), Errno::Success);
    assert_eq!(command.host().response, b"text");
    assert_eq!(command.call(F::FdRenumber, &[2, 1]), Errno::BadDescriptor);
    assert_eq!(command.call(F::FdRenumber, &[2, 2]), Errno::Success);
    assert_eq!(command.call(F::FdClose, &[2]), Errno::Success);
    assert_eq!(command.call(F::FdClose, &[2]), Errno::BadDescriptor);
}

#[test]
fn a_signal_cannot_be_raised() {
    let mut command = Command::with_body(b"");
    assert_eq!(command.call(F::ProcRaise, &[6]), Errno::NoSystemCall);
    assert_eq!(command.call(F::SchedYield, &[]), Errno::Success);
    assert_eq!(command.host().yields, 1);
}
