//! The wire that the machine's network card is on, for what no ordinary client would send.
//!
//! QEMU's user network answers for its clients: it hides who they are, completes their handshakes and acknowledges what
//! comes. On a [`Wire`] the test itself is everybody else. Frames go through a pair of datagram sockets of the host, which
//! lose nothing and keep the order, so nobody ever has to send anything again: whatever is waited for comes, or the
//! machine ends.

mod frames;
mod peer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std::{fs, process, thread};

use anyhow::{Context, Result, bail};
use smoltcp::wire::EthernetAddress;

use crate::boot::Boot;
use crate::lab::Lab;
use crate::machine::Machine;
use crate::transcript::Transcript;
use frames::{Arrived, Segment};

pub use peer::Peer;

/// The machine's address, by default.
pub const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// The router's address, by default.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The first tenant's port.
const PORT: u16 = 8080;
/// How often it is looked whether there is a machine.
const GLANCE: Duration = Duration::from_millis(500);

/// A network with a machine and whoever the test makes up.
pub struct Wire {
    folder: PathBuf,
    socket: UnixDatagram,
    frames: Receiver<Vec<u8>>,
    is_over: Arc<AtomicBool>,
    /// What the machine says, which ends with it.
    serial: Option<Arc<Transcript>>,
    machine: EthernetAddress,
    /// Who answers when the machine asks where somebody is.
    residents: BTreeSet<Ipv4Addr>,
    /// What has come for each, by address and port.
    segments: BTreeMap<(Ipv4Addr, u16), VecDeque<Segment>>,
    echoes: Vec<Ipv4Addr>,
    questions: u32,
    next_port: u16,
}

impl Wire {
    /// Boots a machine on a wire and waits until it serves.
    ///
    /// # Errors
    /// It does not, or the host has no sockets.
    pub fn serve(lab: &Lab, boot: &Boot) -> Result<(Wire, Machine)> {
        let mut wire = Wire::new()?;
        let folder = wire.folder.to_str().context("a name that is text")?;
        let boot = boot.clone().switch("--wire").switch(folder);
        let machine = lab.serve(&boot)?;
        wire.socket.connect(wire.folder.join("machine"))?;
        wire.serial = Some(Arc::clone(&machine.serial));
        wire.machine = wire.ask_where(MACHINE, ROUTER)?;
        Ok((wire, machine))
    }

    fn new() -> Result<Wire> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The path of a socket has to be short.
        let name = format!("luge-{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        let socket = UnixDatagram::bind(folder.join("wire"))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, frames) = channel();
        let reader = socket.try_clone()?;
        // Host's time: it is only looked whether to go on.
        reader.set_read_timeout(Some(GLANCE))?;
        let ends = Arc::clone(&is_over);
        thread::spawn(move || follow(&reader, &sender, &ends));
        Ok(Wire {
            folder,
            socket,
            frames,
            is_over,
            serial: None,
            machine: EthernetAddress::BROADCAST,
            residents: BTreeSet::from([ROUTER]),
            segments: BTreeMap::new(),
            echoes: Vec::new(),
            questions: 0,
            next_port: 20_000,
        })
    }

    /// Puts somebody on the wire, who asks where the machine is before it says anything else, as everybody does.
    ///
    /// # Errors
    /// The machine does not say where it is.
    pub fn arrive(&mut self, address: Ipv4Addr) -> Result<()> {
        self.residents.insert(address);
        self.ask_where(MACHINE, address).map(drop)
    }

    /// How often the machine has asked where somebody is.
    #[must_use]
    pub fn questions(&self) -> u32 {
        self.questions
    }

    /// Asks the machine for an echo.
    ///
    /// # Errors
    /// None came.
    pub fn ping(&mut self, from: Ipv4Addr, text: &[u8]) -> Result<()> {
        self.send(&frames::ping(self.machine, from, text))?;
        while !self.echoes.contains(&from) {
            self.wait("an echo")?;
        }
        self.echoes.retain(|other| *other != from);
        Ok(())
    }

    /// Sends a SYN that nobody stands behind.
    ///
    /// # Errors
    /// There is no machine any more.
    pub fn forge_syn(&self, from: Ipv4Addr, port: u16) -> Result<()> {
        self.send(&Segment::syn(from, port, PORT, 1).frame(self.machine))
    }

    fn ask_where(&mut self, whom: Ipv4Addr, who: Ipv4Addr) -> Result<EthernetAddress> {
        self.send(&frames::question(whom, who))?;
        loop {
            if let Arrived::Place(place) = self.wait("where the machine is")? {
                return Ok(place);
            }
        }
    }

    fn send(&self, frame: &[u8]) -> Result<()> {
        self.socket.send(frame).context("sending a frame")?;
        Ok(())
    }

    /// Waits for a frame and deals with it.
    fn wait(&mut self, what: &str) -> Result<Arrived> {
        loop {
            // Host's time: it is only looked whether there is still a machine.
            match self.frames.recv_timeout(GLANCE) {
                Ok(frame) => return self.deal_with(&frame),
                Err(RecvTimeoutError::Timeout) if self.has_machine() => {}
                Err(_) => bail!("the machine ended, and {what} had not come"),
            }
        }
    }

    /// Deals with what has come already.
    fn look(&mut self) -> Result<()> {
        while let Ok(frame) = self.frames.try_recv() {
            self.deal_with(&frame)?;
        }
        Ok(())
    }

    fn has_machine(&self) -> bool {
        self.serial
            .as_ref()
            .is_none_or(|serial| !serial.is_closed())
    }

    fn deal_with(&mut self, frame: &[u8]) -> Result<Arrived> {
        let arrived = frames::read(frame);
        match &arrived {
            Arrived::Question(whom) => {
                self.questions += 1;
                if self.residents.contains(whom) {
                    self.send(&frames::place(self.machine, *whom))?;
                }
            }
            Arrived::Segment(segment) => {
                let whose = (segment.address, segment.port);
                if let Some(segments) = self.segments.get_mut(&whose) {
                    segments.push_back(segment.clone());
                }
            }
            Arrived::Echo(to) => self.echoes.push(*to),
            Arrived::Place(_) | Arrived::Other => {}
        }
        Ok(arrived)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        let _ = fs::remove_dir_all::<&Path>(&self.folder);
    }
}

/// Takes frames from the socket, so that the machine never has to wait for the test.
fn follow(socket: &UnixDatagram, frames: &Sender<Vec<u8>>, is_over: &AtomicBool) {
    let mut frame = [0; 2_048];
    while !is_over.load(Relaxed) {
        let Ok(bytes) = socket.recv(&mut frame) else {
            continue;
        };
        if frames.send(frame[..bytes].to_vec()).is_err() {
            return;
        }
    }
}
