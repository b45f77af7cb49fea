//! Following a path through a tree.

use super::{Kind, LONGEST_NAME, Tree};
use crate::Errno;

/// Most symbolic links on the way of one path, as Linux has it.
const MOST_LINKS: usize = 40;

/// Names that are looked up before others may run. A path and the links on its way have up to 84,000, as on Linux, and
/// each takes some hundred instructions.
const NAMES_AT_ONCE: u32 = 64;

/// What becomes of a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// It is followed, too.
    Follow,
    /// It is what the path means, unless a slash stands behind it.
    Keep,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found<'t> {
    /// The directory that the last name is looked up in.
    pub(crate) directory: u32,
    /// The last name. None if the path ends in `.` or `..`, and so means a directory by itself.
    pub(crate) name: Option<&'t str>,
    /// What has that name, if anything has.
    pub(crate) node: Option<(u32, Kind)>,
    /// A slash at the end: only a directory is meant.
    pub(crate) slash: bool,
}

/// What is left of a path, and of those in which the symbolic links stood that led to it.
///
/// Invariant: no part begins with a slash, and none that waits is empty.
struct Rest<'t> {
    current: &'t str,
    waiting: [&'t str; MOST_LINKS],
    used: usize,
    links: usize,
    /// Slashes stand behind the last name of all.
    slash: bool,
}

/// Follows `path` from a directory on. Neither `..` nor a symbolic link leads out of that directory. `breathe` lets others
/// run, now and then, and says whether the result is still wanted.
///
/// # Errors
/// As the specification has them: `perm` for a way out, `loop`, `notdir`, `nametoolong`, and
/// `noent` if anything but the last name is missing. `intr` if it is not wanted any more.
pub(crate) fn resolve<'t>(
    tree: &'t impl Tree,
    start: u32,
    path: &'t str,
    last: Last,
    breathe: impl Fn() -> bool,
) -> Result<Found<'t>, Errno> {
    let mut rest = Rest::new(path);
    let mut here = start;
    let mut found = itself(start);
    let mut left = NAMES_AT_ONCE;
    while let Some((name, is_last)) = rest.next() {
        left -= 1;
        if left == 0 {
            if !breathe() {
                return Err(Errno::Interrupted);
            }
            left = NAMES_AT_ONCE;
        }
        match name {
            "." => found = itself(here),
            ".." if here == start => return Err(Errno::NotPermitted),
            ".." => {
                here = tree.parent(here);
                found = itself(here);
            }
            _ if name.len() > LONGEST_NAME => return Err(Errno::NameTooLong),
            _ => {
                let node = tree.lookup(here, name);
                let slash = is_last && rest.slash;
                match node {
                    Some((link, Kind::Link)) if !is_last || slash || last == Last::Follow => {
                        rest.enter(tree.target(link).ok_or(Errno::NoEntry)?)?;
                        // What it points to may be slashes for the most part.
                        left = 1;
                    }
                    Some((directory, Kind::Directory)) => {
                        found = at(here, name, node, slash);
                        here = directory;
                    }
                    _ if is_last => return Ok(at(here, name, node, slash)),
                    Some(_) => return Err(Errno::NotADirectory),
                    None => return Err(Errno::NoEntry),
                }
            }
        }
    }
    Ok(found)
}

const fn itself(directory: u32) -> Found<'static> {
    Found {
        directory,
        name: None,
        node: Some((directory, Kind::Directory)),
        slash: true,
    }
}

const fn at<'t>(
    directory: u32,
    name: &'t str,
    node: Option<(u32, Kind)>,
    slash: bool,
) -> Found<'t> {
    Found {
        directory,
        name: Some(name),
        node,
        slash,
    }
}

/// A path from its first name on.
fn from_name(path: &str) -> &str {
    let slashes = path.bytes().take_while(|byte| *byte == b'/').count();
    &path[slashes..]
}

impl<'t> Rest<'t> {
    fn new(path: &'t str) -> Self {
        Self {
            current: from_name(path),
            waiting: [""; MOST_LINKS],
            used: 0,
            links: 0,
            slash: false,
        }
    }

    /// The next name, and whether it is the last of all.
    fn next(&mut self) -> Option<(&'t str, bool)> {
        if self.current.is_empty() {
            self.used = self.used.checked_sub(1)?;
            self.current = self.waiting[self.used];
        }
        let name = self.current.bytes().position(|byte| byte == b'/');
        let (name, rest) = self.current.split_at(name.unwrap_or(self.current.len()));
        if name.is_empty() {
            return None;
        }
        self.current = from_name(rest);
        let is_last = self.current.is_empty() && self.used == 0;
        self.slash |= is_last && !rest.is_empty();
        Some((name, is_last))
    }

    /// Goes on with what a symbolic link points to; what is left waits.
    fn enter(&mut self, target: &'t str) -> Result<(), Errno> {
        if self.links == MOST_LINKS {
            return Err(Errno::Loop);
        }
        // A disk may have links that no guest could make.
        if target.starts_with('/') {
            return Err(Errno::NotPermitted);
        }
        if target.is_empty() {
            return Err(Errno::NoEntry);
        }
        self.links += 1;
        if !self.current.is_empty() {
            self.waiting[self.used] = self.current;
            self.used += 1;
        }
        self.current = target;
        Ok(())
    }
}
