//! A request that a function serves: from its head to the end of its answer.
//!
//! Output is held back until the sandbox ends, so that the status can tell how; once more than
//! [`WINDOW_BYTES`] are held, the answer is committed as 200 and streamed. Buffers are moved from the
//! sandbox to the connection, never copied together. When the connection has enough to send, nothing
//! more is taken, and the sandbox waits once its own queue is full.
//!
//! A function that fails after its answer was committed cannot change the status any more: the
//! chunked body is broken off before its last chunk, which the client sees, and the log says so.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use luge_http::{
    Date, Framing, Head, Method, Outgoing, Persistence, Response, ServerTiming, Status, Storage,
    Version,
};
use luge_sandbox::Outcome;
use luge_sched::Refusal;

use super::readers::Lacks;
use super::{count_host_answer, kept, words};
use crate::arch::time::Instant;
use crate::functions::{self, Function};
use crate::mm::bodies::Body;
use crate::sandbox::{self, Sandbox, Workload};
use crate::sched::admission;

/// Output that is held back, and that waits to be sent, at most (and a buffer more), in bytes.
const WINDOW_BYTES: usize = 64 * 1024;

/// A request whose head is here.
pub(super) struct Call {
    /// What answered for its path then. Another function may when the body is here.
    function: Arc<Function>,
    arguments: Vec<String>,
    is_head: bool,
    version: Version,
    persistence: Persistence,
}

/// A request that is being served.
pub(super) struct Exchange {
    sandbox: Arc<Sandbox>,
    function: Arc<Function>,
    answer: Answer,
    body_bytes: usize,
    persistence: Persistence,
    date: Option<Date>,
    version: Version,
}

/// What a client is told whose request is not let in.
pub(super) struct Refused {
    pub(super) status: Status,
    pub(super) text: String,
    pub(super) retry_after_s: Option<u32>,
    /// What it lacked, if others may have it for a client that is slow.
    pub(super) lacks: Option<Lacks>,
}

/// Where the answer stands.
enum Answer {
    /// Nothing is sent yet; what is held is the body so far.
    Held { buffers: Vec<Vec<u8>>, bytes: usize },
    /// To a HEAD request: the body's length is all that counts.
    Counted { bytes: u64 },
    /// The head and the body's beginning are out.
    Committed(Framing),
}

/// Whether the answer is complete.
pub(super) enum Progress {
    /// Not yet.
    Running,
    /// All of it is queued; this becomes of the connection.
    Answered(Persistence),
    /// It ends in the middle, and the connection must be reset for the client to see that.
    Broken,
}

impl Refused {
    fn by_admission(function: &Function, refusal: Refusal) -> Self {
        let text = match refusal {
            Refusal::NoTime { .. } => "it could not be done by its deadline\n".into(),
            Refusal::RouteAtOnce(most) => format!("the route serves {most} requests at once\n"),
            Refusal::RouteWaiting(most) => format!("{most} requests wait for the route\n"),
            Refusal::TenantAtOnce(most) => format!("the tenant has {most} requests at once\n"),
            Refusal::TenantWaiting(most) => format!("{most} requests wait for the tenant\n"),
            Refusal::TenantMemory(most) => format!("the tenant has {most} bytes of memory\n"),
            Refusal::TenantPlaces(here) => {
                format!(
                    "the tenant has {here} requests here, and what is left is kept for others\n"
                )
            }
        };
        Self {
            status: Status::TooManyRequests,
            text,
            retry_after_s: Some(match refusal {
                Refusal::NoTime { retry_after_s } => retry_after_s,
                _ => 1,
            }),
            lacks: match refusal {
                Refusal::RouteAtOnce(_) => Some(Lacks::OfRoute(function.id)),
                Refusal::TenantAtOnce(_) | Refusal::TenantMemory(_) | Refusal::TenantPlaces(_) => {
                    Some(Lacks::OfTenant)
                }
                _ => None,
            },
        }
    }

    /// The function of a request was removed while its body came.
    fn without_function(path: &str) -> Self {
        count_host_answer(Status::NotFound);
        Self {
            status: Status::NotFound,
            text: format!("there is no function at {path:.200} any more\n"),
            retry_after_s: None,
            lacks: None,
        }
    }

    /// The function was replaced while the body came, and that is longer than it may be now.
    fn by_new_limit(most: u64) -> Self {
        Self {
            status: Status::ContentTooLarge,
            text: format!("the function takes {most} bytes now\n"),
            retry_after_s: None,
            lacks: None,
        }
    }

    pub(super) fn by_sandboxes(refused: sandbox::Refused) -> Self {
        match refused {
            sandbox::Refused::NoRoom => Self {
                status: Status::ServiceUnavailable,
                text: "there is no room for another sandbox now\n".into(),
                retry_after_s: Some(1),
                lacks: Some(Lacks::Room),
            },
        }
    }
}

impl Call {
    pub(super) fn new(function: Arc<Function>, head: Head) -> Self {
        Self {
            function,
            arguments: head.arguments,
            is_head: head.method == Method::Head,
            version: head.version,
            persistence: head.persistence,
        }
    }

    pub(super) fn body_limit(&self) -> u64 {
        self.function.limits.request
    }

    /// Why it would be refused now, whatever its body. To be asked before a body is taken that is long, or that the
    /// client holds back until it is asked for it.
    pub(super) fn refused_already(&self, now: Instant) -> Option<Refused> {
        let refusal = admission::refuse_early(self.function.id, now)?;
        let refused = Refused::by_admission(&self.function, refusal);
        count(&self.function, refused.status);
        Some(refused)
    }

    /// What answers for its path now that all of it is here: so it is let in by the terms of the program that
    /// runs. The table of this turn of the server may be older than a deployment in the same turn.
    pub(super) fn function_now(&self, body: &[u8]) -> Result<Arc<Function>, Refused> {
        let Function { port, route, .. } = &*self.function;
        let function = functions::table().lookup(*port, route).cloned();
        let function = function.ok_or_else(|| Refused::without_function(route))?;
        let most = function.limits.request;
        if body.len() as u64 > most {
            count(&function, Status::ContentTooLarge);
            return Err(Refused::by_new_limit(most));
        }
        Ok(function)
    }

    /// The same call, of which only what an answer needs stays here.
    pub(super) fn take(&mut self) -> Self {
        Self {
            function: self.function.clone(),
            arguments: mem::take(&mut self.arguments),
            ..*self
        }
    }

    pub(super) fn persistence(&self) -> Persistence {
        self.persistence
    }

    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }
}

impl Exchange {
    /// Lets the call of `function` in, which `arrived` whole, and makes a sandbox for its `program`.
    ///
    /// # Errors
    /// What to tell the client instead.
    pub(super) fn start(
        call: Call,
        function: Arc<Function>,
        program: Arc<dyn Workload>,
        body: Body,
        arrived: Instant,
        date: Option<Date>,
    ) -> Result<Self, Refused> {
        let Call {
            arguments,
            is_head,
            version,
            persistence,
            ..
        } = call;
        let body_bytes = body.memory_bytes();
        let sandbox = admission::admit(function.id, arrived, Instant::now())
            .map_err(|refusal| Refused::by_admission(&function, refusal))
            .and_then(|ticket| {
                let request = function.request(program, arguments, body, Some(ticket));
                sandbox::submit(request, arrived).map_err(Refused::by_sandboxes)
            })
            .inspect_err(|refused| count(&function, refused.status))?;
        let answer = match is_head {
            true => Answer::Counted { bytes: 0 },
            false => Answer::Held {
                buffers: Vec::new(),
                bytes: 0,
            },
        };
        Ok(Self {
            sandbox,
            function,
            answer,
            body_bytes,
            persistence,
            date,
            version,
        })
    }

    /// Nobody waits for the answer any more.
    pub(super) fn cancel(&self) {
        self.sandbox.cancel();
    }

    /// The client takes the answer too slowly.
    pub(super) fn give_reader_up(&self) {
        self.sandbox.give_reader_up();
    }

    /// Whether it has what another request lacks that came to the same `port`.
    pub(super) fn has(&self, lacks: Lacks, is_same_port: bool) -> bool {
        match lacks {
            Lacks::Room => true,
            Lacks::OfTenant => is_same_port,
            Lacks::OfRoute(route) => self.function.id == route,
        }
    }

    /// Whether a part of the answer is out.
    pub(super) fn is_committed(&self) -> bool {
        matches!(self.answer, Answer::Committed(_))
    }

    /// Bytes of memory that the request's body takes, which the sandbox holds.
    pub(super) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Moves output on, and ends the answer once the sandbox has ended.
    pub(super) fn go_on(&mut self, outgoing: &mut Outgoing, date: Option<Date>) -> Progress {
        self.date = date;
        self.take_output(outgoing);
        match self.sandbox.outcome() {
            Some(outcome) if self.sandbox.output_queued() == 0 => self.end(outcome, outgoing),
            _ => Progress::Running,
        }
    }

    fn take_output(&mut self, outgoing: &mut Outgoing) {
        while outgoing.queued_bytes() < WINDOW_BYTES {
            // A client that waits gets a little at once; but nothing is piled up in small pieces.
            let at_once = matches!(self.answer, Answer::Committed(_)) && outgoing.is_empty();
            if !at_once && !self.sandbox.output_is_gathered() {
                return;
            }
            let Some(buffer) = self.sandbox.take_output() else {
                return;
            };
            match &mut self.answer {
                Answer::Counted { bytes } => *bytes += buffer.len() as u64,
                Answer::Committed(framing) => push(outgoing, *framing, buffer),
                Answer::Held { buffers, bytes } => {
                    *bytes += buffer.len();
                    buffers.push(buffer);
                    if *bytes > WINDOW_BYTES {
                        self.commit(outgoing);
                    }
                }
            }
        }
    }

    /// From here on the status is 200.
    fn commit(&mut self, outgoing: &mut Outgoing) {
        let framing = match self.version {
            Version::Http11 => Framing::Chunked,
            Version::Http10 => {
                self.persistence = Persistence::Close;
                Framing::UntilClose
            }
        };
        let held = mem::replace(&mut self.answer, Answer::Committed(framing));
        let response = Response {
            framing,
            ..self.response(Status::Ok, 0)
        };
        outgoing.push(response.encode(0));
        if let Answer::Held { buffers, .. } = held {
            buffers
                .into_iter()
                .for_each(|buffer| push(outgoing, framing, buffer));
        }
    }

    /// The sandbox has ended and its output is taken.
    fn end(&mut self, outcome: Outcome, outgoing: &mut Outgoing) -> Progress {
        count(
            &self.function,
            match self.answer {
                Answer::Committed(_) => Status::Ok,
                _ => self.status(outcome),
            },
        );
        match mem::replace(&mut self.answer, Answer::Counted { bytes: 0 }) {
            Answer::Committed(framing) => return self.end_stream(outcome, framing, outgoing),
            Answer::Counted { bytes } => self.answer_with(outcome, bytes, Vec::new(), outgoing),
            Answer::Held { buffers, bytes } => {
                match words::of(&self.function, &self.sandbox, outcome, bytes) {
                    None => self.answer_with(outcome, bytes as u64, buffers, outgoing),
                    Some(text) => self.say(outcome, text, outgoing),
                }
            }
        }
        Progress::Answered(self.persistence)
    }

    fn answer_with(
        &self,
        outcome: Outcome,
        bytes: u64,
        buffers: Vec<Vec<u8>>,
        outgoing: &mut Outgoing,
    ) {
        let response = Response {
            outcome: Some(&outcome),
            timing: Some(self.timing()),
            ..self.response(self.status(outcome), bytes)
        };
        outgoing.push(response.encode(0));
        buffers.into_iter().for_each(|buffer| outgoing.push(buffer));
    }

    /// The host speaks in the function's place.
    fn say(&self, outcome: Outcome, text: String, outgoing: &mut Outgoing) {
        let response = Response {
            persistence: self.persistence,
            date: self.date,
            kept: kept::fields(),
            outcome: Some(&outcome),
            timing: Some(self.timing()),
            ..Response::text(status_of(outcome), text.len())
        };
        outgoing.push(response.encode(0));
        outgoing.push(text.into_bytes());
    }

    fn end_stream(&self, outcome: Outcome, framing: Framing, outgoing: &mut Outgoing) -> Progress {
        if self.sandbox.is_success(outcome) {
            if framing == Framing::Chunked {
                outgoing.push(Response::end_of_chunks(&outcome, self.timing()));
            }
            return Progress::Answered(self.persistence);
        }
        log::warn!(
            "sandbox {} ({}): {outcome} after its answer was begun, which is broken off",
            self.sandbox.id(),
            self.function.name,
        );
        match framing {
            // The last chunk is missing, so an orderly end is enough.
            Framing::Chunked | Framing::ChunkedAlone => Progress::Answered(Persistence::Close),
            Framing::UntilClose | Framing::Length(_) => Progress::Broken,
        }
    }

    fn response(&self, status: Status, bytes: u64) -> Response<'_> {
        Response {
            content_type: &self.function.content_type,
            framing: Framing::Length(bytes),
            persistence: self.persistence,
            date: self.date,
            kept: kept::fields(),
            ..Response::text(status, 0)
        }
    }

    /// The status of an answer that is not begun.
    fn status(&self, outcome: Outcome) -> Status {
        match self.sandbox.is_success(outcome) {
            true => Status::Ok,
            false => status_of(outcome),
        }
    }

    fn timing(&self) -> ServerTiming {
        let times = self.sandbox.times();
        ServerTiming {
            queue_ns: times.queued_ns,
            run_ns: times.run_ns,
        }
    }
}

pub(super) fn push(outgoing: &mut Outgoing, framing: Framing, buffer: Vec<u8>) {
    match framing {
        Framing::Chunked | Framing::ChunkedAlone => outgoing.push_chunk(buffer),
        Framing::UntilClose | Framing::Length(_) => outgoing.push(buffer),
    }
}

/// A request for the function is answered with this status.
pub(super) fn count(function: &Function, status: Status) {
    admission::meter(function.id).answered(status.code());
}

/// The status of a failure.
pub(super) fn status_of(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Exit(_)
        | Outcome::Trap(_)
        | Outcome::NoResponseFile
        | Outcome::ResponseTooLong => Status::InternalServerError,
        Outcome::OverDeadline | Outcome::OverBudget => Status::GatewayTimeout,
        Outcome::Cancelled | Outcome::SlowReader => Status::ServiceUnavailable,
    }
}
