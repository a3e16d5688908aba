"""Numbers: what is said at wires and taps: parts of a sum, factors, what arrives.

The question this file answers: *which number stands at which line?*
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Protocol

from . import spots, style
from .labels import Text, plain, width
from .lags import add_delays
from .model import Box, Label, Line, Point
from .nearest import Nearest, from_head, from_middle
from .paper import label_rect
from .passages import PASSAGES
from .routing import Way
from .scene import Rail, Wire
from .spots import Places, Spot, said_at
from .telling import CROWDED, Telling
from .timegrid import TimeGrid

if TYPE_CHECKING:
    from .ink import Ink


def add_numbers(ink: Ink) -> None:
    """All of them, those with the least choice first."""
    telling = Telling(ink.taken, ink.heads, ink.edges, ink.lines, ink.boxes)
    for rail in ink.scene.rails:
        step_notes(ink, rail)
        tap_notes(ink, telling, rail)
    add_delays(ink, telling)
    if ink.scene.backwards:
        add_gradients(ink, ink.scene.wires, ink.boxes, partial(between, ink.grid))
        return
    handed = [wire for wire in ink.scene.wires if wire.hands_over]
    for wire in handed:
        handing(ink, telling, wire)
    told = {*handed, *(wire for wire in ink.scene.wires if wire.delay)}
    for wire in ink.scene.wires:
        if wire.note and wire not in told:
            number(ink, telling, wire)


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
            joined = [at for at in places[:2] if not ink.lanes.touch(spots.up_to(at, ends))]
            spot = spots.free(joined, room, ink.taken, ink.lanes, ink.edges) or \
                spots.free(joined, room, ink.taken, ink.lanes) or \
                spots.free(places[:2], room, ink.taken, ink.lanes, ink.edges) or \
                spots.free(places[:2], room, ink.taken, ink.lanes) or \
                ink.best(places[2:], room, ink.edges)  # further away than across an edge
            crossed = any(lane.touch(said_at(spot, note)) for lane in (ink.lanes, ink.edges))
            ink.say(spot[0], note, anchor=spot[1], halo=crossed)


def tap_notes(ink: Ink, telling: Telling, rail: Rail) -> None:
    """What is said of a single tap, rolled up: which steps have it."""
    t = ink.grid.templates[rail.stage]
    for wire in rail.taps:
        if wire.note and wire.head.when not in rail.step_notes:
            x = ink.grid.left[ink.grid.column_of[wire.head]] + t.tap(rail, wire).way[0][0]
            places = spots.for_step([x], t.rail_y[rail.glyph.id] - 6, False, 0.0)
            tell(ink, telling, places, Label(0, 0, wire.note, "quiet", style.TINY), wire)


def handing(ink: Ink, telling: Telling, wire: Wire) -> None:
    """Which steps of two stages a wire joins, each beside the frame that it is said of."""
    starts, ends = spots.between_frames(wire, ink.grid)
    for places, said, end in (starts, wire.arrives, 0), (ends, wire.note, -1):
        if said:
            tell(ink, telling, places, Label(0, 0, said, "quiet", style.TINY), wire, end)


def number(ink: Ink, telling: Telling, wire: Wire) -> None:
    """The number of a wire, at the first place near it that is free."""
    passage = wire.kind in PASSAGES
    like = Label(0, 0, wire.note, "text" if passage else "quiet",
                 style.SMALL if passage else style.TINY, halo=passage)
    tell(ink, telling, spots.for_number(wire, ink.grid), like, wire)


def tell(paper: Paper, telling: Telling, places: Iterable[Spot], like: Label, wire: Wire,
         end: int = 0) -> None:
    """Words like these at the best of some places or anywhere along a wire, from its beginning on,
    or from its other `end`."""
    line = paper.lines[paper.drawn[wire]]
    way = way_of(paper, wire)
    everywhere = chain(places, from_middle(way, like.text, wire.width, like.size, way[end]))
    label, cost = telling.best(everywhere, like._replace(of=(line.id,)), line)
    paper.crowded += cost >= CROWDED
    paper.put(label._replace(halo=like.halo or paper.lanes.touch(label_rect(label))))


# --- of a gradient --------------------------------------------------------------------------------


class Paper(Protocol):
    """What a gradient's numbers are put on: its lines, which of them is which wire, and places
    where words, lines, arrow heads and the outlines of frames are."""

    lines: list[Line]
    drawn: dict[Wire, int]
    taken: Places
    lanes: Places
    heads: Places
    edges: Places
    crowded: int

    def put(self, label: Label) -> None:
        """Words with a look of their own."""


def add_gradients(paper: Paper, wires: Iterable[Wire], boxes: Iterable[Box],
                  border: Callable[[Wire, Way], Point]) -> None:
    """Factors, and what arrives at heads, among `boxes`; `border` is where a passage runs between
    two steps."""
    wires = [wire for wire in wires if wire in paper.drawn]
    noted, arriving = ([w for w in wires if w.note], [w for w in wires if w.arrives])
    if not noted and not arriving:
        return
    nearest = Nearest(paper.taken, paper.heads, paper.lines, boxes)
    own = lines_of_one(paper, wires, lambda wire: (wire.tail, wire.kind, wire.head.when))
    for wire in noted:
        factor(paper, nearest, wire, own[wire], border)
    own = lines_of_one(paper, wires, lambda wire: (wire.tail, wire.head))
    room = max((wire.arrives for wire in arriving), key=wide, default=())
    for wire in arriving:
        arrival(paper, nearest, wire, own[wire], room)


def factor(paper: Paper, nearest: Nearest, wire: Wire, own: set[str],
           border: Callable[[Wire, Way], Point]) -> None:
    """The factor of a passage, between the two steps or elsewhere on its way; where there is no
    place, in the words that come up over its line."""
    i = paper.drawn[wire]
    way = way_of(paper, wire)
    places = from_middle(way, wire.note, wire.width, style.SMALL, border(wire, way))
    label = nearest.label(places, Label(0, 0, wire.note, size=style.SMALL, halo=True), own, way)
    if label is not None:
        paper.put(label)
        return
    paper.crowded += 1
    title = f"{paper.lines[i].title}; {plain(wire.note)}"
    paper.lines[i] = paper.lines[i]._replace(title=title)


def arrival(paper: Paper, nearest: Nearest, wire: Wire, own: set[str], room: Text) -> None:
    """What arrives at the start of a wire, beside the arrow head there or a little behind it; at a
    place where there is `room` for what arrives elsewhere too, so that all steps look alike."""
    way = way_of(paper, wire)
    places = from_head(way, room, wire.width, style.TINY,
                       spots.at_start(wire, way, width(room, style.TINY)))
    like = Label(0, 0, wire.arrives, "quiet", style.TINY)
    label = nearest.label(places, like, own, way, room, paper.edges)
    if label is None:
        paper.crowded += 1
        return
    paper.put(label._replace(halo=paper.lanes.touch(label_rect(label))))


def way_of(paper: Paper, wire: Wire) -> Way:
    """The way of a wire as it is drawn, from what is used to its user."""
    points = paper.lines[paper.drawn[wire]].points
    return points[::-1] if wire.backwards else points


def between(grid: TimeGrid, wire: Wire, way: Way) -> Point:
    """Where a way comes out of the step that it ends in."""
    x = spots.border(wire, grid, way)
    return next(((x, p[1]) for p, q in pairwise(way) if min(p[0], q[0]) <= x <= max(p[0], q[0])),
                way[len(way) // 2])


def lines_of_one(paper: Paper, wires: Iterable[Wire],
                 kind: Callable[[Wire], Hashable]) -> dict[Wire, set[str]]:
    """The lines that a number is of: those of all wires of one kind."""
    kinds: dict[Hashable, set[str]] = {}
    found = {}
    for wire in wires:
        found[wire] = kinds.setdefault(kind(wire), set())
        found[wire].add(paper.lines[paper.drawn[wire]].id)
    return found
