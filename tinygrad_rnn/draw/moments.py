"""Moments: a gradient flow as a film, one operation at a time, forward and then backward.

The question this file answers: *what happens at each moment, and what is added to what?*

Forward, a moment is an operation that gives its value. Backward, it is an operation at which a
gradient arrives, and what leaves it through each operand: a `Use`, which is added to what the
operand has received so far. The loss may have several terms (L = sum over t of L_t). A gradient is
linear in them, so each use is kept in parts, one for each group of terms, and the page adds up
those that are switched on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from operator import attrgetter
from typing import Any

import numpy as np

from ..bptt.mistakes import Mistake, wrong_walk
from ..core import ops, walk
from ..core.backprop import contributions, local
from ..core.graph import Node, constant
from ..core.reductions import sum_of
from ..core.totals import Totals
from .equations import FEW
from .survey import Survey
from .totals import running_total

MOST_GROUPS = 12  # of terms of the loss, each with a switch
ALWAYS = -1       # the group of what leads from the loss to its terms: it has no switch

Edge = tuple[Node, int, Node, Any, Any]


@dataclass(slots=True)
class Use:
    """What one operation adds to the gradient of `x`, by group of terms; `node` is None for
    operations that are out of view together, `away` says which of them, `members` are all of
    them."""

    node: Node | None
    position: int
    x: Node
    away: int = 0
    parts: dict[int, Any] = field(default_factory=dict)
    members: set[tuple[Node, int]] = field(default_factory=set)


@dataclass(slots=True)
class Moment:
    """One moment. `node` is the operation, None for some that are out of view. Backward, `uses` are
    what leaves it; `before` are the nodes in view that those out of view read."""

    backward: bool
    node: Node | None
    uses: list[Use] = field(default_factory=list)
    before: list[Node] = field(default_factory=list)


class Film:
    """All moments of a graph whose loss receives `seed`: first the forward ones, then backward.

    `groups` are the terms of the loss, in at most `MOST_GROUPS` groups of neighbours. A backward
    pass with a `mistake` in it (`tg.what_if`) is shown as it went, its terms all in one group.
    """

    def __init__(self, found: Survey, seed: Any, mistake: Mistake | None = None) -> None:
        self.found, self.mistake = found, mistake
        view = {column.when for column in found.columns if column.step is not None}
        whens = {found.when(n) for n in found.nodes if n.op.rules and n.at.step is not None}
        self.hidden = whens - view
        self.away = self.out_of_view() if self.hidden else {}
        terms = loss_terms(found)
        size = -(-len(terms) // MOST_GROUPS) if mistake is None else len(terms)
        self.groups = [terms[i:i + size] for i in range(0, len(terms), size)]
        self.uses: dict[Any, Use] = {}
        self.collect(seed)
        self.moments = [*self.forward(), *self.backward()]

    # --- what leaves where ----------------------------------------------------------------------

    def collect(self, seed: Any) -> None:
        """Every use that the picture shows, in parts: one backward walk for each group."""
        root = self.found.root
        if self.mistake is not None:
            for edge in wrong_walk(Totals([(root, seed)]), self.mistake):
                self.add(0, edge)
            return
        group_of = {x: i for i, group in enumerate(self.groups) for x in group}
        arriving = Totals([(root, seed)])
        for edge in contributions(arriving, until=set(group_of)):  # from the loss to its terms
            self.add(group_of.get(edge[2], ALWAYS), edge)
        for i, group in enumerate(self.groups):
            for edge in contributions(Totals([(x, arriving[x]) for x in group if x in arriving])):
                self.add(i, edge)

    def join_groups(self) -> None:
        """Every two neighbouring groups become one."""
        self.groups = [[x for group in self.groups[i:i + 2] for x in group]
                       for i in range(0, len(self.groups), 2)]
        for use in self.uses.values():
            parts, use.parts = use.parts, {}
            for group, c in parts.items():
                group = group if group == ALWAYS else group // 2
                use.parts[group] = use.parts[group] + c if group in use.parts else c

    def add(self, group: int, edge: Edge) -> None:
        """Note one contribution. An alias is no use: what consumes it is."""
        node, position, x, g, c = edge
        shown = self.found.shown
        if node in shown or node in self.found.slices:
            return
        gone = node in self.away
        if gone and (x in self.away or x in self.found.slices):
            return
        c = local(node, position, g) if c is None else c
        while x in shown and x.a is not None:
            c, x = local(x, 0, c), x.a
        away = self.away.get(node, 0)
        key = (away, x) if gone else (node, position, x)
        use = self.uses.setdefault(key, Use(None if gone else node, position, x, away))
        use.members.add((node, position))
        use.parts[group] = use.parts[group] + c if group in use.parts else c

    def out_of_view(self) -> dict[Node, int]:
        """The operations out of view, each with the number of its group.

        A group has one moment. It is in view again and again on the way back from the loss that
        counts: what comes out of view for the first time is group 1, and what only gets its
        gradient through something in view that group 1 sends to is group 2 (the lower of two
        layers that read in both directions). So no group waits for itself.
        """
        group = dict.fromkeys(self.found.nodes, 0)
        gone = {n for n in self.found.nodes if n.op.rules and self.found.when(n) in self.hidden}
        for node in reversed(self.found.nodes):
            for _, x in walk.parents(node):
                out = x in gone and node not in gone
                group[x] = max(group[x], group[node] + out)
        return {n: max(group[n], 1) for n in self.found.nodes if n in gone}

    # --- the order of the moments ---------------------------------------------------------------

    def forward(self) -> list[Moment]:
        """The operations in the order of the program; those out of view when all that they need is
        there."""
        skipped = {*self.found.shown, *self.found.slices}
        rank: dict[Any, int] = {}  # a node in view, or the number of a group
        needs: dict[Any, set[Any]] = {}
        for node in self.found.nodes:
            if node.op.rules and node not in skipped:
                item = self.away.get(node, node)
                rank.setdefault(item, len(rank))
                own = needs.setdefault(item, set())
                own |= {self.away.get(x, x) for _, x in walk.parents(node)
                        if x.op.rules and x not in skipped} - {item}
        return [Moment(False, x) if isinstance(x, Node) else
                Moment(False, None, before=[n for n in needs[x] if isinstance(n, Node)])
                for x in in_turn(rank, needs)]

    def backward(self) -> list[Moment]:
        """The operations that a gradient reaches, last first; those out of view when all of their
        gradient has arrived."""
        moments: dict[Any, Moment] = {}
        for use in self.uses.values():
            item = use.away or use.node
            moments.setdefault(item, Moment(True, use.node)).uses.append(use)
        last = {group: node.order for node, group in self.away.items()}
        order = {x: -last[x] if x in last else -x.order for x in moments}
        needs: dict[Any, set[Any]] = {x: set() for x in moments}
        for use in self.uses.values():
            receiver = self.away.get(use.x, use.x)
            if receiver in needs:
                needs[receiver].add(use.away or use.node)
        for moment in moments.values():
            moment.uses.sort(key=lambda use: (-use.x.order, use.position) if use.away else (0, 0))
        return [moments[x] for x in in_turn(order, needs)]


def in_turn(rank: dict[Any, int], needs: dict[Any, set[Any]]) -> list[Any]:
    """The items by rank, but none before what it needs."""
    waits = {x: len(needs[x]) for x in rank}
    needed: dict[Any, list[Any]] = {}
    for x in rank:
        for y in needs[x]:
            needed.setdefault(y, []).append(x)
    ready = [(rank[x], i, x) for i, x in enumerate(rank) if not waits[x]]
    place = {x: i for i, x in enumerate(rank)}
    heapify(ready)
    found = []
    while ready:
        x = heappop(ready)[2]
        found.append(x)
        for y in needed.get(x, ()):
            waits[y] -= 1
            if not waits[y]:
                heappush(ready, (rank[y], place[y], y))
    return found


def loss_terms(found: Survey) -> list[Node]:
    """The nodes whose weighted sum over steps the loss is, L_1 ... L_T; in a graph without steps
    those that it adds up, if they are all made alike; else the loss itself."""
    total = running_total(found)
    if total is not None:
        return sorted(total.terms, key=attrgetter("order"))
    terms: dict[Node, None] = {}
    todo = [found.root]
    for node in todo:  # the list grows while we read it
        inner = [x for x in node.operands if isinstance(x, Node) and x.op is not constant]
        summed = node.op in (ops.add, ops.sub, ops.neg, sum_of)
        scaled = node.op in (ops.mul, ops.div) and len(inner) == 1
        if node.at.step is None and inner and (summed or scaled):
            todo += inner
        else:
            terms[node] = None
    alike = len({(x.op, x.name is None) for x in terms}) == 1 and all(x.op.rules for x in terms)
    if len(terms) > 1 and not found.steps and alike:
        return sorted(terms, key=lambda x: x.order)
    if len(terms) < 2 or any(x.at.step is None for x in terms):
        return [found.root]
    return sorted(terms, key=lambda x: x.at.step or 0)


# --- as numbers for a page ------------------------------------------------------------------------


def coordinates(arrays: Iterable[Any]) -> list[list[float]]:
    """The arrays as vectors whose sums have the same norms: their entries if these are few, else
    their coordinates in an orthonormal basis of what they span. A matrix of a million entries then
    takes no more room than a small one."""
    rows = np.stack([np.asarray(a, float).reshape(-1) for a in arrays])
    if rows.shape[1] > max(FEW, len(rows)) and np.all(np.isfinite(rows)):
        rows = np.asarray(np.linalg.qr(rows.T, mode="r")).T
    return [[float(f"{x:.6g}") for x in row] for row in rows.tolist()]
