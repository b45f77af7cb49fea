//! Recognises digits in pictures of 8 by 8 pixels, by a small neural network: 64 pixels, 16 rectified
//! units, 10 scores. The weights are in `weights.rs`, and `train.py` made them.
//!
//! | | |
//! |---|---|
//! | stdin | pictures: 8 rows of 8 characters each, `#` or `1` dark and `.` or `0` bright; anything else (spaces, newlines) is skipped. Nothing at all stands for ten pictures that are built in |
//! | stdout | a line per picture: the digit, and by how much its score is ahead of the next |
//! | exit | 0, or 2 if the last picture is not whole |
#![no_std]
#![no_main]

mod weights;

use weights::{HIDDEN, HIDDEN_BIAS, OUTPUT, OUTPUT_BIAS};

const PIXELS: usize = 64;

/// A digit of each kind, with two pixels wrong.
const BUILT_IN: &[u8] = b"\
    ..#####.\n\
    ..#..#..\n\
    ..#..#..\n\
    ..#..#..\n\
    ..#..#..\n\
    ..####..\n\
    ..#.....\n\
    ........\n\
    ........\n\
    ....#...\n\
    ...#....\n\
    ..##....\n\
    ...#....\n\
    ...#..#.\n\
    ...#....\n\
    ..###...\n\
    ...#.##.\n\
    ...#..#.\n\
    ......#.\n\
    ...###..\n\
    ...#....\n\
    ...#####\n\
    ........\n\
    ........\n\
    ........\n\
    #####...\n\
    ....#...\n\
    ..###...\n\
    ....#...\n\
    .#..#...\n\
    .#####..\n\
    ........\n\
    ....#..#\n\
    ...##...\n\
    ..#.#...\n\
    .#####..\n\
    ....#...\n\
    ....#...\n\
    ......#.\n\
    ........\n\
    ......#.\n\
    ........\n\
    ...#####\n\
    ...#....\n\
    ...####.\n\
    ......#.\n\
    ..##..#.\n\
    ...####.\n\
    .####...\n\
    .#......\n\
    ..###...\n\
    .#..#...\n\
    .#..##..\n\
    .####...\n\
    ........\n\
    ........\n\
    ..#####.\n\
    .....#.#\n\
    ....#...\n\
    ...#....\n\
    ...#...#\n\
    ...#....\n\
    ........\n\
    ........\n\
    ...####.\n\
    ...#..#.\n\
    ...####.\n\
    ...#..#.\n\
    ...#..#.\n\
    ...####.\n\
    ......#.\n\
    .......#\n\
    ........\n\
    ..####..\n\
    ..#..#..\n\
    ..####..\n\
    .....#..\n\
    ..#..##.\n\
    ..####..\n\
    ..#.....\n\
";

type Picture = [bool; PIXELS];

#[unsafe(no_mangle)]
extern "C" fn _start() {
    let mut bytes = [0; 4096];
    let mut reader = Reader {
        picture: [false; PIXELS],
        filled: 0,
        pictures: 0,
    };
    loop {
        match small::read(&mut bytes) {
            0 => break,
            length => reader.take(&bytes[..length]),
        }
    }
    if reader.pictures == 0 && reader.filled == 0 {
        reader.take(BUILT_IN);
    }
    if reader.filled > 0 {
        small::exit(2);
    }
}

/// Collects pixels until they are a picture.
struct Reader {
    picture: Picture,
    filled: usize,
    pictures: u32,
}

impl Reader {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.picture[self.filled] = match byte {
                b'#' | b'1' => true,
                b'.' | b'0' => false,
                _ => continue,
            };
            self.filled += 1;
            if self.filled == PIXELS {
                answer(&scores(&self.picture));
                self.pictures += 1;
                self.filled = 0;
            }
        }
    }
}

fn scores(picture: &Picture) -> [i32; 10] {
    let mut hidden = [0; HIDDEN.len()];
    for ((unit, weights), bias) in hidden.iter_mut().zip(&HIDDEN).zip(HIDDEN_BIAS) {
        let dark = weights.iter().zip(picture).filter(|(_, dark)| **dark);
        let sum: i32 = dark.map(|(weight, _)| i32::from(*weight)).sum();
        *unit = (sum + i32::from(bias)).max(0);
    }
    let mut scores = OUTPUT_BIAS;
    for (score, weights) in scores.iter_mut().zip(&OUTPUT) {
        let products = weights
            .iter()
            .zip(hidden)
            .map(|(weight, unit)| i32::from(*weight) * unit);
        *score += products.sum::<i32>();
    }
    scores
}

fn answer(scores: &[i32; 10]) {
    let (mut best, mut next) = (0, i32::MIN);
    for (digit, score) in scores.iter().enumerate().skip(1) {
        if *score > scores[best] {
            next = scores[best];
            best = digit;
        } else if *score > next {
            next = *score;
        }
    }
    small::write(small::decimal(best as u32, &mut [0; 10]));
    small::write(b" ");
    small::write(small::decimal(scores[best].abs_diff(next), &mut [0; 10]));
    small::write(b"\n");
}
