//! Programs that answer in a file or by an exit code, and the files of `/dev`.

use anyhow::{Context, Result, ensure};
use luge_harness::disk::Folder;
use luge_harness::http::Response;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::json;

use crate::served::{route_with, spec};

scenarios![
    a_response_that_is_a_file_is_sent_by_the_interpreter,
    a_response_that_is_a_file_is_sent_by_native_code,
    without_its_file_a_response_is_500_and_says_so,
    an_exit_code_of_the_route_is_a_success,
    the_devices_are_files_with_and_without_a_folder,
];

const AMPLE_US: u64 = 60_000_000;
/// The program, which copies a file to another in capitals, and what it is asked for.
const PROGRAM: &str = "capitals";
const TO_FILE: &str = "from=/dev/stdin&to=/tmp/d.txt";
/// What a response of the route with a limit may be.
const LIMIT: usize = 1000;

fn folder(lab: &Lab) -> Result<Folder> {
    let route = |name, keys| {
        let mut route = route_with(PROGRAM, AMPLE_US, &keys);
        route["route"] = format!("/{name}").into();
        route
    };
    let codes = json!([0, 1]);
    let routes = [
        route(
            "file",
            json!({ "response-file": "/tmp/d.txt", "success-exit-codes": codes }),
        ),
        route(
            "small",
            json!({ "response-file": "/tmp/d.txt", "max-response-bytes": LIMIT }),
        ),
        route("codes", json!({ "success-exit-codes": codes })),
        route("folder", json!({ "folder": "shelf" })),
        route("bare", json!({ "max-scratch-bytes": 0 })),
    ];
    let shelf = lab.workshop().root().join("tests/guests/data/shelf");
    let module = lab.file_user(PROGRAM)?;
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    folder
        .copy(&format!("{PROGRAM}.wasm"), module)?
        .copy_folder("shelf", &shelf)
}

fn machine(lab: &Lab) -> Result<Machine> {
    lab.serve(&Boot::new(Kernel::Product).disk(folder(lab)?.disk()))
}

fn expect(response: &Response, status: u16, outcome: &str, body: &str) -> Result<()> {
    response.expect_status(status)?;
    let came = response.outcome();
    ensure!(came == Some(outcome), "outcome {came:?}, not {outcome}");
    let text = response.text();
    ensure!(text == body, "the body is {text:.200?}");
    Ok(())
}

fn a_response_that_is_a_file_is_sent_by_the_interpreter(lab: &Lab) -> Result<()> {
    files_are_sent(&machine(lab)?)
}

fn a_response_that_is_a_file_is_sent_by_native_code(lab: &Lab) -> Result<()> {
    let disk = Disk::Image(lab.native_image(&folder(lab)?)?);
    let boot = Boot::new(Kernel::Product).disk(disk);
    files_are_sent(&lab.serve(&boot.append("engine=wasmtime"))?)
}

fn files_are_sent(machine: &Machine) -> Result<()> {
    let client = machine.client();
    let path = format!("/file?{TO_FILE}&code=0");
    expect(
        &client.post(&path, b"some text\n")?,
        200,
        "exit 0",
        "SOME TEXT\n",
    )?;
    expect(&client.post(&path, b"")?, 200, "exit 0", "")?;
    // What it says itself is in the log.
    machine.line("what it says", |line| line.ends_with("10 bytes"))?;
    // More than is held back goes in pieces.
    let long = "A line of many, of which there are thousands.\n".repeat(20_000);
    let response = client.post(&path, long.as_bytes())?;
    response.expect_status(200)?;
    ensure!(response.text() == long.to_uppercase(), "another text");
    let path = format!("/file?{TO_FILE}&code=1");
    expect(&client.post(&path, b"x")?, 200, "exit 1", "X")?;
    let path = format!("/file?{TO_FILE}&code=2");
    let response = client.post(&path, b"x")?;
    expect(
        &response,
        500,
        "exit 2",
        "500 Internal Server Error: exit 2\n",
    )
}

fn without_its_file_a_response_is_500_and_says_so(lab: &Lab) -> Result<()> {
    const OUTCOME: &str = "no-response-file";
    let machine = machine(lab)?;
    let client = machine.client();
    let said = format!("500 Internal Server Error: {OUTCOME}\n");
    let missing = client.post("/file?from=/dev/stdin&to=/tmp/other&code=0", b"x")?;
    expect(&missing, 500, OUTCOME, &said)?;
    let why = "/tmp/d.txt is not the response: there is no such file";
    machine.line(why, |line| line.ends_with(why))?;
    let path = format!("/small?{TO_FILE}&code=0");
    let fits = client.post(&path, &[b'x'; LIMIT])?;
    expect(&fits, 200, "exit 0", &"X".repeat(LIMIT))?;
    let too_long = client.post(&path, &[b'x'; LIMIT + 1])?;
    expect(&too_long, 500, OUTCOME, &said)?;
    let why = "it is 1001 bytes long, and a response 1000 at most";
    machine.line(why, |line| line.ends_with(why))?;
    let metrics = client.get("/metrics")?.text();
    let counted = metrics
        .lines()
        .any(|line| line.contains(&format!("\"{OUTCOME}\"")) && line.ends_with(" 1"));
    ensure!(counted, "the outcome is not counted");
    Ok(())
}

fn an_exit_code_of_the_route_is_a_success(lab: &Lab) -> Result<()> {
    let machine = machine(lab)?;
    let client = machine.client();
    for (code, status) in [(0, 200), (1, 200), (2, 500)] {
        let path = format!("/codes?from=/dev/stdin&to=/tmp/d.txt&code={code}");
        let response = client.post(&path, b"x")?;
        expect(&response, status, &format!("exit {code}"), "1 bytes\n")?;
    }
    let records = client.get("/records")?;
    records.expect_status(200)?;
    let records = records.text();
    let states = ["Complete", "Error"].map(|state| records.matches(state).count());
    ensure!(states == [2, 1], "{records}");
    Ok(())
}

fn the_devices_are_files_with_and_without_a_folder(lab: &Lab) -> Result<()> {
    let machine = machine(lab)?;
    let client = machine.client();
    for route in ["codes", "folder", "bare"] {
        let path = format!("/{route}?from=/dev/stdin&to=/dev/stdout&code=0");
        let response = client.post(&path, b"through\n")?;
        expect(&response, 200, "exit 0", "THROUGH\n8 bytes\n").context(route)?;
        let path = format!("/{route}?from=/dev/stdin&to=/dev/null&code=0");
        let response = client.post(&path, b"away")?;
        expect(&response, 200, "exit 0", "4 bytes\n").context(route)?;
        let path = format!("/{route}?from=/dev/null&to=/dev/stdout&code=0");
        let response = client.post(&path, b"unread")?;
        expect(&response, 200, "exit 0", "0 bytes\n").context(route)?;
    }
    let path = "/folder?from=/greeting.txt&to=/dev/stderr&code=0";
    client.get(path)?.expect_status(200)
}
