//! `/dev`: what programs know by these names. It is the same for all, and nothing changes it.

use super::{Attributes, Entry, Kind, ROOT, Times, Tree};

/// The names in the directory, in order; the number of each is that of its node, from 1 on.
const NAMES: [&str; 4] = ["null", "stderr", "stdin", "stdout"];

/// Something in `/dev`, by the number of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// It is empty, and takes everything.
    Null = 1,
    /// The log.
    Error = 2,
    /// The body of the request.
    Input = 3,
    /// What standard output is.
    Output = 4,
}

impl Device {
    /// The device of this number.
    pub(crate) const fn of(node: u32) -> Option<Self> {
        match node {
            1 => Some(Self::Null),
            2 => Some(Self::Error),
            3 => Some(Self::Input),
            4 => Some(Self::Output),
            _ => None,
        }
    }
}

/// The directory.
pub(crate) struct Devices;

impl Tree for Devices {
    fn attributes(&self, node: u32) -> Attributes {
        Attributes {
            kind: kind(node),
            links: 1,
            size: 0,
            times: Times::at(0),
        }
    }

    fn parent(&self, _: u32) -> u32 {
        ROOT
    }

    fn lookup(&self, directory: u32, name: &str) -> Option<(u32, Kind)> {
        let place = NAMES.iter().position(|other| *other == name)?;
        (directory == ROOT).then_some((place as u32 + 1, Kind::Device))
    }

    fn target(&self, _: u32) -> Option<&str> {
        None
    }

    /// A cookie is the number of entries before it.
    fn entry_after(&self, directory: u32, cookie: u64) -> Option<Entry<'_>> {
        let place = usize::try_from(cookie).ok()?;
        let name = NAMES.get(place).filter(|_| directory == ROOT)?;
        Some(Entry {
            cookie: cookie + 1,
            node: place as u32 + 1,
            kind: Kind::Device,
            name,
        })
    }
}

const fn kind(node: u32) -> Kind {
    match node {
        ROOT => Kind::Directory,
        _ => Kind::Device,
    }
}
