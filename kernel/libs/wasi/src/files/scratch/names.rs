//! The entries of all directories of the scratch, found by name and in the order in which they were made.
//!
//! Entries stay where they are, and two lists of their places are kept in order: one of directories and names, one of
//! directories and cookies. So finding one takes as many comparisons as the number of all has binary digits, and adding
//! or removing one moves some kilobytes of places at most.
//!
//! Invariant: both lists have the places of all entries, each once; and there is always room for all places in the list
//! of those that are free.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{MOST_NODES, text};
use crate::Errno;

const _: () = assert!(
    MOST_NODES <= u16::MAX as usize,
    "places are numbers of 16 bits"
);

/// A name for a node.
pub(super) struct Named {
    pub(super) directory: u32,
    pub(super) node: u32,
    /// Greater than those of all that were made before.
    pub(super) cookie: u64,
    pub(super) name: Box<str>,
}

/// All entries.
pub(super) struct Names {
    places: Vec<Option<Named>>,
    free: Vec<u16>,
    by_name: Vec<u16>,
    by_cookie: Vec<u16>,
    /// How many were ever made.
    made: u64,
}

impl Names {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_name: Vec::new(),
            by_cookie: Vec::new(),
            made: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    fn at(&self, place: u16) -> Option<&Named> {
        self.places.get(usize::from(place))?.as_ref()
    }

    /// Where in the list of names one is, or would be.
    fn rank(&self, directory: u32, name: &str) -> Result<usize, usize> {
        self.by_name.binary_search_by(|place| {
            let key = self.at(*place).map(|it| (it.directory, &*it.name));
            key.cmp(&Some((directory, name)))
        })
    }

    /// How many entries come before the first of a directory that was made after the one with this cookie.
    fn rank_after(&self, directory: u32, cookie: u64) -> usize {
        self.by_cookie.partition_point(|place| {
            let key = self.at(*place).map(|it| (it.directory, it.cookie));
            key <= Some((directory, cookie))
        })
    }

    pub(super) fn find(&self, directory: u32, name: &str) -> Option<&Named> {
        let rank = self.rank(directory, name).ok()?;
        self.at(self.by_name[rank])
    }

    /// Has a name that is there lead to another node, as an entry that is made now. Answers the node before. Allocates nothing.
    pub(super) fn replace(&mut self, directory: u32, name: &str, node: u32) -> Option<u32> {
        let rank = self.rank(directory, name).ok()?;
        let place = self.by_name[rank];
        let cookie = self.at(place)?.cookie;
        let later = self.rank_after(directory, cookie);
        self.by_cookie.remove(later.checked_sub(1)?);
        self.made += 1;
        let cookie = self.made;
        let last = self.rank_after(directory, cookie);
        self.by_cookie.insert(last, place);
        let entry = self.places.get_mut(usize::from(place))?.as_mut()?;
        entry.cookie = cookie;
        Some(core::mem::replace(&mut entry.node, node))
    }

    /// The first entry of a directory after the one with this cookie; 0 is before the first.
    pub(super) fn after(&self, directory: u32, cookie: u64) -> Option<&Named> {
        let place = self.by_cookie.get(self.rank_after(directory, cookie))?;
        self.at(*place).filter(|entry| entry.directory == directory)
    }

    /// Adds a name, which must be free. Allocates.
    pub(super) fn add(&mut self, directory: u32, name: &str, node: u32) -> Result<(), Errno> {
        let Err(rank) = self.rank(directory, name) else {
            return Err(Errno::Exists);
        };
        let all = self.len() + 1;
        if all > MOST_NODES {
            return Err(Errno::NoSpace);
        }
        let more = all.saturating_sub(self.free.len());
        let has_room = self.places.try_reserve(1).is_ok()
            && self.free.try_reserve(more).is_ok()
            && self.by_name.try_reserve(1).is_ok()
            && self.by_cookie.try_reserve(1).is_ok();
        if !has_room {
            return Err(Errno::NoSpace);
        }
        let entry = Named {
            directory,
            node,
            cookie: self.made + 1,
            name: text(name)?,
        };
        self.made += 1;
        let place = match self.free.pop() {
            Some(place) => {
                self.places[usize::from(place)] = Some(entry);
                place
            }
            None => {
                self.places.push(Some(entry));
                self.places.len() as u16 - 1
            }
        };
        self.by_name.insert(rank, place);
        let last = self.rank_after(directory, self.made);
        self.by_cookie.insert(last, place);
        Ok(())
    }

    /// Takes a name away. Answers what it was.
    pub(super) fn remove(&mut self, directory: u32, name: &str) -> Option<Named> {
        let rank = self.rank(directory, name).ok()?;
        let cookie = self.at(self.by_name[rank])?.cookie;
        let later = self.rank_after(directory, cookie);
        self.by_cookie.remove(later.checked_sub(1)?);
        let place = self.by_name.remove(rank);
        self.free.push(place);
        self.places.get_mut(usize::from(place))?.take()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn all(names: &Names, directory: u32) -> Vec<String> {
        let mut found = Vec::new();
        let mut cookie = 0;
        while let Some(entry) = names.after(directory, cookie) {
            cookie = entry.cookie;
            found.push(String::from(&*entry.name));
        }
        found
    }

    #[test]
    fn names_are_found_by_directory_and_listed_in_the_order_in_which_they_were_made() {
        let mut names = Names::new();
        for (number, name) in ["b", "a", "d", "c"].into_iter().enumerate() {
            names.add(7, name, number as u32).unwrap();
            names.add(3, name, number as u32 + 10).unwrap();
        }
        assert_eq!(names.find(7, "d").unwrap().node, 2);
        assert_eq!(names.find(3, "d").unwrap().node, 12);
        assert!(names.find(5, "d").is_none());
        assert_eq!(names.remove(7, "a").unwrap().node, 1);
        assert!(names.remove(7, "a").is_none());
        names.add(7, "e", 20).unwrap();
        names.add(7, "a", 21).unwrap();
        assert_eq!(all(&names, 7), ["b", "d", "c", "e", "a"]);
        assert_eq!(all(&names, 3), ["b", "a", "d", "c"]);
        assert_eq!(all(&names, 4), [""; 0]);
        assert_eq!(names.add(7, "a", 22), Err(Errno::Exists));
        assert_eq!(names.replace(7, "a", 30), Some(21));
        assert_eq!(names.find(7, "a").unwrap().node, 30);
        assert_eq!(names.replace(7, "d", 31), Some(2));
        assert_eq!(all(&names, 7), ["b", "c", "e", "a", "d"]);
        assert_eq!(names.len(), 9);
    }

    #[test]
    fn there_are_as_many_names_as_nodes_and_places_are_used_again() {
        let mut names = Names::new();
        for number in 0..MOST_NODES as u32 {
            names.add(number % 3, &format!("{number}"), number).unwrap();
        }
        assert_eq!(names.add(0, "more", 1), Err(Errno::NoSpace));
        for number in 0..MOST_NODES as u32 {
            let removed = names.remove(number % 3, &format!("{number}")).unwrap();
            assert_eq!(removed.node, number);
            names.add(9, &format!("{number}"), number).unwrap();
        }
        assert_eq!(names.places.len(), MOST_NODES);
        assert_eq!(all(&names, 9).len(), MOST_NODES);
        assert!(all(&names, 1).is_empty());
    }
}
