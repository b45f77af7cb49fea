//! Lines that match: the crate `regex`.
//!
//! | | |
//! |---|---|
//! | argument 1 | a regular expression |
//! | argument 2 | any of the letters `i` (capitals count as small ones), `v` (lines that do not match), `n` (with their numbers), `o` (what matches alone), `c` (how many) |
//! | stdin | lines |
//! | stdout | those that match |
//! | exit | 0, or 1 if the first argument is no regular expression |

use std::process::ExitCode;

use regex::bytes::RegexBuilder;

fn main() -> ExitCode {
    programs::run(|request| {
        let pattern = request
            .argument(0)
            .ok_or("the first argument is a regular expression")?;
        let flags = request.argument(1).unwrap_or_default();
        let has = |flag| flags.contains(flag);
        let pattern = RegexBuilder::new(pattern)
            .case_insensitive(has('i'))
            .build()?;
        let (mut answer, mut count) = (Vec::new(), 0);
        let mut tell = |number: usize, line: &[u8]| {
            if has('n') {
                answer.extend_from_slice(format!("{number}:").as_bytes());
            }
            answer.extend_from_slice(line);
            answer.push(b'\n');
        };
        let body = request.body.strip_suffix(b"\n").unwrap_or(&request.body);
        for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if pattern.is_match(line) == has('v') {
                continue;
            }
            count += 1;
            if has('o') {
                pattern
                    .find_iter(line)
                    .for_each(|found| tell(index + 1, found.as_bytes()));
            } else if !has('c') {
                tell(index + 1, line);
            }
        }
        Ok(if has('c') {
            format!("{count}\n").into_bytes()
        } else {
            answer
        })
    })
}
