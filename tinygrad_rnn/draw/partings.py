"""Partings: the dots where wires that begin as one line go on as several.

The question this file answers: *do these lines belong together, or do they only cross?*

What one thing gives to several users leaves it as one line; and where gradients run, what they send
back arrives as one. As on a plan of wires, a dot marks each place where lines are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import dist

from .model import Point
from .routing import Way
from .scene import Wire

NEAR = 2.5  # bends of two lines that are no further apart are one: so the lines are seen


def partings(wires: Iterable[tuple[Wire, Way]]) -> list[tuple[Wire, Point]]:
    """Where wires part, each time with the widest of those that meet there."""
    every = [*wires]
    counts = Counter([wire.tail.id for wire, _ in every])
    begins: dict[tuple[str, Point], list[tuple[Wire, Way]]] = {}
    for wire, way in every:
        (x, y), tail = way[0], wire.tail.id
        if counts[tail] > 1:  # most wires are the only one of their tail
            begins.setdefault((tail, (round(x), round(y))), []).append((wire, way))
    return [found for those in begins.values() if len(those) > 1 for found in together(those)]


def together(wires: list[tuple[Wire, Way]]) -> list[tuple[Wire, Point]]:
    """Where wires part that begin at one point: those that bend where others go straight on, and
    those that bend at one point in several directions."""
    found: dict[Point, Wire] = {}
    groups = [(wires, 1)]  # wires that are one up to the point before this one
    while groups:
        those, i = groups.pop()
        ahead: dict[Point, list[tuple[Wire, Way]]] = {}  # by direction
        for wire, way in those:
            if i < len(way):
                ahead.setdefault(direction(way[i - 1], way[i]), []).append((wire, way))
        if i > 1 and len(ahead) > 1:
            found[those[0][1][i - 1]] = widest(those)
        for own in ahead.values():
            passing: list[tuple[Wire, Way]] = []
            for legs in alike(own, i):
                wire = widest([*legs, *passing])
                if passing and any(i + 1 < len(way) for _, way in legs):
                    found[middle([way[i] for _, way in legs])] = wire
                passing = [(wire, legs[0][1])]
                if len(legs) > 1:
                    groups.append((legs, i + 1))
    return [(wire, at) for at, wire in found.items()]


def alike(wires: list[tuple[Wire, Way]], i: int) -> list[list[tuple[Wire, Way]]]:
    """Wires of one direction by how far they go to their point `i`, the furthest first."""
    found: list[list[tuple[Wire, Way]]] = []
    before = 0.0
    for far, _, own in sorted(((dist(own[1][i - 1], own[1][i]), k, own)
                               for k, own in enumerate(wires)), reverse=True):
        if found and before - far < NEAR:
            found[-1].append(own)
        else:
            found.append([own])
        before = far
    return found


def middle(bends: list[Point]) -> Point:
    """Which of some bends that are seen as one has the dot: the first, or of several far apart the
    one between."""
    return bends[0] if dist(bends[0], bends[-1]) < NEAR else bends[(len(bends) - 1) // 2]


def widest(wires: list[tuple[Wire, Way]]) -> Wire:
    """The widest of some wires: of lines on one another, it is the one that is seen."""
    return max((wire for wire, _ in wires), key=lambda wire: wire.width)


def direction(p: Point, q: Point) -> Point:
    """In which direction one point lies from another."""
    far = dist(p, q) or 1.0
    return round((q[0] - p[0]) / far, 2) + 0.0, round((q[1] - p[1]) / far, 2) + 0.0
