use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::*;

/// What is left when nothing could be used, and the one warning that says so.
fn warning(line: &str) -> String {
    let (options, warnings) = parse(line);
    assert_eq!(options, Options::default(), "{line}");
    assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
    warnings[0].to_string()
}

fn parsed(line: &str) -> Options {
    let (options, warnings) = parse(line);
    assert_eq!(warnings, [], "{line}");
    options
}

#[test]
fn an_empty_line_gives_the_defaults() {
    assert_eq!(parse(""), (Options::default(), vec![]));
    assert_eq!(parse(" \t\n "), (Options::default(), vec![]));
}

#[test]
fn every_key_is_taken_over() {
    let options = parsed(
        "log=warn,net=debug,sandbox=trace log_format=json batch engine=wasmi ip=192.168.1.9/16 \
         gateway=192.168.0.1 port=80 sched=sjf preempt=off quantum_us=50 admission=off replay max_connections=64 keepalive_timeout_s=90 answer_timeout_s=5 watchdog scenario=divide-error \
         virtio_mmio.device=512@0xfeb00000:16 virtio_mmio.device=4K@0xfeb00200:17:1",
    );
    assert_eq!(options.log, LevelFilter::Warn);
    assert_eq!(
        options.log_modules,
        [
            ("net".to_owned(), LevelFilter::Debug),
            ("sandbox".to_owned(), LevelFilter::Trace)
        ]
    );
    assert_eq!(options.log_format, LogFormat::Json);
    assert!(options.batch);
    assert_eq!(options.engine, Some(Engine::Wasmi));
    assert_eq!(parsed("engine=wasmtime").engine, Some(Engine::Wasmtime));
    assert_eq!(
        (options.ip, options.prefix),
        (Ipv4Addr::new(192, 168, 1, 9), 16)
    );
    assert_eq!(options.gateway, Ipv4Addr::new(192, 168, 0, 1));
    assert_eq!(
        (options.port, options.quantum_us, options.max_connections),
        (80, 50, 64)
    );
    assert_eq!(
        (options.keepalive_timeout_s, options.answer_timeout_s),
        (90, 5)
    );
    assert!(options.watchdog);
    assert_eq!(options.sched, Policy::ShortestJob);
    assert!(!options.preempt && !options.admission && options.replay);
    assert_eq!(options.scenario.as_deref(), Some("divide-error"));
    assert_eq!(
        options.virtio_mmio,
        [
            VirtioMmio {
                size: 512,
                base: 0xfeb0_0000,
                gsi: 16
            },
            VirtioMmio {
                size: 4096,
                base: 0xfeb0_0200,
                gsi: 17
            },
        ]
    );
}

#[test]
fn of_a_key_given_twice_the_second_counts() {
    assert_eq!(parsed("port=80 port=81").port, 81);
    assert!(!parsed("batch batch=off").batch);
}

#[test]
fn levels_by_module_leave_the_general_level_alone() {
    let options = parsed("log=net=off");
    assert_eq!(options.log, LevelFilter::Info);
    assert_eq!(options.log_modules, [("net".to_owned(), LevelFilter::Off)]);
}

#[test]
fn an_unknown_key_is_named_and_what_was_meant_too() {
    assert_eq!(
        warning("quantum-us=5"),
        "command line: unknown key \"quantum-us\", passed over (did you mean \"quantum_us\"?)"
    );
    assert_eq!(
        warning("quiet"),
        "command line: unknown key \"quiet\", passed over"
    );
}

#[test]
fn a_bad_value_is_named_with_what_was_expected_and_the_default_stands() {
    assert_eq!(
        warning("port=99999"),
        "command line: port: expected a port, 1 to 65535, found \"99999\"; passed over"
    );
    for line in [
        "log=loud",
        "log=",
        "log",
        "log==debug",
        "log=info,,",
        "batch=maybe",
        "batch=",
        "engine=v8",
        "engine=",
        "ip=10.0.2.15",
        "ip=10.0.2.15/33",
        "ip=10.0.2/24",
        "gateway=router",
        "gateway",
        "port=0",
        "port=-1",
        "operator_port",
        "operator_port=0",
        "operator_port=65536",
        "sched=",
        "sched=cfs",
        "preempt=",
        "admission=no",
        "replay=2",
        "quantum_us=9",
        "quantum_us=1000001",
        "quantum_us=99999999999999999999999",
        "max_connections=0",
        "max_connections=4097",
        "keepalive_timeout_s=0",
        "keepalive_timeout_s=3601",
        "answer_timeout_s=0",
        "answer_timeout_s=86401",
        "scenario",
        "scenario=",
        "virtio_mmio.device=",
        "virtio_mmio.device=512",
        "virtio_mmio.device=512@0xfeb00000",
        "virtio_mmio.device=512@:16",
        "virtio_mmio.device=@0xfeb00000:16",
        "virtio_mmio.device=255@0xfeb00000:16",
        "virtio_mmio.device=512@0xffffffffffffffff:16",
        "virtio_mmio.device=18014398509481984M@0:16",
        "virtio_mmio.device=512@0xfeb00000:x",
    ] {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let said = warning(line);
        assert!(said.contains(&alloc::format!("{key}: expected ")), "{said}");
        assert!(
            said.contains(&alloc::format!("found \"{value}\"")),
            "{said}"
        );
    }
}

#[test]
fn a_bad_pair_does_not_spoil_its_neighbours() {
    let (options, warnings) = parse("port=x quantum_us=77 nonsense batch");
    assert_eq!(
        (options.port, options.quantum_us, options.batch),
        (8080, 77, true)
    );
    assert_eq!(warnings.len(), 2);
}

#[test]
fn a_token_must_be_long_enough_and_is_never_shown() {
    let token = "0123456789abcdef";
    let options = parsed(&format!("admin_token={token}"));
    assert_eq!(options.admin_token.as_deref(), Some(token));
    assert_eq!(
        warning("admin_token=secret"),
        "command line: admin_token: expected 16 to 256 visible characters, found \"...\"; passed over"
    );
}
