//! What one run has beside its memory, in either engine.

use core::fmt;

use luge_sandbox::Outcome;
use luge_wasi::{Context, Exit, Function};

use super::limiter::Limiter;
use crate::observe::steps::Step;
use crate::sandbox::{Current, EndNow, gate, gate_for};
use crate::wasi::Outside;

/// What one run has; `M` is the engine's handle of a linear memory.
pub(super) struct State<M> {
    pub(super) wasi: Context<Outside>,
    /// The guest's memory, once it has been looked up.
    pub(super) memory: Option<M>,
    pub(super) limiter: Limiter,
}

/// The error by which a host call has the engine return: the sandbox ends so.
#[derive(Clone, Copy, Debug)]
pub(super) struct End(pub(super) Outcome);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for End {}

impl<M> State<M> {
    /// The state at the start of a run.
    pub(super) fn new(sandbox: Current) -> Self {
        let limit = usize::try_from(sandbox.memory_limit()).unwrap_or(usize::MAX);
        Self {
            wasi: Context::new(Outside::new(sandbox)),
            memory: None,
            limiter: Limiter::new(limit),
        }
    }

    /// The state at the start of a run in an instance that may be an earlier sandbox's: this one is spoken to
    /// from now on.
    pub(super) fn begin(&mut self, sandbox: Current) {
        // The arena is as it was before the earlier sandbox's first call.
        self.wasi.begin(Outside::new(sandbox));
    }

    /// Carries out a guest's call, as the kernel, on the bytes of its memory. Gives the errno.
    ///
    /// # Errors
    /// [`End`] if the sandbox is to end.
    pub(super) fn call(
        &mut self,
        function: Function,
        bytes: &mut [u8],
        arguments: &[u64],
    ) -> Result<u32, End> {
        let step = Step::call(function);
        match gate_for(step, || self.wasi.call(function, bytes, arguments)) {
            Ok(Ok(errno)) => Ok(errno.code()),
            Ok(Err(Exit(code))) => Err(End(Outcome::Exit(code))),
            Err(EndNow(outcome)) => Err(End(outcome)),
        }
    }

    /// The run has ended so: says what has not been said, and answers with the file that is the response.
    /// Gives how the sandbox ends.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Outcome {
        if !self.wasi.is_to_be_finished() && !self.wasi.host().is_answered_by_file(outcome) {
            return outcome;
        }
        match gate(|| self.finish_inside(outcome)) {
            Ok(outcome) => outcome,
            // Too little stack for this one means no last line in the log, and the outcome stands; but without
            // the file there is no answer.
            Err(EndNow(end)) if self.wasi.host().is_answered_by_file(outcome) => end,
            Err(EndNow(_)) => outcome,
        }
    }

    fn finish_inside(&mut self, outcome: Outcome) -> Outcome {
        self.wasi.finish();
        let most = self.wasi.host().output_limit();
        if !self.wasi.host().is_answered_by_file(outcome) {
            return outcome;
        }
        match self.wasi.respond(most) {
            Ok(()) => outcome,
            Err(why) => {
                self.wasi.host().say_no_response(why);
                Outcome::NoResponseFile
            }
        }
    }
}
