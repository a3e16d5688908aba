"""Inputs: what was given for one step, though a few others read it too.

The question this file answers: *is this leaf a weight, which steps share, or the input of one?*

A window reads each input more than once, h_t = tanh(w h_{t-1} + x_t x_{t-2}), and so does a loop
that keeps the input of the step before. Two steps that use one leaf are all that a weight shows
too; its siblings tell them apart, which are the leaves of one name, or the parts of one sequence.
Weights are read from the first step to the last, and no step brings new ones; of inputs, each comes
in at a step of its own, and goes again after a few.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..core import ops, walk
from ..core.graph import Node
from .parts import weightlike

if TYPE_CHECKING:
    from .survey import Survey

MOST = 64  # steps: what is read at more of them is a weight

Readers = dict[int, Node]  # the steps that read a leaf, in the order of the program: the first node


def find_inputs(found: Survey, firsts: set[Node]) -> None:
    """Fill `homes`, and leave in `shared` what is none of these inputs, and no first state. Where
    nothing is given for a few of several steps, no further look at the graph is needed."""
    found.shared -= firsts
    some = {x for x in found.shared if found.given(x) and few(found, x)}
    wanted = {family(found, x) for x in some}
    made = {found.called(n) for n in found.computed if n.name is not None} if wanted else set()
    for members in families(found, wanted) if wanted else ():
        inputs = [x for x in inputs_among(found, members) if x not in firsts]
        known = any(x.name in made for x in inputs)  # what y should be is that of the y of a step
        ahead = {} if known else read_ahead(found, {x: members[x] for x in inputs})
        for x in inputs:
            if x in found.uses:
                found.homes[x] = home(found, x, members[x], ahead.get(x))
    found.shared -= found.homes.keys()


def few(found: Survey, x: Node) -> bool:
    """Whether only some of all steps read it."""
    steps = steps_of(found, x)
    return len(steps) <= MOST and (x.at.step is not None or len(steps) < len(found.steps))


def steps_of(found: Survey, x: Node) -> set[int]:
    """The steps that read it, but not many more than an input has."""
    seen: set[int] = set()
    for user in found.users(x):
        if (when := found.when(user)) is not None:
            seen.add(when)
            if len(seen) > MOST:
                break
    return seen


def family(found: Survey, x: Node) -> Hashable:
    """What siblings have in common."""
    if x in found.slices:
        return x.a
    return x.at.scope, x.op, unnumbered(x.name or ""), np.shape(x.value)


def families(found: Survey, wanted: set[Hashable]) -> list[dict[Node, Readers]]:
    """All members of some families, each with its readers; what was made at a step is there from
    that step on, if anything is computed at it: before the first one nothing is."""
    known: dict[Node, Readers | None] = {}
    members: dict[Hashable, dict[Node, Readers]] = {}
    steps = set[int]()
    for node in found.computed:
        when = found.when(node) if not found.stands_for(node) else None
        if when is None:
            continue
        steps.add(when)
        for _, operand in walk.parents(node):
            x = found.source(operand)
            if x not in known:
                kin = family(found, x) if found.given(x) else None
                known[x] = {} if kin in wanted else None
                if (own := known[x]) is not None:
                    members.setdefault(kin, {})[x] = own
                    if (made := found.when(x)) is not None:
                        own[made] = x
            if (readers := known[x]) is not None:
                readers.setdefault(when, node)
    return [{x: {when: node for when, node in readers.items() if when in steps}
             for x, readers in own.items()} for own in members.values()]


def inputs_among(found: Survey, members: dict[Node, Readers]) -> list[Node]:
    """Those of a family that are inputs: each is read by fewer steps than there are that one of
    them comes in at, or goes after, and is gone before as many have passed: of weights that are
    taken in turn the first comes back. What has the name of a weight must be read by half as few,
    and come in at most steps: several weights may look like this in a sequence of some steps."""
    if found.stages and len({found.stages[node] for readers in members.values()
                             for node in readers.values() if node.op.rules}) > 1:
        return []
    steps = [[*readers] for readers in members.values()]
    count = max(len({own[0] for own in steps}), len({own[-1] for own in steps}))
    some = next(iter(members))
    if some.name is None and some not in found.slices:
        return nameless_among(found, members, count)
    often = 2 * count > len(found.steps) or not weightlike(some)
    if not often or any(abs(own[-1] - own[0]) >= count for own in steps):
        return []
    if all(x.at.step is not None for x, own in zip(members, steps) if len(own) > 1):
        most = count
    else:
        most = count // 2 if weightlike(some) else count - 1
    return [*members] if max(map(len, steps)) <= most else []


def nameless_among(found: Survey, members: dict[Node, Readers], count: int) -> list[Node]:
    """The inputs of a family without names, in which there may be weights too. They do not stay
    where they are read, and are read by half as few steps as one of them comes in at, or goes after
    (`count`); or by fewer than there are ways to come and go, and not by nearly all."""
    steps = [[*readers] for readers in members.values()]
    ways = len({(own[0], own[-1]) for own in steps})
    longest = max(abs(own[-1] - own[0]) for own in steps)
    most = min(ways - 1, 3 * len(found.steps) // 4, MOST) if longest < ways else 0
    most = max(most, count // 2 if longest < count else 0)
    some = [x for x, own in zip(members, steps) if len(own) <= most]
    stay = staying(found, members) if max(map(len, steps)) > 1 else set[Node]()
    return [x for x in some if x not in stay]


def staying(found: Survey, members: dict[Node, Readers]) -> set[Node]:
    """Those that several steps read at one place, where no step reads another: through a window
    inputs pass, and a weight stays. Places are counted from the beginning of a step and from its
    end: the first steps may leave out what is not there yet."""
    taken = Counter[int]()
    reads: list[tuple[Node, int, int, int]] = []
    for node in found.computed:
        when = found.when(node) if not found.stands_for(node) else None
        if when is not None:
            taken[when] += 1
            reads += [(x, when, taken[when], position) for position, operand in walk.parents(node)
                      if (x := found.source(operand)) in members]
    places: dict[Hashable, set[tuple[Node, int]]] = {}
    for x, when, at, position in reads:
        for place in (at, position), (at - taken[when] - 1, position):
            places.setdefault(place, set()).add((x, when))
    return {x for read in places.values() if len({x for x, _ in read}) == 1 < len(read)
            for x, _ in read}


def read_ahead(found: Survey, members: dict[Node, Readers]) -> dict[Node, int]:
    """The step of each input that reads it before all others, where steps look ahead at what later
    ones read first; nothing, if they do not, or where two steps first read the same one."""
    first: dict[int, tuple[int, int]] = {}  # by step: the node that reads one first, and where
    own: dict[int, Node] = {}
    for x, readers in members.items():
        for when, node in readers.items():
            position = next((i for i, y in walk.parents(node) if found.source(y) is x), 0)
            if (node.order, position) < first.get(when, (node.order, position + 1)):
                first[when], own[when] = (node.order, position), x
    steps = {x: when for when, x in own.items()}
    alike = len(steps) == len(own) and not any(x.at.step is not None for x in members)
    return steps if alike and all(next(iter(members[x])) <= when
                                  for x, when in steps.items()) else {}


def home(found: Survey, x: Node, readers: Readers, ahead: int | None) -> Node:
    """A node of the step that an input belongs to: the one with its number, if it reads it, or,
    where it has none, the one that others look `ahead` to; else the first that reads it, where it
    comes in."""
    at = number_of(x)
    at = ahead if at is None else at
    own = found.when(x) is None and not found.stages and at is not None and at in readers
    return readers[at] if own and at is not None else next(iter(readers.values()))


def number_of(x: Node) -> int | None:
    """The number that an input brings: 3, for x3, x_3, x-3, x[3] and X[3]."""
    if x.op is not ops.getitem:
        return parted(x.name or "")[1]
    index = (x.params or {}).get("index")
    return index if isinstance(index, int) else None


def unnumbered(name: str) -> str:
    """A name without its number: x, for x3, x_3, x-3 and x[3]."""
    return parted(name)[0]


NUMBERED = re.compile(r"(.+?)(?:[_-]?([0-9]{1,18})|_(-[0-9]{1,18})|\[([0-9]{1,18})\])", re.DOTALL)


@lru_cache(1 << 12)
def parted(name: str) -> tuple[str, int | None]:
    """A name and its number: x and 3, for x3, x_3, x-3 and x[3]; x and -3, for x_-3; None if it has
    none."""
    found = NUMBERED.fullmatch(name)
    return (name, None) if found is None else (found[1], int(found[2] or found[3] or found[4]))
