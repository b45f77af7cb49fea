//! What scenarios that serve functions have in common: disks, neighbours, answers.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use luge_harness::http::{Client, Response};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::{Value, json};

/// `/fib?n=27` and its answer: some tens of milliseconds of work for a neighbour to be disturbed in.
pub const WORK: (&str, &str) = ("/fib?n=27", "196418\n");

/// A second, in microseconds.
pub const SECOND_US: u64 = 1_000_000;
/// A deadline that comes on no host, however slow, in microseconds: for all that is not about deadlines.
pub const AMPLE_US: u64 = 600 * SECOND_US;
/// How often a condition is tried. A try asks the machine something, and so takes as much longer on a busy host as
/// the machine does.
const TRIES: u32 = 3_000;
/// The time between two tries.
const GLANCE: Duration = Duration::from_millis(50);

/// A route of a spec, served from `NAME.wasm` and with this deadline.
pub fn route(name: &str, deadline_us: u64) -> Value {
    json!({ "route": format!("/{name}"), "path": format!("{name}.wasm"), "relative-deadline-us": deadline_us })
}

/// A route with keys beside the usual ones.
pub fn route_with(name: &str, deadline_us: u64, keys: &Value) -> Value {
    let mut route = route(name, deadline_us);
    extend(&mut route, keys);
    route
}

/// Adds keys to a route or a tenant.
pub fn extend(object: &mut Value, keys: &Value) {
    for (key, value) in keys.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
}

/// A spec with one tenant.
pub fn spec(routes: &[Value]) -> String {
    json!([{ "name": "main", "port": 8080, "routes": routes }]).to_string()
}

/// A disk with one guest that misbehaves, which has `deadline_us`, and the neighbours `fib` and `echo`. It is
/// made without our own tool, which knows nothing of the imports that kernels built for scenarios have.
pub fn disk_with(lab: &Lab, guest: &str, deadline_us: u64) -> Result<Disk> {
    let routes = [
        route(guest, deadline_us),
        route("fib", AMPLE_US),
        route("echo", AMPLE_US),
    ];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let folder = folder.copy(&format!("{guest}.wasm"), lab.hostile(guest)?)?;
    let folder = folder.copy("fib.wasm", lab.example("fib")?)?;
    let folder = folder.copy("echo.wasm", lab.example("echo")?)?;
    Ok(Disk::Image(lab.plain_image(&folder)?))
}

/// A machine with this spec, whose modules are examples or guests that misbehave, by their names.
pub fn machine_of(lab: &Lab, spec: &str, append: &str) -> Result<Machine> {
    lab.serve(&boot_of(lab, spec)?.append(append))
}

/// The same, to be booted.
pub fn boot_of(lab: &Lab, spec: &str) -> Result<Boot> {
    let parsed: Value = serde_json::from_str(spec)?;
    let routes = parsed[0]["routes"].as_array().context("routes")?;
    let mut folder = lab.folder("disk")?.file("functions.json", spec)?;
    for route in routes {
        let file = route["path"].as_str().context("a path")?;
        let name = file.trim_end_matches(".wasm");
        let example = lab.example(name)?;
        let path = if example.exists() {
            example
        } else {
            lab.hostile(name)?
        };
        folder = folder.copy(file, path)?;
    }
    let disk = Disk::Image(lab.plain_image(&folder)?);
    Ok(Boot::new(Kernel::Product).disk(disk))
}

/// A machine that serves one guest that misbehaves, and its neighbours.
pub fn machine_with(lab: &Lab, kernel: Kernel, guest: &str, deadline_us: u64) -> Result<Machine> {
    lab.serve(&Boot::new(kernel).disk(disk_with(lab, guest, deadline_us)?))
}

/// Clients that are connected. They connect one after the other, since QEMU forwards with an accept queue of
/// one: of connections that are opened at once, the host resets some.
pub fn clients(machine: &Machine, count: u64) -> Result<Vec<Client>> {
    let connected = (0..count).map(|_| {
        let client = machine.client();
        client.get("/healthz")?.expect_status(200)?;
        Ok(client)
    });
    connected.collect()
}

/// Tries again and again, until it is so.
pub fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..TRIES {
        if is_so()? {
            return Ok(());
        }
        // Host's time: the least that a try takes, and not how long they are waited for.
        thread::sleep(GLANCE);
    }
    bail!("it did not come to that, tried {TRIES} times")
}

/// Waits until so many sandboxes of a route live.
pub fn wait_for_sandboxes(client: &Client, route: &str, count: usize) -> Result<()> {
    wait_until(|| Ok(sandboxes_of(client, Some(route))? == count))
}

/// How many sandboxes of a route live, or of none.
pub fn sandboxes_of(client: &Client, route: Option<&str>) -> Result<usize> {
    let answer = client.get("/sandboxes.json")?;
    answer.expect_status(200)?;
    let all: Vec<Value> = serde_json::from_slice(&answer.body)?;
    Ok(all
        .iter()
        .filter(|it| it["route"].as_str() == route)
        .count())
}

/// Asks for `path` while a neighbour works, and once more after; the neighbour must not notice.
pub fn beside_a_neighbour(machine: &Machine, path: &str) -> Result<Response> {
    let neighbour = machine.client();
    let working = thread::spawn(move || work(&neighbour));
    let response = machine.client().get(path);
    working
        .join()
        .ok()
        .context("the neighbour's thread")?
        .context("the neighbour, meanwhile")?;
    work(&machine.client()).context("the neighbour, afterwards")?;
    response
}

fn work(client: &Client) -> Result<()> {
    client.get(WORK.0)?.expect(WORK.1)
}

/// How long a request waited for the CPU (`queue`) or had it (`run`), in microseconds, by its response's
/// `Server-Timing`.
pub fn timing_us(response: &Response, name: &str) -> Result<u64> {
    let timing = response.header("server-timing").context("a timing")?;
    let milliseconds = timing.split(',').find_map(|part| {
        let (found, time) = part.trim().split_once(";dur=")?;
        (found == name).then(|| time.parse::<f64>().ok())?
    });
    Ok((milliseconds.with_context(|| timing.to_owned())? * 1_000.0) as u64)
}
