//! What is logged, and how a line of it is written.

use log::{Level, LevelFilter};
use luge_journal::{Entry, Format, Guest, Harmless, Levels, Line, Lines, Tail};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn push<const N: usize>(lines: &mut Lines<N>, at_ns: u64, level: Level, text: &str) {
    push_of(lines, at_ns, level, None, text);
}

fn push_of<const N: usize>(
    lines: &mut Lines<N>,
    at_ns: u64,
    level: Level,
    guest: Option<Guest<'_>>,
    text: &str,
) {
    lines.push(Entry::of(&Line {
        at_ns,
        cpu: 0,
        level,
        module: "sched",
        guest,
        text: format_args!("{text}"),
    }));
}

fn next<const N: usize>(tail: &mut Tail, lines: &Lines<N>, text: &mut String) -> bool {
    let number = tail.next(lines.first());
    let entry = number.and_then(|number| lines.get(number));
    tail.write(text, entry).expect("a string takes all")
}

fn last<const N: usize>(lines: &Lines<N>, most: u64, format: Format) -> String {
    let (mut tail, mut text) = (Tail::new(lines, most, format), String::new());
    while next(&mut tail, lines, &mut text) {}
    text
}

#[test]
fn the_last_lines_stay_in_their_order() {
    let mut lines = Lines::<3>::new();
    assert_eq!(last(&lines, 9, Format::Text), "");
    for number in 0..5 {
        let text = format!("line {number}");
        push(&mut lines, number * 1_000_000, Level::Info, &text);
    }
    let text = last(&lines, 9, Format::Text);
    let wanted = "[    0.002000 cpu0 sched   ] line 2\n[    0.003000 cpu0 sched   ] line 3\n\
                  [    0.004000 cpu0 sched   ] line 4\n";
    assert_eq!(text, wanted);
    assert!(wanted.ends_with(&last(&lines, 1, Format::Text)));
    assert_eq!(last(&lines, 1, Format::Text).lines().count(), 1);
    assert_eq!(last(&lines, 0, Format::Text), "");
}

#[test]
fn lines_that_are_lost_while_the_last_are_written_are_left_out() {
    for format in [Format::Text, Format::Json] {
        let mut lines = Lines::<4>::new();
        for number in 0..4 {
            push(&mut lines, 0, Level::Info, &format!("line {number}"));
        }
        let (mut tail, mut text) = (Tail::new(&lines, 9, format), String::new());
        assert!(next(&mut tail, &lines, &mut text));
        for number in 4..6 {
            push(&mut lines, 0, Level::Info, &format!("line {number}"));
        }
        while next(&mut tail, &lines, &mut text) {}
        assert_eq!(text.matches("line ").count(), 3, "{text}");
        assert!(
            !text.contains("line 1") && !text.contains("line 4"),
            "{text}"
        );
    }
}

#[test]
fn a_line_says_how_important_it_is_and_whose_it_is() {
    let mut lines = Lines::<4>::new();
    push(&mut lines, 12_345_678_999, Level::Error, "lost");
    push(&mut lines, 1, Level::Warn, "handled");
    let guest = Guest {
        name: "fib",
        sandbox: 7,
    };
    push_of(&mut lines, 1, Level::Info, Some(guest), "said");
    let wanted = "[   12.345678 cpu0 sched   ] error: lost\n\
                  [    0.000000 cpu0 sched   ] warning: handled\n\
                  [    0.000000 cpu0 sched   ] fib #7: said\n";
    assert_eq!(last(&lines, 9, Format::Text), wanted);
}

#[test]
fn the_last_lines_as_json_are_an_array_of_objects_with_everything_in_them() {
    let mut lines = Lines::<8>::new();
    assert_eq!(
        json(&last(&lines, 9, Format::Json)),
        Value::Array(Vec::new())
    );
    push(&mut lines, 1_500_000_000, Level::Warn, "a \"b\"\n<c>");
    let guest = Guest {
        name: "a\"b",
        sandbox: u64::MAX,
    };
    push_of(&mut lines, 0, Level::Info, Some(guest), "\u{1b}[31m");
    let text = last(&lines, 8, Format::Json);
    let wanted = serde_json::json!([
        { "time_s": 1.5, "cpu": 0, "level": "warn", "module": "sched", "message": "a \"b\"\n<c>" },
        { "time_s": 0.0, "cpu": 0, "level": "info", "module": "sched", "message": "\u{1b}[31m",
          "sandbox": u64::MAX, "route": "/a\"b" },
    ]);
    assert_eq!(json(&text), wanted);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.contains(['<', '\u{1b}']), "{text}");
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
        let text = last(&lines, 1, Format::Text);
        assert!(text.ends_with("...\n") && text.len() < 300, "{text}");
        assert!(text.contains(wide));
    }
}

#[test]
fn the_text_of_guests_stays_text() {
    let text = "Grüße,\t日本, नमस्ते, שלום, e\u{301}, 👩\u{200d}🚀 \\ \"";
    assert_eq!(Harmless(text.as_bytes()).to_string(), text);
}

#[test]
fn control_characters_are_escaped() {
    let line = b"\x1b[31mred\0\x07\x7f\xc2\x9b\r\n";
    let escaped = "\\u{1b}[31mred\\u{0}\\u{7}\\u{7f}\\u{9b}\\u{d}\\u{a}";
    assert_eq!(Harmless(line).to_string(), escaped);
}

#[test]
fn what_turns_text_around_or_begins_a_line_is_escaped() {
    let directions = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2029}";
    for character in directions.chars() {
        let line = format!("a{character}b");
        let escaped = format!("a\\u{{{:x}}}b", u32::from(character));
        assert_eq!(Harmless(line.as_bytes()).to_string(), escaped);
    }
}

#[test]
fn what_is_no_text_is_escaped_byte_by_byte() {
    let escaped = "a\\xff\\xfeb\\xe3\\x81";
    assert_eq!(Harmless(b"a\xff\xfeb\xe3\x81").to_string(), escaped);
}

fn levels(general: LevelFilter, modules: &[(&str, LevelFilter)]) -> Levels {
    let owned = modules
        .iter()
        .map(|(name, level)| ((*name).to_owned(), *level));
    Levels::new(general, owned.collect())
}

#[test]
fn a_module_has_its_own_level_and_so_has_what_is_inside_it() {
    let levels = levels(
        LevelFilter::Warn,
        &[("net", LevelFilter::Debug), ("guest", LevelFilter::Off)],
    );
    for (module, level, is_allowed) in [
        ("net", Level::Debug, true),
        ("net::card", Level::Debug, true),
        ("net", Level::Trace, false),
        ("network", Level::Info, false),
        ("network", Level::Warn, true),
        ("guest", Level::Error, false),
        ("http::net", Level::Info, false),
    ] {
        assert_eq!(levels.allow(module, level), is_allowed, "{module} {level}");
    }
    assert_eq!(levels.most(), LevelFilter::Debug);
}

#[test]
fn of_several_levels_for_a_module_the_last_counts() {
    let levels = levels(
        LevelFilter::Info,
        &[
            ("net", LevelFilter::Trace),
            ("net", LevelFilter::Warn),
            ("net::card", LevelFilter::Debug),
        ],
    );
    assert!(!levels.allow("net", Level::Info));
    assert!(levels.allow("net::card", Level::Debug));
}

#[test]
fn no_text_of_a_line_moves_a_cursor_or_begins_another_line() {
    let line = Line {
        at_ns: 0,
        cpu: 0,
        level: Level::Info,
        module: "functions",
        guest: None,
        text: format_args!("an export \x1b[2J{}\u{202e}", "of a\nmodule's"),
    };
    let mut text = String::new();
    line.write(&mut text, Format::Text).unwrap();
    let end = "an export \\u{1b}[2Jof a\\u{a}module's\\u{202e}";
    assert!(text.ends_with(end), "{text}");
}
