//! No test depends on how fast the host is.
//!
//! A host that is busy with something else makes everything take longer, and some things more than others. So tests
//! wait for conditions, and measure in the machine's time (`tests/README.md`). Where one looks at the host's clock all
//! the same, a comment that begins with the words `Host's time` says why that makes no difference.

use std::fs;
use std::path::{Path, PathBuf};

/// What looks at the host's clock, waits for it, or gives up by it.
const CLOCKS: [&str; 8] = [
    "Instant::now",
    "SystemTime::now",
    ".elapsed()",
    "sleep(",
    "recv_timeout(",
    "wait_timeout",
    "park_timeout(",
    "_timeout(Some",
];
/// What a comment says where that is right, and in how many lines above it may stand.
const REASON: &str = "Host's time";
const ABOVE: usize = 4;

/// Where tests are, from the top of the tree.
const TESTS: [&str; 6] = [
    "tests/scenarios",
    "tests/harness",
    "tests/bench",
    "tests/spec",
    "kernel/libs",
    "boot",
];

/// Adds the sources below `folder`.
fn add_sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            add_sources(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Whether a file has tests in it, or is what tests are made of; the other sources of `boot` and `kernel/libs` are the
/// product's.
fn is_of_tests(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.starts_with("tests/") || text.contains("/tests/") || text.ends_with("/tests.rs")
}

/// The numbers of the lines that look at a clock and do not say why.
fn unexplained(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let is_clock = |line: &str| {
        let code = line.split("//").next().unwrap_or(line);
        !code.trim_start().starts_with("fn ") && CLOCKS.iter().any(|clock| code.contains(clock))
    };
    let is_explained = |at: usize| {
        let near = &lines[at.saturating_sub(ABOVE)..=at];
        near.iter().any(|line| line.contains(REASON))
    };
    let found = (0..lines.len()).filter(|&at| is_clock(lines[at]) && !is_explained(at));
    found.map(|at| at + 1).collect()
}

#[test]
fn whoever_looks_at_the_hosts_clock_says_why_that_makes_no_difference() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the harness is in the tree");
    let mut files = Vec::new();
    for folder in TESTS {
        add_sources(&root.join(folder), &mut files);
    }
    let in_tree = |file: &PathBuf| file.strip_prefix(&root).map(Path::to_path_buf);
    let mut files: Vec<_> = files.iter().flat_map(in_tree).collect();
    files.retain(|file| is_of_tests(file) && !file.ends_with("host_time.rs"));
    assert!(files.len() > 100, "only {} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(root.join(&file)).expect("a source is text");
        let file = file.display();
        wrong.extend(
            unexplained(&text)
                .iter()
                .map(|line| format!("{file}:{line}")),
        );
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_look_at_the_clock_without_a_reason_is_found() {
    for clock in [
        "    let end = Instant::now() + PATIENCE;",
        "    std::thread::sleep(Duration::from_secs(1)); // a while",
        "    assert!(begun.elapsed() < SOON);",
        "    stream.set_read_timeout(Some(LIMIT))?;",
    ] {
        assert_eq!(unexplained(clock), [1], "{clock}");
        let explained = format!("    // Host's time: files have times in seconds.\n{clock}");
        assert!(unexplained(&explained).is_empty(), "{explained}");
        let far = format!("    // Host's time: of another.\n\n\n\n\n{clock}");
        assert_eq!(unexplained(&far), [6], "{far}");
    }
    assert!(unexplained("// It does not sleep(), whatever\n").is_empty());
}
