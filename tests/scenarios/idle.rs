//! Connections on which nothing happens: they cost nothing (`tests/bench`), and are there all the same.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::http::Raw;
use luge_harness::wire::Peer;
use luge_harness::{Boot, Disk, Kernel, Lab, Wire};

use crate::served::wait_until;
use crate::wire::{neighbour, serve};

scenarios![
    idle_connections_answer_what_comes_on_them_whatever_it_is,
    idle_connections_end_each_at_its_own_time,
];

const ECHO: &[u8] = b"POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 5\r\n\r\nthere";
/// How many connections are idle, from how many addresses.
const IDLE: usize = 64;
const ADDRESSES: usize = 8;
/// How many of them are broken off, and how many left.
const BROKEN: usize = 10;

fn asks(wire: &mut Wire, peer: &mut Peer) -> Result<()> {
    wire.say(peer, ECHO)?;
    let response = wire.response(peer)?;
    ensure!(response.ends_with("\r\n\r\nthere"), "{response}");
    Ok(())
}

/// How many connections wait for their clients, as the machine tells on another.
fn waiting(wire: &mut Wire) -> Result<usize> {
    let mut peer = wire.connect(neighbour(0))?;
    wire.say(&mut peer, b"GET /metrics HTTP/1.0\r\n\r\n")?;
    while !peer.is_over() {
        wire.hear(&mut peer)?;
        // Host's time: it makes no difference how often it is looked.
        thread::sleep(Duration::from_millis(1));
    }
    let page = String::from_utf8_lossy(peer.received()).into_owned();
    let mut lines = page.lines();
    let count = lines.find_map(|line| line.strip_prefix("luge_connections_waiting "));
    wire.leave(peer)?;
    count.context("it is counted")?.parse().context("a number")
}

/// Waits until so many do.
fn comes_to(wire: &mut Wire, wanted: usize) -> Result<()> {
    while waiting(wire)? != wanted {}
    Ok(())
}

/// Another request, a probe, the client's leaving, and a reset.
fn idle_connections_answer_what_comes_on_them_whatever_it_is(lab: &Lab) -> Result<()> {
    let (mut wire, _machine) = serve(lab)?;
    (0..ADDRESSES).try_for_each(|number| wire.arrive(neighbour(number as u8)))?;
    let addresses = (0..IDLE).map(|number| neighbour((number % ADDRESSES) as u8));
    let peers: Result<Vec<_>> = addresses.map(|address| wire.connect(address)).collect();
    let mut peers = peers?;
    for peer in &mut peers {
        asks(&mut wire, peer)?;
    }
    comes_to(&mut wire, IDLE)?;
    for peer in peers.iter_mut().rev() {
        asks(&mut wire, peer)?;
    }
    comes_to(&mut wire, IDLE)?;
    for peer in &mut peers {
        wire.probe(peer)?;
    }
    for peer in peers.drain(..BROKEN) {
        wire.reset(&peer)?;
    }
    comes_to(&mut wire, IDLE - BROKEN)?;
    for peer in peers.drain(..BROKEN) {
        wire.leave(peer)?;
    }
    comes_to(&mut wire, IDLE - 2 * BROKEN)?;
    peers.iter_mut().try_for_each(|peer| asks(&mut wire, peer))
}

/// One that is used again and again stays, while others come to their ends beside it.
fn idle_connections_end_each_at_its_own_time(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let boot = Boot::new(Kernel::Product).disk(disk);
    let boot = boot
        .append("keepalive_timeout_s=3")
        .switch("--icount-served");
    let machine = lab.serve(&boot)?;
    let ask = |connection: &mut Raw| {
        connection.send("GET /empty HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        let head = connection.read_head()?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Ok(())
    };
    let mut used = Raw::connect(machine.port())?;
    for _ in 0..2 {
        let mut idle = Raw::connect(machine.port())?;
        ask(&mut idle)?;
        let stream = idle.stream().try_clone()?;
        stream.set_nonblocking(true)?;
        wait_until(|| {
            ask(&mut used)?;
            // There is a byte, or the end.
            Ok(stream.peek(&mut [0]).is_ok())
        })?;
        stream.set_nonblocking(false)?;
        let end = idle.read_to_end()?;
        ensure!(end.is_empty(), "{end:?}");
    }
    ask(&mut used)
}
