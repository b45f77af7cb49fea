//! How long a connection is kept and a client waited for, and how an answer ends.

use std::net::Shutdown;

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Raw, status_of};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::json;

use crate::guests::{Engine, Guests};
use crate::served::{
    AMPLE_US, machine_of, route, route_with, spec, wait_for_sandboxes, wait_until,
};

scenarios![
    an_answer_that_is_longer_than_it_may_be_is_500_and_names_the_limit,
    an_answer_that_is_cut_off_after_its_head_is_taken_for_whole_by_nobody,
    a_client_that_closes_its_sending_side_gets_its_answer,
    a_client_that_leaves_takes_its_sandbox_with_it_however_it_asked,
    an_answer_says_how_long_its_connection_is_kept_and_it_is_kept_so_long,
    options_finds_whatever_get_finds,
    who_waits_to_send_a_body_hears_first_that_it_is_not_wanted,
];

/// Three writes of 64 KiB, and it does not look what came of them.
const WRITES: &str = "(func (export \"_start\")
    (i32.store (i32.const 16) (i32.const 65536))
    (i32.store (i32.const 20) (i32.const 65536))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))";
/// So many bytes are that.
const ALL: usize = 3 << 16;

/// A machine where it may write all, all but one, which is more than is held back, or little.
fn writers(lab: &Lab, engine: Engine) -> Result<Machine> {
    let most = |bytes: usize| json!({ "max-response-bytes": bytes });
    Guests::new(lab, engine)?
        .text_with("all", WRITES, most(ALL))?
        .text_with("long", WRITES, most(ALL - 1))?
        .text_with("short", WRITES, most(1000))?
        .serve(lab)
}

fn an_answer_that_is_longer_than_it_may_be_is_500_and_names_the_limit(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = writers(lab, engine)?;
        let client = machine.client();
        let answer = client.get("/short")?;
        answer.expect_outcome("response-too-long")?;
        let limit = "max-response-bytes of its route is 1000";
        ensure!(answer.text().contains(limit), "{answer:?}");
        machine.line("that it was ended", |line| {
            line.ends_with("(short) ended: response-too-long")
        })?;
        let metrics = client.get("/metrics")?.text();
        let counted = metrics
            .lines()
            .any(|line| line.contains("\"response-too-long\"") && line.ends_with(" 1"));
        ensure!(counted, "the outcome is not counted");
        // As GET would be answered.
        let mut raw = Raw::connect(machine.port())?;
        raw.send("HEAD /short HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        let head = raw.read_head()?;
        ensure!(status_of(&head)? == 500, "{head}");
        client.get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}

fn an_answer_that_is_cut_off_after_its_head_is_taken_for_whole_by_nobody(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = writers(lab, engine)?;
        let client = machine.client();
        let whole = client.get("/all")?;
        whole.expect_status(200)?;
        ensure!(whole.body.len() == ALL, "{} bytes", whole.body.len());
        let cut = machine.client().get("/long");
        let taken = cut.map(|answer| (answer.status, answer.body.len()));
        ensure!(taken.is_err(), "it looks whole: {taken:?}");
        machine.line("that it was broken off", |line| {
            line.contains("response-too-long after its answer was begun, which is broken off")
        })?;
    }
    Ok(())
}

fn sleepers(lab: &Lab, keys: &serde_json::Value) -> Result<Machine> {
    let routes = [route_with("sleep", AMPLE_US, keys), route("fib", AMPLE_US)];
    machine_of(lab, &spec(&routes), "")
}

/// `nc -N` does so, and some balancers. Interim answers may come before the answer, but not to a client of HTTP/1.0.
fn a_client_that_closes_its_sending_side_gets_its_answer(lab: &Lab) -> Result<()> {
    let machine = sleepers(lab, &json!({}))?;
    for (version, interim) in [("1.0", false), ("1.1", true)] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(format!(
            "GET /sleep?ms=4000 HTTP/{version}\r\nhost: luge\r\n\r\n"
        ))?;
        raw.stream().shutdown(Shutdown::Write)?;
        let mut all = raw.read_to_end().context(version)?;
        const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
        while let Some(rest) = all.strip_prefix(CONTINUE).filter(|_| interim) {
            all = rest.to_owned();
        }
        ensure!(
            all.starts_with("HTTP/1.1 200 OK\r\n") && all.ends_with("\r\n\r\nslept\n"),
            "HTTP/{version}: {all:?}"
        );
    }
    Ok(())
}

/// It has sent all that it will, so that its leaving looks the same as closing its sending side.
fn a_client_that_leaves_takes_its_sandbox_with_it_however_it_asked(lab: &Lab) -> Result<()> {
    let machine = sleepers(lab, &json!({}))?;
    let client = machine.client();
    for request in [
        "GET /sleep?ms=500000 HTTP/1.1\r\nhost: luge\r\n\r\n",
        "GET /sleep?ms=500000 HTTP/1.1\r\nhost: luge\r\nconnection: close\r\n\r\n",
        "POST /sleep?ms=500000 HTTP/1.1\r\nhost: luge\r\ncontent-length: 4\r\n\r\nbody",
    ] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(request)?;
        wait_for_sandboxes(&client, "/sleep", 1)?;
        drop(raw);
        wait_for_sandboxes(&client, "/sleep", 0).context(request)?;
    }
    Ok(())
}

fn an_answer_says_how_long_its_connection_is_kept_and_it_is_kept_so_long(lab: &Lab) -> Result<()> {
    let disk = || Ok::<_, anyhow::Error>(Disk::Modules(lab.workshop().guests()?.join("examples")));
    let boot = Boot::new(Kernel::Product).disk(disk()?);
    let machine = lab.serve(&boot)?;
    for path in ["/healthz", "/metrics", "/empty", "/nowhere"] {
        let answer = machine.client().get(path)?;
        ensure!(
            answer.header("keep-alive") == Some("timeout=75"),
            "{path}: {answer:?}"
        );
    }
    let mut raw = Raw::connect(machine.port())?;
    raw.send("GET /empty HTTP/1.1\r\nhost: luge\r\nconnection: close\r\n\r\n")?;
    let last = raw.read_to_end()?.to_ascii_lowercase();
    ensure!(!last.contains("keep-alive"), "{last}");
    drop(machine);
    let boot = Boot::new(Kernel::Product).disk(disk()?);
    let boot = boot.append("keepalive_timeout_s=2");
    let machine = lab.serve(&boot.switch("--icount-served"))?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("GET /empty HTTP/1.1\r\nhost: luge\r\n\r\n")?;
    let head = raw.read_head()?;
    ensure!(head.contains("\r\nKeep-Alive: timeout=2\r\n"), "{head}");
    let end = raw.read_to_end()?;
    ensure!(end.is_empty(), "{end:?}");
    Ok(())
}

fn options_finds_whatever_get_finds(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let token = "a-token-of-the-scenarios";
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.append(&format!("admin_token={token}")))?;
    let bearer = format!("authorization: Bearer {token}\r\n");
    let page = "GET, HEAD, OPTIONS";
    let one = "PUT, DELETE, OPTIONS";
    for (path, fields, status, allow) in [
        ("/logs", "", 200, page),
        ("/logs.json", "", 200, page),
        ("/metrics", "", 200, page),
        ("/faults", "", 200, page),
        ("/trace", "", 200, page),
        ("/records", "", 200, page),
        ("/routes.json", "", 200, page),
        ("/healthz", "", 200, page),
        ("/readyz", "", 200, page),
        ("/fib", "", 200, "GET, HEAD, POST, PUT, OPTIONS"),
        ("/admin/functions", &*bearer, 200, page),
        ("/admin/functions/fib", &*bearer, 200, one),
        ("/admin/functions", "", 401, ""),
        ("/%6cogs", "", 404, ""),
        ("/logs/more", "", 404, ""),
    ] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(format!("OPTIONS {path} HTTP/1.0\r\n{fields}\r\n"))?;
        let answer = raw.read_to_end()?;
        ensure!(status_of(&answer)? == status, "{path}: {answer}");
        ensure!(
            allow.is_empty() || answer.contains(&format!("\r\nAllow: {allow}\r\n")),
            "{path}: {answer}"
        );
    }
    Ok(())
}

fn who_waits_to_send_a_body_hears_first_that_it_is_not_wanted(lab: &Lab) -> Result<()> {
    let machine = sleepers(lab, &json!({ "max-concurrency": 1 }))?;
    let mut sleeper = Raw::connect(machine.port())?;
    sleeper.send("GET /sleep?ms=500000 HTTP/1.1\r\nhost: luge\r\n\r\n")?;
    let client = machine.client();
    wait_for_sandboxes(&client, "/sleep", 1)?;
    for expect in ["expect: 100-continue\r\n", ""] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(format!(
            "POST /sleep?ms=0 HTTP/1.1\r\nhost: luge\r\n{expect}content-length: 1000000\r\n\r\n"
        ))?;
        let answer = raw.read_to_end()?;
        ensure!(status_of(&answer)? == 429, "{answer}");
        ensure!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        ensure!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    }
    // A little one comes with its head, and the connection is kept.
    let answer = client.post("/sleep?ms=0", b"little")?;
    answer.expect_status(429)?;
    let kept = answer.header("connection");
    ensure!(kept == Some("keep-alive"), "{answer:?}");
    drop(sleeper);
    wait_until(|| Ok(client.post("/sleep?ms=0", b"little")?.status == 200))
}
