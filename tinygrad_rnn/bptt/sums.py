"""Sums of what many uses give to a leaf, one after the other, without an array for each.

The question this file answers: *how is the total of a ledger made, while nobody looks at its rows?*

What a step gives to a weight is built in stacks of bounded size, by a product for each step as
whoever asks for the row again will build it: for its norm, and for the total, which is their sum in
the order of the rows, to the bit.
"""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.parts import norm, outer_norm, roots, squares, stacked
from ..core.together import Use
from ..core.totals import Totals, one_use

ROOM = 131072  # numbers: what several steps give to a weight is built at once, up to so many; and
# the system takes back the pages of nothing that is smaller, which is slower than the products


class Stacks:
    """Adds up stacks, in the same memory each time: fresh memory costs as much as the products."""

    def __init__(self) -> None:
        self.scratch = np.empty(0)

    def add(self, total: Any, use: Use, line: Any = None) -> Any:
        """The total (or None) and what the steps give, one after the other; their squares go to
        `line`."""
        x, n = use.leaf, len(use.d)
        some = min(n, max(1, ROOM // x.value.size))
        rows = self.room((some + 1, *x.value.shape), x.value.dtype)  # the first for what is there
        flat = rows.reshape(some + 1, 1, x.value.size)
        d = use.d.reshape(n, -1, use.d.shape[-1])
        u = d if use.x is None else use.x.reshape(n, d.shape[1], use.x.shape[-1])
        turned = d.transpose(0, 2, 1)
        for start in range(0, n, some):
            end = min(start + some, n)
            size = end - start + 1
            if use.x is None and use.d.ndim == rows.ndim:  # nothing to sum: a zero keeps its sign
                rows[1:size] = use.d[start:end]
            elif use.x is None:
                np.add.reduce(d[start:end], 1, out=rows[1:size])
            elif x.value.size == 1:  # a product of numbers has a sign of its own for its zero
                rows[1:size] = [np.dot(*pair) for pair in zip(turned[start:end], u[start:end])]
            else:
                np.matmul(turned[start:end], u[start:end], rows[1:size])
            if total is not None:
                rows[0] = total
            total = in_order(rows[0 if total is not None else 1 : size])
            if line is not None:
                squares(flat[1:size], line[start:end])
        return total

    def room(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An array to be written to."""
        size = math.prod(shape)
        if self.scratch.size < size or self.scratch.dtype != dtype:
            self.scratch = np.empty(max(size, ROOM), dtype)
        return self.scratch[:size].reshape(shape)


def in_order(rows: Any) -> Any:
    """The sum of rows, one after the other. (NumPy adds up numbers in a row in pairs; and -0.0 is
    the zero that changes no other.)"""
    if rows[0].size == 1:
        return np.add.accumulate(rows.reshape(-1))[-1:].reshape(rows.shape[1:])
    return np.add.reduce(rows, 0, initial=-0.0)


def norm_at(x: Any, t: int) -> float:
    """The norm of an array, or of what is given to a leaf, at step t."""
    if type(x) is Use and x.x is not None:
        return outer_norm(x.d[t], x.x[t]) if x.x[t].any() else 0.0 * norm(x.d[t])
    if type(x) is Use:
        return norm(x.d[t].reshape(-1, x.d.shape[-1]).sum(0))
    return norm(np.asarray(x[t]))


# --- the totals of a walk through the nodes -------------------------------------------------------


class Sized(Totals):
    """Totals that are the sums of their contributions one after the other, to the bit, and note how
    large each use of a weight is, in `sizes`; those of a leaf stand at its `places` there.

    The use of a weight (`Op.late`) is built by the product that builds it for whoever asks again,
    on the same numbers. Most of them wait, and are built together. `waiting` has for each weight
    what arrived, and what it was used with; theirs are the last of its places. What cannot wait is
    measured if `every` use has to be.
    """

    __slots__ = ("every", "places", "sizes", "stacks", "waiting")

    def __init__(self, start: Any, every: bool = True) -> None:
        super().__init__(start)
        self.every = every
        self.sizes: list[float] = []
        self.places: dict[Node, array[int]] = {}
        self.stacks, self.waiting = Stacks(), dict[Node, tuple[list[Any], list[Any]]]()

    def collect(self, node: Node, x: Node, g: Any) -> bool:
        """Note the use of a weight: it waits, or is added now, and of it nothing else is kept."""
        if node.op.late is None:
            return False
        u = node.u
        if not x.is_leaf or not alike(g, u, x.value):
            c = one_use(node, g)
            self.add(x, c)
            if self.every:
                self.sizes.append(norm(c))
            return True
        found = self.waiting.get(x)
        if found is not None and (found[0][0].shape != g.shape or found[1][0].shape != u.shape):
            self.build(x)
            found = None
        if found is None:
            found = self.waiting[x] = [], []
            self.places.setdefault(x, array("q"))
            self.owned.discard(x)
            self[x] = Waiting(self, x, self.get(x))
        gs, us = found
        gs.append(g)
        us.append(u)
        self.places[x].append(len(self.sizes))
        self.sizes.append(0.0)
        if len(gs) * max(x.value.size, g.size, u.size) >= ROOM:
            self.build(x)
        return True

    @np.errstate(over="ignore", under="ignore", invalid="ignore")  # then the norm itself is taken
    def build(self, x: Node) -> None:
        """Add the uses of a weight that wait."""
        gs, us = self.waiting.pop(x)
        use, line = Use(x, stacked(gs), stacked(us)), np.empty(len(gs))
        self[x] = self.stacks.add(self[x].total, use, line)
        self.owned.add(x)
        sizes = roots(line, lambda t: norm_at(use, t)).tolist()
        for place, size in zip(self.places[x][-len(gs):], sizes):
            self.sizes[place] = size

    def settled(self) -> tuple[list[float], dict[Node, Any]]:
        """Add all uses that wait: the sizes, and those of each leaf. New ones are noted anew."""
        for x in list(self.waiting):
            self.build(x)
        sizes, every = self.sizes, np.array(self.sizes)
        each = {x: every[places] for x, places in self.places.items()}
        self.sizes, self.places = [], {}
        return sizes, each


def alike(g: Any, u: Any, x: Any) -> bool:
    """Whether a use may wait: it is built from a stack by the same product as alone."""
    return bool(g.dtype == u.dtype == x.dtype and g.flags.c_contiguous and u.flags.c_contiguous)


class Waiting:
    """Stands for a sum while uses wait: whoever adds to it, or takes it, has them added before."""

    __slots__ = ("sums", "total", "x")

    def __init__(self, sums: Sized, x: Node, total: Any) -> None:
        self.sums, self.x, self.total = sums, x, total

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.sums.build(self.x)
        return self.sums[self.x]

    def __add__(self, c: Any) -> Any:
        return self.__array__() + c
