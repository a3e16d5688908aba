"""A contribution: what one use of a node gives to its gradient, computed when somebody asks.

The question this file answers: *what does one use of a weight give, and how large is it?*
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core import ops
from ..core.backprop import local
from ..core.graph import Node, released
from ..core.parts import Part, norm, outer_norm
from ..core.totals import one_use
from ..core.walk import view
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
    def scattered(self) -> bool:
        """Whether it goes to some entries of the node, and is added there: a slice, a gather."""
        if self.part is not None:
            return bool(self.aliases) or self.part.index is not None
        return bool(self.aliases) or self.c is None and self.node.op.into is not None

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
        """Raise `GradientError` where only the norm was kept, or the graph is gone."""
        if self.node.op is released:
            raise GradientError("the graph was released, and what a use gave cannot be built again",
                                where="ledger", fix="Take what you need of the rows before that")
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
        if self.position == 1 and self.node.op.late is not None:
            return one_use(self.node, self.g)
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

    def add_into(self, total: Any) -> None:
        """Add this to the array `total`, where it belongs there: nothing else is touched."""
        self.refused()
        place = total
        for alias in self.aliases:
            place = view(alias, place)
        if self.aliases and not np.may_share_memory(place, total):  # a reshape had to copy
            total += self.array()
        elif self.part is not None and self.part.index is not None:
            ops.scatter_into(place, self.part.dense(), self.part.index)
        elif self.part is None and self.c is None and self.node.op.into is not None:
            self.node.op.into(place, self.g, **self.node.params or {})
        else:
            place += self.direct()


class RunningSum:
    """The sum of contributions, one after the other, just as the engine adds them (`Totals`): the
    first is borrowed, the second allocates, and what goes to some entries is added there."""

    def __init__(self, total: Any = None) -> None:
        self.total, self.own = total, False

    def add(self, e: Contribution) -> None:
        """Add one more."""
        if self.own:
            e.add_into(self.total)
        elif e.scattered:
            x = e.aliases[0].u if e.aliases else e.node.values[e.position]
            self.total = (np.zeros(x.shape, x.dtype) if self.total is None
                          else np.array(self.total, order="C"))
            e.add_into(self.total)
            self.own = True
        else:
            c = e.array()
            first, self.total = self.total is None, c if self.total is None else self.total + c
            self.own = not first and type(self.total) is np.ndarray  # numbers are not written to

    def lent(self) -> Any:
        """The sum so far: whoever gets it keeps it, and the next is another array."""
        self.own = False
        return self.total


def add_up(entries: Iterable[Contribution], total: Any = None) -> Any:
    """The sequential sum of contributions, in their order, from `total` on."""
    running = RunningSum(total)
    for e in entries:
        running.add(e)
    return running.total


def accumulate(node: Node, entries: Sequence[Contribution]) -> Any:
    """The sequential sum of a node's contributions; zeros if there are none."""
    if not entries:
        return 0.0 if node.is_scalar else np.zeros_like(node.value)
    return add_up(entries)
