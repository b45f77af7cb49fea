//! `args_get`, `args_sizes_get`: the route and the values of the query.

use crate::calls::{Answer, answer, at};
use crate::errno::FAULT;
use crate::{raw, tests};

tests![
    the_arguments_are_the_route_and_the_values,
    sizes_count_each_argument_with_its_nul,
    strings_lie_one_behind_the_other,
    nothing_is_written_behind_pointers_and_strings,
    pointers_and_strings_may_lie_anywhere,
    pointers_that_leave_memory_are_a_fault,
    strings_that_leave_memory_are_a_fault,
    sizes_that_leave_memory_are_a_fault,
];

/// What every test is called with.
const WANTED: [&[u8]; 5] = [b"full", b"arguments", b"", b"", b"z w"];
/// Which of them is the test's name.
const NAME: usize = 2;

fn sizes() -> Answer<(usize, usize)> {
    let (mut count, mut bytes) = (0usize, 0usize);
    // SAFETY: both lead to a word.
    answer(unsafe { raw::args_sizes_get(at(&mut count), at(&mut bytes)) })?;
    Ok((count, bytes))
}

/// The pointers, and the strings, each with room for some more.
fn get() -> (Vec<usize>, Vec<u8>) {
    let (count, bytes) = sizes().unwrap();
    let (mut pointers, mut text) = (vec![usize::MAX; count + 2], vec![0xaa; bytes + 8]);
    // SAFETY: there is room for as much as the other call has said.
    answer(unsafe { raw::args_get(at(&mut *pointers), at(&mut *text)) }).unwrap();
    (pointers, text)
}

/// The string at a pointer into `text`, without its NUL.
fn string(text: &[u8], pointer: usize) -> &[u8] {
    let start = pointer - crate::calls::of(text);
    let rest = &text[start..];
    rest.split(|byte| *byte == 0).next().unwrap()
}

fn the_arguments_are_the_route_and_the_values() {
    let (pointers, text) = get();
    assert_eq!(pointers.len() - 2, WANTED.len());
    for (number, wanted) in WANTED.iter().enumerate() {
        if number != NAME {
            assert_eq!(string(&text, pointers[number]), *wanted, "{number}");
        }
    }
    let name = string(&text, pointers[NAME]);
    assert_eq!(name, b"the_arguments_are_the_route_and_the_values");
}

fn sizes_count_each_argument_with_its_nul() {
    let bytes: usize = WANTED.iter().map(|one| one.len() + 1).sum();
    let name = "sizes_count_each_argument_with_its_nul".len();
    assert_eq!(sizes(), Ok((WANTED.len(), bytes + name)));
}

fn strings_lie_one_behind_the_other() {
    let (pointers, text) = get();
    let mut next = crate::calls::of(&*text);
    for pointer in &pointers[..WANTED.len()] {
        assert_eq!(*pointer, next);
        next += string(&text, *pointer).len() + 1;
    }
}

fn nothing_is_written_behind_pointers_and_strings() {
    let (pointers, text) = get();
    assert_eq!(pointers[WANTED.len()..], [usize::MAX; 2]);
    assert_eq!(text[text.len() - 8..], [0xaa; 8]);
    assert_eq!(text[text.len() - 9], 0);
}

fn pointers_and_strings_may_lie_anywhere() {
    let mut room = [0u8; 512];
    let start = at(&mut room);
    // SAFETY: five pointers and their strings fit behind both.
    assert_eq!(
        answer(unsafe { raw::args_get(start + 1, start + 63) }),
        Ok(())
    );
    let pointer = u32::from_le_bytes(room[1..5].try_into().unwrap());
    assert_eq!(pointer as usize, start + 63);
    assert_eq!(room[63..68], *b"full\0");
}

fn pointers_that_leave_memory_are_a_fault() {
    let mut text = [0u8; 512];
    let outside = crate::hostile::end() - 4;
    // SAFETY: nothing can be written but the last word of memory, which is nobody's.
    assert_eq!(
        answer(unsafe { raw::args_get(outside, at(&mut text)) }),
        Err(FAULT)
    );
}

fn strings_that_leave_memory_are_a_fault() {
    let mut pointers = [0usize; 8];
    let outside = crate::hostile::end() - 4;
    // SAFETY: nothing can be written but the last bytes of memory, which are nobody's.
    assert_eq!(
        answer(unsafe { raw::args_get(at(&mut pointers), outside) }),
        Err(FAULT)
    );
}

fn sizes_that_leave_memory_are_a_fault() {
    let mut word = 0usize;
    let outside = crate::hostile::end() - 3;
    // SAFETY: the place that is outside of memory cannot be written.
    let both = unsafe {
        [
            raw::args_sizes_get(outside, at(&mut word)),
            raw::args_sizes_get(at(&mut word), outside),
        ]
    };
    assert_eq!(both.map(answer), [Err(FAULT); 2]);
}
