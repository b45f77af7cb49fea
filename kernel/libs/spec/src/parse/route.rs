//! The routes of a spec.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::{COUNT, DURATION_US, Reader};
use crate::error::{Expected, Label, Place, Position, Problem, SpecError};
use crate::fields::{Fields, found, refuse_duplicates, shown};
use crate::json::{Entry, Kind, Source, Value};
use crate::model::{Answer, Engine, Limits, OnMiss, Route};
use crate::module_path::{FolderPath, ModulePath, PathProblem};
use crate::route_path::{self, NoRoute};
use crate::warning::WarningKind;

const ROUTE_KEYS: [&str; 26] = [
    "route",
    "path",
    "admissions-percentile",
    "relative-deadline-us",
    "path_preprocess",
    "model-bias",
    "model-scale",
    "model-num-of-param",
    "model-beta1",
    "model-beta2",
    "http-resp-content-type",
    "stack-size",
    "expected-execution-us",
    "max-memory",
    "max-request-bytes",
    "max-response-bytes",
    "folder",
    "max-scratch-bytes",
    "max-exec-us",
    "max-concurrency",
    "max-queue",
    "on-miss",
    "engine",
    "environ",
    "response-file",
    "success-exit-codes",
];

/// What can be said of a route that is deployed while the machine runs: what is neither its name nor on the
/// disk.
const SETTING_KEYS: [&str; 16] = [
    "admissions-percentile",
    DEADLINE,
    "http-resp-content-type",
    "stack-size",
    "expected-execution-us",
    "max-memory",
    "max-request-bytes",
    "max-response-bytes",
    "max-scratch-bytes",
    "max-exec-us",
    "max-concurrency",
    "max-queue",
    "on-miss",
    "environ",
    "response-file",
    "success-exit-codes",
];
const DEADLINE: &str = "relative-deadline-us";

/// The longest text of settings, in bytes, and the most keys of an object in it. So all that is made of it, errors
/// included, lies in pieces of less than 16 KiB: whoever deploys does so while guests may hold all memory.
const LONGEST_SETTINGS: usize = 4 << 10;
const MOST_KEYS: usize = 128;
/// How much of a path an error shows, in characters.
const SHOWN_PATH: usize = 200;

/// Numbers for Sledge's prediction of execution times; checked, then dropped.
const MODEL_KEYS: [&str; 5] = [
    "model-bias",
    "model-scale",
    "model-num-of-param",
    "model-beta1",
    "model-beta2",
];

const ANY_U32: RangeInclusive<u64> = 0..=u32::MAX as u64;

impl<'a> Reader<'_, 'a> {
    /// One route, and where its path stands.
    pub(super) fn route(
        &mut self,
        number: usize,
        value: Value<'a>,
        tenant: &Place,
    ) -> Result<(Route, usize), SpecError> {
        let place = |label| Place::Route(label, Box::new(tenant.clone()));
        let fields = self.object(value, number, "route", &ROUTE_KEYS, place)?;
        let offset = fields.required("route")?.offset;
        let mut route = Route::new(url_path(&fields)?, module(&fields)?);
        fields.required(DEADLINE)?;
        self.set(&mut route, &fields)?;
        route.engine = Self::engine(&fields)?;
        route.folder = folder(&fields)?;
        self.prediction(&fields)?;
        Ok((route, offset))
    }

    /// Sets what is not about names, engines or the disk.
    fn set(&mut self, route: &mut Route, fields: &Fields<'_, 'a>) -> Result<(), SpecError> {
        if fields.get(DEADLINE).is_some() {
            route.relative_deadline_us = self.relative_deadline(fields)?;
        }
        route.content_type = content_type(fields)?;
        route.admissions_percentile = self.percentile(fields)?;
        route.expected_execution_us = self.expected_execution(fields)?;
        route.max_concurrency = fields.integer_if_any("max-concurrency", COUNT)?;
        route.max_queue = fields.integer_if_any("max-queue", COUNT)?;
        route.limits = limits(fields)?;
        route.max_exec_us = fields.integer_if_any("max-exec-us", 1..=Route::LONGEST_US)?;
        route.on_miss = on_miss(fields)?;
        route.environ = environ(fields)?;
        route.answer = answer(fields, route.limits.scratch)?;
        Ok(())
    }

    fn relative_deadline(&mut self, fields: &Fields) -> Result<u32, SpecError> {
        let deadline = fields.integer_or("relative-deadline-us", DURATION_US, 0)?;
        if deadline == 0 {
            self.warn(
                fields,
                "relative-deadline-us",
                WarningKind::NoTime(fields.place.clone()),
            );
        }
        Ok(deadline)
    }

    fn percentile(&mut self, fields: &Fields) -> Result<u8, SpecError> {
        let key = "admissions-percentile";
        let default = Route::DEFAULT_PERCENTILE;
        let value = fields.integer_or(key, 0..=u64::from(u8::MAX), default.into())?;
        let value = u8::try_from(value).unwrap_or(default);
        if (50..=99).contains(&value) {
            return Ok(value);
        }
        let place = fields.place.clone();
        self.warn(fields, key, WarningKind::Percentile { value, place });
        Ok(default)
    }

    /// Sledge reads whatever number or word this is, and starts its estimate with it.
    fn expected_execution(&mut self, fields: &Fields) -> Result<Option<u32>, SpecError> {
        let key = "expected-execution-us";
        let Some(value) = fields.get(key) else {
            return Ok(None);
        };
        if !matches!(value.kind(), Kind::Number | Kind::Word) {
            return Err(fields.bad_value(key, value, Expected::Words("a number")));
        }
        let time = fields.integer_if_any(key, 1..=Route::LONGEST_US).ok();
        if time.is_none() {
            self.note(fields, key);
        }
        Ok(time.flatten())
    }

    fn engine(fields: &Fields) -> Result<Option<Engine>, SpecError> {
        let words = ["wasmi", "wasmtime"];
        let word = fields.word("engine", &words, "\"wasmi\" or \"wasmtime\"")?;
        Ok(word.map(|word| [Engine::Wasmi, Engine::Wasmtime][word]))
    }

    /// Checks what Sledge predicts execution times with. Nothing of it is kept.
    fn prediction(&mut self, fields: &Fields) -> Result<(), SpecError> {
        for key in MODEL_KEYS {
            fields.integer_or(key, ANY_U32, 0)?;
            self.note(fields, key);
        }
        if let Some(value) = fields.get("path_preprocess") {
            fields.text(
                "path_preprocess",
                value,
                "a path, or \"0\" for none",
                |_| true,
            )?;
            self.note(fields, "path_preprocess");
        }
        Ok(())
    }
}

impl Route {
    /// The route of `tenant` at `path`, with settings that are an object of the keys of a route in a spec,
    /// without those that name it or something on the disk. Its module is `uploaded`. `source` is what errors
    /// call the text.
    ///
    /// # Errors
    /// The first thing that is wrong, and where it stands.
    pub fn deployed(
        tenant: &str,
        path: &str,
        source: &str,
        text: &[u8],
    ) -> Result<Route, SpecError> {
        if text.len() > LONGEST_SETTINGS {
            return Err(too_long(source, text.len()));
        }
        let (source, root) = Source::open(source, text)?;
        let source = source.with_most_entries(MOST_KEYS);
        let mut reader = Reader {
            source: &source,
            noted: Vec::new(),
            warnings: Vec::new(),
        };
        let place = Place::Route(
            Label::Name(path.chars().take(SHOWN_PATH).collect()),
            Box::new(Place::Tenant(Label::Name(tenant.into()))),
        );
        if root.kind() != Kind::Object {
            return Err(source.error(root.offset, Problem::NotAnObject(place, found(root))));
        }
        let entries = source.entries(root)?;
        let fields = Fields::check(&source, place, root.offset, entries, &SETTING_KEYS)?;
        let written = Value { raw: path, ..root };
        route_path::check(path).map_err(|why| match why {
            NoRoute::Malformed(expected) => fields.bad_value("route", written, expected),
            NoRoute::HostPage => source.error(root.offset, Problem::HostRoute(path.into())),
        })?;
        let mut route = Route::uploaded(path);
        reader.set(&mut route, &fields)?;
        Ok(route)
    }
}

fn too_long(source: &str, bytes: usize) -> SpecError {
    let beginning = Position {
        file: source.into(),
        line: 1,
        column: 1,
    };
    let most = LONGEST_SETTINGS;
    SpecError::new(beginning, Problem::TooLong { bytes, most })
}

fn on_miss(fields: &Fields) -> Result<OnMiss, SpecError> {
    let word = fields.word("on-miss", &["kill", "run"], "\"kill\" or \"run\"")?;
    Ok(word.map_or(OnMiss::Kill, |word| [OnMiss::Kill, OnMiss::Run][word]))
}

/// The path of the URL.
fn url_path(fields: &Fields) -> Result<String, SpecError> {
    let value = fields.required("route")?;
    let route = fields.text("route", value, "a path from \"/\" on", |_| true)?;
    match route_path::check(&route) {
        Ok(()) => Ok(route),
        Err(NoRoute::Malformed(expected)) => Err(fields.bad_value("route", value, expected)),
        Err(NoRoute::HostPage) => Err(fields.source.error(value.offset, Problem::HostRoute(route))),
    }
}

fn module(fields: &Fields) -> Result<ModulePath, SpecError> {
    let value = fields.required("path")?;
    let path = fields.text("path", value, "the path of a module", |_| true)?;
    ModulePath::new(&path).map_err(|problem| bad_path(fields, "path", value.offset, path, problem))
}

fn folder(fields: &Fields) -> Result<Option<FolderPath>, SpecError> {
    let Some(value) = fields.get("folder") else {
        return Ok(None);
    };
    let path = fields.text("folder", value, "the path of a folder", |_| true)?;
    FolderPath::new(&path)
        .map(Some)
        .map_err(|problem| bad_path(fields, "folder", value.offset, path, problem))
}

fn bad_path(
    fields: &Fields,
    key: &'static str,
    offset: usize,
    path: String,
    problem: PathProblem,
) -> SpecError {
    let place = fields.place.clone();
    let problem = Problem::BadPath {
        key,
        place,
        path,
        problem,
    };
    fields.source.error(offset, problem)
}

/// A value for a header: no line break can smuggle another header in.
fn content_type(fields: &Fields) -> Result<String, SpecError> {
    let key = "http-resp-content-type";
    let Some(value) = fields.get(key) else {
        return Ok(Route::DEFAULT_CONTENT_TYPE.into());
    };
    let sound = |text: &str| {
        text.len() <= 255 && text.trim() == text && text.bytes().all(|b| matches!(b, b' '..=b'~'))
    };
    fields.text(key, value, "a content type like \"text/plain\"", sound)
}

fn limits(fields: &Fields) -> Result<Limits, SpecError> {
    let default = Limits::default();
    // Sledge takes 0 as "not given".
    let stack = match fields.get("stack-size") {
        Some(value) if value.raw == "0" => default.stack,
        _ => fields.bytes_or("stack-size", Limits::STACK, default.stack)?,
    };
    Ok(Limits {
        stack,
        memory: fields.bytes_or("max-memory", Limits::MEMORY, default.memory)?,
        request: fields.bytes_or("max-request-bytes", Limits::REQUEST, default.request)?,
        response: fields.bytes_or("max-response-bytes", Limits::RESPONSE, default.response)?,
        scratch: fields.bytes_or("max-scratch-bytes", Limits::SCRATCH, default.scratch)?,
    })
}

/// What the answer is. `scratch` is what may be written below `/tmp`, in bytes.
fn answer(fields: &Fields, scratch: u64) -> Result<Option<Arc<Answer>>, SpecError> {
    let answer = Answer {
        file: response_file(fields, scratch)?,
        success: success_exit_codes(fields)?,
    };
    Ok((answer != Answer::default()).then(|| Arc::new(answer)))
}

fn response_file(fields: &Fields, scratch: u64) -> Result<Option<String>, SpecError> {
    let key = "response-file";
    let Some(value) = fields.get(key) else {
        return Ok(None);
    };
    if scratch == 0 {
        let expected = Expected::Words("left out where \"max-scratch-bytes\" is 0");
        return Err(fields.bad_value(key, value, expected));
    }
    let expected = "the path of a file below \"/tmp\", without \".\" or \"..\"";
    let path = fields.text(key, value, expected, is_below_tmp)?;
    Ok(path.strip_prefix(TMP).map(String::from))
}

const TMP: &str = "/tmp/";
/// The longest path of a response file and of a name in it, in bytes, as WASI has them.
const LONGEST_FILE_PATH: usize = 4096;
const LONGEST_FILE_NAME: usize = 255;

fn is_below_tmp(path: &str) -> bool {
    path.len() <= LONGEST_FILE_PATH
        && !path.contains('\0')
        && path.strip_prefix(TMP).is_some_and(|below| {
            below
                .split('/')
                .all(|name| !matches!(name, "" | "." | "..") && name.len() <= LONGEST_FILE_NAME)
        })
}

fn success_exit_codes(fields: &Fields) -> Result<Vec<u32>, SpecError> {
    let key = "success-exit-codes";
    let Some(value) = fields.get(key) else {
        return Ok(Answer::default().success);
    };
    let expected = Expected::Words("an array of 1 to 16 different exit codes");
    let bad = || fields.bad_value(key, value, expected.clone());
    if value.kind() != Kind::Array {
        return Err(bad());
    }
    let mut codes = Vec::new();
    for element in fields.source.elements(value)? {
        let code = fields.integer(key, element, ANY_U32)?;
        let code = u32::try_from(code).unwrap_or(u32::MAX);
        if codes.contains(&code) || codes.len() == Answer::MOST_CODES {
            return Err(bad());
        }
        codes.push(code);
    }
    if codes.is_empty() {
        Err(bad())
    } else {
        Ok(codes)
    }
}

/// Environment variables, as WASI hands them over: `NAME=value` with a NUL at the end.
fn environ(fields: &Fields) -> Result<Vec<(String, String)>, SpecError> {
    let Some(object) = fields.get("environ") else {
        return Ok(Vec::new());
    };
    if object.kind() != Kind::Object {
        let expected = Expected::Words("an object of texts");
        return Err(fields.bad_value("environ", object, expected));
    }
    let place = Place::Environ(Box::new(fields.place.clone()));
    let entries = fields.source.entries(object)?;
    refuse_duplicates(fields.source, &place, &entries)?;
    entries
        .into_iter()
        .map(|entry| variable(fields.source, &place, entry))
        .collect()
}

fn variable(
    source: &Source<'_>,
    place: &Place,
    Entry { key, offset, value }: Entry<'_>,
) -> Result<(String, String), SpecError> {
    let refuse = |offset, expected| {
        let problem = Problem::BadValue {
            key: shown(&key),
            place: place.clone(),
            expected: Expected::Words(expected),
            found: found(value),
        };
        source.error(offset, problem)
    };
    if key.is_empty() || key.contains(['=', '\0']) {
        return Err(refuse(
            offset,
            "a variable whose name has a letter and no = or NUL",
        ));
    }
    if value.kind() != Kind::Text {
        return Err(refuse(value.offset, "a text"));
    }
    let text = source.text(value)?;
    if text.contains('\0') {
        return Err(refuse(value.offset, "a text without NUL"));
    }
    Ok((key, text))
}
