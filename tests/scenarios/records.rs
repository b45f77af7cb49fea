//! The record of every sandbox: one for each that has ended, however it did, with times that add up to what
//! `/metrics` has counted.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::http::{Client, Raw};
use luge_harness::{Kernel, Lab, Machine};
use luge_journal::CSV_HEADER;
use luge_metrics::reader::{Scrape, read};
use serde_json::json;

use crate::guests::{Engine, Guests};
use crate::served::{route, spec, wait_until};

scenarios![
    there_is_a_record_for_every_outcome_and_their_sums_are_what_metrics_count,
    whoever_names_the_last_record_that_was_seen_gets_those_after_it,
    the_last_4096_records_are_kept,
];

/// A line, by the names of its columns.
pub type Row = BTreeMap<String, String>;

pub fn records(client: &Client, query: &str) -> Result<Vec<Row>> {
    let response = client.get(&format!("/records{query}"))?;
    response.expect_status(200)?;
    let kind = response.header("content-type");
    ensure!(
        kind.is_some_and(|kind| kind.starts_with("text/csv")),
        "{kind:?}"
    );
    let text = response.text();
    let lines = text.strip_prefix(CSV_HEADER).context("no header")?;
    let names: Vec<_> = CSV_HEADER.trim_end().split(',').collect();
    let row = |line: &str| {
        let values: Vec<_> = line.split(',').map(str::to_owned).collect();
        ensure!(values.len() == names.len(), "{line}");
        let names = names.iter().map(|name| (*name).to_owned());
        Ok(names.zip(values).collect())
    };
    lines.lines().map(row).collect()
}

pub fn number(row: &Row, column: &str) -> Result<u64> {
    let value = row.get(column).with_context(|| format!("no {column}"))?;
    value.parse().with_context(|| format!("{column}: {value}"))
}

fn scrape(client: &Client) -> Result<Scrape> {
    let text = client.get("/metrics")?.text();
    read(&text).map_err(|wrong| anyhow!("{wrong:?}"))
}

const LOOP: &str = "(func (export \"_start\") (loop $l (br $l)))";

/// Guests that end in every way. In the order in which they came, and nobody's CPU is taken for another.
fn mix(lab: &Lab, engine: Engine) -> Result<Machine> {
    let guests = Guests::new(lab, engine)?
        .text(
            "exit3",
            "(func (export \"_start\") (call $exit (i32.const 3)))",
        )?
        .text("wrong", "(func (export \"_start\") unreachable)")?
        .text_with("spent", LOOP, json!({ "max-exec-us": 20_000 }))?
        .text_with("late", LOOP, json!({ "relative-deadline-us": 50_000 }))?
        .text_with(
            "hog",
            LOOP,
            json!({ "max-concurrency": 1, "relative-deadline-us": 600_000_000 }),
        )?
        .text_with("queued", LOOP, json!({ "relative-deadline-us": 50_000 }))?;
    let boot = guests.boot(lab)?;
    lab.serve(&boot.append("sched=fifo preempt=off admission=off"))
}

/// How many requests of each route there are, and the outcome of all of them.
const MIX: [(&str, &str, &str, usize); 7] = [
    ("/fib", "exit 0", "exit-0", 3),
    ("/exit3", "exit 3", "exit-nonzero", 2),
    ("/wrong", "trap unreachable", "unreachable", 2),
    ("/spent", "over-budget", "over-budget", 1),
    ("/late", "over-deadline", "over-deadline", 1),
    ("/queued", "over-deadline", "over-deadline", 1),
    ("/hog", "cancelled", "cancelled", 1),
];

fn there_is_a_record_for_every_outcome_and_their_sums_are_what_metrics_count(
    lab: &Lab,
) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = mix(lab, engine)?;
        let client = machine.client();
        for (path, _, _, times) in &MIX[..5] {
            for _ in 0..*times {
                client.post(path, b"12345")?;
            }
        }
        // While this one has the CPU, another is late in the queue, and a third is not let in. Then its client goes.
        let mut hog = Raw::connect(machine.port())?;
        hog.send("GET /hog HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        let of_hog = [("route", "/hog")];
        wait_until(|| Ok(scrape(&client)?.sum("luge_sandboxes", &[]) == 1.0))?;
        client.get("/queued")?.expect_status(504)?;
        client.get("/hog")?.expect_status(429)?;
        drop(hog);
        wait_until(|| Ok(scrape(&client)?.sum("luge_outcomes_total", &of_hog) == 1.0))?;

        let (rows, now) = (records(&client, "")?, scrape(&client)?);
        let all: usize = MIX.iter().map(|(.., times)| times).sum();
        ensure!(rows.len() == all, "{} records", rows.len());
        for (path, outcome, label, times) in MIX {
            let of: Vec<_> = rows.iter().filter(|row| row["route"] == path).collect();
            ensure!(of.len() == times, "{path}: {} records", of.len());
            check(&of, outcome).context(path)?;
            adds_up(&of, &now, path, label).with_context(|| format!("{engine:?} {path}"))?;
        }
        let queued = rows.iter().find(|row| row["route"] == "/queued");
        let queued = queued.context("it was queued")?;
        ensure!(
            number(queued, "running_user")? == 0 && number(queued, "turns")? == 0,
            "{queued:?}"
        );
        ensure!(number(queued, "queued")? >= 50_000_000, "{queued:?}");
    }
    Ok(())
}

/// What every record says that is by itself.
fn check(rows: &[&Row], outcome: &str) -> Result<()> {
    for row in rows {
        ensure!(row["outcome"] == outcome, "{row:?}");
        let state = if outcome == "exit 0" {
            "Complete"
        } else {
            "Error"
        };
        ensure!(row["state"] == state && row["tenant"] == "main", "{row:?}");
        let of = |column| number(row, column);
        ensure!(
            of("queued")? + of("running_user")? + of("asleep")? == of("actual")?,
            "{row:?}"
        );
        let (deadline, actual) = (of("deadline")?, of("actual")?);
        let is_late = outcome == "over-deadline";
        ensure!(is_late == (actual >= deadline), "{row:?}");
        ensure!(of("charged")? > 0, "{row:?}");
        let asked_with_a_body = !matches!(&*row["route"], "/hog" | "/queued");
        ensure!(
            of("payload_size")? == if asked_with_a_body { 5 } else { 0 },
            "{row:?}"
        );
    }
    Ok(())
}

/// The sums of the records of a route are what was counted of it, to the nanosecond.
fn adds_up(rows: &[&Row], now: &Scrape, path: &str, label: &str) -> Result<()> {
    let route = [("tenant", "main"), ("route", path)];
    let ended = now.sum(
        "luge_outcomes_total",
        &[route[0], route[1], ("outcome", label)],
    );
    ensure!(ended == rows.len() as f64, "{ended} have ended");
    for (column, metric, is_time) in [
        ("actual", "luge_latency_seconds_sum", true),
        ("queued", "luge_queue_seconds_sum", true),
        ("running_user", "luge_run_seconds_sum", true),
        ("charged", "luge_cpu_seconds_total", true),
        ("turns", "luge_turns_total", false),
        ("preemptions", "luge_preemptions_total", false),
    ] {
        let recorded: Result<Vec<_>> = rows.iter().map(|row| number(row, column)).collect();
        let recorded: u64 = recorded?.iter().sum();
        let counted = now.sum(metric, &route);
        let counted = if is_time { counted * 1e9 } else { counted };
        ensure!(
            counted.round() == recorded as f64,
            "{column}: {recorded} are recorded, {counted} are counted"
        );
    }
    Ok(())
}

fn whoever_names_the_last_record_that_was_seen_gets_those_after_it(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab, Engine::Wasmi)?.serve(lab)?;
    let client = machine.client();
    ensure!(records(&client, "")?.is_empty(), "nobody has asked yet");
    for _ in 0..3 {
        client.get("/fib?n=1")?.expect_status(200)?;
    }
    let all = records(&client, "")?;
    ensure!(all.len() == 3, "{} records", all.len());
    let arrived: Result<Vec<_>> = all.iter().map(|row| number(row, "arrived")).collect();
    ensure!(arrived?.is_sorted(), "the oldest is first");
    let since = |row: &Row| format!("?since={}", row["id"]);
    ensure!(
        records(&client, &since(&all[0]))? == all[1..],
        "behind the first"
    );
    ensure!(
        records(&client, &since(&all[2]))?.is_empty(),
        "behind the last"
    );
    ensure!(records(&client, "?since=0")? == all, "behind nobody");
    client.get("/records?since=yesterday")?.expect_status(400)?;
    client.get("/records?since=1&since=2")?.expect_status(400)
}

fn the_last_4096_records_are_kept(lab: &Lab) -> Result<()> {
    let mut route = route("nothing", 600_000_000);
    route["path"] = "nothing.wasm".into();
    let folder = lab.folder("disk")?.file("functions.json", spec(&[route]))?;
    let module = crate::guests::text::module("(func (export \"_start\"))");
    let folder = folder.file("nothing.wasm", module)?;
    let disk = luge_harness::Disk::Image(lab.plain_image(&folder)?);
    let machine = lab.serve(&luge_harness::Boot::new(Kernel::Product).disk(disk))?;
    // Many at a time: what one connection asks for in a row is answered in a row.
    let mut raw = Raw::connect(machine.port())?;
    let (turns, in_a_row) = (42, 100);
    for _ in 0..turns {
        raw.send("GET /nothing HTTP/1.1\r\nhost: luge\r\n\r\n".repeat(in_a_row))?;
        for _ in 0..in_a_row {
            raw.read_head()?;
        }
    }
    let client = machine.client();
    let rows = records(&client, "")?;
    ensure!(rows.len() == 4096, "{} records", rows.len());
    let ids: Result<Vec<_>> = rows.iter().map(|row| number(row, "id")).collect();
    let ids = ids?;
    let first = ids.first().context("the first")?;
    ensure!(
        ids == (*first..*first + 4096).collect::<Vec<_>>(),
        "from {first} on"
    );
    Ok(())
}
