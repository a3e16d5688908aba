"""The quotient: all steps of a scene laid on top of each other.

The question this file answers: *what is the same at every step, and what do only some have?*

Glyphs with one key, in one stage, become one glyph; a wire from step to step becomes a delay with
its lag. What only some steps have keeps its place, dashed, with words that hold for every T: "only
t = 1", "t > 1".
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import replace

from ..core.graph import Node
from ..errors import InputError
from . import glyphs, wording
from .alike import Alike, Unread
from .inputs import unnumbered
from .labels import Run, Text, clean, plain, roman, symbol
from .lags import ago
from .names import Names, safe
from .presence import Presence, Spot, Uses, Whens, lag
from .scattered import timed
from .scene import Column, Glyph, Rail, Scene, Wire


class Quotient:
    """All steps of a scene, laid on top of each other."""

    def __init__(self, scene: Scene, alike: Alike | None = None) -> None:
        self.unread = Unread(scene, alike)
        self.whole = scene = self.unread.without_gaps(scene)
        self.names = Names()
        self.one: dict[Spot, Glyph] = {}  # the glyph that stands for all with its key
        self.there: dict[Spot, Whens] = {}  # the steps that have the key
        self.of: dict[Glyph, Glyph] = {}
        bridges_apart(scene)
        self.presence = Presence(scene, self.there)
        self.uses: dict[Wire, Uses] = {}  # the steps at which a wire is
        self.columns = [self.column(stage) for stage in scene.stages()]
        for whens in self.there.values():
            self.unread.add_steps(whens)
        for glyph in self.outside():
            self.of[glyph] = self.renamed(glyph)

    def scene(self) -> Scene:
        """One step of every stage, with its delays."""
        whole = self.whole
        wires = self.wires()
        rails = [self.rail(rail) for rail in whole.rails]
        self.say_presence(wires)
        self.say_uses([*wires, *(tap for rail in rails for tap in rail.taps)])
        return Scene("Rolled graph", self.columns, [], rails,
                     [self.of[g] for g in whole.initial], [self.of[g] for g in whole.around],
                     [self.of[g] for g in whole.totals], wires)

    def told_together(self) -> Scene:
        """The same, with one wire for each operand, however late it is."""
        return self.presence.told_together(self.scene(), self.uses)

    # --- glyphs ---------------------------------------------------------------------------------

    def column(self, stage: int) -> Column:
        """The union of a stage's steps. Raises `InputError` if one key means two things there."""
        own = [c for c in self.whole.columns if c.stage == stage]
        one = Column(1, stage=stage, when=stage, part=own[0].part, title=self.presence.title(stage))
        texts: dict[Spot, Text] = {}
        for column in own:
            seen: set[Hashable] = set()
            for glyph in column.glyphs:
                if glyph.key in seen:
                    raise InputError(f"two parts of step {column.step} have one place in the "
                                     f"rolled graph: {plain(glyph.text)}", where="draw.rolled()")
                seen.add(glyph.key)
                spot = stage, glyph.key
                if spot not in self.one:
                    self.one[spot], texts[spot] = self.timeless(glyph, stage), glyph.text
                    one.glyphs.append(self.one[spot])
                elif texts[spot] != glyph.text and glyph.node is not None:
                    glyphs.vary(self.one[spot], glyph.node)
                self.there.setdefault(spot, set()).add(column.when)
                self.of[glyph] = self.one[spot]
        return one

    def timeless(self, glyph: Glyph, stage: int) -> Glyph:
        """A glyph of one step as the glyph of all: h_t for h_1, without its numbers."""
        node, text, id = glyph.node, glyph.text, re.sub(r"^t-?\d+\.", "", glyph.id)
        if node is not None and glyph.role not in ("op", "function"):
            age = glyph.age or 0
            t = f"t−{age}" if age > 0 else f"t+{-age}" if age < 0 else "t"
            bare = glyph.role == "input" and not wording.has_digit(node.name)
            if node.name is not None and not (bare and text == symbol(node.name)):
                name = node.name if glyph.age is None else unnumbered(node.name)
                id = id.replace(safe(node.name), safe(name), 1)
                text = symbol(name if node.step is None else base(name, node.step), t)
            elif node.op.name == "[]" and node.a is not None and node.a.name is not None:
                text = roman(f"{clean(node.a.name)}[{t}]")
        title = plain(text) if node is None else f"{plain(text)}: {wording.shape(node.value)}"
        return replace(glyph, id=self.names.unique(id), text=text, title=title, when=stage)

    def outside(self) -> list[Glyph]:
        """What is not in any step."""
        return [*self.whole.initial, *self.whole.around, *(r.glyph for r in self.whole.rails)]

    def renamed(self, glyph: Glyph) -> Glyph:
        """A glyph outside of the steps, with a name and words that do not depend on T."""
        text, node = glyph.text, glyph.node
        id = re.sub(r"^t-?\d+\.", "", glyph.id)
        if glyph in self.whole.initial and node is not None:
            if glyph.age and node.step is not None and node.name is not None:
                text = symbol(node.name, f"T+{-glyph.age}")
            elif glyph.age and len(text) > 1:
                text = text[0], Run(f"T+{-glyph.age}", "_")
            id = id if node.step is None else f"first.{id}"
        elif node is not None and node.name is not None and node.op.rules \
                and node.step is not None and glyph not in self.whole.totals:
            text = symbol(node.name, self.step_of(glyph, node), bold=True)  # a context
        title = plain(text) if node is None else f"{plain(text)}: {wording.shape(node.value)}"
        return replace(glyph, id=self.names.unique(id), text=text, title=title)

    def step_of(self, context: Glyph, node: Node) -> str:
        """Which step of an earlier stage a context is left by: of an encoder, the last."""
        made = next((wire.tail for wire in self.whole.wires if wire.head is context), context)
        stage = next((c.stage for c in self.whole.columns if made in c.glyphs), 0)
        last = self.presence.steps(stage)[1][-1].step
        return self.presence.last[stage] if node.step == last else str(node.step)

    # --- wires ----------------------------------------------------------------------------------

    def wires(self) -> list[Wire]:
        """Each use once; from step to step with its lag."""
        found: dict[Hashable, Wire] = {}
        jumps = self.jumps()
        for wire in self.whole.wires:
            tail, head = self.of.get(wire.tail), self.of.get(wire.head)
            if tail is None or head is None:
                continue
            jump = wire in jumps
            late = 0 if jump else lag(wire)
            at = 0 if wire.kind in ("term", "free") else wire.position
            key = (tail.id, head.id, at, late, wire.kind)
            if key not in found:
                kind = "final" if jump else "delay" if late else wire.kind
                found[key] = replace(wire, tail=tail, head=head, kind=kind, delay=late, title="",
                                     several=None)
                if jump:
                    found[key].note = timed("from ", f" = {self.end(wire)}")
            self.uses.setdefault(found[key], set()).add((wire.tail.when, wire.head.when))
        return list(found.values())

    def jumps(self) -> set[Wire]:
        """The wires from one end of time to the other, whose lag depends on T: the last output of a
        layer that reads backwards is that of step 1, and is wanted at step T. (What other steps do
        too looks back so far, h_{t-2}; of three steps only one does.)"""
        places: dict[tuple[Glyph, Glyph, int], list[Wire]] = {}
        for wire in self.whole.wires:
            tail, head = self.of.get(wire.tail), self.of.get(wire.head)
            if lag(wire) and tail is not None and head is not None:
                places.setdefault((tail, head, wire.position), []).append(wire)
        return {wires[0] for (_, head, _), wires in places.items() if len(wires) == 1
                and self.ends(wires[0]) and len(self.presence.at(head)) == 1}

    def ends(self, wire: Wire) -> list[Column]:
        """The columns that a wire joins, if these are the two ends of time in a stage."""
        own = self.presence.steps(self.of[wire.head].when or 0)[1]
        joins = [c for c in (own[0], own[-1]) if c.when in (wire.tail.when, wire.head.when)]
        return joins if len(own) > 2 and len(joins) == 2 else []

    def end(self, wire: Wire) -> str:
        """The end of time that a jump comes from."""
        first = self.ends(wire)[0]
        T = self.presence.last[first.stage]
        return str(first.step) if wire.tail.when == first.when else T

    def rail(self, rail: Rail) -> Rail:
        """A rail with one tap for each place that uses the weight."""
        glyph = self.of[rail.glyph]
        taps: dict[Hashable, Wire] = {}
        for wire in rail.taps:
            head = self.of[wire.head]
            tap = taps.setdefault((head.id, wire.position),
                                  replace(wire, tail=glyph, head=head, title="", several=None))
            self.uses.setdefault(tap, set()).add((None, wire.head.when))
        return Rail(glyph, rail.role, list(taps.values()), stage=rail.stage)

    # --- what only some steps have --------------------------------------------------------------

    def say_presence(self, wires: list[Wire]) -> None:
        """`only t=1` at the beginning of what only the first step does, and so on."""
        words = {glyph: self.presence.of_glyph(glyph) for glyph in self.one.values()}
        before: dict[Glyph, list[Glyph]] = {}
        for wire in wires:
            if wire.kind in ("inner", "result"):
                before.setdefault(wire.head, []).append(wire.tail)
        for glyph, said in words.items():
            glyph.dashed = glyph.dashed or bool(said)
            glyph.title = ", ".join(filter(None, (glyph.title, self.presence.listed(said))))
            if said and not any(words.get(x) == said for x in before.get(glyph, ())):
                glyph.note = said

    def say_uses(self, wires: list[Wire]) -> None:
        """The same of a wire, at its one end or at both."""
        for wire in wires:
            self.unread.add_uses(self.uses[wire])
            first, last = self.presence.along(wire, self.uses[wire])
            if wire.kind == "handed":
                wire.arrives, wire.note = first, last
            else:
                wire.note = first or last or wire.note
            late = plain(ago(wire.delay)) if wire.delay else ""
            told = self.presence.listed(first) or self.presence.listed(last)
            wire.title = ", ".join(filter(None, (late, told)))


def bridges_apart(scene: Scene) -> None:
    """Give what hands a context over, h₀ = P c + p, a place of its own: the steps make an h too,
    and may end in a + as it does, but not of this."""
    made_of: dict[Glyph, set[Hashable]] = {}
    for wire in (*scene.wires, *(tap for rail in scene.rails for tap in rail.taps)):
        inside = wire.tail.when is not None and wire.tail.when == wire.head.when
        rail = wire.tail.id if wire.kind == "tap" else "elsewhere"
        made_of.setdefault(wire.head, set()).add(wire.tail.key if inside else rail)
    for stage in scene.stages()[1:]:
        start, *steps = [c for c in scene.columns if c.stage == stage]
        known = {g.key: made_of.get(g) for c in steps for g in c.glyphs}
        ops = [g for g in start.glyphs if g.role in ("op", "function")]
        if start.step == 0 and not any(g.key in known and known[g.key] == made_of.get(g)
                                       for g in ops):
            for glyph in ops:
                glyph.key = ("bridge", glyph.key)


def base(name: str, step: int) -> str:
    """The name without the step that a user has written into it."""
    return name.removesuffix(f"_{step}") or name
