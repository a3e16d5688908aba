"""Presence: which steps have a thing or a wire, in words that hold for every number of steps.

The question this file answers: *is it only the first step that does this, or all but the last?*

"Only t = 2" counts from the start, "t < T−1" from the end, and of three steps nobody can tell. From
the start counts what leads to a state; from the end what few of the last steps have alone, like the
outputs that a mask leaves; and in a scope that reads from the end it is the other way round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import replace
from itertools import pairwise

from .labels import Text
from .parts import Steps
from .scattered import FEW, Scattered, timed
from .scene import Column, Glyph, Scene, Wire

Whens = set[int | None]
Uses = set[tuple[int | None, int | None]]  # where a wire is: the columns of its tail and its head
Spot = tuple[int, Hashable]  # a stage, and a key in it


class Presence:
    """The steps of a scene; `there` are those that have a key."""

    def __init__(self, scene: Scene, there: Mapping[Spot, Whens]) -> None:
        self.whole, self.there = scene, there
        self.column_of: dict[int | None, Column] = {c.when: c for c in scene.columns}
        self.ways: Counter[str] = Counter()  # by scope: below 0 where it reads from the end
        for wire in scene.wires:
            if wire.kind != "late":
                self.ways[wire.head.scope] += lag(wire)
        self.known: dict[int, tuple[list[Column], list[Column]]] = {}
        self.parts: dict[int, Steps] = {}
        self.scattered = Scattered()
        self.last = {stage: last_step(i) for i, stage in enumerate(scene.stages())}

    def title(self, stage: int) -> Text:
        """Which steps there are: all from the first to the last, but for a few; or every third."""
        steps, T = [c.step or 0 for c in self.steps(stage)[1]], self.last[stage]
        missing = sorted({*range(steps[0], steps[-1])} - {*steps})
        if not missing:
            return timed("", f" = {steps[0]} … {T}")
        if len(steps) > 2 and len({b - a for a, b in pairwise(steps)}) == 1:
            return timed("", f" = {steps[0]}, {steps[1]} … {T}")
        if len(steps) <= FEW:
            return timed("", f" = {', '.join(map(str, steps[:-1]))}, {T}")
        if len(missing) <= FEW:
            return (*timed("", f" = {steps[0]} … {T}"),
                    *timed(", ", f" ≠ {', '.join(map(str, missing))}"))
        return timed(f"{len(steps)} of ", f" = {steps[0]} … {T}")

    def words(self, glyph: Glyph, whens: Whens) -> Text:
        """Which steps these are, of those of the glyph's stage; nothing if it is all of them."""
        own, made = self.steps(glyph.when or 0)
        steps = [c for c in made if not (c.stage and c.step == 0)]  # no handing over
        every = {c.when for c in steps}
        if whens >= every:
            return ()
        if whens == {own[-1].when} and own[-1] not in made:
            return timed("after ", f" = {self.last[glyph.when or 0]}")
        if len(whens) == 1 and not whens <= every:  # a first state is made, or handed over
            return timed("before ", f" = {steps[0].step}")
        return self.bounds(glyph, whens & every, steps)

    def bounds(self, glyph: Glyph, whens: Whens, steps: list[Column]) -> Text:
        """Which of `steps` these are: one, or those between two."""
        there = [i for i, column in enumerate(steps) if column.when in whens]
        back, alone = self.ways[glyph.scope] < 0, self.alone(glyph, whens)
        last, few = len(steps) - 1, 2 * len(there) < len(steps)
        if glyph.age:  # an input that was there before the first step, or that is after the last
            back, few = glyph.age < 0, True
        begins, ends, T = there[0] == 0, there[-1] == last, self.last[glyph.when or 0]
        end = self.steps(glyph.when or 0)[1][-1].step or 0

        def name(i: int, from_end: bool) -> str:
            step = steps[i].step or 0  # what looks to the next step is not at the last one
            return str(step) if not from_end else T if step == end else f"{T}−{end - step}"

        three = last == 2 and steps[2].when == (steps[0].when or 0) + 2
        if len(there) == 1 and not (three and there == [1]):  # of three, it is 1 < t < T
            return timed("only ", f" = {name(there[0], ends and last > 0 or back and not begins)}")
        if there != [*range(there[0], there[-1] + 1)]:
            at = {column.step or 0: i for i, column in enumerate(steps)}
            ends_at = back or there == [0, last]
            return self.scattered.words([steps[i].step or 0 for i in there], [*at],
                                        len(self.steps(glyph.when or 0)[1]),
                                        lambda step: name(at[step], ends_at))
        low = "" if begins else name(there[0] - 1, few and ends and (alone or back))
        high = "" if ends else name(there[-1] + 1, not (few and begins and (alone or not back)))
        if low and high:
            return timed(f"{low} < ", f" < {high}")
        return timed("", f" > {low}" if low else f" < {high}")

    def listed(self, said: Text) -> str:
        """All of the steps that are told by these words, if it is not clear from them alone."""
        return self.scattered.lists.get(said, "")

    # --- wires ----------------------------------------------------------------------------------

    def along(self, wire: Wire, uses: Uses) -> tuple[Text, Text]:
        """At which steps a wire of the rolled graph is, if not wherever it could be: what is said
        where it begins, and where it ends."""
        tails, heads = {a for a, _ in uses}, {b for _, b in uses}
        if wire.head.when is None:
            return self.unless_all(wire.tail, tails), ()
        if wire.kind == "handed":
            if len(uses) == 1:
                return self.unless_all(wire.tail, tails), self.unless_all(wire.head, heads)
            return (), self.paired(wire, uses)
        could, made = self.could(wire, heads), self.steps(wire.head.when or 0)[1]
        if wire.delay and tails.isdisjoint(c.when for c in made):  # what makes a first state
            could = {*self.at(wire.head)}
        if wire.kind == "final" or heads == could:
            return (), ()
        steps = [c for c in self.steps(wire.head.when or 0)[1] if c.when in could]
        if wire.delay and heads <= {c.when for c in steps}:
            return (), self.bounds(wire.head, heads, steps)
        if wire.tail.age and wire.tail.when is not None and heads == self.at(wire.tail):
            return (), ()  # which the input itself says
        said = self.unless_all(wire.head, heads)
        ends = wire.tail, wire.head
        return (), said if said not in [self.of_glyph(glyph) for glyph in ends] else ()

    def told_together(self, scene: Scene, uses: Mapping[Wire, Uses]) -> Scene:
        """A rolled graph with one wire for an operand that some steps read so late and others so:
        `t−2; t−1, only t = 2`. What comes first is the rule, if most steps follow it."""
        groups: dict[Hashable, list[Wire]] = {}
        for wire in scene.wires:
            key = (wire.tail, wire.head, wire.position) if wire.delay else wire
            groups.setdefault(key, []).append(wire)
        wires: list[Wire] = []
        for group in groups.values():
            heads = {wire: {b for _, b in uses[wire]} for wire in group}
            every = set[int | None]().union(*heads.values())
            if len(group) > 1 and len(every) == sum(map(len, heads.values())):  # none reads both
                first, *more = sorted(group, key=lambda wire: -len(heads[wire]))
                steps = [c for c in self.steps(first.head.when or 0)[0] if c.when in every]
                said = {wire: self.bounds(wire.head, heads[wire], steps) for wire in group}
                rule = 2 * len(heads[first]) > len(every)
                also = tuple((wire.delay, said[wire]) for wire in more)
                title = "; ".join(wire.title for wire in (first, *more))
                group = [replace(first, title=title, also=also, note=() if rule else said[first])]
            wires += group
        return replace(scene, wires=wires)

    def could(self, wire: Wire, heads: Whens) -> Whens:
        """The steps at which a wire would be that nothing keeps from being there: a delay wherever
        there is something to delay, a first state at as many of the first steps as it is."""
        there = self.at(wire.head)
        if wire.delay:
            return {when for when in there if when is not None
                    and when - wire.delay in self.at(wire.tail)}
        if wire.tail.when is None and wire.kind in ("carried", "fed"):
            made = [c.when for c in self.steps(wire.head.when or 0)[1]]
            return {*(made[::-1] if self.ways[wire.head.scope] < 0 else made)[:len(heads)]}
        return there

    def paired(self, wire: Wire, uses: Uses) -> Text:
        """Which step of an earlier stage a step reads, where it is another for each."""
        steps = [(self.column_of[a].step or 0, self.column_of[b].step or 0) for a, b in uses]
        apart, sums = {a - b for a, b in steps}, {a + b for a, b in steps}
        if len(apart) == 1:
            d = apart.pop()
            return timed("from ", "" if not d else f"+{d}" if d > 0 else f"−{-d}")
        if len(sums) > 1 and len(uses) <= FEW:
            steps.sort(key=lambda pair: pair[1])
            return timed("from ", f" = {', '.join(str(a) for a, _ in steps)}")
        stage = wire.tail.when or 0
        d = sums.pop() - max(c.step or 0 for c in self.steps(stage)[1])
        T = self.last[stage] + ("" if not d else f"+{d}" if d > 0 else f"−{-d}")
        return timed("from some ", "") if sums else timed(f"from {T}−", "")

    def unless_all(self, glyph: Glyph, whens: Whens) -> Text:
        """Which steps these are, if not all that have a glyph; of one outside of the steps there is
        nothing to say."""
        return () if glyph.when is None or whens >= self.at(glyph) else self.words(glyph, whens)

    def of_glyph(self, glyph: Glyph) -> Text:
        """Which steps have a glyph, if not all."""
        return self.words(glyph, self.at(glyph)) if glyph.when is not None else ()

    def at(self, glyph: Glyph) -> Whens:
        """The steps that have a glyph."""
        return self.there[glyph.when or 0, glyph.key]

    # --- steps ----------------------------------------------------------------------------------

    def steps(self, stage: int) -> tuple[list[Column], list[Column]]:
        """The steps of a stage; and those of them that do more than make a first state."""
        if stage not in self.known:
            own = [c for c in self.whole.columns if c.stage == stage]
            self.known[stage] = own, proper(own, self.whole.wires)
        return self.known[stage]

    def alone(self, glyph: Glyph, whens: Whens) -> bool:
        """Whether nothing is made of it that other steps have too: it is no way into a state."""
        stage = glyph.when or 0
        if stage not in self.parts:
            self.parts[stage] = Steps(self.whole.part(stage))
        steps = self.parts[stage]
        return all(self.there[stage, key] <= whens for key in steps.reach([glyph.key], steps.above))


def proper(own: list[Column], wires: list[Wire]) -> list[Column]:
    """The steps of a stage without those that only make a first state, if it is computed (from a
    learned one, say): step 0, and T+1 where a sequence is read from its end."""
    ops = {c.when: {g.key for g in c.glyphs if g.role in ("op", "function", "cell")} for c in own}
    fed = {w.head.when for w in wires if w.tail.role == "gap"
           or w.tail.when in ops and w.tail.when != w.head.when}
    shown = [c for c in own if c.step is not None]

    def first(made: Column, beside: Column) -> bool:
        return made in shown and made.when not in fed and not ops[made.when] & ops[beside.when]

    if len(shown) > 1 and own[0].step == 0 and first(own[0], shown[1]):
        own, shown = own[1:], shown[1:]
    return own[:-1] if len(shown) > 1 and first(own[-1], shown[-2]) else own


def lag(wire: Wire) -> int:
    """How many steps before the use its operand was made; 0 within a step or a handover."""
    ends = wire.tail.when, wire.head.when
    if wire.kind not in ("carried", "fed", "late") or ends[0] is None or ends[1] is None:
        return 0
    return ends[1] - ends[0]


def last_step(stage: int) -> str:
    """What the last step of a stage is called: that of the first one T, that of the next T′."""
    return "T" + "′" * stage
