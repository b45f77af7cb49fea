//! Who comes first of what is ready, and for how long, case by case.

use luge_sched::{Comeback, Policy, Ready, Reservation, SHARED, Settings, Standing, TaskId};

fn two(policy: Policy, is_preemptive: bool) -> (Ready, Standing, Standing) {
    let settings = Settings {
        policy,
        is_preemptive,
        ..Settings::default()
    };
    let first = Standing::new(1, 2_000_000_000, Some(9_000_000), 5_000_000);
    let second = Standing::new(2, 1_000_000_000, Some(9_000_000), 1_000_000);
    (Ready::new(settings), first, second)
}

#[test]
fn a_task_alone_runs_without_bound() {
    let (mut ready, mut first, _) = two(Policy::EarliestDeadline, true);
    ready.insert(TaskId(1), SHARED, &mut first, Comeback::Woken, 0);
    assert_eq!(ready.take_first(0), Some(TaskId(1)));
    assert_eq!(ready.turn_ns(&first), u64::MAX);
}

#[test]
fn a_task_beside_another_runs_for_a_quantum() {
    let (mut ready, mut first, mut second) = two(Policy::EarliestDeadline, true);
    ready.insert(TaskId(1), SHARED, &mut first, Comeback::Woken, 0);
    ready.insert(TaskId(2), SHARED, &mut second, Comeback::Woken, 0);
    assert_eq!(ready.take_first(0), Some(TaskId(2)));
    assert_eq!(ready.turn_ns(&second), 1_000_000);
}

#[test]
fn without_preemption_it_runs_without_bound_and_goes_on_after_an_interruption() {
    let (mut ready, mut first, mut second) = two(Policy::EarliestDeadline, false);
    ready.insert(TaskId(1), SHARED, &mut first, Comeback::Woken, 0);
    assert_eq!(ready.take_first(0), Some(TaskId(1)));
    ready.insert(TaskId(2), SHARED, &mut second, Comeback::Woken, 5);
    assert_eq!(ready.turn_ns(&first), u64::MAX);
    ready.stopped(&first, 5);
    ready.insert(TaskId(1), SHARED, &mut first, Comeback::Preempted, 5);
    assert_eq!(ready.take_first(5), Some(TaskId(1)));
    assert_eq!(ready.take_first(5), Some(TaskId(2)));
}

#[test]
fn a_task_that_is_held_can_be_taken_out_too() {
    let (mut ready, mut first, _) = two(Policy::FirstIn, false);
    ready.insert(TaskId(1), SHARED, &mut first, Comeback::Preempted, 0);
    assert!(!ready.is_empty());
    assert!(ready.remove(TaskId(1), &first));
    assert!(ready.is_empty());
    assert!(!ready.remove(TaskId(1), &first));
}

#[test]
fn work_beyond_its_booking_has_a_little_of_the_time_beside_what_is_booked() {
    let mut ready = Ready::new(Settings::default());
    let mut over = Standing::new(1, 1_000, Some(100), 100);
    over.charge(200);
    let long = 1_000_000_000;
    let mut booked = Standing::new(2, long, Some(long), long);
    let (over_id, booked_id) = (TaskId(1), TaskId(2));
    ready.insert(over_id, SHARED, &mut over, Comeback::Woken, 0);
    ready.insert(booked_id, SHARED, &mut booked, Comeback::Woken, 0);
    let mut ran = 0;
    for now in (0..long).step_by(100_000) {
        let first = ready.take_first(now).expect("both are ready");
        let is_over = first == over_id;
        let standing = if is_over { &mut over } else { &mut booked };
        ran += if is_over { 100_000 } else { 0 };
        ready.stopped(standing, 100_000);
        ready.insert(first, SHARED, standing, Comeback::Preempted, now + 100_000);
    }
    assert_eq!(ran, long / 50);
}

/// Tasks that have used up a booking at these moments, and have run so much longer since. In what order they come.
fn order_beyond(tasks: &[(u64, u64)]) -> Vec<u64> {
    let mut ready = Ready::new(Settings::default());
    let standing = |_: &(u64, u64)| Standing::new(0, 1_000_000_000, Some(1_000), 0);
    let mut standings: Vec<_> = tasks.iter().map(standing).collect();
    for ((number, (since, over)), standing) in (0..).zip(tasks).zip(&mut standings) {
        standing.charge(1_000);
        ready.insert(TaskId(number), SHARED, standing, Comeback::Woken, *since);
        assert!(ready.remove(TaskId(number), standing));
        standing.charge(*over);
        ready.insert(
            TaskId(number),
            SHARED,
            standing,
            Comeback::Preempted,
            *since,
        );
    }
    std::iter::from_fn(|| ready.take_first(0))
        .map(|task| task.0)
        .collect()
}

#[test]
fn who_is_least_beyond_its_booking_comes_first_of_those_that_are() {
    assert_eq!(order_beyond(&[(0, 300), (10, 100), (20, 200)]), [1, 2, 0]);
}

#[test]
fn who_is_far_beyond_its_booking_comes_before_those_that_come_much_later() {
    const SECOND: u64 = 1_000_000_000;
    let newcomers = [(4 * SECOND, 0), (6 * SECOND, 0)];
    assert_eq!(
        order_beyond(&[(0, SECOND / 200), newcomers[0], newcomers[1]]),
        [1, 0, 2]
    );
}

#[test]
fn of_what_has_no_promise_the_earliest_deadline_has_that_little() {
    let mut ready = Ready::new(Settings::default());
    let mut standings = [30, 10, 20].map(|deadline| Standing::new(0, deadline, None, 0));
    for (number, standing) in (0..).zip(&mut standings) {
        ready.insert(TaskId(number), SHARED, standing, Comeback::Woken, 0);
    }
    let order = std::iter::from_fn(|| ready.take_first(0)).map(|task| task.0);
    assert_eq!(order.collect::<Vec<_>>(), [1, 2, 0]);
}

#[test]
fn the_time_that_nobody_was_promised_goes_to_one_task_until_it_is_far_beyond_its_booking() {
    const MS: u64 = 1_000_000;
    let mut ready = Ready::new(Settings::default());
    let share = Reservation::new(500 * MS, 1_000 * MS).expect("neither is zero");
    let group = ready.reserve_share(share);
    let mut tasks = [0, 1].map(|arrival| Standing::new(arrival, 1_000 * MS, Some(100), 100));
    for (id, task) in (0..).zip(&mut tasks) {
        task.charge(100);
        ready.insert(TaskId(id), group, task, Comeback::Preempted, 0);
    }
    let order = (0..20).map(|turn| {
        let id = ready.take_first(turn).expect("two are there");
        let task = &mut tasks[id.0 as usize];
        task.charge(10 * MS);
        ready.stopped(task, 10 * MS);
        ready.insert(id, group, task, Comeback::Preempted, turn);
        id.0
    });
    let order: Vec<_> = order.collect();
    assert_eq!(order, [[0; 10], [1; 10]].concat());
}
