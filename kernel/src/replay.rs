//! The replay: requests from a list on the disk, for experiments with the scheduler.
//!
//! It stands in for the network, as the batch does: the dispatcher polls it, and it lets requests in, or
//! has them refused, at the moments that `arrivals.txt` says. In QEMU's virtual time a replay gives the same
//! schedule every time. Nothing is printed before the last request is answered, since that takes time too:
//!
//! ```text
//! replay: request=0 line=1 route=/fib arrived_us=1000 took_us=2503 cpu_us=2411 late=0 end=exit 0
//! replay: request=1 line=2 route=/fib arrived_us=1500 took_us=0 cpu_us=0 late=0 end=refused
//! replay: route=/fib admitted=1 refused=1 missed=0 killed=0 preempted=2
//! replay: wall_us=4012 charged_us=2411 idle_us=1500 tickets=0
//! ```
#![deny(unsafe_code)]

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use log::error;
use luge_boot_info::exit::ExitCode;
use luge_sandbox::Outcome;
use luge_spec::{ARRIVALS_FILE, Arrival};

use crate::arch::lock::Lock;
use crate::arch::power;
use crate::arch::time::{self, Instant};
use crate::functions::{Function, loading, table};
use crate::mm::bodies::Body;
use crate::observe::logger::line;
use crate::sandbox::{self, Sandbox};
use crate::sched::{self, admission};

/// The replay begins when the clock shows a multiple of this, and no sooner than after so long, in nanoseconds.
/// However long the disk took, what the timer rounds is the same every time then, and so are the moments
/// at which the kernel measures its own share.
const GRID_NS: u64 = 100_000_000;

struct Replay {
    began: Instant,
    /// From when it was made to then.
    lead_ns: u64,
    busy_ticks: u64,
    /// Clients that wait for their moment, the next one last.
    waiting: Vec<Client>,
    running: Vec<Run>,
    records: Vec<Record>,
    /// How many are under way or done.
    requests: usize,
}

struct Client {
    at: Instant,
    line: usize,
    times: u32,
    function: Arc<Function>,
    arguments: Vec<String>,
}

struct Run {
    client: Client,
    number: usize,
    sandbox: Arc<Sandbox>,
}

/// What became of a request.
struct Record {
    number: usize,
    line: usize,
    function: Arc<Function>,
    /// After the replay began.
    arrived_ns: u64,
    took_ns: u64,
    cpu_ns: u64,
    is_late: bool,
    /// None if it was refused.
    outcome: Option<Outcome>,
}

static REPLAY: Lock<Option<Replay>> = Lock::new(None);

/// Lets the replay go on, and says when its next request comes; ends the machine when it is through.
pub fn poll(now: Instant) -> Option<Instant> {
    if !loading::is_done() {
        let next = loading::poll(now);
        if !loading::is_done() {
            return next;
        }
    }
    let mut replay = REPLAY.lock();
    let replay = replay.get_or_insert_with(|| Replay::new(now));
    replay.collect(now);
    replay.send(now);
    if replay.waiting.is_empty() && replay.running.is_empty() {
        replay.close();
    }
    replay.waiting.last().map(|client| client.at)
}

impl Replay {
    fn new(now: Instant) -> Self {
        let began = Instant::from_ns((now.as_ns() / GRID_NS + 2) * GRID_NS);
        let mut waiting =
            clients(began).unwrap_or_else(|| power::exit(ExitCode::BatchFailed.value()));
        waiting.sort_by_key(|client| core::cmp::Reverse((client.at, client.line)));
        let requests = waiting.iter().map(|client| client.times as usize).sum();
        Self {
            began,
            lead_ns: began.since(now),
            busy_ticks: sched::busy_ticks_until_now(),
            waiting,
            running: Vec::new(),
            // The time for this is not taken from the schedule.
            records: Vec::with_capacity(requests),
            requests: 0,
        }
    }

    /// Sends what is due.
    fn send(&mut self, now: Instant) {
        while let Some(client) = self.waiting.pop_if(|client| client.at <= now) {
            let number = self.requests;
            self.requests += 1;
            let arrived = client.at;
            match begin(&client) {
                Some(sandbox) => self.running.push(Run {
                    client,
                    number,
                    sandbox,
                }),
                None => {
                    self.records.push(Record {
                        number,
                        line: client.line,
                        function: client.function.clone(),
                        arrived_ns: arrived.since(self.began),
                        took_ns: Instant::now().since(arrived),
                        cpu_ns: 0,
                        is_late: false,
                        outcome: None,
                    });
                    self.again(client, now);
                }
            }
        }
    }

    /// Takes note of what has ended.
    fn collect(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(run) = self.running.get(index) {
            while run.sandbox.take_output().is_some() {}
            let Some(outcome) = run.sandbox.outcome() else {
                index += 1;
                continue;
            };
            let Run {
                client,
                number,
                sandbox,
            } = self.running.swap_remove(index);
            self.records.push(Record {
                number,
                line: client.line,
                function: client.function.clone(),
                arrived_ns: client.at.since(self.began),
                took_ns: sandbox.times().total_ns,
                cpu_ns: sandbox.charged_ns(),
                is_late: sandbox.is_late(),
                outcome: Some(outcome),
            });
            self.again(client, now);
        }
    }

    /// The client's last request was answered.
    fn again(&mut self, mut client: Client, now: Instant) {
        client.times -= 1;
        if client.times > 0 {
            client.at = now;
            let place = self.waiting.partition_point(|other| other.at > now);
            self.waiting.insert(place, client);
        }
    }

    fn close(&mut self) -> ! {
        let wall_ns = Instant::now().since(self.began);
        let busy_ticks = sched::busy_ticks_until_now() - self.busy_ticks;
        self.records.sort_by_key(|record| record.number);
        for record in &self.records {
            line(format_args!("replay: {record}"));
        }
        for function in table().functions() {
            let counts = admission::counts(function.id);
            line(format_args!(
                "replay: route={} admitted={} refused={} missed={} killed={} preempted={}",
                function.route,
                counts.admitted,
                counts.refused,
                counts.missed,
                counts.killed,
                counts.preempted
            ));
        }
        let charged_ns: u64 = self.records.iter().map(|record| record.cpu_ns).sum();
        let idle_ns = (wall_ns + self.lead_ns).saturating_sub(time::ns_of_ticks(busy_ticks));
        line(format_args!(
            "replay: wall_us={} charged_us={} idle_us={} tickets={}",
            wall_ns / 1_000,
            charged_ns / 1_000,
            idle_ns / 1_000,
            admission::out()
        ));
        power::off()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "request={} line={} route={} arrived_us={} took_us={} cpu_us={} late={} end=",
            self.number,
            self.line,
            self.function.route,
            self.arrived_ns / 1_000,
            self.took_ns / 1_000,
            self.cpu_ns / 1_000,
            u8::from(self.is_late),
        )?;
        match self.outcome {
            Some(outcome) => write!(f, "{outcome}"),
            None => f.write_str("refused"),
        }
    }
}

/// A sandbox for the client's next request, if it is let in.
fn begin(client: &Client) -> Option<Arc<Sandbox>> {
    let program = client.function.module.program()?.clone();
    let ticket = admission::admit(client.function.id, client.at, client.at).ok()?;
    let arguments = client.arguments.clone();
    let request = client
        .function
        .request(program, arguments, Body::default(), Some(ticket));
    sandbox::submit(request, client.at).ok()
}

/// The clients of the list, or none if one of them asks for what is not there.
fn clients(began: Instant) -> Option<Vec<Client>> {
    let table = table();
    let client = |(index, arrival): (usize, &Arrival)| {
        let found = table
            .functions()
            .find(|function| function.route == arrival.route);
        if found.is_none() {
            error!("{ARRIVALS_FILE}: there is no route {}", arrival.route);
        }
        Some(Client {
            at: began.plus_ns(arrival.start_us * 1_000),
            line: index + 1,
            times: arrival.times,
            function: found?.clone(),
            arguments: arrival.arguments.clone(),
        })
    };
    let list = table.arrivals();
    if list.is_empty() {
        error!("there is nothing to replay");
        return None;
    }
    list.iter().enumerate().map(client).collect()
}
