"""Levels: many operations in one box.

The question this file answers: *how much of it do I want to see?*

    op      every operation
    cell    one box for each cell and step, with circles for x, h and y
    layer   one box for each layer, with whole sequences between

And any scope can be collapsed to one box a step. What stands inside a box is not lost: its tooltip
says how many operations there are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from ..errors import InputError
from .groups import Group, cell_groups, passed_by_masks, scope_groups
from .labels import Text, plain, roman
from .names import Names
from .scene import Column, Glyph, Rail, Scene, Wire
from .sequences import Sequences, is_op, joined, pairs, sorted_by_use

LEVELS = ("op", "cell", "layer")


def at_level(scene: Scene, level: str, collapse: Iterable[str] = ()) -> Scene:
    """The scene with its cells or layers in boxes, and the scopes in `collapse` in one box each."""
    names = list(collapse)
    if names:
        scene = Boxes(scene, scope_groups(scene, names)).scene()
    if level != "op" and scene.columns:
        scene = Boxes(scene, cell_groups(scene)).scene()
    if level == "layer" and scene.columns:
        scene = Sequences(scene).scene()
    return scene


class Boxes:
    """A scene in which every group is a box."""

    def __init__(self, scene: Scene, groups: dict[Glyph, Group]) -> None:
        self.whole, self.groups = scene, groups
        self.passed = passed_by_masks(scene, groups)
        self.names = Names()
        for glyph in (*scene.initial, *(rail.glyph for rail in scene.rails)):
            self.names.unique(glyph.id)
        self.of: dict[Glyph, Glyph] = {}
        self.columns = [self.column(column) for column in scene.columns]
        self.around = self.column(Column(None, scene.around)).glyphs

    def column(self, column: Column) -> Column:
        """A step with its groups as boxes, each where the first of its operations was."""
        members: dict[Hashable, list[Glyph]] = {}
        for glyph in column.glyphs:
            if glyph in self.groups:
                members.setdefault(self.groups[glyph][0], []).append(glyph)
            else:
                self.names.unique(glyph.id)  # no box gets this name
        boxes = {key: self.box(key, inside, column) for key, inside in members.items()}
        glyphs: dict[Glyph, None] = {}
        for glyph in column.glyphs:
            self.of[glyph] = boxes[self.groups[glyph][0]] if glyph in self.groups else glyph
            glyphs[self.of[glyph]] = None
        return replace(column, glyphs=list(glyphs))

    def box(self, key: Hashable, inside: list[Glyph], column: Column) -> Glyph:
        """The box of a group: what it is called, and how much is in it."""
        first = inside[0]
        if len(inside) == 1 and not self.groups[first][1]:
            return first
        text = roman(self.groups[first][1]) if self.groups[first][1] else self.label(inside)
        count = sum(is_op(glyph) for glyph in inside)
        name = self.names.give(plain(text), column.step, first.scope)
        title = f"{plain(text)}: {count} operations"
        role = "cell" if self.groups[first][1] else "function"
        some = all(glyph.dashed for glyph in inside)  # rolled up: what only some steps do
        return Glyph(name, text, role, "pill", None, first.when, ("box", key), first.scope, title,
                     note=first.note if some else (), dashed=some)

    def label(self, inside: list[Glyph]) -> Text:
        """What some operations above the states are together: a product and a sum are a linear
        map."""
        known = {g.node.op.name for g in inside if g.node is not None}
        function = next((g.text for g in inside if g.role == "function"), None)
        if function is not None:
            return function
        return roman("linear") if known & {"linear", "@"} else inside[-1].text

    def scene(self) -> Scene:
        """The scene with boxes: wires inside are gone, and those to a box are drawn once."""
        whole = self.whole
        wires: dict[Hashable, Wire] = {}
        for wire in whole.wires:
            tail, head = self.of.get(wire.tail, wire.tail), self.of.get(wire.head, wire.head)
            tail = self.passed.get(wire.tail, tail) if tail is not head else tail
            if tail is head and not wire.delay:
                continue
            boxed = tail is not wire.tail or head is not wire.head
            kind = "inner" if wire.kind == "result" and boxed else wire.kind
            key = (tail, head, kind, wire.delay, None if boxed else wire.position)
            position = 0 if boxed else wire.position
            joined(wires, key, wire, tail=tail, head=head, kind=kind, position=position)
        made = {(w.tail, w.head) for w in wires.values() if w.kind == "inner"}
        wires = {key: w for key, w in wires.items()  # a state that its own cell reads again
                 if not (w.kind == "inner" and w.head.role == "cell" and (w.head, w.tail) in made)}
        drawn, around = list(wires.values()), self.around
        if around != whole.around:
            around, drawn = self.sorted(drawn)
        return replace(whole, columns=self.columns, wires=drawn, around=around,
                       rails=[self.rail(rail) for rail in whole.rails])

    def sorted(self, wires: list[Wire]) -> tuple[list[Glyph], list[Wire]]:
        """What stands outside of time, and the wires, each after what it is made from. Raises
        `InputError` where a box would be needed by what it is made from."""
        beside = set(self.around)
        own = [w for w in wires if w.head in beside and w.tail in beside]
        order = sorted_by_use(self.around, pairs(own))
        place = {glyph: i for i, glyph in enumerate(order)}
        for wire in own:
            if place[wire.tail] >= place[wire.head]:
                box = wire.tail if wire.tail.role == "cell" else wire.head
                raise InputError(f"{plain(box.text)} cannot be one box: its result goes out, and "
                                 "what is made of it comes in again", where="collapse")
        rest = [w for w in wires if w not in set(own)]
        return order, [*rest, *sorted(own, key=lambda w: (place[w.head], place[w.tail]))]

    def rail(self, rail: Rail) -> Rail:
        """A rail with one tap for each box."""
        taps: dict[Hashable, Wire] = {}
        for wire in rail.taps:
            head = self.of.get(wire.head, wire.head)
            position = wire.position if head is wire.head else 0
            joined(taps, (head, position), wire, head=head, position=position)
        return replace(rail, taps=list(taps.values()))
