//! What the page counts and measures is what `/metrics` says.

use anyhow::{Context, Result, anyhow, bail, ensure};
use luge_harness::{Browser, Lab};
use luge_metrics::reader::{Scrape, read};
use serde_json::{Value, json};

use super::{machine, page_of, rows, scrape};

/// A number as it stands on the page, without the blanks between its groups and before its unit.
fn plain(text: &str) -> String {
    text.replace('\u{202f}', "")
}

/// A duration as it stands on the page, in seconds.
fn seconds(text: &str) -> Result<f64> {
    let text = plain(text);
    let (number, unit) = text.split_at(
        text.find(char::is_alphabetic)
            .unwrap_or_else(|| text.find('µ').unwrap_or(0)),
    );
    let scale = match unit {
        "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => bail!("{text}"),
    };
    Ok(number.parse::<f64>()? * scale)
}

/// The quantile of what a route took, straight between the bounds of a bucket.
fn quantile(scrape: &Scrape, route: &[(&str, &str)], quantile: f64) -> Result<f64> {
    let rank = quantile * scrape.sum("luge_latency_seconds_count", route);
    let (mut bound, mut below) = (0.0, 0.0);
    for bucket in scrape.of("luge_latency_seconds_bucket", route) {
        let next: f64 = bucket.label("le").context("a bound")?.parse()?;
        if bucket.value >= rank {
            return Ok(bound + (next - bound) * (rank - below) / (bucket.value - below));
        }
        (bound, below) = (next, bucket.value);
    }
    bail!("no bucket has {rank}")
}

pub fn the_numbers_on_the_page_are_those_of_the_metrics(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    let client = machine.client();
    for (path, times) in [
        ("/fib?n=10", 1234),
        ("/wrong", 3),
        ("/late", 2),
        ("/echo", 7),
    ] {
        for _ in 0..times {
            client.get(path)?;
        }
    }
    let browser = page_of(&machine)?;

    // Nobody asks for a function any more, so these stand still.
    let (shown, now) = (rows(&browser, "routes")?, scrape(&machine)?);
    ensure!(shown.len() == 7, "{:?}", shown.keys());
    for miss in now.of("luge_deadline_misses_total", &[]) {
        let (tenant, route) = (
            miss.label("tenant").context("tenant")?,
            miss.label("route").context("route")?,
        );
        let labels = [("tenant", tenant), ("route", route)];
        let row = shown.get(&format!("{route}{tenant}")).context("no row")?;
        let is = |field: &str, wanted: String| {
            let found = row.get(field).map(|text| plain(text));
            ensure!(
                found.as_ref() == Some(&wanted),
                "{route}: {field} is {found:?}, not {wanted}"
            );
            Ok(())
        };
        let total = |counts: &[f64]| (counts.iter().sum::<f64>() + 0.0).to_string();
        is(
            "requests",
            total(&[now.sum("luge_requests_total", &labels)]),
        )?;
        let failed = ["500", "503", "504"].map(|status| {
            let with_status = [labels[0], labels[1], ("status", status)];
            now.sum("luge_requests_total", &with_status)
        });
        is("failed", total(&failed))?;
        is("refused", total(&[now.sum("luge_refusals_total", &labels)]))?;
        let ended = now.sum("luge_outcomes_total", &labels);
        let missed = if ended > 0.0 {
            100.0 * miss.value / ended
        } else {
            0.0
        };
        is("missed", format!("{}%", missed.round()))?;
        for (field, q) in [("p50", 0.5), ("p99", 0.99)] {
            if ended == 0.0 {
                is(field, "–".into())?;
                continue;
            }
            let (found, wanted) = (seconds(&row[field])?, quantile(&now, &labels, q)?);
            // Three digits are shown.
            ensure!(
                (found / wanted - 1.0).abs() < 0.006,
                "{route}: {field} is {found}, not {wanted}"
            );
        }
    }
    let facts = browser.run(
        "return ['requests', 'version'].map((id) => document.getElementById(id).textContent)",
        &[],
    )?;
    let requests = now.sum("luge_requests_total", &[]);
    ensure!(
        plain(facts[0].as_str().context("text")?) == requests.to_string(),
        "{facts}, {requests}"
    );
    ensure!(
        now.sum(
            "luge_build_info",
            &[("version", facts[1].as_str().context("text")?)]
        ) == 1.0
    );
    Ok(())
}

/// The part of the page's script that reads metrics. It declares functions and does nothing.
const READER: &str = include_str!("../../../kernel/libs/page/page/metrics.js");

/// A sample as the script finds it: its name, its labels, its value.
type Found = (String, Vec<(String, String)>, f64);

pub fn the_script_reads_metrics_as_a_scraper_does(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    for _ in 0..20 {
        machine.client().get("/fib?n=12")?;
    }
    let browser = Browser::start()?;
    browser.open(machine.port(), "/healthz")?;
    let run =
        |script: &str, argument: Value| browser.run(&format!("{READER}; {script}"), &[argument]);
    // Every sample of a real machine's, with every label.
    let text = machine.client().get("/metrics")?.text();
    let wanted = read(&text).map_err(|wrong| anyhow!("{wrong:?}"))?;
    let all = "return [...readMetrics(arguments[0])].flatMap(([name, samples]) =>
        samples.map((it) => [name, [...it.labels], it.value]))";
    let found: Vec<Found> = serde_json::from_value(run(all, text.into())?)?;
    ensure!(
        found.len() == wanted.samples.len(),
        "{} samples",
        found.len()
    );
    for sample in &wanted.samples {
        let is_it = |it: &&Found| it.0 == sample.name && it.1 == sample.labels;
        let value = found
            .iter()
            .find(is_it)
            .with_context(|| format!("{sample:?}"))?
            .2;
        ensure!(value == sample.value, "{sample:?}: {value}");
    }
    // Whatever a label may be.
    let odd = r#"luge_x{tenant="a\"b\\n\nc",route="/},x=\"y\" 7"} 1.5e3"#;
    let labels = run(
        "return [...readMetrics(arguments[0]).get('luge_x')[0].labels.values()]",
        odd.into(),
    )?;
    ensure!(labels == json!(["a\"b\\n\nc", "/},x=\"y\" 7"]), "{labels}");
    for broken in [
        "luge_x",
        "luge_x 1 2",
        "luge_x{a=\"b\" 1",
        "luge_x{a=\"b} 1",
        "luge_x x",
        "<b> 1",
        "luge_x ",
    ] {
        let refused = run(
            "try { readMetrics(arguments[0]); return false } catch { return true }",
            broken.into(),
        )?;
        ensure!(refused == json!(true), "{broken}");
    }
    let quantiles = run(
        "const h = new Map([['0.1', 0], ['0.2', 10], ['1', 20], ['+Inf', 40]]);
        return [0, 0.125, 0.25, 0.375, 0.5, 0.99].map((q) => quantile(h, q)).concat(quantile(new Map(), 0.5))",
        Value::Null,
    )?;
    let wanted = [
        None,
        Some(0.15),
        Some(0.2),
        Some(0.6),
        Some(1.0),
        Some(1.0),
        None,
    ];
    let quantiles: Vec<Option<f64>> = serde_json::from_value(quantiles)?;
    let close = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (a, b) => a == b,
    };
    ensure!(
        quantiles.len() == 7 && quantiles.iter().zip(&wanted).all(close),
        "{quantiles:?}"
    );
    Ok(())
}
