//! Following a path through a tree.

use super::{Kind, LONGEST_NAME, Tree};
use crate::Errno;

/// Most symbolic links on the way of one path, as Linux has it.
const MOST_LINKS: usize = 40;

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
struct Rest<'t> {
    current: &'t str,
    waiting: [&'t str; MOST_LINKS],
    used: usize,
    links: usize,
}

/// Follows `path` from a directory on. Neither `..` nor a symbolic link leads out of that directory.
///
/// # Errors
/// As the specification has them: `perm` for a way out, `loop`, `notdir`, `nametoolong`, and
/// `noent` if anything but the last name is missing.
pub(crate) fn resolve<'t>(
    tree: &'t impl Tree,
    start: u32,
    path: &'t str,
    last: Last,
) -> Result<Found<'t>, Errno> {
    let mut rest = Rest::new(path);
    let mut here = start;
    let mut found = itself(start);
    while let Some((name, is_last)) = rest.next() {
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
                let slash = is_last && rest.ends_in_slash();
                match node {
                    Some((link, Kind::Link)) if !is_last || slash || last == Last::Follow => {
                        rest.enter(tree.target(link).ok_or(Errno::NoEntry)?)?;
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

impl<'t> Rest<'t> {
    const fn new(path: &'t str) -> Self {
        Self {
            current: path,
            waiting: [""; MOST_LINKS],
            used: 0,
            links: 0,
        }
    }

    /// The next name, and whether it is the last of all.
    fn next(&mut self) -> Option<(&'t str, bool)> {
        loop {
            let trimmed = self.current.trim_start_matches('/');
            if !trimmed.is_empty() {
                let end = trimmed.find('/').unwrap_or(trimmed.len());
                let (name, rest) = trimmed.split_at(end);
                self.current = rest;
                return Some((name, !self.has_names()));
            }
            self.used = self.used.checked_sub(1)?;
            self.current = self.waiting[self.used];
        }
    }

    fn parts(&self) -> impl Iterator<Item = &'t str> {
        let waiting = self.waiting[..self.used].iter().copied();
        waiting.chain([self.current])
    }

    fn has_names(&self) -> bool {
        self.parts()
            .any(|part| part.bytes().any(|byte| byte != b'/'))
    }

    /// Whether nothing is left but slashes, and at least one of them.
    fn ends_in_slash(&self) -> bool {
        self.parts().any(|part| !part.is_empty())
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
        self.waiting[self.used] = self.current;
        self.used += 1;
        self.current = target;
        Ok(())
    }
}
