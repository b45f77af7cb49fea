//! Reading and writing files, and what there is room for.

mod world;

use luge_wasi::{Errno, Function as F, LARGEST_FILE, MOST_DESCRIPTORS, MOST_NODES};
use world::{CREATE, Command, LIST, READ, RESULT, TMP, TOP, TRUNCATE, WRITE};

const START: u64 = 0;
const HERE: u64 = 1;
const END: u64 = 2;

#[test]
fn a_file_of_the_folder_is_read_in_parts_and_sought() {
    let mut command = Command::with_files();
    command.host().read = 5;
    let file = command.open(TOP, "file", 0, READ).unwrap();
    assert_eq!(command.read(file, 9).unwrap(), b"The quick");
    assert_eq!(command.seek(file, -3, END), Ok(16));
    assert_eq!(command.read(file, 100).unwrap(), b"fox");
    assert_eq!(command.read(file, 100).unwrap(), b"");
    assert_eq!(command.seek(file, 1000, HERE), Ok(1019));
    assert_eq!(command.read(file, 100).unwrap(), b"");
    assert_eq!(command.seek(file, -1, START), Err(Errno::Invalid));
    assert_eq!(command.seek(file, i64::MIN, END), Err(Errno::Invalid));
    assert_eq!(command.seek(file, 0, 3), Err(Errno::Invalid));
    assert_eq!(command.seek(file, 4, START), Ok(4));
    assert_eq!(command.call(F::FdTell, &[file.into(), 8]), Errno::Success);
    assert_eq!(command.u64_at(8), 4);
    command.put_buffers(LIST, &[(0x2000, 3), (0x3000, 6)]);
    let call = [file.into(), LIST.into(), 2, 10, RESULT.into()];
    assert_eq!(command.call(F::FdPread, &call), Errno::Success);
    assert_eq!(command.u32_at(RESULT), 9);
    assert_eq!(
        (command.bytes_at(0x2000, 3), command.bytes_at(0x3000, 6)),
        (&b"bro"[..], &b"wn fox"[..])
    );
    assert_eq!(command.read(file, 5).unwrap(), b"quick");
}

#[test]
fn a_disk_that_fails_is_an_io_error_and_what_came_before_counts() {
    let mut command = Command::with_files();
    let file = command.open(TOP, "file", 0, READ).unwrap();
    assert_eq!(command.read(file, 4).unwrap(), b"The ");
    command.host().read = 0;
    assert_eq!(command.read(file, 4), Err(Errno::Io));
    command.host().read = 4;
    assert_eq!(command.read(file, 4).unwrap(), b"quic");
}

#[test]
fn the_folder_cannot_be_changed() {
    let mut command = Command::with_files();
    for (how, rights) in [(0, READ | WRITE), (TRUNCATE, READ), (CREATE, WRITE)] {
        assert_eq!(
            command.open(TOP, "file", how, rights),
            Err(Errno::ReadOnly),
            "{how}"
        );
    }
    assert_eq!(command.open(TOP, "new", CREATE, READ), Err(Errno::ReadOnly));
    let file = command.open(TOP, "file", 0, READ).unwrap();
    assert_eq!(command.write(file, b"x"), Err(Errno::NotCapable));
    assert_eq!(command.open(TOP, "file", CREATE, READ), Ok(file + 1));
}

#[test]
fn what_is_written_is_read_back_whatever_the_offsets() {
    let mut command = Command::with_files();
    let file = command.create("f", b"0123456789");
    assert_eq!(command.seek(file, 5, START), Ok(5));
    assert_eq!(command.write(file, b"abc"), Ok(3));
    assert_eq!(command.seek(file, 0, START), Ok(0));
    assert_eq!(command.read(file, 100).unwrap(), b"01234abc89");
    // Across the border between two blocks, after a hole.
    assert_eq!(command.seek(file, 4094, START), Ok(4094));
    assert_eq!(command.write(file, b"wxyz"), Ok(4));
    assert_eq!(command.stat(TMP, "f"), Ok((4098, 4, 1)));
    assert_eq!(command.seek(file, 4090, START), Ok(4090));
    assert_eq!(command.read(file, 100).unwrap(), b"\0\0\0\0wxyz");
    command.put_buffers(LIST, &[(0x2000, 2)]);
    command.put(0x2000, b"PW");
    let call = [file.into(), LIST.into(), 1, 1, RESULT.into()];
    assert_eq!(command.call(F::FdPwrite, &call), Errno::Success);
    assert_eq!(command.seek(file, 0, START), Ok(0));
    assert_eq!(command.read(file, 5).unwrap(), b"0PW34");
}

#[test]
fn what_was_cut_off_is_zero_when_the_file_grows_again() {
    let mut command = Command::with_files();
    let file = command.create("f", &[7; 4000]);
    assert_eq!(command.write(file, &[7; 4000]), Ok(4000));
    let set_size =
        |command: &mut Command, size| command.call(F::FdFilestatSetSize, &[file.into(), size]);
    assert_eq!(set_size(&mut command, 10), Errno::Success);
    assert_eq!(set_size(&mut command, 5000), Errno::Success);
    assert_eq!(command.seek(file, 0, START), Ok(0));
    let mut expected = vec![7; 10];
    expected.resize(4096, 0);
    assert_eq!(command.read(file, 4096).unwrap(), expected);
    assert_eq!(command.read(file, 4096).unwrap(), vec![0; 904]);
    assert_eq!(
        command.call(F::FdAllocate, &[file.into(), 100, 100]),
        Errno::Success
    );
    assert_eq!(command.stat(TMP, "f").unwrap().0, 5000);
    assert_eq!(
        command.call(F::FdAllocate, &[file.into(), 5000, 7]),
        Errno::Success
    );
    assert_eq!(command.stat(TMP, "f").unwrap().0, 5007);
}

#[test]
fn what_is_appended_goes_to_the_end_wherever_the_descriptor_stands() {
    let mut command = Command::with_files();
    let file = command.create("f", b"one");
    let append = [file.into(), 1];
    assert_eq!(command.call(F::FdFdstatSetFlags, &append), Errno::Success);
    assert_eq!(command.seek(file, 0, START), Ok(0));
    assert_eq!(command.write(file, b"two"), Ok(3));
    assert_eq!(command.seek(file, 0, HERE), Ok(6));
    assert_eq!(command.seek(file, 0, START), Ok(0));
    assert_eq!(command.read(file, 10).unwrap(), b"onetwo");
    let unknown = [file.into(), 32];
    assert_eq!(command.call(F::FdFdstatSetFlags, &unknown), Errno::Invalid);
}

/// Fills `/tmp`; returns how much that took.
fn fill(command: &mut Command, file: u32) -> u64 {
    let mut all = 0;
    loop {
        match command.write(file, &[9; 4000]) {
            Ok(0) => panic!("nothing is no answer"),
            Ok(written) => all += u64::from(written),
            Err(errno) => {
                assert_eq!(errno, Errno::NoSpace);
                return all;
            }
        }
    }
}

#[test]
fn a_full_scratch_says_so_and_what_is_removed_makes_room() {
    let mut command = Command::with_files();
    let file = command.create("large", b"");
    let most = fill(&mut command, file);
    assert!((1_000_000..=1 << 20).contains(&most), "{most}");
    assert_eq!(command.stat(TMP, "large").unwrap().0, most);
    assert_eq!(command.seek(file, 0, END), Ok(most));
    // It is still there as long as it is open.
    assert_eq!(
        command.at(F::PathUnlinkFile, TMP, "large", &[]),
        Errno::Success
    );
    let other = command.create("other", b"");
    assert_eq!(command.write(other, &[1; 4000]), Err(Errno::NoSpace));
    assert_eq!(command.seek(file, 0, START), Ok(0));
    assert_eq!(command.read(file, 1).unwrap(), [9]);
    assert_eq!(command.call(F::FdClose, &[file.into()]), Errno::Success);
    let again = fill(&mut command, other);
    assert!(most - again <= 4096, "{most}, then {again}");
}

#[test]
fn what_cannot_be_is_refused_at_once_and_changes_nothing() {
    let mut command = Command::with_files();
    let file = command.create("f", b"abc");
    for (size, errno) in [
        ((1 << 20) + 1, Errno::NoSpace),
        (1 << 40, Errno::NoSpace),
        (LARGEST_FILE, Errno::NoSpace),
        (LARGEST_FILE + 1, Errno::TooLarge),
        (u64::MAX, Errno::TooLarge),
    ] {
        let call = [file.into(), size];
        assert_eq!(command.call(F::FdFilestatSetSize, &call), errno, "{size}");
        let call = [file.into(), size - 1, 1];
        assert_eq!(command.call(F::FdAllocate, &call), errno, "{size}");
        command.put_buffers(LIST, &[(0x2000, 1)]);
        let call = [file.into(), LIST.into(), 1, size - 1, RESULT.into()];
        assert_eq!(command.call(F::FdPwrite, &call), errno, "{size}");
    }
    assert_eq!(
        command.call(F::FdAllocate, &[file.into(), u64::MAX, 1]),
        Errno::TooLarge
    );
    assert_eq!(
        command.call(F::FdAllocate, &[file.into(), 1, 0]),
        Errno::Invalid
    );
    for offset in [i64::MAX, 1 << 40, 1 << 20] {
        assert_eq!(command.seek(file, offset, START), Ok(offset as u64));
        assert!(
            matches!(
                command.write(file, b"x"),
                Err(Errno::NoSpace | Errno::TooLarge)
            ),
            "{offset}"
        );
    }
    assert_eq!(command.stat(TMP, "f").unwrap().0, 3);
    // Nothing was used up.
    let most = fill(&mut command, file);
    assert_eq!(most, 0, "it stands far behind its end");
    assert_eq!(command.seek(file, 0, START), Ok(0));
    assert!(fill(&mut command, file) > 1_000_000);
}

#[test]
fn there_are_so_many_files_and_descriptors_and_no_more() {
    let mut command = Command::with_files();
    command.host().scratch_bytes = 16 << 20;
    let mut command = Command {
        context: luge_wasi::Context::new(std::mem::take(command.host())),
        memory: command.memory,
    };
    for number in 0..MOST_NODES {
        let file = command.create(&format!("file-{number}"), b"");
        assert_eq!(command.call(F::FdClose, &[file.into()]), Errno::Success);
    }
    assert_eq!(
        command.open(TMP, "one-more", CREATE, READ),
        Err(Errno::NoSpace)
    );
    assert_eq!(
        command.at(F::PathUnlinkFile, TMP, "file-77", &[]),
        Errno::Success
    );
    for number in 6..MOST_DESCRIPTORS as u32 {
        assert_eq!(command.open(TMP, "one-more", CREATE, READ), Ok(number));
    }
    assert_eq!(
        command.open(TMP, "one-more", CREATE, READ),
        Err(Errno::TooManyDescriptors)
    );
    assert_eq!(command.list(TMP, 300).len(), MOST_NODES + 2);
}
