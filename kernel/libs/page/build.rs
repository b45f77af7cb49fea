//! Puts the page together out of its parts, and works out by which digests a browser knows its style and script.

use std::{env, fs, path::Path};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The parts of the script, in the order in which they need each other.
const SCRIPTS: [&str; 6] = [
    "metrics.js",
    "words.js",
    "charts.js",
    "tables.js",
    "call.js",
    "page.js",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=page");
    let read = |name: &str| fs::read_to_string(Path::new("page").join(name)).expect(name);
    let scripts = SCRIPTS.map(read).join("\n");
    // What the script declares is nobody else's.
    let script = format!("\"use strict\";\n(() => {{\n{scripts}}})();\n");
    let style = read("style.css");
    let page = read("page.html");
    let page = put(&page, "<style></style>", &format!("<style>{style}</style>"));
    let page = put(
        &page,
        "<script></script>",
        &format!("<script>{script}</script>"),
    );
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        digest(&script),
        digest(&style),
    );
    let folder = env::var("OUT_DIR").expect("cargo says where");
    let folder = Path::new(&folder);
    fs::write(folder.join("page.html"), page).expect("the page is written");
    fs::write(folder.join("policy"), policy).expect("the policy is written");
}

/// Puts `part` where the page has this place once.
fn put(page: &str, place: &str, part: &str) -> String {
    assert_eq!(page.matches(place).count(), 1, "places for {place}");
    page.replace(place, part)
}

/// As Content Security Policy Level 3, "Hash usage for inline scripts", wants it.
fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}
