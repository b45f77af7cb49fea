//! What is done, and what must come of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use luge_trap::Trap;
use serde::{Deserialize, Serialize};

use crate::value::{Pattern, Value};

/// One file of tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script<'s> {
    /// Which file it was made from.
    pub name: String,
    /// All modules that steps speak of, by their place here.
    #[serde(borrow)]
    pub modules: Vec<Module<'s>>,
    /// Steps that belong together.
    pub groups: Vec<Group>,
}

/// A module in both of its forms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Module<'s> {
    /// The module.
    #[serde(borrow)]
    pub wasm: &'s [u8],
    /// Its native code; none if the compiler refuses it.
    #[serde(borrow)]
    pub native: Option<&'s [u8]>,
}

/// Steps that are carried out one after the other in one sandbox.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    /// The steps.
    pub steps: Vec<Step>,
}

/// Something that is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The line of the file that it stands in. 0 for a preparation, which counts only if it fails.
    pub line: u32,
    /// What is done.
    pub action: Action,
    /// What must come of it.
    pub expected: Expected,
}

/// What a step does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Action {
    /// Takes a module, without an instance.
    Compile(u32),
    /// Makes an instance of a module.
    Instantiate {
        /// The module's place.
        module: u32,
        /// The number that later steps know the instance by; the next one of the group.
        instance: u32,
    },
    /// Lets later modules import from an instance.
    Register {
        /// The instance.
        instance: u32,
        /// The name of the module that it is from then on.
        name: String,
    },
    /// Calls an exported function.
    Invoke {
        /// The instance.
        instance: u32,
        /// The function's name.
        name: String,
        /// With this.
        arguments: Vec<Value>,
    },
    /// Reads an exported global.
    Get {
        /// The instance.
        instance: u32,
        /// The global's name.
        name: String,
    },
    /// Looks at all of an exported memory.
    Digest {
        /// The instance.
        instance: u32,
        /// The memory's name.
        name: String,
    },
}

/// What must come of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Expected {
    /// It succeeds, whatever its values are.
    Done,
    /// It succeeds with these values.
    Values(Vec<Pattern>),
    /// It ends in one of the traps that have these places in [`Trap::ALL`].
    Traps(Vec<u8>),
    /// The module is refused: it is malformed or invalid.
    Refused,
    /// The module is good, but cannot be linked.
    Unlinkable,
    /// The memory has this SHA-256 digest.
    Digest([u8; 32]),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It succeeded with these values.
    Values(Vec<Value>),
    /// It ended in a trap.
    Trap(Trap),
    /// The module was refused; why.
    Refused(String),
    /// There is something missing to link the module with, or of another type; what.
    Unlinkable(String),
    /// The memory's SHA-256 digest.
    Digest([u8; 32]),
    /// Nothing of the above; what.
    Other(String),
}

impl<'s> Script<'s> {
    /// The script in `file`. None if it is not one.
    #[must_use]
    pub fn read(file: &'s [u8]) -> Option<Self> {
        postcard::from_bytes(file).ok()
    }

    /// The file of this script.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("vectors grow, and nothing else can fail")
    }
}

impl Expected {
    /// That it ends in `trap`.
    #[must_use]
    pub fn trap(trap: Trap) -> Self {
        Self::traps(&[trap])
    }

    /// That it ends in one of `traps`.
    #[must_use]
    pub fn traps(traps: &[Trap]) -> Self {
        let places = (0..).zip(Trap::ALL);
        let wanted = places.filter(|(_, trap)| traps.contains(trap));
        Self::Traps(wanted.map(|(place, _)| place).collect())
    }

    /// Whether `seen` is what must come.
    #[must_use]
    pub fn accepts(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Self::Done, Seen::Values(_)) | (Self::Refused, Seen::Refused(_)) => true,
            (Self::Unlinkable, Seen::Unlinkable(_)) => true,
            (Self::Values(patterns), Seen::Values(values)) => {
                patterns.len() == values.len()
                    && patterns.iter().zip(values).all(|(p, v)| p.accepts(*v))
            }
            (Self::Traps(places), Seen::Trap(trap)) => {
                let named = |place: &u8| Trap::ALL.get(usize::from(*place)) == Some(trap);
                places.iter().any(named)
            }
            (Self::Digest(expected), Seen::Digest(seen)) => expected == seen,
            _ => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Traps(places) => {
                let named = places
                    .iter()
                    .filter_map(|place| Trap::ALL.get(usize::from(*place)));
                f.debug_list().entries(named).finish()
            }
            other => write!(f, "{other:?}"),
        }
    }
}
