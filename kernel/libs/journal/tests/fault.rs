//! A report of a fault says what is known, and nobody's names can harm who reads it.

use luge_journal::{Backtrace, Exception, Fault, LinearStack, MOST_FRAMES, NAME_BYTES, Place};
use luge_sandbox::Outcome;
use luge_trap::Trap;
use serde_json::{Value, json};

fn places() -> [Place; 3] {
    [
        Place::new(5, Some("inner\"<b>\u{1b}[2J\n"), Some(0x77)),
        Place::new(4, None, None),
        Place::new(1, Some("_start"), Some(0x99)),
    ]
}

fn fault() -> Fault<'static> {
    Fault {
        at_ns: 1_002_003_004,
        sandbox: 3,
        tenant: Some("a\"b"),
        route: "/x<y",
        outcome: Outcome::Trap(Trap::MemoryOutOfBounds),
        exception: Some(Exception {
            name: "#PF",
            rip: 0x1000,
            cr2: Some(0xffff_8000_0000_1234),
            error_code: 2,
        }),
        linear_stack: Some(LinearStack {
            bytes: 65536,
            is_exact: true,
            is_certain: true,
        }),
        stack_used: Some(4096),
        stack_bytes: 524_288,
        charged_ns: 70_000,
        total_ns: 90_000,
        backtrace: Backtrace::new(places().into_iter(), true),
    }
}

/// What the interpreter leaves to tell.
fn in_software() -> Fault<'static> {
    Fault {
        tenant: None,
        exception: None,
        linear_stack: None,
        stack_used: None,
        backtrace: Backtrace::EMPTY,
        ..fault()
    }
}

fn json(fault: &Fault) -> Value {
    let text = written(fault);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn written(fault: &Fault) -> String {
    let mut text = String::new();
    fault.write_json(&mut text).expect("a string takes all");
    text
}

fn lines(fault: &Fault) -> String {
    let mut text = String::new();
    fault.write_text(&mut text).expect("a string takes all");
    text
}

#[test]
fn a_report_for_a_program_has_every_key_in_its_kind() {
    let wanted = json!({
        "id": 3, "tenant": "a\"b", "route": "/x<y", "outcome": "trap memory-out-of-bounds",
        "at_ns": 1_002_003_004, "function": "inner\"<b>\u{1b}[2J\n", "offset": 0x77,
        "backtrace": [
            { "function": "inner\"<b>\u{1b}[2J\n", "index": 5, "offset": 0x77 },
            { "function": "wasm-function[4]", "index": 4, "offset": null },
            { "function": "_start", "index": 1, "offset": 0x99 },
        ],
        "backtrace_is_cut": true, "exception": "#PF", "rip": "0x1000", "cr2": "0xffff800000001234",
        "error_code": 2, "stack_used_bytes": 4096, "stack_bytes": 524_288,
        "linear_stack_bytes": 65536,
        "advice": "the stack in linear memory (65536 bytes) ran out: link with -Wl,-z,stack-size=1048576",
        "charged_ns": 70_000, "total_ns": 90_000,
    });
    assert_eq!(json(&fault()), wanted);
}

#[test]
fn what_is_not_known_is_null_and_not_left_out() {
    let (full, found) = (json(&fault()), json(&in_software()));
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    assert_eq!(keys(&full), keys(&found));
    for key in [
        "tenant",
        "function",
        "offset",
        "exception",
        "rip",
        "cr2",
        "error_code",
        "stack_used_bytes",
        "linear_stack_bytes",
        "advice",
    ] {
        assert_eq!(found[key], Value::Null, "{key}");
    }
    assert_eq!(found["backtrace"], json!([]));
}

#[test]
fn only_a_page_fault_has_a_cr2() {
    let mut divide = fault();
    divide.exception = divide.exception.map(|found| Exception {
        name: "#DE",
        cr2: None,
        ..found
    });
    assert_eq!(json(&divide)["cr2"], Value::Null);
    assert_eq!(json(&divide)["rip"], "0x1000");
    assert!(!lines(&divide).contains("cr2"), "{}", lines(&divide));
}

#[test]
fn a_backtrace_that_is_longer_than_what_is_kept_says_so() {
    let places = |count| core::iter::repeat_n(Place::new(0, None, None), count);
    for (count, is_cut) in [(0, false), (MOST_FRAMES, false), (MOST_FRAMES + 1, true)] {
        assert_eq!(Backtrace::new(places(count), false).is_cut, is_cut);
        let more = Backtrace::new(places(count), true);
        assert!(more.is_cut && more.places().count() == count.min(MOST_FRAMES));
    }
}

#[test]
fn a_report_for_a_person_names_functions() {
    let wanted = "[    1.002003] sandbox 3, a\\\"b /x<y: trap memory-out-of-bounds\n  \
                  #PF at rip=0x1000, cr2=0xffff800000001234, error code 0x2\n  \
                  the stack in linear memory (65536 bytes) ran out: link with \
                  -Wl,-z,stack-size=1048576\n  \
                  stack: 4096 of 524288 bytes in use; CPU time: 70 us, 90 us after the request came\n  \
                  in inner\\\"<b>\\u{1b}[2J\\n (function 5) at 0x77\n  \
                  called by function 4\n  called by _start (function 1) at 0x99\n  and so on\n";
    assert_eq!(lines(&fault()), wanted);
    let wanted = "[    1.002003] sandbox 3, /x<y: trap memory-out-of-bounds\n  \
                  stack: 524288 bytes; CPU time: 70 us, 90 us after the request came\n  \
                  where is not known: no native code of a module was on the stack\n";
    assert_eq!(lines(&in_software()), wanted);
}

#[test]
fn a_name_of_any_length_and_kind_is_bounded_and_harmless() {
    for piece in [
        "a", "<script>", "\"", "\\", "\u{0}", "\u{202e}", "\u{9b}", "é", "😀",
    ] {
        let name = piece.repeat(100 << 10);
        let places = [Place::new(0, Some(&name), None); MOST_FRAMES + 1];
        let fault = Fault {
            backtrace: Backtrace::new(places.into_iter(), false),
            ..fault()
        };
        let (found, raw, text) = (json(&fault), written(&fault), lines(&fault));
        let called = found["function"].as_str().expect("a text");
        assert!(
            called.starts_with(piece) && called.len() <= NAME_BYTES,
            "{called}"
        );
        let frames = found["backtrace"].as_array().expect("an array");
        assert_eq!(frames.len(), MOST_FRAMES);
        assert!(!raw.contains(['<', '>', '&']), "{raw}");
        let is_harmless = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
        assert!(text.chars().all(is_harmless), "{text:?}");
        assert_eq!(text.lines().count(), 4 + MOST_FRAMES + 1, "{text:?}");
        assert!(text.len() < 16 << 10);
    }
}
