"""A contribution: what one use of a node gives to its gradient, computed when somebody asks.

The question this file answers: *what does one use of a weight give, and how large is it?*
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ..core import ops
from ..core.backprop import local
from ..core.graph import Node
from ..core.parts import Part, norm, outer_norm, outer_norms
from ..core.totals import ROOM, in_order
from ..errors import GradientError

KEEP = 'Keep the arrays: gradient_flow(loss, keep="arrays")'


class Contribution:
    """What one use of a node sends to its gradient; computed when asked for.

    `node` is the operation that used it, `position` the operand, `g` the gradient that arrived at
    `node`. `aliases` are the transposes, reshapes and slices between the used operand and the node
    it shows. `part` is set where the operation spans many steps, and this is one of them. `size` is
    the norm, where only that was kept.
    """

    __slots__ = ("node", "position", "g", "c", "aliases", "part", "size")

    def __init__(self, node: Node, position: int, g: Any, c: Any, aliases: tuple[Node, ...] = (),
                 part: Part | None = None, size: float | None = None) -> None:
        self.node, self.position, self.g, self.c, self.aliases = node, position, g, c, aliases
        self.part, self.size = part, size

    @property
    def step(self) -> int | None:
        """The time step of the use."""
        return self.node.step if self.part is None else self.part.step

    @property
    def op(self) -> str:
        """What the use is called: the name of the operation."""
        return self.node.op.name if self.part is None else self.part.op or self.node.op.name

    @property
    def late(self) -> Any:
        """How many uses of this kind are built at once (`Op.late`), if this is one."""
        return None if self.position != 1 or self.part or self.c is not None else self.node.op.late

    def at(self, part: Part) -> Contribution:
        """One step of this use, by an operation that spans many."""
        return Contribution(self.node, self.position, self.g, None, self.aliases, part)

    def through(self, way: tuple[Node, ...]) -> Contribution:
        """The same use, of the leaf that these aliases show."""
        return Contribution(self.node, self.position, self.g, self.c, way, self.part, self.size)

    def reduced(self) -> Contribution:
        """The same with its norm only: no array is kept. A number stays as it is."""
        c = self.c if type(self.c) is float else None
        part = self.part and self.part._replace(d=None, x=None)
        size = self.norm() if c is None else None
        return Contribution(self.node, self.position, None, c, self.aliases, part, size)

    def refused(self) -> None:
        """Raise `GradientError` where only the norm was kept."""
        if self.size is not None:
            raise GradientError(f"of what '{self.op}' contributes, only the norm was kept",
                                where="gradient_flow()", fix=KEEP)

    def direct(self) -> Any:
        """The contribution in the shape of the operand that was used, alias or not."""
        self.refused()
        if self.part is not None:
            return self.part.array(self.node.values[self.position])
        if self.c is not None:
            return self.c
        if self.late is not None:  # as the sum of many builds it: in_order
            c = self.late([(self.g, self.node.u)], apart=True)[0]
            return c.astype(self.node.v.dtype, copy=False)
        c = local(self.node, self.position, self.g)
        return c[self.position] if self.node.op.joint else c

    def array(self) -> Any:
        """The contribution in the shape of the node whose gradient it belongs to."""
        c = self.direct()
        for alias in reversed(self.aliases):
            c = local(alias, 0, c)
        return c

    def norm(self) -> float:
        """The Euclidean norm. For a weight in `linear` the H x H array is not built for it. (An
        alias moves entries around and changes none.)"""
        if self.size is not None:
            return self.size
        if self.part is not None:
            return self.part.norm(self.node.values[self.position])
        if self.c is None and self.node.op is ops.linear and self.position == 1:
            return outer_norm(self.g, self.node.u)
        return norm(self.direct())

    def add_into(self, total: Any) -> Any:
        """`total` plus this contribution, in place where that saves building it."""
        if len(self.aliases) == 1 and self.aliases[0].op is ops.getitem:
            ops.scatter_into(total, self.direct(), self.aliases[0].params["index"])  # type: ignore[index]
            return total
        return total + self.array()


def norms_of(entries: Sequence[Contribution]) -> list[float]:
    """The norm of each of many contributions; those of weights in `linear` all at once."""
    pairs = {i: (e.g, e.node.u) for i, e in enumerate(entries)
             if e.position == 1 and e.node.op is ops.linear
             and e.size is None and e.c is None and e.part is None}
    found = [0.0 if i in pairs else e.norm() for i, e in enumerate(entries)]
    for i, n in zip(pairs, outer_norms(list(pairs.values()))):
        found[i] = n
    return found


def accumulate(node: Node, entries: list[Contribution]) -> Any:
    """The sequential sum of contributions, in their order."""
    if not entries:
        return 0.0 if node.is_scalar else np.zeros_like(node.value)
    sliced = [e for e in entries if len(e.aliases) == 1 and e.aliases[0].op is ops.getitem]
    if not sliced:
        return add_up(entries)
    total = np.zeros_like(node.value)
    for e in entries:
        total = e.add_into(total)
    return total


def add_up(entries: Sequence[Contribution], total: Any = None) -> Any:
    """The sequential sum, from `total` on. What a weight gets is built for many uses at once."""
    for late, some in groupby(entries, lambda e: None if e.aliases else e.late):
        if late is None:
            for e in some:
                total = e.array() if total is None else total + e.array()
            continue
        uses = list(some)
        uses[0].refused()
        at_once = max(1, ROOM // max(1, np.size(uses[0].node.v)))
        for i in range(0, len(uses), at_once):
            pairs = [(e.g, e.node.u) for e in uses[i : i + at_once]]
            total = in_order(late, pairs, uses[0].node.v.dtype, total)
    return total
