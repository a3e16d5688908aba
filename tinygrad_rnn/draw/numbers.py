"""Numbers: what is said at wires and taps: parts of a sum, factors, what arrives, lags.

The question this file answers: *which number stands at which line?*
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from . import spots, style
from .labels import Run, Text, width
from .model import Box, Label, Point
from .paper import label_rect
from .passages import PASSAGES
from .scene import Rail, Wire
from .spots import said_at

if TYPE_CHECKING:
    from .ink import Ink


def add_numbers(ink: Ink) -> None:
    """All of them, those with the least choice first."""
    for rail in ink.scene.rails:
        step_notes(ink, rail)
        tap_notes(ink, rail)
    for wire in ink.scene.wires:
        if wire.delay:
            delay(ink, wire)
    handed = [wire for wire in ink.scene.wires if wire.hands_over]
    for wire in handed:
        handing(ink, wire)
    told = {*handed, *(wire for wire in ink.scene.wires if wire.delay)}
    for wire in ink.scene.wires:
        if wire.note and wire not in told:
            number(ink, wire)
    arriving = [wire for wire in ink.scene.wires if wire.arrives and wire not in told]
    room = max((wire.arrives for wire in arriving), key=wide, default=())
    for wire in arriving:
        arrival(ink, wire, room)


def wide(text: Text) -> float:
    """How much room words take."""
    return width(text, style.SMALL)


def step_notes(ink: Ink, rail: Rail) -> None:
    """What is said of each step, beside its last tap: one number, however many taps."""
    t = ink.grid.templates[rail.stage]
    taps: dict[int | None, list[float]] = {}  # where each step taps the rail
    for wire in rail.taps if rail.step_notes else ():
        taps.setdefault(wire.head.when, []).append(t.tap(rail, wire).way[0][0])
    head = max((style.head(wire.width)[1] for wire in rail.taps), default=0.0)
    room = max(rail.step_notes.values(), key=wide, default=())  # all steps look for the same place
    for i, column in enumerate(ink.scene.columns):
        note = rail.step_notes.get(column.when) if column.step is not None else None
        if note:
            left, x = t.tap(rail, rail.taps[0]).note_left, ink.grid.left[i]
            ends = [x + end for end in sorted(taps[column.when])]
            places = [*spots.for_step(ends, t.rail_y[rail.glyph.id] - 6, left, head)]
            spot = spots.free(places[:2], room, ink.taken, ink.lanes, ink.edges) or \
                spots.free(places[:2], room, ink.taken, ink.lanes) or \
                ink.best(places[2:], room, ink.edges)  # further away than across an edge
            crossed = any(lane.touch(said_at(spot, note)) for lane in (ink.lanes, ink.edges))
            ink.say(spot[0], note, anchor=spot[1], halo=crossed)


def tap_notes(ink: Ink, rail: Rail) -> None:
    """What is said of a single tap, rolled up: which steps have it."""
    t = ink.grid.templates[rail.stage]
    for wire in rail.taps:
        if wire.note and wire.head.when not in rail.step_notes:
            x = ink.grid.left[ink.grid.column_of[wire.head]] + t.tap(rail, wire).way[0][0]
            places = spots.for_step([x], t.rail_y[rail.glyph.id] - 6, False, 0.0)
            at, anchor = ink.best(places, wire.note, ink.edges)
            label = Label(*at, wire.note, "quiet", style.TINY, anchor)
            ink.put(label._replace(halo=ink.lanes.touch(label_rect(label))))


def handing(ink: Ink, wire: Wire) -> None:
    """Which steps of two stages a wire joins, each beside the frame that it is said of."""
    for places, said in zip(spots.between_frames(wire, ink.grid), (wire.arrives, wire.note)):
        if said:
            at, anchor = ink.best(places, said, ink.edges)
            label = Label(*at, said, "quiet", style.TINY, anchor)
            ink.put(label._replace(halo=ink.lanes.touch(label_rect(label))))


def number(ink: Ink, wire: Wire) -> None:
    """The number of a wire, at the first place near it that is free."""
    passage = wire.kind in PASSAGES
    at, anchor = ink.best(spots.for_number(wire, ink.grid), wire.note,
                          *([] if passage else [ink.edges]))
    label = Label(*at, wire.note, "text" if passage else "quiet",
                  style.SMALL if passage else style.TINY, anchor)
    ink.put(label._replace(halo=passage or ink.lanes.touch(label_rect(label))))


def arrival(ink: Ink, wire: Wire, room: Text) -> None:
    """What arrives at the start of a wire, beside the arrow head there; at a place where there is
    `room` for what arrives elsewhere too, so that all steps look alike."""
    places = spots.at_start(wire, ink.grid.way(wire), width(room, style.TINY))
    at, anchor = ink.best(places, room)
    label = Label(*at, wire.arrives, "quiet", style.TINY, anchor)
    ink.put(label._replace(halo=ink.lanes.touch(label_rect(label))))


def delay(ink: Ink, wire: Wire) -> None:
    """The black square on the longest stretch of a delayed wire, where no other line crosses, and
    the lag beside it."""
    lag = lag_text(wire)
    crowds = {at: crowd(ink, at, wire) for at in spots.along(ink.grid.way(wire))}
    squares = sorted(crowds, key=lambda at: crowds[at])
    squares = [at for at in squares if crowds[at] < 9] or squares  # on no glyph
    said = ink.best([spot for at in squares for spot in spots.around_square(at)], lag, ink.edges)
    x, y = next((at for at in squares if said in spots.around_square(at)), squares[0])
    ink.boxes.append(Box(f"{wire.tail.id}--{wire.head.id}.{wire.position}.delay", x, y, 8, 8,
                         "rect", "delay", title="a delay"))
    ink.taken.add((x - 4, y - 4, x + 4, y + 4))
    ink.say(said[0], lag, "text", style.TINY, said[1], halo=True)


def lag_text(wire: Wire) -> Text:
    """How many steps ago: t−1; and which steps look back, if not all that can: t−3, some t."""
    lag = Run("t", "i"), Run(f"−{wire.delay}" if wire.delay > 0 else f"+{-wire.delay}")
    return (*lag, Run(", "), *wire.note) if wire.note else lag


def crowd(ink: Ink, at: Point, wire: Wire) -> int:
    """How many lines other than `wire` run close to a point; a glyph counts for nine."""
    x, y = at
    name = f"{wire.tail.id}--{wire.head.id}"
    near = sum(min(p[0], q[0]) < x + 9 and max(p[0], q[0]) > x - 9
               and min(p[1], q[1]) < y + 9 and max(p[1], q[1]) > y - 9
               for line in ink.lines if not line.id.startswith(name)
               for p, q in pairwise(line.points))
    return near + 9 * ink.taken.touch((x - 8, y - 8, x + 8, y + 8))
