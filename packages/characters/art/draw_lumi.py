"""Draws the picture of the starter character and writes her card into it: python packages/characters/art/draw_lumi.py

The picture is made of discs, ellipses and lines, with the standard library alone, so that it belongs to the project.
"""  # noqa: INP001  a script, not a package

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from idolchat_characters.cards import read_card, write_card

HERE = Path(__file__).parent
CARD = HERE.parent / "src" / "idolchat_characters" / "starter" / "lumi.png"
SIZE = 320
COLOURS = 96

type Colour = tuple[float, float, float]
type Shape = Callable[[float, float], float]
"""The distance of a point to a shape, in pixels, negative inside."""

NIGHT, DUSK = (24.0, 22.0, 58.0), (92.0, 60.0, 124.0)
SKIN, BLUSH = (255.0, 222.0, 200.0), (250.0, 172.0, 168.0)
SILVER, SHADE, MINT = (222.0, 226.0, 240.0), (178.0, 184.0, 212.0), (130.0, 226.0, 196.0)
AMBER, INK, WHITE = (226.0, 148.0, 46.0), (44.0, 36.0, 66.0), (255.0, 255.0, 255.0)
CORAL, GOLD, NAVY = (242.0, 98.0, 108.0), (255.0, 214.0, 120.0), (52.0, 58.0, 120.0)


def ellipse(x: float, y: float, width: float, height: float) -> Shape:
    """An ellipse around a point, by its half axes; its distance is exact enough at the edge."""
    return lambda px, py: (math.hypot((px - x) / width, (py - y) / height) - 1) * min(width, height)


def line(x1: float, y1: float, x2: float, y2: float, thickness: float) -> Shape:
    """A line with round ends."""

    def distance(px: float, py: float) -> float:
        dx, dy = x2 - x1, y2 - y1
        along = max(0.0, min(1.0, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy)))
        return math.hypot(px - x1 - along * dx, py - y1 - along * dy) - thickness / 2

    return distance


def arc(x: float, y: float, radius: float, start: float, end: float, thickness: float) -> Shape:
    """A part of a circle between two angles in degrees, clockwise from the right."""

    def distance(px: float, py: float) -> float:
        angle = math.degrees(math.atan2(py - y, px - x)) % 360
        if start <= angle <= end:
            return abs(math.hypot(px - x, py - y) - radius) - thickness / 2
        ends = [(x + radius * math.cos(math.radians(a)), y + radius * math.sin(math.radians(a))) for a in (start, end)]
        return min(math.hypot(px - ex, py - ey) for ex, ey in ends) - thickness / 2

    return distance


def both(one: Shape, other: Shape) -> Shape:
    """Where both shapes are."""
    return lambda px, py: max(one(px, py), other(px, py))


def without(one: Shape, other: Shape) -> Shape:
    """Where one shape is, and the other is not."""
    return lambda px, py: max(one(px, py), -other(px, py))


def layers() -> list[tuple[Shape, Colour]]:
    """Everything in the picture, from back to front."""
    face = ellipse(160, 178, 66, 68)
    crown = ellipse(160, 150, 92, 92)
    drawn: list[tuple[Shape, Colour]] = [(ellipse(x, y, r, r), GOLD) for x, y, r in _stars()]
    drawn += [(without(ellipse(262, 62, 30, 30), ellipse(249, 55, 27, 27)), GOLD)]
    drawn += [(line(0, 262, 320, 236, 1.6), INK)]
    drawn += [
        (ellipse(x, y, 13, 16), colour) for x, y, colour in ((24, 278, CORAL), (64, 274, GOLD), (298, 256, CORAL))
    ]
    drawn += [(crown, SILVER), (ellipse(84, 196, 26, 56), SILVER), (ellipse(236, 196, 26, 56), SILVER)]
    drawn += [(ellipse(160, 330, 104, 76), NAVY), (ellipse(160, 250, 24, 34), SKIN)]
    drawn += [
        (line(112, 276, 160, 306, 7), CORAL),
        (line(208, 276, 160, 306, 7), CORAL),
        (ellipse(160, 304, 9, 9), GOLD),
    ]
    drawn += [(face, SKIN), (ellipse(114, 208, 13, 8), BLUSH), (ellipse(206, 208, 13, 8), BLUSH)]
    for x, glint in ((130, 126), (190, 186)):
        drawn += [(ellipse(x, 185, 15, 20), INK), (ellipse(x, 188, 12, 16), AMBER), (ellipse(x, 192, 6, 8), INK)]
        drawn += [(ellipse(glint, 178, 5, 6), WHITE), (ellipse(x + 5, 196, 2.6, 2.6), WHITE)]
        drawn += [(arc(x, 196, 27, 228, 312, 4), INK), (arc(x, 186, 34, 240, 300, 3), SHADE)]
    drawn += [(arc(160, 208, 15, 25, 155, 3.4), INK), (ellipse(160, 209, 1.8, 1.4), BLUSH)]
    fringe = without(both(crown, ellipse(160, 96, 96, 74)), ellipse(196, 196, 34, 44))
    drawn += [(fringe, SILVER), (without(both(crown, ellipse(112, 106, 16, 62)), ellipse(150, 196, 30, 44)), MINT)]
    drawn += [
        (line(150, 68, 132, 160, 2.2), SHADE),
        (line(176, 66, 186, 152, 2.2), SHADE),
        (line(206, 82, 222, 158, 2.2), SHADE),
    ]
    drawn += [(arc(160, 158, 98, 198, 342, 12), NAVY), (arc(160, 158, 98, 215, 325, 4), CORAL)]
    for x in (66, 254):
        drawn += [(ellipse(x, 172, 22, 32), NAVY), (ellipse(x, 172, 14, 23), CORAL), (ellipse(x, 172, 6, 11), NAVY)]
    return drawn


def _stars() -> list[tuple[float, float, float]]:
    left, right = ((20, 30), (58, 66), (96, 22), (34, 120), (14, 200)), ((150, 34), (206, 20), (300, 120), (288, 180))
    return [(x, y, 1.2 + place % 3 * 0.7) for place, (x, y) in enumerate((*left, *right))]


def picture() -> list[list[Colour]]:
    """All pixels, row by row."""
    drawn = layers()
    return [[_pixel(x + 0.5, y + 0.5, drawn) for x in range(SIZE)] for y in range(SIZE)]


def _pixel(x: float, y: float, drawn: list[tuple[Shape, Colour]]) -> Colour:
    share = round(y / SIZE * 24) / 24  # in bands, which compress
    colour = tuple(a + (b - a) * share for a, b in zip(NIGHT, DUSK, strict=True))
    for shape, paint in drawn:
        cover = max(0.0, min(1.0, 0.5 - shape(x, y)))
        if cover:
            colour = tuple(a + (b - a) * cover for a, b in zip(colour, paint, strict=True))
    return (colour[0], colour[1], colour[2])


def png(pixels: list[list[Colour]]) -> bytes:
    """Write pixels as a PNG of 8 bits a colour, each row as its difference to the one above."""
    rows = [bytes(min(255, round(value / 4) * 4) for pixel in row for value in pixel) for row in pixels]
    above, data = bytes(SIZE * 3), bytearray()
    for row in rows:
        data += b"\2" + bytes((a - b) % 256 for a, b in zip(row, above, strict=True))
        above = row
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(data), 9)), (b"IEND", b""))
    written = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def main() -> None:
    """Write the card, its picture drawn anew."""
    reading = read_card((HERE / "lumi.json").read_bytes())
    CARD.write_bytes(write_card(reading.character, "png", image=png(picture())))
    sys.stdout.write(f"{CARD.name}: {CARD.stat().st_size} bytes, {json.dumps(reading.character.name)}\n")


if __name__ == "__main__":
    main()
