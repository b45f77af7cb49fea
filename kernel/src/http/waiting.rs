//! A request for a function whose module is not ready yet.
//!
//! It waits as long as it may take when it runs, and is let in when the module is there: its deadline counts from
//! then, as it does for a body that was still on its way. Which function answers for its path is looked up
//! anew then. If the module is not ready by the end, the answer is 503 with `luge-outcome: not-ready`.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use luge_http::{Date, Outgoing, Response, Status, Storage};

use super::exchange::{Call, Exchange, Progress, Refused, count};
use super::kept;
use super::work::Work;
use crate::arch::time::Instant;
use crate::functions::{Function, loading};
use crate::mm::bodies::Body;
use crate::sched::admission;

/// How the answer of a request ends that has waited in vain.
const OUTCOME: &str = "not-ready";
/// The place of this reason in `luge_metrics::REFUSALS`.
const NOT_READY: usize = 7;

/// A request that waits.
pub(super) struct Waiting {
    call: Call,
    body: Body,
    until: Instant,
}

/// What comes next for it.
pub(super) enum Next {
    /// It waits on.
    Waits,
    /// It runs.
    Runs(Exchange),
    /// It is answered.
    Answered(Progress),
}

impl Work {
    /// Lets the call in, or has it wait for the function's module.
    ///
    /// # Errors
    /// What to tell the client instead.
    pub(super) fn call(
        call: Call,
        body: Body,
        arrived: Instant,
        date: Option<Date>,
    ) -> Result<Self, Refused> {
        let function = call.function_now(&body)?;
        if let Some(program) = function.module.program().cloned() {
            let started = Exchange::start(call, function, program, body, arrived, date);
            return started.map(Self::Exchange);
        }
        function.module.want();
        let until = Instant::now().plus_ns(function.relative_deadline_ns);
        Ok(Self::Waiting(Waiting { call, body, until }))
    }
}

impl Waiting {
    /// When it gives up.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.body.memory_bytes()
    }

    /// Looks whether the function can run now. Not to be called again once it has an answer.
    pub(super) fn go_on(&mut self, outgoing: &mut Outgoing, date: Option<Date>) -> Next {
        let started = match self.call.function_now(&self.body) {
            Err(refused) => Err(refused),
            Ok(function) => match function.module.program().cloned() {
                Some(program) => {
                    let (call, body) = (self.call.take(), core::mem::take(&mut self.body));
                    Exchange::start(call, function, program, body, Instant::now(), date)
                }
                None if Instant::now() < self.until => return Next::Waits,
                None => return Next::Answered(self.not_ready(&function, outgoing, date)),
            },
        };
        match started {
            Ok(exchange) => Next::Runs(exchange),
            Err(refused) => Next::Answered(self.say(refused, None, outgoing, date)),
        }
    }

    fn not_ready(
        &self,
        function: &Arc<Function>,
        outgoing: &mut Outgoing,
        date: Option<Date>,
    ) -> Progress {
        admission::meter(function.id).refusals.at(NOT_READY).count();
        count(function, Status::ServiceUnavailable);
        let (left, of) = loading::progress();
        let refused = Refused {
            status: Status::ServiceUnavailable,
            text: format!(
                "{} is not ready yet; modules still to be made: {left} of {of}\n",
                function.route
            ),
            retry_after_s: Some(1),
            lacks: None,
        };
        self.say(refused, Some(OUTCOME), outgoing, date)
    }

    fn say(
        &self,
        refused: Refused,
        outcome: Option<&'static str>,
        outgoing: &mut Outgoing,
        date: Option<Date>,
    ) -> Progress {
        let persistence = self.call.persistence();
        let response = Response {
            persistence,
            date,
            kept: kept::fields(),
            retry_after_s: refused.retry_after_s,
            outcome: outcome.as_ref().map(|outcome| outcome as _),
            ..Response::text(refused.status, refused.text.len())
        };
        outgoing.push(response.encode(0));
        let text = match self.call.is_head() {
            true => String::new(),
            false => refused.text,
        };
        outgoing.push(text.into_bytes());
        Progress::Answered(persistence)
    }
}
