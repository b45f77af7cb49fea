#!/usr/bin/env python3
"""Trains the network of this folder and prints `weights.rs`. Deterministic; takes ten seconds.

64 pixels -> 16 rectified units -> 10 scores, on drawn digits that are shifted by a pixel and in which
some pixels are flipped. The weights are then rounded to bytes, and what is left of the accuracy is
said on stderr.
"""
import math
import random
import sys

HIDDEN, CLASSES, SIDE = 16, 10, 8
GLYPHS = """
.####. ...#.. .####. .####. ....#. .##### .####. .##### .####. .####.
.#..#. ..##.. .#..#. ....#. ...##. .#.... .#.... ....#. .#..#. .#..#.
.#..#. ...#.. ....#. ..###. ..#.#. .####. .####. ...#.. .####. .####.
.#..#. ...#.. ..##.. ....#. .##### ....#. .#..#. ..#... .#..#. ....#.
.#..#. ...#.. .#.... .#..#. ....#. .#..#. .#..#. ..#... .#..#. .#..#.
.####. ..###. .##### .####. ....#. .####. .####. ..#... .####. .####.
"""


def glyph(digit):
    rows = [line.split()[digit] for line in GLYPHS.strip().splitlines()]
    return [[character == "#" for character in row] for row in rows]


def picture(digit, rng, flips):
    dx, dy = rng.randint(0, 2), rng.randint(0, 2)
    pixels = [0.0] * (SIDE * SIDE)
    for y, row in enumerate(glyph(digit)):
        for x, dark in enumerate(row):
            pixels[(y + dy) * SIDE + x + dx] = float(dark)
    for _ in range(flips):
        at = rng.randrange(SIDE * SIDE)
        pixels[at] = 1.0 - pixels[at]
    return pixels


def forward(net, pixels):
    w1, b1, w2, b2 = net
    dark = [at for at, pixel in enumerate(pixels) if pixel]
    hidden = [max(0.0, b1[h] + sum(w1[h][at] for at in dark)) for h in range(HIDDEN)]
    scores = [b2[c] + sum(w * x for w, x in zip(w2[c], hidden)) for c in range(CLASSES)]
    return dark, hidden, scores


def train(net, rng, samples, rate):
    w1, b1, w2, b2 = net
    for _ in range(samples):
        digit = rng.randrange(CLASSES)
        dark, hidden, scores = forward(net, picture(digit, rng, rng.randint(0, 4)))
        top = max(scores)
        exps = [math.exp(score - top) for score in scores]
        errors = [e / sum(exps) - (c == digit) for c, e in enumerate(exps)]
        back = [sum(errors[c] * w2[c][h] for c in range(CLASSES)) for h in range(HIDDEN)]
        for c, error in enumerate(errors):
            b2[c] -= rate * error
            for h, x in enumerate(hidden):
                w2[c][h] -= rate * error * x
        for h, x in enumerate(hidden):
            if x > 0.0:
                b1[h] -= rate * back[h]
                for at in dark:
                    w1[h][at] -= rate * back[h]


def rounded(values, scale):
    return [max(-127, min(127, round(value * scale))) for value in values]


def accuracy(net, rng, flips):
    count, right = 1000, 0
    for index in range(count):
        digit = index % CLASSES
        scores = forward(net, picture(digit, rng, flips))[2]
        right += scores.index(max(scores)) == digit
    return right / count


def table(name, rows):
    width = len(rows[0])
    print(f"pub const {name}: [[i8; {width}]; {len(rows)}] = [")
    for row in rows:
        print("    [" + ", ".join(map(str, row)) + "],")
    print("];")


def main():
    rng = random.Random(1)
    net = ([[rng.gauss(0, 0.2) for _ in range(SIDE * SIDE)] for _ in range(HIDDEN)], [0.0] * HIDDEN,
           [[rng.gauss(0, 0.3) for _ in range(HIDDEN)] for _ in range(CLASSES)], [0.0] * CLASSES)
    for rate in (0.03, 0.02, 0.01, 0.003):
        train(net, rng, 15000, rate)
    w1, b1, w2, b2 = net
    s1 = 127 / max(abs(v) for row in w1 + [b1] for v in row)
    s2 = 127 / max(abs(v) for row in w2 for v in row)
    q1, c1 = [rounded(row, s1) for row in w1], rounded(b1, s1)
    q2 = [rounded(row, s2) for row in w2]
    c2 = [round(value * s1 * s2) for value in b2]
    for flips in (0, 2, 4):
        print(f"{flips} flips: {accuracy(net, rng, flips):.3f} as trained, "
              f"{accuracy((q1, c1, q2, c2), rng, flips):.3f} rounded", file=sys.stderr)
    print("//! Written by `train.py`. Not to be edited.\n")
    print("/// Of each hidden unit for each pixel.")
    table("HIDDEN", q1)
    print("/// Of each hidden unit.")
    print(f"pub const HIDDEN_BIAS: [i8; {HIDDEN}] = {c1};")
    print("/// Of each digit for each hidden unit.")
    table("OUTPUT", q2)
    print("/// Of each digit.")
    print(f"pub const OUTPUT_BIAS: [i32; {CLASSES}] = {c2};")


main()
