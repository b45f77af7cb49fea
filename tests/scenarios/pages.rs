//! The host's long pages: whole and valid however many routes there are, written a little at a time, and never in
//! memory, whoever asks for them and does not read.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::http::{Client, Raw, status_of};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use luge_metrics::reader::{Scrape, read};
use serde_json::Value;

use crate::guests::text;
use crate::served::{AMPLE_US, clients, route, spec};

scenarios![
    pages_of_five_hundred_routes_are_whole_and_valid,
    a_client_of_http_1_0_gets_a_long_page_up_to_the_end_of_its_connection,
    whoever_asks_for_the_head_of_a_long_page_gets_that_alone,
    a_hundred_clients_that_do_not_read_their_pages_cost_neither_memory_nor_others_their_answers,
];

const ROUTES: usize = 500;

/// A route's name; so long that a page of all of them is some hundred kilobytes.
fn name(number: usize) -> String {
    format!("route-{number:04}-{}", "x".repeat(100))
}

/// A machine on which one module answers for many routes.
fn machine(lab: &Lab) -> Result<Machine> {
    let routes = (0..ROUTES).map(|number| {
        let mut route = route(&name(number), AMPLE_US);
        route["path"] = "nothing.wasm".into();
        route
    });
    let routes: Vec<_> = routes.collect();
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let module = text::module("(func (export \"_start\"))");
    let folder = folder.file("nothing.wasm", module)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    lab.serve(&Boot::new(Kernel::Product).disk(disk))
}

fn scrape(client: &Client) -> Result<Scrape> {
    let response = client.get("/metrics")?;
    response.expect_status(200)?;
    read(&response.text()).map_err(|wrong| anyhow!("{wrong:?}"))
}

/// Checks that a scrape has a sample of each route.
fn expect_all_routes(scrape: &Scrape) -> Result<()> {
    for family in ["luge_turns_total", "luge_cpu_seconds_total"] {
        let samples = scrape.of(family, &[]).count();
        ensure!(samples == ROUTES, "{samples} samples of {family}");
    }
    Ok(())
}

fn pages_of_five_hundred_routes_are_whole_and_valid(lab: &Lab) -> Result<()> {
    let machine = machine(lab)?;
    let client = machine.client();
    for number in 0..50 {
        let path = format!("/{}", name(number * 10));
        client.get(&path)?.expect_status(200)?;
    }
    let now = scrape(&client)?;
    expect_all_routes(&now)?;
    let ended = now.sum("luge_outcomes_total", &[("outcome", "exit-0")]);
    ensure!(ended == 50.0, "{ended} have ended");
    let histograms = now.of("luge_run_seconds_count", &[]).count();
    ensure!(histograms == 50, "{histograms} routes have run");

    let table = client.get("/")?.text();
    let lines: BTreeSet<_> = table.lines().map(str::to_owned).collect();
    let expected = (0..ROUTES).map(|number| format!(":8080/{0}\tmain\t{0}", name(number)));
    ensure!(
        lines == expected.collect(),
        "{} lines in the table",
        lines.len()
    );

    let trace: Value = serde_json::from_str(&client.get("/trace")?.text())?;
    let events = trace["traceEvents"].as_array().context("no events")?;
    // A request has one slice on its own track, whatever it has on the CPU's.
    let count = |phase: &str| {
        let is_wanted = |event: &&Value| {
            let name = event["name"].as_str().unwrap_or_default();
            event["ph"] == phase && event["pid"] == 1 && name.starts_with("route-")
        };
        events.iter().filter(is_wanted).count()
    };
    let slices = (count("B"), count("E"));
    ensure!(slices == (50, 50), "begun and ended: {slices:?}");
    Ok(())
}

fn a_client_of_http_1_0_gets_a_long_page_up_to_the_end_of_its_connection(lab: &Lab) -> Result<()> {
    let machine = machine(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("GET /metrics HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")?;
    let answer = raw.read_to_end()?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    ensure!(status_of(head)? == 200, "{head}");
    let head = head.to_ascii_lowercase();
    ensure!(head.contains("connection: close"), "{head}");
    ensure!(!head.contains("transfer-encoding"), "{head}");
    let scrape = read(body).map_err(|wrong| anyhow!("{wrong:?}"))?;
    expect_all_routes(&scrape)
}

fn whoever_asks_for_the_head_of_a_long_page_gets_that_alone(lab: &Lab) -> Result<()> {
    let machine = machine(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("HEAD /metrics HTTP/1.1\r\nhost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nhost: luge\r\nconnection: close\r\n\r\n")?;
    let head = raw.read_head()?.to_ascii_lowercase();
    ensure!(status_of(&head.to_ascii_uppercase())? == 200, "{head}");
    ensure!(head.contains("transfer-encoding: chunked"), "{head}");
    let next = raw.read_to_end()?;
    ensure!(
        status_of(&next)? == 200 && next.ends_with("\r\n\r\nok\n"),
        "{next}"
    );
    Ok(())
}

/// Clients that ask and do not read; with the last of them, for so many pages that no buffer between them and the
/// machine holds them all.
const SILENT: usize = 100;
const INSATIABLE: usize = 4;
const PAGES: usize = 40;

/// What the kernel's heap may grow by: each connection's part, and what comes with a connection.
const HEAP: f64 = 1_500_000.0;

fn a_hundred_clients_that_do_not_read_their_pages_cost_neither_memory_nor_others_their_answers(
    lab: &Lab,
) -> Result<()> {
    let machine = machine(lab)?;
    let beside = clients(&machine, 2)?;
    let heap = |scrape: &Scrape| scrape.sum("luge_heap_bytes", &[("state", "mapped")]);
    let before = scrape(&beside[0])?;
    let page = beside[0].get("/metrics")?.body.len();
    ensure!(page > 300_000, "the page has {page} bytes");
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let mut raw = Raw::connect(machine.port())?;
        let is_insatiable = number + INSATIABLE >= SILENT;
        for _ in 0..if is_insatiable { PAGES } else { 1 } {
            raw.send("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        }
        silent.push(raw);
        let path = format!("/{}", name(number));
        beside[1]
            .get(&path)?
            .expect_status(200)
            .with_context(|| format!("beside {number} others"))?;
    }
    let now = scrape(&beside[0])?;
    expect_all_routes(&now)?;
    let grown = heap(&now) - heap(&before);
    ensure!(grown < HEAP, "the heap has grown by {grown} bytes");
    // Who reads after all gets what was asked for.
    for raw in silent.iter_mut().take(3) {
        let head = raw.read_head()?;
        ensure!(status_of(&head)? == 200, "{head}");
        raw.read_chunks().context("a page that was not read")?;
    }
    Ok(())
}
