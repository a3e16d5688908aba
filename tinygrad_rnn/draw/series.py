"""Series: the size of the gradient at every step, in view or not.

The question this file answers: *how large was it at each of 100,000 steps?*

One series for each state, ‖∂L/∂h_t‖, and one for each weight, ‖Δ_t‖: what step t contributes, all
its uses together. What the steps of one kind give is computed for all of them at once: a stack of
arrays goes through the same rule that a single one went through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from operator import attrgetter, is_
from typing import Any, NamedTuple

import numpy as np

from ..bptt.contribution import Contribution
from ..bptt.flow import GradientFlow
from ..core import ops
from ..core.graph import Node
from ..core.parts import norm, outer_sizes, sizes_of, stacked
from .labels import Run, Text, clean, plain
from .scene import Rail, Scene
from .survey import Survey

UNTIMED = np.iinfo(int).min
A, B, OP = attrgetter("a"), attrgetter("b"), attrgetter("op")


class Series(NamedTuple):
    """Steps in their order, and the norm at each."""

    steps: Any
    norms: Any

    def finite(self) -> Any:
        """The norms that have a place on a log scale."""
        return self.norms[(self.norms > 0) & np.isfinite(self.norms)]


class Strips(NamedTuple):
    """What the strips show: a series for each state, and one for each weight with its name. `whens`
    are the places in time of all steps, those of a decoder after those of its encoder."""

    states: dict[str, Series]
    weights: list[tuple[Text, Series]]
    whens: list[int]

    def norms(self) -> Iterator[float]:
        """The norms that the scale has to hold: the ends of every series, and what has no place on
        it. A bar of height zero cannot be seen."""
        for series in [*self.states.values(), *(series for _, series in self.weights)]:
            sizes = series.finite()
            if len(sizes):
                yield from (float(sizes.min()), float(sizes.max()))
            yield from map(float, series.norms[~np.isfinite(series.norms)][:2])
            yield from map(float, series.norms[np.isnan(series.norms)][:1])
        if any((series.norms == 0).any() for series in self.states.values()):
            yield 0.0


def series_of(scene: Scene, flow: GradientFlow, found: Survey) -> Strips:
    """The series of everything in view."""
    reckoner = Reckoner(flow, found)
    alike = Counter(plain(rail.glyph.text) for rail in scene.rails)
    weights = [(in_scope(rail, alike), reckoner.of_weight(rail.glyph.node, rail.stage))
               for rail in scene.rails if rail.glyph.node is not None]
    whens = scene.steps
    if found.whens:
        whens = sorted({found.whens[n] for n in found.computed if n in found.whens})
    return Strips(reckoner.of_states(scene), [(x, s) for x, s in weights if len(s.steps)], whens)


def in_scope(rail: Rail, alike: Counter[str]) -> Text:
    """The name of a weight; of several with one name, with the scope that uses it."""
    text, scope = rail.glyph.text, rail.taps[0].head.scope
    return (Run(f"{clean(scope)}/"), *text) if scope and alike[plain(text)] > 1 else text


def in_order(steps: Any, norms: Any) -> Series:
    """The series of these steps; of two numbers for one step, the first."""
    steps, norms = np.asarray(steps, int), np.asarray(norms, float)
    if not (np.diff(steps) > 0).all():
        steps, first = np.unique(steps, return_index=True)
        norms = norms[first]
    return Series(steps, norms)


class Reckoner:
    """Works out the series of a flow: `arrived` has what came to each of the computed nodes of the
    survey, if it was recorded for all of them, and `steps` the place of each in time, `UNTIMED` for
    none."""

    def __init__(self, flow: GradientFlow, found: Survey) -> None:
        self.flow, self.found = flow, found
        recording = flow.incoming
        self.arrived = list[Any]()
        if len(recording.passed) == len(found.computed) and not recording.as_is \
                and not recording.steps:
            self.arrived = list(reversed(recording.passed.values()))
        outline = found.outline
        ends = np.array([*outline.begins, len(found.computed)])
        steps = [UNTIMED if step is None else step for step in outline.during]
        self.steps = np.repeat(np.array(steps, int), np.diff(ends))
        if found.whens:
            self.steps = np.array([found.whens.get(n, UNTIMED) for n in found.computed], int)
        self.recent: list[tuple[list[Any], Any]] = []  # what was stacked, and the stacks

    def of_states(self, scene: Scene) -> dict[str, Series]:
        """‖∂L/∂h_t‖ at every step, for each state."""
        shown = [g.node for c in scene.columns for g in c.glyphs if g.role == "state"]
        named = dict.fromkeys((x.at.scope, x.name) for x in shown
                              if x is not None and x.name is not None)
        nodes, arrived = self.found.computed, self.flow.arrived
        several, series = len({scope for scope, _ in named}) > 1, dict[str, Series]()
        for scope, name in named:
            if name in self.found.named:
                at = np.array(self.found.named[name], int)
            else:
                at = np.array([i for i, node in enumerate(nodes) if node.name == name], int)
            at = at[self.steps[at] != UNTIMED]
            if len(self.found.outline.scopes) > 1 or not self.arrived:
                at = np.array([i for i in at.tolist() if nodes[i].at.scope == scope
                               and (self.arrived or nodes[i] in arrived)], int)
            if len(at):
                there = picked(self.arrived, at) if self.arrived else \
                    [arrived[nodes[i]] for i in at.tolist()]
                series[f"{scope}/{name}" if several else name] = in_order(
                    self.steps[at], norms_of(there))
        return series

    def of_weight(self, x: Node, stage: int) -> Series:
        """‖Δ_t‖ at every step of a stage; two uses at one step count together."""
        at, stages = np.array(self.found.uses.get(x, []), int), self.found.stages
        if stages:
            own = [use for use in self.flow.incoming.get(x, []) if stages.get(use.node, 0) == stage]
            found = told(own)
            return found._replace(steps=found.steps + self.before(stage))
        if self.arrived and x in self.flow.arrived:
            at = at[self.steps[at] != UNTIMED]
            steps = self.steps[at]
            if len(at) and ((np.diff(steps) > 0).all() or len(set(steps.tolist())) == len(at)):
                norms = self.at_once(x, at)
                if norms is not None:
                    return in_order(steps, norms)
        return told(self.flow.incoming.get(x, []))

    def before(self, stage: int) -> int:
        """How far the steps of a stage are from their places in time: the steps before it."""
        own = ((n, when) for n, when in self.found.whens.items()
               if self.found.stages.get(n, 0) == stage)
        return next((when - n.at.step for n, when in own if n.at.step is not None), 0)

    def at_once(self, x: Node, at: Any) -> Any:
        """The norms of what the nodes `at` these places send to `x`, each for one use. None where
        they are not alike enough to be computed as one."""
        nodes = picked(self.found.computed, at)
        names = {x, *[alias for alias, y in self.found.shown.items() if y is x]}
        op, position = nodes[0].op, 1 if nodes[0].b in names else 0
        alike = set(map(OP, nodes)) == {op} and names.issuperset(map(B if position else A, nodes))
        d = self.stack(picked(self.arrived, at)) if alike else None
        if d is None:
            return None
        if op is ops.linear and position == 1:
            inputs = self.stack([n.u for n in nodes])
            return None if inputs is None else outer_sizes(d, inputs)
        if x.is_scalar and op.simple and not any(n.params for n in nodes):
            columns = [np.array([n.u for n in nodes]), np.array([n.v for n in nodes])][:op.arity]
            with np.errstate(all="ignore"):
                c = op.rules[position](d, np.array([n.value for n in nodes]), *columns)
                return np.abs(c) + np.zeros(len(nodes))
        shape = np.shape(x.value)
        if op is not ops.add or d.ndim <= len(shape) or len(names) > 1:
            return None
        extra = d.ndim - 1 - len(shape)  # the axes that were broadcast, as in `fit`
        axes = tuple(i + 1 for i, n in enumerate(d.shape[1:]) if i < extra or n != shape[i - extra])
        return sizes_of(d.sum(axis=axes, keepdims=True))

    def stack(self, arrays: list[Any]) -> Any:
        """Arrays on top of each other. Often they are those of a moment ago, since a sum passes on
        what arrives; or of one step later, since what comes out of a step goes into the next."""
        for before, found in self.recent if len(arrays) > 1 else ():
            if len(before) == len(arrays) and found is not None:
                if all(map(is_, before, arrays)):
                    return found
                if all(map(is_, before[1:], arrays)):
                    last = stacked(arrays[-2:])
                    return None if last is None else np.concatenate([found[1:], last[1:]])
        self.recent = [(arrays, stacked(arrays)), *self.recent[:2]]
        return self.recent[0][1]


def picked(items: list[Any], at: Any) -> list[Any]:
    """The items at these places; those of a loop stand at equal distances, and are a slice."""
    apart = np.diff(at)
    if len(apart) and (apart == apart[0]).all() and apart[0] > 0:
        return items[at[0]:at[-1] + 1:apart[0]]
    return [items[i] for i in at.tolist()]


def told(uses: list[Contribution]) -> Series:
    """The series of contributions that are there one by one."""
    several: dict[int, list[Contribution]] = {}
    for use in uses:
        if use.step is not None:
            several.setdefault(use.step, []).append(use)
    return in_order(list(several), [together(parts) for parts in several.values()])


def together(parts: list[Contribution]) -> float:
    """The norm of the sum of contributions."""
    if len(parts) == 1:
        return parts[0].norm()
    return norm(np.asarray(sum((p.array() for p in parts[1:]), parts[0].array())))


def norms_of(values: list[Any]) -> Any:
    """The norm of each of many numbers or arrays."""
    stack = stacked(values)
    return [norm(v) for v in values] if stack is None else sizes_of(stack)
