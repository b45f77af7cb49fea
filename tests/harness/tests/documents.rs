//! What the documents name is there.
//!
//! Read are `README.md` and all of `kernel/docs`. Code changes and documents stay as they are, so whatever of them
//! can be held against the tree is: links, paths, names of tests, the numbers of decisions, and the order of locks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use luge_boot_info::exit::ExitCode;

/// What a name of a file that is ours ends with.
const ENDINGS: [&str; 8] = ["rs", "md", "py", "sh", "toml", "ld", "json", "svg"];

/// A name with so many underscores is one of ours, most often of a test.
const UNDERSCORES: usize = 3;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the harness is in the tree")
}

/// Adds all files below `folder` but what builds leave behind.
fn add_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            if name != "target" && name != ".git" && name != "node_modules" {
                add_files(&path, files);
            }
        } else {
            files.push(path);
        }
    }
}

/// All files of the tree, by their paths from its root.
fn tree() -> Vec<String> {
    let (root, mut files) = (root(), Vec::new());
    add_files(&root, &mut files);
    let of_root = |file: &PathBuf| Some(file.strip_prefix(&root).ok()?.to_str()?.to_owned());
    files.iter().filter_map(of_root).collect()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents: path from the root, and text.
fn documents() -> Vec<(String, String)> {
    let is_document = |path: &String| {
        path == "README.md" || path.starts_with("kernel/docs/") && path.ends_with(".md")
    };
    let paths = tree().into_iter().filter(is_document);
    paths.map(|path| (path.clone(), text(&path))).collect()
}

/// What stands between back quotes, with the number of its line. Blocks of code are not looked at.
fn quoted(text: &str) -> Vec<(usize, &str)> {
    let (mut is_code, mut found) = (false, Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            found.extend(line.split('`').skip(1).step_by(2).map(|it| (number, it)));
        }
    }
    found
}

/// Fails with all of `wrong`, one a line.
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Whether it reads as a path of this tree, and not as a pattern, an address, or what a build makes.
fn is_path(quoted: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let ending = quoted.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_ours = ENDINGS.contains(&ending) || quoted.matches('/').count() > 1;
    let is_other = ["/", "target/", "NAME"]
        .iter()
        .any(|other| quoted.starts_with(other));
    quoted.chars().all(is_plain) && is_ours && !is_other
}

/// What a heading is called in links, as GitHub makes it: lower-case letters, digits, and `-` for blanks.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Whether the document at `path` has a heading of this name.
fn has_heading(path: &Path, name: &str) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor).any(|heading| heading == name)
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let document = root().join(&path);
        let folder = document.parent().expect("a file is in a folder");
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => folder.join(file),
            };
            if !target.exists() || !heading.is_empty() && !has_heading(&target, heading) {
                wrong.push(format!("{path}: {link}"));
            }
        }
    }
    none(wrong);
}

/// A path may begin anywhere: `mm/arena.rs` is one of `kernel/src`.
#[test]
fn every_path_in_a_document_is_one_of_the_tree() {
    let tree: Vec<_> = tree().iter().map(|path| format!("/{path}/")).collect();
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for (line, named) in quoted(&text) {
            let part = format!("/{}/", named.trim_end_matches('/'));
            if is_path(named) && !tree.iter().any(|path| path.contains(&part)) {
                wrong.push(format!("{path}:{line}: {named}"));
            }
        }
    }
    none(wrong);
}

#[test]
fn every_test_and_function_that_a_document_names_is_in_the_code() {
    let code = |path: &String| path.ends_with(".rs") || path.ends_with(".py");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code: Vec<_> = tree().into_iter().filter(code).map(|p| text(&p)).collect();
    let words = |text: &'static str| text.split(|c| !is_word(c));
    let known: BTreeSet<_> = code
        .into_iter()
        .map(String::leak)
        .flat_map(|t| words(t))
        .collect();
    let is_ours = |named: &str| {
        let is_name = named.chars().all(|c| is_word(c) || c == ':') && named.is_ascii();
        let is_number = named.starts_with(|c: char| c.is_ascii_digit());
        is_name && !is_number && (named.contains("::") || named.matches('_').count() >= UNDERSCORES)
    };
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for (line, named) in quoted(&text) {
            let named = named.trim_end_matches("()").trim_end_matches("::*");
            let is_known = |part: &str| part.is_empty() || known.contains(part);
            if is_ours(named) && !named.split(':').all(is_known) {
                wrong.push(format!("{path}:{line}: {named}"));
            }
        }
    }
    none(wrong);
}

/// A number that was given stays: one that came to nothing leaves a gap.
#[test]
fn decisions_have_a_number_each_and_say_why_and_why_not_otherwise() {
    const SECTIONS: [&str; 4] = ["Context", "Decision", "Alternatives", "Consequences"];
    let decisions = documents().into_iter();
    let mut decisions: Vec<_> = decisions
        .filter(|(path, _)| path.contains("/decisions/"))
        .collect();
    decisions.sort();
    assert!(!decisions.is_empty(), "there are decisions");
    let mut last = 0;
    for (path, text) in &decisions {
        let name = path.rsplit('/').next().unwrap_or_default();
        let number = name.split_once('-').map(|(number, _)| number);
        let number = number.filter(|number| number.len() == 4);
        let number: u32 = number.and_then(|n| n.parse().ok()).expect(path);
        assert!(number > last, "{path}: another has its number");
        last = number;
        assert!(text.starts_with(&format!("# {number}. ")), "{path}: title");
        let sections = text.lines().filter_map(|line| line.strip_prefix("## "));
        assert_eq!(sections.collect::<Vec<_>>(), SECTIONS, "{path}");
    }
}

#[test]
fn every_exit_code_stands_in_the_way_of_a_trap() {
    let document = text("kernel/docs/trap-path.md");
    for code in ExitCode::ALL {
        let (status, value) = (code.qemu_status(), code.value());
        let row = format!("\n| {status} | {value:#x} | ");
        assert!(document.contains(&row), "{code:?}: {row}");
    }
}

/// The table of `safety.md` has a row with the file and the name of each.
#[test]
fn every_lock_of_the_kernel_has_its_place_in_the_order() {
    let order = text("kernel/docs/safety.md");
    let (_, order) = order
        .split_once("\n## Locks\n")
        .expect("locks have a section");
    let (order, _) = order.split_once("\n## ").expect("others follow");
    let rows: Vec<_> = order.lines().filter(|line| line.starts_with('|')).collect();
    let mut wrong = Vec::new();
    for path in tree() {
        let Some(file) = path
            .strip_prefix("kernel/src/")
            .filter(|f| f.ends_with(".rs"))
        else {
            continue;
        };
        for lock in text(&path).lines().filter_map(lock_of) {
            let (file, lock) = (format!("`{file}`"), format!("`{lock}`"));
            if !rows
                .iter()
                .any(|row| row.contains(&file) && row.contains(&lock))
            {
                wrong.push(format!("{file} {lock}"));
            }
        }
    }
    none(wrong);
}

/// The name of the static or field that this line declares as a lock.
fn lock_of(line: &str) -> Option<&str> {
    let (before, _) = line
        .split_once(": Lock<")
        .or(line.split_once(": Once<Lock<"))?;
    before.rsplit(' ').next()
}

/// A line of the table of programs as people ship them, as `tests/shipped/run.py --table` writes it.
fn shipped_row(program: &serde_json::Value) -> String {
    let text = |key: &str| {
        program[key]
            .as_str()
            .unwrap_or_else(|| panic!("{program} has no {key}"))
    };
    let outcome = match (text("outcome"), program["interpreter"].as_str()) {
        ("refused", _) => format!("refused: {}", text("reason")),
        (outcome, None) => format!("as the reference: {outcome}"),
        (outcome, Some(why)) => format!("as the reference: {outcome}, in native code alone: {why}"),
    };
    let [name, version, from, package] = ["name", "version", "from", "package"].map(text);
    let bytes = program["bytes"].as_u64().expect("its size is known");
    let size = if bytes >= 1 << 20 {
        format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
    } else {
        format!("{} KiB", (bytes >> 10).max(1))
    };
    format!("| {name} | {version} | {from}: `{package}` | {size} | {outcome} |")
}

#[test]
fn the_table_of_shipped_programs_is_that_of_their_manifest() {
    let manifest = text("tests/shipped/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("it is JSON");
    let programs = manifest["programs"].as_array().expect("it has programs");
    assert!(programs.len() >= 50, "there are {} only", programs.len());
    let page = text("kernel/docs/programs.md");
    let table = page
        .split("<!-- shipped: begin -->")
        .nth(1)
        .expect("the table begins");
    let table = table
        .split("<!-- shipped: end -->")
        .next()
        .expect("the table ends");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    let expected: Vec<String> = programs.iter().map(shipped_row).collect();
    assert_eq!(
        rows, expected,
        "tests/shipped/run.py --table writes it anew"
    );
}

#[test]
fn what_is_wrong_is_found() {
    assert!(
        ["mm/gone.rs", "gone.md", "kernel/src/gone"]
            .into_iter()
            .all(is_path)
    );
    let others = [
        "/admin",
        "target/experiments/a.svg",
        "NAME.json",
        "a b.rs",
        "yes/no",
    ];
    assert!(!others.into_iter().any(is_path));
    let text = "a `b` c\n```\n`not this`\n```\n`d` and `e`\n";
    assert_eq!(quoted(text), [(1, "b"), (5, "d"), (5, "e")]);
    assert_eq!(
        lock_of("static A: Once<Lock<u8>> = Once::new();"),
        Some("A")
    );
    assert_eq!(lock_of("    pub life: Lock<Life>,"), Some("life"));
    assert_eq!(lock_of("fn f(lock: &Lock<u8>) {"), None);
}
