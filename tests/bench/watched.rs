//! What it costs to be looked at: a second in which a scraper comes and the status page is open.

use std::fs;

use anyhow::Result;
use luge_harness::http::{Client, Verb};
use luge_harness::{Boot, Disk, Kernel, Lab};

use super::Served;

/// How many faults there are to tell of: at least as many as are remembered.
const FAULTS: u64 = 64;

/// What is asked for: by the scraper, by the page, and the page itself, as if it were opened anew every second.
const ASKED: [&str; 6] = [
    "/metrics",
    "/metrics",
    "/sandboxes.json",
    "/routes.json",
    "/faults.json",
    "/",
];

/// Instructions of such a second, of a machine with all examples, each of which has run, and with as many faults
/// as it remembers.
pub fn second(lab: &Lab) -> Result<u64> {
    let mut folder = lab.folder("watched")?;
    let mut names = Vec::new();
    for entry in fs::read_dir(lab.workshop().guests()?.join("examples"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "wasm") {
            let name = path.file_stem().unwrap_or_default();
            names.push(name.to_string_lossy().into_owned());
            folder = folder.copy(&format!("{}.wasm", name.display()), &path)?;
        }
    }
    folder = folder.copy("unreachable.wasm", lab.hostile("unreachable")?)?;
    let disk = Disk::Modules(folder.path().to_owned());
    let served = Served::begin(lab, &Boot::new(Kernel::Product).disk(disk))?;
    let client = served.machine.client();
    for name in &names {
        client.get(&format!("/{name}"))?;
    }
    for _ in 0..FAULTS {
        client.get("/unreachable")?.expect_status(500)?;
    }
    served.served.set(names.len() as u64 + FAULTS);
    let request = |client: &Client| client.get("/empty")?.expect("");
    let alone = served.instructions_of(request)?;
    let watched = served.instructions_of(|client| {
        for path in ASKED {
            let accept = [("accept", "text/html, */*")];
            client.ask(Verb::Get, path, &accept)?;
        }
        request(client)
    })?;
    Ok(watched - alone)
}
