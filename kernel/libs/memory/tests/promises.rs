//! Promises of frames.

use luge_memory::promises::Promises;

#[test]
fn what_is_promised_cannot_be_promised_again() {
    let mut promises = Promises::none();
    assert!(promises.make(60, 100, 10));
    assert!(!promises.make(31, 100, 10));
    assert!(promises.make(30, 100, 10));
    assert_eq!(promises.open(), 90);
}

#[test]
fn a_refused_promise_changes_nothing() {
    let mut promises = Promises::none();
    assert!(!promises.make(101, 100, 0));
    assert_eq!(promises, Promises::none());
    assert!(promises.make(100, 100, 0));
}

#[test]
fn a_promise_that_is_kept_leaves_the_others_as_they_were() {
    let mut promises = Promises::none();
    let mut free = 100;
    assert!(promises.make(80, free, 10));
    for _ in 0..80 {
        promises.close(1);
        free -= 1;
        assert_eq!(promises.unpromised(free, 10), 10);
    }
}

#[test]
fn a_promise_that_is_not_wanted_any_more_can_be_made_to_others() {
    let mut promises = Promises::none();
    assert!(promises.make(100, 100, 0));
    promises.close(40);
    assert!(promises.make(40, 100, 0));
}

#[test]
fn the_reserve_is_never_promised() {
    let mut promises = Promises::none();
    assert!(!promises.make(1, 10, 10));
    assert!(!promises.make(1, 5, 10));
    assert!(promises.make(0, 5, 10));
}

#[test]
#[should_panic(expected = "closed once")]
fn a_promise_cannot_be_closed_twice() {
    let mut promises = Promises::none();
    assert!(promises.make(1, 10, 0));
    promises.close(1);
    promises.close(1);
}
