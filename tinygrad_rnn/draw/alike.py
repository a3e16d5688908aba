"""Steps alike: which steps of a long sequence do what those before them did.

The question this file answers: *how many of 100,000 steps have to be read to know them all?*

Each node is told by its op, its name and where its operands come from: which node of the same step,
of how many steps before, or which weight. A step whose nodes are those of the step before (or of
two before, in a loop that takes turns) says nothing new. What is left are the two ends, and some
steps around every one that does something else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from itertools import filterfalse, islice, repeat
from operator import ne
from typing import NamedTuple

from ..core.graph import Node, operands_of
from .scene import Column, Scene
from .survey import Survey
from .totals import running_total
from .users import MOST_AROUND

FAR = 64  # steps: what is given and used over more of them is a weight
TURNS = 6  # a loop may take so many turns until it repeats itself
GATHERED = 8  # what is made of more steps than that gathers them


class Alike(NamedTuple):
    """The steps to be read. All others do what was done `turn` steps before, and no wire between
    such steps is longer than `lag`."""

    seen: frozenset[int]
    turn: int
    lag: int


class Steps:
    """What is done at each step, as a list of numbers: equal ones for what is alike."""

    def __init__(self, computed: list[Node]) -> None:
        self.place: dict[Node, tuple[int, int]] = {}  # where a node was made or first used
        self.rows: dict[int, list[int]] = defaultdict(list)
        self.lags: dict[int, int] = defaultdict(int)
        self.known: dict[Hashable, int] = {}
        weights = self.find_weights(computed)
        for node in computed:
            if node.at.step is not None:
                self.add(node, node.at.step, weights)
                continue
            for x in operands_of(node):
                if x in self.place and x is not None:
                    step, i = self.place[x]
                    self.rows[step].append(self.number(("outside", node.op.name, i)))

    def find_weights(self, computed: list[Node]) -> dict[Node, int]:
        """What is given, and used over many steps: a number for each."""
        first, last = dict[Node, int](), dict[Node, int]()
        for node in computed:
            step = node.at.step
            if step is not None:
                for x in operands_of(node):
                    if x is not None and (x.at.step is None or not x.op.rules):
                        first.setdefault(x, step)
                        last[x] = step
        return {x: i for i, x in enumerate(first) if abs(last[x] - first[x]) > FAR}

    def add(self, node: Node, step: int, weights: dict[Node, int]) -> None:
        """One node more at a step."""
        row, place, sources = self.rows[step], self.place, list[Hashable]()
        for x in operands_of(node):
            if x is None or x in weights:
                sources.append(None if x is None else weights[x])
            elif x in place:
                before, i = place[x]
                sources.append((step - before, i))
                if abs(step - before) > self.lags[step]:
                    self.lags[step] = abs(step - before)
            else:
                place[x] = step, len(row)
                row.append(-1)
                sources.append(-1)
        name = None if node.name is None else node.name.removesuffix(f"_{step}")
        place[node] = step, len(row)
        row.append(self.number((node.op.name, node.at.scope, node.phase, name, tuple(sources))))

    def number(self, what: Hashable) -> int:
        """The same number for the same thing."""
        return self.known.setdefault(what, len(self.known))


def steps_to_read(found: Survey) -> Alike | None:
    """The steps of a long sequence that have to be read; None if it has to be all of them."""
    steps = found.steps
    if len(steps) <= 2 * FAR or found.stages or steps != [*range(steps[0], steps[-1] + 1)]:
        return None
    made = Steps(found.computed)
    kinds = [made.number(tuple(made.rows[step])) for step in steps]
    turns = {turn: sum(map(ne, kinds[turn:], kinds)) for turn in range(1, TURNS + 1)}
    turn = min(turns, key=lambda turn: (turns[turn], turn))
    other = [i for i in range(turn, len(steps)) if kinds[i] != kinds[i - turn]]
    lag = max((made.lags[step] for step in {*steps[turn:]} - {steps[i] for i in other}), default=0)
    around = 2 * (lag + turn) + 4
    if lag > FAR or 2 * len(other) > len(steps):
        return None
    odd = {*steps[:turn], *(steps[i] for i in other)}
    odd |= {made.place[x][0] for node in found.computed if node.at.step in odd
            for x in operands_of(node) if x in made.place and x is not None}
    odd |= {x.at.step for x in read_outside(found) if x.at.step is not None}
    seen = {*steps[:around], *steps[-around:]}
    for step in odd:
        seen.update(range(step - around, step + around + 1))
    return Alike(frozenset(seen), turn, lag) if 2 * len(seen) < len(steps) else None


def read_outside(found: Survey) -> Iterable[Node]:
    """What is used by what will be drawn beside the recurrence, and does not gather all steps."""
    total = running_total(found)
    adders = set[Node]() if total is None else total.adders
    for node in islice(filterfalse(adders.__contains__, reversed(found.untimed)), MOST_AROUND):
        operands = [x for x in operands_of(node) if x is not None]
        yield from operands if len(operands) <= GATHERED else ()


# --- what is known of the others ------------------------------------------------------------------


class Unread:
    """The steps that were not read: what is at them is what is at the steps before each gap."""

    def __init__(self, scene: Scene, alike: Alike | None) -> None:
        self.alike = alike
        self.gaps = [c.hidden for c in scene.columns if c.hidden is not None]

    def without_gaps(self, scene: Scene) -> Scene:
        """The scene with a column for every step, in those that were not read nothing."""
        columns = list[Column]()
        for column in scene.columns:
            if column.hidden is None:
                columns.append(column)
            else:
                first, last = column.hidden
                columns += [Column(step, part=column.part) for step in range(first, last + 1)]
        wires = [w for w in scene.wires if "gap" not in (w.tail.role, w.head.role)]
        return replace(scene, columns=columns, wires=wires)

    def add_steps(self, whens: set[int | None]) -> None:
        """Add the steps that have what those `whens` of the steps before each gap have."""
        for turn, first, last in self.turns():
            for when in [first - k for k in range(1, turn + 1)]:
                if when in whens:
                    whens.update(range(when + turn, last + 1, turn))

    def add_uses(self, uses: set[tuple[int | None, int | None]]) -> None:
        """Add a wire's uses between steps of which one was not read at least: both ends as far on
        as the other."""
        lag = self.alike.lag if self.alike is not None else 0
        for turn, first, last in self.turns():
            block = range(first - lag - turn, first - lag)
            for tail, head in [*uses]:
                when = tail if head is None else head
                if when is not None and when in block:
                    count = (last + lag - when) // turn
                    uses.update(zip(counting(tail, turn, count), counting(head, turn, count)))

    def turns(self) -> list[tuple[int, int, int]]:
        """After how many steps all is repeated, and the gaps where it is."""
        return [] if self.alike is None else [(self.alike.turn, *gap) for gap in self.gaps]


def counting(when: int | None, turn: int, count: int) -> Iterable[int | None]:
    """So many steps on from one, a turn apart; None is outside of time for all of them."""
    return repeat(None, count) if when is None else \
        range(when + turn, when + turn * count + 1, turn)
