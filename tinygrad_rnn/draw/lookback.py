"""Lookback: how far back a place looks where steps read what others made.

The question this file answers: *which leaves are from before the first step, told by where they
come in?*

A place where steps read the state of two steps before reads h_{-1} at step 1, and h_0 at step 2. So
a leaf that comes in there is told by its place, whatever it is called; and one that comes in at two
places says how far back the other one looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..core import walk
from ..core.graph import Node
from .scene import Column

if TYPE_CHECKING:
    from .survey import Survey

Port = Hashable  # a place where an operand comes in, the same at every step
Ends = dict[int, tuple[int, int]]  # the first and the last place in time of every stage


class Read(NamedTuple):
    """A leaf that a step reads at a port; the first and last places in time of the step's stage."""

    when: int
    port: Port
    ends: tuple[int, int]

    def before(self, lag: int) -> int:
        """How far before the first step (below 0) or after the last one is what a port of this lag
        looks back to; 0, if it is a step."""
        at, (first, last) = self.when - lag, self.ends
        return min(at - first, 0) if lag > 0 else max(at - last, 0)

    def lag(self, before: int) -> int:
        """How far a port looks back that reads here what is so far before the first step, or after
        the last one."""
        return self.when - self.ends[before > 0] - before


class Lookback:
    """What places tell: of the leaves that are first states, how far `before` the first step each
    is (below 0), or after the last; to those everywhere looks back, where steps look back. `like`
    are the places that only leaves tell, each with another one that looks back to the same."""

    def __init__(self, taken: Callable[[], set[Port]] = set) -> None:
        self.find_taken = taken
        self.reads: dict[Node, list[Read]] = {}
        self.late: dict[Port, Counter[int]] = {}  # how far back, at how many steps
        self.lags: dict[Port, int] = {}
        self.before: dict[Node, int] = {}
        self.like: dict[Port, Port] = {}

    @cached_property
    def taken(self) -> set[Port]:
        """The places of what is neither a leaf nor of another step; few are asked for them."""
        return self.find_taken()

    def tell(self) -> None:
        """Fill `lags`, `before` and `like`."""
        self.lags = {port: seen.most_common(1)[0][0] for port, seen in self.late.items()}
        known = -1
        while known < len(self.before):
            known = len(self.before)
            for x in [x for x in self.reads if x not in self.before]:
                apart = {r.before(self.lags[r.port]) for r in self.reads[x] if r.port in self.lags}
                if apart and (max(apart) < 0 or min(apart) > 0):
                    self.before[x] = min(apart, key=abs)
                    if len(apart) == 1:
                        self.infer(x)

    def infer(self, x: Node) -> None:
        """Where a first state comes in and nothing tells how far steps look back, it tells it, if
        every leaf that comes in there could be a first state too."""
        known = next(read.port for read in self.reads[x] if read.port in self.lags)
        for read in self.reads[x]:
            port, lag = read.port, read.lag(self.before[x])
            if port not in self.lags and port not in self.taken and lag and all(
                    other.before(lag) for reads in self.reads.values() for other in reads
                    if other.port == port):
                self.lags[port], self.like[port] = lag, known

    def forward(self, x: Node) -> bool:
        """Whether `x` comes in where steps look back, not ahead, or nothing is known."""
        return all(self.lags.get(read.port, 1) > 0 for read in self.reads.get(x, ()))


def ends_of(columns: list[Column]) -> Ends:
    """The first and the last place in time of every stage."""
    offset = {c.stage: (c.when or 0) - c.step for c in columns if c.step is not None}
    found: Ends = {}
    for column in columns:
        low, high = column.hidden or (column.step or 0, column.step or 0)
        late = offset.get(column.stage, 0)
        found[column.stage] = found.get(column.stage, (low + late, 0))[0], high + late
    return found


def look(found: Survey, nodes: Iterable[Node]) -> Lookback:
    """How far back places look, before anything is drawn: a place is told by its operation, and by
    what else goes into it that several steps share."""
    others, alike = set[Port](), Counter[Hashable]()
    back = Lookback(lambda: others)
    ends, stages = ends_of(found.columns), found.stages
    for node in nodes:
        when = None if found.stands_for(node) else found.when(node)
        if when is None:
            continue
        operands = [(position, found.source(x)) for position, x in walk.parents(node)]
        stage, kind = stages.get(node, 0), (node.at.scope, node.op.name, found.called(node))
        for position, x in operands:
            place = (*kind, position, *(
                y for i, y in operands if i != position and y in found.shared))
            alike[when, place] += 1
            port, made = (alike[when, place], place), found.when(x)
            if found.given(x):
                back.reads.setdefault(x, []).append(Read(when, port, ends[stage]))
            elif made is None or made == when or stages.get(x, 0) != stage:
                others.add(port)
            else:
                back.late.setdefault(port, Counter())[when - made] += 1
    back.tell()
    return back
