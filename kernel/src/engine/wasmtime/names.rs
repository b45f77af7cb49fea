//! Which function an address in native code is in: found in the code's own file, which is mapped whole. Nothing is
//! allocated.

use luge_journal::Place;
use luge_native::names::{self, Code};

use crate::mm::code;

/// The function at `address`, if it is in native code and has a name, for last words: no lock is taken.
#[must_use]
pub fn place_of(address: u64) -> Option<names::Place<'static>> {
    let block = code::mapped_around(address)?;
    let start = block.as_ptr() as u64;
    Code::open(block)?.place_at(address - start)
}

/// The place in its module of the instruction at `address`, if that is in native code made of a module.
pub(super) fn in_module(address: u64) -> Option<Place> {
    code::in_block(address, |block, offset| {
        let place = Code::open(block)?.place_at(offset)?;
        let (function, name) = names::of_module(place.function)?;
        Some(Place::new(function, name, place.origin))
    })?
}
