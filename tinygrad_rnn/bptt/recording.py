"""The recording: what one backward pass leaves behind for those who look at it afterwards.

The question this file answers: *what is written down while the gradient passes, and what does it
cost?*

Of each node only what arrived there is noted: what leaves it follows from the rule, and is computed
again when somebody asks (`recording[x]` makes the `Contribution`s of a node). Nothing is written
for a use, and no object is made for it: the garbage collector would have to look at every one. Kept
as norms, a node is one number and each of its uses another, whatever the size of the arrays.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any

from ..core.backprop import history, local, operands_of, uses
from ..core.graph import Node, constant
from ..core.ops import is_basic
from ..core.parts import norm, norms
from ..core.totals import InOrder, Totals, one_use
from ..core.walk import is_alias
from .contribution import Contribution, RunningSum, accumulate
from .uses import Uses, Way

WIDTH = 5  # node, position, operand, g, c
AT_ONCE = 512  # uses: their norms are computed together, before the collector looks at them
ROOM = 1 << 20  # numbers in all: no more of them wait for that, or very few uses
Edge = tuple[Node, int, Node, Any, Any]


class Sized(InOrder):
    """Totals that note how large each use of a weight is, while it is there."""

    def __init__(self, start: Iterable[tuple[Node, Any]]) -> None:
        super().__init__(start)
        self.sizes = deque[float]()

    def collect(self, node: Node, x: Node, g: Any) -> bool:
        """Add the use of a weight, and note its norm."""
        if node.op.late is None:
            return False
        c = one_use(node, g)
        self.sizes.append(norm(c))
        self.add(x, c)
        return True


class Recording(Mapping[Node, list[Contribution]]):
    """The contributions of one backward pass, by the node they went to, last use first.

    `arrived` is the whole gradient of every node that passed one on; of tensors only its norm,
    with `norms=True`. `recording[x]` shows through the aliases of a leaf (a transpose, a slice),
    and into an op that spans many steps (`Op.parts`). Where that changes the order in which a
    leaf's gradient is added up, its total is summed again, in the order of its rows. With `as_is`
    every use stays as the walk gave it.
    """

    def __init__(self, root: Node, seed: Any, norms: bool = False, as_is: bool = False) -> None:
        self.root, self.seed, self.norms, self.as_is = root, seed, norms, as_is
        self.arrived: dict[Node, Any] = {root: number(seed) if norms else seed}
        self.passed: dict[Node, Any] = {}  # of the computed nodes, in the order of the walk
        self.sizes = array("d")  # kept as norms: one for every use
        self.kept: dict[tuple[Node, int], Any] = {}  # what is not computed twice
        self.edges: list[Any] = []  # as it is
        self.shown: dict[Node, tuple[Node, Way]] = {}  # alias -> the leaf, and the way to it
        self.steps: dict[tuple[Node, int], list[Contribution]] = {}  # by an op that spans many
        self.told: tuple[Node | None, list[Any]] = (None, [])  # the parts of the last such op
        self.made: dict[Node, list[Contribution]] = {}

    def write_as_is(self, walk: Iterable[Edge], totals: Totals) -> None:
        """Note every use that passes, be it right or wrong."""
        for edge in walk:
            self.edges.extend(edge)
        self.passed.update(zip(self.edges[::WIDTH], self.edges[3::WIDTH]))
        self.see_through({*history([self.root]), *self.edges[2::WIDTH]})
        self.arrived.update(self.passed)
        self.arrived.update(totals)

    def write(self, walk: Iterable[Edge], totals: InOrder, way: Sequence[Node]) -> None:
        """Note what passes on the way (the nodes, newest first), and correct the totals."""
        again = self.see_through(way)
        spans = [n for n in way if n.op.parts is not None]
        if isinstance(totals, Sized):
            again |= {x for n in spans for _, x in uses(n) if x.is_leaf}
            self.write_norms(walk, totals, again, bool(again or spans))
            return
        own = {op for op in {n.op for n in way} if op.joint or hasattr(op, "__wrapped__")}
        if own:
            for node, position, _, g, c in walk:
                self.passed[node] = g
                if node.op in own:  # a user's rule, a checkpoint: who knows what it costs
                    self.kept[node, position] = c
        else:
            self.passed.update(map(itemgetter(0, 3), walk))
        self.arrived.update(self.passed)
        for node in spans:
            for position, x in uses(node):
                steps = self.tell_apart(self.contribution(node, position))
                if steps is not None:
                    self.steps[node, position] = steps
                    again.add(x)
        for x in again & totals.keys():
            totals[x] = accumulate(x, self[x])
        self.arrived.update(totals)

    def write_norms(self, walk: Iterable[Edge], totals: Sized, again: set[Node],
                    closely: bool) -> None:
        """The same, with a number in place of each array; the totals of the leaves in `again` are
        summed in passing, and uses by an op that spans many steps told apart (`closely`)."""
        sums = {x: RunningSum() for x in again}
        walk, some = iter(walk), 32
        while edges := list(islice(walk, some)):
            if closely:
                for node, position, x, g, c in edges:
                    self.sum_again(Contribution(node, position, g, c), x, sums)
            nodes, _, _, arrived, leaving = map(list, zip(*edges))
            products = self.not_built(edges, leaving, totals)
            found = numbers([*arrived, *leaving])
            wide = sum([1 if type(c) is float else c.size for c in leaving]) // len(leaving)
            some = min(AT_ONCE, max(8, ROOM // max(1, wide)))
            self.passed.update(zip(nodes, found))
            start = len(self.sizes)
            self.sizes.extend(found[len(edges):])
            for i, n in products:
                self.sizes[start + i] = n
        totals.update((x, s.total) for x, s in sums.items() if s.total is not None and x in totals)
        self.arrived.update(self.passed)
        self.arrived.update((x, number(g)) for x, g in totals.items())

    def not_built(self, edges: list[Edge], leaving: list[Any],
                  totals: Sized) -> list[tuple[int, float]]:
        """Fill in what was added up without being built; of the uses of a weight only the norm."""
        weights = list[tuple[int, float]]()
        for i, c in enumerate(leaving):
            if c is None:
                node, position, _, g, _ = edges[i]
                if position == 1 and node.op.late is not None:
                    weights.append((i, totals.sizes.popleft()))
                    leaving[i] = g
                else:
                    leaving[i] = g if plain_slice(node) else local(node, position, g)
        return weights

    def sum_again(self, e: Contribution, x: Node, sums: dict[Node, RunningSum]) -> None:
        """Add a use to the total that is summed in the order of the rows."""
        steps = self.tell_apart(e)
        if steps is not None:
            self.steps[e.node, e.position] = [use.reduced() for use in steps]
        leaf, way = self.shown.get(x, (x, ()))
        if leaf in sums and e.node not in self.shown:  # an alias is no use
            for use in steps or [e]:
                sums[leaf].add(use.through(way))

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
    def uses(self) -> Uses:
        """Every use, in the order of the walk."""
        if self.as_is:
            return Uses(self.edges[::WIDTH], self.edges[1::WIDTH], self.edges[2::WIDTH], self.shown)
        return Uses.of(self.passed, self.shown)

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

    @cached_property
    def numbered(self) -> dict[tuple[Node, int], int]:
        """The number of each use."""
        return {use: i for i, use in enumerate(zip(self.uses.users, self.uses.positions))}

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


def number(g: Any) -> Any:
    """A number as it is; of an array, its norm."""
    return g if type(g) is float else norm(g)


def numbers(arrays: list[Any]) -> list[Any]:
    """The numbers of many. What leaves one node often is what arrives at the next, and is measured
    once."""
    keys = list(map(id, arrays))
    once = dict(zip(keys, arrays))
    if float in set(map(type, arrays)):
        found = {key: number(a) for key, a in once.items()}
    else:
        found = dict(zip(once, norms(list(once.values()))))
    return [found[key] for key in keys]


def plain_slice(node: Node) -> bool:
    """Whether `node` picks every entry at most once, so that its gradient keeps its norm."""
    return is_basic((node.params or {}).get("index"))
