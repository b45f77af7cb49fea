//! What is remembered is written so that those who read it can.

use luge_journal::{CSV_HEADER, Record, Records, Table, Text};
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
        succeeded: true,
        relative_deadline_ns: 10_000_000,
        arrived_ns: 5,
        times: Times {
            queued_ns: 1,
            run_ns: 2,
            blocked_ns: 3,
            reader_ns: 2,
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
        (of("payload_size"), of("waiting_for_client"), of("outcome")),
        ("9".into(), "2".into(), "exit 0".into())
    );
}

#[test]
fn who_has_not_succeeded_is_an_error_whatever_the_exit_code() {
    for outcome in [Outcome::Exit(0), Outcome::Exit(1), Outcome::Cancelled] {
        for (succeeded, state) in [(true, "Complete"), (false, "Error")] {
            let record = Record {
                outcome,
                succeeded,
                ..record()
            };
            assert_eq!(column(&record, "state"), state);
        }
    }
}

#[test]
fn a_name_cannot_add_columns_or_lines_to_a_record() {
    assert!(line(&record(), "a,b").starts_with("7,\"a,b\",/fib,"));
    assert!(line(&record(), "a\"b").starts_with("7,\"a\"\"b\",/fib,"));
}

/// Records of sandboxes with these numbers, in a ring of four places.
fn records(ids: impl IntoIterator<Item = u64>) -> Records {
    let mut records = Records::with_room(4);
    ids.into_iter().for_each(|id| {
        records.push(Record { id, ..record() });
    });
    records
}

fn next(table: &mut Table, records: &Records, text: &mut String) -> bool {
    let names = |route| (route == 0).then_some(("main", "/fib"));
    let went_on = table.write_next(text, records, names);
    went_on.expect("a string takes all")
}

/// The numbers of sandboxes in the rest of a table that has its header.
fn ids(mut table: Table, records: &Records) -> Vec<u64> {
    let mut text = String::new();
    while next(&mut table, records, &mut text) {}
    let lines = text.strip_prefix(CSV_HEADER).unwrap_or(&text).lines();
    let id = |line: &str| line.split(',').next().and_then(|id| id.parse().ok());
    lines.map(|line| id(line).expect("a number")).collect()
}

#[test]
fn the_last_records_stay_in_the_order_in_which_they_came() {
    assert_eq!(
        ids(Table::new(&records([]), None), &records([])),
        [0_u64; 0]
    );
    for (came, stay) in [
        (vec![5, 1], vec![5, 1]),
        (vec![9, 2, 7, 3, 8], vec![2, 7, 3, 8]),
    ] {
        let records = records(came);
        assert_eq!(ids(Table::new(&records, None), &records), stay);
    }
    let mut none = Records::new();
    none.push(record());
    assert_eq!(ids(Table::new(&none, None), &none), [0_u64; 0]);
}

#[test]
fn whoever_has_seen_a_record_gets_those_behind_it_and_else_all() {
    let records = records([9, 2, 7, 3, 8]);
    let behind = |id| ids(Table::new(&records, Some(id)), &records);
    assert_eq!(behind(7), [3, 8]);
    assert_eq!(behind(8), [0_u64; 0]);
    for lost in [9, 1, 100] {
        assert_eq!(behind(lost), [2, 7, 3, 8]);
    }
}

#[test]
fn a_table_that_is_written_slower_than_the_ring_goes_on_leaves_out_what_was_lost() {
    let mut records = records([1, 2, 3, 4]);
    let (mut table, mut text) = (Table::new(&records, None), String::new());
    assert!(next(&mut table, &records, &mut text));
    assert!(
        text.starts_with(CSV_HEADER) && text.lines().count() == 2,
        "{text}"
    );
    for id in [5, 6] {
        records.push(Record { id, ..record() });
    }
    // What came since the table was asked for is not in it either.
    assert_eq!(ids(table, &records), [3, 4]);
}

#[test]
fn a_route_that_nobody_knows_any_more_has_no_name() {
    let mut records = Records::with_room(1);
    records.push(Record {
        route: 3,
        ..record()
    });
    let (mut table, mut text) = (Table::new(&records, None), String::new());
    while next(&mut table, &records, &mut text) {}
    assert!(
        text.ends_with('\n') && text.contains("\n7,,,Complete,"),
        "{text}"
    );
}
