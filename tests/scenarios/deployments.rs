//! Deployments while memory is short, up to their limits, and beside requests that are half there.

use anyhow::{Result, ensure};
use luge_harness::http::{Client, Raw, Response, Verb, status_of};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::{Map, Value, json};

use crate::admin::{deploy, fields, remove, with_token};
use crate::guests::{AMPLE_US, text};
use crate::served::{route_with, spec};

scenarios![
    functions_are_deployed_up_to_the_most_while_the_kernel_gets_no_large_piece_of_memory,
    a_change_for_which_there_is_no_memory_is_503_and_nothing_changes,
    deployed_functions_have_a_quarter_of_memory_and_no_more,
    a_request_whose_function_changes_before_its_body_is_there_is_the_new_ones,
    an_allocation_that_fails_while_a_module_is_translated_is_not_called_the_modules_fault,
];

/// A guest after which the kernel is refused every piece of memory of 16 KiB or more, and one after which it is not.
const SWITCHES: [&str; 2] = ["refuse_bulk", "grant_bulk"];

/// A module that writes `letter` eight times at once. Who writes more than once may have to wait for memory.
fn sayer(letter: char) -> Vec<u8> {
    let said = letter.to_string().repeat(8);
    text::module(&format!(
        "(data (i32.const 16) \"{said}\")
         (data (i32.const 0) \"\\10\\00\\00\\00\\08\\00\\00\\00\")
         (func (export \"_start\")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"
    ))
}

/// A machine with a speaker for each of `routes`, and the switches.
fn machine_with(lab: &Lab, routes: &[Value], append: &str) -> Result<Machine> {
    let mut routes = routes.to_vec();
    let mut folder = lab.folder("disk")?.file("speaker.wasm", sayer('o'))?;
    for name in SWITCHES {
        let module = text::calling(name, "");
        folder = folder.file(&format!("{name}.wasm"), text::module(&module))?;
        routes.push(route_with(name, AMPLE_US, &json!({})));
    }
    let folder = folder.file("functions.json", spec(&routes))?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Scenarios).disk(disk);
    lab.serve(&boot.append(&with_token(append)))
}

fn speaker_at(route: &str, keys: Value) -> Value {
    let mut speaker = route_with("speaker", AMPLE_US, &keys);
    speaker["route"] = route.into();
    speaker
}

/// So many deployed functions there may be: a quarter of the slots of arenas.
const MOST: usize = 256;

fn functions_are_deployed_up_to_the_most_while_the_kernel_gets_no_large_piece_of_memory(
    lab: &Lab,
) -> Result<()> {
    let machine = machine_with(
        lab,
        &[speaker_at("/speaker", json!({}))],
        "log=warn,main=info",
    )?;
    let client = machine.client();
    client.get("/refuse_bulk")?.expect("")?;
    for number in 0..MOST {
        let path = format!("/f{number}");
        deploy(&client, &path, &sayer('a'))?.expect_status(201)?;
        client.get(&path)?.expect("aaaaaaaa")?;
    }
    let full = deploy(&client, "/more", &sayer('a'))?;
    full.expect_status(507)?;
    ensure!(full.text().contains("256 deployed"), "{}", full.text());
    client.get("/more")?.expect_status(404)?;
    deploy(&client, "/f0", &sayer('b'))?.expect_status(200)?;
    client.get("/f0")?.expect("bbbbbbbb")?;
    // One of the disk that is replaced is one more.
    deploy(&client, "/speaker", &sayer('b'))?.expect_status(507)?;
    remove(&client, "/f1")?.expect_status(200)?;
    deploy(&client, "/more", &sayer('c'))?.expect_status(201)?;
    for page in ["/", "/metrics", "/trace", "/admin/functions"] {
        // There is room for it or not; the kernel goes on.
        let answer = client.ask(Verb::Get, page, &fields())?;
        ensure!([200, 503].contains(&answer.status), "{page}: {answer:?}");
    }
    client.get("/more")?.expect("cccccccc")?;
    client.get("/speaker")?.expect("oooooooo")
}

/// As many routes as make a table that is no small piece of memory.
const ROUTES: usize = 600;

fn a_change_for_which_there_is_no_memory_is_503_and_nothing_changes(lab: &Lab) -> Result<()> {
    let routes: Vec<_> = (0..ROUTES)
        .map(|number| speaker_at(&format!("/s{number}"), json!({})))
        .collect();
    let environ: Map<_, _> = (0..ROUTES)
        .map(|number| (format!("NAME{number}"), "value".into()))
        .collect();
    let rich = speaker_at("/rich", json!({ "environ": environ }));
    let machine = machine_with(lab, &[&routes[..], &[rich]].concat(), "log=warn,main=info")?;
    let client = machine.client();
    client.get("/refuse_bulk")?.expect("")?;
    let no_memory = |answer: Response| {
        answer.expect_status(503)?;
        let told = answer.text();
        ensure!(told.starts_with("there is no memory to change"), "{told}");
        Ok(())
    };
    no_memory(deploy(&client, "/new", &sayer('n'))?)?;
    no_memory(deploy(&client, "/s1", &sayer('n'))?)?;
    no_memory(remove(&client, "/s1")?)?;
    client.get("/new")?.expect_status(404)?;
    client.get("/s1")?.expect("oooooooo")?;
    client.get("/rich")?.expect("oooooooo")?;
    odd_settings_are_refused(&client)?;
    client.get("/grant_bulk")?.expect("")?;
    deploy(&client, "/new", &sayer('n'))?.expect_status(201)?;
    remove(&client, "/s1")?.expect_status(200)?;
    client.get("/s1")?.expect_status(404)?;
    client.get("/new")?.expect("nnnnnnnn")
}

/// What takes many times its length to be read or to be complained about.
fn odd_settings_are_refused(client: &Client) -> Result<()> {
    let keys = |count: usize| {
        let keys: Vec<_> = (0..count).map(|key| format!("\"{key}\":1")).collect();
        format!("{{{}}}", keys.join(","))
    };
    let environ = format!("{{\"environ\":{}}}", keys(200));
    let path = format!("/{}", "%01".repeat(2_500));
    for (path, settings) in [
        ("/new", keys(1_500)),
        ("/new", keys(400)),
        ("/new", environ),
        ("/new", "\u{200b}".repeat(1_300)),
        (&path, "{}".into()),
        (&path, keys(400)),
    ] {
        let more = [fields()[0], ("luge-route", &settings)];
        let path = format!("/admin/functions{path}");
        // Or there was no memory to read them.
        let answer = client.put(&path, &more, &sayer('b'))?;
        ensure!([400, 503].contains(&answer.status), "{answer:?}");
    }
    Ok(())
}

/// A module with so many bytes of data, which are not zero.
fn heavy(bytes: usize) -> Vec<u8> {
    text::module(&format!(
        "(func (export \"_start\")) (data \"{}\")",
        "x".repeat(bytes)
    ))
}

fn deployed_functions_have_a_quarter_of_memory_and_no_more(lab: &Lab) -> Result<()> {
    let disk = lab.folder("disk")?.file("speaker.wasm", sayer('o'))?;
    let boot = Boot::new(Kernel::Product).disk(disk.disk());
    let boot = boot
        .append(&with_token(""))
        .switch("--memory")
        .switch("128M");
    let machine = lab.serve(&boot)?;
    let client = machine.client();
    let module = heavy(2 << 20);
    let mut deployed = 0;
    let full = loop {
        let answer = deploy(&client, &format!("/f{deployed}"), &module)?;
        if answer.status != 201 {
            break answer;
        }
        deployed += 1;
        ensure!(deployed < 20, "more than 40 MiB of 128 are deployed");
    };
    full.expect_status(507)?;
    let told = full.text();
    ensure!(
        told.contains("bytes of memory, which are the most"),
        "{told}"
    );
    ensure!(deployed > 1, "no more than {deployed}");
    client.get("/speaker")?.expect("oooooooo")?;
    client.get(&format!("/f{deployed}"))?.expect_status(404)?;
    remove(&client, "/f0")?.expect_status(200)?;
    deploy(&client, "/again", &module)?.expect_status(201)?;
    client.get("/again")?.expect("")
}

/// The head of a request with a body of ten bytes; its sender waits until it is read.
const HEAD: &str = "POST /speaker HTTP/1.1\r\nhost: luge\r\ncontent-length: 10\r\n\
    expect: 100-continue\r\nconnection: close\r\n\r\n";

fn a_request_whose_function_changes_before_its_body_is_there_is_the_new_ones(
    lab: &Lab,
) -> Result<()> {
    let disk = lab.folder("disk")?.file("speaker.wasm", sayer('o'))?;
    let machine = lab.serve(
        &Boot::new(Kernel::Product)
            .disk(disk.disk())
            .append(&with_token("")),
    )?;
    let client = machine.client();
    let across = |change: &dyn Fn() -> Result<Response>| {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(HEAD)?;
        let told = raw.read_head()?;
        ensure!(status_of(&told)? == 100, "{told}");
        raw.send("half")?;
        change()?.expect_status(200)?;
        raw.send("second")?;
        raw.read_to_end()
    };
    let replaced = across(&|| deploy(&client, "/speaker", &sayer('n')))?;
    ensure!(replaced.ends_with("nnnnnnnn"), "{replaced}");
    let small = [fields()[0], ("luge-route", r#"{"max-request-bytes": 9}"#)];
    let limited = across(&|| client.put("/admin/functions/speaker", &small, &sayer('n')))?;
    ensure!(limited.starts_with("HTTP/1.1 413 "), "{limited}");
    deploy(&client, "/speaker", &sayer('m'))?.expect_status(200)?;
    let settings = [fields()[0], ("luge-route", "{}")];
    client
        .put("/admin/functions/speaker", &settings, &sayer('m'))?
        .expect_status(200)?;
    let removed = across(&|| remove(&client, "/speaker"))?;
    ensure!(removed.starts_with("HTTP/1.1 404 "), "{removed}");
    ensure!(removed.contains("any more"), "{removed}");
    // They are counted as what the host answers, as all that is said of deployments is.
    let metrics = client.get("/metrics")?.text();
    for (status, count) in [("200", 4), ("404", 1)] {
        let line = format!("luge_host_answers_total{{status=\"{status}\"}} ");
        let found = metrics.lines().find_map(|l| l.strip_prefix(&line));
        let found: u64 = found.unwrap_or("0").parse()?;
        ensure!(
            found >= count,
            "{found} answers with {status}, {count} were seen"
        );
    }
    Ok(())
}

fn an_allocation_that_fails_while_a_module_is_translated_is_not_called_the_modules_fault(
    lab: &Lab,
) -> Result<()> {
    let disk = lab.folder("disk")?.file("speaker.wasm", sayer('o'))?;
    let boot = Boot::new(Kernel::Scenarios).disk(disk.disk());
    let machine = lab.serve(&boot.append("scenario=failing-deployments"))?;
    let report = "failing deployments: ";
    let line = machine.line(report, |line| line.contains(report))?;
    let odd = machine.serial.text().contains(" failed: ");
    ensure!(!odd, "a failure had another end than out of memory");
    ensure!(
        line.ends_with("then made: true") && !line.contains(": 0 points"),
        "{line}"
    );
    println!("{line}");
    Ok(())
}
