"""The outline of a graph: which stretches of it were made at which step, and who reads over the
border of one.

The question this file answers: *what has to be known of a million nodes to look at a few of them?*

Most of what a node uses was made just before it, at the same place. What is given from outside (a
weight) is read again and again, and a few values (a state) go on to the next step: only these uses
are noted, for all others are found again where their operand is. A recording of a long graph makes
its outline while it has all nodes at hand anyway, so that a drawing need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from .graph import Node, Op, constant, leaf, operands_of
from .place import Place

Note = Callable[[int], None]
A, B, REST = attrgetter("a"), attrgetter("b"), attrgetter("rest")


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
        self.begins, self.during = list[int](), list[int | None]()
        self.given: dict[Node, list[int]] | None = None
        self.handed, self.takers = list[Node](), list[int]()
        self.named = dict[str, list[int]]()
        self.find_places()
        if whole:
            self.given = self.find_given()
            self.find_names()

    def find_places(self) -> None:
        """Fill `kinds`, `scopes`, `begins` and `during`. One pass over the whole graph, so it is
        kept plain."""
        kinds, scopes, begin, note = self.kinds, self.scopes, self.begins.append, self.during.append
        here: Place | None = None
        for i, node in enumerate(self.computed):
            if node.at is not here:
                here = node.at
                begin(i)
                note(here.step)
                if here.scope not in scopes:
                    scopes.add(here.scope)
            if node.op not in kinds:
                kinds.add(node.op)

    def find_given(self) -> dict[Node, list[int]]:
        """Fill `handed` and `takers`; the uses of what was given."""
        note, hand, take = dict[Node, Note](), self.handed.append, self.takers.append
        given = dict[Node, list[int]]()
        for i, node in enumerate(self.computed):
            at = node.at
            if at.step is None:
                continue
            for x in (node.a, node.b) if node.rest is None else operands_of(node):
                if x is None or x.at is at:
                    continue
                if x in note:
                    note[x](i)
                elif x.op is leaf or x.op is constant or x.at.step is None:
                    given[x] = [i]
                    note[x] = given[x].append
                else:
                    hand(x)
                    take(i)
        return given

    def find_names(self) -> None:
        """Fill `named`."""
        for i, node in enumerate(self.computed):
            if node.name is not None:
                if node.name in self.named:
                    self.named[node.name].append(i)
                else:
                    self.named[node.name] = [i]

    def stretches(self) -> Iterator[tuple[int | None, int, int]]:
        """The nodes that were made one after the other at one place: the step, the first, and the
        first of the next."""
        return zip(self.during, self.begins, [*self.begins[1:], len(self.computed)])

    def add_uses(self, uses: dict[Node, list[int]]) -> None:
        """Add the uses of these nodes, in order; two of them may share a list."""
        assert self.given is not None
        nodes, wanted, known = self.computed, {x.at.step for x in uses}, set[Node | None](uses)
        for x, found in uses.items():
            found += self.given.get(x, ())
        for y, i in zip(self.handed, self.takers):
            if y in uses:
                uses[y].append(i)
        for step, begin, end in self.stretches():
            if step is None or step in wanted:
                for i in self.readers(begin, end, known):
                    for z in operands_of(nodes[i]):
                        if z in known and z is not None and (step is None or z.at is nodes[i].at):
                            uses[z].append(i)
        for found in {id(found): found for found in uses.values()}.values():
            found.sort()

    def readers(self, begin: int, end: int, known: set[Node | None]) -> Iterable[int]:
        """The places, between two, of the nodes that may read one of these. What stands outside of
        all steps may be as many as they are, so it is looked through without a line for each."""
        some = self.computed[begin:end]
        found = [i for get in (A, B) for i, x in enumerate(map(get, some), begin) if x in known]
        return dict.fromkeys(found + [
            i for i, rest in enumerate(map(REST, some), begin) if rest is not None])
