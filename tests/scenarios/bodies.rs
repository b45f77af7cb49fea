//! Large bodies, and the memory that translations need: both come back, and are nobody else's meanwhile.

use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use luge_harness::http::{Client, Raw, Response};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use luge_metrics::reader::read;
use serde_json::json;

use crate::admin::{deploy, fields, remove, speaker, with_token};
use crate::guests::text;
use crate::load::{Memory, heap_mapped, settled_memory, wait_for_memory};
use crate::loading::module_of;
use crate::served::{AMPLE_US, route, route_with, sandboxes_of, spec, wait_until};

scenarios![
    a_module_of_40_mb_is_deployed_beside_small_requests_and_its_body_leaves_nothing_behind,
    a_body_of_33_mib_gives_its_memory_back,
    a_body_whose_client_leaves_gives_its_memory_back,
    what_a_translation_may_need_is_not_given_to_requests_that_come_after_it_has_begun,
    what_a_translation_may_need_is_not_promised_to_another_one,
    an_upload_for_which_there_is_no_memory_is_refused_before_its_body_comes,
];

const MIB: usize = 1 << 20;
/// How much the kernel's heap may grow for all else, while a body comes: by one step.
const GROWTH: u64 = MIB as u64;

/// A module with so many bytes of data, no two pages of them alike, which nothing copies anywhere.
fn heavy(bytes: usize) -> Result<Vec<u8>> {
    let text = "(func (export \"_start\")) (data \"MARK\")";
    let small = text::module(text);
    let at = small
        .windows(4)
        .position(|window| window == b"MARK")
        .context("the module has its data")?;
    // The data section is the last one: its identifier, its length, a count, a flag, the data's length, the data.
    let head = &small[..at - 5];
    ensure!(small[at - 5..at] == [11, 7, 1, 1, 4], "{small:?}");
    let data: Vec<u8> = (0..bytes / 4)
        .flat_map(|n| (n as u32).to_le_bytes())
        .collect();
    let mut section = vec![1, 1];
    leb128(&mut section, data.len());
    section.extend(data);
    let mut module = head.to_vec();
    module.push(11);
    leb128(&mut module, section.len());
    module.extend(section);
    Ok(module)
}

fn leb128(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A machine with two functions that read nothing of their bodies, `speaker` and one whose bodies may be large.
fn machine(lab: &Lab, memory: &str) -> Result<Machine> {
    let mut large = route_with("large", AMPLE_US, &json!({ "max-request-bytes": 64 * MIB }));
    large["path"] = "speaker.wasm".into();
    let folder = lab.folder("disk")?.file("speaker.wasm", speaker('o', 1))?;
    let folder = folder.file("functions.json", spec(&[route("speaker", AMPLE_US), large]))?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Scenarios).disk(disk);
    let boot = boot.append(&with_token("memory_report=1"));
    lab.serve(&boot.switch("--memory").switch(memory))
}

/// What the kernel has once everything has been used that is made once.
fn before(machine: &Machine) -> Result<(Memory, u64)> {
    for _ in 0..2 {
        machine
            .client()
            .post("/large", &vec![b'x'; 100_000])?
            .expect_status(200)?;
        deploy(&machine.client(), "/heavy", &heavy(100_000)?)?.expect_status(201)?;
        machine.client().get("/heavy")?.expect("")?;
        remove(&machine.client(), "/heavy")?.expect_status(200)?;
    }
    Ok((settled_memory(machine)?, heap_mapped(machine)?))
}

/// Waits until the kernel has as much as `before`.
fn after(machine: &Machine, (memory, heap): (Memory, u64)) -> Result<()> {
    let now = settled_memory(machine)?;
    let grown = heap_mapped(machine)? - heap;
    ensure!(
        grown <= GROWTH,
        "the kernel's heap has grown by {grown} bytes; {memory:?} before, {now:?} now"
    );
    // A step of the heap's growth, less what it had of that.
    let memory = (memory.0 - grown / 4096, memory.1, memory.2);
    wait_for_memory(machine, &memory)
}

fn a_module_of_40_mb_is_deployed_beside_small_requests_and_its_body_leaves_nothing_behind(
    lab: &Lab,
) -> Result<()> {
    let machine = machine(lab, "512M")?;
    let before = before(&machine)?;
    let module = heavy(40_000_000)?;
    let mut answers = 0;
    let operator = machine.client();
    thread::scope(|scope| -> Result<()> {
        let deployment = scope.spawn(|| deploy(&operator, "/heavy", &module));
        let neighbour = machine.client();
        while !deployment.is_finished() {
            neighbour.get("/speaker")?.expect("oooooooo")?;
            neighbour.post("/speaker", b"small")?.expect("oooooooo")?;
            answers += 2;
        }
        let deployed = deployment.join().ok().context("its thread")??;
        deployed.expect_status(201)
    })?;
    println!("{answers} small requests were answered meanwhile");
    machine.client().get("/heavy")?.expect("")?;
    remove(&machine.client(), "/heavy")?.expect_status(200)?;
    after(&machine, before)
}

fn a_body_of_33_mib_gives_its_memory_back(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "256M")?;
    let before = before(&machine)?;
    let body = vec![b'x'; 33 * MIB];
    machine.client().post("/large", &body)?.expect("oooooooo")?;
    machine
        .client()
        .post_chunked("/large", &body)?
        .expect("oooooooo")?;
    after(&machine, before)
}

fn a_body_whose_client_leaves_gives_its_memory_back(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "256M")?;
    let before = before(&machine)?;
    for head in [
        "POST /large HTTP/1.1\r\nhost: luge\r\ncontent-length: 33000000\r\n\r\n".to_owned(),
        "POST /large HTTP/1.1\r\nhost: luge\r\ntransfer-encoding: chunked\r\n\r\n1f00000\r\n"
            .to_owned(),
    ] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(&head)?;
        raw.send(vec![b'x'; 32_000_000])?;
        drop(raw);
    }
    after(&machine, before)
}

/// A machine of 128 MiB with sleepers, most of which take 8 MiB and more.
fn machine_with_sleepers(lab: &Lab) -> Result<Machine> {
    let sleeper = |name: &str, stack_bytes: u32| {
        let mut route = route(name, AMPLE_US);
        route["path"] = "sleep.wasm".into();
        route["stack-size"] = stack_bytes.into();
        route
    };
    let routes = [sleeper("large", 8 << 20), sleeper("small", 512 << 10)];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let disk = folder.copy("sleep.wasm", lab.example("sleep")?)?.disk();
    let boot = Boot::new(Kernel::Product).disk(disk);
    let boot = boot.append(&with_token("admission=off"));
    lab.serve(&boot.switch("--memory").switch("128M"))
}

/// So many sleepers take more than all memory; the small ones, what two large ones more would.
const LARGE: usize = 14;
const SMALL: usize = 60;

/// Connections for sleepers that take more than all memory, on which nothing is sent yet, with what is to be sent.
fn sleepers(machine: &Machine) -> Result<Vec<(Raw, String)>> {
    let mut sleepers = Vec::new();
    for (name, count) in [("large", LARGE), ("small", SMALL)] {
        for _ in 0..count {
            let raw = Raw::connect(machine.port())?;
            let head = format!("GET /{name}?500000 HTTP/1.1\r\nhost: luge\r\n\r\n");
            sleepers.push((raw, head));
        }
    }
    Ok(sleepers)
}

/// How many requests found no room for a sandbox.
fn refused(client: &Client) -> Result<usize> {
    count_of(client, "luge_refusals_total", &[("reason", "no-room")])
}

fn count_of(client: &Client, name: &str, labels: &[(&str, &str)]) -> Result<usize> {
    let metrics = client.get("/metrics")?.text();
    let metrics = read(&metrics).map_err(|wrong| anyhow!("{wrong:?}"))?;
    Ok(metrics.sum(name, labels) as usize)
}

/// Begins to upload a module of so many bytes.
fn upload_head(bytes: usize) -> String {
    format!(
        "PUT /admin/functions/slow HTTP/1.1\r\nhost: luge\r\nauthorization: {}\r\n\
         content-length: {bytes}\r\nconnection: close\r\n\r\n",
        fields()[0].1,
    )
}

/// The translation has begun when the requests come. They take all memory before it has had much.
fn what_a_translation_may_need_is_not_given_to_requests_that_come_after_it_has_begun(
    lab: &Lab,
) -> Result<()> {
    let machine = machine_with_sleepers(lab)?;
    let module = module_of(5 * MIB);
    // Again, if the host left nobody the time to notice that it had begun.
    for _ in 0..20 {
        let mut sleepers = sleepers(&machine)?;
        let (operator, other) = (machine.client(), machine.client());
        let (begun, deployed) = thread::scope(|scope| -> Result<(bool, Response)> {
            let deployment = scope.spawn(|| deploy(&operator, "/slow", &module));
            let mut begun = false;
            while !begun && !deployment.is_finished() {
                let told = deploy(&other, "/other", &speaker('o', 1))?.text();
                begun = told.contains("another module is being deployed");
            }
            for (raw, head) in &mut sleepers {
                raw.send(head)?;
            }
            Ok((begun, deployment.join().ok().context("its thread")??))
        })?;
        if begun {
            ensure!(deployed.status < 300, "{deployed:?}");
            let refused = refused(&machine.client())?;
            ensure!(refused > 0, "there was room for all of them");
            drop(sleepers);
            return wait_until(|| Ok(machine.client().get("/slow")?.status == 200));
        }
    }
    bail!("nobody noticed a translation")
}

fn what_a_translation_may_need_is_not_promised_to_another_one(lab: &Lab) -> Result<()> {
    let folder = lab
        .folder("disk")?
        .file("large.wasm", module_of(12 * MIB))?;
    let folder = folder.file("functions.json", spec(&[route("large", AMPLE_US)]))?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Product).disk(disk);
    let boot = boot
        .append(&with_token(""))
        .switch("--memory")
        .switch("192M");
    let machine = lab.boot(&boot)?;
    machine.serves()?;
    let client = machine.client();
    wait_until(|| Ok(client.get("/readyz")?.text().contains("large.wasm: making")))?;
    let module = module_of(6 * MIB);
    let second = deploy(&client, "/second", &module)?;
    let told = second.text();
    let begun = || {
        machine
            .serial
            .text()
            .matches("large.wasm: 12602071 bytes are being made")
            .count()
    };
    match second.status {
        // Its module had come when the other one was read.
        503 => ensure!(told.starts_with("/second: to translate it, "), "{told}"),
        // It had come before: the other one had to wait.
        201 => ensure!(begun() > 1, "both were translated at once"),
        other => bail!("{other} {told}"),
    }
    machine.ready()?;
    client.get("/large")?.expect("")?;
    if second.status == 503 {
        deploy(&client, "/second", &module)?.expect_status(201)?;
    }
    client.get("/second")?.expect("")
}

fn an_upload_for_which_there_is_no_memory_is_refused_before_its_body_comes(
    lab: &Lab,
) -> Result<()> {
    let machine = machine_with_sleepers(lab)?;
    let mut sleepers = sleepers(&machine)?;
    let client = machine.client();
    let (large, small) = sleepers.split_at_mut(LARGE);
    // The small ones last, since there would be room for them beside a large one that is refused. Nobody else asks for a
    // sandbox, who would take the place of one that sleeps and then leave it.
    for (sleepers, count) in [(large, LARGE), (small, LARGE + SMALL)] {
        for (raw, head) in sleepers {
            raw.send(head)?;
        }
        let let_in = |route| sandboxes_of(&client, Some(route));
        // Some may find that there is no memory only once they run.
        let answered = || count_of(&client, "luge_requests_total", &[]);
        let wait = || Ok(let_in("/large")? + let_in("/small")? + answered()? == count);
        wait_until(wait).context("sleepers are neither let in nor refused")?;
    }
    ensure!(refused(&client)? > 0, "there was room for all of them");
    let mut upload = Raw::connect(machine.port())?;
    upload.send(upload_head(20 * MIB))?;
    let answer = upload.read_to_end()?;
    ensure!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    ensure!(
        answer.contains("20 MiB of memory may be needed, and "),
        "{answer}"
    );
    Ok(())
}
