//! Rules of reading files in parts, and of what is in a folder.

mod common;

use std::collections::BTreeMap;

use common::{Memory, contents, disk};
use luge_disk::{FileError, Files, ListedKind, PIECE_BYTES, Part, Volume};

const PLAIN: &[&str] = &["-t", "ext4", "-b", "1024"];

/// The numbered file `long.wasm`, through a cache of so many pieces.
fn long(name: &str, pieces: usize) -> (Files, u32, Vec<u8>) {
    let volume = Volume::open(Memory::new(disk(name, 4096, &contents(), PLAIN))).unwrap();
    let mut files = Files::new(volume, pieces * PIECE_BYTES);
    let file = files.add("long.wasm") as u32;
    (files, file, contents()["long.wasm"].clone())
}

/// Reads until there is something, and says how many times it was still on its way.
fn read(files: &mut Files, file: u32, offset: u64, into: &mut [u8]) -> (Part, u32) {
    for turns in 0.. {
        match files.read(file, offset, into).unwrap() {
            Part::OnTheWay => {}
            part => return (part, turns),
        }
    }
    unreachable!()
}

#[test]
fn a_part_is_read_from_the_disk_once_and_then_from_memory() {
    let (mut files, file, bytes) = long("parts", 4);
    let mut into = [0; 1000];
    assert_eq!(
        read(&mut files, file, 500, &mut into),
        (Part::Waited(1000), 0)
    );
    assert_eq!(into, bytes[500..1500]);
    assert_eq!(
        read(&mut files, file, 501, &mut into),
        (Part::Ready(1000), 0)
    );
    assert_eq!(into, bytes[501..1501]);
}

#[test]
fn a_read_ends_with_its_piece_and_with_the_file() {
    let (mut files, file, bytes) = long("ends", 4);
    let mut into = vec![0; 200_000];
    let mut found = Vec::new();
    loop {
        let (part, _) = read(&mut files, file, found.len() as u64, &mut into);
        let (Part::Ready(read) | Part::Waited(read)) = part else {
            panic!("{part:?}");
        };
        assert!(read <= PIECE_BYTES);
        if read == 0 {
            break;
        }
        found.extend_from_slice(&into[..read]);
    }
    assert_eq!(found, bytes);
    for beyond in [100_000, 100_001, 1 << 20, u64::MAX] {
        assert_eq!(
            read(&mut files, file, beyond, &mut into).0,
            Part::Ready(0),
            "{beyond}"
        );
    }
}

#[test]
fn a_file_is_read_to_its_end_before_a_place_in_it_is_sought() {
    let (mut files, file, bytes) = long("sought", 1);
    let mut into = [0; 100];
    // The third of four pieces: two are read on the way.
    let start = 2 * PIECE_BYTES as u64 + 7;
    assert_eq!(
        read(&mut files, file, start, &mut into),
        (Part::Waited(100), 2)
    );
    // Back to the first: the fourth is read on the way, and then the place is sought.
    assert_eq!(read(&mut files, file, 9, &mut into), (Part::Waited(100), 1));
    assert_eq!(into, bytes[9..109]);
    assert_eq!(
        read(&mut files, file, start, &mut into),
        (Part::Waited(100), 0)
    );
    assert_eq!(into, bytes[start as usize..][..100]);
}

#[test]
fn without_a_cache_everything_is_read_all_the_same() {
    let (mut files, file, bytes) = long("uncached", 0);
    let mut into = [0; 300];
    for offset in [99_800_u64, 5, 40_000] {
        let length = (bytes.len() - offset as usize).min(300);
        let (part, _) = read(&mut files, file, offset, &mut into);
        assert_eq!(part, Part::Waited(length));
        assert_eq!(into[..length], bytes[offset as usize..][..length]);
    }
}

#[test]
fn more_files_than_stay_open_are_read() {
    let names: Vec<String> = (0..100).map(|n| format!("file-{n}")).collect();
    let each = names
        .iter()
        .map(|name| (name.as_str(), name.clone().into_bytes()));
    let many: BTreeMap<&str, Vec<u8>> = each.collect();
    let volume = Volume::open(Memory::new(disk("many-open", 4096, &many, PLAIN))).unwrap();
    let mut files = Files::new(volume, 2 * PIECE_BYTES);
    for name in &names {
        files.add(name);
    }
    for _ in 0..2 {
        for (number, name) in names.iter().enumerate() {
            let mut into = [0; 20];
            let (part, _) = read(&mut files, number as u32, 0, &mut into);
            assert_eq!(part, Part::Waited(name.len()));
            assert_eq!(&into[..name.len()], name.as_bytes());
        }
    }
}

#[test]
fn a_file_that_is_found_has_its_length_and_can_be_read() {
    let all = BTreeMap::from([("a.wasm", vec![1; 3]), ("b", vec![2; 1500]), ("z", vec![])]);
    let volume = Volume::open(Memory::new(disk("found", 4096, &all, PLAIN))).unwrap();
    let mut files = Files::new(volume, 2 * PIECE_BYTES);
    for (name, bytes) in &all {
        let (file, length) = files.find(name).unwrap();
        assert_eq!(length, bytes.len() as u64, "{name}");
        let mut into = [0; 2000];
        let read = files.read_once(file as u32, 0, &mut into).unwrap();
        assert_eq!(read, Part::Waited(bytes.len()), "{name}");
        assert_eq!(into[..bytes.len()], bytes[..], "{name}");
    }
    for missing in [
        "", "a", "a.cwasm", "c", "zz", "no/where", "a.wasm/b", "b/..",
    ] {
        assert!(files.find(missing).is_err(), "{missing:?}");
    }
    // Whatever a path is written like, it is a matter of the file system.
    assert!(files.find("./a.wasm").is_ok());
}

#[test]
fn more_files_than_stay_open_are_found_and_read() {
    let names: Vec<String> = (0..100).map(|n| format!("file-{n}")).collect();
    let each = names
        .iter()
        .map(|name| (name.as_str(), name.clone().into_bytes()));
    let many: BTreeMap<&str, Vec<u8>> = each.collect();
    let volume = Volume::open(Memory::new(disk("many-found", 4096, &many, PLAIN))).unwrap();
    let mut files = Files::new(volume, 2 * PIECE_BYTES);
    for name in &names {
        assert_eq!(files.find(name).unwrap().1, name.len() as u64);
    }
    for (number, name) in names.iter().enumerate() {
        let mut into = [0; 20];
        let read = files.read_once(number as u32, 0, &mut into).unwrap();
        assert_eq!(read, Part::Waited(name.len()));
        assert_eq!(&into[..name.len()], name.as_bytes());
    }
}

#[test]
fn a_file_that_has_failed_is_opened_again() {
    let long: Vec<u8> = (0..25_000_u32).flat_map(u32::to_le_bytes).collect();
    let place = long[90_000..90_064].to_vec();
    let bytes = disk(
        "failed",
        4096,
        &BTreeMap::from([("long.wasm", long)]),
        PLAIN,
    );
    let broken = bytes.windows(64).position(|w| w == place).unwrap() / 512;
    let volume = Volume::open(Memory {
        broken: Some(broken as u64),
        ..Memory::new(bytes)
    });
    let mut files = Files::new(volume.unwrap(), 8 * PIECE_BYTES);
    let file = files.add("long.wasm") as u32;
    let mut into = [0; 10];
    for _ in 0..3 {
        let mut turns = 0;
        let failed = loop {
            match files.read(file, 90_000, &mut into) {
                Ok(Part::OnTheWay) => turns += 1,
                other => break other,
            }
        };
        assert!(matches!(failed, Err(FileError::FileSystem(_))));
        assert!(turns <= 3);
        let first = files.read(file, 0, &mut into);
        assert!(matches!(first, Ok(Part::Ready(10))), "{turns}: {first:?}");
    }
    let nobody = files.add("nobody") as u32;
    assert!(matches!(
        files.read(nobody, 0, &mut into),
        Err(FileError::NotFound)
    ));
    assert!(matches!(
        files.read(7, 0, &mut into),
        Err(FileError::NotFound)
    ));
}

#[test]
fn a_folder_is_listed_with_what_everything_in_it_is() {
    let volume = Volume::open(Memory::new(disk("listed", 4096, &contents(), PLAIN))).unwrap();
    let listed = volume.list("", 10).unwrap();
    let named: Vec<_> = listed
        .iter()
        .map(|one| (one.name.as_str(), one.kind.clone()))
        .collect();
    let file = |bytes| ListedKind::File { bytes };
    assert_eq!(
        named,
        [
            ("a.wasm", file(8)),
            ("empty", file(0)),
            ("long.wasm", file(100_000)),
            ("lost+found", ListedKind::Folder),
            ("sub", ListedKind::Folder),
        ]
    );
    assert!(listed.iter().all(|one| one.modified_ns > 0));
    assert_eq!(volume.list("sub", 10).unwrap().len(), 1);
    assert!(matches!(
        volume.list("", 4),
        Err(FileError::TooManyEntries { most: 4 })
    ));
    assert!(matches!(volume.list("a.wasm", 9), Err(FileError::NoFolder)));
    assert!(matches!(volume.list("b", 9), Err(FileError::NotFound)));
}

#[test]
fn a_file_that_is_read_once_is_there_to_its_end_and_takes_no_place_in_the_cache() {
    let (mut files, file, bytes) = long("once", 4);
    let (mut found, mut into) = (Vec::new(), vec![0; 200_000]);
    loop {
        match files
            .read_once(file, found.len() as u64, &mut into)
            .unwrap()
        {
            Part::Waited(0) => break,
            Part::Waited(read) => {
                assert!(read <= PIECE_BYTES);
                found.extend_from_slice(&into[..read]);
            }
            part => panic!("{part:?}"),
        }
    }
    assert!(found == bytes);
    let read = files.read(file, 0, &mut [0; 10]).unwrap();
    assert_eq!(read, Part::Waited(10), "it is not cached");
}

#[test]
fn a_file_that_is_read_once_can_be_read_from_any_place() {
    let (mut files, file, bytes) = long("places", 4);
    let last = bytes.len() as u64 - 1;
    for offset in [70_000, 100, 99_000, 0, last, last + 1, 5] {
        let mut into = [0; 100];
        let read = loop {
            match files.read_once(file, offset, &mut into).unwrap() {
                Part::OnTheWay => {}
                Part::Waited(read) => break read,
                Part::Ready(read) => panic!("{read} bytes from memory"),
            }
        };
        let offset = offset as usize;
        assert_eq!(into[..read], bytes[offset..(offset + 100).min(bytes.len())]);
    }
}
