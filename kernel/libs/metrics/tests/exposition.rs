//! What is written can be read, by a reader that refuses what a scraper would.

use luge_metrics::reader::{Scrape, Wrong, read};
use luge_metrics::{BOUNDS_NS, Exposition, Family, Histogram, Kind, Seconds};

const THINGS: Family = Family {
    name: "luge_things_total",
    kind: Kind::Counter,
    help: "Things that happened.",
};
const WAITS: Family = Family {
    name: "luge_wait_seconds",
    kind: Kind::Histogram,
    help: "How long it took.",
};

fn written(write: impl FnOnce(&mut Exposition<&mut String>)) -> String {
    let mut text = String::new();
    write(&mut Exposition::new(&mut text));
    text
}

fn refusal(text: &str) -> Wrong {
    read(text).expect_err(text)
}

#[test]
fn a_sample_reads_as_the_format_has_it() {
    let text = written(|out| {
        out.family(&THINGS).expect("a string takes all");
        out.sample(&THINGS, &[("route", "/fib"), ("status", "200")], 7_u64)
            .expect("a string takes all");
    });
    assert_eq!(
        text,
        "# HELP luge_things_total Things that happened.\n# TYPE luge_things_total counter\n\
         luge_things_total{route=\"/fib\",status=\"200\"} 7\n"
    );
}

#[test]
fn any_text_can_be_a_label_and_comes_back_as_it_was() {
    let nasty = [
        "",
        "\"",
        "\\",
        "\n",
        "a\"} 1\nfake_total 2",
        "\\n",
        "\\\\\"",
        "ü€😀\t\u{1}",
        "a,b=\"c\"",
    ];
    for value in nasty {
        let text = written(|out| {
            out.family(&THINGS).expect("a string takes all");
            out.sample(&THINGS, &[("route", value)], 1_u64)
                .expect("a string takes all");
        });
        let scrape = read(&text).expect(&text);
        assert_eq!(scrape.samples.len(), 1, "{text}");
        assert_eq!(scrape.samples[0].label("route"), Some(value));
    }
}

#[test]
fn a_histogram_adds_up() {
    let histogram = Histogram::new();
    let all = [1, 10_000, 10_001, 2_000_000, 999_999_999_999];
    for ns in all {
        histogram.record(ns);
    }
    let text = written(|out| {
        out.family(&WAITS).expect("a string takes all");
        out.histogram(&WAITS, &[("route", "/a")], &histogram)
            .expect("a string takes all");
    });
    let scrape = read(&text).expect(&text);
    assert_eq!(scrape.sum("luge_wait_seconds_count", &[]), 5.0);
    assert_eq!(
        scrape.sum("luge_wait_seconds_sum", &[]),
        all.iter().sum::<u64>() as f64 / 1e9
    );
    for (bound, wanted) in [
        ("0.00001", 2.0),
        ("0.000025", 3.0),
        ("0.0025", 4.0),
        ("10", 4.0),
        ("+Inf", 5.0),
    ] {
        let found = scrape.sum("luge_wait_seconds_bucket", &[("le", bound)]);
        assert_eq!(found, wanted, "up to {bound}: {text}");
    }
    assert_eq!(
        scrape.of("luge_wait_seconds_bucket", &[]).count(),
        BOUNDS_NS.len() + 1
    );
}

#[test]
fn seconds_lose_no_nanosecond() {
    assert_eq!(Seconds(1_000_000_001).to_string(), "1.000000001");
    assert_eq!(Seconds(u64::MAX).to_string(), "18446744073.709551615");
}

#[test]
fn the_reader_refuses_what_a_scraper_or_its_linter_would() {
    let family = "# HELP a_total A.\n# TYPE a_total counter\n";
    let wrong = [
        ("a_total 1\n", "no type"),
        ("# TYPE a_total counter\na_total 1\n", "no help"),
        (
            "# HELP a A.\n# TYPE a counter\na 1\n",
            "a counter without _total",
        ),
        (
            "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n",
            "a gauge with _total",
        ),
        (
            "# HELP a_ms A.\n# TYPE a_ms gauge\na_ms 1\n",
            "not a base unit",
        ),
        ("# HELP aB A.\n# TYPE aB gauge\naB 1\n", "a capital"),
        (&format!("{family}a_total 1\na_total 2\n"), "twice"),
        (
            &format!("{family}a_total{{b=\"1\",b=\"2\"}} 2\n"),
            "a label twice",
        ),
        (&format!("{family}a_total -1\n"), "less than nothing"),
        (&format!("{family}a_total NaN\n"), "no number"),
        (&format!("{family}a_total 1"), "no end"),
        (&format!("{family}a_total one\n"), "a word"),
        (
            &format!("{family}a_total{{b=\"\\x\"}} 1\n"),
            "an unknown escape",
        ),
        (
            &format!("{family}a_total{{b=\"c}} 1\n"),
            "a value without end",
        ),
        (&format!("{family}b_total 1\n"), "another family"),
        (&format!("{family}a_total 1\n{family}"), "described twice"),
    ];
    for (text, why) in wrong {
        assert!(refusal(text).line > 0, "{why}");
    }
}

#[test]
fn the_reader_refuses_histograms_that_do_not_add_up() {
    let family = "# HELP a_seconds A.\n# TYPE a_seconds histogram\n";
    let wrong = [
        "a_seconds_bucket{le=\"1\"} 1\na_seconds_sum 1\na_seconds_count 1\n",
        "a_seconds_bucket{le=\"1\"} 2\na_seconds_bucket{le=\"+Inf\"} 1\na_seconds_sum 1\na_seconds_count 1\n",
        "a_seconds_bucket{le=\"1\"} 1\na_seconds_bucket{le=\"+Inf\"} 2\na_seconds_sum 1\na_seconds_count 1\n",
        "a_seconds_bucket{le=\"+Inf\"} 1\na_seconds_sum 1\n",
        "a_seconds_count 1\n",
        "a_seconds 1\n",
    ];
    for text in wrong {
        let _ = refusal(&format!("{family}{text}"));
    }
}

#[test]
fn what_counts_less_than_before_is_found() {
    let scrape = |kind: &str, value: u32| -> Scrape {
        let name = if kind == "counter" { "a_total" } else { "a" };
        let text = format!("# HELP {name} A.\n# TYPE {name} {kind}\n{name} {value}\n");
        read(&text).expect("it is well formed")
    };
    assert_eq!(
        scrape("counter", 2).gone_back_since(&scrape("counter", 2)),
        None
    );
    assert!(
        scrape("counter", 1)
            .gone_back_since(&scrape("counter", 2))
            .is_some()
    );
    assert!(
        Scrape::default()
            .gone_back_since(&scrape("counter", 2))
            .is_some()
    );
    assert_eq!(
        scrape("gauge", 1).gone_back_since(&scrape("gauge", 2)),
        None
    );
}
