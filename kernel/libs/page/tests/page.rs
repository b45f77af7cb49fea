//! What must hold of the page wherever it is shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use luge_page::{HTML, POLICY};
use sha2::{Digest, Sha256};

/// What stands between two marks that the page has once each.
fn between(start: &str, end: &str) -> &'static str {
    let mut parts = HTML.split(start);
    let (_, rest) = (parts.next(), parts.next().expect(start));
    assert!(parts.next().is_none(), "{start} is there twice");
    rest.split_once(end).expect(end).0
}

#[test]
fn the_policy_lets_exactly_this_style_and_this_script_in() {
    for (directive, text) in [
        ("script-src", between("<script>", "</script>")),
        ("style-src", between("<style>", "</style>")),
    ] {
        let digest = STANDARD.encode(Sha256::digest(text));
        let wanted = format!("{directive} 'sha256-{digest}'");
        assert!(
            POLICY.split("; ").any(|it| it == wanted),
            "{wanted}: {POLICY}"
        );
    }
    assert!(POLICY.starts_with("default-src 'none'; "));
    assert!(!POLICY.contains("unsafe") && !POLICY.contains('*') && !POLICY.contains("http"));
    assert!(
        POLICY.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "a header's value"
    );
}

#[test]
fn nothing_that_is_shown_can_become_markup_or_code() {
    let script = between("<script>", "</script>");
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "srcdoc",
        "eval(",
        "new Function",
        "setAttribute(\"on",
        "setAttribute(\"style",
        "javascript:",
        "import(",
    ] {
        assert!(!script.contains(way), "{way}");
    }
}

#[test]
fn the_page_names_no_other_host_and_has_no_code_outside_its_script() {
    // The name of a vocabulary is no address that anybody asks.
    let text = HTML.replace("http://www.w3.org/2000/svg", "");
    for foreign in [
        "http:", "https:", "url(", "@import", "src=", "<iframe", "<object", "<base",
    ] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    let markup = HTML.replace(between("<script>", "</script>"), "");
    for word in markup.split(|c: char| c.is_whitespace() || c == '<') {
        let is_handler = word.starts_with("on") && word.contains('=');
        assert!(!is_handler && !word.starts_with("style="), "{word}");
    }
}

#[test]
fn every_field_of_the_form_has_a_label() {
    for start in ["<select id=\"", "<input id=\"", "<textarea id=\""] {
        for rest in HTML.split(start).skip(1) {
            let id = rest.split('"').next().expect("an id");
            assert!(HTML.contains(&format!("<label for=\"{id}\"")), "{id}");
        }
    }
}
