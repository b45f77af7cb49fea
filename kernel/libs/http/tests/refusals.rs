//! Requests that are refused: with which status, and how soon.
#![allow(missing_docs)]

mod common;

use common::{BODY_LIMIT, Seen, Server, only_body, only_refusal, serve, with_headers};
use luge_http::{Connection, Event, Expired, Limits, Persistence, Refusal, Yields};

const SECOND_NS: u64 = 1_000_000_000;

fn refused(wire: &str) -> u16 {
    let seen = serve(wire.as_bytes());
    only_refusal(&seen).unwrap_or_else(|| panic!("{wire:?} gave {seen:?}"))
}

#[test]
fn malformed_heads_are_bad_requests() {
    for wire in [
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTX/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET fib HTTP/1.1\r\nHost: h\r\n\r\n",
        "\0",
        "\x16\x03\x01",
    ] {
        assert_eq!(refused(wire), 400, "{wire:?}");
    }
}

#[test]
fn a_request_has_exactly_one_host() {
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
}

#[test]
fn garbage_is_refused_before_its_line_ends() {
    assert_eq!(only_refusal(&serve(b"\x80\x81")), Some(400));
    assert_eq!(only_refusal(&serve(b"GET / HT\x01")), Some(400));
}

#[test]
fn versions_that_are_not_spoken_are_told_so() {
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.1"] {
        assert_eq!(refused(&format!("GET / {version}\r\nHost: h\r\n\r\n")), 505);
    }
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

#[test]
fn heads_that_are_too_large_are_refused_as_soon_as_they_are() {
    let line = format!("GET /{}", "a".repeat(9_000));
    assert_eq!(refused(&line), 414);
    let headers = format!(
        "GET / HTTP/1.1\r\nHost: h\r\n{}",
        "X: yyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(700)
    );
    assert_eq!(refused(&headers), 431);
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(64));
    assert_eq!(refused(&many), 431);
}

#[test]
fn a_query_of_more_values_than_a_function_may_have_is_too_long() {
    let request = |values: usize| {
        let query = "a&".repeat(values);
        format!("GET /?{query} HTTP/1.1\r\nHost: h\r\n\r\n")
    };
    assert_eq!(only_refusal(&serve(request(256).as_bytes())), None);
    assert_eq!(refused(&request(257)), 414);
}

#[test]
fn an_expectation_that_nobody_knows_fails() {
    assert_eq!(
        only_refusal(&with_headers("Expect: tea\r\n", "")),
        Some(417)
    );
}

#[test]
fn a_body_above_the_limit_is_refused_at_its_announcement() {
    let at_limit = "x".repeat(BODY_LIMIT as usize);
    assert_eq!(
        only_body(&with_headers("Content-Length: 1000\r\n", &at_limit)),
        Some(at_limit.as_bytes())
    );
    for length in [
        "1001",
        "4294967296",
        "18446744073709551616",
        "999999999999999999999999999",
    ] {
        assert_eq!(
            only_refusal(&with_headers(&format!("Content-Length: {length}\r\n"), "")),
            Some(413)
        );
    }
    assert_eq!(
        Refusal::body_beyond(1000).to_string(),
        "413 Content Too Large: the body is larger than allowed: 1000 bytes are the most"
    );
    let chunked = |rest: &str| with_headers("Transfer-Encoding: chunked\r\n", rest);
    assert!(only_body(&chunked(&format!("3e8\r\n{at_limit}\r\n0\r\n\r\n"))).is_some());
    assert_eq!(only_refusal(&chunked("3e9\r\n")), Some(413));
    assert_eq!(only_refusal(&chunked("ffffffffffffffff\r\n")), Some(413));
    assert_eq!(
        only_refusal(&chunked(&format!("3e8\r\n{at_limit}\r\n1\r\n"))),
        Some(413)
    );
}

#[test]
fn malformed_chunks_are_bad_requests() {
    for rest in [
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "-1\r\n",
        "0x5\r\n",
        "5 5\r\nhello\r\n",
        "5\nhello",
        "5\r\r\n",
        "5\r\nhello!\r\n",
        "5\r\nhello\n",
        "5\r\nhello0\r\n",
        "00000000000000005\r\n",
        "5;a\0\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n\rX",
        "0\r\nX: \x01\r\n\r\n",
    ] {
        let seen = with_headers("Transfer-Encoding: chunked\r\n", rest);
        assert_eq!(only_refusal(&seen), Some(400), "{rest:?} gave {seen:?}");
    }
}

#[test]
fn framing_without_end_is_refused() {
    let chunked = |rest: &str| only_refusal(&with_headers("Transfer-Encoding: chunked\r\n", rest));
    assert_eq!(
        chunked(&format!("5;{}", "a".repeat(300))),
        Some(400),
        "a long extension"
    );
    assert_eq!(
        chunked(&format!("5{}", " ".repeat(300))),
        Some(400),
        "a long blank"
    );
    let chunk = format!("1;{}\r\nx\r\n", "a".repeat(200));
    assert_eq!(chunked(&chunk.repeat(200)), Some(400), "many extensions");
    assert_eq!(
        chunked(&format!("0\r\n{}", "X: y\r\n".repeat(4_000))),
        Some(431),
        "many trailers"
    );
}

#[test]
fn a_refused_connection_swallows_whatever_else_comes() {
    let mut server = Server::new();
    server.receive(b"nonsense\n", 0);
    server.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0);
    assert_eq!(server.seen, [Seen::Refused(400)]);
    assert_eq!(server.connection.deadline_ns(), None);
}

#[test]
fn declining_a_request_whose_body_is_to_come_closes_the_connection() {
    for (framing, expected) in [
        ("Content-Length: 0\r\n", Persistence::KeepAlive),
        ("Content-Length: 3\r\n", Persistence::Close),
        ("Transfer-Encoding: chunked\r\n", Persistence::Close),
    ] {
        let mut connection = <Connection>::new(Limits::default(), 0);
        let wire = format!("POST /nowhere HTTP/1.1\r\nHost: h\r\n{framing}\r\n");
        assert!(matches!(
            connection.receive(wire.as_bytes(), 0).event,
            Some(Event::Head(_))
        ));
        assert_eq!(connection.decline(), expected);
    }
}

#[test]
fn a_head_that_drips_is_timed_from_its_first_byte() {
    let mut server = Server::new();
    server.receive(b"GET / HT", 5 * SECOND_NS);
    server.receive(b"TP/1.1\r\n", 14 * SECOND_NS);
    assert_eq!(server.connection.expire(15 * SECOND_NS - 1), None);
    assert_expired(&mut server, 15 * SECOND_NS, 408);
}

/// A rate at which [`BODY_LIMIT`] takes some time.
const RATE: u64 = 10;

fn posting(bytes: u64) -> Server {
    let mut server = Server::new();
    let limits = Limits {
        body_rate: RATE,
        ..Limits::default()
    };
    server.connection = <Connection>::new(limits, 0);
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {bytes}\r\n\r\n");
    server.receive(head.as_bytes(), 0);
    server
}

#[test]
fn a_body_may_take_long_but_not_pause_long() {
    let mut server = posting(BODY_LIMIT);
    let piece = [b'x'; 29 * RATE as usize];
    for second in [29, 58, 87] {
        assert_eq!(server.connection.expire(second * SECOND_NS), None);
        server.receive(&piece, second * SECOND_NS);
    }
    assert_expired(&mut server, 117 * SECOND_NS, 408);
}

#[test]
fn a_body_that_drips_is_given_up_at_the_least_rate() {
    let mut server = posting(9);
    for second in [5, 10, 15, 20, 25] {
        assert_eq!(server.connection.expire(second * SECOND_NS), None);
        server.receive(b"x", second * SECOND_NS);
    }
    assert_expired(&mut server, 30 * SECOND_NS + SECOND_NS / 2, 408);
}

#[test]
fn a_body_has_an_end_in_time_however_it_comes() {
    let mut server = posting(BODY_LIMIT);
    let end_s = 30 + BODY_LIMIT / RATE;
    let (mut second, mut sent) = (0, 0);
    while server.connection.expire(second * SECOND_NS).is_none() {
        assert!(
            second <= end_s,
            "it goes on after {second} s, with {sent} bytes"
        );
        // Just as much as the rate asks for, and never all of it.
        let bytes = RATE.min(BODY_LIMIT - 1 - sent);
        server.receive(&vec![b'x'; bytes as usize], second * SECOND_NS);
        sent += bytes;
        second += 1;
    }
    assert_eq!(sent, BODY_LIMIT - 1);
}

#[test]
fn empty_lines_before_a_request_have_an_end_in_number_and_in_time() {
    assert_eq!(refused(&"\r\n".repeat(9)), 400);
    let mut server = Server::new();
    server.receive(b"\r", SECOND_NS);
    // Neither an idle connection nor a head that has just begun.
    for second in [4, 7, 10] {
        assert_eq!(server.connection.expire(second * SECOND_NS), None);
        server.receive(b"\n\r", second * SECOND_NS);
    }
    assert_expired(&mut server, 11 * SECOND_NS, 408);
}

#[test]
fn an_empty_line_after_a_body_leaves_the_connection_idle() {
    let mut server = Server::new();
    server.receive(b"\r\n", 0);
    assert!(server.connection.is_idle());
    assert_eq!(server.connection.deadline_ns(), Some(75 * SECOND_NS));
}

#[test]
fn a_burst_earns_no_more_than_a_pause() {
    let mut server = posting(BODY_LIMIT);
    server.receive(&[b'x'; 900], SECOND_NS);
    server.receive(b"x", 20 * SECOND_NS);
    assert_expired(&mut server, 31 * SECOND_NS + SECOND_NS / 5, 408);
}

#[test]
fn who_has_been_slow_or_idle_for_longest_has_least_time_left() {
    let mut server = posting(BODY_LIMIT);
    let yields = |server: &Server, now_ns| server.connection.yields(now_ns);
    let not_slow_yet = SECOND_NS / 4 - 1;
    assert_eq!(yields(&server, not_slow_yet), None, "so far it is not slow");
    let slow = |seconds| Some(Yields::Slow(seconds * SECOND_NS));
    assert_eq!(yields(&server, 3 * SECOND_NS), slow(27));
    server.receive(&[b'x'; RATE as usize], 3 * SECOND_NS);
    assert_eq!(yields(&server, 3 * SECOND_NS), slow(28));
    let mut server = Server::new();
    let fresh = |left_ns| Some(Yields::Fresh(left_ns));
    let idle_ns = Limits::default().idle_time_ns;
    assert_eq!(yields(&server, not_slow_yet), fresh(idle_ns - not_slow_yet));
    let idle = Some(Yields::Idle(idle_ns - 9 * SECOND_NS));
    assert_eq!(yields(&server, 9 * SECOND_NS), idle, "nothing has come");
    server.receive(b"GET ", 9 * SECOND_NS);
    assert_eq!(yields(&server, 9 * SECOND_NS), fresh(10 * SECOND_NS));
    assert_eq!(yields(&server, 11 * SECOND_NS), slow(8));
    assert_eq!(server.connection.give_up().status.code(), 408);
    assert_eq!(yields(&server, 12 * SECOND_NS), None, "it is over");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let mut server = Server::new();
    assert_eq!(server.connection.deadline_ns(), Some(75 * SECOND_NS));
    server.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 7 * SECOND_NS);
    assert_eq!(server.connection.deadline_ns(), Some(82 * SECOND_NS));
    assert_eq!(
        server.connection.expire(82 * SECOND_NS),
        Some(Expired::Idle)
    );
    assert_eq!(server.connection.expire(83 * SECOND_NS), None, "said once");
}

#[test]
fn a_request_that_is_being_served_does_not_expire() {
    let mut connection = <Connection>::new(Limits::default(), 0);
    let _ = connection.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0);
    let _ = connection.accept(0, 0);
    assert_eq!(connection.expire(u64::MAX), None);
}

fn assert_expired(server: &mut Server, now_ns: u64, status: u16) {
    match server.connection.expire(now_ns) {
        Some(Expired::Refused(refusal)) => assert_eq!(refusal.status.code(), status),
        other => panic!("{other:?}"),
    }
}
