//! What comes over the wire that no ordinary client sends, and many who are on it at once.
//!
//! Nobody in here sends anything twice: what is not answered at once is never answered, and the machine ends without
//! work.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};
use luge_harness::{Boot, Kernel, Lab, Machine, Wire};

use crate::served::{AMPLE_US, route, spec};

scenarios![
    a_ping_is_answered,
    forty_neighbours_are_answered_and_none_is_looked_for,
    a_flood_of_half_open_connections_delays_nobody,
];

/// A machine that has nothing to do for so long has dropped what somebody waits for. It would work on an answer.
pub const IDLE: Duration = Duration::from_secs(60);
/// How many are half open between two requests.
const FLOOD: u16 = 200;

/// Somebody beside the machine.
pub fn neighbour(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 2, 100 + number)
}

/// A machine with `echo` on a wire.
pub fn serve(lab: &Lab) -> Result<(Wire, Machine)> {
    let routes = [route("echo", AMPLE_US)];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let disk = folder.copy("echo.wasm", lab.example("echo")?)?.disk();
    Wire::serve(lab, &Boot::new(Kernel::Product).disk(disk).limit(IDLE))
}

fn a_ping_is_answered(lab: &Lab) -> Result<()> {
    let (mut wire, _machine) = serve(lab)?;
    for number in 0..40 {
        wire.arrive(neighbour(number))?;
        wire.ping(neighbour(number), b"is there anybody?")?;
    }
    Ok(())
}

/// They come one after the other, and ask at once: the machine must have kept where each is.
fn forty_neighbours_are_answered_and_none_is_looked_for(lab: &Lab) -> Result<()> {
    let (mut wire, _machine) = serve(lab)?;
    let all = || (0..40).map(neighbour);
    all().try_for_each(|address| wire.arrive(address))?;
    let peers: Result<Vec<_>> = all().map(|address| wire.begin(address, 8080)).collect();
    let mut peers = peers?;
    for peer in &mut peers {
        wire.complete(peer)?;
    }
    for peer in &mut peers {
        wire.say(peer, b"GET /healthz HTTP/1.1\r\nhost: luge\r\n\r\n")?;
    }
    for peer in &mut peers {
        let response = wire.response(peer)?;
        ensure!(response.ends_with("ok\n"), "{response}");
    }
    let questions = wire.questions();
    ensure!(
        questions == 0,
        "it asked {questions} times where somebody is"
    );
    Ok(())
}

/// More than can be remembered come between the two halves of a handshake, from addresses where nobody is, some of them
/// beside the machine.
fn a_flood_of_half_open_connections_delays_nobody(lab: &Lab) -> Result<()> {
    let (mut wire, _machine) = serve(lab)?;
    wire.arrive(neighbour(1))?;
    for turn in 0..25 {
        flood(&wire, turn)?;
        let mut peer = wire.begin(neighbour(1), 8080)?;
        flood(&wire, turn + 100)?;
        wire.complete(&mut peer)?;
        wire.say(&mut peer, b"GET /healthz HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        let response = wire.response(&mut peer)?;
        ensure!(response.ends_with("ok\n"), "{response}");
    }
    Ok(())
}

fn flood(wire: &Wire, turn: u16) -> Result<()> {
    let [high, low] = turn.to_be_bytes();
    for number in 0..FLOOD {
        let from = match number % 4 {
            0 => Ipv4Addr::new(10, 0, 2, 20 + (number % 64) as u8),
            _ => Ipv4Addr::new(198, 18 + high, low, number as u8),
        };
        wire.forge_syn(from, 1_024 + number)?;
    }
    Ok(())
}
