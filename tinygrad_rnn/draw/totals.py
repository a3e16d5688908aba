"""Totals: a sum that gathers one term from each step, L = Σ L_t.

The question this file answers: *which chain of + is really one long sum?*
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container
from dataclasses import dataclass
from itertools import compress, repeat
from operator import attrgetter, is_, itemgetter

from ..core import ops, over_time, walk
from ..core.graph import Node
from .survey import Survey

A, B, OP, NAME, ORDER = map(attrgetter, ("a", "b", "op", "name", "order"))
FIRST, STEP = itemgetter(0), attrgetter("at.step")
ADD = {ops.add}
AT_ONCE = 1024  # sums: so many are looked at again before they are out of the cache


@dataclass(slots=True)
class Total:
    """A sum over steps: the node that has it, the uses of its terms (term, position, +), and the
    chain of + that it took. Of what a `straight` chain adds up there may be very much, so that only
    its sums are kept: the term of each is its second operand."""

    node: Node
    others: list[walk.Edge]
    straight: list[Node]
    adders: set[Node]

    @property
    def terms(self) -> list[Node]:
        """All terms."""
        return [*map(FIRST, self.others), *map(B, self.straight)]

    def uses(self, known: Container[Node]) -> list[walk.Edge]:
        """The uses of the terms that are known, in the order in which these were made."""
        added = [*map(B, self.straight)]
        found = [use for use in self.others if use[0] in known]
        found += compress(zip(added, repeat(1), self.straight), map(known.__contains__, added))
        return sorted(found, key=lambda use: use[0].order)


def running_total(found: Survey) -> Total | None:
    """The chain of + that adds one term per step to a total (total = total + L_t), if there is
    one."""
    top: Node | None = found.root
    for _ in range(8):  # L may be scaled after the sum
        if top is None or top.op is ops.add:
            break
        if top.at.step is not None:  # a state h_t = tanh(u_t + h_{t-1}) is no total either
            return None
        top = next((x for _, x in walk.parents(top) if x.op.rules), None)
    if top is None or top.op is not ops.add:
        return None
    total = added_up(found, top)
    terms = total.terms
    steps = set(map(found.when if found.whens else STEP, terms))
    if len(steps) < 2 or None in steps or len(steps) < len(terms):
        return None
    inside = total.adders if top.at.step is None else {*total.adders, *terms}
    if any(x in inside and x is not top and len(users) > 1 for x, users in found.uses.items()):
        return None  # a state h_t = f(h_{t-1}) + h_{t-1} is no total
    return total


def added_up(found: Survey, top: Node) -> Total:
    """The chain of + that ends in `top`, with its terms, whichever they are."""
    total = Total(top, [], [], {top})
    todo = [go_straight(found, total) if top.at.step is None else top]
    total.others += over_time.added_up(todo, total.adders, top.name)
    return total


def go_straight(found: Survey, total: Total) -> Node:
    """Go down a chain that was made after the last step, as long as it goes total + term, many
    sums at once; where it does not."""
    made, top, names = found.untimed, total.node, {None, total.node.name}
    end = bisect_left(made, top.order, key=ORDER)
    if end == len(made) or made[end] is not top:
        return top
    last = end
    while end > 0:
        begin = max(end - AT_ONCE, 0)
        totals, sums = made[begin:end], made[begin + 1:end + 1]
        added = list(map(B, sums))
        if not (all(map(is_, map(A, sums), totals)) and ADD.issuperset(map(OP, totals))
                and names.issuperset(map(NAME, totals)) and all_computed(added)):
            break
        total.adders.update(totals)
        end = begin
    total.straight += made[end + 1:last + 1]
    return made[end]


def all_computed(added: list[Node | None]) -> bool:
    """Whether all terms are computed, and none is a sum itself."""
    if None in set(added):  # a plain number
        return False
    kinds = set(map(OP, added))
    return ops.add not in kinds and all(op.rules for op in kinds)
