"""Hidden steps: by how much those in a gap change the gradient on its way back, on the whole.

The question this file answers: *what is the mean factor of the steps that are not drawn?*

The factor of a step has nothing to do with what its loss adds to the gradient. So it cannot be told
from the gradients at both ends of a gap, and each step is asked for its own, as those in view are.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node
from .amounts import Amounts
from .labels import Run, Text, clean, number, plain, roman, symbol
from .scene import Column, Glyph
from .survey import Survey

MANY = 500  # so many steps are asked at most: evenly spread, if there are more
STEP = attrgetter("at.step")


def mean_factors(amounts: Amounts, at: int) -> tuple[Text, ...]:
    """×0.66 per step: the geometric mean over the gap that is column `at`, of each state; which one
    it is, if there are several."""
    columns: list[Column] = amounts.scene.columns
    if not 0 < at < len(columns) - 1:
        return ()
    before, after = columns[at - 1], columns[at + 1]
    there = {g.key for g in after.glyphs if g.role == "state"}
    found = [(a, text) for a in before.glyphs if a.role == "state" and a.key in there
             for text in [mean_factor(amounts, a, before.when or 0, after.when or 0)] if text]
    named = Counter(a.node.name for a, _ in found if a.node is not None)
    return tuple((*(called(a, named) if len(found) > 1 else ()), *text) for a, text in found)


def mean_of(columns: list[Column]) -> Text:
    """What is said of the mean factor in the legend, where one is told."""
    gap = next((column for column in columns if column.lines), None)
    if gap is None:
        return ()
    steps = "the steps" if gap.count <= MANY else f"{MANY:,} steps, evenly spread,"
    signs = ", of either sign" if any("±" in plain(line) for line in gap.lines) else ""
    return roman(f"× per step: the geometric mean of the factors of {steps} in the gap{signs}")


def called(state: Glyph, named: Counter[str | None]) -> Text:
    """Which state a factor is of."""
    name = "" if state.node is None else state.node.name or ""
    scope = f"{clean(state.scope)}/" if named[name] > 1 and state.scope else ""
    return (*((Run(scope),) if scope else ()), *symbol(name), Run(": "))


def mean_factor(amounts: Amounts, state: Glyph, begin: int, end: int) -> Text:
    """The mean factor of a state over the steps between two places in time. Numbers of either sign
    have one of their sizes, NaN among them leaves NaN."""
    if state.node is None or state.node.name is None:
        return ()
    factors = factors_of(amounts, sequence(amounts.found, state.node, begin, end))
    if not len(factors):
        return ()
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 and infinite ones have no mean: NaN
        mean = float(np.exp(np.log(np.abs(factors)).mean()))
    below, above = (factors < 0).any(), (factors > 0).any()
    sign = ("±" if above else "−") if below else ""
    return roman(f"×{sign}{number(mean)} per step")


def sequence(found: Survey, state: Node, begin: int, end: int) -> list[Node]:
    """A state at all its places in time from one to another, in their order."""
    nodes, name = found.computed, state.name
    at = found.named.get(name or "")
    named = [n for n in nodes if n.name == name] if at is None else [nodes[i] for i in at]
    if len(found.outline.scopes) > 1:
        named = [n for n in named if n.at.scope == state.at.scope]
    whens = np.array([*map(found.when, named)] if found.whens else [*map(STEP, named)], float)
    there = np.flatnonzero((whens >= begin) & (whens <= end))  # NaN: in none
    return [named[i] for i in there[np.argsort(whens[there], kind="stable")]]


def factors_of(amounts: Amounts, states: list[Node]) -> Any:
    """The factors of the steps between the first and the last of these states: of all, or of many
    that are evenly spread. The gradient goes on to the state of the step before, or to that of the
    step after where a layer reads backwards. Where less arrives than has digits, there is none."""
    found, inner = amounts.found, len(states) - 2
    evenly = np.linspace(1, inner, min(inner, MANY)) if inner > 0 else np.empty(0)
    chosen = np.unique(evenly.round().astype(int)).tolist()
    used = users(found, {found.when(states[i]) for i in chosen})
    for side in (-1, 1):
        factors = [one_factor(amounts, states[i], states[i + side], used[found.when(states[i])])
                   for i in chosen]
        known = [factor for factor in factors if factor is not None]
        if known:
            return np.array(known)
    return np.empty(0)


def one_factor(amounts: Amounts, after: Node, before: Node, step: list[Node]) -> float | None:
    """The factor of one step, all of whose nodes are given."""
    flow, found = amounts.flow, amounts.found
    value = np.asarray(after.value)
    if after not in flow.arrived or not flow.norm(after) >= np.finfo(value.dtype).tiny:
        return None
    uses = [use for user in step if user.phase == before.phase
            for position, x in walk.parents(user) if found.source(x) is before
            for use in [flow.incoming.use(user, position, before)] if use is not None]
    return amounts.factor(uses, after)


def users(found: Survey, whens: set[int | None]) -> dict[int | None, list[Node]]:
    """What was computed at some places in time."""
    there: dict[int | None, list[Node]] = {when: [] for when in whens}
    if found.whens:
        for n in found.computed:
            if (when := found.whens.get(n)) in there:
                there[when].append(n)
        return there
    for step, begin, end in found.outline.stretches():
        if step in there:
            there[step] += found.computed[begin:end]
    return there
