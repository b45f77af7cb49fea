//! Counts the words of the body and answers in JSON.
//!
//! | | |
//! |---|---|
//! | stdin | text; a word is a run of ASCII letters, the same in both cases |
//! | stdout | `{"words":N,"distinct":M,"top":[{"word":"...","count":C},...]}` and a newline: at most the ten most frequent words, those of equal count by the alphabet |
//! | exit | 0 |
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Most words in the answer.
const TOP: usize = 10;

#[unsafe(no_mangle)]
extern "C" fn _start() {
    let text = body();
    let mut counts: BTreeMap<&[u8], u32> = BTreeMap::new();
    for word in text
        .split(|byte| !byte.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
    {
        *counts.entry(word).or_default() += 1;
    }
    let words = counts.values().sum();
    let mut top: Vec<(&[u8], u32)> = counts.iter().map(|(word, count)| (*word, *count)).collect();
    // Stable, and the map is in the order of the alphabet.
    top.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    top.truncate(TOP);
    small::write(&json(words, counts.len() as u32, &top));
}

fn body() -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match small::read(&mut bytes) {
            0 => break,
            length => text.extend_from_slice(&bytes[..length]),
        }
    }
    text.make_ascii_lowercase();
    text
}

fn json(words: u32, distinct: u32, top: &[(&[u8], u32)]) -> Vec<u8> {
    let mut json = Vec::new();
    number(&mut json, b"{\"words\":", words);
    number(&mut json, b",\"distinct\":", distinct);
    json.extend_from_slice(b",\"top\":[");
    for (index, (word, count)) in top.iter().enumerate() {
        json.extend_from_slice(if index == 0 {
            b"{\"word\":\""
        } else {
            b",{\"word\":\""
        });
        json.extend_from_slice(word);
        number(&mut json, b"\",\"count\":", *count);
        json.push(b'}');
    }
    json.extend_from_slice(b"]}\n");
    json
}

fn number(json: &mut Vec<u8>, name: &[u8], value: u32) {
    json.extend_from_slice(name);
    json.extend_from_slice(small::decimal(value, &mut [0; 10]));
}
