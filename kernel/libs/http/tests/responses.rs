//! Response heads as they go on the wire.
#![allow(missing_docs)]

use luge_http::{
    Date, Framing, Persistence, Response, ServerTiming, Status, continue_line, last_chunk,
};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("heads are ASCII here")
}

#[test]
fn a_function_s_answer_says_outcome_and_times() {
    let response = Response {
        content_type: "application/json",
        outcome: Some(&"exit 0"),
        timing: Some(ServerTiming {
            queue_ns: 12_999,
            run_ns: 1_002_003_000,
        }),
        date: Some(Date::from_unix_s(784_111_777)),
        ..Response::text(Status::Ok, 12)
    };
    assert_eq!(
        text(response.encode(0)),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\
         Connection: keep-alive\r\nluge-outcome: exit 0\r\n\
         Server-Timing: queue;dur=0.012, run;dur=1002.003\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    );
}

#[test]
fn refusals_carry_what_their_status_demands() {
    let response = Response {
        allow: Some("GET, HEAD"),
        retry_after_s: Some(1),
        persistence: Persistence::Close,
        ..Response::text(Status::MethodNotAllowed, 0)
    };
    assert_eq!(
        text(response.encode(0)),
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 0\r\nConnection: close\r\nAllow: GET, HEAD\r\nRetry-After: 1\r\n\r\n"
    );
}

#[test]
fn a_streamed_answer_says_its_outcome_in_the_trailers() {
    let timing = ServerTiming {
        queue_ns: 0,
        run_ns: 5_000_000,
    };
    let response = Response {
        framing: Framing::Chunked,
        outcome: Some(&"exit 0"),
        timing: Some(timing),
        ..Response::text(Status::Ok, 0)
    };
    assert_eq!(
        text(response.encode(0)),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\
         Trailer: luge-outcome, Server-Timing\r\nConnection: keep-alive\r\n\r\n"
    );
    assert_eq!(
        text(Response::end_of_chunks(&"exit 0", timing)),
        "0\r\nluge-outcome: exit 0\r\nServer-Timing: queue;dur=0.000, run;dur=5.000\r\n\r\n"
    );
}

#[test]
fn a_body_until_close_has_no_length() {
    let response = Response {
        framing: Framing::UntilClose,
        ..Response::text(Status::Ok, 0)
    };
    assert!(!text(response.encode(0)).contains("Length"));
}

#[test]
fn a_content_type_cannot_add_headers() {
    let response = Response {
        content_type: "a\r\nX: y",
        ..Response::text(Status::Ok, 0)
    };
    assert!(text(response.encode(0)).contains("Content-Type: a  X: y\r\n"));
}

#[test]
fn the_interim_response_is_a_status_line_alone() {
    assert_eq!(continue_line(), b"HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn a_page_in_parts_promises_no_trailers_and_brings_none() {
    let response = Response {
        framing: Framing::ChunkedAlone,
        ..Response::text(Status::Ok, 0)
    };
    assert_eq!(
        text(response.encode(0)),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\
         Connection: keep-alive\r\n\r\n"
    );
    assert_eq!(last_chunk(), b"0\r\n\r\n");
}

#[test]
fn a_page_goes_with_its_policy_and_is_not_kept() {
    let response = Response {
        policy: Some("default-src 'none'\r\nx: y"),
        ..Response::text(Status::Ok, 3)
    };
    assert_eq!(
        text(response.encode(0)),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
         Connection: keep-alive\r\nContent-Security-Policy: default-src 'none'  x: y\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Cache-Control: no-store\r\nVary: Accept\r\n\r\n"
    );
}
