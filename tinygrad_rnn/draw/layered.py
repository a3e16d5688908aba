"""Layered layout: a small graph without time, from the inputs on the left to the result on the
right.

The question this file answers: *where does everything stand when there are no steps?*

Three classic moves (Sugiyama et al. 1981): a layer for each node by its longest way, an order
within the layers that crosses few wires (barycentres, swept to and fro), and coordinates. A wire
over several layers gets a free slot in each, so it passes between the boxes and through none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .model import Point

GAP_X, GAP_Y, SLOT, SWEEPS = 34.0, 16.0, 6.0, 8
STEEP, WIDEST = 4.0, 500.0  # how steep wires may be between two layers, and how far these stand
MAIN = 12  # how much straighter the ways of results are kept than those of inputs
CHAIN = 10_000  # and how much those where nothing else comes in


class Layers:
    """`sizes` are (width, height) by number; `uses` are pairs (operand, user). The first `entries`
    items stay on the left edge: wires from elsewhere come in there. Where two items use each other,
    one of the uses runs `back`. `level`: chains are level."""

    def __init__(
        self,
        sizes: Sequence[tuple[float, float]],
        uses: Sequence[tuple[int, int]],
        entries: int = 0,
        level: bool = False,
    ) -> None:
        self.sizes = list(sizes)
        place = in_order(len(sizes), uses)
        self.back = [place[operand] > place[user] for operand, user in uses]
        self.uses = [use[::-1] if back else use for use, back in zip(uses, self.back)]
        ordered = sorted(self.uses, key=lambda use: place[use[0]])
        self.layer = find_layers(len(sizes), ordered, entries)
        self.ways: list[list[int]] = []  # for each use: the nodes and slots it runs through
        self.pairs: list[tuple[int, int]] = []  # neighbours in adjacent layers
        for operand, user in self.uses:
            way = [operand]
            for layer in range(self.layer[operand] + 1, self.layer[user]):
                way.append(len(self.sizes))
                self.sizes.append((0.0, SLOT))
                self.layer.append(layer)
            way.append(user)
            self.ways.append(way)
            self.pairs += pairwise(way)
        computed = {user for _, user in self.uses} | set(range(len(sizes), len(self.sizes)))
        self.weights = [MAIN if i < entries or i in computed else 1 for i in range(len(self.sizes))]
        self.entries, self.count, self.straight = entries, len(sizes), level
        self.rows: list[list[int]] = [[] for _ in range(max(self.layer, default=0) + 1)]
        for item, layer in enumerate(self.layer):
            self.rows[layer].append(item)
        self.order()
        self.y = self.heights()
        self.x, self.edges = self.columns()

    def order(self) -> None:
        """Sort each layer by the mean place of its neighbours, to and fro."""
        before: list[list[int]] = [[] for _ in self.sizes]
        after: list[list[int]] = [[] for _ in self.sizes]
        for operand, user in self.pairs:
            before[user].append(operand)
            after[operand].append(user)
        place = {item: float(i) for row in self.rows for i, item in enumerate(row)}
        for sweep in range(SWEEPS):
            there = after if sweep % 2 == 0 else before
            for row in reversed(self.rows) if sweep % 2 == 0 else self.rows:
                means = {
                    i: sum(place[n] for n in there[i]) / len(there[i]) if there[i] else place[i]
                    for i in row
                }
                row.sort(key=lambda i: (means[i], place[i]))
                place.update((item, float(i)) for i, item in enumerate(row))

    def columns(self) -> tuple[list[float], list[Point]]:
        """The middle of every layer, and its left and right edge; between two of them the more room
        the further wires go up or down there."""
        spans = [0.0] * len(self.rows)
        for operand, user in self.pairs:
            before = self.layer[operand]
            spans[before] = max(spans[before], abs(self.y[operand] - self.y[user]))
        middles, edges, x = [], [], 0.0
        for row, span in zip(self.rows, spans):
            wide = max(self.sizes[i][0] for i in row)
            middles.append(x + wide / 2)
            edges.append((x, x + wide))
            x += wide + min(max(GAP_X, span / STEEP), WIDEST)
        return middles, edges

    def heights(self) -> list[float]:
        """Near the mean of the neighbours, and never closer than the sizes allow."""
        y = [0.0] * len(self.sizes)
        for row in self.rows:
            self.pack(row, y, {item: 60.0 * (i - (len(row) - 1) / 2) for i, item in enumerate(row)})
        near: list[list[int]] = [[] for _ in self.sizes]
        for operand, user in self.pairs:
            near[operand] += [user] * self.weights[user]
            near[user] += [operand] * self.weights[operand]
        for sweep in range(2 * SWEEPS):
            for row in self.rows if sweep % 2 else reversed(self.rows):
                self.pack(
                    row,
                    y,
                    {
                        i: sum(y[n] for n in near[i]) / len(near[i]) if near[i] else y[i]
                        for i in row
                    },
                )
        chains = self.chains(y) if self.straight else {}
        self.weights = [CHAIN if i in chains else 1 for i in range(len(y))]
        for row in self.rows if chains else ():
            self.pack(row, y, {i: chains.get(i, y[i]) for i in row})
        return y

    def chains(self, y: list[float]) -> dict[int, float]:
        """The height of everything in a chain, where each hears of one computed thing only, near
        by, and is heard of by one: a chain is level. What hangs on the left edge stays there."""
        before: list[list[int]] = [[] for _ in self.sizes]
        after: list[list[int]] = [[] for _ in self.sizes]
        for operand, user in self.pairs:
            after[operand].append(user)
            before[user].append(operand)
        for i, there in enumerate(before):
            far = any(operand >= self.count for operand in there)
            before[i] = [] if far else [x for x in there if self.weights[x] == MAIN] or there
        follows = {there[0]: i for i, there in enumerate(before)
                   if len(there) == 1 and len(after[there[0]]) == 1}
        level: dict[int, float] = {}
        for first in sorted(set(follows) - set(follows.values())):
            chain = [first]
            while chain[-1] in follows:
                chain.append(follows[chain[-1]])
            height = y[first] if first < self.entries else sum(y[i] for i in chain) / len(chain)
            level.update((i, height) for i in chain)
        return level

    def pack(self, row: list[int], y: list[float], wanted: dict[int, float]) -> None:
        """Put a layer where it wants to be, in order, without overlaps: neighbours that press
        against each other form a block around the mean of their wishes."""
        blocks: list[
            tuple[float, int, list[tuple[int, float]]]
        ] = []  # top wish, count, members' offsets
        for item in row:
            wish, members = wanted[item] - self.sizes[item][1] / 2, [(item, 0.0)]
            length = self.weights[item]
            while blocks:
                top, count, others = blocks[-1]
                last, offset = others[-1]
                bottom = offset + self.sizes[last][1] + GAP_Y
                if top + bottom <= wish:
                    break
                blocks.pop()
                wish = (top * count + (wish - bottom) * length) / (count + length)
                members = [*others, *((i, o + bottom) for i, o in members)]
                length += count
            blocks.append((wish, length, members))
        for top, _, members in blocks:
            for item, offset in members:
                y[item] = top + offset + self.sizes[item][1] / 2

    def place(self, item: int) -> Point:
        """The middle of a node."""
        return self.x[self.layer[item]], self.y[item]

    def way(self, number: int) -> tuple[Point, ...]:
        """The points of a use, from the left to the right: level across each layer, slanting in the
        gaps between."""
        way = self.ways[number]
        points = []
        for i, item in enumerate(way):
            x, y = self.place(item)
            left, right = self.edges[self.layer[item]]
            if 0 < i < len(way) - 1:
                points += [(left, y), (right, y)]
            elif i == 0:
                points += [(x + self.sizes[item][0] / 2, y), (right, y)]
            else:
                points += [(left, y), (x - self.sizes[item][0] / 2, y)]
        return tuple(p for i, p in enumerate(points) if i == 0 or p != points[i - 1])


def find_layers(count: int, uses: Sequence[tuple[int, int]], entries: int = 0) -> list[int]:
    """The longest way from an input; inputs then move right, next to their first user."""
    layer = [0] * count
    for operand, user in uses:  # those of an operand come after all that it is made of
        layer[user] = max(layer[user], layer[operand] + 1)
    has_operands = {user for _, user in uses}
    first: dict[int, int] = {}
    for operand, user in uses:
        first[operand] = min(first.get(operand, layer[user]), layer[user])
    return [
        first[i] - 1 if i >= entries and i in first and i not in has_operands else n
        for i, n in enumerate(layer)
    ]


def in_order(count: int, uses: Sequence[tuple[int, int]]) -> list[int]:
    """The place of every item in an order in which operands come first (Kahn 1962). Where many
    operations share a box, the order of the program is none; and two boxes may use each other: then
    the one that comes first in the program does."""
    left, users = [0] * count, list[list[int]]([] for _ in range(count))
    for operand, user in uses:
        left[user] += 1
        users[operand].append(user)
    place: dict[int, int] = {}
    ready, waiting = [i for i in range(count) if not left[i]], iter(range(count))
    while len(place) < count:
        if not ready:
            ready.append(next(i for i in waiting if i not in place))
        item = ready.pop(0)
        place[item] = len(place)
        for user in users[item]:
            left[user] -= 1
            if not left[user] and user not in place:
                ready.append(user)
    return [place[i] for i in range(count)]
