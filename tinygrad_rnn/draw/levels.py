"""Levels: many operations in one box.

The question this file answers: *how much of it do I want to see?*

    op      every operation
    cell    one box for each cell and step, with circles for x, h and y
    layer   one box for each layer, with whole sequences between

And any scope can be collapsed to one box a step. What stands inside a box is not lost: its tooltip
says how many operations there are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import InputError
from .labels import Text, plain, roman
from .names import Names
from .parts import Steps
from .scene import Column, Glyph, Rail, Scene, Wire
from .sequences import Sequences, is_op, joined, pairs, sorted_by_use

LEVELS = ("op", "cell", "layer")
GATES = (("LSTM", {"i", "f", "g", "o"}), ("GRU", {"r", "z", "n"}))
Group = tuple[Hashable, str]  # what belongs together, and what the box says


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


def scope_groups(scene: Scene, names: list[str]) -> dict[Glyph, Group]:
    """Everything in a scope, or in one of those inside it. Raises `InputError` for a scope that is
    not there."""
    found: dict[Glyph, Group] = {}
    for name in names:
        everything = [*(g for c in scene.columns for g in c.glyphs), *scene.around]
        inside = [g for g in everything if f"{g.scope}/".startswith(f"{name}/")
                  and (g.when is not None or g.node is not None and g.node.op.rules)]
        if not inside:
            known = sorted({g.scope for g in everything if g.scope})
            raise InputError(f"there is no scope {name!r} to collapse", where="collapse",
                             fix="The scopes in view: " + (", ".join(known) or "none"))
        found.update((glyph, (("scope", name), name)) for glyph in inside)
    return found


def cell_groups(scene: Scene) -> dict[Glyph, Group]:
    """The operations of each cell; and above it, those on the way from one variable to the next."""
    found: dict[Glyph, Group] = {}
    for stage in scene.stages():
        part = scene.part(stage)
        steps = Steps(part)
        glyphs = [g for c in part.columns if c.step is not None for g in c.glyphs]
        cells = {scope: cell_name([g for g in glyphs if g.scope == scope])
                 for scope in {g.scope for g in glyphs}}
        joined = joined_ops(part, steps)
        before = {g for c in part.columns if stage and c.step == 0 for g in c.glyphs}
        for glyph in glyphs:
            shown = glyph.key in steps.leaves and not is_op(glyph) or glyph.role == "input"
            if steps.kind[glyph.key] in ("spine", "lower"):
                rolled = isinstance(glyph.key, tuple) and glyph.key[0] == "bridge"
                if not shown:
                    name = "bridge" if glyph in before or rolled else cells[glyph.scope]
                    found[glyph] = (("bridge" if rolled else "cell", glyph.scope), name)
            elif is_op(glyph):
                found[glyph] = (("ops", joined[glyph.key]), "")
    return {**found, **groups_around(scene)}


def groups_around(scene: Scene) -> dict[Glyph, Group]:
    """Outside of time, every operation together with the only one that uses it: a head that hears
    of the last state is a linear map as one at every step is."""
    ops = {glyph for glyph in scene.around if is_op(glyph)}
    users: dict[Glyph, list[Glyph]] = {}
    below: dict[Glyph, list[Glyph]] = {}
    for wire in (wire for wire in scene.wires if wire.tail in ops):
        users.setdefault(wire.tail, []).append(wire.head)
        below.setdefault(wire.head, []).append(wire.tail)
    depth = depths(scene.around, below, weighted(scene))
    last: dict[Glyph, Glyph] = {}
    for glyph in reversed([glyph for glyph in scene.around if glyph in ops]):  # users first
        user = only[0] if len(only := users.get(glyph, [])) == 1 else None
        together = user in last and depth[user] == depth[glyph]
        last[glyph] = last[user] if user is not None and together else glyph
    return {glyph: (("ops", last[glyph].id), "") for glyph in scene.around if glyph in last}


def cell_name(glyphs: list[Glyph]) -> str:
    """What kind of cell these are, told by its gates."""
    names = {g.node.name for g in glyphs if g.node is not None and g.node.name is not None}
    return next((kind for kind, gates in GATES if gates <= names), "RNN")


def joined_ops(scene: Scene, steps: Steps) -> dict[Hashable, Hashable]:
    """For every operation above the states, one of those that it hangs together with, by whichever
    operand: where a mask kept a state, that is another than at other steps."""
    glyphs = {g.key: g for c in scene.columns for g in c.glyphs if is_op(g)}
    own = {key: steps.below.get(key, {}) for key in steps.keys
           if key in glyphs and steps.kind[key] == "upper"}
    ops = sorted_by_use(own, ((k, key) for key, ks in own.items() for k in ks if k in own))
    place = {key: i for i, key in enumerate(ops)}
    below = {key: [k for k in own[key] if place.get(k, len(ops)) < i] for key, i in place.items()}
    depth = depths(ops, below, {glyph.key: kind for glyph, kind in weighted(scene).items()})
    group = {key: [key] for key in ops}
    for key in ops:
        for other in (k for k in below[key] if depth[k] == depth[key]):
            if group[other] is not group[key]:
                few, many = sorted((group[key], group[other]), key=len)
                many += few
                group.update(dict.fromkeys(few, many))
    return {key: group[key][0] for key in ops}


def weighted(scene: Scene) -> dict[Glyph, str]:
    """The products and sums that a weight enters, each with the name of its operation."""
    given = [tap.head for rail in scene.rails for tap in rail.taps
             if rail.glyph.node is not None and not rail.glyph.node.op.rules]
    given += [wire.head for wire in scene.wires if wire.tail.shape == "box"]
    names = {"linear": "@", "@": "@", "+": "+"}
    return {glyph: names[glyph.node.op.name] for glyph in given
            if glyph.node is not None and glyph.node.op.name in names}


def depths(ops: Iterable[Any], below: Mapping[Any, list[Any]],
           weights: Mapping[Any, str]) -> dict[Any, int]:
    """How many linear maps begin or end on the way to every operation.

    W h + b is a box of its own, also if its result has no name and goes straight into a loss:
    operations of one box have one depth, and so no box needs itself.
    """
    maps: set[Any] = set()
    depth: dict[Any, int] = {}
    for key in ops:
        before, kind = below.get(key, []), weights.get(key)
        if kind == "@" or kind == "+" and before and maps.issuperset(before):
            maps.add(key)
        depth[key] = max((depth[k] + (kind == "@" or k in maps and key not in maps)
                          for k in before), default=int(kind == "@"))
    return depth


class Boxes:
    """A scene in which every group is a box."""

    def __init__(self, scene: Scene, groups: dict[Glyph, Group]) -> None:
        self.whole, self.groups = scene, groups
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
