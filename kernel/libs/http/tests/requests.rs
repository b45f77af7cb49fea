//! Well-formed requests: understood, however they are cut, one after the other.
#![allow(missing_docs)]

mod common;

use common::{Seen, Server, only_body, serve, with_headers};
use luge_http::{Content, Head, Method, Persistence, Version, Wants};

const CONVERSATION: &str = "GET /fib?n=30 HTTP/1.1\r\nHost: luge\r\nAccept: */*\r\n\r\n\
    POST /echo HTTP/1.1\r\nhost: luge:8080\r\nContent-Length: 5\r\n\r\nhello\
    \r\n\
    PUT /echo?a=%31&b=x+y HTTP/1.1\r\nHost: luge\r\nTransfer-Encoding: chunked\r\n\r\n\
    5\r\nhello\r\n1;note=\"x\"\r\n,\r\n00006 \r\n world\r\n0\r\nExpires: never\r\n\r\n\
    HEAD / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n\
    DELETE /x HTTP/1.1\r\nHost:\r\nAuthorization: Bearer t\r\nLuge-Route: {}\r\n\r\n\
    TRACE * HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n";

#[test]
fn a_conversation_is_understood_request_by_request() {
    let seen = serve(CONVERSATION.as_bytes());
    let [
        Seen::Request(fib, none),
        Seen::Request(post, hello),
        Seen::Request(put, world),
        Seen::Request(head, _),
        Seen::Request(delete, _),
        Seen::Request(trace, _),
    ] = &seen[..]
    else {
        panic!("{seen:?}");
    };
    assert_eq!(
        (fib.path.as_str(), &fib.arguments[..]),
        ("/fib", &[String::from("30")][..])
    );
    assert_eq!(
        (&fib.method, fib.version, none.len()),
        (&Method::Get, Version::Http11, 0)
    );
    assert_eq!(
        (&post.method, post.content, &hello[..]),
        (&Method::Post, Content::Length(5), &b"hello"[..])
    );
    assert_eq!(
        (&put.method, put.content, &world[..]),
        (&Method::Put, Content::Chunked, &b"hello, world"[..])
    );
    assert_eq!(put.arguments, ["1", "x y"]);
    assert_eq!(
        (&head.method, head.version),
        (&Method::Head, Version::Http10)
    );
    assert_eq!(head.persistence, Persistence::KeepAlive);
    assert_eq!(delete.method, Method::Delete);
    assert_eq!(delete.authorization.as_deref(), Some(&b"Bearer t"[..]));
    assert_eq!(delete.route_settings.as_deref(), Some(&b"{}"[..]));
    assert_eq!((&head.authorization, &head.route_settings), (&None, &None));
    assert_eq!(trace.method, Method::Other("TRACE".into()));
    assert_eq!(trace.persistence, Persistence::Close);
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    let whole = serve(CONVERSATION.as_bytes());
    for cut in 0..=CONVERSATION.len() {
        let (first, second) = CONVERSATION.as_bytes().split_at(cut);
        let mut server = Server::new();
        server.receive(first, 0);
        server.receive(second, 1);
        assert_eq!(server.seen, whole, "cut at {cut}");
    }
}

#[test]
fn single_bytes_are_as_good_as_one_piece() {
    let mut server = Server::new();
    for byte in CONVERSATION.as_bytes() {
        server.receive(&[*byte], 0);
    }
    assert_eq!(server.seen, serve(CONVERSATION.as_bytes()));
}

#[test]
fn a_client_that_waits_for_continue_gets_it_before_the_body() {
    let seen = with_headers("Expect: 100-Continue\r\nContent-Length: 2\r\n", "hi");
    assert!(matches!(&seen[..], [Seen::Continue, Seen::Request(_, body)] if body == b"hi"));
    let seen = with_headers("Expect: 100-continue\r\nContent-Length: 0\r\n", "");
    assert_eq!(
        only_body(&seen),
        Some(&b""[..]),
        "no body, nothing to wait for"
    );
    let seen = serve(b"POST /e HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(
        only_body(&seen),
        Some(&b"x"[..]),
        "HTTP/1.0 knows no interim responses"
    );
}

#[test]
fn a_connection_is_kept_or_closed_as_the_version_says() {
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Persistence::KeepAlive),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n",
            Persistence::Close,
        ),
        ("GET / HTTP/1.0\r\n\r\n", Persistence::Close),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            Persistence::KeepAlive,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            Persistence::Close,
        ),
    ] {
        let seen = serve(request.as_bytes());
        assert!(
            matches!(&seen[..], [Seen::Request(head, _)] if head.persistence == expected),
            "{request:?}: {seen:?}"
        );
    }
}

#[test]
fn bytes_beyond_the_request_are_left_until_it_is_answered() {
    let mut connection = <luge_http::Connection>::new(luge_http::Limits::default(), 0);
    let one = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let two = [&one[..], one].concat();
    assert_eq!(connection.receive(&two, 0).taken, one.len());
    assert_eq!(
        connection.receive(&two[one.len()..], 0).taken,
        0,
        "a decision is due"
    );
    assert_eq!(connection.decline(), Persistence::KeepAlive);
    assert_eq!(
        connection.receive(&two[one.len()..], 0).taken,
        0,
        "an answer is due"
    );
    connection.finish(0);
    assert_eq!(connection.receive(&two[one.len()..], 0).taken, one.len());
}

#[test]
fn the_longest_request_line_and_the_most_headers_that_are_allowed_pass() {
    let line = format!("GET /{} HTTP/1.1", "a".repeat(8192 - 14));
    assert_eq!(line.len(), 8192);
    assert!(only_body(&serve(format!("{line}\r\nHost: h\r\n\r\n").as_bytes())).is_some());
    let headers = "X: y\r\n".repeat(63);
    assert!(
        only_body(&serve(
            format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes()
        ))
        .is_some()
    );
}

#[test]
fn a_body_of_known_length_ends_in_memory_of_that_length() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    for piece in [1, 3, 7, 64, 999, 1_000] {
        let mut server = Server::new();
        server.receive(head, 0);
        for bytes in [b'x'; 1_000].chunks(piece) {
            assert!(server.connection.body_bytes() <= 1_000);
            server.receive(bytes, 0);
        }
        let Some(Seen::Request(_, body)) = server.seen.pop() else {
            panic!("{:?}", server.seen);
        };
        assert_eq!(
            (body.len(), body.capacity()),
            (1_000, 1_000),
            "{piece} at once"
        );
    }
}

#[test]
fn html_is_wanted_where_accept_names_it_and_nowhere_else() {
    for (accept, wants) in [
        ("Accept: text/html\r\n", Wants::Html),
        ("accept: TEXT/HTML;level=1;q=0.4 , */*\r\n", Wants::Html),
        (
            "Accept: application/xml\r\nAccept: text/plain,text/html\r\n",
            Wants::Html,
        ),
        ("", Wants::Anything),
        ("Accept: */*\r\n", Wants::Anything),
        ("Accept: text/*\r\n", Wants::Anything),
        ("Accept: text/html;q=0\r\n", Wants::Anything),
        ("Accept: text/html ; Q=0.00\r\n", Wants::Anything),
        ("Accept: text/htmlx, xtext/html\r\n", Wants::Anything),
        ("Accept-Language: text/html\r\n", Wants::Anything),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: luge\r\n{accept}\r\n");
        let seen = serve(request.as_bytes());
        let [Seen::Request(head, _)] = &seen[..] else {
            panic!("{seen:?}");
        };
        assert_eq!(head.wants, wants, "{accept}");
    }
}

/// The head of the only request in `wire`.
fn head_of(wire: &str) -> Head {
    match &serve(wire.as_bytes())[..] {
        [Seen::Request(head, _)] => head.clone(),
        seen => panic!("{seen:?}"),
    }
}

#[test]
fn a_path_tells_whether_a_proxy_has_seen_the_same() {
    for (target, path, is_literal) in [
        ("/logs", "/logs", true),
        ("/%6cogs", "/logs", false),
        ("/admin%2Ffunctions", "/admin/functions", false),
        ("/logs?%6c", "/logs", true),
        ("/%2Flogs%2F", "//logs/", false),
    ] {
        let head = head_of(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((&*head.path, head.path_is_literal()), (path, is_literal));
    }
}

#[test]
fn a_host_that_anybody_may_lead_here_is_told_from_others() {
    for (host, name) in [
        ("evil.example", Some("evil.example")),
        ("evil.example:8080", Some("evil.example")),
        ("luge", Some("luge")),
        ("127.0.0.1.evil.example", Some("127.0.0.1.evil.example")),
        ("localhost.evil.example", Some("localhost.evil.example")),
        ("localhost", None),
        ("LocalHost:8080", None),
        ("luge.localhost", None),
        ("127.0.0.1:8080", None),
        ("10.0.2.15", None),
        ("[::1]:8080", None),
        ("", None),
    ] {
        let head = head_of(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(head.host_name.as_deref(), name, "{host}");
    }
}

#[test]
fn options_may_ask_about_a_path_or_about_all() {
    for (target, path) in [("/fib", "/fib"), ("*", "*")] {
        let head = head_of(&format!("OPTIONS {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((head.method, &*head.path), (Method::Options, path));
    }
}
