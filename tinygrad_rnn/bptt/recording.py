"""The recording: what one backward pass leaves behind for those who look at it afterwards.

The question this file answers: *what is written down while the gradient passes, and what does it
cost?*

While the gradient passes, each use is noted in five places of one long list: the operation, the
position, the operand, what arrived, what left. No object is made for it (the garbage collector
would have to look at every one); `recording[x]` makes the `Contribution`s of a node when somebody
asks. Kept as norms, a use is one number instead of two arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np

from ..core.backprop import history, uses
from ..core.graph import Node
from ..core.ops import is_basic
from ..core.parts import norm
from ..core.totals import Totals
from ..core.walk import is_alias
from .contribution import Contribution, accumulate

WIDTH = 5  # node, position, operand, g, c
Edge = tuple[Node, int, Node, Any, Any]
Way = tuple[Node, ...]  # the aliases from a leaf to what was used


class Recording(Mapping[Node, list[Contribution]]):
    """The contributions of one backward pass, by the node they went to, last use first.

    `arrived` is the whole gradient of every node that passed one on; of tensors only its norm,
    with `norms=True`. `recording[x]` shows through the aliases of a leaf (a transpose, a slice),
    and into an op that spans many steps (`Op.parts`). Where that changes the order in which a
    leaf's gradient is added up, its total is summed again, in the order of its rows. With `as_is`
    everything stays as the walk gave it.
    """

    def __init__(self, root: Node, seed: Any, norms: bool = False, as_is: bool = False) -> None:
        self.root, self.seed, self.norms, self.as_is = root, seed, norms, as_is
        self.edges: list[Any] = []
        self.arrived: dict[Node, Any] = {root: number(seed) if norms else seed}
        self.shown: dict[Node, tuple[Node, Way]] = {}  # alias -> the leaf, and the way to it
        self.steps: dict[int, list[Contribution]] = {}  # of a use by an op that spans many
        self.told: tuple[Node | None, list[Any]] = (None, [])  # the parts of the last such op
        self.made: dict[Node, list[Contribution]] = {}

    def write(self, walk: Iterable[Edge], totals: Totals) -> None:
        """Note every use that passes, and correct the totals."""
        if self.norms:
            self.write_norms(walk, totals)
            return
        note, edges = self.edges.extend, self.edges
        for node, position, x, g, c in walk:
            if position == 1 and node.op.late is not None and not self.as_is:
                c = None  # an array of a weight's size for every step: built again when asked for
            note((node, position, x, g, c))
        self.arrived.update(zip(edges[::WIDTH], edges[3::WIDTH]))
        if self.as_is:
            self.see_through({*history([self.root]), *edges[2::WIDTH]})
            self.arrived.update(totals)
            return
        again = self.see_through(self.arrived)
        for i in [i * WIDTH for i, n in enumerate(edges[::WIDTH]) if n.op.parts is not None]:
            steps = self.tell_apart(self.contribution(i))
            if steps is not None:
                self.steps[i] = steps
                again.add(edges[i + 2])
        for x in again & totals.keys():
            totals[x] = accumulate(x, self[x])
        self.arrived.update(totals)

    def write_norms(self, walk: Iterable[Edge], totals: Totals) -> None:
        """The same, with a number in place of each array. Whose total has to be summed again, in
        passing, is found out before."""
        nodes = [] if self.as_is else history([self.root])
        again = self.see_through(nodes)
        again |= {x for n in nodes if n.op.parts is not None for _, x in uses(n) if x.is_leaf}
        sums = {x: 0.0 if x.is_scalar else np.zeros_like(x.value) for x in again}
        note, sizes, last, size, vdot = self.edges.extend, self.arrived, None, 0.0, np.vdot
        for node, position, x, g, c in walk:
            if node is not last:  # what arrived, if it is not known from the one use there was
                last, known = node, sizes.get(node)
                size = sizes[node] = number(g) if known is None else known
            if again:
                self.sum_again(Contribution(node, position, g, c), x, sums)
            elif node.op.parts is not None and not self.as_is:  # of what was computed
                self.sum_again(Contribution(node, position, g, c), x, {})
            if type(c) is float:
                n: Any = c
            elif c is g:
                n = size
            elif c is None:
                n = size if plain_slice(node) else Contribution(node, position, g, c).norm()
            else:
                n = math.sqrt(vdot(c, c))
            note((node, position, x, None, n))
            sizes[x] = None if x in sizes or x.hooks is not None else n
        totals.update((x, total) for x, total in sums.items() if x in totals)
        sizes.update((x, number(g)) for x, g in totals.items())

    def sum_again(self, e: Contribution, x: Node, sums: dict[Node, Any]) -> None:
        """Add a use to the total that is summed in the order of the rows."""
        steps = self.tell_apart(e)
        if steps is not None:
            self.steps[len(self.edges)] = [use.reduced() for use in steps]
        leaf, way = self.shown.get(x, (x, ()))
        if leaf in sums and e.node not in self.shown:  # an alias is no use
            for use in steps or [e]:
                sums[leaf] = use.through(way).add_into(sums[leaf])

    def tell_apart(self, e: Contribution) -> list[Contribution] | None:
        """A use by an op that spans many steps, as one for every step."""
        node = e.node
        if node.op.parts is None:
            return None
        if self.told[0] is not node:
            self.told = node, node.op.parts(e.g, node.value, *node.values, **node.params or {})
        steps = self.told[1][e.position]
        return None if steps is None else [e.at(part) for part in steps]

    def see_through(self, nodes: Iterable[Node]) -> set[Node]:
        """Find the aliases of leaves; the leaves that have any."""
        aliases = [n for n in nodes if n.op.alias and n is not self.root and is_alias(n)]
        for node in sorted(aliases, key=attrgetter("order")):  # operands first
            x = node.a
            if x is not None and (x.is_leaf or x in self.shown):
                leaf, way = self.shown.get(x, (x, ()))
                self.shown[node] = (leaf, (*way, node))
        return {leaf for leaf, _ in self.shown.values()}

    # --- afterwards -------------------------------------------------------------------------------

    @cached_property
    def index(self) -> dict[Node, list[int]]:
        """Where the uses of a node are noted: those of a leaf's aliases too, but an alias is no use
        of a leaf."""
        found: dict[Node, list[int]] = {}
        for i, x in enumerate(self.edges[2::WIDTH]):
            if not (x.is_leaf and self.edges[i * WIDTH] in self.shown):
                found.setdefault(x, []).append(i * WIDTH)
            if x in self.shown and self.edges[i * WIDTH] not in self.shown:
                found.setdefault(self.shown[x][0], []).append(i * WIDTH)
        return found

    def contribution(self, i: int) -> Contribution:
        """What is noted at a place, as an object."""
        node, position, x, g, c = self.edges[i : i + WIDTH]
        if g is None and not x.is_scalar:
            return Contribution(node, position, None, None, size=c)
        return Contribution(node, position, g, c)

    def __getitem__(self, x: Node) -> list[Contribution]:
        if x not in self.made:
            made = list[Contribution]()
            for i in self.index[x]:
                used = self.edges[i + 2]
                way = () if used is x else self.shown[used][1]
                steps = self.steps.get(i) or [self.contribution(i)]
                made += [e.through(way) for e in steps] if way else steps
            self.made[x] = made
        return self.made[x]

    def __contains__(self, x: object) -> bool:
        return x in self.index

    def __iter__(self) -> Iterator[Node]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)

    def users(self, x: Node) -> list[Node]:
        """The operations that sent something to `x`."""
        return [self.edges[i] for i in self.index.get(x, ())]


def number(g: Any) -> Any:
    """A number as it is; of an array, its norm."""
    return g if type(g) is float else norm(g)


def plain_slice(node: Node) -> bool:
    """Whether `node` picks every entry at most once, so that its gradient keeps its norm."""
    return is_basic((node.params or {}).get("index"))
