"""Gaps: the dots that stand for what hidden steps give and take.

The question this file answers: *which state is it that comes out of steps that are not drawn?*

While a graph is read, all that is known of a hidden state is who uses it. Which row it belongs to
is told at the end, when every step in view has been seen: by the state that enters at the same
place in another step, or by its name.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

from ..core.graph import Node
from . import glyphs
from .scene import Column, Glyph, Wire

if TYPE_CHECKING:
    from .reading import Reader


class Dots(NamedTuple):
    """One hidden state: its dots, the gap they stand in, and the node that they stand for."""

    glyph: Glyph
    gap: Column
    node: Node


class Gaps:
    """All dots of a picture."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.found: dict[tuple[Node, int], Dots] = {}

    def dots(self, x: Node, hidden: Node) -> Glyph:
        """The dots for `x`, in the gap that stands for the step of `hidden`."""
        found = self.reader.found
        stage, step = found.stages.get(hidden, 0), hidden.at.step or 0
        gap = next(c for c in self.reader.columns
                   if c.hidden and c.stage == stage and c.hidden[0] <= step <= c.hidden[1])
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
                reader.wires.append(Wire(reader.value[x], self.dots(x, user), "carried", None))

    def settle(self) -> None:
        """Give all dots the row of their state; those of one state in one gap become one."""
        one: dict[tuple[int, Hashable], Glyph] = {}
        of: dict[Glyph, Glyph] = {}
        for dots in self.found.values():
            dots.glyph.key = self.key(dots)
            first = one.setdefault((id(dots.gap), dots.glyph.key), dots.glyph)
            of[dots.glyph] = first
            if first is dots.glyph:
                first.id = self.reader.names.give("gap")
                dots.gap.glyphs.append(first)
        for wire in self.reader.wires:
            wire.tail, wire.head = of.get(wire.tail, wire.tail), of.get(wire.head, wire.head)

    def key(self, dots: Dots) -> Hashable:
        """The place of a hidden state within its step: that of what enters at the same place in
        another step, of what has the same name, or of the state in view that goes on there."""
        reader, glyph = self.reader, dots.glyph
        entries = {(w.head.key, w.position) for w in reader.wires if w.tail is glyph}
        for wire in reader.wires:
            same = (wire.head.key, wire.position) in entries and wire.kind == "carried"
            if same and wire.tail.when is not None:
                return wire.tail.key
        for scope in self.scopes(dots):
            named = (scope, dots.node.name)
            if dots.node.name is not None and named in reader.structures:
                return reader.structures[named], 0, "var"
        leaves = next((w.tail.key for w in reader.wires if w.head is glyph), None)
        return leaves if leaves is not None else glyph.key

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
