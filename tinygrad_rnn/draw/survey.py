"""One look at the whole graph: its steps, what is shared between them, and what adds up over time.

The question this file answers: *what in this graph belongs to all steps, and what to one?*

A few passes over all nodes, however long the sequence; everything that looks closer looks at the
steps in view only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from ..core import ops, walk
from ..core.graph import Node
from .scene import Column
from .stages import find_stages, find_whens


class Window(NamedTuple):
    """The steps in view, of each stage: the first and the last ones, or those of a slice."""

    first: int = 3
    last: int = 3
    steps: slice | None = None

    def shown(self, steps: list[int]) -> set[int]:
        """The steps in view of all of a stage's; the slice counts step numbers, not places."""
        if self.steps is not None:
            low, high, by = self.steps.start, self.steps.stop, self.steps.step or 1
            chosen = [s for s in steps if (low is None or s >= low) and (high is None or s < high)]
            return set(chosen[::by])
        first, last = steps[: self.first], steps[max(len(steps) - self.last, 0):]
        return {*first, *last}


@dataclass(slots=True)
class Survey:
    """What the passes over all nodes found.

    `columns` are the steps in view. `shown` maps an alias (a transpose, reshape or slice of a given
    node) to what it shows; `slices` holds those that are one step's part of a sequence. `shared`
    are the nodes from outside of time (or an earlier stage) that two or more steps use. `leaving`
    are the nodes in view that steps out of view use, with the first of these users. `stages` and
    `whens` are empty if there is one stage only.
    """

    root: Node
    nodes: list[Node]
    steps: list[int]
    columns: list[Column]
    stages: dict[Node, int] = field(default_factory=dict)
    whens: dict[Node, int] = field(default_factory=dict)
    shown: dict[Node, Node] = field(default_factory=dict)
    slices: set[Node] = field(default_factory=set)
    shared: dict[Node, None] = field(default_factory=dict)
    leaving: dict[Node, Node] = field(default_factory=dict)

    def when(self, x: Node) -> int | None:
        """The place of `x` in time: its step, counted on through the stages if several."""
        return self.whens.get(x) if self.whens else x.at.step

    def source(self, x: Node) -> Node:
        """What `x` stands for: itself, or what it is an alias of."""
        return self.shown.get(x, x)

    def given(self, x: Node) -> bool:
        """Whether the picture ends at `x`: a leaf, a constant, a step's slice of a sequence."""
        return not x.op.rules or x in self.slices


def survey(root: Node, window: Window) -> Survey:
    """Look at every node that `root` depends on, with the steps of a window in view."""
    nodes = walk.nodes(root)
    stages = find_stages(nodes)
    whens = find_whens(nodes, stages) if stages else {}
    found = Survey(root, nodes, [], [], stages, whens)
    steps: dict[int, set[int]] = {}
    if stages:
        for n in nodes:
            if n.op.rules and n.at.step is not None:
                steps.setdefault(stages[n], set()).add(n.at.step)
    else:
        every = {n.at.step for n in nodes if n.op.rules} - {None}
        steps = {0: every} if every else {}  # type: ignore[dict-item]
    for stage in sorted(steps):
        own = sorted(steps[stage])
        found.columns += columns_of(own, window, stage)
        found.steps += own
    if stages:
        place_columns(found)
    find_aliases(found)
    if steps:
        find_shared(found)
    return found


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


def columns_of(steps: list[int], window: Window, stage: int) -> list[Column]:
    """The columns for the steps in view of one stage, with a gap wherever two or more steps are
    hidden."""
    shown = window.shown(steps)
    columns: list[Column] = []
    hidden: list[int] = []

    def close() -> None:
        if len(hidden) == 1:
            columns.append(Column(hidden[0], stage=stage))
        elif hidden:
            columns.append(Column(None, hidden=(hidden[0], hidden[-1]), count=len(hidden),
                                  stage=stage))
        hidden.clear()

    for step in steps:
        if step not in shown:
            hidden.append(step)
            continue
        close()
        columns.append(Column(step, stage=stage))
    close()
    return columns


def find_shared(found: Survey) -> None:
    """Fill `shared` and `leaving`. The loop runs over every use in the graph, so it is kept
    plain."""
    view = {column.when for column in found.columns if column.step is not None}
    shown, slices, leaving, shared = found.shown, found.slices, found.leaving, found.shared
    whens, stages = found.whens, found.stages
    first: dict[Node, int] = {}
    for node in found.nodes:
        step = whens.get(node) if whens else node.at.step
        if step is None or not node.op.rules or node in shown or node in slices:
            continue
        operands = (node.a, node.b) if node.rest is None else [x for _, x in walk.parents(node)]
        for x in operands:
            if x is None:
                continue
            x = shown.get(x, x)
            there = whens.get(x) if whens else x.at.step
            if there is not None and x.op.rules and x not in slices:
                if there != step and there in view and step not in view:
                    leaving.setdefault(x, node)
                if stages and stages[x] < stages[node] and first.setdefault(x, step) != step:
                    shared[x] = None  # a context: what one stage leaves is read all along the next
            elif first.setdefault(x, step) != step:
                shared[x] = None


def find_aliases(found: Survey) -> None:
    """Fill `shown` and `slices`: gates are slices of a weight, the same at each step; the inputs
    x_t are slices of a sequence, another one at each step."""
    seen: dict[Node, dict[str, int | None]] = {}
    sequences: set[Node] = set()
    for node in found.nodes:
        if not node.op.alias or node.a is None or not walk.is_alias(node):
            continue
        source = found.shown.get(node.a, node.a)
        if source.op.rules:
            continue
        found.shown[node] = source
        if node.op is ops.getitem:
            indices = seen.setdefault(source, {})
            index = str((node.params or {}).get("index"))
            if indices and index not in indices and differs(node, indices):
                sequences.add(source)
            indices.setdefault(index, node.at.step)
    for node in [n for n, source in found.shown.items() if source in sequences]:
        del found.shown[node]
        found.slices.add(node)


def differs(node: Node, indices: dict[str, int | None]) -> bool:
    """Whether a new slice belongs to another step than the first one, or the steps are not told
    (None) and whole numbers pick the parts."""
    first = next(iter(indices.values()))
    if node.at.step is None and first is None:
        return isinstance((node.params or {}).get("index"), int)
    return node.at.step != first
