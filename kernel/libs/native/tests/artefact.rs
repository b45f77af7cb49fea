//! What is taken for the native code of a module, and what is not.

use luge_native::artefact::{HEAD_BYTES, LEVEL, Unfit, VERSION, head, open, path};

const MODULE: &[u8] = b"\0asm\x01\0\0\0 a module";
const CODE: &[u8] = b"its native code";

fn file() -> Vec<u8> {
    [&head(MODULE, CODE)[..], CODE].concat()
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(open(&file(), MODULE), Ok(CODE));
}

#[test]
fn no_code_at_all_is_still_a_file() {
    assert_eq!(open(&head(MODULE, b""), MODULE), Ok(&b""[..]));
}

#[test]
fn a_file_that_is_shorter_than_a_head_is_none() {
    for length in 0..HEAD_BYTES {
        assert_eq!(open(&file()[..length], MODULE), Err(Unfit::NotAnArtefact));
    }
}

#[test]
fn what_begins_otherwise_is_none() {
    assert_eq!(open(&[0; 200], MODULE), Err(Unfit::NotAnArtefact));
    assert_eq!(open(MODULE, MODULE), Err(Unfit::NotAnArtefact));
}

#[test]
fn another_version_or_level_is_named() {
    let mut newer = file();
    newer[16] += 1;
    assert_eq!(open(&newer, MODULE), Err(Unfit::OtherVersion(VERSION + 1)));
    let mut higher = file();
    higher[20] += 1;
    assert_eq!(open(&higher, MODULE), Err(Unfit::OtherLevel(LEVEL + 1)));
}

#[test]
fn a_file_that_is_cut_off_or_longer_is_refused() {
    let said = CODE.len() as u64;
    let whole = file();
    let cut = &whole[..whole.len() - 1];
    let found = said - 1;
    assert_eq!(open(cut, MODULE), Err(Unfit::OtherLength { said, found }));
    let longer = [&whole[..], b"!"].concat();
    let found = said + 1;
    assert_eq!(
        open(&longer, MODULE),
        Err(Unfit::OtherLength { said, found })
    );
}

#[test]
fn the_code_of_another_module_is_refused() {
    assert_eq!(open(&file(), b"another"), Err(Unfit::OtherModule));
}

#[test]
fn no_bit_can_be_changed_unnoticed() {
    for bit in 0..file().len() * 8 {
        let mut damaged = file();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&damaged, MODULE).is_err(), "bit {bit}");
    }
}

#[test]
fn native_code_lies_beside_its_module() {
    assert_eq!(path("fib.wasm"), "fib.cwasm");
    assert_eq!(path("folder/fib.wasm"), "folder/fib.cwasm");
    assert_eq!(path("module"), "module.cwasm");
}
