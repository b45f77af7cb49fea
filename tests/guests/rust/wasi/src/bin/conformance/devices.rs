//! `/dev`: the streams of a function by their names, and `null`.

use crate::at_path::{Open, create_directory, file_at, unlink};
use crate::calls::{
    DEV, IS_DEVICE, IS_DIRECTORY, STDIN, close, file, read, read_directory, status, write,
};
use crate::errno::{NOENT, NOTCAPABLE, PERM, ROFS};
use crate::streams::BODY;
use crate::tests;

tests![
    the_devices_are_character_devices,
    the_devices_are_listed,
    standard_input_is_a_file,
    standard_output_is_a_file => "exit 0", "by name",
    null_is_empty_and_takes_everything,
    nothing_below_dev_changes,
    a_route_without_files_has_devices on BARE,
];

const NAMES: [&str; 4] = ["null", "stderr", "stdin", "stdout"];

/// What libraries ask for who want to read and write.
const BOTH: Open = Open {
    rights: 1 << 1 | 1 << 6 | 1 << 21,
    ..Open::READ
};

fn the_devices_are_character_devices() {
    assert_eq!(file_at(DEV, 0, ".").unwrap().kind, IS_DIRECTORY);
    for name in NAMES {
        assert_eq!(file_at(DEV, 0, name).unwrap().kind, IS_DEVICE, "{name}");
        let fd = BOTH.at(DEV, name).unwrap();
        assert_eq!(status(fd).unwrap().kind, IS_DEVICE, "{name}");
        assert_eq!(file(fd).unwrap().kind, IS_DEVICE, "{name}");
    }
    assert_eq!(file_at(DEV, 0, "tty").err(), Some(NOENT));
}

fn the_devices_are_listed() {
    let mut buffer = [0; 1000];
    let used = read_directory(DEV, &mut buffer, 0).unwrap();
    let text = String::from_utf8_lossy(&buffer[..used]);
    assert!(NAMES.iter().all(|name| text.contains(name)), "{text:?}");
}

fn standard_input_is_a_file() {
    let fd = Open::READ.at(DEV, "stdin").unwrap();
    assert_eq!(read(fd, 3).unwrap(), &BODY[..3]);
    assert_eq!(read(STDIN, 100).unwrap(), &BODY[3..]);
    assert_eq!(write(fd, b"x"), Err(NOTCAPABLE));
}

fn standard_output_is_a_file() {
    let fd = BOTH.at(DEV, "stdout").unwrap();
    assert_eq!(write(fd, b"by name"), Ok(7));
    close(fd).unwrap();
}

fn null_is_empty_and_takes_everything() {
    let fd = BOTH.at(DEV, "null").unwrap();
    assert_eq!(write(fd, &[7; 3000]), Ok(3000));
    assert_eq!(read(fd, 10).unwrap(), b"");
}

fn nothing_below_dev_changes() {
    assert_eq!(create_directory(DEV, "d"), Err(ROFS));
    assert_eq!(unlink(DEV, "null"), Err(ROFS));
    assert_eq!(Open::READ.at(DEV, "../tmp"), Err(PERM));
}

fn a_route_without_files_has_devices() {
    let dev = 3;
    let fd = Open::READ.at(dev, "stdin").unwrap();
    assert_eq!(read(fd, 100).unwrap(), BODY);
}
