//! Queries of JSON in the language of jq: the crates `jaq-core`, `jaq-std` and `jaq-json`.
//!
//! | | |
//! |---|---|
//! | argument 1 | the filter, else `.` |
//! | stdin | values of JSON, one after the other |
//! | stdout | what the filter makes of each, a line for each result |
//! | exit | 0, or 1 if the filter or a value is none, or the filter fails |

use std::process::ExitCode;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};

fn main() -> ExitCode {
    programs::run(|request| {
        let code = request.argument(0).unwrap_or(".");
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let functions = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(definitions).load(&arena, File { code, path: () });
        let modules = modules.map_err(|errors| format!("the filter does not parse: {errors:?}"))?;
        let filter = Compiler::default().with_funs(functions).compile(modules);
        let filter =
            filter.map_err(|errors| format!("the filter names what is not there: {errors:?}"))?;
        let mut lines = String::new();
        for value in read::parse_many(&request.body) {
            let ctx = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
            for result in filter.id.run((ctx, value?)).map(unwrap_valr) {
                let result = result.map_err(|error| error.to_string())?;
                lines.push_str(&format!("{result}\n"));
            }
        }
        Ok(lines.into_bytes())
    })
}
