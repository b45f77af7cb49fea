//! Disks for tests: file systems that `mke2fs` makes, in memory.
#![allow(dead_code)] // Each test file uses its part.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use luge_disk::{Fault, SECTOR_BYTES, Sectors};

/// A disk in memory. It breaks where it is told to, and it does not read for ever: a file system
/// that asks for more than a thousand times its size is caught in a loop.
pub struct Memory {
    pub bytes: Arc<Vec<u8>>,
    pub broken: Option<u64>,
    pub patience: u64,
}

impl Memory {
    pub fn new(bytes: impl Into<Arc<Vec<u8>>>) -> Self {
        let bytes = bytes.into();
        let patience = 1000 * bytes.len().max(1 << 20) as u64;
        Memory {
            bytes,
            broken: None,
            patience,
        }
    }
}

impl Sectors for Memory {
    fn count(&self) -> u64 {
        (self.bytes.len() / SECTOR_BYTES) as u64
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        assert!(!into.is_empty() && into.len().is_multiple_of(SECTOR_BYTES));
        let sectors = first..first + (into.len() / SECTOR_BYTES) as u64;
        assert!(sectors.end <= self.count());
        self.patience = self
            .patience
            .checked_sub(into.len() as u64)
            .expect("reads for ever");
        if self.broken.is_some_and(|broken| sectors.contains(&broken)) {
            return Err(Fault::DeviceError);
        }
        let start = first as usize * SECTOR_BYTES;
        into.copy_from_slice(&self.bytes[start..start + into.len()]);
        Ok(())
    }
}

/// The files on the disks of these tests. One spans many blocks, one is empty.
pub fn contents() -> BTreeMap<&'static str, Vec<u8>> {
    let long = (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    BTreeMap::from([
        ("a.wasm", b"\0asm\x01\0\0\0".to_vec()),
        ("empty", Vec::new()),
        ("long.wasm", long),
        ("sub/b.wasm", b"below".to_vec()),
    ])
}

/// A disk of `kib` KiB with these files, made in a folder of its own.
pub fn disk(name: &str, kib: usize, files: &BTreeMap<&str, Vec<u8>>, options: &[&str]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let staging = folder.join("staging");
    fs::create_dir_all(&staging).unwrap();
    for (path, bytes) in files {
        let path = staging.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let image = folder.join("disk.img");
    let done = Command::new("mke2fs")
        .env(
            "PATH",
            format!(
                "{}:/usr/sbin:/sbin",
                std::env::var("PATH").unwrap_or_default()
            ),
        )
        .args(["-q", "-d"])
        .arg(&staging)
        .args(options)
        .arg(&image)
        .arg(format!("{kib}k"))
        .status()
        .expect("mke2fs of the Debian package e2fsprogs");
    assert!(done.success());
    fs::read(image).unwrap()
}
