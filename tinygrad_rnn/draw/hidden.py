"""Hidden steps: by how much those in a gap change the gradient on its way back, on the whole.

The question this file answers: *what is the mean factor of the steps that are not drawn?*

The factor of a step has nothing to do with what its loss adds to the gradient. So it cannot be told
from the gradients at both ends of a gap, and each step is asked for its own, as those in view are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node
from .labels import Run, Text, clean, number, plain, roman, symbol
from .scene import Column, Glyph
from .structures import is_kept, is_mask, made_new
from .survey import Survey
from .through import Through

MANY = 500  # so many steps are asked at most: evenly spread, if there are more


class Means:
    """The mean factors of gaps, by the places of their columns. What the steps of all gaps are
    asked for is looked up once: a window may leave out every second step."""

    def __init__(self, through: Through, gaps: list[int]) -> None:
        self.through, self.amounts, self.found = through, through.amounts, through.found
        self.runs = {at: self.states(at) for at in gaps}
        self.users = users(self.found, {self.found.when(x) for runs in self.runs.values()
                                        for _, run in runs for i in spread(run)
                                        for x in run[i - 1:i + 2]})

    def said(self, at: int) -> tuple[Text, ...]:
        """×0.66 per step: the geometric mean over a gap, of each state; which one it is, if there
        are several."""
        found = [(a, text) for a, run in self.runs[at] for text in [self.of(run)] if text]
        named = Counter(self.name(a) for a, _ in found)
        return tuple((*(self.called(a, named) if len(found) > 1 else ()), *text)
                     for a, text in found)

    def states(self, at: int) -> list[tuple[Glyph, list[Node]]]:
        """The states that are in view on both sides of a gap, and each at all its places in time
        from one side to the other."""
        columns: list[Column] = self.amounts.scene.columns
        if not 0 < at < len(columns) - 1:
            return []
        before, after = columns[at - 1], columns[at + 1]
        there = {g.key for g in after.glyphs if g.role == "state"}
        return [(a, self.sequence(a.node, before.when or 0, after.when or 0))
                for a in before.glyphs if a.role == "state" and a.key in there
                and a.node is not None and a.node.name is not None]

    def sequence(self, state: Node, begin: int, end: int) -> list[Node]:
        """A state at all its places in time from one to another, in their order."""
        whens, nodes = self.through.order(state)
        first, after = np.searchsorted(whens, begin), np.searchsorted(whens, end, "right")
        return nodes[first:after]

    def of(self, states: list[Node]) -> Text:
        """The mean factor of the steps between the first and the last of these states. Numbers of
        either sign have one of their sizes, NaN among them leaves NaN."""
        factors = self.factors(states)
        if not len(factors):
            return ()
        with np.errstate(divide="ignore", invalid="ignore"):  # 0 and infinite: no mean, NaN
            mean = float(np.exp(np.log(np.abs(factors)).mean()))
        below, above = (factors < 0).any(), (factors > 0).any()
        sign = ("±" if above else "−") if below else ""
        return roman(f"×{sign}{number(mean)} per step")

    def factors(self, states: list[Node]) -> Any:
        """The factors of the steps between the first and the last of these states: of all, or of
        many that are evenly spread. The gradient goes on to the state of the step before, or to
        that of the step after where a layer reads backwards. Where less arrives than has digits,
        there is none."""
        for side in (-1, 1):
            factors = [self.one(states[i], self.left(states[i + side])) for i in spread(states)]
            known = [factor for factor in factors if factor is not None]
            if known:
                return np.array(known)
        return np.empty(0)

    def one(self, after: Node, before: Node) -> float | None:
        """The factor of one step."""
        flow, left = self.amounts.flow, self.left(after)
        least = float(np.finfo(np.asarray(after.value).dtype).tiny)
        if left is after and (after not in flow.arrived or not flow.norm(after) >= least):
            return None
        return self.through.factor(before, after, left, least)

    def left(self, state: Node) -> Node:
        """What a hidden step leaves of a state."""
        return kept(state, self.users[self.found.when(state)], self.found)

    def name(self, state: Glyph) -> str:
        """What a state is called at every step."""
        return "" if state.node is None else self.found.called(state.node) or ""

    def called(self, state: Glyph, named: Counter[str]) -> Text:
        """Which state a factor is of."""
        name = self.name(state)
        scope = f"{clean(state.scope)}/" if named[name] > 1 and state.scope else ""
        return (*((Run(scope),) if scope else ()), *symbol(name), Run(": "))


def mean_of(columns: list[Column]) -> Text:
    """What is said of the mean factor in the legend, where one is told."""
    gaps = [column for column in columns if column.lines]
    if not gaps:
        return ()
    many = any(column.count > MANY for column in gaps)
    steps = f"{MANY:,} steps, evenly spread," if many else "the steps"
    where = "the gap" if len(gaps) == 1 else "each gap"
    signs = ", of either sign" if any("±" in plain(line) for gap in gaps for line in gap.lines) \
        else ""
    return roman(f"× per step: the geometric mean of the factors of {steps} in {where}{signs}")


def spread(states: list[Node]) -> list[int]:
    """The places of those between the first and the last that are asked: all, or many that are
    evenly spread."""
    inner = len(states) - 2
    evenly = np.linspace(1, inner, min(inner, MANY)) if inner > 0 else np.empty(0)
    return [*map(int, np.unique(evenly.round()))]


def kept(state: Node, step: Iterable[Node], found: Survey) -> Node:
    """What a step leaves of a state: where a mask keeps some of the one before, both together."""
    read: set[Node] = set()
    for node in step:
        if not is_mask(node):
            read.update(found.source(x) for _, x in walk.parents(node))
        elif made_new(node, found) == {state} and is_kept(node, read, found):
            return node
    return state


def users(found: Survey, whens: set[int | None]) -> dict[int | None, list[Node]]:
    """What was computed at some places in time."""
    there: dict[int | None, list[Node]] = {when: [] for when in whens}
    if found.whens:
        for n in found.computed:
            if (when := found.whens.get(n)) in there:
                there[when].append(n)
        return there
    for when, begin, end in found.outline.of(there):
        there[when] += found.computed[begin:end]
    return there
