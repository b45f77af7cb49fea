//! Every state with every event, and the time between them.

use luge_sandbox::{Counters, Event, IllegalTransition, Life, Outcome, State, Times, Wait};
use luge_trap::Trap;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const EXIT: Outcome = Outcome::Exit(3);
const OUTPUT: Wait = Wait::Output;
const SLEEP: Wait = Wait::Until(900);

const STATES: [State; 9] = [
    State::Queued,
    State::Running,
    State::Blocked(OUTPUT),
    State::Blocked(SLEEP),
    State::Ended(EXIT),
    State::Ended(Outcome::Trap(Trap::Unreachable)),
    State::Ended(Outcome::OverDeadline),
    State::Ended(Outcome::OverBudget),
    State::Ended(Outcome::Cancelled),
];

const EVENTS: [Event; 12] = [
    Event::Dispatched,
    Event::Preempted,
    Event::Blocked(OUTPUT),
    Event::Blocked(SLEEP),
    Event::Woken,
    Event::Finished(EXIT),
    Event::Finished(Outcome::Trap(Trap::StackOverflow)),
    Event::DeadlinePassed,
    Event::BudgetUsedUp,
    Event::Cancelled,
    Event::WroteTooMuch,
    Event::ReaderGivenUp,
];

/// One row per event of [`EVENTS`], one column per state of [`STATES`]; None is illegal. What
/// follows an end is always illegal, so the last five columns are left away.
const TABLE: [[Option<State>; 4]; 12] = {
    const QUEUED: Option<State> = Some(State::Queued);
    const RUNNING: Option<State> = Some(State::Running);
    const WAITING: Option<State> = Some(State::Blocked(OUTPUT));
    const ASLEEP: Option<State> = Some(State::Blocked(SLEEP));
    const LEFT: Option<State> = Some(State::Ended(EXIT));
    const TRAPPED: Option<State> = Some(State::Ended(Outcome::Trap(Trap::StackOverflow)));
    const LATE: Option<State> = Some(State::Ended(Outcome::OverDeadline));
    const SPENT: Option<State> = Some(State::Ended(Outcome::OverBudget));
    const GONE: Option<State> = Some(State::Ended(Outcome::Cancelled));
    const LONG: Option<State> = Some(State::Ended(Outcome::ResponseTooLong));
    const SLOW: Option<State> = Some(State::Ended(Outcome::SlowReader));
    // In the state: Queued, Running, Blocked(Output), Blocked(Until).
    [
        [RUNNING, None, None, None],
        [None, QUEUED, None, None],
        [None, WAITING, None, None],
        [None, ASLEEP, None, None],
        [None, None, QUEUED, QUEUED],
        [None, LEFT, None, None],
        [None, TRAPPED, None, None],
        [LATE, LATE, LATE, LATE],
        [SPENT, SPENT, SPENT, SPENT],
        [GONE, GONE, GONE, GONE],
        [LONG, LONG, LONG, LONG],
        [SLOW, SLOW, SLOW, SLOW],
    ]
};

#[test]
fn every_event_in_every_state_has_the_answer_of_the_table() {
    for (event, row) in EVENTS.into_iter().zip(TABLE) {
        for (index, from) in STATES.into_iter().enumerate() {
            let expected = row.get(index).copied().flatten();
            let expected = expected.ok_or(IllegalTransition { from, event });
            assert_eq!(from.after(event), expected, "{event:?} in {from:?}");
        }
    }
}

/// A life that has seen the events, one nanosecond apart.
fn life_after(events: &[Event]) -> Life {
    let mut life = Life::new(0);
    for (now, event) in (1..).zip(events) {
        life.apply(*event, now)
            .expect("the test tells a possible life");
    }
    life
}

#[test]
fn an_illegal_event_changes_nothing() {
    let mut life = life_after(&[Event::Dispatched]);
    let before = (life.state(), life.times(50), life.counters());
    let error = life.apply(Event::Woken, 10).expect_err("it is not blocked");
    assert_eq!(
        error,
        IllegalTransition {
            from: State::Running,
            event: Event::Woken
        }
    );
    assert_eq!(error.to_string(), "Woken cannot follow Running");
    assert_eq!((life.state(), life.times(50), life.counters()), before);
}

#[test]
fn the_first_end_is_the_one_that_counts() {
    let mut life = life_after(&[Event::Dispatched, Event::Finished(EXIT)]);
    assert!(life.apply(Event::Cancelled, 5).is_err());
    assert!(life.apply(Event::DeadlinePassed, 6).is_err());
    assert_eq!(life.outcome(), Some(EXIT));
}

#[test]
fn time_is_accounted_to_the_state_it_was_spent_in() {
    let mut life = Life::new(1000);
    let told = [
        (Event::Dispatched, 1010),
        (Event::Preempted, 1030),
        (Event::Dispatched, 1070),
        (Event::Blocked(SLEEP), 1150),
        (Event::Woken, 1310),
        (Event::Dispatched, 1311),
        (Event::Finished(EXIT), 1313),
    ];
    for (event, now) in told {
        assert!(life.apply(event, now).is_ok());
    }
    let times = Times {
        queued_ns: 10 + 40 + 1,
        run_ns: 20 + 80 + 2,
        blocked_ns: 160,
        reader_ns: 0,
        total_ns: 313,
    };
    assert_eq!(life.times(1313), times);
    assert_eq!(
        life.times(u64::MAX),
        times,
        "a life that is over gets no older"
    );
    assert_eq!(
        life.counters(),
        Counters {
            dispatches: 3,
            preemptions: 1,
            waits: 1
        }
    );
}

#[test]
fn the_present_state_counts_up_to_now() {
    let life = life_after(&[Event::Dispatched]);
    let times = life.times(101);
    assert_eq!(
        (times.queued_ns, times.run_ns, times.total_ns),
        (1, 100, 101)
    );
}

#[test]
fn only_waiting_for_its_client_is_waiting_for_its_client() {
    let mut life = life_after(&[Event::Dispatched, Event::Blocked(SLEEP), Event::Woken]);
    assert_eq!((life.times(9).blocked_ns, life.times(9).reader_ns), (1, 0));
    for (event, now) in [(Event::Dispatched, 10), (Event::Blocked(OUTPUT), 20)] {
        assert!(life.apply(event, now).is_ok());
    }
    let times = life.times(50);
    assert_eq!((times.blocked_ns, times.reader_ns), (31, 30));
    assert!(life.apply(Event::Woken, 60).is_ok());
    assert_eq!(life.times(70).reader_ns, 40, "it waits no more");
}

#[test]
fn a_clock_that_steps_back_takes_no_time_away() {
    let mut life = Life::new(100);
    assert!(life.apply(Event::Dispatched, 150).is_ok());
    assert!(life.apply(Event::Preempted, 140).is_ok());
    assert_eq!(
        life.times(120),
        Times {
            queued_ns: 50,
            total_ns: 50,
            ..Times::default()
        }
    );
    assert_eq!(life.times(160).queued_ns, 60);
}

#[test]
fn the_parts_of_every_random_life_add_up_to_the_whole() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..500 {
        let born = random.next_u64() >> 8;
        let (mut life, mut now, mut dispatches) = (Life::new(born), born, 0);
        while life.outcome().is_none() {
            now += random.next_u64() % 1_000_000;
            let event = EVENTS[random.next_u32() as usize % EVENTS.len()];
            let told = life.apply(event, now);
            dispatches += u32::from(told == Ok(State::Running));
            let times = life.times(now);
            assert_eq!(times.total_ns, now - born);
            assert_eq!(
                times.queued_ns + times.run_ns + times.blocked_ns,
                times.total_ns
            );
        }
        assert_eq!(life.counters().dispatches, dispatches);
    }
}

/// The byte at an offset that [`Life::LAYOUT`] names.
fn byte_at(life: &Life, name: &str) -> u8 {
    // SAFETY: the offset is that of a byte of the life that is always written.
    unsafe {
        std::ptr::from_ref(life)
            .cast::<u8>()
            .add(named(name))
            .read()
    }
}

fn word_at(life: &Life, name: &str) -> u64 {
    let place = std::ptr::from_ref(life).cast::<u8>();
    // SAFETY: as above, for a word.
    unsafe { place.add(named(name)).cast::<u64>().read_unaligned() }
}

fn named(name: &str) -> usize {
    let found = Life::LAYOUT.iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

#[test]
fn a_debugger_finds_state_and_times_where_the_layout_says() {
    let mut life = Life::new(100);
    let state = |life: &Life| usize::from(byte_at(life, "life.state"));
    assert_eq!(state(&life), named("state.queued"));
    let mut then = |event, now_ns| {
        life.apply(event, now_ns).expect("it may follow");
        life.clone()
    };
    assert_eq!(state(&then(Event::Dispatched, 150)), named("state.running"));
    let blocked = then(Event::Blocked(Wait::Output), 180);
    assert_eq!(state(&blocked), named("state.blocked on output"));
    let times = ["life.since_ns", "life.run_ns"].map(|name| word_at(&blocked, name));
    assert_eq!(times, [180, 30]);
    then(Event::Woken, 190);
    then(Event::Dispatched, 190);
    let asleep = then(Event::Blocked(Wait::Until(777)), 200);
    assert_eq!(state(&asleep), named("state.blocked until"));
    assert_eq!(word_at(&asleep, "life.until_ns"), 777);
    assert_eq!(state(&then(Event::Cancelled, 210)), named("state.ended"));
}
