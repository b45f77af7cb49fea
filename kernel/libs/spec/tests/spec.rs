//! Rules of `functions.json`: what is read, and how each mistake is named.

use luge_spec::{Answer, Engine, Limits, OnMiss, Route, Spec};

/// A spec of one tenant with one route, in which a test replaces parts.
const ONE: &str = r#"[
  {
    "name": "gwu",
    "port": 10000,
    "routes": [
      {
        "route": "/fib",
        "path": "fib.wasm",
        "relative-deadline-us": 50000
      }
    ]
  }
]"#;

fn parse(text: &str) -> (Spec, Vec<String>) {
    let (spec, warnings) = Spec::parse("functions.json", text.as_bytes()).expect("a good spec");
    (spec, warnings.iter().map(ToString::to_string).collect())
}

fn refusal(text: &str) -> String {
    match Spec::parse("functions.json", text.as_bytes()) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error.to_string(),
    }
}

/// `ONE` with more keys in its route.
fn with(keys: &str) -> String {
    ONE.replace("50000\n", &format!("50000,\n        {keys}\n"))
}

/// The route of `ONE` with more keys.
fn route(keys: &str) -> Route {
    parse(&with(keys)).0.tenants[0].routes[0].clone()
}

#[test]
fn what_is_not_given_has_its_default() {
    let (spec, warnings) = parse(ONE);
    assert_eq!(warnings, [""; 0]);
    let [tenant] = &spec.tenants[..] else {
        panic!("{spec:?}")
    };
    assert_eq!((tenant.name.as_str(), tenant.port), ("gwu", 10000));
    assert_eq!(
        (tenant.replenishment_period_us, tenant.max_budget_us),
        (0, 0)
    );
    let [route] = &tenant.routes[..] else {
        panic!("{tenant:?}")
    };
    assert_eq!(
        (route.route.as_str(), route.module.as_str()),
        ("/fib", "fib.wasm")
    );
    assert_eq!(route.relative_deadline_us, 50_000);
    assert_eq!(route.content_type, "text/plain");
    assert_eq!(route.admissions_percentile, 95);
    assert_eq!(route.limits, Limits::default());
    assert_eq!(route.limits.stack, 524_288);
    assert_eq!(route.limits.memory, 64 << 20);
    assert_eq!(route.limits.request, 4 << 20);
    assert_eq!(route.limits.response, 64 << 20);
    assert_eq!((route.limits.scratch, &route.folder), (16 << 20, &None));
    assert_eq!((route.max_exec_us, route.on_miss), (None, OnMiss::Kill));
    assert_eq!((route.engine, route.environ.len()), (None, 0));
}

#[test]
fn what_is_given_is_taken_over() {
    let route = route(
        r#""stack-size": 65536, "max-memory": 1048576, "max-request-bytes": 0,
           "max-response-bytes": 7, "max-exec-us": 9, "on-miss": "run", "engine": "wasmi",
           "folder": "./data//en/", "max-scratch-bytes": 0,
           "http-resp-content-type": "image/jpeg", "admissions-percentile": 99,
           "environ": { "LANG": "C", "EMPTY": "", "ünïcode": "a=b" }"#,
    );
    assert_eq!(
        route.limits,
        Limits {
            stack: 65536,
            memory: 1 << 20,
            request: 0,
            response: 7,
            scratch: 0
        }
    );
    assert_eq!((route.max_exec_us, route.on_miss), (Some(9), OnMiss::Run));
    assert_eq!(route.engine, Some(Engine::Wasmi));
    assert_eq!(route.folder.unwrap().as_str(), "data/en");
    assert_eq!(route.content_type, "image/jpeg");
    assert_eq!(route.admissions_percentile, 99);
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    assert_eq!(
        route.environ,
        [pair("LANG", "C"), pair("EMPTY", ""), pair("ünïcode", "a=b")]
    );
}

#[test]
fn an_answer_is_standard_output_and_0_is_success_unless_said_otherwise() {
    for keys in [r#""on-miss": "kill""#, r#""success-exit-codes": [0]"#] {
        assert_eq!(route(keys).answer, None);
    }
    let answer = Answer::default();
    assert!(answer.is_success(0) && !answer.is_success(1) && answer.file.is_none());
}

#[test]
fn an_answer_may_be_a_file_and_other_exit_codes_success() {
    let keys = r#""response-file": "/tmp/d/out.o", "success-exit-codes": [1, 4294967295]"#;
    let answer = route(keys).answer.expect("an answer");
    assert_eq!(answer.file.as_deref(), Some("d/out.o"));
    assert_eq!(answer.success, [1, u32::MAX]);
    assert!(answer.is_success(1) && !answer.is_success(0));
}

#[test]
fn a_response_file_lies_below_tmp() {
    for path in [
        "out.o",
        "/tmp",
        "/tmp/",
        "/tmp/../x",
        "/tmp//x",
        "/tmp/./x",
        "/tmpx",
        "/out",
    ] {
        let key = format!("\"response-file\": {path:?}");
        assert_eq!(
            refusal(&with(&key)),
            format!(
                "functions.json:10:26: \"response-file\" of route \"/fib\" of tenant \"gwu\" must be \
                 the path of a file below \"/tmp\", without \".\" or \"..\", not {path:?}"
            )
        );
    }
    let none = refusal(&with(
        r#""max-scratch-bytes": 0, "response-file": "/tmp/out""#,
    ));
    let why = "must be left out where \"max-scratch-bytes\" is 0, not \"/tmp/out\"";
    assert!(none.ends_with(why), "{none}");
}

#[test]
fn success_exit_codes_are_a_few_different_codes() {
    for codes in [
        "[]",
        "[1, 1]",
        "1",
        "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
    ] {
        let why = refusal(&with(&format!("\"success-exit-codes\": {codes}")));
        let expected = "must be an array of 1 to 16 different exit codes, not ";
        assert!(why.contains(expected), "{why}");
    }
    let why = refusal(&with(r#""success-exit-codes": [0, -1]"#));
    let expected = "must be an integer from 0 to 4294967295, not -1";
    assert!(why.ends_with(expected), "{why}");
}

#[test]
fn a_stack_size_of_zero_means_the_default() {
    assert_eq!(route(r#""stack-size": 0"#).limits.stack, 524_288);
}

#[test]
fn keys_and_values_may_be_written_with_escapes() {
    let text = ONE
        .replace(r#""route""#, r#""r\u006fute""#)
        .replace("/fib", r"\/f\u0069b");
    assert_eq!(parse(&text).0.tenants[0].routes[0].route, "/fib");
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_was_probably_meant() {
    assert_eq!(
        refusal(&ONE.replace("relative-deadline-us", "relative-deadlin-us")),
        "functions.json:9:9: unknown key \"relative-deadlin-us\" in route \"/fib\" of tenant \
         \"gwu\" (did you mean \"relative-deadline-us\"?)"
    );
    assert_eq!(
        refusal(&ONE.replace("port", "colour")),
        "functions.json:4:5: unknown key \"colour\" in tenant \"gwu\""
    );
    assert_eq!(
        refusal(&ONE.replace("\"name\": \"gwu\"", "\"nmae\": \"gwu\"")),
        "functions.json:3:5: unknown key \"nmae\" in tenant 1 (did you mean \"name\"?)"
    );
}

#[test]
fn a_key_given_twice_is_named_with_both_lines() {
    assert_eq!(
        refusal(&with(r#""path": "other.wasm""#)),
        "functions.json:10:9: duplicate key \"path\" in route \"/fib\" of tenant \"gwu\" (first \
         on line 8)"
    );
    assert_eq!(
        refusal(&ONE.replace("\"port\"", "\"p\\u006frt\": 1, \"port\"")),
        "functions.json:4:21: duplicate key \"port\" in tenant \"gwu\" (first on line 4)"
    );
    assert_eq!(
        refusal(&with(r#""environ": { "A": "1", "A": "2" }"#)),
        "functions.json:10:32: duplicate key \"A\" in \"environ\" of route \"/fib\" of tenant \
         \"gwu\" (first on line 10)"
    );
}

#[test]
fn a_key_that_must_be_there_is_missed() {
    for (key, said) in [
        ("name", "functions.json:2:3: tenant 1 has no \"name\""),
        ("port", "functions.json:2:3: tenant \"gwu\" has no \"port\""),
        (
            "routes",
            "functions.json:2:3: tenant \"gwu\" has no \"routes\"",
        ),
        (
            "route",
            "functions.json:6:7: route 1 of tenant \"gwu\" has no \"route\"",
        ),
        (
            "path",
            "functions.json:6:7: route \"/fib\" of tenant \"gwu\" has no \"path\"",
        ),
        (
            "relative-deadline-us",
            "functions.json:6:7: route \"/fib\" of tenant \"gwu\" has no \"relative-deadline-us\"",
        ),
    ] {
        let mut json: serde_json::Value = serde_json::from_str(ONE).unwrap();
        let tenant = json[0].as_object_mut().unwrap();
        if tenant.remove(key).is_none() {
            tenant["routes"][0]
                .as_object_mut()
                .unwrap()
                .remove(key)
                .unwrap();
        }
        // The tree has lost the lines, so the place is checked for what it names only.
        let error = refusal(&json.to_string());
        assert_eq!(
            error.split_once(": ").unwrap().1,
            said.split_once(": ").unwrap().1,
            "{key}"
        );
    }
    let text = ONE.replace("\"path\": \"fib.wasm\",\n", "");
    assert!(refusal(&text).starts_with("functions.json:6:7: "));
}

#[test]
fn two_tenants_share_neither_name_nor_port() {
    let second = |name: &str, port: &str| {
        let other = ONE
            .trim_start_matches('[')
            .replace("gwu", name)
            .replace("10000", port);
        format!("{},{other}", ONE.trim_end_matches("\n]"))
    };
    assert_eq!(parse(&second("b", "10001")).0.tenants.len(), 2);
    assert_eq!(
        refusal(&second("gwu", "10001")),
        "functions.json:14:13: duplicate tenant \"gwu\" (first on line 3)"
    );
    assert_eq!(
        refusal(&second("b", "10000")),
        "functions.json:15:13: port 10000 belongs to tenant \"gwu\" already (on line 4)"
    );
}

#[test]
fn two_routes_of_a_tenant_differ() {
    let text = ONE.replace(
        "      }\n",
        "      },\n      { \"route\": \"/fib\", \"path\": \"b\", \"relative-deadline-us\": 1 }\n",
    );
    assert_eq!(
        refusal(&text),
        "functions.json:11:18: duplicate route \"/fib\" in tenant \"gwu\" (first on line 7)"
    );
}

#[test]
fn a_page_of_the_host_is_no_route() {
    for page in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/trace",
        "/faults",
        "/records",
        "/logs",
        "/routes.json",
        "/sandboxes.json",
        "/faults.json",
        "/logs.json",
    ] {
        assert_eq!(
            refusal(&ONE.replace("/fib", page)),
            format!("functions.json:7:18: route {page:?} is one of the host's own pages")
        );
    }
    assert_eq!(parse(&ONE.replace("/fib", "/healthz/x")).1, [""; 0]);
}

#[test]
fn a_path_stays_in_the_folder_of_the_spec() {
    for (path, why) in [
        ("/fib.wasm", "is absolute; paths are relative to the spec"),
        (
            "../fib.wasm",
            "contains \"..\"; what is named lies in the folder of the spec",
        ),
        (
            "a/../../b",
            "contains \"..\"; what is named lies in the folder of the spec",
        ),
        ("./", "names nothing in the folder of the spec"),
    ] {
        assert_eq!(
            refusal(&ONE.replace("fib.wasm", path)),
            format!(
                "functions.json:8:17: \"path\" of route \"/fib\" of tenant \"gwu\": {path:?} {why}"
            )
        );
        assert_eq!(
            refusal(&with(&format!(r#""folder": "{path}""#))),
            format!(
                "functions.json:10:19: \"folder\" of route \"/fib\" of tenant \"gwu\": {path:?} {why}"
            )
        );
    }
}

#[test]
fn a_value_of_the_wrong_type_or_out_of_range_is_named_with_what_it_must_be() {
    for (keys, said) in [
        (
            r#""stack-size": 32767"#,
            "must be an integer from 32768 to 8388608, not 32767",
        ),
        (
            r#""stack-size": 8388609"#,
            "must be an integer from 32768 to 8388608, not 8388609",
        ),
        (
            r#""stack-size": "65536""#,
            "must be an integer from 32768 to 8388608, not \"65536\"",
        ),
        (
            r#""stack-size": 65536.0"#,
            "must be an integer from 32768 to 8388608, not 65536.0",
        ),
        (
            r#""max-memory": 131071"#,
            "must be an integer from 131072 to 4294967296, not 131071",
        ),
        (
            r#""max-memory": -1"#,
            "must be an integer from 131072 to 4294967296, not -1",
        ),
        (
            r#""max-request-bytes": 1e3"#,
            "must be an integer from 0 to 1073741824, not 1e3",
        ),
        (
            r#""max-response-bytes": null"#,
            "must be an integer from 0 to 4294967296, not null",
        ),
        (
            r#""max-exec-us": 0"#,
            "must be an integer from 1 to 3600000000, not 0",
        ),
        (
            r#""max-exec-us": {}"#,
            "must be an integer from 1 to 3600000000, not an object",
        ),
        (
            r#""max-queue": 0"#,
            "must be an integer from 1 to 1000000, not 0",
        ),
        (
            r#""on-miss": "stop""#,
            "must be \"kill\" or \"run\", not \"stop\"",
        ),
        (
            r#""engine": "v8""#,
            "must be \"wasmi\" or \"wasmtime\", not \"v8\"",
        ),
        (
            r#""engine": true"#,
            "must be \"wasmi\" or \"wasmtime\", not true",
        ),
        (
            r#""admissions-percentile": 256"#,
            "must be an integer from 0 to 255, not 256",
        ),
        (
            r#""model-bias": 4294967296"#,
            "must be an integer from 0 to 4294967295, not 4294967296",
        ),
        (
            r#""path_preprocess": 0"#,
            "must be a path, or \"0\" for none, not 0",
        ),
        (
            r#""expected-execution-us": "5""#,
            "must be a number, not \"5\"",
        ),
        (
            r#""environ": []"#,
            "must be an object of texts, not an array",
        ),
        (r#""environ": { "A": 1 }"#, "must be a text, not 1"),
        (
            r#""environ": { "A": "\u0000" }"#,
            "must be a text without NUL, not \"\\u0000\"",
        ),
        (
            r#""environ": { "A=B": "1" }"#,
            "must be a variable whose name has a letter and no = or NUL, not \"1\"",
        ),
        (
            r#""http-resp-content-type": """#,
            "must be a content type like \"text/plain\", not \"\"",
        ),
        (
            r#""http-resp-content-type": "a\r\nX: y""#,
            "must be a content type like \"text/plain\", not \"a\\r\\nX: y\"",
        ),
    ] {
        let error = refusal(&with(keys));
        assert!(error.starts_with("functions.json:10:"), "{error}");
        assert!(error.ends_with(said), "{error}\n{said}");
    }
    assert_eq!(
        refusal(&ONE.replace("10000", "65536")),
        "functions.json:4:13: \"port\" of tenant \"gwu\" must be an integer from 1 to 65535, not \
         65536"
    );
    assert_eq!(
        refusal(&ONE.replace("50000", "3600000001")),
        "functions.json:9:33: \"relative-deadline-us\" of route \"/fib\" of tenant \"gwu\" must be \
         an integer from 0 to 3600000000, not 3600000001"
    );
    for route in [
        "fib",
        "/a b",
        "/a?b",
        "/a#b",
        "/é",
        &format!("/{}", "x".repeat(255)),
    ] {
        let error = refusal(&ONE.replace("/fib", route));
        assert!(error.contains("must be a path from \"/\" on"), "{error}");
    }
    let error = refusal(&ONE.replace("\"gwu\"", "\"\""));
    assert!(
        error.contains("\"name\" of tenant 1 must be a name"),
        "{error}"
    );
    let error = refusal(&ONE.replace("gwu", "g\\nu"));
    assert!(
        error.contains("must be a name, without control characters"),
        "{error}"
    );
}

#[test]
fn a_long_value_is_shown_shortened() {
    let error = refusal(&with(&format!("\"on-miss\": \"{}\"", "ß".repeat(100))));
    assert!(
        error.ends_with(&format!("not \"{}…\"", "ß".repeat(39))),
        "{error}"
    );
}

#[test]
fn what_is_not_json_is_said_with_its_place() {
    for (text, said) in [
        ("", "1:1: not JSON: EOF while parsing a value"),
        ("[\n  {\n", "3:1: not JSON: EOF while parsing an object"),
        ("[\n  { \"name\" 1 }\n]", "2:12: not JSON: expected `:`"),
        ("[ 1, ]", "1:6: not JSON: expected value"),
        ("[] []", "1:4: not JSON: trailing characters"),
        ("// comment\n[]", "1:1: not JSON: expected value"),
        (
            "{}",
            "1:1: the spec must be an array of tenants, not an object",
        ),
        ("\n 12", "2:2: the spec must be an array of tenants, not 12"),
        (" []", "1:2: the spec has no tenant"),
        ("[\n 5]", "2:2: tenant 1 must be an object, not 5"),
        ("[{}]", "1:2: tenant 1 has no \"name\""),
        (
            "[{\"name\":\"\\ud800\"}]",
            "1:10: not JSON: unexpected end of hex escape",
        ),
    ] {
        assert_eq!(refusal(text), format!("functions.json:{said}"), "{text:?}");
    }
    let routes = |value: &str| {
        refusal(&format!(
            "[{{\"name\": \"a\", \"port\": 1, \"routes\": {value}}}]"
        ))
    };
    assert_eq!(
        routes("{}"),
        "functions.json:1:37: \"routes\" of tenant \"a\" must be an array of routes, not an object"
    );
    assert_eq!(
        routes("[]"),
        "functions.json:1:37: tenant \"a\" has no route"
    );
    assert_eq!(
        routes("[[]]"),
        "functions.json:1:38: route 1 of tenant \"a\" must be an object, not an array"
    );
}

#[test]
fn bytes_that_are_no_text_are_said_with_their_place() {
    let error = Spec::parse("functions.json", b"[\n \"\xc3\xa9\xff\"]").unwrap_err();
    assert_eq!(error.to_string(), "functions.json:2:4: not text in UTF-8");
}

#[test]
fn deep_nesting_is_an_error_and_not_a_deep_recursion() {
    let text = "[".repeat(100_000);
    assert!(refusal(&text).contains("not JSON"));
    let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refusal(&text).contains("tenant 1 must be an object"));
}

#[test]
fn a_route_names_its_engine_or_none() {
    let engine = |more: &str| parse(&with(more)).0.tenants[0].routes[0].engine;
    assert_eq!(engine(r#""engine": "wasmi""#), Some(Engine::Wasmi));
    assert_eq!(engine(r#""engine": "wasmtime""#), Some(Engine::Wasmtime));
    assert_eq!(engine(r#""on-miss": "kill""#), None);
}

#[test]
fn columns_count_characters() {
    let text = ONE.replace("\"gwu\",", "\"ñandú\", \"x\": 1,");
    assert!(refusal(&text).starts_with("functions.json:3:22: unknown key \"x\""));
}

#[test]
fn a_key_without_effect_is_told_once_with_the_number_of_its_places() {
    let (_, warnings) = parse(&with(r#""model-bias": 5, "expected-execution-us": 0"#));
    assert_eq!(
        warnings,
        [
            "functions.json:10:9: \"model-bias\" has no effect: execution times are not predicted",
            "functions.json:10:26: \"expected-execution-us\" has no effect: it is not a whole number \
             of microseconds from 1 to 3600000000",
        ]
    );
    let acted_on = r#""max-exec-us": 5, "on-miss": "run", "admissions-percentile": 90"#;
    assert_eq!(parse(&with(acted_on)).1, [""; 0]);
}

#[test]
fn a_percentile_or_deadline_that_makes_no_sense_is_told() {
    let (spec, warnings) = parse(&with(r#""admissions-percentile": 49"#).replace("50000", "0"));
    assert_eq!(spec.tenants[0].routes[0].admissions_percentile, 95);
    assert_eq!(
        warnings,
        [
            "functions.json:9:9: \"relative-deadline-us\" of route \"/fib\" of tenant \"gwu\" is \
             0: its requests are late on arrival",
            "functions.json:10:9: \"admissions-percentile\" of route \"/fib\" of tenant \"gwu\" is \
             49, not 50 to 99: read as 95",
        ]
    );
}

/// The keys and kinds of values that Sledge's own specs have, prediction of times included.
#[test]
fn a_spec_of_sledge_is_taken_unchanged() {
    let tenant = |name: &str, port: u16, preprocess: &str| {
        format!(
            r#"{{
                "name": "{name}", "port": {port},
                "replenishment-period-us": 0, "max-budget-us": 0,
                "routes": [ {{
                    "route": "/{name}", "path": "{name}.wasm.so",
                    "admissions-percentile": 60, "expected-execution-us": 3600,
                    "relative-deadline-us": 18000, "http-resp-content-type": "image/png",
                    "path_preprocess": "{preprocess}", "model-bias": 2000, "model-scale": 2000,
                    "model-num-of-param": 1, "model-beta1": 2000, "model-beta2": 0
                }} ]
            }}"#
        )
    };
    let text = format!(
        "[{}, {}]",
        tenant("cnn", 10000, "size.wasm.so"),
        tenant("ekf", 35000, "0")
    );
    let (spec, warnings) = parse(&text);
    assert_eq!(spec.tenants[0].routes[0].module.as_str(), "cnn.wasm");
    assert_eq!(spec.tenants[1].routes[0].content_type, "image/png");
    let told = |key: &str| {
        let start = format!("\"{key}\" has no effect: ");
        warnings
            .iter()
            .any(|w| w.contains(&start) && w.ends_with("(found 2 times)"))
    };
    for key in [
        "path_preprocess",
        "model-bias",
        "model-scale",
        "model-num-of-param",
        "model-beta1",
        "model-beta2",
    ] {
        assert!(told(key), "{key}: {warnings:#?}");
    }
    let estimates =
        [0, 1].map(|tenant: usize| spec.tenants[tenant].routes[0].expected_execution_us);
    assert_eq!(estimates, [Some(3600); 2]);
    assert_eq!(warnings.len(), 6, "budgets of 0 are no news: {warnings:#?}");
}

#[test]
fn a_reservation_that_is_none_or_too_large_is_told() {
    let told = |keys: &str| {
        let (spec, warnings) = parse(&ONE.replace("\"port\"", &format!("{keys}, \"port\"")));
        let tenant = &spec.tenants[0];
        (
            (tenant.max_budget_us, tenant.replenishment_period_us),
            warnings,
        )
    };
    let whole = r#""max-budget-us": 5, "replenishment-period-us": 5"#;
    assert_eq!(told(whole), ((5, 5), vec![]));
    assert_eq!(
        told(r#""max-budget-us": 5"#).1,
        [
            "functions.json:4:5: tenant \"gwu\" has a budget of 5 us and no \
             \"replenishment-period-us\": nothing is reserved"
        ]
    );
    assert_eq!(
        told(r#""replenishment-period-us": 7"#).1,
        [
            "functions.json:4:5: tenant \"gwu\" has a period of 7 us and no \"max-budget-us\" in it: \
             nothing is reserved"
        ]
    );
    assert_eq!(
        told(r#""max-budget-us": 8, "replenishment-period-us": 7"#).1,
        [
            "functions.json:4:5: tenant \"gwu\" has a budget of 8 us in a period of 7 us: the whole CPU \
             is reserved"
        ]
    );
}

#[test]
fn tenants_and_routes_have_limits_if_they_are_given() {
    let (spec, _) = parse(ONE);
    let tenant = &spec.tenants[0];
    let none = (None, None, None);
    assert_eq!(
        (tenant.max_concurrency, tenant.max_queue, tenant.max_memory),
        none
    );
    let limits = r#""max-concurrency": 4, "max-queue": 2"#;
    let text = with(limits).replace(
        "\"port\"",
        "\"max-concurrency\": 8, \"max-queue\": 3, \"max-memory\": 8589934592, \"port\"",
    );
    let (spec, warnings) = parse(&text);
    assert_eq!(warnings, [""; 0]);
    let tenant = &spec.tenants[0];
    assert_eq!(
        (tenant.max_concurrency, tenant.max_queue, tenant.max_memory),
        (Some(8), Some(3), Some(8 << 30))
    );
    let route = &tenant.routes[0];
    assert_eq!((route.max_concurrency, route.max_queue), (Some(4), Some(2)));
}

#[test]
fn a_tenants_callers_are_told_of_faults_only_if_it_says_so() {
    let with =
        |value: &str| ONE.replace("\"port\"", &format!("\"fault-reports\": {value}, \"port\""));
    assert!(!parse(ONE).0.tenants[0].fault_reports);
    for (value, wanted) in [("true", true), ("false", false)] {
        let (spec, warnings) = parse(&with(value));
        assert_eq!(warnings, [""; 0]);
        assert_eq!(spec.tenants[0].fault_reports, wanted);
    }
    for value in ["1", "\"true\"", "null", "[]"] {
        let why = refusal(&with(value));
        assert!(why.contains("must be true or false, not "), "{why}");
    }
}

#[test]
fn without_a_spec_each_module_is_a_route() {
    let files = [
        "sort.wasm",
        "README.md",
        "fib.wasm",
        "healthz.wasm",
        "a b.wasm",
        ".wasm",
    ];
    let (spec, unroutable) = Spec::from_modules(files, 8080);
    let [tenant] = &spec.tenants[..] else {
        panic!("{spec:?}")
    };
    assert_eq!((tenant.name.as_str(), tenant.port), ("default", 8080));
    let routes: Vec<_> = tenant
        .routes
        .iter()
        .map(|r| (&*r.route, r.module.as_str()))
        .collect();
    assert_eq!(routes, [("/fib", "fib.wasm"), ("/sort", "sort.wasm")]);
    assert_eq!(tenant.routes[0].relative_deadline_us, 10_000_000);
    assert_eq!(tenant.routes[0].limits, Limits::default());
    let said: Vec<_> = unroutable.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "\".wasm\" has no route: \"/\" is one of the host's own pages",
            "\"a b.wasm\" has no route: its name cannot stand in a URL",
            "\"healthz.wasm\" has no route: \"/healthz\" is one of the host's own pages",
        ]
    );
}

#[test]
fn no_cut_or_flipped_spec_makes_the_reader_panic() {
    let text = with(r#""environ": { "A": "é" }, "on-miss": "run""#);
    for end in 0..text.len() {
        let _ = Spec::parse("f", &text.as_bytes()[..end]);
    }
    let mut bytes = text.clone().into_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            if let Err(error) = Spec::parse("f", &bytes) {
                assert!(error.to_string().starts_with("f:"));
            }
            bytes[at] ^= 1 << bit;
        }
    }
}
