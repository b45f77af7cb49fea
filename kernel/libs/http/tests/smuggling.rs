//! Requests whose length two programs could read differently: none is let through.
#![allow(missing_docs)]

mod common;

use common::{only_body, only_refusal, serve, with_headers};

#[test]
fn two_ways_to_tell_the_length_are_refused() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,6\r\n",
    ] {
        assert_eq!(
            only_refusal(&with_headers(headers, "0\r\n\r\n")),
            Some(400),
            "{headers:?}"
        );
    }
}

#[test]
fn a_length_is_digits_and_nothing_else() {
    for value in [
        "", "+5", "-5", "5x", "0x5", "5 5", "5.0", "\u{662}", "five", "1e1", "_5",
    ] {
        let seen = with_headers(&format!("Content-Length: {value}\r\n"), "hello");
        assert_eq!(only_refusal(&seen), Some(400), "{value:?}");
    }
    assert_eq!(
        only_body(&with_headers("Content-Length:005 \r\n", "hello")),
        Some(&b"hello"[..])
    );
}

#[test]
fn chunked_is_the_only_coding_and_the_last() {
    for (value, status) in [
        ("gzip", 501),
        ("gzip, chunked", 501),
        ("identity", 501),
        ("xchunked", 501),
        ("chunked;q=1", 501),
        ("\"chunked\"", 501),
        ("chunked, chunked", 400),
        ("chunked, identity", 400),
        ("chunked,", 400),
        (", chunked", 400),
        ("", 400),
    ] {
        let seen = with_headers(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n");
        assert_eq!(only_refusal(&seen), Some(status), "{value:?}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n";
    assert_eq!(only_refusal(&with_headers(twice, "0\r\n\r\n")), Some(400));
    assert!(
        only_body(&with_headers(
            "tRANSFER-eNCODING:\tChunked \r\n",
            "0\r\n\r\n"
        ))
        .is_some()
    );
}

#[test]
fn disguised_header_names_are_refused_not_overlooked() {
    for headers in [
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "Content-Length\0: 5\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
    ] {
        assert_eq!(
            only_refusal(&with_headers(headers, "0\r\n\r\n")),
            Some(400),
            "{headers:?}"
        );
    }
}

#[test]
fn http_1_0_has_no_chunks() {
    let wire = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(only_refusal(&serve(wire)), Some(400));
}

#[test]
fn after_a_refusal_no_request_is_found_in_what_follows() {
    let seen = with_headers(
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(only_refusal(&seen), Some(400));
}
