//! Functions are added, replaced and removed while the machine runs.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Client, Raw, Response, Verb};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};

use crate::guests::text;
use crate::load::{settled_memory, wait_for_memory};
use crate::served::{timing_us, wait_until};

scenarios![
    functions_are_added_replaced_and_removed_while_the_machine_runs,
    without_a_token_on_the_command_line_there_are_no_admin_pages,
    whoever_has_another_token_changes_nothing,
    a_bad_upload_changes_nothing_and_says_where_it_is_wrong,
    a_machine_without_a_disk_serves_what_is_deployed,
    translating_a_large_module_holds_nobody_up,
    a_deployment_is_given_up_when_its_client_leaves,
    a_module_that_takes_too_much_memory_to_translate_is_refused_and_nothing_else_is,
];

const TOKEN: &str = "a-token-of-the-scenarios";

/// What the command line has.
pub fn with_token(more: &str) -> String {
    format!("admin_token={TOKEN} {more}")
}

pub fn fields() -> [(&'static str, &'static str); 1] {
    [("authorization", "Bearer a-token-of-the-scenarios")]
}

pub fn deploy(client: &Client, path: &str, module: &[u8]) -> Result<Response> {
    client.put(&format!("/admin/functions{path}"), &fields(), module)
}

pub fn remove(client: &Client, path: &str) -> Result<Response> {
    let path = format!("/admin/functions{path}");
    client.ask(Verb::Delete, &path, &fields())
}

/// A module that writes `letter` eight times, a call and a loop of so many turns each.
pub fn speaker(letter: char, turns: u32) -> Vec<u8> {
    text::module(&format!(
        "(data (i32.const 16) \"{letter}\")
         (data (i32.const 0) \"\\10\\00\\00\\00\\01\\00\\00\\00\")
         (func (export \"_start\") (local $left i32) (local $turn i32)
            (local.set $left (i32.const 8))
            (loop $again
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (local.set $turn (i32.const {turns}))
                (loop $spin
                    (local.set $turn (i32.sub (local.get $turn) (i32.const 1)))
                    (br_if $spin (i32.gt_s (local.get $turn) (i32.const 0))))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left))))"
    ))
}

fn functions_are_added_replaced_and_removed_while_the_machine_runs(lab: &Lab) -> Result<()> {
    let disk = lab.folder("disk")?.copy("fib.wasm", lab.example("fib")?)?;
    let boot = Boot::new(Kernel::Product).disk(disk.disk());
    let machine = lab.serve(&boot.append(&with_token("")))?;
    let client = machine.client();
    client.get("/speaker")?.expect_status(404)?;
    let added = deploy(&client, "/speaker", &speaker('a', 1))?;
    added.expect_status(201)?;
    ensure!(added.text() == "added /speaker\n", "{}", added.text());
    client.get("/speaker")?.expect("aaaaaaaa")?;
    deploy(&client, "/speaker", &speaker('b', 1))?.expect("replaced /speaker\n")?;
    client.get("/speaker")?.expect("bbbbbbbb")?;

    let settings = r#"{"http-resp-content-type": "text/html", "max-response-bytes": 3}"#;
    let more = [fields()[0], ("luge-route", settings)];
    client
        .put("/admin/functions/speaker", &more, &speaker('c', 1))?
        .expect("replaced /speaker\n")?;
    let too_long = "response-too-long";
    client.get("/speaker")?.expect_outcome(too_long)?;
    deploy(&client, "/speaker", &speaker('d', 1))?.expect_status(200)?;
    client.get("/speaker")?.expect_outcome(too_long)?;
    let more = [
        fields()[0],
        ("luge-route", r#"{"http-resp-content-type": "text/html"}"#),
    ];
    client
        .put("/admin/functions/speaker", &more, &speaker('d', 1))?
        .expect("replaced /speaker\n")?;
    let answer = client.get("/speaker")?;
    answer.expect("dddddddd")?;
    ensure!(
        answer.header("content-type") == Some("text/html"),
        "{answer:?}"
    );

    deploy(&client, "/fib", &speaker('f', 1))?.expect("replaced /fib\n")?;
    client.get("/fib?n=10")?.expect("ffffffff")?;
    let list = client.ask(Verb::Get, "/admin/functions", &fields())?;
    let lines = [
        ":8080/fib\tdefault\tuploaded, ",
        ":8080/speaker\tdefault\tuploaded, ",
    ];
    let told = list.text();
    ensure!(lines.iter().all(|line| told.contains(line)), "{told}");
    remove(&client, "/speaker")?.expect("removed /speaker\n")?;
    client.get("/speaker")?.expect_status(404)?;
    remove(&client, "/speaker")?.expect_status(404)?;
    remove(&client, "/fib")?.expect_status(200)?;
    client.get("/readyz")?.expect_status(503)?;
    deploy(&client, "/speaker", &speaker('e', 1))?.expect_status(201)?;
    client.get("/speaker")?.expect("eeeeeeee")
}

fn without_a_token_on_the_command_line_there_are_no_admin_pages(lab: &Lab) -> Result<()> {
    for append in ["", "admin_token=short"] {
        let disk = lab.folder("disk")?.copy("fib.wasm", lab.example("fib")?)?;
        let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk.disk()).append(append))?;
        let client = machine.client();
        client
            .ask(Verb::Get, "/admin/functions", &fields())?
            .expect_status(404)?;
        deploy(&client, "/fib", &speaker('a', 1))?.expect_status(404)?;
        remove(&client, "/fib")?.expect_status(405)?;
        client.get("/fib?n=10")?.expect("55\n")?;
        let shown = machine.serial.text().contains("short\"");
        ensure!(!shown, "the log shows what should be a secret");
    }
    Ok(())
}

fn whoever_has_another_token_changes_nothing(lab: &Lab) -> Result<()> {
    let disk = lab.folder("disk")?.copy("fib.wasm", lab.example("fib")?)?;
    let boot = Boot::new(Kernel::Product).disk(disk.disk());
    let machine = lab.serve(&boot.append(&with_token("")))?;
    let path = "/admin/functions/fib";
    for fields in [
        &[][..],
        &[("authorization", "Bearer a-token-of-the-scenario")],
        &[("authorization", "Bearer a-token-of-the-scenarios-")],
        &[("authorization", "Basic a-token-of-the-scenarios")],
        &[("authorization", "Bearer")],
        &[self::fields()[0], self::fields()[0]],
    ] {
        let client = machine.client();
        let answers = [
            client.put(path, fields, &speaker('a', 1))?,
            client.ask(Verb::Delete, path, fields)?,
            client.ask(Verb::Get, "/admin/functions", fields)?,
        ];
        for answer in answers {
            answer.expect_status(401)?;
            let wanted = answer.header("www-authenticate");
            ensure!(wanted == Some("Bearer"), "{answer:?}");
        }
    }
    let client = machine.client();
    for (verb, path) in [(Verb::Delete, "/admin/functions"), (Verb::Get, path)] {
        client
            .ask(verb, path, &self::fields())?
            .expect_status(405)?;
    }
    client.get("/fib?n=10")?.expect("55\n")
}

/// Bodies that are no good, the status, and what is said of them.
fn bad_uploads() -> Vec<(Vec<u8>, u16, &'static str)> {
    let good = speaker('a', 1);
    let with = |fields: &str| wat::parse_str(format!("(module {fields})")).expect("it is right");
    let memory = r#"(memory (export "memory") 1)"#;
    vec![
        (
            Vec::new(),
            422,
            "/speaker: header, offset 0x0: unexpected end-of-file\n",
        ),
        (
            b"\x7fELF".to_vec(),
            422,
            "/speaker: header, offset 0x0: not WebAssembly: it does not begin with \"\\0asm\"\n",
        ),
        (
            good[..good.len() - 3].to_vec(),
            422,
            "/speaker: data section, offset 0x",
        ),
        (
            with(&format!(r#"{memory} (func (export "_start") i32.const 1)"#)),
            422,
            "/speaker: code section, offset 0x33: type mismatch",
        ),
        (
            with(&format!(r#"(import "env" "f" (func)) {memory}"#)),
            422,
            "/speaker: import section, offset 0x11: it imports \"env\" \"f\", which nobody provides; nothing that was linked had it: link with what defines it\n",
        ),
        (
            // It is quoted, and escaped five times as long.
            with(&format!(
                r#"(import "{}" "f" (func)) {memory}"#,
                r"\01".repeat(100_000)
            )),
            422,
            "/speaker: import section, offset 0x13: it imports \"\\u{1}\\u{1}",
        ),
        (
            // The validator quotes a name as it is.
            with(&format!(
                r#"{memory} (func (export "_start")) (export "\1b[2J" (memory 0)) (export "\1b[2J" (memory 0))"#
            )),
            422,
            "/speaker: export section, offset 0x33: duplicate export name `\\u{1b}[2J` already defined",
        ),
        (
            with(memory),
            422,
            "/speaker: export section, offset 0xf: not a WASI command: it does not export a function \"_start\"",
        ),
        (
            with(&format!(
                r#"(func (export "_start")) {}"#,
                "(memory 1)".repeat(11)
            )),
            422,
            "/speaker: memory section, offset 0x14: 11 memories, and 10 are the most\n",
        ),
        (
            vec![0; (64 << 20) + 1],
            413,
            "413 Content Too Large: the body is larger than allowed: 67108864 bytes are the most\n",
        ),
        (
            // This machine has 256 MiB.
            vec![0; 64 << 20],
            503,
            "64 MiB, and bodies may take 62 MiB here: give the machine more, --memory 512M\n",
        ),
    ]
}

fn a_bad_upload_changes_nothing_and_says_where_it_is_wrong(lab: &Lab) -> Result<()> {
    let machine = reporting(lab, "speaker", &speaker('o', 1), "")?;
    bad_uploads_are_refused(&machine.client(), &machine)?;
    settled(&machine, |machine| {
        for (body, ..) in bad_uploads() {
            let _ = deploy(&machine.client(), "/speaker", &body)?;
        }
        Ok(())
    })
}

fn bad_uploads_are_refused(client: &Client, machine: &Machine) -> Result<()> {
    client.get("/speaker")?.expect("oooooooo")?;
    for (body, status, said) in bad_uploads() {
        let answer = deploy(&machine.client(), "/speaker", &body)?;
        answer.expect_status(status)?;
        let told = answer.text();
        ensure!(told.starts_with(said), "{said:?} is wanted: {told:?}");
        ensure!(told.len() < 1_100, "{} bytes for one mistake", told.len());
        client.get("/speaker")?.expect("oooooooo")?;
    }
    for (path, settings, said) in [
        ("/speaker", "{", "luge-route:1:"),
        ("/speaker", r#"{"max-memry": 1}"#, "luge-route:1:2: "),
        ("/speaker", r#"{"max-memory": 1}"#, "luge-route:1:16: "),
        ("/speaker", r#"{"engine": "wasmtime"}"#, "luge-route:1:2: "),
        ("/healthz", "{}", "luge-route:1:1: "),
        ("/admin/functions/x", "{}", "luge-route:1:1: "),
    ] {
        let more = [fields()[0], ("luge-route", settings)];
        let path = format!("/admin/functions{path}");
        let answer = client.put(&path, &more, &speaker('b', 1))?;
        answer.expect_status(400)?;
        let told = answer.text();
        ensure!(told.starts_with(said), "{said:?} is wanted: {told:?}");
        client.get("/speaker")?.expect("oooooooo")?;
    }
    Ok(())
}

/// A machine whose kernel reports its memory, with this function by the interpreter.
pub fn reporting(lab: &Lab, name: &str, module: &[u8], append: &str) -> Result<Machine> {
    let file = format!("{name}.wasm");
    let folder = lab.folder("disk")?.file(&file, module)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Scenarios).disk(disk);
    let boot = boot.append(&with_token(&format!("memory_report=1 {append}")));
    lab.serve(&boot.limit(Duration::from_secs(300)))
}

/// Does something twice, and waits until the kernel has as much as after the first time.
fn settled(machine: &Machine, act: impl Fn(&Machine) -> Result<()>) -> Result<()> {
    act(machine)?;
    let before = settled_memory(machine)?;
    act(machine)?;
    wait_for_memory(machine, &before)
}

fn a_machine_without_a_disk_serves_what_is_deployed(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Product).disk(Disk::None);
    let machine = lab.serve(&boot.append(&with_token("")))?;
    let client = machine.client();
    client.get("/readyz")?.expect_status(503)?;
    deploy(&client, "/some/speaker", &speaker('n', 1))?.expect_status(201)?;
    client.get("/readyz")?.expect("ready\n")?;
    client.get("/some/speaker")?.expect("nnnnnnnn")
}

/// A module of so many functions of about 4,000 bytes each.
fn large(functions: usize) -> Vec<u8> {
    let step = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 77)) (local.get 1)))";
    let function = format!("(func (param i32 i32) {})", step.repeat(400));
    text::module(&format!(
        "{} (func (export \"_start\"))",
        function.repeat(functions)
    ))
}

/// The longest that a neighbour may wait for its end while a module is translated: one turn of the translation.
const TURN_US: u64 = 100_000;

/// By the machine's own time, which is that of its instructions.
fn translating_a_large_module_holds_nobody_up(lab: &Lab) -> Result<()> {
    let module = large(700);
    let folder = lab.folder("disk")?.file("speaker.wasm", speaker('o', 1))?;
    let boot = Boot::new(Kernel::Product).disk(folder.disk());
    let machine = lab.serve(&boot.append(&with_token("")).switch("--icount-served"))?;
    let neighbour = machine.client();
    neighbour.get("/speaker")?.expect("oooooooo")?;
    let operator = machine.client();
    let (mut longest_us, mut answers) = (0, 0);
    // Again, if the host left the neighbour little time beside it.
    while answers <= 10 {
        thread::scope(|scope| -> Result<()> {
            let deployment = scope.spawn(|| deploy(&operator, "/large", &module));
            while !deployment.is_finished() {
                let answer = neighbour.get("/speaker")?;
                answer.expect("oooooooo")?;
                let took_us = timing_us(&answer, "queue")? + timing_us(&answer, "run")?;
                longest_us = longest_us.max(took_us);
                answers += 1;
            }
            let deployed = deployment.join().ok().context("its thread")??;
            ensure!(deployed.status < 300, "{}", deployed.text());
            Ok(())
        })?;
    }
    ensure!(
        longest_us < TURN_US,
        "{answers} answers beside it, the slowest in {longest_us} us"
    );
    machine.client().get("/large")?.expect("")
}

fn a_deployment_is_given_up_when_its_client_leaves(lab: &Lab) -> Result<()> {
    let module = large(700);
    let machine = reporting(lab, "speaker", &speaker('o', 1), "")?;
    let head = format!(
        "PUT /admin/functions/speaker HTTP/1.1\r\nhost: luge\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: {}\r\n\r\n",
        module.len()
    );
    for sent in [module.len() / 2, module.len()] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(&head)?;
        raw.send(&module[..sent])?;
        drop(raw);
        machine.client().get("/speaker")?.expect("oooooooo")?;
    }
    // It is over when another one is let in.
    wait_until(|| {
        let answer = deploy(&machine.client(), "/speaker", &speaker('n', 1))?;
        if answer.status != 200 {
            answer.expect_status(503)?;
        }
        Ok(answer.status == 200)
    })?;
    machine.client().get("/speaker")?.expect("nnnnnnnn")?;
    let over = machine.serial.text().matches("/speaker: replaced").count();
    ensure!(over == 1, "what was given up has replaced it all the same");
    Ok(())
}

fn a_module_that_takes_too_much_memory_to_translate_is_refused_and_nothing_else_is(
    lab: &Lab,
) -> Result<()> {
    let disk = lab.folder("disk")?.file("speaker.wasm", speaker('o', 1))?;
    let boot = Boot::new(Kernel::Product).disk(disk.disk());
    let boot = boot
        .append(&with_token(""))
        .switch("--memory")
        .switch("64M");
    let machine = lab.serve(&boot)?;
    let answer = deploy(&machine.client(), "/speaker", &large(2_000))?;
    answer.expect_status(503)?;
    machine.client().get("/speaker")?.expect("oooooooo")?;
    deploy(&machine.client(), "/speaker", &speaker('n', 1))?.expect_status(200)?;
    machine.client().get("/speaker")?.expect("nnnnnnnn")
}
