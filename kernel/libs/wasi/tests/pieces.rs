//! Long calls are done in pieces, between which others may run: counted, so that it makes no difference how fast that is.

mod world;

use luge_wasi::{Errno, Function as F, MOST_NODES};
use world::{CREATE, Command, READ, RESULT, TMP, WRITE};

/// Most bytes that are moved, and most names, entries or buffers that are looked at, in one piece.
const MOST_BYTES: u32 = 32 << 10;
const MOST_THINGS: u32 = 128;

/// A command with room for 64 MiB in `/tmp`.
fn roomy() -> Command {
    let mut command = Command::with_files();
    command.host().scratch_bytes = 64 << 20;
    Command {
        context: luge_wasi::Context::new(std::mem::take(command.host())),
        memory: command.memory,
    }
}

/// How often others could run in a call, which ends so.
fn breaths(command: &mut Command, function: F, arguments: &[u64], end: Errno) -> u32 {
    let before = command.host().breaths.get();
    assert_eq!(command.call(function, arguments), end, "{function:?}");
    command.host().breaths.get() - before
}

#[test]
fn long_reads_and_writes_let_others_run() {
    let mut command = roomy();
    let file = command.create("f", b"");
    command.put_buffers(0x100, &[(0, world::PAGE); 40]);
    let call = [file.into(), 0x100, 40, RESULT.into()];
    let pieces = 40 * world::PAGE / MOST_BYTES;
    assert!(breaths(&mut command, F::FdWrite, &call, Errno::Success) >= pieces);
    assert_eq!(command.u32_at(RESULT), 40 * world::PAGE);
    command.put_buffers(0x100, &[(0x9000, 0x4000); 40]);
    let read = [file.into(), 0x100, 40, 0, RESULT.into()];
    let pieces = 40 * 0x4000 / MOST_BYTES;
    assert!(breaths(&mut command, F::FdPread, &read, Errno::Success) >= pieces);
    let size = [file.into(), 10 << 20];
    let pieces = (10 << 20) / MOST_BYTES - 40 * world::PAGE / MOST_BYTES;
    assert!(breaths(&mut command, F::FdFilestatSetSize, &size, Errno::Success) >= pieces - 1);
    // And a command that is not wanted any more stops.
    command.host().unwanted = true;
    assert_eq!(command.call(F::FdWrite, &call), Errno::Success);
    assert!(command.u32_at(RESULT) <= MOST_BYTES);
}

#[test]
fn many_small_buffers_let_others_run() {
    let mut command = roomy();
    let file = command.create("f", &[7; 4096]);
    command.put_buffers(0x4000, &[(0, 1); 1024]);
    let least = 1024 / MOST_THINGS;
    for number in [1, 2, file] {
        let call = [number.into(), 0x4000, 1024, RESULT.into()];
        assert!(breaths(&mut command, F::FdWrite, &call, Errno::Success) >= least);
    }
    let call = [file.into(), 0x4000, 1024, 0, RESULT.into()];
    assert!(breaths(&mut command, F::FdPread, &call, Errno::Success) >= least);
    command.host().body = vec![1; 1024];
    let call = [0, 0x4000, 1024, RESULT.into()];
    assert!(breaths(&mut command, F::FdRead, &call, Errno::Success) >= least);
}

#[test]
fn each_line_of_the_log_lets_others_run() {
    let mut command = roomy();
    let lines = b"\x07\x07\n".repeat(100);
    assert_eq!(command.write(2, &lines), Ok(300));
    assert!(command.host().breaths.get() >= 100);
    // After one that nobody wants any more, no other is said.
    command.host().unwanted = true;
    assert_eq!(command.write(2, &lines), Ok(300));
    assert_eq!(command.host().log.len(), 101);
}

#[test]
fn a_long_output_lets_others_run() {
    let mut command = roomy();
    command.put_buffers(0x100, &[(0, world::PAGE); 8]);
    let call = [1, 0x100, 8, RESULT.into()];
    let pieces = 8 * world::PAGE / MOST_BYTES;
    assert!(breaths(&mut command, F::FdWrite, &call, Errno::Success) >= pieces);
    assert_eq!(command.host().response.len(), 8 * world::PAGE as usize);
}

#[test]
fn a_long_poll_lets_others_run() {
    let mut command = roomy();
    command.memory.resize(4 * world::PAGE as usize, 0);
    let call = [0, 0x10000, 1024, RESULT.into()];
    // The first has happened, so that the second pass is the only long one.
    assert!(breaths(&mut command, F::PollOneoff, &call, Errno::Success) >= 1024 / MOST_THINGS);
}

#[test]
fn a_long_listing_lets_others_run() {
    let mut command = roomy();
    for number in 0..MOST_NODES {
        command.create(&format!("{number}"), b"");
        let closed = command.call(F::FdClose, &[6]);
        assert_eq!(closed, Errno::Success);
    }
    command.memory.resize(16 * world::PAGE as usize, 0);
    let call = [TMP.into(), 0x10000, 15 * 0x10000, 0, RESULT.into()];
    let least = MOST_NODES as u32 / MOST_THINGS;
    assert!(breaths(&mut command, F::FdReaddir, &call, Errno::Success) >= least);
}

/// Forty links, each of which has two thousand names, the last of which is the next link.
#[test]
fn a_path_of_many_links_lets_others_run() {
    let mut command = roomy();
    for number in 0..40 {
        let target = format!("{}{}", "./".repeat(2_046), number + 1);
        let target = &target[target.len().saturating_sub(4096)..];
        let [pointer, length] = command.path(target);
        let [name, name_length] = command.other_path(&format!("{number}"));
        let call = [pointer, length, TMP.into(), name, name_length];
        assert_eq!(command.call(F::PathSymlink, &call), Errno::Success);
    }
    command.create("40", b"there");
    let [pointer, length] = command.path("0");
    let call = [TMP.into(), 1, pointer, length, RESULT.into()];
    let least = 40 * 2_000 / MOST_THINGS;
    assert!(breaths(&mut command, F::PathFilestatGet, &call, Errno::Success) >= least);
    assert_eq!(command.u64_at(RESULT + 32), 5);
    command.host().unwanted = true;
    assert_eq!(command.call(F::PathFilestatGet, &call), Errno::Interrupted);
}

/// As many blocks as are passed to get to one in the middle are not passed in one go.
#[test]
fn a_place_deep_in_a_long_file_is_looked_for_in_pieces() {
    let mut command = roomy();
    let file = command.open(TMP, "long", CREATE, READ | WRITE).unwrap();
    let size = [file.into(), 60 << 20];
    assert_eq!(command.call(F::FdFilestatSetSize, &size), Errno::Success);
    for function in [F::FdPread, F::FdPwrite] {
        for offset in [59u64 << 20, 0, 50 << 20] {
            command.put_buffers(0x100, &[(0x9000, 1)]);
            let call = [file.into(), 0x100, 1, offset, RESULT.into()];
            let least = u32::try_from(offset / 4096 / 4096)
                .unwrap()
                .saturating_sub(1);
            let had = breaths(&mut command, function, &call, Errno::Success);
            assert!(had >= least, "{offset}: {had}");
            let call = [file.into(), 0x100, 1, 0, RESULT.into()];
            assert_eq!(command.call(function, &call), Errno::Success);
        }
    }
    let cut = [file.into(), 58 << 20];
    assert!(breaths(&mut command, F::FdFilestatSetSize, &cut, Errno::Success) >= 2);
}
