//! The status page, as a person sees it in a browser: what its numbers are, what it calls, and that nothing which it
//! shows can become more than text.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::browser::Scheme;
use luge_harness::http::{Raw, Verb};
use luge_harness::ports;
use luge_harness::{Boot, Browser, Disk, Kernel, Lab, Machine};
use luge_metrics::reader::{Scrape, read};
use serde_json::{Value, json};

use crate::served::{AMPLE_US, route, route_with, wait_until};

mod form;
mod looks;
mod numbers;

use form::{
    nothing_that_is_shown_is_taken_for_markup, the_form_calls_a_function_and_shows_what_came_of_it,
    the_report_of_a_fault_is_shown_with_its_names_as_text,
};
use looks::the_page_is_readable_on_a_phone_in_light_and_in_dark;
use numbers::{
    the_numbers_on_the_page_are_those_of_the_metrics, the_script_reads_metrics_as_a_scraper_does,
};

scenarios![
    browsers_get_the_page_with_its_policy_and_others_get_the_table,
    the_numbers_on_the_page_are_those_of_the_metrics,
    the_script_reads_metrics_as_a_scraper_does,
    the_form_calls_a_function_and_shows_what_came_of_it,
    nothing_that_is_shown_is_taken_for_markup,
    the_report_of_a_fault_is_shown_with_its_names_as_text,
    the_page_is_readable_on_a_phone_in_light_and_in_dark,
    a_page_at_a_port_without_functions_says_where_they_are,
    the_sandboxes_that_live_are_listed_with_what_they_have,
];

/// How large windows are, in pixels.
const DESK: (u32, u32) = (1280, 1400);
const PHONE: (u32, u32) = (360, 1600);

/// Ways to end, one each.
const WRONG: &str = "(func (export \"_start\") unreachable)";
/// Sleeps for 500 s.
const SLEEP: &str = r#"
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (data (i32.const 16) "\01\00\00\00\00\00\00\00\00\88\52\6a\74")
    (func (export "_start") (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"#;
const LATE: &str = "(func (export \"_start\") (loop $l (br $l)))";

/// Names that would be markup, if anything took them for it.
const ILL_TENANT: &str = "<img src=x onerror=window.hurt=1>";
const ILL_ROUTE: &str = "/a&lt;b'`=${hurt}//%3Cscript%3E";

/// A machine with functions that end in many ways, and with a second tenant.
fn machine(lab: &Lab, append: &str) -> Result<Machine> {
    let late = route_with("late", 50_000, &json!({}));
    let ill = json!({ "route": ILL_ROUTE, "path": "fib.wasm", "relative-deadline-us": AMPLE_US });
    let all = [
        route("fib", AMPLE_US),
        route("echo", AMPLE_US),
        route("sleep", AMPLE_US),
    ];
    let mine = [&all[..], &[route("wrong", AMPLE_US), late, ill]].concat();
    let spec = json!([
        { "name": "main", "port": 8080, "routes": mine },
        { "name": ILL_TENANT, "port": ports::free()?, "routes": [route("fib", AMPLE_US)] },
    ]);
    let mut folder = lab
        .folder("disk")?
        .file("functions.json", spec.to_string())?;
    for name in ["fib", "echo"] {
        folder = folder.copy(&format!("{name}.wasm"), lab.example(name)?)?;
    }
    for (name, text) in [("wrong", WRONG), ("late", LATE), ("sleep", SLEEP)] {
        folder = folder.file(
            &format!("{name}.wasm"),
            wat::parse_str(format!("(module {text} (memory (export \"memory\") 1))"))?,
        )?;
    }
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let append = format!("admission=off {append}");
    lab.serve(&Boot::new(Kernel::Product).disk(disk).append(&append))
}

/// The page, once it has shown what it found a second time.
fn page_of(machine: &Machine) -> Result<Browser> {
    let browser = Browser::start()?;
    browser.look_like(DESK, Scheme::Light)?;
    browser.open(machine.port(), "/")?;
    newer(&browser)?;
    Ok(browser)
}

/// Waits until everything on the page is newer than now.
fn newer(browser: &Browser) -> Result<()> {
    let round = browser.run(
        "return Number(document.documentElement.dataset.round ?? 0)",
        &[],
    )?;
    let round = round.as_u64().context("a number")?;
    // What is on its way now may be older.
    let script = format!(
        "return Number(document.documentElement.dataset.round) >= {}",
        round + 2
    );
    browser.wait("newer numbers", &script).map(drop)
}

fn scrape(machine: &Machine) -> Result<Scrape> {
    let text = machine.client().get("/metrics")?.text();
    read(&text).map_err(|wrong| anyhow!("{wrong:?}"))
}

fn browsers_get_the_page_with_its_policy_and_others_get_the_table(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    let client = machine.client();
    let browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for accept in [browsers, "TEXT/HTML ; q=0.5", "text/plain, text/html"] {
        let page = client.ask(Verb::Get, "/", &[("accept", accept)])?;
        page.expect(luge_page::HTML)?;
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", luge_page::POLICY),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("vary", "Accept"),
        ] {
            ensure!(
                page.header(name) == Some(value),
                "{name}: {:?}",
                page.header(name)
            );
        }
    }
    for accept in [
        "*/*",
        "text/plain",
        "text/html;q=0",
        "text/htmlx",
        "application/json",
    ] {
        let table = client.ask(Verb::Get, "/", &[("accept", accept)])?;
        ensure!(
            table.text().starts_with(":8080/fib\tmain\tfib\n"),
            "{accept}: {}",
            table.text()
        );
        ensure!(
            table.header("content-security-policy").is_none(),
            "{accept}"
        );
    }
    Ok(())
}

/// A route's row on the page: what stands in its fields.
type Row = BTreeMap<String, String>;

/// The rows of a table, by what stands in their first cells.
fn rows(browser: &Browser, table: &str) -> Result<BTreeMap<String, Row>> {
    let script = "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map((row) =>
        Object.fromEntries([...row.cells].map((cell) => [cell.dataset.field, cell.textContent])))";
    let rows = browser.run(script, &[table.into()])?;
    let rows: Vec<Row> = serde_json::from_value(rows)?;
    rows.into_iter()
        .map(|row| Ok((row.get("head").context("a head")?.clone(), row)))
        .collect()
}

fn a_page_at_a_port_without_functions_says_where_they_are(lab: &Lab) -> Result<()> {
    let operator = ports::free()?;
    let machine = machine(lab, &format!("operator_port={operator}"))?;
    let browser = Browser::start()?;
    browser.open(operator, "/")?;
    newer(&browser)?;
    ensure!(rows(&browser, "routes")?.len() == 7);
    let shown = browser.run("return [document.getElementById('call').checkVisibility(), document.getElementById('elsewhere').textContent]", &[])?;
    let words = shown[1].as_str().context("words")?;
    ensure!(
        shown[0] == false && words.contains("8080 (main)"),
        "{shown}"
    );
    // And at the tenant's port there is no page.
    for page in ["/", "/routes.json", "/sandboxes.json", "/metrics"] {
        let answer = machine
            .client()
            .ask(Verb::Get, page, &[("accept", "text/html")])?;
        answer.expect_status(404).context(page)?;
    }
    Ok(())
}

fn the_sandboxes_that_live_are_listed_with_what_they_have(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    let list = || -> Result<Vec<Value>> {
        let answer = machine.client().get("/sandboxes.json")?;
        answer.expect_status(200)?;
        ensure!(answer.header("content-type") == Some("application/json"));
        Ok(serde_json::from_slice(&answer.body)?)
    };
    ensure!(list()?.is_empty());
    let mut sleepers = Vec::new();
    for number in 1..=3_usize {
        let mut sleeper = Raw::connect(machine.port())?;
        sleeper.send("GET /sleep HTTP/1.1\r\nHost: luge\r\n\r\n")?;
        wait_until(|| {
            Ok(list()?
                .iter()
                .filter(|it| it["state"] == "sleeping")
                .count()
                == number)
        })?;
        sleepers.push(sleeper);
    }
    let (before, after) = (list()?, list()?);
    for (it, then) in before.iter().zip(&after) {
        ensure!(it["tenant"] == "main" && it["route"] == "/sleep", "{it}");
        let number =
            |it: &Value, key: &str| it[key].as_i64().with_context(|| format!("{key}: {it}"));
        let (age, deadline) = (number(it, "age_ns")?, number(it, "deadline_in_ns")?);
        // The deadline is the route's, from the arrival on.
        ensure!(age > 0 && age + deadline == 600_000_000_000, "{it}");
        ensure!(
            number(then, "age_ns")? > age && then["id"] == it["id"],
            "{it}, {then}"
        );
        let charged = number(it, "charged_ns")?;
        ensure!(0 < charged && charged < age, "{it}");
        // A stack of 512 KiB, one for host calls, and a heap.
        ensure!(
            (580_000..20_000_000).contains(&number(it, "memory_bytes")?),
            "{it}"
        );
    }
    ensure!(
        before
            .windows(2)
            .all(|pair| pair[0]["id"].as_u64() < pair[1]["id"].as_u64())
    );
    drop(sleepers);
    wait_until(|| Ok(list()?.is_empty()))
}
