//! Machines whose counters are wrong, pause, or have a clock that lies.

use luge_clock::{Discipline, Event, Look, Reading};

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
/// The truth when the machine starts: no whole second.
const START: u64 = 1_795_964_961 * SECOND + 377_123_456;
/// What a look takes.
const LOOK: u64 = 20_000;
/// Before each second, the RTC cannot be read.
const UPDATE: u64 = 244_000;

/// A virtual machine in a world with a true time.
struct Machine {
    truth: u64,
    counter: u64,
    /// By how much the counter runs fast, in parts per billion.
    fast_ppb: i64,
    /// What the RTC adds to the truth.
    rtc_off: i64,
    is_broken: bool,
    discipline: Discipline,
    events: Vec<Event>,
    looks: u32,
    /// Says how late a look comes.
    random: u64,
    latest_look: u64,
    last_wall: u64,
}

impl Machine {
    fn new(fast_ppb: i64) -> Machine {
        let first = Look {
            before_ns: 5_000_000,
            after_ns: 5_000_000 + LOOK,
            reading: Reading::Second(START / SECOND),
        };
        Machine {
            truth: START,
            counter: first.after_ns,
            fast_ppb,
            rtc_off: 0,
            is_broken: false,
            discipline: Discipline::new(&first),
            events: Vec::new(),
            looks: 0,
            random: 1,
            latest_look: 0,
            last_wall: 0,
        }
    }

    /// Lets the truth and the counter go on.
    fn pass(&mut self, counted: u64) {
        self.counter += counted;
        let wrong = i128::from(counted) * i128::from(self.fast_ppb) / i128::from(SECOND);
        self.truth += (i128::from(counted) - wrong) as u64;
    }

    /// Up to so much, at random.
    fn some(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if most == 0 { 0 } else { self.random % most }
    }

    fn rtc(&self) -> Reading {
        let shown = self.truth.saturating_add_signed(self.rtc_off);
        if self.is_broken {
            Reading::Nonsense
        } else if shown % SECOND > SECOND - UPDATE {
            Reading::Updating
        } else {
            Reading::Second(shown / SECOND)
        }
    }

    fn look(&mut self) {
        let wait = self.discipline.next_ns().saturating_sub(self.counter);
        let late = self.some(self.latest_look);
        self.pass(wait + late);
        self.check_wall();
        let before_ns = self.counter;
        let first = self.some(LOOK);
        self.pass(first);
        let reading = self.rtc();
        self.pass(LOOK - first);
        let look = Look {
            before_ns,
            after_ns: self.counter,
            reading,
        };
        self.events.extend(self.discipline.look(&look));
        self.looks += 1;
        self.check_wall();
    }

    fn check_wall(&mut self) {
        let wall = self.wall();
        assert!(wall >= self.last_wall, "the time of day went back");
        self.last_wall = wall;
    }

    fn wall(&self) -> u64 {
        self.discipline.wall().ns(self.counter)
    }

    fn run(&mut self, ns: u64) {
        let until = self.truth + ns;
        while self.truth < until {
            self.look();
        }
    }

    /// By how much the time of day is ahead of the truth.
    fn error(&self) -> i64 {
        self.wall().cast_signed() - self.truth.cast_signed()
    }

    fn assert_right(&self, within: u64) {
        let error = self.error();
        assert!(
            error.unsigned_abs() <= within,
            "{error} ns; {:?}",
            self.events
        );
    }
}

#[test]
fn any_rate_that_calibration_may_find_is_brought_right() {
    for fast_ppb in [0, -233_000, 233_000, 5_000_000, -7_000_000] {
        for latest_look in [0, 3 * MILLISECOND] {
            let mut machine = Machine::new(fast_ppb);
            machine.latest_look = latest_look;
            machine.run(600 * SECOND);
            // 50 parts per million would be 30 ms.
            machine.assert_right(5 * MILLISECOND);
            let found = machine.discipline.rate_ppb() + fast_ppb;
            assert!(found.abs() < 50_000, "{fast_ppb}: {found} ppb off");
            assert_eq!(machine.events, []);
        }
    }
}

#[test]
fn the_end_of_a_second_is_found_within_two() {
    let mut machine = Machine::new(400_000);
    machine.run(2 * SECOND);
    machine.assert_right(20 * MILLISECOND);
}

#[test]
fn looks_are_few_once_all_is_known() {
    let mut machine = Machine::new(100_000);
    machine.run(600 * SECOND);
    let before = machine.looks;
    machine.run(600 * SECOND);
    let each_second = (machine.looks - before) / 600;
    assert!(each_second <= 8, "{each_second}");
}

#[test]
fn a_rate_that_changes_is_followed() {
    let mut machine = Machine::new(20_000);
    machine.run(600 * SECOND);
    // A host that corrects its clock does so by up to 500 parts per million.
    for fast_ppb in [520_000, -480_000, 20_000] {
        machine.fast_ppb = fast_ppb;
        machine.run(900 * SECOND);
        machine.assert_right(10 * MILLISECOND);
    }
    assert_eq!(machine.events, []);
}

#[test]
fn the_time_of_day_is_right_within_a_second_after_a_pause() {
    for pause in [
        300 * MILLISECOND,
        SECOND,
        30 * SECOND,
        60 * SECOND,
        86_400 * SECOND,
    ] {
        for at in [100, 450, 999] {
            let mut machine = Machine::new(-233_000);
            machine.run(30 * SECOND + at * MILLISECOND);
            machine.truth += pause;
            machine.run(SECOND);
            // The RTC has whole seconds: up to its next, this is as well as it can be known.
            assert!(
                (-999_000_000..=20_000_000).contains(&machine.error()),
                "{}",
                machine.error()
            );
            machine.run(SECOND + 300 * MILLISECOND);
            machine.assert_right(20 * MILLISECOND);
            machine.run(60 * SECOND);
            machine.assert_right(5 * MILLISECOND);
            let [Event::SetForward(by)] = machine.events[..] else {
                panic!("{:?}", machine.events);
            };
            assert!(by.abs_diff(pause) <= SECOND, "{by} of {pause}");
        }
    }
}

#[test]
fn a_pause_is_no_change_of_the_rate() {
    let mut machine = Machine::new(-233_000);
    machine.run(300 * SECOND);
    machine.truth += 17 * SECOND;
    machine.run(300 * SECOND);
    assert!((machine.discipline.rate_ppb() - 233_000).abs() < 50_000);
}

#[test]
fn many_short_pauses_are_made_up_for() {
    let mut machine = Machine::new(50_000);
    machine.run(20 * SECOND);
    for _ in 0..100 {
        machine.truth += 4 * MILLISECOND;
        machine.run(1_100 * MILLISECOND);
    }
    machine.run(10 * SECOND);
    machine.assert_right(20 * MILLISECOND);
}

#[test]
fn a_clock_that_goes_back_is_reported_once_and_not_followed() {
    let mut machine = Machine::new(233_000);
    machine.run(300 * SECOND);
    machine.rtc_off = -3_600 * SECOND.cast_signed();
    machine.run(300 * SECOND);
    machine.assert_right(30 * MILLISECOND);
    let [Event::WentBack(by)] = machine.events[..] else {
        panic!("{:?}", machine.events);
    };
    assert!(by.abs_diff(3_600 * SECOND) <= SECOND);
    assert!(!machine.discipline.is_trusted());
}

#[test]
fn a_clock_that_is_right_again_is_followed_again() {
    let mut machine = Machine::new(233_000);
    machine.run(100 * SECOND);
    machine.rtc_off = -90 * SECOND.cast_signed();
    machine.run(20 * SECOND);
    machine.rtc_off = 0;
    machine.run(60 * SECOND);
    assert_eq!(machine.events.last(), Some(&Event::Trusted));
    machine.truth += 30 * SECOND;
    machine.run(3 * SECOND);
    machine.assert_right(20 * MILLISECOND);
}

#[test]
fn a_clock_that_is_set_back_by_less_than_a_second_is_approached_without_going_back() {
    let mut machine = Machine::new(0);
    machine.run(30 * SECOND);
    machine.rtc_off = -400 * MILLISECOND.cast_signed();
    machine.run(100 * SECOND);
    let ahead = machine.error() + 400 * MILLISECOND.cast_signed();
    // 500 parts per million of 100 s are 50 ms.
    let left = 350 * MILLISECOND.cast_signed();
    assert!(
        (ahead - left).abs() < 10 * MILLISECOND.cast_signed(),
        "{ahead}"
    );
    assert!(
        matches!(machine.events[..], [Event::RunsSlower(_)]),
        "{:?}",
        machine.events
    );
}

#[test]
fn a_clock_that_leaps_by_years_is_reported_once_and_not_followed() {
    let mut machine = Machine::new(233_000);
    machine.run(300 * SECOND);
    machine.rtc_off = 10 * 365 * 86_400 * SECOND.cast_signed();
    machine.run(300 * SECOND);
    machine.assert_right(30 * MILLISECOND);
    assert!(
        matches!(machine.events[..], [Event::Leapt(_)]),
        "{:?}",
        machine.events
    );
}

#[test]
fn a_leap_that_the_next_look_does_not_confirm_is_not_followed() {
    let mut machine = Machine::new(0);
    machine.run(30 * SECOND);
    machine.rtc_off = 7_200 * SECOND.cast_signed();
    machine.look();
    machine.rtc_off = 0;
    machine.run(30 * SECOND);
    machine.assert_right(5 * MILLISECOND);
    assert_eq!(machine.events, []);
}

#[test]
fn a_clock_that_stands_still_or_breaks_is_reported_once_and_not_followed() {
    let mut stuck = Machine::new(233_000);
    stuck.run(300 * SECOND);
    for _ in 0..300 {
        let before = stuck.truth;
        stuck.look();
        stuck.rtc_off -= (stuck.truth - before).cast_signed();
    }
    stuck.assert_right(100 * MILLISECOND);
    assert!(
        matches!(stuck.events[..], [.., Event::WentBack(_)]),
        "{:?}",
        stuck.events
    );

    let mut broken = Machine::new(233_000);
    broken.run(300 * SECOND);
    broken.is_broken = true;
    broken.run(300 * SECOND);
    broken.assert_right(30 * MILLISECOND);
    assert_eq!(broken.events, [Event::Nonsense]);
}

#[test]
fn an_update_that_never_ends_is_nonsense() {
    let mut machine = Machine::new(0);
    machine.run(30 * SECOND);
    for _ in 0..30 {
        let at = machine.discipline.next_ns();
        let look = Look {
            before_ns: at,
            after_ns: at + LOOK,
            reading: Reading::Updating,
        };
        machine.events.extend(machine.discipline.look(&look));
    }
    assert_eq!(machine.events, [Event::Nonsense]);
}

#[test]
fn without_a_clock_it_is_1970_until_one_shows_the_same_time_again_and_again() {
    let nothing = Look {
        before_ns: 0,
        after_ns: LOOK,
        reading: Reading::Nonsense,
    };
    let mut machine = Machine::new(0);
    machine.discipline = Discipline::new(&nothing);
    machine.counter = LOOK;
    machine.is_broken = true;
    machine.run(60 * SECOND);
    assert!(machine.wall() < 61 * SECOND);
    assert!(!machine.discipline.is_trusted());
    machine.is_broken = false;
    machine.run(20 * SECOND);
    machine.assert_right(20 * MILLISECOND);
    assert_eq!(machine.events, [Event::Trusted]);
}

#[test]
fn no_reading_is_too_odd() {
    let mut machine = Machine::new(0);
    for shift in 0..64 {
        for reading in [0, u64::MAX, START / SECOND] {
            let at = machine.discipline.next_ns();
            let look = Look {
                before_ns: at,
                after_ns: at + LOOK,
                reading: Reading::Second(reading >> shift),
            };
            machine.discipline.look(&look);
        }
    }
}
