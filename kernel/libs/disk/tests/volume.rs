//! Rules of reading a disk, on file systems that `mke2fs` makes, whole, cut short and damaged.

mod common;

use std::ops::Range;
use std::sync::Arc;

use common::{Memory, contents, disk};
use luge_disk::{FileError, Files, OpenError, Part, ReadError, Reader, SECTOR_BYTES, Volume};

fn open(bytes: impl Into<Arc<Vec<u8>>>) -> Result<Volume, OpenError> {
    Volume::open(Memory::new(bytes))
}

fn open_error(bytes: Vec<u8>) -> String {
    open(bytes).err().expect("not opened").to_string()
}

#[test]
fn every_file_is_read_whatever_the_file_system() {
    for (name, options) in [
        ("ext2", &["-t", "ext2", "-b", "1024"][..]),
        ("ext3", &["-t", "ext3", "-b", "2048"]),
        ("ext4", &["-t", "ext4"]),
        (
            "ext4-plain",
            &[
                "-t",
                "ext4",
                "-b",
                "4096",
                "-O",
                "^has_journal,^metadata_csum",
            ],
        ),
    ] {
        let files = contents();
        let volume = open(disk(name, 8192, &files, options)).expect(name);
        assert_eq!(
            volume.files().unwrap(),
            ["a.wasm", "empty", "long.wasm"],
            "{name}"
        );
        for (path, bytes) in &files {
            assert_eq!(
                &volume.read(path, 1 << 20).unwrap(),
                bytes,
                "{name}: {path}"
            );
        }
    }
}

#[test]
fn a_file_that_is_missing_too_long_or_none_is_an_error() {
    let volume = open(disk("errors", 2048, &contents(), &["-t", "ext4"])).unwrap();
    assert!(matches!(
        volume.read("b.wasm", 10),
        Err(FileError::NotFound)
    ));
    assert!(matches!(
        volume.read("long.wasm", 99_999),
        Err(FileError::TooLong {
            length: 100_000,
            most: 99_999
        })
    ));
    assert_eq!(volume.read("long.wasm", 100_000).unwrap().len(), 100_000);
    let error = volume.read("sub", 10).unwrap_err().to_string();
    assert_eq!(error, "path is a directory");
    assert!(volume.read("a.wasm/x", 10).is_err());
    assert!(volume.read("", 10).is_err());
}

#[test]
fn a_disk_without_a_file_system_is_said_to_have_none() {
    assert_eq!(
        open_error(vec![0; 1 << 20]),
        "has no ext2, ext3 or ext4 file system on it"
    );
    assert_eq!(
        open_error(vec![]),
        "cannot be read: sector 2: past the end of the disk, which has 0 (1024 bytes wanted)"
    );
    assert_eq!(
        open_error(vec![0; 2048 - 512]),
        "cannot be read: sector 2: past the end of the disk, which has 3 (1024 bytes wanted)"
    );
}

#[test]
fn a_disk_that_is_cut_short_is_said_to_be() {
    let whole = disk("cut", 2048, &contents(), &["-t", "ext4"]);
    assert_eq!(whole.len(), 2 << 20);
    for sectors in (4..4096).step_by(100).chain([4095]) {
        let cut = whole[..sectors * SECTOR_BYTES].to_vec();
        assert_eq!(
            open_error(cut),
            format!("is cut short: it has {sectors} sectors, its file system 4096")
        );
    }
    let mut longer = whole;
    longer.extend([0; 700]);
    assert!(
        open(longer).is_ok(),
        "more than the file system needs does no harm"
    );
}

#[test]
fn a_superblock_that_would_need_all_memory_is_refused() {
    let whole = disk(
        "greedy",
        2048,
        &contents(),
        &["-t", "ext4", "-O", "^metadata_csum"],
    );
    let with = |at: usize, word: u32| {
        let mut bytes = whole.clone();
        bytes[1024 + at..1028 + at].copy_from_slice(&word.to_le_bytes());
        open_error(bytes)
    };
    assert_eq!(
        with(0x18, 7),
        "is damaged: its file system has blocks of 2^17 bytes"
    );
    assert_eq!(
        with(0x20, 255),
        "is damaged: its file system has groups of 255 blocks"
    );
    assert!(with(0x150, 1).starts_with("is cut short"));
}

#[test]
fn a_broken_sector_is_named() {
    let files = contents();
    let bytes = disk(
        "broken",
        2048,
        &files,
        &["-t", "ext4", "-O", "^has_journal"],
    );
    let place = bytes
        .windows(64)
        .position(|w| w == &files["long.wasm"][90_000..90_064])
        .unwrap();
    let broken = (place / SECTOR_BYTES) as u64;
    let volume = Volume::open(Memory {
        broken: Some(broken),
        ..Memory::new(bytes.clone())
    });
    let volume = volume.unwrap();
    assert_eq!(volume.read("a.wasm", 100).unwrap(), files["a.wasm"]);
    let error = volume.read("long.wasm", 1 << 20).unwrap_err().to_string();
    let sector = error
        .strip_prefix("io error: sector ")
        .and_then(|e| e.split_once(':'))
        .unwrap();
    assert_eq!(sector.1, " the device reports an error");
    // The sector that is named is the first of the request that failed.
    assert!(
        (broken - 64..=broken).contains(&sector.0.parse().unwrap()),
        "{error}"
    );

    let volume = Volume::open(Memory {
        broken: Some(2),
        ..Memory::new(bytes)
    });
    assert_eq!(
        volume.err().unwrap().to_string(),
        "cannot be read: sector 2: the device reports an error"
    );
}

/// Where the superblock says how large everything is. `ext4-view` 1.0.0 believes that, and some values make it ask for
/// more memory than there is, which ends the program. They are checked before it sees them
/// (`a_superblock_that_would_need_all_memory_is_refused`), and nothing here damages them.
const SIZES: [Range<usize>; 5] = [1028..1032, 1048..1052, 1056..1060, 1120..1124, 1360..1364];

fn says_a_size(at: usize) -> bool {
    SIZES.iter().any(|size| size.contains(&at))
}

/// Reads all there is, as far as it goes.
fn walk(bytes: &Arc<Vec<u8>>) {
    let Ok(volume) = open(bytes.clone()) else {
        return;
    };
    let _ = volume.files();
    let _ = volume.list("", 100);
    let _ = volume.list("sub", 100);
    for path in contents().keys() {
        let _ = volume.read(path, 1 << 20);
    }
    read_in_parts(volume);
}

/// Reads a file in parts, from its end to its beginning, and again after a failure.
fn read_in_parts(volume: Volume) {
    let mut files = Files::new(volume, 1 << 15);
    let file = files.add("long.wasm") as u32;
    let mut part = [0; 64];
    for offset in [99_999, 50_000, 0, 70_000] {
        for _ in 0..8 {
            if !matches!(files.read(file, offset, &mut part), Ok(Part::OnTheWay)) {
                break;
            }
        }
    }
}

/// Changes bits of a disk that nobody reads at the moment.
fn flip(disk: &mut Arc<Vec<u8>>, at: usize, bits: u8) {
    Arc::get_mut(disk).expect("all readers are gone")[at] ^= bits;
}

/// Pseudo-random numbers of a fixed sequence: "Xorshift RNGs", G. Marsaglia, 2003.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn no_flipped_bit_makes_the_reader_panic_hang_or_eat_all_memory() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for (name, options) in [
        (
            "flip-plain",
            &[
                "-t",
                "ext4",
                "-b",
                "1024",
                "-O",
                "^metadata_csum",
                "-N",
                "16",
            ][..],
        ),
        ("flip-ext2", &["-t", "ext2", "-b", "1024", "-N", "16"]),
        (
            "flip-checked",
            &["-t", "ext4", "-b", "1024", "-O", "^has_journal", "-N", "16"],
        ),
    ] {
        let mut whole = Arc::new(disk(name, 2048, &contents(), options));
        // What the file system says of itself is at its front; every third byte there gets a turn.
        let front = (0..16_384_usize).step_by(3);
        let anywhere = (0..2_000).map(|_| random(&mut state) as usize % whole.len());
        for at in front.chain(anywhere.collect::<Vec<_>>()) {
            let bit = 1 << (random(&mut state) % 8);
            if says_a_size(at) {
                continue;
            }
            flip(&mut whole, at, bit);
            walk(&whole);
            flip(&mut whole, at, bit);
        }
    }
}

#[test]
fn no_damage_in_many_places_makes_the_reader_panic_or_hang() {
    let mut state = 0x2545_f491_4f6c_dd1d;
    let options = ["-t", "ext4", "-O", "^metadata_csum"];
    let mut disk = Arc::new(disk("many", 2048, &contents(), &options));
    for _ in 0..2_000 {
        let mut damage = Vec::new();
        for _ in 0..1 + random(&mut state) % 64 {
            // Half of it goes to the front, and none to the first fields of the superblock, without
            // which nothing more is read.
            let end = if random(&mut state).is_multiple_of(2) {
                1 << 16
            } else {
                disk.len()
            };
            let at = random(&mut state) as usize % end;
            if !(1024..1024 + 0x60).contains(&at) && !says_a_size(at) {
                damage.push((at, random(&mut state) as u8));
            }
        }
        damage
            .iter()
            .for_each(|(at, bits)| flip(&mut disk, *at, *bits));
        walk(&disk);
        damage
            .iter()
            .for_each(|(at, bits)| flip(&mut disk, *at, *bits));
    }
}

#[test]
fn any_range_of_bytes_is_read_and_none_past_the_end() {
    let bytes: Vec<u8> = (0..8 * SECTOR_BYTES).map(|i| (i / 7) as u8).collect();
    let mut reader = Reader::new(Memory::new(bytes.clone()));
    for start in (0..bytes.len()).step_by(37) {
        for length in [0, 1, 2, 511, 512, 513, 1024, 1500] {
            let mut into = vec![0; length];
            let read = reader.read_bytes(start as u64, &mut into);
            match bytes.get(start..start + length) {
                Some(there) => assert_eq!((read, &into[..]), (Ok(()), there)),
                None => assert!(matches!(read, Err(ReadError::PastEnd { .. }))),
            }
        }
    }
    for start in [u64::MAX, u64::MAX - 511, 1 << 63] {
        assert!(reader.read_bytes(start, &mut [0; 512]).is_err());
    }
}
