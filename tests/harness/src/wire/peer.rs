//! One end of a connection, by hand: it never sends anything twice, and does only what it is told.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail, ensure};
use smoltcp::wire::TcpControl;

use super::frames::Segment;
use super::{PORT, Wire};

/// The longest payload of a segment, in bytes.
const SEGMENT_BYTES: usize = 1_460;
/// The sequence number that all begin with.
const FIRST: u32 = 0xffff_ff00;

/// A peer of the machine's.
#[derive(Debug)]
pub struct Peer {
    address: Ipv4Addr,
    port: u16,
    server: u16,
    /// The number of the next byte that it sends.
    number: u32,
    /// The number of the next byte that it expects.
    expected: u32,
    /// What the machine has acknowledged.
    acknowledged: u32,
    received: Vec<u8>,
    has_ended: bool,
    was_reset: bool,
}

impl Peer {
    /// Everything that has come and not been taken.
    #[must_use]
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Whether the machine has acknowledged all that was sent.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged == self.number
    }

    /// Whether the machine has closed or reset the connection.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.has_ended || self.was_reset
    }

    fn key(&self) -> (Ipv4Addr, u16) {
        (self.address, self.port)
    }

    fn segment(&self, control: TcpControl, payload: &[u8]) -> Segment {
        Segment {
            control,
            acknowledged: Some(self.expected),
            payload: payload.to_vec(),
            ..Segment::syn(self.address, self.port, self.server, self.number)
        }
    }
}

impl Wire {
    /// Connects somebody who has arrived with the first tenant.
    ///
    /// # Errors
    /// The machine does not answer.
    pub fn connect(&mut self, address: Ipv4Addr) -> Result<Peer> {
        self.connect_to(address, PORT)
    }

    /// The same, to another port.
    ///
    /// # Errors
    /// As there.
    pub fn connect_to(&mut self, address: Ipv4Addr, server: u16) -> Result<Peer> {
        let mut peer = self.begin(address, server)?;
        self.complete(&mut peer)?;
        Ok(peer)
    }

    /// Asks for a connection.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn begin(&mut self, address: Ipv4Addr, server: u16) -> Result<Peer> {
        self.next_port = self.next_port.checked_add(1).unwrap_or(20_000);
        let peer = Peer {
            address,
            port: self.next_port,
            server,
            number: FIRST.wrapping_add(1),
            expected: 0,
            acknowledged: FIRST.wrapping_add(1),
            received: Vec::new(),
            has_ended: false,
            was_reset: false,
        };
        self.segments.insert(peer.key(), VecDeque::new());
        self.send(&Segment::syn(address, peer.port, server, FIRST).frame(self.machine))?;
        Ok(peer)
    }

    /// Waits for the answer to that, and acknowledges it.
    ///
    /// # Errors
    /// It does not come, or refuses.
    pub fn complete(&mut self, peer: &mut Peer) -> Result<()> {
        let answer = self.next(peer)?;
        ensure!(
            answer.control == TcpControl::Syn && answer.acknowledged == Some(peer.number),
            "no SYN-ACK: {answer:?}"
        );
        peer.expected = answer.number.wrapping_add(1);
        self.send(&peer.segment(TcpControl::None, b"").frame(self.machine))
    }

    /// Sends bytes, of which the machine must be able to take all.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn say(&self, peer: &mut Peer, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(SEGMENT_BYTES) {
            let frame = peer.segment(TcpControl::Psh, piece).frame(self.machine);
            self.send(&frame)?;
            peer.number = peer.number.wrapping_add(piece.len() as u32);
        }
        Ok(())
    }

    /// Takes in what has come for a peer, without waiting, and acknowledges it.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn hear(&mut self, peer: &mut Peer) -> Result<()> {
        self.look()?;
        while let Some(segment) = self
            .segments
            .get_mut(&peer.key())
            .and_then(VecDeque::pop_front)
        {
            self.take(peer, &segment)?;
        }
        Ok(())
    }

    /// Waits until something comes for a peer, takes it in and acknowledges it.
    ///
    /// # Errors
    /// Nothing comes.
    pub fn news(&mut self, peer: &mut Peer) -> Result<()> {
        let segment = self.next(peer)?;
        self.take(peer, &segment)
    }

    /// The response that has come whole, if one has, without waiting. Its head must say how long it is; the connection
    /// goes on.
    ///
    /// # Errors
    /// There is something else.
    pub fn heard(&self, peer: &mut Peer) -> Result<Option<String>> {
        let Some(bytes) = whole(&peer.received)? else {
            return Ok(None);
        };
        let response = peer.received.drain(..bytes).collect();
        let response = String::from_utf8(response).context("a response that is text")?;
        Ok(Some(response))
    }

    /// Waits for such a response.
    ///
    /// # Errors
    /// It does not come.
    pub fn response(&mut self, peer: &mut Peer) -> Result<String> {
        loop {
            if let Some(response) = self.heard(peer)? {
                return Ok(response);
            }
            ensure!(!peer.is_over(), "it ends with {:?}", text(&peer.received));
            let segment = self.next(peer)?;
            self.take(peer, &segment)?;
        }
    }

    /// Sends once more what was sent last.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn repeat(&self, peer: &Peer, last: &[u8]) -> Result<()> {
        let segment = Segment {
            number: peer.number.wrapping_sub(last.len() as u32),
            ..peer.segment(TcpControl::Psh, last)
        };
        self.send(&segment.frame(self.machine))
    }

    /// Asks whether the machine still knows of the connection, on which nothing else happens, and waits for the answer. RFC
    /// 9293, "TCP Keep-Alives" (3.8.4).
    ///
    /// # Errors
    /// It does not answer, or has ended the connection.
    pub fn probe(&mut self, peer: &mut Peer) -> Result<()> {
        self.hear(peer)?;
        let segment = Segment {
            number: peer.number.wrapping_sub(1),
            ..peer.segment(TcpControl::None, b"")
        };
        self.send(&segment.frame(self.machine))?;
        let answer = self.next(peer)?;
        self.take(peer, &answer)?;
        ensure!(!peer.is_over(), "it has ended the connection");
        Ok(())
    }

    /// Waits until the machine has acknowledged everything.
    ///
    /// # Errors
    /// It does not.
    pub fn acknowledgement(&mut self, peer: &mut Peer) -> Result<()> {
        while !peer.is_acknowledged() {
            ensure!(!peer.is_over(), "it ends with {:?}", text(&peer.received));
            let segment = self.next(peer)?;
            self.take(peer, &segment)?;
        }
        Ok(())
    }

    /// Says that nothing more follows.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn finish(&mut self, peer: &mut Peer) -> Result<()> {
        self.send(&peer.segment(TcpControl::Fin, b"").frame(self.machine))?;
        peer.number = peer.number.wrapping_add(1);
        Ok(())
    }

    /// Ends the connection in good order.
    ///
    /// # Errors
    /// The machine does not.
    pub fn leave(&mut self, mut peer: Peer) -> Result<()> {
        self.finish(&mut peer)?;
        while !peer.is_over() {
            let segment = self.next(&peer)?;
            self.take(&mut peer, &segment)?;
        }
        self.forget(&peer);
        Ok(())
    }

    /// Breaks the connection off.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn reset(&mut self, peer: &Peer) -> Result<()> {
        self.forget(peer);
        self.send(&peer.segment(TcpControl::Rst, b"").frame(self.machine))
    }

    /// Forgets a peer: what still comes for it is dropped.
    pub fn forget(&mut self, peer: &Peer) {
        self.segments.remove(&peer.key());
    }

    /// The next segment for a peer.
    fn next(&mut self, peer: &Peer) -> Result<Segment> {
        loop {
            let segments = self.segments.get_mut(&peer.key()).context("a peer")?;
            if let Some(segment) = segments.pop_front() {
                return Ok(segment);
            }
            self.wait(&format!("an answer for {}:{}", peer.address, peer.port))?;
        }
    }

    fn take(&self, peer: &mut Peer, segment: &Segment) -> Result<()> {
        if segment.control == TcpControl::Rst {
            peer.was_reset = true;
            return Ok(());
        }
        let ahead = |number: u32| number.wrapping_sub(peer.acknowledged).cast_signed() > 0;
        if let Some(number) = segment.acknowledged.filter(|number| ahead(*number)) {
            peer.acknowledged = number;
        }
        let ends = segment.control == TcpControl::Fin;
        if segment.payload.is_empty() && !ends {
            return Ok(());
        }
        if segment.number == peer.expected && !peer.has_ended {
            peer.received.extend_from_slice(&segment.payload);
            let taken = segment.payload.len() as u32 + u32::from(ends);
            peer.expected = peer.expected.wrapping_add(taken);
            peer.has_ended = ends;
        }
        self.send(&peer.segment(TcpControl::None, b"").frame(self.machine))
    }
}

/// How long the response at the beginning of these bytes is, if all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(None);
    };
    let fields = text(&bytes[..head]).to_ascii_lowercase();
    let mut fields = fields.lines();
    let length = fields.find_map(|field| field.strip_prefix("content-length:"));
    let Some(length) = length else {
        bail!("a response without a length");
    };
    let all = head + 4 + length.trim().parse::<usize>()?;
    Ok((bytes.len() >= all).then_some(all))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
