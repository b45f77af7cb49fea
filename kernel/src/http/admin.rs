//! Deploying functions over HTTP, while the machine runs.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /admin/functions` | lists the functions of all tenants |
//! | `PUT /admin/functions/NAME`, the module as its body | adds or replaces the function `/NAME` of the tenant whose port was asked |
//! | `DELETE /admin/functions/NAME` | removes it |
//!
//! All of them want `Authorization: Bearer TOKEN`, with the token of the kernel's command line; without one
//! there, the pages do not exist. The field `luge-route` may have the settings of the route, an object of
//! the keys of `functions.json`; without it a function that is replaced keeps its own.
//!
//! Invariant: until the answer is 200 or 201, nothing is changed.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use log::info;
use luge_http::{Content, Date, Head, Method, Outgoing, Persistence, Response, Status, is_bearer};
use luge_memory::shortage::Shortage;
use luge_sandbox::Outcome;
use luge_spec::{ADMIN_PAGE, Route};
use luge_trap::Trap;

use super::exchange::{Progress, Refused};
use super::pages::{self, Found, TEXT};
use super::{BODY_SHARE, Surroundings, count_host_answer, kept};
use crate::engine::LARGEST_MODULE;
use crate::functions::{self, Change, Function, NotDeployed, State};
use crate::mm::bodies::Body;
use crate::observe::text::ByFunction;
use crate::sandbox::making::{Making, Unmade};

/// What a request wants of these pages.
pub(super) enum Demand {
    /// Nothing: it is for somebody else.
    None,
    /// An answer, which is this.
    Found(Found),
    /// What cannot be done; what can.
    NotAllowed(&'static str),
    /// To know what can be done, which is this.
    Options(&'static str),
    /// To deploy the body.
    Upload(Upload),
}

/// What is known of a deployment before its body.
pub(super) struct Upload {
    port: u16,
    path: String,
    settings: Option<Route>,
    persistence: Persistence,
}

/// A deployment that is under way.
pub(super) struct Deployment {
    making: Making,
    upload: Upload,
}

/// Methods of the list of functions.
const LIST_METHODS: &str = "GET, HEAD, OPTIONS";
/// Methods of one function there.
const NAME_METHODS: &str = "PUT, DELETE, OPTIONS";

/// There is one deployment at a time, since each may take much memory.
static UNDER_WAY: AtomicBool = AtomicBool::new(false);

/// What the request wants, if it is for these pages and they exist. What can be done at once is done.
pub(super) fn demand(head: &Head, port: u16, around: &Surroundings<'_>) -> Demand {
    let below = head.path.strip_prefix(ADMIN_PAGE);
    let below = below.filter(|below| below.is_empty() || below.starts_with('/'));
    // As with other pages of the host's. What comes behind is the function's name, which may need to be encoded.
    let is_literal = head.literal_bytes > ADMIN_PAGE.len() || head.path_is_literal();
    let below = below.filter(|_| is_literal);
    let (Some(path), Some(token)) = (below, around.admin_token) else {
        return Demand::None;
    };
    let authorization = head.authorization.as_deref().unwrap_or_default();
    if !is_bearer(authorization, token.as_bytes()) {
        return page(Status::Unauthorized, "the admin token is wanted\n");
    }
    match (&head.method, path) {
        (Method::Get | Method::Head, "" | "/") => {
            Demand::Found(Found::Text(TEXT, Box::new(ByFunction::new(line))))
        }
        (Method::Options, "" | "/") => Demand::Options(LIST_METHODS),
        (_, "" | "/") => Demand::NotAllowed(LIST_METHODS),
        (Method::Options, _) => Demand::Options(NAME_METHODS),
        (Method::Put, path) => match Upload::new(head, port, path, around) {
            Ok(upload) => Demand::Upload(upload),
            Err((status, why)) => page(status, &format!("{why}\n")),
        },
        (Method::Delete, path) => match functions::withdraw(port, path) {
            Ok(()) => page(Status::Ok, &format!("removed {path}\n")),
            Err(why) => page(status_of(why), &format!("{why}: {path:.200}\n")),
        },
        _ => Demand::NotAllowed(NAME_METHODS),
    }
}

/// With which status it is said that nothing was changed.
const fn status_of(why: NotDeployed) -> Status {
    match why {
        NotDeployed::NoTenant(_) | NotDeployed::NoSuchFunction => Status::NotFound,
        NotDeployed::TooMany | NotDeployed::Full(_) => Status::InsufficientStorage,
        NotDeployed::NoMemory => Status::ServiceUnavailable,
    }
}

fn page(status: Status, text: &str) -> Demand {
    Demand::Found(pages::page(status, text))
}

/// Port and path, tenant, where the module is from, its route's deadline and memory.
fn line(out: &mut dyn Write, function: &Function) -> fmt::Result {
    let Function {
        port,
        route,
        tenant,
        limits,
        ..
    } = function;
    write!(out, ":{port}{route}\t{tenant}\t")?;
    match function.uploaded_bytes {
        Some(bytes) => write!(out, "uploaded, {bytes} bytes")?,
        None => out.write_str("disk")?,
    }
    match function.module.state() {
        State::Ready => {}
        State::LeftOut(why) => write!(out, ", left out: {why}")?,
        state => write!(out, ", {}", state.name())?,
    }
    let deadline_us = function.relative_deadline_ns / 1_000;
    writeln!(out, "\tdeadline {deadline_us} us\tmemory {}", limits.memory)
}

impl Upload {
    /// The longest module, in bytes.
    pub(super) const LARGEST: u64 = LARGEST_MODULE as u64;

    fn new(
        head: &Head,
        port: u16,
        path: &str,
        around: &Surroundings<'_>,
    ) -> Result<Self, (Status, String)> {
        check_body_room(head, around.all_body_room)?;
        let owner = around.table.owner_of(port);
        let owner = owner.ok_or_else(|| {
            let why = NotDeployed::NoTenant(port);
            (status_of(why), why.to_string())
        })?;
        let given = head.route_settings.as_deref();
        let settings = Route::deployed(&owner.name, path, "luge-route", given.unwrap_or(b"{}"));
        let settings = settings.map_err(|why| (Status::BadRequest, why.to_string()))?;
        Ok(Upload {
            port,
            path: path.into(),
            settings: given.is_some().then_some(settings),
            persistence: head.persistence,
        })
    }

    pub(super) fn persistence(&self) -> Persistence {
        self.persistence
    }
}

/// Whether a body that will be taken has room in this machine, if there are no others; and now.
fn check_body_room(head: &Head, all_body_room: usize) -> Result<(), (Status, String)> {
    let bytes = match head.content {
        // What is too long has another status.
        Content::Length(bytes) if bytes <= Upload::LARGEST => bytes,
        _ => return Ok(()),
    };
    let (room, share) = (all_body_room as u64, BODY_SHARE as u64);
    let all = Shortage::check(bytes.saturating_mul(share), room * share, room * share);
    let why = all.map_err(|shortage| {
        let (bytes, room) = (bytes.div_ceil(1 << 20), room >> 20);
        let advice = shortage.advice();
        format!("{bytes} MiB, and bodies may take {room} MiB here: {advice}")
    });
    let now = why.and_then(|()| functions::check_unpromised(bytes).map_err(|why| why.to_string()));
    now.map_err(|why| (Status::ServiceUnavailable, why))
}

impl Deployment {
    /// Begins to translate the module.
    ///
    /// # Errors
    /// What to tell the client instead.
    pub(super) fn start(upload: Upload, module: Body) -> Result<Self, Refused> {
        Self::begin(upload, module).inspect_err(|refused| count_host_answer(refused.status))
    }

    fn begin(upload: Upload, module: Body) -> Result<Self, Refused> {
        if UNDER_WAY.swap(true, Relaxed) {
            return Err(Refused {
                status: Status::ServiceUnavailable,
                text: "another module is being deployed\n".into(),
                retry_after_s: Some(1),
                lacks: None,
            });
        }
        let making = Self::make(&upload, module);
        if making.is_err() {
            UNDER_WAY.store(false, Relaxed);
        }
        Ok(Deployment {
            making: making?,
            upload,
        })
    }

    fn make(upload: &Upload, module: Body) -> Result<Making, Refused> {
        functions::check_room(upload.port, &upload.path).map_err(|why| Refused {
            status: status_of(why),
            text: format!("{why}\n"),
            retry_after_s: None,
            lacks: None,
        })?;
        let memory = functions::memory_for_upload(&module).map_err(|shortage| Refused {
            status: Status::ServiceUnavailable,
            text: format!("{}: to translate it, {shortage}\n", upload.path),
            retry_after_s: None,
            lacks: None,
        })?;
        Making::begin(functions::of_upload, module, memory).map_err(Refused::by_sandboxes)
    }

    pub(super) fn cancel(&self) {
        self.making.cancel();
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.making.input_bytes()
    }

    /// Answers, once the module is translated: from then on, the new function is there.
    pub(super) fn go_on(&mut self, outgoing: &mut Outgoing, date: Option<Date>) -> Progress {
        let Some(end) = self.making.end() else {
            return Progress::Running;
        };
        let settings = self.upload.settings.take();
        let Upload { port, path, .. } = &self.upload;
        let (status, text) = match end {
            Ok(program) => {
                let bytes = self.making.input_bytes();
                let took_us = self.making.charged_ns() / 1_000;
                info!("{path}: {bytes} bytes translated in {took_us} us of CPU time");
                match functions::deploy(*port, path, settings, program, bytes) {
                    Ok(Change::Added) => (Status::Created, format!("added {path}\n")),
                    Ok(Change::Replaced) => (Status::Ok, format!("replaced {path}\n")),
                    Err(why) => (status_of(why), format!("{why}\n")),
                }
            }
            Err(why) => (status_of_unmade(&why), format!("{path}: {why}\n")),
        };
        count_host_answer(status);
        let response = Response {
            persistence: self.upload.persistence,
            date,
            kept: kept::fields(),
            ..Response::text(status, text.len())
        };
        outgoing.push(response.encode(0));
        outgoing.push(text.into_bytes());
        Progress::Answered(self.upload.persistence)
    }
}

/// With which status it is said that a module was not made.
const fn status_of_unmade(why: &Unmade) -> Status {
    match why {
        Unmade::Refused(_) | Unmade::Ended(Outcome::Trap(Trap::Unreachable)) => {
            Status::UnprocessableContent
        }
        Unmade::Ended(Outcome::OverDeadline) => Status::GatewayTimeout,
        Unmade::Ended(_) => Status::ServiceUnavailable,
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        UNDER_WAY.store(false, Relaxed);
    }
}
