"""Tracks: the lines along which a way is searched for.

The question this file answers: *where could a wire run at all, and what would it cost?*

The sides of all boxes and wires, each a little further out, are the lines of a grid: if there is a
way at all, there is one along these lines. What lies in the way makes the stretches of these lines
that it touches dearer; which ones they are is found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .model import Point
from .routing import CLEAR, HIDDEN, Rect

Part = tuple[Point, Point]  # a straight part of a way
AWAY, TRACK = 5.0, 6.0  # where lines run beside boxes, and how far from each other
CLOSE = 9.0  # what runs nearer to a box than this looks crammed
BEND, CROSSING, BESIDE, UPON = 24.0, 12.0, 16.0, 64.0  # what ways cost; the last two for each point
WALL = float("inf")  # what it costs where there is no way


def lines_of(axis: int, boxes: Iterable[Rect], parts: Iterable[Part], limits: Rect,
             ends: Iterable[Point], apart: float) -> list[float]:
    """Where the lines of a grid run: through the ends, and beside boxes and wires wherever no
    other line is near, which is less than `apart`."""
    fixed = {end[axis] for end in ends}
    wanted = [at for box in boxes for d in (AWAY, AWAY + TRACK)
              for at in (box[axis] - d, box[axis + 2] + d)]
    wanted += [p[axis] + d for p, q in parts if p[axis] == q[axis] for d in (-TRACK, TRACK)]
    kept: list[float] = []
    for at in sorted({*fixed, *(at for at in wanted if limits[axis] <= at <= limits[axis + 2])}):
        while at in fixed and kept and kept[-1] not in fixed and at - kept[-1] < apart:
            kept.pop()
        if at in fixed or not kept or at - kept[-1] >= apart:
            kept.append(at)
    return kept


def costs(along: Sequence[float], across: Sequence[float], axis: int, boxes: Iterable[Rect],
          parts: Iterable[Part], heads: Iterable[Rect] = ()) -> NDArray[np.float64]:
    """What the stretches of all lines along an axis cost: a row for each line, a number from each
    crossing to the next, and a wall after the last. Where a box is, no wire can pass; over an arrow
    head it should not."""
    places, other = np.array(along), 1 - axis
    low, high = places[:-1], places[1:]
    walled = np.full((len(across), len(along)), WALL)
    found = walled[:, :-1]
    found[:] = high - low
    for p, q in parts:
        first, last = sorted((p[axis], q[axis]))
        if p[other] == q[other]:
            rows = within(across, p[other] - TRACK, p[other] + TRACK)
            far = np.abs(np.array(across[rows]) - p[other])
            price = np.where(far < TRACK / 2, UPON, np.where(far < TRACK - 0.01, BESIDE, 0.0))
            columns = reaching(along, first, last)
            share = np.minimum(high[columns], last) - np.maximum(low[columns], first)
            found[rows, columns] += price[:, None] * share
        else:
            begin, end = sorted((p[other], q[other]))
            k = bisect_left(along, p[axis])
            found[within(across, begin - 0.01, end + 0.01), k - 1:k] += CROSSING
    for head in heads:
        rows = within(across, head[other], head[other + 2])
        found[rows, reaching(along, head[axis], head[axis + 2])] += HIDDEN
    for box in boxes:  # what runs along a box closely costs twice its length
        rows = within(across, box[other] - CLOSE, box[other + 2] + CLOSE)
        columns = reaching(along, box[axis], box[axis + 2])
        found[rows, columns] += np.minimum(high[columns], box[axis + 2]) - \
            np.maximum(low[columns], box[axis])
    for box in boxes:
        rows = within(across, box[other] - CLEAR, box[other + 2] + CLEAR)
        found[rows, reaching(along, box[axis] - CLEAR, box[axis + 2] + CLEAR)] = WALL
    return walled


def within(places: Sequence[float], low: float, high: float) -> slice:
    """Those of some sorted places that lie between two others."""
    return slice(bisect_right(places, low), bisect_left(places, high))


def reaching(places: Sequence[float], low: float, high: float) -> slice:
    """Those of the stretches from each place to the next that reach in between two others."""
    return slice(max(bisect_right(places, low) - 1, 0), bisect_left(places, high))
