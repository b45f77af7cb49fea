//! HTTP as people and machines misuse it, and as they use it.

use std::thread;

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Raw, status_of};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine, golden};

scenarios![
    a_mebibyte_is_echoed_byte_for_byte,
    a_mebibyte_in_chunks_is_echoed_byte_for_byte,
    a_body_above_the_limit_is_413,
    a_body_in_chunks_above_the_limit_is_413,
    an_unknown_path_is_404,
    an_unknown_method_is_405_and_says_what_is_allowed,
    what_is_no_request_is_400,
    a_request_that_never_ends_is_408,
    a_head_above_the_limit_is_431,
    the_same_connection_serves_many_requests,
    sixty_four_connections_are_served_at_once,
    the_host_answers_for_its_health_and_lists_its_routes,
    a_response_says_how_long_it_waited_and_ran,
    no_answer_to_head_has_a_body_whoever_it_is_from,
    a_load_balancer_that_asks_for_options_finds_the_machine,
    pages_of_the_host_have_no_other_spelling,
    a_browser_that_knows_the_machine_by_a_strange_name_gets_no_page_of_the_operators,
];

const MEBIBYTE: usize = 1 << 20;

/// A body without a pattern that a lost or doubled packet could hide in.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// A machine that serves the examples.
fn examples(lab: &Lab) -> Result<Machine> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    lab.serve(&Boot::new(Kernel::Product).disk(disk))
}

/// Sends bytes as they are and returns the status that comes back.
fn status_for(machine: &Machine, request: impl AsRef<[u8]>) -> Result<u16> {
    let mut raw = Raw::connect(machine.port())?;
    raw.send(request)?;
    status_of(&raw.read_head()?)
}

fn a_mebibyte_is_echoed_byte_for_byte(lab: &Lab) -> Result<()> {
    let body = noise(MEBIBYTE);
    examples(lab)?.client().post("/echo", &body)?.expect(&body)
}

fn a_mebibyte_in_chunks_is_echoed_byte_for_byte(lab: &Lab) -> Result<()> {
    let body = noise(MEBIBYTE);
    examples(lab)?
        .client()
        .post_chunked("/echo", &body)?
        .expect(&body)
}

fn a_body_above_the_limit_is_413(lab: &Lab) -> Result<()> {
    let head = "POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 99999999999\r\n\r\n";
    let status = status_for(&examples(lab)?, head)?;
    ensure!(status == 413, "status {status}");
    Ok(())
}

fn a_body_in_chunks_above_the_limit_is_413(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("POST /echo HTTP/1.1\r\nhost: luge\r\ntransfer-encoding: chunked\r\n\r\n")?;
    raw.send("7fffffff\r\n")?;
    let status = status_of(&raw.read_head()?)?;
    ensure!(status == 413, "status {status}");
    Ok(())
}

fn an_unknown_path_is_404(lab: &Lab) -> Result<()> {
    let client = examples(lab)?;
    let client = client.client();
    client.get("/no-such-function")?.expect_status(404)?;
    client.get("/fib/../../etc/passwd")?.expect_status(404)?;
    client.get("/fibonacci")?.expect_status(404)
}

fn an_unknown_method_is_405_and_says_what_is_allowed(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("DELETE /fib HTTP/1.1\r\nhost: luge\r\n\r\n")?;
    let head = raw.read_head()?;
    ensure!(status_of(&head)? == 405, "{head}");
    ensure!(
        head.to_ascii_lowercase().contains("\r\nallow: "),
        "what is allowed is not said: {head}"
    );
    Ok(())
}

fn what_is_no_request_is_400(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let requests: [&[u8]; 6] = [
        b"hello there\r\n\r\n",
        b"GET /fib HTTP/1.1\r\n\r\n",
        b"GET /fib HTTP/1.1\r\nhost luge\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: two\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: luge\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ];
    for request in requests {
        let status = status_for(&machine, request)?;
        ensure!(
            status == 400,
            "status {status} for {:?}",
            String::from_utf8_lossy(request)
        );
    }
    machine.client().get("/fib?n=10")?.expect("55\n")
}

fn a_request_that_never_ends_is_408(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("GET /fib HTTP/1.1\r\nhost: ")?;
    let answer = raw.read_to_end()?;
    ensure!(status_of(&answer)? == 408, "{answer}");
    Ok(())
}

fn a_head_above_the_limit_is_431(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    raw.send("GET /fib HTTP/1.1\r\nhost: luge\r\n")?;
    // The machine may answer and close while this is still being sent.
    let _ = raw.send(format!("x-much: {}\r\n\r\n", "a".repeat(100_000)));
    let head = raw.read_head()?;
    ensure!(status_of(&head)? == 431, "{head}");
    Ok(())
}

fn the_same_connection_serves_many_requests(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let mut raw = Raw::connect(machine.port())?;
    for turn in 0..20 {
        raw.send("GET /empty HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        let head = raw.read_head().with_context(|| format!("turn {turn}"))?;
        ensure!(status_of(&head)? == 200, "turn {turn}: {head}");
        ensure!(
            head.to_ascii_lowercase().contains("content-length: 0\r\n"),
            "turn {turn}: {head}"
        );
    }
    Ok(())
}

/// With admission, a host that is too slow for sixty-four by their deadline would say so.
fn sixty_four_connections_are_served_at_once(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.append("admission=off"))?;
    let mut open = Vec::new();
    // One after the other: QEMU's forwarding has a short queue of its own for new connections.
    for _ in 0..64 {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(
            "POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 4\r\nconnection: close\r\n\r\n",
        )?;
        open.push(raw);
    }
    let waiting: Vec<_> = open
        .into_iter()
        .map(|mut raw| {
            thread::spawn(move || -> Result<String> {
                raw.send("luge")?;
                raw.read_to_end()
            })
        })
        .collect();
    for (number, thread) in waiting.into_iter().enumerate() {
        let answer = thread.join().ok().context("a client's thread")??;
        ensure!(
            status_of(&answer)? == 200 && answer.contains("luge"),
            "connection {number}: {answer}"
        );
    }
    Ok(())
}

fn the_host_answers_for_its_health_and_lists_its_routes(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    let client = machine.client();
    client.get("/healthz")?.expect_status(200)?;
    client.get("/readyz")?.expect_status(200)?;
    let table = client.get("/")?;
    table.expect_status(200)?;
    golden::check("routes", &table.text())
}

fn a_response_says_how_long_it_waited_and_ran(lab: &Lab) -> Result<()> {
    let response = examples(lab)?.client().get("/fib?n=20")?;
    response.expect("6765\n")?;
    let timing = response
        .header("server-timing")
        .context("no Server-Timing")?;
    ensure!(
        timing.contains("queue;dur=") && timing.contains("run;dur="),
        "Server-Timing: {timing}"
    );
    Ok(())
}

/// Each answer would garble the next if it had one.
fn no_answer_to_head_has_a_body_whoever_it_is_from(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let token = "a-token-of-the-scenarios";
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.append(&format!("admin_token={token}")))?;
    let mut raw = Raw::connect(machine.port())?;
    let bearer = format!("authorization: Bearer {token}\r\n");
    for (path, fields, status) in [
        ("/empty", "", 200),
        ("/healthz", "", 200),
        ("/metrics", "", 200),
        ("/records?x", "", 400),
        ("/nowhere", "", 404),
        ("/admin/functions", "", 401),
        ("/admin/functions", &*bearer, 200),
        ("/admin/functions/x", &*bearer, 405),
    ] {
        raw.send(format!(
            "HEAD {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}\r\n"
        ))?;
        let head = raw.read_head()?;
        ensure!(status_of(&head)? == status, "{path}: {head}");
    }
    raw.send("GET /fib?n=10 HTTP/1.1\r\nhost: luge\r\nconnection: close\r\n\r\n")?;
    let answer = raw.read_to_end()?;
    ensure!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    ensure!(answer.ends_with("\r\n\r\n55\n"), "{answer}");
    Ok(())
}

/// HAProxy's `option httpchk` asks so by itself, and takes every 2xx and 3xx for a good answer.
fn a_load_balancer_that_asks_for_options_finds_the_machine(lab: &Lab) -> Result<()> {
    let machine = examples(lab)?;
    for (line, status) in [
        ("OPTIONS / HTTP/1.0", 200),
        ("OPTIONS * HTTP/1.0", 200),
        ("OPTIONS /fib HTTP/1.0", 200),
        ("OPTIONS /nowhere HTTP/1.0", 404),
        ("TRACE / HTTP/1.0", 405),
    ] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(format!("{line}\r\n\r\n"))?;
        let answer = raw.read_to_end()?;
        ensure!(status_of(&answer)? == status, "{line}: {answer}");
        ensure!(
            status == 404 || answer.contains("\r\nAllow: GET, HEAD"),
            "{line}: {answer}"
        );
    }
    Ok(())
}

/// A proxy that lets nobody ask for `/logs` has not seen it in `/%6cogs`.
fn pages_of_the_host_have_no_other_spelling(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.append("admin_token=a-token-of-the-scenarios"))?;
    for (target, status) in [
        ("/logs", 200),
        ("/%6cogs", 404),
        ("/%6Detrics", 404),
        ("/admin/functions", 401),
        ("/%61dmin/functions", 404),
        ("/admin%2Ffunctions", 404),
        // Functions may be asked for as the standard allows.
        ("/%66ib?10", 200),
    ] {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(format!("GET {target} HTTP/1.0\r\n\r\n"))?;
        let answer = raw.read_to_end()?;
        ensure!(status_of(&answer)? == status, "{target}: {answer}");
    }
    Ok(())
}

/// Whoever owns a name says where it leads: a site may lead its own to this machine, and is the same origin then.
fn a_browser_that_knows_the_machine_by_a_strange_name_gets_no_page_of_the_operators(
    lab: &Lab,
) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.append("operator_hosts=luge.example,other.example"))?;
    let expect = |host: &str, path: &str, status: u16| {
        let mut raw = Raw::connect(machine.port())?;
        raw.send(format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ))?;
        let answer = raw.read_to_end()?;
        ensure!(status_of(&answer)? == status, "{path} of {host}: {answer}");
        anyhow::Ok(answer)
    };
    for path in ["/logs", "/records", "/faults", "/trace", "/metrics", "/"] {
        let answer = expect("evil.example", path, 421)?;
        ensure!(answer.contains("operator_hosts=evil.example"), "{answer}");
        for host in [
            "luge.example:8080",
            "OTHER.example",
            "localhost",
            "127.0.0.1:80",
        ] {
            expect(host, path, 200)?;
        }
    }
    for path in ["/healthz", "/readyz", "/fib?10"] {
        expect("evil.example", path, 200)?;
    }
    Ok(())
}
