"""One look at the whole graph: its steps, what is shared between them, and what adds up over time.

The question this file answers: *what in this graph belongs to all steps, and what to one?*

Two passes over the computed nodes, however long the sequence: which steps there are, and who uses
what is in view. A recorded flow of a long graph knows both (see `core/outline.py`). Everything that
looks closer looks at the steps in view only.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node
from ..core.outline import UNTIMED, Outline
from .aliases import find_aliases
from .inputs import parted
from .scene import Column
from .stages import find_leaps, find_order, find_stages, find_whens
from .users import find_shared, find_uses
from .window import Window, columns_of

ENDS = frozenset("0123456789]")  # of a name that may have a number


@dataclass
class Survey:
    """What the passes over all nodes found.

    `outline` is that of all computed nodes. `timed` are those of the steps in view, `untimed` all
    those without a step; `columns` are the steps in view. `shown` maps an alias (a transpose,
    reshape or slice of a given node) to what it shows; `slices` holds those that are one step's
    part of a sequence.
    `uses` has, of everything in view, the places in `computed` of the nodes that use it, those of
    the same node side by side, and `named` those of all nodes that are called what a step in view
    reads of another. `shared` are the nodes from outside of time (or an earlier stage) that two or
    more steps use, but for inputs: of these, `homes` has a node of the step that each belongs to.
    `leaving` are the nodes in view that steps out of view use, with the first of these users.
    `stages` and `whens` are empty if there is one stage only.
    """

    root: Node
    window: Window
    outline: Outline
    steps: list[int] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    stages: dict[Node, int] = field(default_factory=dict)
    whens: dict[Node, int] = field(default_factory=dict)
    shown: dict[Node, Node] = field(default_factory=dict)
    slices: set[Node] = field(default_factory=set)
    timed: list[Node] = field(default_factory=list)
    untimed: list[Node] = field(default_factory=list)
    uses: dict[Node, array[int]] = field(default_factory=dict)
    named: dict[str, array[int]] = field(default_factory=dict)
    shared: set[Node] = field(default_factory=set)
    homes: dict[Node, Node] = field(default_factory=dict)
    leaving: dict[Node, Node] = field(default_factory=dict)

    @property
    def computed(self) -> list[Node]:
        """The computed nodes, oldest first."""
        return self.outline.computed

    @property
    def seen(self) -> list[Node]:
        """Those of the steps in view, and those without a step."""
        return [*self.timed, *self.untimed]

    @cached_property
    def nodes(self) -> list[Node]:
        """Every node, the given ones too."""
        return walk.nodes(self.root)

    def users(self, x: Node) -> Iterator[Node]:
        """The nodes that use `x`, or an alias of it, oldest first; of what is in view."""
        last = None
        for i in self.uses.get(x, ()):
            if i != last:  # x * x uses it twice
                last = i
                yield self.computed[i]

    def when(self, x: Node) -> int | None:
        """The place of `x` in time: its step, counted on through the stages if several."""
        x = self.homes.get(x, x)
        return self.whens.get(x) if self.whens else x.at.step

    @cached_property
    def times(self) -> Any:
        """The places in time of all computed nodes as an array, `UNTIMED` for none."""
        if self.whens:
            return np.array([self.whens.get(n, UNTIMED) for n in self.computed], int)
        return np.repeat(self.outline.steps, np.diff(self.outline.bounds))

    @property
    def view(self) -> set[int | None]:
        """The places in time that are in view."""
        return {column.when for column in self.columns if column.step is not None}

    def source(self, x: Node) -> Node:
        """What `x` stands for: itself, or what it is an alias of."""
        return self.shown.get(x, x)

    def stands_for(self, x: Node) -> bool:
        """Whether `x` is no box of its own, but an alias, or a step's slice of a sequence."""
        return x in self.shown or x in self.slices

    @cached_property
    def numbered(self) -> set[tuple[str, str]]:
        """The names, each in its scope, that have the step of their node written into them: h1 and
        h2 at steps 1 and 2. Where there is an h2 at step 1, these are no steps."""
        own, other = set[tuple[str, str]](), set[tuple[str, str]]()
        for x in self.timed:
            if x.name is not None and x.name[-1:] in ENDS:
                name, number = parted(x.name)
                (own if number == x.at.step else other).add((x.at.scope, name))
        return own - other

    def called(self, x: Node) -> str | None:
        """The name of `x`, without its step if it has it written into it."""
        if x.name is None or not self.numbered or x.name[-1:] not in ENDS:
            return x.name
        name, number = parted(x.name)
        return name if number == x.at.step and (x.at.scope, name) in self.numbered else x.name

    def given(self, x: Node) -> bool:
        """Whether the picture ends at `x`: a leaf, a constant, a step's slice of a sequence."""
        return not x.op.rules or x in self.slices


def survey(root: Node, window: Window, outline: Outline | None = None) -> Survey:
    """Look at every node that `root` depends on, with the steps of a window in view. `outline` is
    that of the graph, where it is known."""
    found = Survey(root, window, Outline(walk.computed(root)) if outline is None else outline)
    if len(found.outline.scopes) > 1:
        order = find_order(find_leaps(found.computed))
        found.stages = find_stages(found.nodes, order) if order else {}
    steps: dict[int, Collection[int]] = {}
    if found.stages:
        found.whens = find_whens(found.nodes, found.stages)
        steps = steps_of(found)
    elif found.outline.begins:
        every = np.sort(found.outline.steps, kind="stable")  # fast: they nearly are in order
        timed = every[every != UNTIMED]
        steps = {0: timed[np.append(True, timed[1:] != timed[:-1])].tolist()} if len(timed) else {}
    for stage in sorted(steps):
        own = sorted(steps[stage])
        found.columns += columns_of(own, window, stage)
        found.steps += own
    if found.stages:
        place_columns(found)
    some = any(op.alias for op in found.outline.kinds)
    find_aliases(found, [node for node in found.computed if node.op.alias] if some else [])
    see(found)
    if steps:
        find_uses(found)
        find_shared(found)
    return found


def steps_of(found: Survey) -> dict[int, Collection[int]]:
    """The steps of each stage."""
    steps: dict[int, set[int]] = {}
    for n in found.computed:
        if n.at.step is not None:
            steps.setdefault(found.stages[n], set()).add(n.at.step)
    return {**steps}


def see(found: Survey) -> None:
    """Fill `timed` and `untimed`."""
    nodes, view = found.computed, found.view
    if found.whens:
        found.timed = [n for n in nodes if n.at.step is not None and found.whens[n] in view]
        found.untimed = [n for n in nodes if n.at.step is None]
        return
    for _, begin, end in found.outline.of({None}):
        found.untimed += nodes[begin:end]
    for _, begin, end in found.outline.of(view - {None}):
        found.timed += nodes[begin:end]


def place_columns(found: Survey) -> None:
    """Tell the columns of several stages where they are in the whole of time, and of what."""
    at: dict[tuple[int, int | None], int] = {}
    scopes: dict[int, Counter[str]] = {}
    for node, when in found.whens.items():
        stage = found.stages.get(node, 0)
        at[stage, node.at.step] = when
        scopes.setdefault(stage, Counter())[node.at.scope.split("/")[0]] += node.at.scope != ""
    for column in found.columns:
        if column.step is not None:
            column.when = at[column.stage, column.step]
        most = scopes[column.stage].most_common(1)
        column.part = most[0][0] if most and most[0][1] else ""


