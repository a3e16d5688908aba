"""Adding up gradients: each node's total, while contributions arrive, in as few arrays as can be.

The question this file answers: *who owns the array that a gradient is summed in?*

The first contribution is borrowed, the second allocates, later ones are added in place. Only arrays
that `Totals` made itself are ever written to: they are in `owned`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .graph import Node

ROOM = 1 << 14  # numbers in all: so many contributions to a weight are built at once
Late = Callable[..., Any]
Uses = list[tuple[Any, Any]]


class Totals(dict[Node, Any]):
    """Gradients by node, while they are being added up.

    With `late`, the uses of a weight (δ_t and x_t at every step) are only collected, and summed in
    one product at the end; without, each contribution is added in its turn.
    """

    def __init__(self, start: Iterable[tuple[Node, Any]] = (), late: bool = False) -> None:
        super().__init__(start)
        self.owned = set[Node]()
        self.late: dict[Node, tuple[Late, list[tuple[Any, Any]]]] | None = {} if late else None

    def add(self, x: Node, c: Any) -> None:
        """Add a contribution `c` to what has arrived at `x`."""
        if x in self.owned:
            self[x] += c
        elif x in self:
            self[x] = self[x] + c
            if type(self[x]) is np.ndarray:
                self.owned.add(x)
        else:
            self[x] = c

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
        self.late.setdefault(x, (node.op.late, []))[1].append((g, node.u))
        return True

    def settle(self) -> None:
        """Add up the uses that were collected: one product per weight."""
        for x, (product, uses) in (self.late or {}).items():
            total = product(uses).astype(x.value.dtype, copy=False)
            self[x] = self[x] + total if x in self else total
            self.owned.add(x)


class InOrder(Totals):
    """Totals that are the sums of their contributions one after the other, to the bit.

    What the uses of a weight give (`Op.late`) is built for many uses at once, and added one by one.
    A weight that is used in other ways too (`others`) gets each contribution in its turn.
    """

    def __init__(self, start: Iterable[tuple[Node, Any]], way: Sequence[Node]) -> None:
        super().__init__(start)
        self.waiting: dict[Node, tuple[Late, Uses]] = {}
        self.sums = dict[Node, Any]()
        weights = {n.b for n in way if n.op.late is not None and n.b is not None}
        self.others = {n.a for n in way if n.a in weights} | {
            n.b for n in way if n.op.late is None and n.b in weights} | {
            x for n in way if n.rest is not None for x, _ in n.rest if x in weights}

    def collect(self, node: Node, x: Node, g: Any) -> bool:
        """Note the use of a weight; False if it has to be added now."""
        if node.op.late is None or x.op.rules or x in self.others:
            return False
        _, uses = self.waiting.get(x) or self.waiting.setdefault(x, (node.op.late, []))
        uses.append((g, node.u))
        if len(uses) * x.value.size >= ROOM:
            self.fold(x)
        return True

    def fold(self, x: Node) -> None:
        """Add up what waits."""
        late, uses = self.waiting[x]
        if uses:
            self.sums[x] = in_order(late, uses, x.value.dtype, self.sums.get(x))
            uses.clear()

    def settle(self) -> None:
        """Nothing waits any more."""
        for x in self.waiting:
            self.fold(x)
        self.update(self.sums)
        self.owned.update(self.sums)


def in_order(late: Late, uses: Uses, dtype: Any, total: Any = None) -> Any:
    """The sum of what uses of a weight give, one after the other, from `total` on."""
    alike = len({(d.shape, d.dtype, x.shape, x.dtype) for d, x in uses}) == 1
    some = late(uses, apart=True) if alike else [late([use], apart=True)[0] for use in uses]
    for i, c in enumerate(some):
        c = c.astype(dtype, copy=False)
        if i:
            total += c
        else:  # an array of our own
            total = c.copy() if total is None else total + c
    return total
