//! Landmarks: where things lie in memory, by name, for whoever reads it from outside: a debugger on the running
//! machine, or on a core of one that has ended.
//!
//! Rust may lay a struct out as it likes, and the kernel is built without a description of its types. So each
//! module names what is worth finding, as [`Landmark`]s made by `offset_of!` and from statics: the compiler fills
//! in the numbers, and a field that goes away does not build. `observe::debugger` gathers the lists into the one
//! table that `tests/gdb` reads (`kernel/docs/decisions/0026-landmarks-for-debuggers.md`).
//!
//! Invariant: a landmark is a constant. Finding things costs the running kernel nothing.

/// A name, and the address, offset, size or number that it stands for.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Landmark {
    name: *const u8,
    name_bytes: usize,
    value: *const (),
}

/// Landmarks of one module.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Landmarks {
    first: *const Landmark,
    count: usize,
}

// SAFETY: a landmark is two numbers and a pointer to constant text; nobody here follows the other pointer.
unsafe impl Sync for Landmark {}
// SAFETY: as above; the list that it points to is constant.
unsafe impl Sync for Landmarks {}

const _: () = assert!(
    size_of::<Landmark>() == 24 && size_of::<Landmarks>() == 16,
    "as tests/gdb/luge/landmarks.py reads them"
);

impl Landmark {
    /// Where a static, or a function, is.
    pub const fn place<T>(name: &'static str, place: *const T) -> Self {
        Self {
            name: name.as_ptr(),
            name_bytes: name.len(),
            value: place.cast(),
        }
    }

    /// An offset or a size in bytes, a count, or what a value means.
    pub const fn number(name: &'static str, number: u64) -> Self {
        Self::place(name, core::ptr::without_provenance::<()>(number as usize))
    }

    /// The offset of a field, in bytes.
    pub const fn field(name: &'static str, offset: usize) -> Self {
        Self::number(name, offset as u64)
    }

    /// Offsets, or what values mean, as a crate without addresses gives them.
    pub const fn all<const N: usize>(named: [(&'static str, usize); N]) -> [Self; N] {
        let mut landmarks = [Self::number("", 0); N];
        let mut index = 0;
        while index < N {
            landmarks[index] = Self::field(named[index].0, named[index].1);
            index += 1;
        }
        landmarks
    }
}

impl Landmarks {
    /// A module's list.
    pub const fn of(list: &'static [Landmark]) -> Self {
        Self {
            first: list.as_ptr(),
            count: list.len(),
        }
    }
}
