//! What the machine says of itself in numbers: exact after a known mix of requests, never going back, in a form
//! that scrapers read, and told to nobody but the operator.

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::http::Client;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine, ports};
use luge_metrics::reader::{Scrape, read};
use serde_json::json;

use crate::guests::{Engine, Guests};
use crate::served::{AMPLE_US, route, spec};

scenarios![
    a_known_mix_of_requests_is_counted_exactly_in_each_engine,
    what_was_counted_never_goes_back_and_adds_up,
    a_second_request_finds_what_the_first_left_in_the_pools,
    what_tells_of_all_tenants_is_at_the_operators_port_alone,
    who_has_several_tenants_is_told_which_of_them_reads_of_all,
];

/// What `/metrics` says, read by the reader that refuses what a scraper would.
fn scrape(client: &Client) -> Result<Scrape> {
    let response = client.get("/metrics")?;
    response.expect_status(200)?;
    let kind = response.header("content-type");
    ensure!(kind == Some(luge_metrics::CONTENT_TYPE), "{kind:?}");
    read(&response.text()).map_err(|wrong| anyhow!("{wrong:?}"))
}

/// A value that must be just so.
fn expect(scrape: &Scrape, name: &str, labels: &[(&str, &str)], wanted: f64) -> Result<()> {
    let found = scrape.sum(name, labels);
    ensure!(
        found == wanted,
        "{name} {labels:?} is {found}, not {wanted}"
    );
    Ok(())
}

/// Ways to end, one each.
const WRONG: &str = "(func (export \"_start\") unreachable)";
const LOOP: &str = "(func (export \"_start\") (loop $l (br $l)))";
const DIVIDE: &str =
    "(func (export \"_start\") (drop (i32.div_u (i32.const 1) (i32.load (i32.const 0)))))";

/// Its time is that of its instructions, so a busy host does not make anybody late.
fn mix(lab: &Lab, engine: Engine) -> Result<Machine> {
    let guests = Guests::new(lab, engine)?
        .text("wrong", WRONG)?
        .text("divide", DIVIDE)?
        .text_with("loop", LOOP, json!({ "max-exec-us": 20_000 }))?
        .text_with("late", LOOP, json!({ "relative-deadline-us": 50_000 }))?;
    lab.serve(&guests.boot(lab)?.switch("--icount-served"))
}

fn a_known_mix_of_requests_is_counted_exactly_in_each_engine(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = mix(lab, engine)?;
        let client = machine.client();
        let asked = [
            ("/fib?n=10", 5),
            ("/wrong", 3),
            ("/divide", 2),
            ("/loop", 1),
            ("/late", 2),
            ("/nowhere", 4),
        ];
        for (path, times) in asked {
            for _ in 0..times {
                client.get(path)?;
            }
        }
        let now = scrape(&client)?;
        for (route, status, outcome, times) in [
            ("/fib", "200", "exit-0", 5.0),
            ("/wrong", "500", "unreachable", 3.0),
            ("/divide", "500", "integer-divide-by-zero", 2.0),
            ("/loop", "504", "over-budget", 1.0),
            ("/late", "504", "over-deadline", 2.0),
        ] {
            let of = |label| [("tenant", "main"), ("route", route), label];
            expect(&now, "luge_requests_total", &of(("status", status)), times)?;
            expect(
                &now,
                "luge_outcomes_total",
                &of(("outcome", outcome)),
                times,
            )?;
            let route = &of(("route", route))[..2];
            // And nothing else of this route.
            expect(&now, "luge_requests_total", route, times)?;
            expect(&now, "luge_outcomes_total", route, times)?;
            for histogram in ["latency", "queue", "run"] {
                expect(
                    &now,
                    &format!("luge_{histogram}_seconds_count"),
                    route,
                    times,
                )?;
            }
            let missed = if outcome == "over-deadline" {
                times
            } else {
                0.0
            };
            expect(&now, "luge_deadline_misses_total", route, missed)?;
            let cpu = now.sum("luge_cpu_seconds_total", route);
            let ran = now.sum("luge_run_seconds_sum", route);
            ensure!(
                ran > 0.0 && cpu >= ran * 0.5,
                "{route:?}: charged {cpu} s, ran {ran} s"
            );
        }
        expect(&now, "luge_host_answers_total", &[("status", "404")], 4.0)?;
        expect(&now, "luge_refusals_total", &[], 0.0)?;
        let late = now.sum("luge_latency_seconds_sum", &[("route", "/late")]);
        ensure!(
            (0.1..1.0).contains(&late),
            "two that end after 50 ms took {late} s"
        );
    }
    Ok(())
}

fn what_was_counted_never_goes_back_and_adds_up(lab: &Lab) -> Result<()> {
    let machine = mix(lab, Engine::Wasmi)?;
    let client = machine.client();
    let mut before = scrape(&client)?;
    let stages = before.of("luge_boot_stage_seconds", &[]).count();
    ensure!(stages == 7, "{stages} stages");
    // Of no route: the modules of the disk have been made.
    let making = before.sum("luge_cpu_sandbox_seconds_total", &[]);
    for turn in 0..10 {
        client.get(["/fib?n=15", "/wrong", "/late", "/echo"][turn % 4])?;
        let now = scrape(&client)?;
        let back = now.gone_back_since(&before);
        ensure!(back.is_none(), "{back:?}");
        before = now;
    }
    let ended = before.sum("luge_outcomes_total", &[]);
    expect(&before, "luge_requests_total", &[], 10.0)?;
    ensure!(ended == 10.0, "{ended} have ended");
    let busy = before.sum("luge_cpu_busy_seconds_total", &[]);
    let (serving, up) = (
        before.sum("luge_cpu_sandbox_seconds_total", &[]),
        before.sum("luge_uptime_seconds", &[]),
    );
    ensure!(
        0.0 < serving && serving <= busy && busy <= up,
        "{serving}, {busy}, {up} s"
    );
    let charged = before.sum("luge_cpu_seconds_total", &[]);
    ensure!(
        (charged - (serving - making)).abs() < 1e-6,
        "routes were charged {charged} s of {serving} less {making}"
    );
    for direction in ["received", "sent"] {
        let of = [("direction", direction)];
        let frames = before.sum("luge_network_frames_total", &of);
        let bytes = before.sum("luge_network_bytes_total", &of);
        ensure!(
            frames > 20.0 && bytes > frames * 50.0,
            "{direction}: {frames}, {bytes}"
        );
    }
    let read = before.sum("luge_disk_read_bytes_total", &[]);
    ensure!(
        read > 1024.0,
        "the modules are read from the disk: {read} bytes"
    );
    let memory = before.sum("luge_memory_bytes", &[]);
    ensure!((128e6..270e6).contains(&memory), "256 MiB: {memory}");
    Ok(())
}

fn a_second_request_finds_what_the_first_left_in_the_pools(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab, Engine::Wasmi)?.serve(lab)?;
    let client = machine.client();
    let taken = |scrape: &Scrape, pool, result| {
        scrape.sum(
            "luge_pool_takes_total",
            &[("pool", pool), ("result", result)],
        )
    };
    client.get("/fib?n=1")?.expect_status(200)?;
    let first = scrape(&client)?;
    expect(&first, "luge_instantiation_seconds_count", &[], 1.0)?;
    for _ in 0..3 {
        client.get("/fib?n=1")?.expect_status(200)?;
    }
    let now = scrape(&client)?;
    for pool in ["stack", "instance"] {
        let hits = taken(&now, pool, "hit") - taken(&first, pool, "hit");
        let misses = taken(&now, pool, "miss") - taken(&first, pool, "miss");
        ensure!(
            (hits, misses) == (3.0, 0.0),
            "{pool}: {hits} hits, {misses} misses"
        );
    }
    expect(&now, "luge_instantiation_seconds_count", &[], 1.0)
}

/// Whoever serves two tenants is told that one of them could read of the other, unless a port was set apart.
fn who_has_several_tenants_is_told_which_of_them_reads_of_all(lab: &Lab) -> Result<()> {
    let routes = [route("fib", AMPLE_US)];
    let tenant = |name: &str, port: u16| json!({ "name": name, "port": port, "routes": routes });
    let spec = json!([tenant("one", 8080), tenant("other", ports::free()?)]).to_string();
    let folder = lab.folder("disk")?.file("functions.json", spec)?;
    let folder = folder.copy("fib.wasm", lab.example("fib")?)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let apart = format!("operator_port={}", ports::free()?);
    for (append, is_told) in [("", true), (apart.as_str(), false)] {
        let boot = Boot::new(Kernel::Product).disk(disk.clone());
        let machine = lab.serve(&boot.append(append))?;
        machine.client().get("/fib?n=10")?.expect("55\n")?;
        let told = machine
            .serial
            .text()
            .contains("whoever reaches :8080 reads");
        ensure!(told == is_told, "{append:?}: told {told}");
    }
    Ok(())
}

/// Pages on which one tenant could read of another.
const PAGES: [&str; 6] = ["/", "/metrics", "/trace", "/logs", "/logs.json", "/records"];

fn what_tells_of_all_tenants_is_at_the_operators_port_alone(lab: &Lab) -> Result<()> {
    let folder = lab
        .folder("disk")?
        .file("functions.json", spec(&[route("fib", AMPLE_US)]))?;
    let folder = folder.copy("fib.wasm", lab.example("fib")?)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = |append: &str| Boot::new(Kernel::Product).disk(disk.clone()).append(append);
    // The first tenant's port is the operator's if there is no other.
    let machine = lab.serve(&boot(""))?;
    for page in PAGES {
        machine
            .client()
            .get(page)?
            .expect_status(200)
            .context(page)?;
    }
    let machine = lab.serve(&boot(&format!("operator_port={}", ports::free()?)))?;
    for page in PAGES {
        machine
            .client()
            .get(page)?
            .expect_status(404)
            .context(page)?;
    }
    for page in ["/healthz", "/readyz", "/fib?n=3"] {
        machine
            .client()
            .get(page)?
            .expect_status(200)
            .context(page)?;
    }
    Ok(())
}
