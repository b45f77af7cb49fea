//! What is remembered is written so that those who read it can.

use log::Level;
use luge_journal::{CSV_HEADER, Format, Lines, Record, Text, Written};
use luge_sandbox::{Outcome, Times};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn any_text_comes_back_from_json_and_has_no_markup_in_it() {
    for text in [
        "",
        "plain",
        "\"\\\n\t\0\u{1b}\u{9b}\u{7f}",
        "<script>alert(1)</script>&amp;",
        "ü€😀",
    ] {
        let written = Text(text).to_string();
        assert_eq!(json(&written), Value::from(text));
        assert!(
            !written.contains(['<', '>', '&', '\u{1b}', '\u{9b}']),
            "{written}"
        );
    }
}

fn record() -> Record {
    Record {
        id: 7,
        route: 0,
        outcome: Outcome::Exit(0),
        relative_deadline_ns: 10_000_000,
        arrived_ns: 5,
        times: Times {
            queued_ns: 1,
            run_ns: 2,
            blocked_ns: 3,
            total_ns: 6,
        },
        charged_ns: 4,
        turns: (2, 1),
        payload_bytes: 9,
    }
}

fn line(record: &Record, tenant: &str) -> String {
    let mut text = String::new();
    record
        .write(&mut text, tenant, "/fib")
        .expect("a string takes all");
    text
}

/// The value of a column.
fn column(record: &Record, name: &str) -> String {
    let text = line(record, "main");
    let names = CSV_HEADER.trim_end().split(',');
    let values = text.trim_end().split(',');
    assert_eq!(names.clone().count(), values.clone().count(), "{text}");
    let found = names.zip(values).find(|(column, _)| *column == name);
    found.expect("there is such a column").1.to_owned()
}

#[test]
fn a_record_has_the_reference_columns_first_and_adds_up() {
    assert!(CSV_HEADER.starts_with("id,tenant,route,state,deadline,actual,queued,uninitialized,"));
    assert!(CSV_HEADER.contains(",proc_MHz,payload_size,regression_param,"));
    let of = |name| column(&record(), name);
    assert_eq!(
        (of("id"), of("tenant"), of("route")),
        ("7".into(), "main".into(), "/fib".into())
    );
    assert_eq!(
        (of("state"), of("deadline"), of("actual")),
        ("Complete".into(), "10000000".into(), "6".into())
    );
    assert_eq!(
        (of("runnable"), of("running_user"), of("asleep")),
        ("1".into(), "2".into(), "3".into())
    );
    assert_eq!(
        (of("charged"), of("turns"), of("preemptions")),
        ("4".into(), "2".into(), "1".into())
    );
    assert_eq!(
        (of("payload_size"), of("outcome")),
        ("9".into(), "exit 0".into())
    );
}

#[test]
fn who_did_not_leave_with_zero_is_an_error() {
    for outcome in [Outcome::Exit(1), Outcome::OverDeadline, Outcome::Cancelled] {
        assert_eq!(
            column(
                &Record {
                    outcome,
                    ..record()
                },
                "state"
            ),
            "Error"
        );
    }
}

#[test]
fn a_name_cannot_add_columns_or_lines_to_a_record() {
    assert!(line(&record(), "a,b").starts_with("7,\"a,b\",/fib,"));
    assert!(line(&record(), "a\"b").starts_with("7,\"a\"\"b\",/fib,"));
}

fn push<const N: usize>(lines: &mut Lines<N>, at_ns: u64, level: Level, text: &str) {
    let text = format_args!("{text}");
    lines.push(&Written {
        at_ns,
        cpu: 0,
        level,
        module: "sched",
        text,
    });
}

fn last<const N: usize>(lines: &Lines<N>, level: Level, most: usize, format: Format) -> String {
    let mut text = String::new();
    lines
        .write(&mut text, level, most, format)
        .expect("a string takes all");
    text
}

#[test]
fn the_last_lines_stay_in_their_order() {
    let mut lines = Lines::<3>::new();
    assert_eq!(last(&lines, Level::Trace, 9, Format::Text), "");
    for number in 0..5 {
        push(
            &mut lines,
            number * 1_000_000,
            Level::Info,
            &format!("line {number}"),
        );
    }
    let text = last(&lines, Level::Trace, 9, Format::Text);
    let wanted = "[    0.002000 cpu0 sched   ] line 2\n[    0.003000 cpu0 sched   ] line 3\n\
                  [    0.004000 cpu0 sched   ] line 4\n";
    assert_eq!(text, wanted);
    assert_eq!(
        last(&lines, Level::Trace, 1, Format::Text).lines().count(),
        1
    );
}

#[test]
fn lines_are_chosen_by_their_level_before_they_are_counted() {
    let mut lines = Lines::<8>::new();
    push(&mut lines, 1, Level::Error, "lost");
    push(&mut lines, 2, Level::Info, "said");
    push(&mut lines, 3, Level::Warn, "handled");
    push(&mut lines, 4, Level::Info, "said");
    let text = last(&lines, Level::Warn, 1, Format::Text);
    assert_eq!(text, "[    0.000000 cpu0 sched   ] warning: handled\n");
    assert_eq!(
        last(&lines, Level::Warn, 8, Format::Text).lines().count(),
        2
    );
}

#[test]
fn a_line_of_json_has_everything_and_is_one_line() {
    let mut lines = Lines::<8>::new();
    push(&mut lines, 1_500_000_000, Level::Warn, "a \"b\"\n<c>");
    let text = last(&lines, Level::Trace, 8, Format::Json);
    assert_eq!(text.lines().count(), 1);
    let found = json(&text);
    assert_eq!(
        (&found["level"], &found["module"]),
        (&Value::from("warn"), &Value::from("sched"))
    );
    assert_eq!(
        (&found["at_s"], &found["text"]),
        (&Value::from(1.5), &Value::from("a \"b\"\n<c>"))
    );
}

#[test]
fn a_long_line_is_cut_between_two_characters() {
    for wide in ["a", "ü", "€", "😀"] {
        let mut lines = Lines::<2>::new();
        push(
            &mut lines,
            0,
            Level::Info,
            &format!("x{}", wide.repeat(500)),
        );
        let text = last(&lines, Level::Trace, 1, Format::Text);
        assert!(text.ends_with("...\n") && text.len() < 300, "{text}");
        assert!(text.contains(wide));
    }
}
