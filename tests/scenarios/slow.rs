//! Clients that are slow on purpose: they hold places and memory for as long as they can, and take them from nobody.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use luge_harness::http::{Client, Raw};
use luge_harness::{Boot, Kernel, Lab, Machine};

use crate::served::{AMPLE_US, route, spec};

scenarios![
    heads_that_never_end_lock_nobody_out,
    bodies_that_never_end_lock_nobody_out,
    empty_lines_without_end_lock_nobody_out,
    slow_bodies_take_no_room_from_others,
];

/// How many attack: more than there are places.
const ATTACKERS: usize = 140;
/// How many of them there are before anybody else comes.
const AT_FIRST: usize = 120;
/// How often one of them sends a little. Nothing that is checked depends on how long that takes.
const PAUSE: Duration = Duration::from_millis(300);

fn serve(lab: &Lab) -> Result<Machine> {
    let routes = [route("echo", AMPLE_US)];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let disk = folder.copy("echo.wasm", lab.example("echo")?)?.disk();
    lab.serve(&Boot::new(Kernel::Product).disk(disk))
}

/// A client that begins with `first` and goes on with `next` again and again; it begins anew when it is thrown out.
struct Attacker {
    port: u16,
    first: Vec<u8>,
    next: &'static [u8],
    raw: Option<Raw>,
}

impl Attacker {
    fn new(machine: &Machine, first: impl Into<Vec<u8>>, next: &'static [u8]) -> Self {
        Self {
            port: machine.port(),
            first: first.into(),
            next,
            raw: None,
        }
    }

    /// Sends a little more. False if there is no machine any more.
    fn goes_on(&mut self) -> bool {
        let next = self.next;
        if self.raw.as_mut().is_some_and(|raw| raw.send(next).is_ok()) {
            return true;
        }
        self.raw = Raw::connect(self.port).ok();
        let _ = self.raw.as_mut().map(|raw| raw.send(&self.first));
        self.raw.is_some()
    }
}

/// Has them all attack from here on, for as long as the machine lives. For most there is a place.
fn attack(mut attackers: Vec<Attacker>) {
    for attacker in attackers.iter_mut().take(AT_FIRST) {
        attacker.goes_on();
        // Host's time: QEMU lets one connection wait for it, and whoever comes too soon tries again after a second.
        thread::sleep(Duration::from_millis(5));
    }
    thread::spawn(move || {
        while attackers.iter_mut().any(Attacker::goes_on) {
            // Host's time: an attack that is slower is no other attack.
            thread::sleep(PAUSE);
        }
    });
}

/// New connections each, as somebody has who comes while the attack goes on.
fn is_served(machine: &Machine) -> Result<()> {
    for turn in 0..25 {
        let client = Client::new(machine.port());
        client.get("/healthz")?.expect("ok\n")?;
        let text = format!("turn {turn}");
        client.post("/echo", text.as_bytes())?.expect(text)?;
    }
    Ok(())
}

fn lock_nobody_out(lab: &Lab, first: &str, next: &'static [u8]) -> Result<()> {
    let machine = serve(lab)?;
    let attackers = (0..ATTACKERS).map(|_| Attacker::new(&machine, first, next));
    attack(attackers.collect());
    is_served(&machine)
}

fn heads_that_never_end_lock_nobody_out(lab: &Lab) -> Result<()> {
    lock_nobody_out(lab, "GET /healthz HTTP/1.1\r\nhost: luge\r\nx-slow: ", b"x")
}

fn bodies_that_never_end_lock_nobody_out(lab: &Lab) -> Result<()> {
    let head = "POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 4000000\r\n\r\n";
    lock_nobody_out(lab, head, b"x")
}

fn empty_lines_without_end_lock_nobody_out(lab: &Lab) -> Result<()> {
    lock_nobody_out(lab, "\r", b"\n\r")
}

/// Each has sent nearly all of a large body before it becomes slow.
fn slow_bodies_take_no_room_from_others(lab: &Lab) -> Result<()> {
    let machine = serve(lab)?;
    let head = "POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 4190000\r\n\r\n";
    let first = [head.as_bytes(), &vec![b'x'; 4_180_000]].concat();
    let attackers = (0..20).map(|_| Attacker::new(&machine, &*first, b"x"));
    attack(attackers.collect());
    for _ in 0..10 {
        let body = vec![b'y'; 64 << 10];
        let client = Client::new(machine.port());
        client.post("/echo", &body)?.expect(body)?;
    }
    Ok(())
}
