//! The log: whatever guests write to it is one line that harms nobody, not too many of them, and everything is
//! out before the kernel ends.

use anyhow::{Context, Result, anyhow, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::http::Client;
use luge_harness::{Boot, End, Kernel, Lab, Machine};
use luge_metrics::reader::read;
use serde_json::Value;

use crate::guests::{Engine, Guests};

scenarios![
    stderr_is_logged_with_its_route_and_sandbox_and_harms_no_terminal,
    every_line_of_a_log_in_json_is_an_object_whatever_guests_write,
    a_route_that_floods_the_log_silences_itself_alone_and_what_it_lost_is_counted_and_said,
    a_route_that_traps_without_end_fills_no_log_and_its_ends_are_counted_and_said,
    a_reader_of_the_log_that_stalls_stops_nobody,
    each_module_has_a_level_of_its_own,
    as_many_of_the_last_lines_are_given_as_are_asked_for,
    the_last_lines_before_a_panic_are_out_in_each_format,
];

/// Writes its standard input to stderr.
const SAY: &str = "
    (func (export \"_start\")
        (i32.store (i32.const 16) (i32.const 1024))
        (loop $on
            (i32.store (i32.const 20) (i32.const 8192))
            (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
            (if (i32.load (i32.const 24)) (then
                (i32.store (i32.const 20) (i32.load (i32.const 24)))
                (drop (call $write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 28)))
                (br $on)))))";

/// Ends by a trap.
const TRAP: &str = "(func (export \"_start\") unreachable)";

/// A machine on which `/say` and `/shout` do that.
fn machine(lab: &Lab, engine: Engine, append: &str) -> Result<Machine> {
    lab.serve(&boot(lab, engine)?.append(append))
}

fn boot(lab: &Lab, engine: Engine) -> Result<Boot> {
    let guests = Guests::new(lab, engine)?
        .text("say", SAY)?
        .text("shout", SAY)?;
    guests.boot(lab)
}

fn say(client: &Client, line: &[u8]) -> Result<()> {
    client.post("/say", line)?.expect_status(200)
}

/// The lines of `/logs.json`.
fn logged(client: &Client) -> Result<Vec<Value>> {
    let text = client.get("/logs.json")?.text();
    let lines: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    Ok(lines.as_array().context("an array")?.clone())
}

/// What would move a cursor, end a line, turn it around or end a text of JSON; and how it is written.
const HOSTILE: &[u8] =
    b"\x1b]0;title\x07\x1b[31m\r\xff\xc3 \xe2\x80\xae \xe2\x80\xa8 \xc2\x9b \0 \"}\\ </script>";
const HARMLESS: &str = "\\u{1b}]0;title\\u{7}\\u{1b}[31m\\u{d}\\xff\\xc3 \\u{202e} \\u{2028} \\u{9b} \\u{0} \"}\\ </script>";

fn stderr_is_logged_with_its_route_and_sandbox_and_harms_no_terminal(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = machine(lab, engine, "")?;
        let client = machine.client();
        say(&client, b"one\ntwo\r\nwithout an end")?;
        say(&client, HOSTILE)?;
        let of_guests = |line: &&Value| line["module"] == "guest";
        let all = logged(&client)?;
        let lines: Vec<_> = all.iter().filter(of_guests).collect();
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str()).collect();
        let wanted = ["one", "two", "without an end", HARMLESS].map(Some);
        ensure!(messages == wanted, "{messages:?}");
        ensure!(
            lines.iter().all(|line| line["route"] == "/say"),
            "{lines:?}"
        );
        let ids: Vec<_> = lines.iter().map(|line| line["sandbox"].as_u64()).collect();
        ensure!(
            ids[0].is_some() && ids[0] == ids[2] && ids[3] == ids[0].map(|id| id + 1),
            "{ids:?}"
        );
        let id = ids[3].context("a number")?;
        let line = format!("cpu0 guest   ] say #{id}: {HARMLESS}");
        let text = client.get("/logs")?.text();
        ensure!(text.contains(&line), "{text}");
        let serial = machine.serial.text();
        ensure!(serial.contains(&line), "the serial port has another line");
        ensure!(
            !serial.contains(['\x1b', '\u{9b}', '\u{202e}']),
            "it gets through"
        );
    }
    Ok(())
}

fn every_line_of_a_log_in_json_is_an_object_whatever_guests_write(lab: &Lab) -> Result<()> {
    let machine = machine(lab, Engine::Wasmi, "log_format=json log=debug")?;
    let client = machine.client();
    say(&client, HOSTILE)?;
    say(&client, &(0..=255).collect::<Vec<u8>>())?;
    client.get("/fib?n=3")?.expect_status(200)?;
    let text = machine.serial.text();
    let start = text.find("{\"time_s\"").context("no line of JSON")?;
    let mut objects = Vec::new();
    for line in text[start..].lines() {
        let object: Value =
            serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        let has = |key: &str, is_so: fn(&Value) -> bool| is_so(&object[key]);
        ensure!(
            has("time_s", Value::is_f64)
                && has("cpu", Value::is_u64)
                && has("level", Value::is_string)
                && has("module", Value::is_string)
                && has("message", Value::is_string),
            "{line}"
        );
        objects.push(object);
    }
    let of = |key: &str, value: &str| objects.iter().find(|object| object[key] == value);
    let made = of("message", "all modules are made").context("its modules were made")?;
    ensure!(
        made["level"] == "info" && made["module"] == "main",
        "{made}"
    );
    ensure!(made["sandbox"].is_null(), "{made}");
    let said = of("message", HARMLESS).context("what the guest said")?;
    ensure!(
        said["route"] == "/say" && said["sandbox"].is_u64() && said["module"] == "guest",
        "{said}"
    );
    ensure!(of("level", "debug").is_some(), "how sandboxes ended");
    Ok(())
}

/// Lines in a flood.
const FLOOD: usize = 1_000;
/// How many of a route's lines are logged at once.
const AT_ONCE: f64 = 64.0;

/// How many are logged depends on the machine's time, which is that of its instructions.
fn a_route_that_floods_the_log_silences_itself_alone_and_what_it_lost_is_counted_and_said(
    lab: &Lab,
) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = lab.serve(&boot(lab, engine)?.switch("--icount-served"))?;
        let client = machine.client();
        client
            .post("/shout", "flood\n".repeat(FLOOD).as_bytes())?
            .expect_status(200)?;
        say(&client, b"heard all the same")?;
        let scrape = read(&client.get("/metrics")?.text()).map_err(|wrong| anyhow!("{wrong:?}"))?;
        let of = |name: &str, route| scrape.sum(name, &[("tenant", "main"), ("route", route)]);
        let written = of("luge_stderr_lines_total", "/shout");
        let dropped = of("luge_stderr_dropped_total", "/shout");
        ensure!(written + dropped == FLOOD as f64, "{written} and {dropped}");
        ensure!(
            written >= AT_ONCE && dropped > 0.0,
            "{written} and {dropped}"
        );
        ensure!(
            of("luge_stderr_lines_total", "/say") == 1.0,
            "the other is counted too"
        );
        ensure!(
            of("luge_stderr_dropped_total", "/say") == 0.0,
            "and lost nothing"
        );
        let said = format!("warning: shout: {dropped} lines of stderr were dropped");
        machine.line("what was dropped", |line| line.ends_with(&said))?;
        let text = machine.serial.text();
        ensure!(
            text.contains(": heard all the same"),
            "the other was silenced"
        );
        let floods = text.matches(": flood\n").count();
        ensure!(
            floods as f64 == written,
            "{floods} lines, {written} counted"
        );
        let reports = text.matches("lines of stderr").count();
        ensure!(reports == 1, "{reports} reports of one flood");
    }
    Ok(())
}

/// How many of a route's traps are logged at once.
const ENDS_AT_ONCE: f64 = 32.0;

/// How many are logged depends on the machine's time, which is that of its instructions.
fn a_route_that_traps_without_end_fills_no_log_and_its_ends_are_counted_and_said(
    lab: &Lab,
) -> Result<()> {
    const TRAPS: usize = 200;
    let guests = Guests::none(lab, Engine::Wasmtime)?
        .text("trap", TRAP)?
        .text("other", TRAP)?;
    let machine = lab.serve(&guests.boot(lab)?.switch("--icount-served"))?;
    let client = machine.client();
    for _ in 0..TRAPS {
        client.get("/trap")?.expect_outcome("trap unreachable")?;
    }
    client.get("/other")?.expect_outcome("trap unreachable")?;
    let scrape = read(&client.get("/metrics")?.text()).map_err(|wrong| anyhow!("{wrong:?}"))?;
    let dropped = |route| {
        let labels = [("tenant", "main"), ("route", route)];
        scrape.sum("luge_ends_dropped_total", &labels)
    };
    let lost = dropped("/trap");
    ensure!(lost > 0.0 && dropped("/other") == 0.0, "{lost}");
    let said = format!("warning: trap: {lost} traps and kills were dropped");
    machine.line("what was dropped", |line| line.ends_with(&said))?;
    let text = machine.serial.text();
    let ended = |name: &str| {
        text.matches(&format!("({name}) ended: trap unreachable"))
            .count()
    };
    ensure!(ended("trap") as f64 == TRAPS as f64 - lost, "{lost} lost");
    ensure!(ended("trap") as f64 >= ENDS_AT_ONCE, "{lost} lost");
    ensure!(ended("other") == 1, "the other is logged all the same");
    let reports = text.matches("(trap) fault: ").count();
    ensure!(reports == ended("trap"), "{reports} reports of faults");
    Ok(())
}

/// A pipe that is full, a terminal that is halted: what is in the way of the log is in nobody else's.
fn a_reader_of_the_log_that_stalls_stops_nobody(lab: &Lab) -> Result<()> {
    let guests = Guests::none(lab, Engine::Wasmtime)?.text("trap", TRAP)?;
    let machine = lab.serve(&guests.boot(lab)?.append("log_all_ends"))?;
    let client = machine.client();
    machine.serial.stall();
    let mut traps = 0;
    while dropped_by_port(&client)? == 0.0 {
        ensure!(traps < 20_000, "no line was ever dropped");
        for _ in 0..100 {
            client.get("/trap")?.expect_outcome("trap unreachable")?;
        }
        traps += 100;
    }
    client.get("/healthz")?.expect_status(200)?;
    machine.serial.go_on();
    let why = " lines of the log were dropped, because the serial port was too slow";
    let said = machine.line("what was dropped", |line| line.ends_with(why))?;
    // From here on nothing is.
    client.get("/trap")?.expect_outcome("trap unreachable")?;
    let last = format!("sandbox {} (trap) ended: trap unreachable", traps + 1);
    machine.line("the last trap", |line| line.ends_with(&last))?;
    let dropped = dropped_by_port(&client)?;
    let number = said.trim_end_matches(why).rsplit(' ').next();
    let number: f64 = number.context("a number")?.parse()?;
    ensure!(number == dropped, "{number} were said, {dropped} counted");
    // A line is there as a whole, or not at all.
    let lines = machine.serial.lines();
    let broken = lines
        .iter()
        .find(|line| !line.is_empty() && !line.starts_with(['[', 'l']));
    ensure!(broken.is_none(), "{broken:?}");
    Ok(())
}

fn dropped_by_port(client: &Client) -> Result<f64> {
    let scrape = read(&client.get("/metrics")?.text()).map_err(|wrong| anyhow!("{wrong:?}"))?;
    Ok(scrape.sum("luge_log_dropped_total", &[]))
}

fn each_module_has_a_level_of_its_own(lab: &Lab) -> Result<()> {
    let named = |append: &str| -> Result<String> {
        let machine = machine(lab, Engine::Wasmi, append)?;
        say(&machine.client(), b"hello")?;
        Ok(machine.client().get("/logs")?.text())
    };
    for (levels, is_there) in [
        ("log=info", [true, true, false]),
        ("log=warn,main=info,guest=info", [false, true, false]),
        ("log=info,guest=off,sandbox=debug", [true, false, true]),
        (
            "log=info,functions=debug,functions=error",
            [false, true, false],
        ),
    ] {
        let text = named(levels)?;
        let words = ["] route :8080/say: ", "] say #", " (say) ended: exit 0"];
        let found = words.map(|word| text.contains(word));
        ensure!(found == is_there, "{levels}: {found:?} in {text}");
        ensure!(text.contains("main    ] ready"), "{levels}: {text}");
    }
    Ok(())
}

fn as_many_of_the_last_lines_are_given_as_are_asked_for(lab: &Lab) -> Result<()> {
    // What the kernel says of itself once in a while would be among the last lines.
    let machine = machine(lab, Engine::Wasmi, "log=warn,main=info,guest=info")?;
    let client = machine.client();
    say(&client, b"one\ntwo\nthree")?;
    let text = client.get("/logs?n=2")?.text();
    let words: Vec<_> = text
        .lines()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    ensure!(words == ["two", "three"], "{text}");
    client.get("/logs?n=0")?.expect("")?;
    client.get("/logs.json?n=0")?.expect("[]\n")?;
    let all = client.get("/logs")?.text();
    ensure!(all.ends_with(&text) && all.contains("Luge "), "{all}");
    let serial = machine.serial.text();
    for line in all.lines() {
        // Routes are long, and a line that is kept may end early.
        let kept = line.strip_suffix("...").unwrap_or(line);
        ensure!(serial.contains(kept), "not on the serial port: {line}");
    }
    for query in ["n=many", "n=-1", "n=1&n=2"] {
        client.get(&format!("/logs?{query}"))?.expect_status(400)?;
    }
    Ok(())
}

fn the_last_lines_before_a_panic_are_out_in_each_format(lab: &Lab) -> Result<()> {
    for format in ["text", "json"] {
        let boot = Boot::new(Kernel::Scenarios)
            .append(&format!("scenario=panic-after-lines log_format={format}"));
        let mut machine = lab.boot(&boot)?;
        machine.ends_with(End::Code(ExitCode::Panic))?;
        let text = machine.serial.text();
        let mut rest = &*text;
        for number in 0..300 {
            let line = format!("line {number} before the panic");
            let at = rest
                .find(&line)
                .with_context(|| format!("{format}: no {line}"))?;
            rest = &rest[at + line.len()..];
        }
        let last = rest.lines().nth(1).context("the panic itself")?;
        ensure!(last.contains("kernel panic at"), "{format}: {last}");
        if format == "json" {
            let object: Value = serde_json::from_str(last).with_context(|| last.to_owned())?;
            ensure!(
                object["level"] == "error" && object["module"] == "panic",
                "{last}"
            );
        }
    }
    Ok(())
}
