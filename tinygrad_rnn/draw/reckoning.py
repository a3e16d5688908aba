"""Reckoning: how large is what each of very many uses sends back.

The question this file answers: *how does one rule go through 100,000 uses at once?*

A stack of arrays goes through the same rule that a single one went through. The arrays lie all over
the memory, which costs more than the products. So the graph is gone through once, from its first
node to its last, and in each stretch of it everything that is sought is worked out together: what
lies side by side is fetched once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice, pairwise
from operator import attrgetter, is_
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, Op
from ..core.parts import norm, outer_sizes, sizes_of, stacked
from .survey import Survey

A, B, OP = map(attrgetter, ("a", "b", "op"))
Get = Callable[[Node], Any]
STRETCH = 8192  # nodes, and as many as there are in the rest of the last step


@dataclass(eq=False)
class Sought:
    """The norms of what the nodes `at` these places send to `x`, each for one use; without `x`, of
    what arrived there. Filled in stretch by stretch; None where the uses are not alike enough to be
    worked out as one."""

    at: Any
    x: Node | None = None
    found: list[Any] | None = field(default_factory=list)

    def __post_init__(self) -> None:
        """The nodes of a loop stand at equal distances: how far apart; 0 if they do not."""
        apart = np.diff(self.at)
        even = len(apart) > 0 and apart[0] > 0 and bool((apart == apart[0]).all())
        self.apart = int(apart[0]) if even else 0

    def picked(self, items: list[Any], i: int, j: int, start: int = 0) -> list[Any]:
        """The items at the places from i to j, counted from `start` on."""
        if self.apart:
            return items[self.at[i] - start:self.at[j - 1] - start + 1:self.apart]
        return [items[k] for k in (self.at[i:j] - start).tolist()]

    @property
    def norms(self) -> Any:
        """All of them in a row."""
        return None if self.found is None else np.concatenate(self.found or [np.empty(0)])


class Reckoner:
    """Works out what is sought in a graph."""

    def __init__(self, found: Survey) -> None:
        self.computed = found.computed
        begins = found.outline.bounds
        every = np.arange(STRETCH, len(found.computed), STRETCH)
        ends = begins[np.searchsorted(begins, every)].tolist()
        self.ends = [*dict.fromkeys([*ends, len(found.computed)])]  # in order, as they begin
        self.names = {x: {x} for x in found.shown.values()}  # a weight, and what shows it
        for alias, x in found.shown.items():
            self.names[x].add(alias)
        self.recent: list[tuple[list[Any], Any]] = []  # what was stacked, and the stacks

    def work_out(self, sought: list[Sought], arrived: Iterable[Any]) -> None:
        """Go through the graph once. `arrived` has what came to each of its nodes, oldest first; it
        is taken a stretch at a time, while what is there is still in the cache."""
        coming = iter(arrived)
        for start, end in pairwise([0, *self.ends]):
            self.recent, came = [], list(islice(coming, end - start))
            for one in sought:
                i, j = np.searchsorted(one.at, (start, end))
                if i < j and one.found is not None:
                    there = one.picked(came, i, j, start)
                    norms = norms_of(there) if one.x is None else \
                        self.sent(one.x, one.picked(self.computed, i, j), there)
                    one.found = None if norms is None else [*one.found, norms]

    def sent(self, x: Node, nodes: list[Node], arrived: list[Any]) -> Any:
        """The norms of what these nodes send to `x`, each for one use, by what arrived there. None
        where they are not alike enough to be computed as one."""
        names = self.names.get(x, {x})
        op, position = nodes[0].op, 1 if nodes[0].b in names else 0
        d = self.stack(arrived) if alike(nodes, op, B if position else A, names) else None
        if d is None:
            return None
        if op is ops.linear and position == 1:
            u = self.stack([n.u for n in nodes])
            return None if u is None else outer_sizes(d, u)
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


def alike(nodes: list[Node], op: Op, operand: Get, names: set[Node]) -> bool:
    """Whether nodes are all of one op, and have one of `names` as an operand."""
    return {op}.issuperset(map(OP, nodes)) and names.issuperset(map(operand, nodes))


def norms_of(values: list[Any]) -> Any:
    """The norm of each of many numbers or arrays."""
    stack = stacked(values)
    return [norm(v) for v in values] if stack is None else sizes_of(stack)
