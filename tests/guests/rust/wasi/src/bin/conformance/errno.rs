//! The errors of preview 1, by their numbers.

use std::fmt;

/// An error; never 0, which is success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub u32);

pub const BADF: Errno = Errno(8);
pub const EXIST: Errno = Errno(20);
pub const FAULT: Errno = Errno(21);
pub const FBIG: Errno = Errno(22);
pub const ILSEQ: Errno = Errno(25);
pub const INVAL: Errno = Errno(28);
pub const ISDIR: Errno = Errno(31);
pub const LOOP: Errno = Errno(32);
pub const MFILE: Errno = Errno(33);
pub const NAMETOOLONG: Errno = Errno(37);
pub const NOENT: Errno = Errno(44);
pub const NOSPC: Errno = Errno(51);
pub const NOSYS: Errno = Errno(52);
pub const NOTDIR: Errno = Errno(54);
pub const NOTEMPTY: Errno = Errno(55);
pub const NOTSOCK: Errno = Errno(57);
pub const NOTSUP: Errno = Errno(58);
pub const PERM: Errno = Errno(63);
pub const ROFS: Errno = Errno(69);
pub const SPIPE: Errno = Errno(70);
pub const XDEV: Errno = Errno(75);
pub const NOTCAPABLE: Errno = Errno(76);

/// Those that tests name, to be read in a log.
const NAMES: [(Errno, &str); 22] = [
    (BADF, "badf"),
    (EXIST, "exist"),
    (FAULT, "fault"),
    (FBIG, "fbig"),
    (ILSEQ, "ilseq"),
    (INVAL, "inval"),
    (ISDIR, "isdir"),
    (LOOP, "loop"),
    (MFILE, "mfile"),
    (NAMETOOLONG, "nametoolong"),
    (NOENT, "noent"),
    (NOSPC, "nospc"),
    (NOSYS, "nosys"),
    (NOTDIR, "notdir"),
    (NOTEMPTY, "notempty"),
    (NOTSOCK, "notsock"),
    (NOTSUP, "notsup"),
    (PERM, "perm"),
    (ROFS, "rofs"),
    (SPIPE, "spipe"),
    (XDEV, "xdev"),
    (NOTCAPABLE, "notcapable"),
];

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(errno, _)| errno == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}
