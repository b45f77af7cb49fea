//! TCP ports of the host that nobody uses.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

/// Ports that were handed out before; the kernel of the host may offer one twice, and two machines
/// that boot at the same time must not get the same.
static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of 127.0.0.1 on which nobody listens, and which this process has not handed out before.
///
/// # Errors
/// Whatever binding a socket fails with.
///
/// # Panics
/// Not on its own: only if another thread panicked in here.
pub fn free() -> io::Result<u16> {
    let mut handed_out = HANDED_OUT.lock().expect("nothing in here panics");
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        if handed_out.insert(port) {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_handed_out_twice() {
        let ports: BTreeSet<u16> = (0..100).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 100);
    }
}
