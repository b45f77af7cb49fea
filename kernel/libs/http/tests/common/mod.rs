//! A server reduced to its reading half: accepts every head and notes what comes.
#![allow(dead_code, missing_docs)]

use luge_http::{Accepted, Connection, Event, Head, Limits, Refusal};

/// The body limit of every route here.
pub const BODY_LIMIT: u64 = 1_000;

/// What a connection made of the bytes it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Request(Head, Vec<u8>),
    Continue,
    Refused(u16),
}

/// A connection with a server behind it that answers at once.
pub struct Server {
    pub connection: Connection,
    pub seen: Vec<Seen>,
    head: Option<Head>,
}

impl Server {
    pub fn new() -> Self {
        Self {
            connection: Connection::new(Limits::default(), 0),
            seen: Vec::new(),
            head: None,
        }
    }

    /// Gives bytes that arrive together, and as often as needed what was not taken of them.
    pub fn receive(&mut self, mut bytes: &[u8], now_ns: u64) {
        while !bytes.is_empty() {
            let received = self.connection.receive(bytes, now_ns);
            assert!(received.taken <= bytes.len());
            assert!(
                received.taken > 0 || received.event.is_some(),
                "stuck before {bytes:?}"
            );
            bytes = &bytes[received.taken..];
            match received.event {
                Some(Event::Head(head)) => self.accept(head, now_ns),
                Some(Event::Body(body)) => self.serve(body, now_ns),
                Some(Event::Refused(refusal)) => self.refuse(refusal),
                None => {}
            }
        }
    }

    fn accept(&mut self, head: Head, now_ns: u64) {
        self.head = Some(head);
        match self.connection.accept(BODY_LIMIT, now_ns) {
            Accepted::Complete => self.serve(Vec::new(), now_ns),
            Accepted::Body => {}
            Accepted::BodyAfterContinue => self.seen.push(Seen::Continue),
            Accepted::Refused(refusal) => self.refuse(refusal),
        }
    }

    fn serve(&mut self, body: Vec<u8>, now_ns: u64) {
        let head = self.head.take().expect("a body follows a head");
        self.seen.push(Seen::Request(head, body));
        self.connection.finish(now_ns);
    }

    fn refuse(&mut self, refusal: Refusal) {
        assert!(!refusal.detail.is_empty() && !refusal.detail.ends_with('.'));
        self.seen.push(Seen::Refused(refusal.status.code()));
    }
}

/// What becomes of these bytes, given in one piece.
pub fn serve(wire: &[u8]) -> Vec<Seen> {
    let mut server = Server::new();
    server.receive(wire, 0);
    server.seen
}

/// What becomes of a request line and headers (without Host), followed by these bytes.
pub fn with_headers(headers: &str, rest: &str) -> Vec<Seen> {
    serve(format!("POST /echo HTTP/1.1\r\nHost: luge\r\n{headers}\r\n{rest}").as_bytes())
}

/// The body of the only request, if that is what was seen.
pub fn only_body(seen: &[Seen]) -> Option<&[u8]> {
    match seen {
        [Seen::Request(_, body)] => Some(body),
        _ => None,
    }
}

/// The status of the refusal that came first and alone.
pub fn only_refusal(seen: &[Seen]) -> Option<u16> {
    match seen {
        [Seen::Refused(status)] => Some(*status),
        _ => None,
    }
}
