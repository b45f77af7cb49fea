//! `environ_get`, `environ_sizes_get`: what the spec says of the route.

use std::env;

use crate::calls::{Answer, answer, at, of};
use crate::errno::FAULT;
use crate::{hostile, raw, tests};

tests![
    the_environment_is_that_of_the_route,
    sizes_count_name_value_equals_sign_and_nul,
    variables_keep_the_order_of_the_spec,
    a_value_may_be_empty_or_hold_an_equals_sign,
    nothing_is_written_behind_the_strings,
    pointers_that_leave_memory_are_a_fault,
    sizes_that_leave_memory_are_a_fault,
    a_route_without_an_environment_has_none on BARE,
];

/// The `environ` of the route.
const WANTED: [&str; 3] = ["FIRST=1", "EMPTY=", "LONG=value=x y"];

fn sizes() -> Answer<(usize, usize)> {
    let (mut count, mut bytes) = (0usize, 0usize);
    // SAFETY: both lead to a word.
    answer(unsafe { raw::environ_sizes_get(at(&mut count), at(&mut bytes)) })?;
    Ok((count, bytes))
}

fn get() -> (Vec<usize>, Vec<u8>) {
    let (count, bytes) = sizes().unwrap();
    let (mut pointers, mut text) = (vec![usize::MAX; count + 1], vec![0xaa; bytes + 8]);
    // SAFETY: there is room for as much as the other call has said.
    answer(unsafe { raw::environ_get(at(&mut *pointers), at(&mut *text)) }).unwrap();
    (pointers, text)
}

fn the_environment_is_that_of_the_route() {
    assert_eq!(env::var("FIRST").as_deref(), Ok("1"));
    assert!(env::var("SECOND").is_err());
    assert_eq!(env::vars().count(), WANTED.len());
}

fn sizes_count_name_value_equals_sign_and_nul() {
    let bytes = WANTED.iter().map(|one| one.len() + 1).sum();
    assert_eq!(sizes(), Ok((WANTED.len(), bytes)));
}

fn variables_keep_the_order_of_the_spec() {
    let (pointers, text) = get();
    let start = of(&*text);
    for (pointer, wanted) in pointers.iter().zip(WANTED) {
        let found = &text[pointer - start..][..wanted.len() + 1];
        assert_eq!(found, [wanted.as_bytes(), b"\0"].concat());
    }
}

fn a_value_may_be_empty_or_hold_an_equals_sign() {
    assert_eq!(env::var("EMPTY").as_deref(), Ok(""));
    assert_eq!(env::var("LONG").as_deref(), Ok("value=x y"));
}

fn nothing_is_written_behind_the_strings() {
    let (pointers, text) = get();
    assert_eq!(pointers[WANTED.len()], usize::MAX);
    assert_eq!(text[text.len() - 8..], [0xaa; 8]);
}

fn pointers_that_leave_memory_are_a_fault() {
    let (mut text, outside) = ([0u8; 128], hostile::end() - 4);
    // SAFETY: nothing can be written but the last word of memory, which is nobody's.
    let call = unsafe { raw::environ_get(outside, at(&mut text)) };
    assert_eq!(answer(call), Err(FAULT));
}

fn sizes_that_leave_memory_are_a_fault() {
    let mut word = 0usize;
    // SAFETY: the place that is outside of memory cannot be written.
    let call = unsafe { raw::environ_sizes_get(at(&mut word), hostile::end()) };
    assert_eq!(answer(call), Err(FAULT));
}

fn a_route_without_an_environment_has_none() {
    assert_eq!(sizes(), Ok((0, 0)));
    assert_eq!(get().0, [usize::MAX]);
}
