"""The uses that one backward pass went through: who used what, and which uses a node had.

The question this file answers: *which uses did this weight have, among those of the whole graph?*

A use is a number, its place in the walk. The uses of a node are a chain, each knows the next one: a
list for every node would be an object for every node, and the garbage collector would look at all
of them. A transpose, reshape or slice of a leaf is no use of it; what uses the alias is one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..core.backprop import uses
from ..core.graph import Node, constant

Way = tuple[Node, ...]  # the aliases from a leaf to what was used
END = -1


class Uses:
    """Every use in the order of a walk: `users[i]` used `operands[i]` in its `positions[i]`.

    `shown` says of an alias which leaf it shows, and the way to it.
    """

    def __init__(self, users: list[Node], positions: Sequence[int], operands: list[Node],
                 shown: Mapping[Node, tuple[Node, Way]]) -> None:
        self.users, self.positions, self.operands = users, positions, operands
        self.first, self.after = dict[Node, int](), array("q", [END]) * len(users)
        self.through = dict[Node, list[int]]()  # the uses of a leaf's aliases
        last = dict[Node, int]()
        for i, x in enumerate(operands):
            if shown:
                if x in shown and users[i] not in shown:
                    leaf = shown[x][0]
                    self.through.setdefault(leaf, []).append(i)
                    self.first.setdefault(leaf, END)
                if x.is_leaf and users[i] in shown:
                    continue
            if x in last:
                self.after[last[x]] = i
            else:
                self.first[x] = i
            last[x] = i

    @classmethod
    def of(cls, nodes: Iterable[Node], shown: Mapping[Node, tuple[Node, Way]]) -> Uses:
        """Every use by these nodes."""
        users, positions, operands = list[Node](), array("q"), list[Node]()
        for node in nodes:
            a, b = node.a, node.b
            if node.rest is not None:
                for position, x in uses(node):
                    users.append(node)
                    positions.append(position)
                    operands.append(x)
                continue
            if a is not None and a.op is not constant:
                users.append(node)
                positions.append(0)
                operands.append(a)
            if b is not None and b.op is not constant:
                users.append(node)
                positions.append(1)
                operands.append(b)
        return cls(users, positions, operands, shown)

    def __contains__(self, x: object) -> bool:
        return x in self.first

    def __len__(self) -> int:
        """How many there are, those of an alias counted for the leaf as well."""
        return sum(1 for x in self.first for _ in self.chain(x)) + sum(
            map(len, self.through.values()))

    def chain(self, x: Node) -> Iterator[int]:
        """The uses of `x` itself, in the order of the walk."""
        i = self.first.get(x, END)
        while i != END:
            yield i
            i = self.after[i]

    def __getitem__(self, x: Node) -> list[int]:
        """The uses of `x` and of its aliases, in the order of the walk."""
        return sorted([*self.chain(x), *self.through.get(x, ())])
