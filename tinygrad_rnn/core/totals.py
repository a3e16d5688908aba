"""Adding up gradients: each node's total, while contributions arrive, in as few arrays as can be.

The question this file answers: *who owns the array that a gradient is summed in?*

The first contribution is borrowed, the second allocates, later ones are added in place. Only arrays
that `Totals` made itself are ever written to: they are in `owned`, and in the order of their rows,
as a `.grad` is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from .graph import Node, Op, operands_of

FEW = 1024  # ones that are kept, to be used again
Late = Callable[..., Any]


class Totals(dict[Node, Any]):
    """Gradients by node, while they are being added up.

    With `late`, the uses of a weight (δ_t and x_t at every step) are only collected, and summed in
    one product at the end, and so are the `rows` that arrive at a bias; without, each contribution
    is added in its turn.
    """

    __slots__ = ("late", "owned", "past", "rows", "taken")
    late: dict[Node, tuple[Late, list[Any], list[Any]]] | None
    rows: dict[Node, list[Any]] | None

    def __init__(self, start: Iterable[tuple[Node, Any]] = (), late: bool = False) -> None:
        if start:
            self.update(start)
        self.owned: set[Node] = set()  # `set[Node]()` would take five times as long
        self.past: set[Any] = set()  # the ways past many nodes that are taken: see together.py
        self.taken: Collection[Node] = ()  # sequences that the walk knows of: see taken.py
        self.late, self.rows = ({}, {}) if late else (None, None)

    def add(self, x: Node, c: Any) -> None:
        """Add a contribution `c` to what has arrived at `x`."""
        if x in self.owned:
            self[x] += c
        elif x in self:
            total = self[x] + c
            if type(total) is np.ndarray:
                total = np.asarray(total, order="C")
                self.owned.add(x)
            self[x] = total
        else:
            self[x] = c

    def give(self, x: Node, c: Any) -> None:
        """The same for an array that nobody else holds, in the order of its rows."""
        if x in self:
            self.add(x, c)
        else:
            self[x] = c
            self.owned.add(x)

    def give_all(self, node: Node, cs: Iterable[Any], fit: bool = False) -> None:
        """The same for all operands of a node; None where there is nothing to give. `fit` says that
        each is of its operand's type."""
        own = self.owned.add
        for x, c in zip(operands_of(node), cs):
            if c is not None and x is not None and x.op.wanted:
                if not fit and c.dtype is not x.value.dtype:  # of mixed types
                    c = c.astype(x.value.dtype)
                if x in self:
                    self.add(x, c)
                else:
                    self[x] = c
                    own(x)

    def add_into(self, node: Node, x: Node, g: Any) -> None:
        """Add what leaves `node` through its first operand without building it (`Op.into`)."""
        assert node.op.into is not None
        if x not in self.owned:
            self[x] = (np.array(self[x], order="C") if x in self
                       else np.zeros(x.value.shape, x.value.dtype))
            self.owned.add(x)
        node.op.into(self[x], g, **node.params or {})

    def collect(self, node: Node, x: Node, g: Any) -> bool:
        """Note the use of a weight, to be added late (`Op.late`); False if it has to be now."""
        if self.late is None or node.op.late is None or x.op.rules:
            return False
        self.note(node.op.late, x, g, node.u)
        return True

    def note(self, product: Late, x: Node, g: Any, u: Any) -> None:
        """Two lists for a weight, and no pair for a use: the collector would look at each."""
        assert self.late is not None
        if x not in self.late:
            self.late[x] = (product, [], [])
        _, gs, us = self.late[x]
        gs.append(g)
        us.append(u)

    def use(self, op: Op, x: Node, g: Any, u: Any) -> None:
        """Add what many uses of a weight give, all rows of g and u at once."""
        assert op.late is not None
        if self.late is None or x.op.rules:
            self.add(x, op.late([g], [u]))
        else:
            self.note(op.late, x, g, u)

    def settle(self) -> None:
        """Add up the uses that were collected: one product per weight."""
        if not self.late and not self.rows:
            return
        for x, (product, gs, us) in (self.late or {}).items():
            total = product(gs, us).astype(x.value.dtype, order="C", copy=False)
            self[x] = self[x] + total if x in self else total
            self.owned.add(x)
        for x, rows in (self.rows or {}).items():
            flat = np.concatenate([c.reshape(-1, len(x.value)) for c in rows])
            total = np.add.reduce(flat).astype(x.value.dtype, copy=False)
            self[x] = self[x] + total if x in self else total
            self.owned.add(x)


def one_use(node: Node, g: Any) -> Any:
    """What `node` gives to the weight that is its second operand, when `g` arrives."""
    assert node.op.late is not None
    return node.op.late([g], [node.u]).astype(node.v.dtype, copy=False)


@lru_cache(maxsize=16)
def ones(n: int | tuple[int, ...], dtype: Any) -> Any:
    """(n,), or () for a single one; nobody's to write to. A product with it sums the columns of a
    matrix, or its rows: on a small matrix that takes a third of the time of a reduction."""
    found = np.ones(n, dtype)
    found.flags.writeable = False
    return found


def to_each(node: Node, g: Any, arriving: Totals) -> None:
    """`Op.sums` of a sum: g for each entry of its operand."""
    assert node.a is not None
    if node.params is None and type(g) is np.ndarray:
        if g is ones((), g.dtype) and node.u.size <= FEW:  # what arrives at a loss
            arriving.add(node.a, ones(node.u.shape, g.dtype))
            return
        c = np.empty(node.u.shape, g.dtype)
        c.fill(g)  # the same as by the rule
        arriving.give(node.a, c)
    else:
        arriving.add(node.a, node.op.rules[0](g, node.value, node.u, **node.params or {}))
