//! Arguments and environment: arrays of pointers to strings that end in NUL.

use alloc::string::String;

use crate::Errno;
use crate::memory::Memory;

/// A list of C strings, each in parts that are written one after the other.
pub(crate) trait Strings {
    fn count(&self) -> usize;
    fn parts(&self, index: usize) -> [&[u8]; 3];
}

impl Strings for &[String] {
    fn count(&self) -> usize {
        self.len()
    }

    fn parts(&self, index: usize) -> [&[u8]; 3] {
        [until_nul(self[index].as_bytes()), &[], &[]]
    }
}

impl Strings for &[(String, String)] {
    fn count(&self) -> usize {
        self.len()
    }

    fn parts(&self, index: usize) -> [&[u8]; 3] {
        let (name, value) = &self[index];
        [
            until_nul(name.as_bytes()),
            b"=",
            until_nul(value.as_bytes()),
        ]
    }
}

/// A request may hold a NUL (`%00`), a C string may not: it ends there, as it would for the guest.
fn until_nul(bytes: &[u8]) -> &[u8] {
    // Mostly there is none, and to learn that takes an eighth of the time.
    if !bytes.contains(&0) {
        return bytes;
    }
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// `args_sizes_get`, `environ_sizes_get`: how many there are and how many bytes they fill.
pub(crate) fn sizes(
    strings: impl Strings,
    memory: &mut Memory,
    count: u32,
    size: u32,
) -> Result<(), Errno> {
    let bytes: usize = (0..strings.count()).map(|i| length(&strings, i)).sum();
    memory.put_u32(count, narrow(strings.count())?)?;
    memory.put_u32(size, narrow(bytes)?)
}

/// `args_get`, `environ_get`: the pointers to `pointers`, the strings to `buffer`.
pub(crate) fn get(
    strings: impl Strings,
    memory: &mut Memory,
    pointers: u32,
    buffer: u32,
) -> Result<(), Errno> {
    let mut next = buffer;
    for index in 0..strings.count() {
        memory.put_u32(Memory::element(pointers, narrow(index)?, 4)?, next)?;
        let parts = strings.parts(index);
        let length = narrow(parts.iter().map(|part| part.len()).sum::<usize>() + 1)?;
        let mut rest = memory.bytes_mut(next, length)?;
        for part in parts {
            let (here, after) = rest.split_at_mut_checked(part.len()).ok_or(Errno::Fault)?;
            here.copy_from_slice(part);
            rest = after;
        }
        rest.fill(0);
        next = next.checked_add(length).ok_or(Errno::Fault)?;
    }
    Ok(())
}

/// Bytes of string `index`, with its NUL.
fn length(strings: &impl Strings, index: usize) -> usize {
    strings
        .parts(index)
        .iter()
        .map(|part| part.len())
        .sum::<usize>()
        + 1
}

fn narrow(value: usize) -> Result<u32, Errno> {
    u32::try_from(value).map_err(|_| Errno::Overflow)
}
