"""Gaps: the dots that stand for what hidden steps give and take.

The question this file answers: *which state is it that comes out of steps that are not drawn?*

While a graph is read, all that is known of a hidden state is who uses it. Which row it belongs to
is told at the end, when every step in view has been seen: by the state that enters at the same
place in another step, or by its name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple
from weakref import proxy

from ..core.graph import Node
from . import glyphs
from .inputs import family
from .scene import Column, Glyph, Wire
from .structures import let_pass

if TYPE_CHECKING:
    from .reading import Reader


class Dots(NamedTuple):
    """One hidden state: its dots, the gap they stand in, and the node that they stand for."""

    glyph: Glyph
    gap: Column
    node: Node


class Ends:
    """The ends of all wires: the `entries` that each glyph leads to, what `enters` there from a
    step in view (the first wire, and where it comes from), and what `leaves` for a glyph. What is
    `read` by a step is more than kept there by a mask."""

    def __init__(self, wires: list[Wire]) -> None:
        self.entries: dict[Glyph, list[Hashable]] = {}
        self.enters: dict[Hashable, tuple[int, Glyph]] = {}
        self.leaves: dict[Glyph, Glyph] = {}
        self.read: set[Glyph] = set()
        for i, wire in enumerate(wires):
            entry = wire.head.key, wire.position
            self.entries.setdefault(wire.tail, []).append(entry)
            self.leaves.setdefault(wire.head, wire.tail)
            if wire.head.when is not None and wire.head.passes is None:
                self.read.add(wire.tail)
            first = wire.kind == "carried" and wire.tail.role == "input"  # a first state
            if wire.kind in ("carried", "late") and wire.tail.when is not None and not first:
                self.enters.setdefault(entry, (i, wire.tail))


class Gaps:
    """All dots of a picture. The reader, which has them, is held weakly: see `core/freeing.py`."""

    def __init__(self, reader: Reader) -> None:
        self.reader: Reader = proxy(reader)
        self.found: dict[tuple[Node, int], Dots] = {}
        self.columns: dict[int, tuple[list[int], list[Column]]] = {}  # by stage: begins, gaps
        for column in reader.columns:
            if column.hidden is not None:
                begins, gaps = self.columns.setdefault(column.stage, ([], []))
                begins.append(column.hidden[0])
                gaps.append(column)

    def dots(self, x: Node, hidden: Node) -> Glyph:
        """The dots for `x`, in the gap that stands for the step of `hidden`."""
        found = self.reader.found
        made = found.homes.get(hidden, hidden)
        stage, step = found.stages.get(made, 0), made.at.step or 0
        begins, gaps = self.columns[stage]
        gap = gaps[bisect_right(begins, step) - 1]
        known = self.found.get((x, id(gap)))
        if known is None:
            glyph = glyphs.gap_glyph()
            glyph.scope = x.at.scope
            known = self.found[x, id(gap)] = Dots(glyph, gap, x)
        return known.glyph

    def leave(self) -> None:
        """The wires from visible states into the hidden steps."""
        reader = self.reader
        for x, user in reader.found.leaving.items():
            if x in reader.value:
                kind = "needed" if user.phase != x.phase else reader.between(x, user)
                reader.wires.append(Wire(reader.value[x], self.dots(x, user), kind, None))

    def settle(self) -> None:
        """Give all dots the row of their state; those of one state in one gap become one."""
        if not self.found:
            return
        one: dict[tuple[int, Hashable], Glyph] = {}
        of: dict[Glyph, Glyph] = {}
        ways = Ends(self.reader.wires)
        for dots in self.found.values():
            dots.glyph.key = self.key(dots, ways)
            first = one.setdefault((id(dots.gap), dots.glyph.key), dots.glyph)
            of[dots.glyph] = first
            if first is dots.glyph:
                first.id = self.reader.names.give("gap")
                dots.gap.glyphs.append(first)
        for wire in self.reader.wires:
            wire.tail, wire.head = of.get(wire.tail, wire.tail), of.get(wire.head, wire.head)

    def key(self, dots: Dots, ways: Ends) -> Hashable:
        """The place of a hidden state within its step: that of what enters at the same place in
        another step, of what has the same name, or of the state in view that goes on there."""
        structures, glyph = self.reader.structures.numbers, dots.glyph
        same = [ways.enters[entry] for entry in ways.entries.get(glyph, ()) if entry in ways.enters]
        if dots.node in self.reader.found.homes:
            rows = self.reader.rows.get(family(self.reader.found, dots.node))
            return rows.most_common(1)[0][0] if rows else glyph.key
        if same:
            tail = min(same, key=itemgetter(0))[1]
            return tail.key if tail.passes is None or glyph not in ways.read else tail.passes
        state = let_pass(dots.node, self.reader.found) if glyph in ways.read else dots.node
        for scope in self.scopes(dots):
            named = (scope, self.reader.found.called(state))
            if state.name is not None and named in structures:
                return structures[named], 0, "var"
        leaves = ways.leaves.get(glyph)
        return leaves.key if leaves is not None and leaves.key is not None else glyph.key

    def scopes(self, dots: Dots) -> list[str]:
        """Where a state of this name may live: in its own scope, and for what is handed over from
        an earlier stage in those of the stage of the gap instead."""
        found, scope = self.reader.found, dots.node.at.scope
        stage = found.stages.get(dots.node, 0)
        if stage == dots.gap.stage:
            return [scope]
        inside = (glyph.scope for column in self.reader.columns if column.stage == dots.gap.stage
                  for glyph in column.glyphs if glyph.when is not None)
        return list(dict.fromkeys(inside))
