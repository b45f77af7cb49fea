//! What a request is for, and what is done for it: a function runs, once its module is ready, or a module is deployed.

use luge_http::{Date, Outgoing, Persistence};

use super::admin::{Deployment, Upload};
use super::exchange::{Call, Exchange, Progress, Refused};
use super::readers::Lacks;
use super::waiting::{Next, Waiting};
use crate::arch::time::Instant;
use crate::mm::bodies::Body;

/// What the body that is being received is for.
pub(super) enum Purpose {
    Call(Call),
    Upload(Upload),
}

/// What is being done.
pub(super) enum Work {
    Waiting(Waiting),
    Exchange(Exchange),
    Deployment(Deployment),
}

impl Purpose {
    /// The longest body that is taken, in bytes.
    pub(super) fn body_limit(&self) -> u64 {
        match self {
            Self::Call(call) => call.body_limit(),
            Self::Upload(_) => Upload::LARGEST,
        }
    }

    pub(super) fn persistence(&self) -> Persistence {
        match self {
            Self::Call(call) => call.persistence(),
            Self::Upload(upload) => upload.persistence(),
        }
    }

    /// Why it would not be let in if its body was here already, if that is so.
    pub(super) fn refused_already(&self, now: Instant) -> Option<Refused> {
        match self {
            Self::Call(call) => call.refused_already(now),
            Self::Upload(_) => None,
        }
    }

    /// The body is here, since `arrived`.
    ///
    /// # Errors
    /// What to tell the client instead.
    pub(super) fn start(
        self,
        body: Body,
        arrived: Instant,
        date: Option<Date>,
    ) -> Result<Work, Refused> {
        match self {
            Self::Call(call) => Work::call(call, body, arrived, date),
            Self::Upload(upload) => Deployment::start(upload, body).map(Work::Deployment),
        }
    }
}

impl Work {
    /// Nobody waits for the answer any more.
    pub(super) fn cancel(&self) {
        match self {
            Self::Waiting(_) => {}
            Self::Exchange(exchange) => exchange.cancel(),
            Self::Deployment(deployment) => deployment.cancel(),
        }
    }

    /// The client takes the answer too slowly.
    pub(super) fn give_reader_up(&self) {
        match self {
            Self::Waiting(_) => {}
            Self::Exchange(exchange) => exchange.give_reader_up(),
            Self::Deployment(deployment) => deployment.cancel(),
        }
    }

    /// Whether a sandbox runs for it that has what another request lacks.
    pub(super) fn has(&self, lacks: Lacks, is_same_port: bool) -> bool {
        matches!(self, Self::Exchange(exchange) if exchange.has(lacks, is_same_port))
    }

    /// Whether a part of the answer has been queued.
    pub(super) fn is_answering(&self) -> bool {
        matches!(self, Self::Exchange(exchange) if exchange.is_committed())
    }

    /// Bytes of memory that the request's body takes.
    pub(super) fn body_bytes(&self) -> usize {
        match self {
            Self::Waiting(waiting) => waiting.body_bytes(),
            Self::Exchange(exchange) => exchange.body_bytes(),
            Self::Deployment(deployment) => deployment.body_bytes(),
        }
    }

    /// Moves what there is to say to the connection.
    pub(super) fn go_on(&mut self, outgoing: &mut Outgoing, date: Option<Date>) -> Progress {
        match self {
            Self::Waiting(waiting) => match waiting.go_on(outgoing, date) {
                Next::Waits => Progress::Running,
                Next::Answered(progress) => progress,
                Next::Runs(exchange) => {
                    *self = Self::Exchange(exchange);
                    self.go_on(outgoing, date)
                }
            },
            Self::Exchange(exchange) => exchange.go_on(outgoing, date),
            Self::Deployment(deployment) => deployment.go_on(outgoing, date),
        }
    }

    /// When it has to be looked at again, if nothing happens before.
    pub(super) fn until(&self) -> Option<Instant> {
        match self {
            Self::Waiting(waiting) => Some(waiting.until()),
            Self::Exchange(_) | Self::Deployment(_) => None,
        }
    }
}
