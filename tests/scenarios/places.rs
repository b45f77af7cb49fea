//! Places: sockets, and who makes room when there is need of one.
//!
//! Everybody is on a wire, by hand (`wire.rs`): nobody sends anything twice but where it is said, so whoever finds no place
//! at once is never answered.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::wire::Peer;
use luge_harness::{Boot, Kernel, Lab, Wire};

use crate::served::{AMPLE_US, route, spec};
use crate::wire::{IDLE, neighbour};

scenarios![
    slow_heads_of_one_address_take_no_place_from_others,
    slow_bodies_of_one_address_take_no_place_from_others,
    silent_connections_of_one_address_take_no_place_from_others,
    answers_that_one_address_does_not_read_take_no_place_from_others,
    ends_that_one_address_does_not_acknowledge_take_no_place_from_others,
    an_operators_port_has_places_of_its_own,
    nothing_acknowledged_is_dropped_for_two_hundred_clients,
    a_request_that_has_come_whole_is_not_given_up_for_having_been_slow,
];

const PORT: u16 = 8080;
const OPERATORS: u16 = 9100;
const ECHO: &[u8] = b"POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 5\r\n\r\nthere";
const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: luge\r\n\r\n";
/// The limit of a machine with endless functions, which take all the time that they get.
const LOOPING: Duration = Duration::from_secs(300);
/// How many connections an attacker has: more than there are places.
const ATTACKERS: usize = 140;
/// How many others come meanwhile.
const NEWCOMERS: u8 = 25;

fn boot(lab: &Lab) -> Result<Boot> {
    let routes = [route("echo", AMPLE_US), route("loop", AMPLE_US)];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let folder = folder.copy("echo.wasm", lab.example("echo")?)?;
    let disk = folder.copy("loop.wasm", lab.hostile("loop")?)?.disk();
    Ok(Boot::new(Kernel::Product).disk(disk).limit(IDLE))
}

/// What an attacker does on each connection.
struct Attack {
    port: u16,
    first: &'static [u8],
    next: &'static [u8],
    /// Whether it takes in what is said to it.
    hears: bool,
}

/// The attacker's connections.
struct Attacker {
    attack: Attack,
    peers: Vec<Option<Peer>>,
}

impl Attacker {
    const ADDRESS: u8 = 0;

    fn new(attack: Attack) -> Self {
        let peers = (0..ATTACKERS).map(|_| None).collect();
        Self { attack, peers }
    }

    /// Goes on on each connection, and makes a new one where it was thrown out; one that hears nothing does so anyway.
    fn goes_on(&mut self, wire: &mut Wire) -> Result<()> {
        let Attack {
            port,
            first,
            next,
            hears,
        } = self.attack;
        for place in &mut self.peers {
            if let Some(peer) = place {
                if hears {
                    wire.hear(peer)?;
                    wire.say(peer, next)?;
                }
                if !hears || peer.is_over() {
                    wire.forget(peer);
                    *place = None;
                }
            }
            if place.is_none() {
                let mut peer = wire.connect_to(neighbour(Self::ADDRESS), port)?;
                wire.say(&mut peer, first)?;
                *place = Some(peer);
            }
        }
        Ok(())
    }
}

/// Asks for the machine's health on a new connection.
fn is_healthy(wire: &mut Wire, address: Ipv4Addr, port: u16) -> Result<()> {
    let mut peer = wire.connect_to(address, port)?;
    wire.say(&mut peer, HEALTH)?;
    let response = wire.response(&mut peer)?;
    ensure!(response.ends_with("ok\n"), "{response}");
    wire.leave(peer)
}

fn keeps_nobody_out(lab: &Lab, attack: Attack) -> Result<()> {
    let (mut wire, _machine) = Wire::serve(lab, &boot(lab)?)?;
    let mut attacker = Attacker::new(attack);
    wire.arrive(neighbour(Attacker::ADDRESS))?;
    for newcomer in 1..=NEWCOMERS {
        attacker.goes_on(&mut wire)?;
        let address = neighbour(newcomer);
        wire.arrive(address)?;
        is_healthy(&mut wire, address, PORT)?;
        let mut peer = wire.connect(address)?;
        wire.say(&mut peer, ECHO)?;
        let response = wire.response(&mut peer)?;
        ensure!(response.ends_with("\r\n\r\nthere"), "{response}");
        wire.leave(peer)?;
    }
    Ok(())
}

fn slow_heads_of_one_address_take_no_place_from_others(lab: &Lab) -> Result<()> {
    let attack = Attack {
        port: PORT,
        first: b"GET /healthz HTTP/1.1\r\nhost: luge\r\nx-slow: ",
        next: b"x",
        hears: true,
    };
    keeps_nobody_out(lab, attack)
}

fn slow_bodies_of_one_address_take_no_place_from_others(lab: &Lab) -> Result<()> {
    let attack = Attack {
        port: PORT,
        first: b"POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 4000000\r\n\r\n",
        next: b"x",
        hears: true,
    };
    keeps_nobody_out(lab, attack)
}

fn silent_connections_of_one_address_take_no_place_from_others(lab: &Lab) -> Result<()> {
    let attack = Attack {
        port: PORT,
        first: b"",
        next: b"",
        hears: true,
    };
    keeps_nobody_out(lab, attack)
}

/// It asks for more than it ever takes.
fn answers_that_one_address_does_not_read_take_no_place_from_others(lab: &Lab) -> Result<()> {
    let attack = Attack {
        port: PORT,
        first: b"GET /metrics HTTP/1.1\r\nhost: 10.0.2.15\r\n\r\n",
        next: b"",
        hears: false,
    };
    keeps_nobody_out(lab, attack)
}

/// The machine closes each connection, since what comes on it is no request, and waits for the end to be acknowledged.
fn ends_that_one_address_does_not_acknowledge_take_no_place_from_others(lab: &Lab) -> Result<()> {
    let attack = Attack {
        port: PORT,
        first: b"what is no request\r\n\r\n",
        next: b"",
        hears: false,
    };
    keeps_nobody_out(lab, attack)
}

/// The attackers have an address each, as far as there are any, and keep all places of the tenant with requests that never
/// end.
fn an_operators_port_has_places_of_its_own(lab: &Lab) -> Result<()> {
    let boot = boot(lab)?.append(&format!(
        "operator_port={OPERATORS} max_connections=16 admission=off"
    ));
    let (mut wire, _machine) = Wire::serve(lab, &boot.limit(LOOPING))?;
    let operator = neighbour(99);
    wire.arrive(operator)?;
    for number in 0..30 {
        wire.arrive(neighbour(number))?;
        let mut peer = wire.connect(neighbour(number))?;
        wire.say(&mut peer, b"GET /loop HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        is_healthy(&mut wire, operator, OPERATORS)?;
    }
    Ok(())
}

/// Somebody who asks, waits for the answer and asks again.
struct Asker {
    peer: Peer,
    /// How many answers it still wants.
    wants: u32,
    /// Whether what it has sent was answered: a connection that ends then is no request lost.
    is_answered: bool,
}

impl Asker {
    /// Goes on, and says whether anything had happened.
    fn goes_on(&mut self, wire: &mut Wire, address: Ipv4Addr) -> Result<bool> {
        if self.wants == 0 {
            return Ok(false);
        }
        wire.hear(&mut self.peer)?;
        if let Some(response) = wire.heard(&mut self.peer)? {
            ensure!(response.starts_with("HTTP/1.1 200 "), "{response}");
            self.wants -= 1;
            self.is_answered = self.wants == 0 || self.peer.is_over();
            if !self.is_answered {
                wire.say(&mut self.peer, ECHO)?;
            }
            return Ok(true);
        }
        if self.peer.is_over() {
            ensure!(
                self.is_answered || !self.peer.is_acknowledged(),
                "a request was acknowledged and not answered"
            );
            wire.forget(&self.peer);
            self.peer = wire.connect(address)?;
            wire.say(&mut self.peer, ECHO)?;
            self.is_answered = false;
            return Ok(true);
        }
        Ok(false)
    }
}

/// More clients than places, from few addresses. Here what is not acknowledged is sent again.
fn nothing_acknowledged_is_dropped_for_two_hundred_clients(lab: &Lab) -> Result<()> {
    let (mut wire, machine) = Wire::serve(lab, &boot(lab)?)?;
    let mut askers = Vec::new();
    for number in 0..200 {
        let address = neighbour(number % 7);
        wire.arrive(address)?;
        let mut peer = wire.connect(address)?;
        wire.say(&mut peer, ECHO)?;
        let asker = Asker {
            peer,
            wants: 10,
            is_answered: false,
        };
        askers.push((asker, address));
    }
    while askers.iter().any(|(asker, _)| asker.wants > 0) {
        let mut has_news = false;
        for (asker, address) in &mut askers {
            has_news |= asker.goes_on(&mut wire, *address)?;
        }
        if has_news {
            continue;
        }
        ensure!(!machine.serial.is_closed(), "the machine ended");
        for (asker, _) in &askers {
            if asker.wants > 0 && !asker.peer.is_acknowledged() {
                wire.repeat(&asker.peer, ECHO)?;
            }
        }
        // Host's time: it makes no difference how often they repeat themselves.
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The last bytes of the request that has been slow for longest come just before somebody takes the last free socket.
/// Meanwhile two functions run, so that the machine gathers frames, and many come before, so that these two
/// come to be gathered together.
fn a_request_that_has_come_whole_is_not_given_up_for_having_been_slow(lab: &Lab) -> Result<()> {
    let boot = boot(lab)?.append("max_connections=16 admission=off");
    let boot = boot.limit(LOOPING);
    let (mut wire, machine) = Wire::serve(lab, &boot)?;
    for number in 0..60 {
        wire.arrive(neighbour(number))?;
    }
    for number in 0..2 {
        let mut peer = wire.connect(neighbour(number))?;
        wire.say(&mut peer, b"GET /loop HTTP/1.1\r\nhost: luge\r\n\r\n")?;
    }
    for _ in 0..5 {
        let mut slow = Vec::new();
        for number in 10..23 {
            let mut peer = wire.connect(neighbour(number))?;
            wire.say(
                &mut peer,
                b"GET /healthz HTTP/1.1\r\nhost: luge\r\nx-slow: ",
            )?;
            wire.acknowledgement(&mut peer)?;
            slow.push(peer);
        }
        two_seconds_pass(&mut wire)?;
        let newcomers = (0..3).map(|number| wire.begin(neighbour(30 + number), PORT));
        let mut newcomers = newcomers.collect::<Result<Vec<_>>>()?;
        for port in 0..60 {
            wire.forge_syn(neighbour(60), 1_024 + port)?;
        }
        wire.say(&mut slow[0], b"x\r\n\r\n")?;
        for peer in &mut newcomers {
            wire.complete(peer)?;
        }
        let response = wire.response(&mut slow[0])?;
        ensure!(response.starts_with("HTTP/1.1 200 "), "{response}");
        slow.append(&mut newcomers);
        for peer in slow {
            wire.reset(&peer)?;
        }
    }
    drop(machine);
    Ok(())
}

/// Waits until so much of the machine's time has passed, by what it says of it.
fn two_seconds_pass(wire: &mut Wire) -> Result<()> {
    let mut dates: Vec<String> = Vec::new();
    let mut peer = wire.connect(neighbour(5))?;
    while dates.len() < 3 {
        wire.say(&mut peer, HEALTH)?;
        let response = wire.response(&mut peer)?;
        let date = response.lines().find(|line| line.starts_with("Date: "));
        let date = date.context("the machine has a clock")?.to_owned();
        if !dates.contains(&date) {
            dates.push(date);
        }
    }
    wire.leave(peer)
}
