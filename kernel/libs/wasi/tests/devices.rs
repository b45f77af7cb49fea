//! `/dev`, and the response that is a file.

mod world;

use luge_wasi::{Context, Errno, Function as F, NoResponse};
use world::{
    CREATE, Command, DEV, DIRECTORY, EXCLUSIVE, READ, RESULT, TMP, TRUNCATE, WRITE, world,
};

/// Rights of `fd_write`, `fd_read` and `fd_filestat_get`, as libraries ask for them.
const BOTH: u64 = 1 << 1 | 1 << 6 | 1 << 21 | 1 << 27;

fn file_type(command: &mut Command, number: u32) -> u8 {
    let call = [number.into(), RESULT.into()];
    assert_eq!(command.call(F::FdFilestatGet, &call), Errno::Success);
    command.memory[RESULT as usize + 16]
}

#[test]
fn the_devices_are_listed_and_are_character_devices() {
    let mut command = Command::with_files();
    let names = [".", "..", "null", "stderr", "stdin", "stdout"];
    for length in [48, 4096] {
        assert_eq!(command.list(DEV, length), names);
    }
    for name in &names[2..] {
        assert_eq!(command.stat(DEV, name), Ok((0, 2, 1)), "{name}");
        let number = command.open(DEV, name, 0, BOTH).expect(name);
        assert_eq!(file_type(&mut command, number), 2, "{name}");
    }
    assert_eq!(command.stat(DEV, "."), Ok((0, 3, 1)));
    assert_eq!(command.stat(DEV, "tty"), Err(Errno::NoEntry));
    assert_eq!(command.stat(DEV, "null/x"), Err(Errno::NotADirectory));
}

#[test]
fn a_device_is_the_stream_of_its_name() {
    let mut command = Command::with_files();
    let input = command.open(DEV, "stdin", 0, READ).unwrap();
    assert_eq!(command.read(input, 2).unwrap(), b"bo");
    assert_eq!(command.read(0, 9).unwrap(), b"dy", "it is the same body");
    assert_eq!(command.write(input, b"x"), Err(Errno::NotCapable));
    let how = CREATE | TRUNCATE;
    let output = command.open(DEV, "stdout", how, BOTH).unwrap();
    assert_eq!(command.write(output, b"answer"), Ok(6));
    assert_eq!(command.host().response, b"answer");
    assert_eq!(command.read(output, 1), Err(Errno::NotCapable));
    let log = command.open(DEV, "stderr", how, WRITE).unwrap();
    assert_eq!(command.write(log, b"line\n"), Ok(5));
    assert_eq!(command.host().log, ["line"]);
    assert_eq!(command.call(F::FdClose, &[output.into()]), Errno::Success);
    assert_eq!(
        command.write(1, b"!"),
        Ok(1),
        "standard output is still open"
    );
}

#[test]
fn null_is_empty_and_takes_everything() {
    let mut command = Command::with_files();
    let null = command.open(DEV, "null", CREATE, BOTH).unwrap();
    assert_eq!(command.read(null, 9).unwrap(), b"");
    assert_eq!(command.write(null, &[7; 4000]), Ok(4000));
    assert_eq!(command.read(null, 9).unwrap(), b"");
    assert!(command.host().response.is_empty() && command.host().log.is_empty());
    assert_eq!(command.seek(null, 0, 0), Err(Errno::NotSeekable));
}

#[test]
fn nothing_below_dev_changes() {
    let mut command = Command::with_files();
    let new = command.open(DEV, "new", CREATE, BOTH);
    assert_eq!(new, Err(Errno::ReadOnly));
    let again = command.open(DEV, "null", CREATE | EXCLUSIVE, BOTH);
    assert_eq!(again, Err(Errno::Exists));
    let directory = command.open(DEV, "null", DIRECTORY, READ);
    assert_eq!(directory, Err(Errno::NotADirectory));
    let other = command.other_path("new");
    let rename = [&[TMP.into()], &other[..]].concat();
    let answers = [
        command.at(F::PathCreateDirectory, DEV, "d", &[]),
        command.at(F::PathUnlinkFile, DEV, "null", &[]),
        command.at(F::PathRemoveDirectory, DEV, ".", &[]),
        command.at_with(F::PathFilestatSetTimes, (DEV, 0), "null", &[0, 0, 2]),
    ];
    assert_eq!(answers, [Errno::ReadOnly; 4]);
    assert_eq!(
        command.at(F::PathRename, DEV, "null", &rename),
        Errno::CrossDevice
    );
    assert_eq!(
        command.at(F::PathReadlink, DEV, "null", &[256, 9, 64]),
        Errno::Invalid
    );
    assert_eq!(command.stat(DEV, ".."), Err(Errno::NotPermitted));
}

/// A command whose response is `/tmp/{file}`.
fn answered_by(file: &str) -> Command {
    let mut world = world();
    world.scratch_bytes = 1 << 20;
    world.response_file = Some(file.to_owned());
    Command {
        context: Context::new(world),
        memory: vec![0; world::PAGE as usize],
    }
}

/// `/tmp` where there is no `/`.
const ALONE: u32 = 3;

fn create(command: &mut Command, path: &str, contents: &[u8]) {
    let rights = READ | WRITE;
    let file = command.open(ALONE, path, CREATE, rights).expect(path);
    assert_eq!(command.write(file, contents), Ok(contents.len() as u32));
}

#[test]
fn a_response_that_is_a_file_is_the_whole_file() {
    for length in [0, 1, 4096, 4097] {
        let mut command = answered_by("out.o");
        let contents: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
        create(&mut command, "out.o", &contents[..contents.len().min(4096)]);
        if length > 4096 {
            let file = command.open(ALONE, "out.o", 0, READ | WRITE).unwrap();
            command.seek(file, 0, 2).unwrap();
            assert_eq!(command.write(file, &contents[4096..]), Ok(1));
        }
        assert_eq!(command.context.respond(5000), Ok(()));
        assert_eq!(command.host().response, contents);
    }
}

#[test]
fn standard_output_is_the_log_where_the_response_is_a_file() {
    let mut command = answered_by("out.o");
    let output = command.open(4, "stdout", 0, BOTH).unwrap();
    for number in [1, output] {
        assert_eq!(command.write(number, b"compiled\n"), Ok(9));
        assert_eq!(file_type(&mut command, number), 2);
    }
    assert_eq!(command.host().log, ["compiled"; 2]);
    assert!(command.host().response.is_empty());
}

#[test]
fn a_link_to_the_response_is_followed() {
    let mut command = answered_by("d/out");
    assert_eq!(
        command.at(F::PathCreateDirectory, ALONE, "d", &[]),
        Errno::Success
    );
    create(&mut command, "real", b"here");
    let [pointer, length] = command.path("../real");
    let link = command.other_path("d/out");
    let call = [&[pointer, length, ALONE.into()], &link[..]].concat();
    assert_eq!(command.call(F::PathSymlink, &call), Errno::Success);
    assert_eq!(command.context.respond(9), Ok(()));
    assert_eq!(command.host().response, b"here");
}

#[test]
fn what_is_no_file_is_no_response() {
    let mut command = answered_by("out.o");
    let missing = NoResponse::Missing(Errno::NoEntry);
    assert_eq!(command.context.respond(100), Err(missing));
    create(&mut command, "out.o", b"12345");
    let too_long = NoResponse::TooLong { bytes: 5, most: 4 };
    assert_eq!(command.context.respond(4), Err(too_long));
    assert!(command.host().response.is_empty());
    command.host().room = 3;
    assert_eq!(command.context.respond(5), Err(NoResponse::BrokenOff));
    let mut command = answered_by("d");
    assert_eq!(
        command.at(F::PathCreateDirectory, ALONE, "d", &[]),
        Errno::Success
    );
    assert_eq!(command.context.respond(100), Err(NoResponse::Directory));
    let mut command = Command::with_files();
    assert_eq!(command.context.respond(0), Ok(()), "it is not to be a file");
}
