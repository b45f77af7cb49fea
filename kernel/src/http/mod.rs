//! The server: connections to requests, requests to sandboxes, output to responses.
//!
//! [`start`] takes the network, [`poll`] lets everything go on that can, once, and says when it wants
//! to be called again. Each connection is a [`client::Client`], a state machine around
//! `luge_http::Connection`; a function that runs for it is an [`exchange::Exchange`], one whose module is not
//! ready yet a [`waiting::Waiting`], a module that
//! somebody deploys an [`admin::Deployment`].
//!
//! Neither waits: a sandbox that has ended or has written something asks the dispatcher for
//! attention, as the network card's interrupt does.
//!
//! Only those clients are stepped that have something to do ([`clients`]).
//!
//! Invariant: a client is stepped by `poll` alone, so whatever a step finds stays so until it ends.

#![deny(unsafe_code)]

mod admin;
mod client;
mod clients;
mod exchange;
mod fate;
mod kept;
mod pages;
pub mod readers;
mod waiting;
mod words;
mod work;
mod writing;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use log::warn;
use luge_http::{Date, Holder, Status, Yields, who_yields};
use luge_metrics::{Counters, STATUSES, count_status};
use luge_spec::command_line::Options;

use crate::arch::lock::Lock;
use crate::arch::paging::PAGE_BYTES;
use crate::arch::time::{Instant, earlier, wall_clock_ns};
use crate::functions::Table;
use crate::mm::{self, idle};
use crate::net::{NoNetwork, Stack};
use client::Client;
use clients::Clients;
use fate::Fate;
use readers::Lacks;
use writing::Turns;

/// Everything that the server has.
struct Server {
    stack: Stack,
    clients: Clients,
    /// Who may have to make room, while that is found out. Room for all.
    holders: Vec<Holder>,
    clock: Clock,
    /// Where the pages are that tell of all tenants.
    operator_port: u16,
    /// Under which names a browser may ask for these.
    operator_hosts: Vec<String>,
    /// How many bytes of request bodies may be in memory at once.
    body_room: usize,
    /// Who of those who wait for a part of a page gets one.
    turns: Turns,
    /// When all connections were last looked at.
    polled_at: Instant,
    /// How many functions ran when that was done.
    running: usize,
    /// What whoever deploys must know; if there is none, nobody can.
    admin_token: Option<String>,
}

/// While several functions run, what happens on connections is gathered for this long: each look at
/// them costs the same, whether one or ten have news.
const GATHER_NS: u64 = 200_000;

/// How soon it is looked again who is slow, while somebody waits for room for a body.
const ROOM_RETRY_NS: u64 = 100_000_000;

/// Of all memory, one part in so many is for request bodies at most: the rest is for sandboxes.
const BODY_SHARE: usize = 4;

/// Answers in which no function had a part, by status.
pub static HOST_ANSWERS: Counters<{ STATUSES.len() }> = Counters::new();
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
static WAITING: AtomicUsize = AtomicUsize::new(0);

static SERVER: Lock<Option<Server>> = Lock::new(None);

/// A wall clock below this has not been set. 2001-09-09.
const CLOCK_IS_SET_S: u64 = 1_000_000_000;

const SECOND_NS: u64 = 1_000_000_000;

/// The date for response heads, made once a second.
struct Clock {
    unix_s: u64,
    date: Option<Date>,
}

/// What a client's step may look at.
struct Surroundings<'a> {
    now: Instant,
    table: &'a Table,
    date: Option<Date>,
    admin_token: Option<&'a str>,
    /// Where the pages are that tell of all tenants.
    operator_port: u16,
    operator_hosts: &'a [String],
    /// How many bytes of request bodies may still be taken in, for all clients together.
    body_room: Cell<usize>,
    /// How many those are while there are none.
    all_body_room: usize,
    turns: &'a Turns,
    /// How many clients have sent a part of a body.
    parts_of_bodies: usize,
    /// Whether somebody waits for the room that one of these takes.
    wants_body_room: Cell<bool>,
    /// What a request lacked that was refused for it, and the port that it came to.
    lacks: Cell<Option<(Lacks, u16)>>,
}

impl Surroundings<'_> {
    /// Whether a browser that knows the machine by this name may have the operator's pages.
    fn is_operators_host(&self, name: &str) -> bool {
        let mut names = self.operator_hosts.iter();
        names.any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name))
    }

    /// Whether there will be more room for bodies, since one that another client sends will have come or be given up.
    /// `has_part` says whether who asks is one of these clients.
    fn waits_for_body_room(&self, has_part: bool) -> bool {
        let waits = self.parts_of_bodies > usize::from(has_part);
        self.wants_body_room
            .set(waits || self.wants_body_room.get());
        waits
    }
}

/// How many connections are open.
pub fn connections() -> usize {
    CONNECTIONS.load(Relaxed)
}

/// How many of them wait for their clients to send something, and cost nothing meanwhile.
pub fn waiting_connections() -> usize {
    WAITING.load(Relaxed)
}

/// The host itself answers with this status.
fn count_host_answer(status: Status) {
    count_status(&HOST_ANSWERS, status.code());
}

/// Starts listening on the ports of tenants, and on that for the operator's pages.
///
/// # Errors
/// [`NoNetwork`]; the kernel can go on without, and [`poll`] does nothing.
pub fn start(options: &Options, ports: &[u16], now: Instant) -> Result<(), NoNetwork> {
    let first = ports.first().copied().unwrap_or(options.port);
    let operator_port = options.operator_port.unwrap_or(first);
    if options.operator_port.is_none() && ports.len() > 1 {
        warn!(
            "whoever reaches :{first} reads what all tenants count, log and fail with; operator_port=PORT keeps that apart"
        );
    }
    let mut ports = ports.to_vec();
    let of_its_own = (!ports.contains(&operator_port)).then_some(operator_port);
    ports.extend(of_its_own);
    kept::start(options.keepalive_timeout_s);
    readers::start(u64::from(options.answer_timeout_s) * SECOND_NS);
    let stack = Stack::start(options, &ports, of_its_own, now)?;
    let clients = Clients::new(stack.sockets());
    let holders = Vec::with_capacity(stack.sockets());
    let clock = Clock {
        unix_s: 0,
        date: None,
    };
    let body_room = mm::statistics().frames_total * PAGE_BYTES as usize / BODY_SHARE;
    *SERVER.lock() = Some(Server {
        stack,
        clients,
        holders,
        clock,
        operator_port,
        operator_hosts: options.operator_hosts.clone(),
        body_room,
        turns: Turns::new(now),
        polled_at: now,
        running: 0,
        admin_token: options.admin_token.clone(),
    });
    Ok(())
}

/// Takes in what has arrived, lets every connection go on, sends what is due.
///
/// Returns when it wants to be called again at the latest; `None` if only an event can bring news.
pub fn poll(now: Instant, table: &Table) -> Option<Instant> {
    let mut server = SERVER.lock();
    let server = server.as_mut()?;
    let due_at = server.polled_at.plus_ns(GATHER_NS);
    if now < due_at && server.running > 1 {
        server.stack.hush();
        return Some(due_at);
    }
    server.polled_at = now;
    server.poll(now, table)
}

impl Server {
    fn poll(&mut self, now: Instant, table: &Table) -> Option<Instant> {
        let clients = &mut self.clients;
        self.stack.receive_packets(now, |place| clients.wake(place));
        while let Some(link) = self.stack.accept() {
            self.clients.add(link, now);
        }
        self.clients.wake_due(now);
        self.make_room(now);
        CONNECTIONS.store(self.clients.count(), Relaxed);
        let bodies: usize = self.clients.awake().map(Client::body_bytes).sum();
        let parts_of_bodies = match bodies {
            0 => 0,
            _ => {
                let clients = self.clients.awake();
                clients.filter(|client| client.has_part_of_body()).count()
            }
        };
        let waiting = self.clients.awake().filter_map(Client::waits_with);
        self.turns.call(now, waiting);
        let around = Surroundings {
            now,
            table,
            date: self.clock.date(),
            admin_token: self.admin_token.as_deref(),
            operator_port: self.operator_port,
            operator_hosts: &self.operator_hosts,
            body_room: Cell::new(self.body_room.saturating_sub(bodies)),
            all_body_room: self.body_room,
            turns: &self.turns,
            parts_of_bodies,
            wants_body_room: Cell::new(false),
            lacks: Cell::new(None),
        };
        let mut next = None;
        let mut index = 0;
        self.running = 0;
        while let Some(client) = self.clients.nth_awake(index) {
            match client.step(&mut self.stack, &around) {
                Fate::Stay(until) if client.rests() => self.clients.rest(index, until),
                Fate::Stay(until) => {
                    self.running += usize::from(client.is_running());
                    next = earlier(next, until);
                    index += 1;
                }
                Fate::Close => {
                    let link = self.clients.remove(index).leave();
                    self.stack.close(link, now);
                }
                Fate::Abort => {
                    let link = self.clients.remove(index).leave();
                    self.stack.abort(link, now);
                }
            }
        }
        CONNECTIONS.store(self.clients.count(), Relaxed);
        WAITING.store(self.clients.resting(), Relaxed);
        next = earlier(next, self.clients.wake_at());
        let lacks = around.lacks.get();
        if around.wants_body_room.get() {
            next = earlier(next, Some(self.make_body_room(now)));
        }
        if let Some((lacks, port)) = lacks {
            next = earlier(next, self.make_sandbox_room(lacks, port, now));
        }
        let call_at = self.turns.next_call();
        let mut clients = self.clients.awake();
        if clients.any(|client| client.waits_with().is_some()) {
            next = earlier(next, Some(call_at));
        }
        earlier(next, self.stack.send_packets(now))
    }

    /// Gives clients up while there are too few sockets for whoever comes next, or the kernel is short of memory.
    fn make_room(&mut self, now: Instant) {
        let is_short = self.clients.count() > self.running && idle::is_kernel_short();
        let lacking = self.stack.lacking().max(usize::from(is_short));
        if lacking == 0 {
            return;
        }
        self.find_holders(|client, stack| (1, client.yields(stack, now)));
        for _ in 0..lacking {
            match who_yields(&mut self.holders) {
                Some(place) => self.clients.give_up(place),
                None => return,
            }
        }
    }

    /// Gives up who has a part of a body and can make room for others. Says when to look again.
    fn make_body_room(&mut self, now: Instant) -> Instant {
        self.find_holders(|client, stack| (client.body_bytes(), client.yields_body(stack, now)));
        match who_yields(&mut self.holders) {
            Some(place) => {
                self.clients.give_up(place);
                now
            }
            // All of them may still turn out to be fast.
            None => now.plus_ns(ROOM_RETRY_NS),
        }
    }

    /// Gives up a client that takes its answer slowly, and whose sandbox has what a request to `port` lacked. When to step
    /// it.
    fn make_sandbox_room(&mut self, lacks: Lacks, port: u16, now: Instant) -> Option<Instant> {
        self.find_holders(|client, _| {
            let yields = client.yields_sandbox(lacks, port, now);
            (usize::from(yields.is_some()), yields)
        });
        let place = who_yields(&mut self.holders)?;
        self.clients.give_up(place);
        Some(now)
    }

    /// Notes of each client how much it takes of what there is need of, and whether it can make room.
    fn find_holders(&mut self, look: impl Fn(&Client, &Stack) -> (usize, Option<Yields>)) {
        self.holders.clear();
        for (place, client) in self.clients.all() {
            let (takes, yields) = look(client, &self.stack);
            self.holders.push(client.holder(place, takes, yields));
        }
    }
}

impl Clock {
    fn date(&mut self) -> Option<Date> {
        let unix_s = wall_clock_ns() / 1_000_000_000;
        if unix_s != self.unix_s {
            self.unix_s = unix_s;
            self.date = (unix_s >= CLOCK_IS_SET_S).then(|| Date::from_unix_s(unix_s));
        }
        self.date
    }
}
