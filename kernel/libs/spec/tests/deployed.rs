//! Rules of the settings that come with a function that is deployed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use luge_spec::Route;

fn deployed(path: &str, text: &str) -> Result<Route, String> {
    Route::deployed("gwu", path, "luge-route", text.as_bytes()).map_err(|why| why.to_string())
}

#[test]
fn a_route_that_is_deployed_is_described_by_the_keys_that_are_not_about_the_disk() {
    let plain = deployed("/a", "{}").unwrap();
    assert_eq!(plain, Route::new("/a".into(), plain.module.clone()));
    let text = r#"{"relative-deadline-us": 5, "max-memory": 131072, "environ": {"A": "b"}}"#;
    let route = deployed("/a/b", text).unwrap();
    assert_eq!(
        (route.relative_deadline_us, route.limits.memory),
        (5, 131_072)
    );
    assert_eq!(route.environ, [("A".to_owned(), "b".to_owned())]);
    for (path, text, said) in [
        ("/a", "[]", "luge-route:1:1: route \"/a\" of tenant \"gwu\""),
        ("/a", "{", "luge-route:1:"),
        ("/a", r#"{"path": "x"}"#, "luge-route:1:2: "),
        ("/a", r#"{"folder": "x"}"#, "luge-route:1:2: "),
        ("/a", r#"{"engine": "wasmtime"}"#, "luge-route:1:2: "),
        ("/a", r#"{"max-memory": 1}"#, "131072 to 4294967296, not 1"),
        ("/healthz", "{}", "is one of the host's own pages"),
        ("/admin/functions/x", "{}", "is one of the host's own pages"),
        ("a b", "{}", "a path from"),
    ] {
        let why = deployed(path, text).unwrap_err();
        assert!(why.contains(said), "{path} {text}: {why}");
    }
}

/// An object of so many keys, all of them the same number.
fn keys(count: usize) -> String {
    let keys: Vec<_> = (0..count).map(|key| format!("\"{key}\":\"1\"")).collect();
    format!("{{{}}}", keys.join(","))
}

#[test]
fn settings_have_four_kibibytes_and_128_keys_in_an_object_at_most() {
    let fitting = format!("{{{}}}", " ".repeat(4_094));
    assert!(deployed("/a", &fitting).is_ok());
    let why = deployed("/a", &format!("{fitting} ")).unwrap_err();
    assert_eq!(
        why,
        "luge-route:1:1: 4097 bytes long, and 4096 are the most"
    );
    let environ = |count| format!("{{\"environ\":{}}}", keys(count));
    let route = deployed("/a", &environ(128)).unwrap();
    assert_eq!(route.environ.len(), 128);
    for text in [environ(129), keys(129)] {
        let why = deployed("/a", &text).unwrap_err();
        assert!(why.contains("more than 128 keys"), "{why}");
    }
}

thread_local! {
    /// The largest piece of memory that this thread has asked for since it looked last, in bytes.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, watched.
struct Watched;

#[global_allocator]
static WATCHED: Watched = Watched;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about the block is handed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Whoever deploys does so while guests may hold all memory. The kernel is refused pieces of 16 KiB then, and
/// nothing here can bear that.
#[test]
fn whatever_the_settings_are_no_large_piece_of_memory_is_asked_for() {
    let controls = "\u{1}".repeat(8_000);
    let invisible = "\u{200b}".repeat(1_350);
    let escapes = format!("{{\"environ\":{{\"A\":\"{}\"}}}}", "\\u00e9".repeat(650));
    let unknown = format!("{{\"{invisible}\": 1}}");
    let odd_variable = format!("{{\"environ\":{{\"{invisible}\": 1}}}}");
    let deep = "[".repeat(4_000);
    let (many, more, variables) = (
        keys(128),
        keys(340),
        format!("{{\"environ\":{}}}", keys(128)),
    );
    for path in ["/a", &controls] {
        for text in [
            "{}",
            "[]",
            &escapes,
            &unknown,
            &odd_variable,
            &deep,
            &many,
            &more,
            &variables,
            &controls,
        ] {
            LARGEST.set(0);
            let said = deployed(path, text).map(drop);
            let largest = LARGEST.get();
            assert!(largest < 16 << 10, "{largest} bytes at once: {said:?}");
        }
    }
}
