#!/usr/bin/env python3
"""Makes the programs' inputs that nobody would write by hand, and says by other means what must come of them.

    make-data.py           fills `data` beside it

What is random is so from fixed seeds: the same files come out every time. Only Python's own library is
used, so that a file that is expected has nothing in common with the program that must answer with it.
"""

import math
import random
import struct
import zlib
from pathlib import Path

DATA = Path(__file__).parent / "data"


def png(width, height, pixels, channels):
    """A picture of 8 bits a channel."""
    row = width * channels
    raw = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def thumbnail():
    """A coloured picture of 96 x 64, and its means over squares of 4 x 4, which need no rounding."""
    width, height, step = 96, 64, 4
    chance = random.Random(1)
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            wave = 100 + 90 * math.sin(x / 9) * math.cos(y / 7)
            pixels += bytes(int(value) & ~15 for value in (wave, 255 * x / width, 200 * y / height + chance.random() * 40))
    (DATA / "waves.png").write_bytes(png(width, height, bytes(pixels), 3))
    means = bytearray()
    for top in range(0, height, step):
        for left in range(0, width, step):
            for channel in range(3):
                square = [
                    pixels[3 * (y * width + x) + channel]
                    for y in range(top, top + step)
                    for x in range(left, left + step)
                ]
                means.append(sum(square) // step**2)
            means.append(255)
    head = f"P7\nWIDTH {width // step}\nHEIGHT {height // step}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    (DATA / "waves-24x16.pam").write_bytes(head.encode() + bytes(means))


def car():
    """A grey car on a street, with a plate of 80 x 20 at 120, 150."""
    width, height = 320, 240
    chance = random.Random(2)
    picture = [[90 + y // 4 for _ in range(width)] for y in range(height)]

    def fill(left, top, wide, high, grey):
        for y in range(top, top + high):
            picture[y][left : left + wide] = [grey] * wide

    fill(60, 60, 200, 130, 70)
    fill(85, 75, 150, 45, 30)
    fill(70, 130, 24, 12, 230)
    fill(226, 130, 24, 12, 230)
    fill(80, 185, 34, 22, 15)
    fill(206, 185, 34, 22, 15)
    fill(118, 148, 84, 24, 20)
    fill(120, 150, 80, 20, 235)
    for index in range(7):
        fill(126 + 10 * index, 154, 6, 12, 40)
        fill(128 + 10 * index, 156 + index % 3 * 3, 2, 3, 235)
    grey = bytes(max(0, min(255, value + chance.randint(-3, 3))) for row in picture for value in row)
    (DATA / "car.png").write_bytes(png(width, height, grey, 1))


def matrix(left, right):
    return [[sum(a * b for a, b in zip(row, column)) for column in zip(*right)] for row in left]


def transposed(it):
    return [list(column) for column in zip(*it)]


def flight():
    """What a radar says of a body that flies a bend, and where a filter takes it to be."""
    chance = random.Random(3)
    x, y, speed, course = 2000.0, -800.0, 90.0, 1.8
    lines = []
    for second in range(40):
        course += 0.04 if 10 <= second < 30 else 0
        x, y = x + speed * math.cos(course), y + speed * math.sin(course)
        distance = math.hypot(x, y) + chance.gauss(0, 5)
        lines.append((round(distance, 2), round(math.atan2(y, x) + chance.gauss(0, 0.01), 5)))
    (DATA / "flight.txt").write_text("".join(f"{d} {b}\n" for d, b in lines))
    (DATA / "flight-followed.txt").write_text("".join(followed(lines)))


def followed(lines):
    state = covariance = None
    step = [[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]
    push = [0.5, 0.5, 1, 1]
    noise = [[0.25 * push[i] * push[j] if (i - j) % 2 == 0 else 0 for j in range(4)] for i in range(4)]
    for distance, bearing in lines:
        if state is None:
            state = [[distance * math.cos(bearing)], [distance * math.sin(bearing)], [0.0], [0.0]]
            covariance = [[1e4 if i == j else 0.0 for j in range(4)] for i in range(4)]
        state = matrix(step, state)
        moved = matrix(matrix(step, covariance), transposed(step))
        covariance = [[a + b for a, b in zip(p, q)] for p, q in zip(moved, noise)]
        (x,), (y,) = state[:2]
        square = x * x + y * y
        root = math.sqrt(square)
        slope = [[x / root, y / root, 0, 0], [-y / square, x / square, 0, 0]]
        cross = matrix(covariance, transposed(slope))
        (a, b), (c, d) = matrix(slope, cross)
        a, d = a + 25, d + 1e-4
        det = a * d - b * c
        gain = matrix(cross, [[d / det, -b / det], [-c / det, a / det]])
        surprise = [[distance - root], [bearing - math.atan2(y, x)]]
        state = [[s + g] for (s,), (g,) in zip(state, matrix(gain, surprise))]
        shrink = [[(i == j) - value for j, value in enumerate(row)] for i, row in enumerate(matrix(gain, slope))]
        covariance = matrix(shrink, covariance)
        yield " ".join(f"{value:.3f}" for (value,) in state) + "\n"


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    thumbnail()
    car()
    flight()
