//! `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`: there are no sockets.

use crate::at_path::made;
use crate::calls::{
    Answer, FREE, STDIN, TMP, accept, answer, at, of, shut_down, to_read, to_write,
};
use crate::errno::{BADF, Errno, NOTSOCK};
use crate::{raw, tests};

tests![
    nothing_is_accepted,
    nothing_is_received,
    nothing_is_sent,
    nothing_is_shut_down,
];

fn receive(fd: u32) -> Answer<()> {
    let mut bytes = [0u8; 4];
    let list = to_read(&mut [&mut bytes]);
    let (mut done, mut flags) = (0usize, 0usize);
    // SAFETY: every pointer leads to room for what is written.
    answer(unsafe { raw::sock_recv(fd, of(&*list), 1, 0, at(&mut done), at(&mut flags)) })
}

fn send(fd: u32) -> Answer<()> {
    let list = to_write(&[b"text"]);
    let mut done = 0usize;
    // SAFETY: every pointer leads to what is read, or to room for what is written.
    answer(unsafe { raw::sock_send(fd, of(&*list), 1, 0, at(&mut done)) })
}

/// Makes a call on everything that is there, and on what is not.
fn on_all(call: impl Fn(u32) -> Option<Errno>) {
    let file = made("file", b"");
    for fd in [STDIN, TMP, file] {
        assert_eq!(call(fd), Some(NOTSOCK), "{fd}");
    }
    assert_eq!(file, FREE);
    for fd in [FREE + 1, 1000, u32::MAX] {
        assert_eq!(call(fd), Some(BADF), "{fd}");
    }
}

fn nothing_is_accepted() {
    on_all(|fd| accept(fd, 0).err());
}

fn nothing_is_received() {
    on_all(|fd| receive(fd).err());
}

fn nothing_is_sent() {
    on_all(|fd| send(fd).err());
}

fn nothing_is_shut_down() {
    on_all(|fd| shut_down(fd, 3).err());
}
