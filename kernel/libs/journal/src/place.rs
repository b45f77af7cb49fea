//! Places in modules, and who called whom.

use core::fmt::{self, Display, Formatter, Write};

use crate::short::Short;

/// How many frames of a sandbox's stack are kept.
pub const MOST_FRAMES: usize = 12;

/// How much of a function's name is kept, in bytes.
pub const NAME_BYTES: usize = 96;

/// A place in a module.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The function's number, imports counted.
    pub function: u32,
    /// How far into the file of the module the instruction is, in bytes, if that is known.
    pub offset: Option<u32>,
    name: Option<Short<NAME_BYTES>>,
}

impl Place {
    /// A place in a function, with its name if the module says it. Of that, the beginning is kept.
    #[must_use]
    pub fn new(function: u32, name: Option<&str>, offset: Option<u32>) -> Self {
        let name = name.map(|name| {
            let mut short = Short::EMPTY;
            // What does not fit is cut off, and that is no error.
            let _ = short.write_str(name);
            short
        });
        Self {
            function,
            offset,
            name,
        }
    }

    /// What the function is called: by its name, or else as browsers do.
    pub fn called(&self) -> impl Display {
        fmt::from_fn(move |f| match &self.name {
            Some(name) => f.write_str(name.get()),
            None => write!(f, "wasm-function[{}]", self.function),
        })
    }
}

/// For a person, on one line. A name is the guest's to choose, so it is made harmless.
impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(
                f,
                "{} (function {})",
                name.get().escape_debug(),
                self.function
            )?,
            None => write!(f, "function {}", self.function)?,
        }
        match self.offset {
            Some(offset) => write!(f, " at {offset:#x}"),
            None => Ok(()),
        }
    }
}

/// Who called whom, from the innermost on, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Backtrace {
    places: [Option<Place>; MOST_FRAMES],
    /// Whether there were more frames than are kept.
    pub is_cut: bool,
}

impl Backtrace {
    /// Nothing is known.
    pub const EMPTY: Self = Self {
        places: [None; MOST_FRAMES],
        is_cut: false,
    };

    /// With these places, the innermost first. `is_cut` is whether these are not all that there were.
    pub fn new(mut places: impl Iterator<Item = Place>, is_cut: bool) -> Self {
        let kept = core::array::from_fn(|_| places.next());
        Self {
            places: kept,
            is_cut: is_cut || places.next().is_some(),
        }
    }

    /// The places, the innermost first.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten()
    }
}
