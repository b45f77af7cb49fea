//! Random bytes.

use anyhow::{Result, ensure};
use luge_harness::Lab;
use serde_json::json;

use crate::guests::{Engine, Guests};

scenarios![what_the_random_device_gives_is_in_what_functions_get];

/// Answers with 16 random bytes.
const BYTES: &str = r#"
    (data (i32.const 0) "\10\00\00\00\10\00\00\00")
    (func (export "_start")
        (drop (call $random (i32.const 16) (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#;

/// What a function gets on a machine whose generator begins as on any other.
fn bytes(lab: &Lab) -> Result<Vec<u8>> {
    let guests = Guests::none(lab, Engine::Wasmi)?.text_with("bytes", BYTES, json!({}))?;
    let machine = lab.serve(&guests.boot(lab)?.append("scenario=same-seed"))?;
    machine.line("that it was seeded anew", |line| {
        line.contains("random: reseeded from the random device")
    })?;
    let response = machine.client().get("/bytes")?;
    response.expect_status(200)?;
    Ok(response.body)
}

fn what_the_random_device_gives_is_in_what_functions_get(lab: &Lab) -> Result<()> {
    let (one, other) = (bytes(lab)?, bytes(lab)?);
    ensure!(one.len() == 16 && other.len() == 16, "{one:?} {other:?}");
    ensure!(one != other, "two machines give the same: {one:?}");
    Ok(())
}
