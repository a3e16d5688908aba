"""Sequences: a scene without time, in which every layer is one box.

The question this file answers: *what does the network look like when I do not care for steps?*

Between the layers run whole sequences, x₁ … x_T; a box knows the weights that its steps share, a
sequence the nodes that it stands for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from ..core.graph import Node
from .labels import Run, clean, plain
from .names import Names, safe
from .scene import Glyph, Scene, Wire

BETWEEN = ("carried", "fed", "late")  # the kinds of wires from step to step
Thing = TypeVar("Thing", bound=Hashable)


def is_op(glyph: Glyph) -> bool:
    """Whether a glyph is an operation, and no variable."""
    return glyph.role in ("op", "function") or glyph.role == "dim" and glyph.shape == "pill"


class Sequences:
    """A scene without time: every layer once, and between them whole sequences x₁ … x_T."""

    def __init__(self, scene: Scene) -> None:
        self.whole = scene
        self.names = Names()
        self.one: dict[Hashable, Glyph] = {}
        self.of: dict[Glyph, Glyph] = {}
        ends: dict[Hashable, list[Glyph]] = {}
        for column in scene.columns:
            for glyph in column.glyphs if column.step is not None else ():
                ends.setdefault((column.stage, glyph.key), []).append(glyph)
        steps = {glyph for glyphs in ends.values() for glyph in glyphs}
        for glyph in scene.glyphs():
            if glyph not in steps:
                self.names.unique(glyph.id)  # which stays what it is called
        for key, glyphs in ends.items():
            self.one[key] = self.whole_of(glyphs)
            self.of.update((glyph, self.one[key]) for glyph in glyphs)
        self.around = self.with_weights()

    def whole_of(self, glyphs: list[Glyph]) -> Glyph:
        """The sequence of which these are the steps; or the layer, of which they are the cells."""
        first, last = glyphs[0], glyphs[-1]
        text = first.text
        if first.role == "cell":  # the first may be a bridge
            text = (*last.text, Run(f"  {clean(first.scope)}")) if first.scope else text
        elif not is_op(first) and len(glyphs) > 1:
            a, b = sorted((first, last), key=lambda g: g.when or 0)
            text = (*a.text, Run(" … "), *b.text)
        id = self.names.give(safe(plain(first.text)), None, first.scope)
        inside = {glyph for glyph in glyphs if glyph.role == "cell" or is_op(glyph)}
        weights = [rail.glyph.node for rail in self.whole.rails if rail.glyph.node is not None
                   and any(tap.head in inside for tap in rail.taps)]
        several = len(glyphs) > 1 and not inside
        steps = [glyph.node for glyph in glyphs if glyph.node is not None] if several else []
        return replace(first, id=id, text=text, when=None, note=(), title=plain(text),
                       weights=tuple(weights), steps=tuple(steps),
                       shape="pill" if first.shape == "circle" and len(glyphs) > 1 else first.shape)

    def with_weights(self) -> list[Glyph]:
        """What stands outside of time: a box there knows its weights too, and they are not drawn
        beside it."""
        users: dict[Glyph, set[Glyph]] = {}
        for wire in self.whole.wires:
            users.setdefault(wire.tail, set()).add(wire.head)
        boxes = {glyph for glyph in self.whole.around if glyph.role == "function"
                 and glyph.node is None}
        inside: dict[Glyph, list[Node]] = {}
        for glyph in self.whole.around:
            own = users.get(glyph, set())
            if glyph.shape == "box" and glyph.node is not None and len(own) == 1 and own <= boxes:
                inside.setdefault(next(iter(own)), []).append(glyph.node)
            else:
                self.of[glyph] = glyph
        for box, weights in inside.items():
            self.of[box] = replace(box, weights=tuple(weights))
        return [self.of[glyph] for glyph in self.whole.around if glyph in self.of]

    def scene(self) -> Scene:
        """All of it as a graph without time. What runs from step to step is drawn where it leads
        on, and not where it comes back to what it is made from."""
        ends = [(wire, tail, head) for wire in self.whole.wires
                if (tail := self.of.get(wire.tail)) is not None
                and (head := self.of.get(wire.head)) is not None and tail is not head]
        users: dict[Glyph, dict[Glyph, None]] = {}
        for _, tail, head in ends:
            users.setdefault(tail, {})[head] = None
        ahead = {pair: not reaches(pair[1], pair[0], users) for pair in dict.fromkeys(
            (tail, head) for wire, tail, head in ends if wire.kind in BETWEEN)}
        wires: dict[Hashable, Wire] = {}
        for wire, tail, head in ends:
            if wire.kind not in BETWEEN or ahead[tail, head]:
                joined(wires, (tail, head), wire, tail=tail, head=head, kind="free", role="line",
                       width=1.2, note=())
        for rail in self.whole.rails:  # a context
            source = next((w.tail for w in self.whole.wires if w.head is rail.glyph), None)
            tail = self.of.get(source) if source is not None else None
            if tail is None:
                continue
            for wire in rail.taps:
                head = self.of[wire.head]
                joined(wires, (tail, head), wire, tail=tail, head=head, kind="free", role="line",
                       width=1.2, note=())
        order = [*self.one.values(), *self.around]
        return Scene(self.whole.title, [], around=sorted_by_use(order, pairs(wires.values())),
                     wires=in_order(order, list(wires.values())), caption=())


def reaches(start: Glyph, end: Glyph, users: dict[Glyph, dict[Glyph, None]]) -> bool:
    """Whether a way leads from one to the other, by what uses what."""
    found = {start: None}
    for glyph in (todo := [start]):
        for other in users.get(glyph, ()):
            if other not in found:
                found[other] = None
                todo.append(other)
    return end in found


def joined(wires: dict[Hashable, Wire], key: Hashable, wire: Wire, **changes: Any) -> None:
    """Put a wire, changed, to those with its key: the first is drawn, and knows the others. What
    is said of one and not of another is said of neither."""
    there = wires.get(key)
    if there is None:
        wires[key] = replace(wire, several=[*wire.parts()], **changes)
    elif there.several is not None:
        there.several += wire.parts()
        there.note = there.note if there.note == wire.note else ()
        there.arrives = there.arrives if there.arrives == wire.arrives else ()


def in_order(glyphs: list[Glyph], wires: list[Wire]) -> list[Wire]:
    """Wires such that every glyph is complete before it is used."""
    place = {glyph: i for i, glyph in enumerate(sorted_by_use(glyphs, pairs(wires)))}
    return sorted(wires, key=lambda w: (place[w.head], place[w.tail]))


def pairs(wires: Iterable[Wire]) -> Iterator[tuple[Glyph, Glyph]]:
    """What each wire joins."""
    return ((wire.tail, wire.head) for wire in wires)


def sorted_by_use(things: Iterable[Thing], uses: Iterable[tuple[Thing, Thing]]) -> list[Thing]:
    """Things, each after what it is made from; `uses` are one of them and what is made of it."""
    users: dict[Thing, list[Thing]] = {thing: [] for thing in things}
    waiting = dict.fromkeys(users, 0)
    for tail, head in uses:
        users[tail].append(head)
        waiting[head] += 1
    found = [thing for thing in users if not waiting[thing]]
    for thing in found:
        for head in users[thing]:
            waiting[head] -= 1
            if not waiting[head]:
                found.append(head)
    return [*found, *(thing for thing in users if waiting[thing])]
