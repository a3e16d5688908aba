"""The recording: what one backward pass leaves behind for those who look at it afterwards.

The question this file answers: *what is known of every use, once the gradient has passed?*

Of each node only what arrived there is noted: what leaves it follows from the rule, and is computed
again when somebody asks (`recording[x]` makes the `Contribution`s of a node). Nothing is written
for a use, and no object is made for it: the garbage collector would have to look at every one. Kept
as norms, a node is one number and each of its uses another, whatever the size of the arrays. How it
is written: see `writing.py`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from ..core.backprop import operands_of
from ..core.graph import Node, constant
from ..core.outline import Outline
from ..core.walk import is_alias
from .contribution import Contribution
from .pieces import Arrived, Piece, Walked
from .uses import Uses, Way

WIDTH = 5  # node, position, operand, g, c


class Recording(Mapping[Node, list[Contribution]]):
    """The contributions of one backward pass, by the node they went to, last use first.

    `arrived` is the whole gradient of every node that passed one on, and of the leaves (`ends`); of
    tensors only its norm, with `norms=True`. `recording[x]` shows through the aliases of a leaf (a
    transpose, a slice), and into an op that spans many steps (`Op.parts`). With `as_is` every use
    stays as the walk gave it.
    """

    def __init__(self, root: Node, seed: Any, norms: bool = False, as_is: bool = False) -> None:
        self.root, self.seed, self.norms, self.as_is = root, seed, norms, as_is
        self.pieces: list[Piece] = []  # in the order of the walk
        self.begin: Any = seed  # what arrived at the root
        self.ends: dict[Node, Any] = {}  # and at the leaves
        self.edges: list[Any] = []  # as it is
        self.shown: dict[Node, tuple[Node, Way]] = {}  # alias -> the leaf, and the way to it
        self.steps: dict[tuple[Node, int], list[Contribution]] = {}  # by an op that spans many
        self.made: dict[Node, list[Contribution]] = {}
        self.outline: Outline | None = None  # of a long graph, for drawings
        self.weights: dict[Node, list[Any]] = {}  # the norms of uses that were built together

    def see_through(self, nodes: Iterable[Node]) -> set[Node]:
        """Find the aliases of leaves; the leaves that have any."""
        aliases = [n for n in nodes if n.op.alias and n.a is not None
                   and (n.a.op.given or n.a.op.alias) and n is not self.root]
        for node in sorted(aliases, key=attrgetter("order")):  # operands first
            x = node.a
            if x is not None and (x.is_leaf or x in self.shown) and is_alias(node):
                leaf, way = self.shown.get(x, (x, ()))
                self.shown[node] = (leaf, (*way, node))
        return {leaf for leaf, _ in self.shown.values()}

    # --- what was noted, as a whole ---------------------------------------------------------------

    @cached_property
    def passed(self) -> dict[Node, Any]:
        """What arrived at each of the computed nodes, in the order of the walk."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Walked):
            return self.pieces[0].passed
        return dict(chain.from_iterable(piece.pairs() for piece in self.pieces))

    @cached_property
    def kept(self) -> dict[tuple[Node, int], Any]:
        """What a use gave, where it is not computed twice."""
        return {use: c for piece in self.pieces for use, c in piece.kept.items()}

    @cached_property
    def sizes(self) -> array[float]:
        """Kept as norms: that of every use, in the order of the walk."""
        found = array("d")
        for piece in self.pieces:
            found.extend(piece.sizes)
        return found

    @cached_property
    def arrived(self) -> Arrived:
        """What arrived at every node, the root and the leaves among them."""
        return Arrived(self.root, self.begin, self.passed, self.ends)

    @cached_property
    def uses(self) -> Uses:
        """Every use, in the order of the walk."""
        if self.as_is:
            return Uses(self.edges[::WIDTH], self.edges[1::WIDTH], self.edges[2::WIDTH], self.shown)
        return Uses.of(self.passed, self.shown)

    @cached_property
    def numbered(self) -> dict[tuple[Node, int], int]:
        """The number of each use."""
        return {use: i for i, use in enumerate(zip(self.uses.users, self.uses.positions))}

    def measured(self, x: Node) -> Any:
        """The norms of the uses of a weight that were built together, oldest first."""
        return np.concatenate(self.weights.get(x, [np.empty(0)]))[::-1]

    # --- one use, and those of a node -------------------------------------------------------------

    def contribution(self, node: Node, position: int) -> Contribution:
        """What a use gave, as an object."""
        return Contribution(node, position, self.passed[node], self.kept.get((node, position)))

    def use(self, node: Node, position: int, x: Node) -> Contribution | None:
        """The same, in the shape of `x`: the operand, or the leaf that it shows. None if nothing
        went there. Only this use is looked up."""
        used = operands_of(node)[position]
        if used is None or used.op is constant or node not in self.passed:
            return None
        if not self.as_is and not self.norms:
            found = self.contribution(node, position)
        elif (node, position) in self.numbered:
            found = self.one(self.numbered[node, position])
        else:
            return None
        return found if used is x else found.through(self.shown[used][1])

    def one(self, i: int) -> Contribution:
        """The same, of one of the uses in the order of the walk."""
        user, position = self.uses.users[i], self.uses.positions[i]
        if self.as_is:
            g, c = self.edges[i * WIDTH + 3 : (i + 1) * WIDTH]
            return Contribution(user, position, g, c)
        if not self.norms:
            return self.contribution(user, position)
        c, scalar = self.sizes[i], self.uses.operands[i].is_scalar
        return Contribution(user, position, None, c if scalar else None,
                            size=None if scalar else c)

    def __getitem__(self, x: Node) -> list[Contribution]:
        if x not in self.made:
            if x not in self.uses:
                raise KeyError(x)
            made = list[Contribution]()
            for i in self.uses[x]:
                used = self.uses.operands[i]
                way = () if used is x else self.shown[used][1]
                key = self.uses.users[i], self.uses.positions[i]
                steps = (self.steps and self.steps.get(key)) or [self.one(i)]
                made += [e.through(way) for e in steps] if way else steps
            self.made[x] = made
        return self.made[x]

    def __contains__(self, x: object) -> bool:
        return x in self.uses

    def __iter__(self) -> Iterator[Node]:
        return iter(self.uses.first)

    def __len__(self) -> int:
        return len(self.uses.first)

    def users(self, x: Node) -> list[Node]:
        """The operations that sent something to `x`."""
        return [self.uses.users[i] for i in self.uses[x]]
