//! Lines on their way to a slow port.

use std::fmt::Write;

use luge_journal::Outbox;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

fn line<const N: usize>(outbox: &mut Outbox<N>, text: &str) -> bool {
    let mut draft = outbox.draft();
    draft.write_str(text).unwrap();
    draft.finish()
}

fn take<const N: usize>(outbox: &mut Outbox<N>, most: usize) -> String {
    let bytes: Vec<u8> = outbox.next().iter().copied().take(most).collect();
    outbox.sent(bytes.len());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_that_does_not_fit_is_left_out_whole() {
    let mut outbox = Outbox::<8>::new();
    assert!(line(&mut outbox, "abc"));
    assert!(!line(&mut outbox, "defg"), "five bytes where four are free");
    assert!(line(&mut outbox, "hij"));
    assert_eq!(take(&mut outbox, 8), "abc\nhij\n");
}

#[test]
fn a_line_that_is_not_finished_leaves_nothing() {
    let mut outbox = Outbox::<8>::new();
    outbox.draft().write_str("abc").unwrap();
    assert!(outbox.next().is_empty());
    assert!(line(&mut outbox, "def"));
    assert_eq!(take(&mut outbox, 8), "def\n");
}

#[test]
fn a_line_longer_than_all_of_it_is_left_out_and_the_next_is_not() {
    let mut outbox = Outbox::<8>::new();
    assert!(!line(&mut outbox, "abcdefghijkl"));
    assert!(line(&mut outbox, "m"));
    assert_eq!(outbox.waiting(), 2);
}

#[test]
fn what_comes_out_is_the_lines_that_fitted_in_their_order() {
    for seed in 0..100 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut outbox = Outbox::<16>::new();
        let (mut wanted, mut got) = (String::new(), String::new());
        for letter in ('a'..='z').cycle().take(200) {
            let length = random.next_u32() as usize % 12;
            let text = letter.to_string().repeat(length);
            let free = 16 - (wanted.len() - got.len());
            let fits = line(&mut outbox, &text);
            assert_eq!(fits, length < free, "seed {seed}");
            if fits {
                wanted += &text;
                wanted.push('\n');
            }
            got += &take(&mut outbox, random.next_u32() as usize % 20);
        }
        while outbox.waiting() > 0 {
            got += &take(&mut outbox, 16);
        }
        assert_eq!(got, wanted, "seed {seed}");
    }
}
