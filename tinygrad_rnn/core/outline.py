"""The outline of a graph: which stretches of it were made at which step, and who reads over the
border of one.

The question this file answers: *what has to be known of a million nodes to look at a few of them?*

Most of what a node uses was made just before it, at the same place. What is given from outside (a
weight) is read again and again, and a few values (a state) go on to the next step: only these uses
are noted, for all others are found again where their operand is. A recording of a long graph makes
its outline while it has all nodes at hand anyway, so that a drawing need not.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np

from .graph import Node, Op, constant, leaf, operands_of

Note = Callable[[int], None]
A, B, REST = attrgetter("a"), attrgetter("b"), attrgetter("rest")
NONE = {None}
UNTIMED = np.iinfo(int).min  # where there is no step, in an array of steps
AT_ONCE = 1024  # nodes: so many are looked at again before they are out of the cache


class Outline:
    """Of `computed` nodes, oldest first: their `kinds` and `scopes`; those from each of `begins` on
    were made at one place, whose step stands in `during`.

    As a `whole` it has the uses by nodes of a step too: `given` those of what was made at another
    place and is no result of a step, while of the results of a step that are `handed` on to another
    place, `takers` are those that read them. All uses are places in `computed`, and so are those of
    each name in `named`.
    """

    def __init__(self, computed: list[Node], whole: bool = False) -> None:
        self.computed = computed
        self.kinds, self.scopes = set[Op](), set[str]()
        self.begins, self.during = array("q"), list[int | None]()
        self.given: dict[Node, array[int]] | None = {} if whole else None
        self.handed, self.takers = list[Node](), array("q")
        self.named: dict[str, array[int]] = {}
        self.look(self.given)

    def look(self, given: dict[Node, array[int]] | None) -> None:
        """Fill all of it. One pass over the whole graph, so it is kept plain."""
        kinds, scopes, begin, during = self.kinds, self.scopes, self.begins.append, self.during
        named, notes, unknown = self.named, dict[Node, Note](), self.note_for
        here, step = None, None
        for i, node in enumerate(self.computed):
            at = node.at
            if at is not here:
                here, step = at, at.step
                begin(i)
                during.append(step)
                if at.scope not in scopes:
                    scopes.add(at.scope)
            if node.op not in kinds:
                kinds.add(node.op)
            if given is None:
                continue
            if node.name is not None:
                if node.name in named:
                    named[node.name].append(i)
                else:
                    named[node.name] = array("q", (i,))
            if step is None:
                continue
            x = node.a
            if x is not None and x.at is not at:
                (notes.get(x) or unknown(x, given, notes))(i)
            x = node.b
            if x is not None and x.at is not at:
                (notes.get(x) or unknown(x, given, notes))(i)
            for x in () if node.rest is None else node.rest.nodes:
                if x is not None and x.at is not at:
                    (notes.get(x) or unknown(x, given, notes))(i)

    def note_for(self, x: Node, given: dict[Node, array[int]], notes: dict[Node, Note]) -> Note:
        """Where a use of this node is noted, if it was made at another place than its user."""
        if x.op is leaf or x.op is constant or x.at.step is None:
            given[x] = array("q")
            notes[x] = given[x].append
            return notes[x]
        self.handed.append(x)
        return self.takers.append

    @cached_property
    def steps(self) -> Any:
        """The steps of all stretches as an array, `UNTIMED` where there is none: who wants to know
        which stretches are of some steps asks for all of them at once."""
        return np.array([UNTIMED if step is None else step for step in self.during])

    @cached_property
    def bounds(self) -> Any:
        """Where each stretch begins and, at last, where they end, as an array."""
        return np.append(np.array(self.begins), len(self.computed))

    def of(self, steps: Iterable[int | None]) -> Iterator[tuple[int | None, int, int]]:
        """The stretches of some steps, of nodes that were made one after the other at one place:
        the step, the first node, and the first of the next."""
        wanted = [UNTIMED if step is None else step for step in steps]
        there = np.flatnonzero(np.isin(self.steps, wanted)).tolist()
        return ((self.during[i], *self.bounds[i:i + 2].tolist()) for i in there)

    def add_uses(self, uses: dict[Node, array[int]]) -> None:
        """Add the uses of these nodes, in order; two of them may share an array."""
        assert self.given is not None
        nodes, known = self.computed, set[Node | None](uses)
        wanted = {None, *(x.at.step for x in uses)}
        for x, found in uses.items():
            found.extend(self.given.get(x, ()))
        for start in range(0, len(self.handed), AT_ONCE):
            some = self.handed[start:start + AT_ONCE]
            if not known.isdisjoint(some):
                for i, y in enumerate(some, start):
                    if y in uses:
                        uses[y].append(self.takers[i])
        for step, begin, end in self.of(wanted):
            for i in self.readers(begin, end, known):
                for z in operands_of(nodes[i]):
                    if z in known and z is not None and (step is None or z.at is nodes[i].at):
                        uses[z].append(i)
        for found in {id(found): found for found in uses.values()}.values():
            np.frombuffer(found, found.typecode).sort(kind="stable")

    def readers(self, begin: int, end: int, known: set[Node | None]) -> Iterator[int]:
        """The places, between two, of the nodes that may read one of these. What stands outside of
        all steps may be as many as they are, and few of them do: most are passed over many at
        once."""
        for start in range(begin, end, AT_ONCE):
            some = self.computed[start:min(start + AT_ONCE, end)]
            if known.isdisjoint(map(A, some)) and known.isdisjoint(map(B, some)) \
                    and NONE.issuperset(map(REST, some)):
                continue
            for i, node in enumerate(some, start):
                if node.a in known or node.b in known or node.rest is not None:
                    yield i
