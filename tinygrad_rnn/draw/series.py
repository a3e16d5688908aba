"""Series: the size of the gradient at every step, in view or not.

The question this file answers: *how large was it at each of 100,000 steps?*

One series for each state, ‖∂L/∂h_t‖, and one for each weight, ‖Δ_t‖: what step t contributes, all
its uses together. What the steps of one kind give is worked out for all of them at once (see
`reckoning.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..bptt.contribution import Contribution
from ..bptt.flow import GradientFlow
from ..core.graph import Node
from ..core.outline import UNTIMED
from ..core.parts import norm
from .labels import Run, Text, clean, plain
from .reckoning import Reckoner, Sought, norms_of
from .scene import Rail, Scene
from .survey import Survey


class Series(NamedTuple):
    """Steps in their order, and the norm at each."""

    steps: Any
    norms: Any

    def finite(self) -> Any:
        """The norms that have a place on a log scale."""
        return self.norms[(self.norms > 0) & np.isfinite(self.norms)]


class Strips(NamedTuple):
    """What the strips show: a series for each state, by its scope (none, if all states have one)
    and its name, and one for each weight with its name. `whens` are the places in time of all
    steps, those of a decoder after those of its encoder."""

    states: dict[tuple[str, str], Series]
    weights: list[tuple[Text, Series]]
    whens: list[int]

    def norms(self) -> Iterator[float]:
        """The norms that the scale has to hold: the ends of every series, and what has no place on
        it."""
        for series in [*self.states.values(), *(series for _, series in self.weights)]:
            sizes = series.finite()
            if len(sizes):
                yield from (float(sizes.min()), float(sizes.max()))
            yield from map(float, series.norms[np.isinf(series.norms)][:1])
            yield from map(float, series.norms[np.isnan(series.norms)][:1])
            yield from map(float, series.norms[series.norms == 0][:1])


def series_of(scene: Scene, flow: GradientFlow, found: Survey) -> Strips:
    """The series of everything in view."""
    alike = Counter(plain(rail.glyph.text) for rail in scene.rails)
    names = [in_scope(rail, alike) for rail in scene.rails if rail.glyph.node is not None]
    states, weights = Seeker(flow, found).find(scene)
    whens = scene.steps
    if found.whens:
        whens = sorted({found.whens[n] for n in found.computed if n in found.whens})
    return Strips(states, [(x, s) for x, s in zip(names, weights) if len(s.steps)], whens)


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


class Seeker:
    """Finds the series of a flow: `steps` are the places in time of all computed nodes of the
    survey, `UNTIMED` for none. What arrived at them is gone through once (see `reckoning.py`), if
    it was recorded for all of them as a `whole`."""

    def __init__(self, flow: GradientFlow, found: Survey) -> None:
        self.flow, self.found = flow, found
        recording = flow.incoming
        self.whole = len(recording.passed) == len(found.computed) and not recording.as_is \
            and not recording.steps
        self.steps = found.times

    def find(self, scene: Scene) -> tuple[dict[tuple[str, str], Series], list[Series]]:
        """‖∂L/∂h_t‖ at every step for each state, and ‖Δ_t‖ for each rail that is a weight's."""
        rails = [(rail.glyph.node, rail.stage) for rail in scene.rails
                 if rail.glyph.node is not None]
        states = {name: Sought(at) for name, at in self.states(scene).items()}
        weights = [self.uses(x) for x, _ in rails]
        if self.whole:
            sought = [*states.values(), *[one for one in weights if one is not None]]
            sought = [one for one in sought if not one.found]
            Reckoner(self.found).work_out(sought, reversed(self.flow.incoming.passed.values()))
        return ({name: self.of_state(one) for name, one in states.items()},
                [self.of_weight(*rail, one) for rail, one in zip(rails, weights)])

    def states(self, scene: Scene) -> dict[tuple[str, str], Any]:
        """Where each state stands in the graph at its steps."""
        shown = [g.node for c in scene.columns for g in c.glyphs if g.role == "state"]
        called, numbered = self.found.called, self.found.numbered
        named = dict.fromkeys((x.at.scope, called(x) or "") for x in shown
                              if x is not None and x.name is not None)
        nodes, arrived = self.found.computed, self.flow.arrived
        several, places = len({scope for scope, _ in named}) > 1, dict[tuple[str, str], Any]()
        for scope, name in named:
            if (scope, name) in numbered:
                at = np.array([i for i, node in enumerate(nodes) if called(node) == name], int)
            elif name in self.found.named:
                at = np.array(self.found.named[name], int)
            else:
                at = np.array([i for i, node in enumerate(nodes) if node.name == name], int)
            at = at[self.steps[at] != UNTIMED]
            if len(self.found.outline.scopes) > 1 or not self.whole:
                at = np.array([i for i in at.tolist() if nodes[i].at.scope == scope
                               and (self.whole or nodes[i] in arrived)], int)
            if len(at):
                places[scope if several else "", name] = at
        return places

    def of_state(self, one: Sought) -> Series:
        """‖∂L/∂h_t‖ at every step."""
        nodes, arrived = self.found.computed, self.flow.arrived
        return in_order(self.steps[one.at], one.norms if self.whole else
                        norms_of([arrived[nodes[i]] for i in one.at.tolist()]))

    def uses(self, x: Node) -> Sought | None:
        """What is sought of a weight, if what each step gives is one use; found already, if all
        uses were measured when they were recorded."""
        at = np.array(self.found.uses.get(x, ()), int)
        known, timed = self.flow.incoming.measured(x), self.steps[at] != UNTIMED
        found = [known[timed]] if len(known) == len(at) else []
        at = at[timed]
        steps = self.steps[at]
        once = (np.diff(steps) > 0).all() or len(set(steps.tolist())) == len(at)
        ready = self.whole and not self.found.stages and x in self.flow.arrived
        return Sought(at, x, found) if len(at) and once and ready else None

    def of_weight(self, x: Node, stage: int, one: Sought | None) -> Series:
        """‖Δ_t‖ at every step of a stage; two uses at one step count together."""
        stages = self.found.stages
        if one is not None and one.norms is not None:
            return in_order(self.steps[one.at], one.norms)
        uses = self.flow.incoming.get(x, [])
        if not stages:
            return told(uses)
        found = told([use for use in uses if stages.get(use.node, 0) == stage])
        return found._replace(steps=found.steps + self.before(stage))

    def before(self, stage: int) -> int:
        """How far the steps of a stage are from their places in time: the steps before it."""
        own = ((n, when) for n, when in self.found.whens.items()
               if self.found.stages.get(n, 0) == stage)
        return next((when - n.at.step for n, when in own if n.at.step is not None), 0)


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
