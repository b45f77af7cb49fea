//! Damaged input: whatever arrives, nothing panics, nothing gets stuck, limits hold.
#![allow(missing_docs)]

mod common;

use common::{BODY_LIMIT, Seen, Server};

/// Deterministic numbers (xorshift64*), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

const SEEDS: [&str; 4] = [
    "GET /fib?n=30&m=%41+b HTTP/1.1\r\nHost: luge\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: luge\r\nContent-Length: 11\r\n\r\nhello worldGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /echo HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
    "GET http://luge/x?y HTTP/1.1\r\nHost: luge\r\nConnection: keep-alive, x\r\nContent-Length: 0\r\n\r\n",
];

/// Bytes that mean something to the parser, so that mutations go deep.
const TELLING: &[u8] = b"\r\n\0\t :;,%?&=+/0aF9\x7f\x80\xff";

fn mutate(wire: &mut Vec<u8>, random: &mut Random) {
    if wire.is_empty() {
        return;
    }
    let at = random.below(wire.len());
    let telling = TELLING[random.below(TELLING.len())];
    match random.below(6) {
        0 => wire[at] = random.next() as u8,
        1 => wire[at] = telling,
        2 => wire.insert(at, telling),
        3 => drop(wire.remove(at)),
        4 => wire.truncate(at + 1),
        _ => {
            let end = (at + 1 + random.below(20)).min(wire.len());
            let copy = wire[at..end].to_vec();
            wire.splice(at..at, copy);
        }
    }
}

#[test]
fn damaged_conversations_end_in_requests_or_one_refusal() {
    let mut random = Random(0x1f6e_2021);
    for round in 0..60_000 {
        let mut wire = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut wire, &mut random);
        }
        let mut whole = Server::new();
        whole.receive(&wire, 0);
        let refusals = whole
            .seen
            .iter()
            .filter(|seen| matches!(seen, Seen::Refused(_)))
            .count();
        assert!(refusals <= 1, "{:?}", String::from_utf8_lossy(&wire));
        for seen in &whole.seen {
            if let Seen::Request(head, body) = seen {
                assert!(body.len() as u64 <= BODY_LIMIT);
                assert!(!head.path.contains('\0'));
            }
        }
        let mut pieces = Server::new();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + random.below(rest.len()));
            pieces.receive(piece, 0);
            rest = after;
        }
        assert_eq!(
            pieces.seen,
            whole.seen,
            "{:?}",
            String::from_utf8_lossy(&wire)
        );
    }
}

#[test]
fn noise_is_refused() {
    let mut random = Random(7);
    for _ in 0..2_000 {
        let noise: Vec<u8> = (0..64).map(|_| random.next() as u8).collect();
        let mut server = Server::new();
        server.receive(&noise, 0);
        assert!(
            !server
                .seen
                .iter()
                .any(|seen| matches!(seen, Seen::Request(..)))
        );
    }
}
