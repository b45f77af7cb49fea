//! The ring, and what viewers are given.

use luge_trace::{Event, Kind, NO_ROUTE, Ring, Trace};
use serde_json::Value;

fn event(at_ns: u64, task: u64, kind: Kind) -> Event {
    Event {
        at_ns,
        task,
        route: 0,
        kind,
    }
}

fn ring(room: usize, events: &[Event]) -> Ring {
    let mut ring = Ring::with_room(room);
    events.iter().for_each(|event| ring.push(*event));
    ring
}

fn written<'a>(ring: &'a Ring, name: &'a str) -> Value {
    let (mut trace, mut text) = (Trace::new(ring), String::new());
    while next(&mut trace, ring, name, &mut text) {}
    parsed(&text)
}

fn next(trace: &mut Trace, ring: &Ring, name: &str, text: &mut String) -> bool {
    let went_on = trace.write_next(text, ring, |_| Some(name));
    went_on.expect("a string takes all")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The events of a trace, without those that name processes, as `PHASE NAME TIME PROCESS/THREAD`.
fn lines(trace: &Value) -> Vec<String> {
    let events = trace["traceEvents"].as_array().expect("an array");
    let line = |event: &Value| {
        let text = |key: &str| event[key].as_str().expect("a text").to_owned();
        let (time, process, thread) = (&event["ts"], &event["pid"], &event["tid"]);
        let (phase, name) = (text("ph"), text("name"));
        format!("{phase} {name} {time} {process}/{thread}")
    };
    events
        .iter()
        .filter(|event| event["ph"] != "M")
        .map(line)
        .collect()
}

#[test]
fn a_full_ring_keeps_the_newest_and_counts_what_it_lost() {
    let events: Vec<_> = (0..10).map(|at| event(at, 1, Kind::Admit)).collect();
    let ring = ring(4, &events);
    assert_eq!(ring.events().copied().collect::<Vec<_>>(), events[6..]);
    assert_eq!((ring.len(), ring.lost()), (4, 6));
}

#[test]
fn the_newest_events_are_given_from_the_oldest_of_them_on() {
    let events: Vec<_> = (0..6).map(|at| event(at, 1, Kind::Admit)).collect();
    let ring = ring(4, &events);
    assert_eq!(ring.newest(2).copied().collect::<Vec<_>>(), events[4..]);
    assert_eq!(ring.newest(9).copied().collect::<Vec<_>>(), events[2..]);
    assert_eq!(ring.newest(0).count(), 0);
}

#[test]
fn a_debugger_is_told_the_same_names() {
    for (name, number) in Kind::MEANING {
        let kind = KINDS[number];
        assert_eq!(
            (name, number),
            (format!("kind.{}", kind.as_str()).as_str(), kind as usize)
        );
    }
    assert_eq!(Kind::MEANING.len(), KINDS.len());
}

/// All kinds, in the order of their numbers.
const KINDS: [Kind; 10] = [
    Kind::Arrive,
    Kind::Admit,
    Kind::Refuse,
    Kind::Dispatch,
    Kind::Preempt,
    Kind::Block,
    Kind::Resume,
    Kind::Finish,
    Kind::Miss,
    Kind::Kill,
];

#[test]
fn a_ring_without_room_holds_nothing() {
    let ring = ring(0, &[event(1, 1, Kind::Arrive)]);
    assert!(ring.is_empty());
    assert_eq!(ring.lost(), 1);
}

#[test]
fn a_request_is_a_slice_on_its_track_and_its_turns_are_slices_on_the_cpus() {
    let ring = ring(
        16,
        &[
            event(1_000, 7, Kind::Arrive),
            event(1_000, 7, Kind::Admit),
            event(2_500, 7, Kind::Dispatch),
            event(3_001, 7, Kind::Preempt),
            event(4_000, 7, Kind::Dispatch),
            event(5_000, 7, Kind::Finish),
        ],
    );
    assert_eq!(
        lines(&written(&ring, "fib")),
        [
            "B fib #7 1.0 1/7",
            "i fib admit 1.0 1/7",
            "B fib #7 2.5 0/0",
            "E fib #7 3.001 0/0",
            "B fib #7 4.0 0/0",
            "E fib #7 5.0 0/0",
            "E fib #7 5.0 1/7",
        ]
    );
}

#[test]
fn what_is_ended_from_outside_has_its_slice_closed_too() {
    let ring = ring(
        16,
        &[
            event(1_000, 7, Kind::Dispatch),
            event(2_000, 7, Kind::Preempt),
            event(2_000, 7, Kind::Miss),
            event(3_000, 7, Kind::Kill),
        ],
    );
    let lines = lines(&written(&ring, "fib"));
    assert_eq!(
        lines[2..],
        [
            "i fib miss 2.0 1/7",
            "i fib kill 3.0 1/7",
            "E fib #7 3.0 1/7"
        ]
    );
}

#[test]
fn a_turn_whose_beginning_was_lost_has_no_end() {
    let ring = ring(16, &[event(1_000, 7, Kind::Preempt)]);
    assert_eq!(lines(&written(&ring, "fib")), [""; 0]);
}

#[test]
fn a_name_that_json_cannot_take_is_escaped() {
    let ring = ring(1, &[event(0, 1, Kind::Arrive)]);
    assert_eq!(
        lines(&written(&ring, "a\"b\\c\u{1}ü")),
        ["B a\"b\\c\u{1}ü #1 0.0 1/1"]
    );
}

#[test]
fn work_without_a_route_is_the_hosts() {
    let mut one = event(0, 1, Kind::Arrive);
    one.route = NO_ROUTE;
    assert_eq!(
        lines(&written(&ring(1, &[one]), "fib")),
        ["B host #1 0.0 1/1"]
    );
}

#[test]
fn an_empty_trace_is_json_and_says_what_was_lost() {
    let trace = written(&ring(0, &[event(0, 1, Kind::Arrive)]), "fib").to_string();
    let trace: Value = serde_json::from_str(&trace).expect("JSON");
    assert_eq!(trace["otherData"]["lost"], 1);
}

#[test]
fn an_event_is_found_by_its_number_until_it_is_lost() {
    let events: Vec<_> = (0..10).map(|at| event(at, 1, Kind::Admit)).collect();
    let ring = ring(4, &events);
    let found: Vec<_> = (0..12).map(|number| ring.get(number).copied()).collect();
    let kept = events.iter().map(|event| Some(*event)).skip(6);
    let expected = [None; 6].into_iter().chain(kept).chain([None; 2]);
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn what_comes_while_a_trace_is_written_is_not_in_it() {
    let mut ring = ring(16, &[event(1_000, 7, Kind::Arrive)]);
    let (mut trace, mut text) = (Trace::new(&ring), String::new());
    for _ in 0..10 {
        ring.push(event(2_000, 8, Kind::Arrive));
        if !next(&mut trace, &ring, "fib", &mut text) {
            break;
        }
    }
    assert_eq!(lines(&parsed(&text)), ["B fib #7 1.0 1/7"]);
}

#[test]
fn a_trace_that_is_written_slower_than_the_ring_goes_on_is_whole_json_and_says_what_it_lost() {
    let mut ring = ring(2, &[event(1_000, 7, Kind::Dispatch)]);
    ring.push(event(2_000, 7, Kind::Preempt));
    let (mut trace, mut text) = (Trace::new(&ring), String::new());
    assert!(next(&mut trace, &ring, "fib", &mut text));
    // The first of these is behind the trace's end, and takes the place of what was to be written.
    for _ in 0..3 {
        ring.push(event(3_000, 8, Kind::Dispatch));
    }
    while next(&mut trace, &ring, "fib", &mut text) {}
    let trace = parsed(&text);
    assert_eq!(lines(&trace), ["B fib #7 1.0 0/0"]);
    assert_eq!(trace["otherData"]["lost"], 1);
}

#[test]
fn a_turn_whose_end_was_lost_ends_where_the_trace_goes_on() {
    let mut ring = ring(3, &[event(1_000, 7, Kind::Dispatch)]);
    ring.push(event(2_000, 7, Kind::Preempt));
    ring.push(event(3_000, 8, Kind::Dispatch));
    let (mut trace, mut text) = (Trace::new(&ring), String::new());
    assert!(next(&mut trace, &ring, "fib", &mut text));
    ring.push(event(4_000, 8, Kind::Finish));
    ring.push(event(5_000, 9, Kind::Arrive));
    while next(&mut trace, &ring, "fib", &mut text) {}
    assert_eq!(
        lines(&parsed(&text)),
        ["B fib #7 1.0 0/0", "E fib #7 3.0 0/0", "B fib #8 3.0 0/0"]
    );
}
