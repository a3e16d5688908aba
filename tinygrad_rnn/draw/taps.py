"""Taps: the ways from the rails of weights to their uses in a step.

The question this file answers: *how does a weight that all steps share get into one of them?*

A tap leaves its rail straight and is in its step's frame from then on: the frame is as wide as what
runs in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from itertools import chain, product
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from . import style
from .routes import better, cheapest
from .routing import Rect, Way, ports
from .search import End, doors_left
from .tracks import AWAY, TRACK

if TYPE_CHECKING:
    from .cell import Grid
    from .scene import Scene
    from .stamp import Stamp

Key = Hashable
ASIDE, NEXT = 30, 14  # how far from its middle a cell is tapped first, and then from tap to tap


class Tap(NamedTuple):
    """Where a rail is tapped: the way up from the rail, and on which side of it a note stands."""

    way: Way
    note_left: bool


def lay_taps(stamp: Stamp) -> dict[tuple[str, Key, int], Tap]:
    """The ways from the rails: straight up where that is free, else beside the column and in. In an
    upper zone in one order, also when the rails have moved: each tap finds the place again that its
    rail was sorted by."""
    found, t = {}, stamp.template
    for band, rails in sorted(t.zones.items()):
        upper = t.grid.uppers[band]
        for rail in t.first_laid[band] if upper else rails:
            y = t.rail_y[rail.glyph.id]
            heads = dict.fromkeys((wire.head.key, wire.position) for wire in rail.taps
                                  if wire.head.when in stamp.whens)
            for key, position in heads:
                way = tap_way(stamp, stamp.rects[key], y, upper and t.noted)
                stamp.crowded += stamp.field.crowded(way)
                stamp.field.wires.lay(way)
                found[rail.glyph.id, key, position] = Tap(way, upper)
    return found


def tap_way(stamp: Stamp, rect: Rect, y: float, left_only: bool) -> Way:
    """From a rail at height `y` into a box, at a point where no other wire ends."""
    field, t, inside = stamp.field, stamp.template, stamp.inside
    way = field.best(framed(tap_ways(rect, y, left_only), inside), (rect,))
    if way is None or field.meetings(way):
        way = field.best(framed(chain.from_iterable(
            tap_ways(end, y) for end in (rect, *ports(rect))), inside), (rect,)) or way
    if way is None or field.meetings(way):
        way = field.best(framed(round_taps(rect, y, t.xs, t.ys), inside), (rect,)) or way
    if way is None or field.crowded(way):
        found = cheapest(field, inside, [*on_rail(inside, y)], doors_left(field, rect), (rect,))
        way = better(field, way, found, (rect,)) or ((0.0, y), (0.0, y))
    return way


def framed(ways: Iterable[Way], inside: Rect) -> Iterable[Way]:
    """The taps that begin below what their step's frame can hold."""
    return (way for way in ways if inside[0] <= way[0][0] <= inside[2])


def on_rail(inside: Rect, y: float) -> Iterable[End]:
    """Where a rail can be tapped, and the first point of the tap within the frame."""
    left, _, right, bottom = inside
    for k in range(int((right - left) / TRACK)):
        x = left + TRACK * k
        if y >= bottom:
            yield End((x, y), (0.0, bottom - y))
        else:
            yield End((x, y), (0.0, -AWAY))
            yield End((x, y), (0.0, AWAY))


def tap_ways(rect: Rect, y: float, left_only: bool = False) -> Iterable[Way]:
    """From a rail at height `y` into a box: straight, or beside it and in from the side."""
    middle, level = (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2
    edge = rect[3] if y > level else rect[1]
    wide = rect[2] - rect[0]
    aside = list(range(ASIDE, int(wide / 2) - NEXT + 1, NEXT)) if wide >= style.CELL[0] else []
    for d in (*(-d for d in reversed(aside)), *aside):
        yield (middle + d, y), (middle + d, edge)
    yield (middle, y), (middle, edge)
    for distance in (12.0, 22.0, 32.0, 42.0, 52.0, 66.0, 84.0, 108.0, 140.0, 180.0, 230.0):
        yield (rect[0] - distance, y), (rect[0] - distance, level), (rect[0], level)
        if not left_only:
            yield (rect[2] + distance, y), (rect[2] + distance, level), (rect[2], level)


def round_taps(rect: Rect, y: float, xs: Iterable[float], ys: Iterable[float]) -> Iterable[Way]:
    """From a rail at height `y` up a channel, along a level one, and in from above or below."""
    middle = (rect[0] + rect[2]) / 2
    levels = [level for level in ys if level < rect[1] or level > rect[3]]
    for x, level in product(xs, levels):
        yield (x, y), (x, level), (middle, level), (middle, rect[1 if level < rect[1] else 3])


def widen_cells(scene: Scene, grid: Grid, sizes: dict[Key, tuple[float, float]]) -> bool:
    """Make the boxes of cells wide enough for their taps to come in from below, half of them on
    either side of what stands there; whether one needs more than the usual width."""
    taps: Counter[tuple[Key, int | None]] = Counter(
        (wire.head.key, wire.head.when) for rail in scene.rails for wire in rail.taps
        if wire.head.role == "cell")
    most: Counter[Key] = Counter()
    for (key, _), count in taps.items():
        most[key] = max(most[key], count)
    for column in scene.columns:
        for glyph in column.glyphs:
            if glyph.role == "cell" and glyph.when is not None:
                spot = grid.spots[glyph.key]
                below = [sizes[key][0] for key, other in grid.spots.items()
                         if other[:2] == spot[:2] and other.row < spot.row]
                glyph.least = tapped_width(most[glyph.key], max(below, default=0.0))
    return any(least > style.CELL[0] for least in (
        glyph.least for column in scene.columns for glyph in column.glyphs))


def tapped_width(taps: int, below: float) -> float:
    """The width of a box that `taps` enter from below, past something of a width."""
    first = ASIDE + NEXT * max(0, ceil((below / 2 + 6 - ASIDE) / NEXT))
    return 2 * (first + NEXT * ((taps + 1) // 2))
