//! Which function an address in native code is in, for last words: found in the code's own file, which is mapped
//! whole. Nothing is allocated and no lock is taken.

use luge_native::names::{self, Place};

use crate::mm::code;

/// The function at `address`, if it is in native code and has a name.
#[must_use]
pub fn place_of(address: u64) -> Option<Place<'static>> {
    let block = code::mapped_around(address)?;
    let start = block.as_ptr() as u64;
    names::place_at(block, address - start)
}
