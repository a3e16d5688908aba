"""One look at the whole graph: its steps, what is shared between them, and what adds up over time.

The question this file answers: *what in this graph belongs to all steps, and what to one?*

A few passes over all nodes, however long the sequence; everything that looks closer looks at the
steps in view only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core import ops, walk
from ..core.graph import Node
from .scene import Column


@dataclass(slots=True)
class Survey:
    """What the passes over all nodes found.

    `columns` are the steps in view. `shown` maps an alias (a transpose, reshape or slice of a given
    node) to what it shows; `slices` holds those that are one step's part of a sequence. `shared`
    are the nodes from outside of time that two or more steps use. `leaving` are the nodes in view
    that steps out of view use.
    """

    root: Node
    nodes: list[Node]
    steps: list[int]
    columns: list[Column]
    shown: dict[Node, Node] = field(default_factory=dict)
    slices: set[Node] = field(default_factory=set)
    shared: dict[Node, None] = field(default_factory=dict)
    leaving: dict[Node, None] = field(default_factory=dict)

    def source(self, x: Node) -> Node:
        """What `x` stands for: itself, or what it is an alias of."""
        return self.shown.get(x, x)

    def given(self, x: Node) -> bool:
        """Whether the picture ends at `x`: a leaf, a constant, a step's slice of a sequence."""
        return not x.op.rules or x in self.slices


def survey(root: Node, first: int, last: int) -> Survey:
    """Look at every node that `root` depends on, with the `first` and `last` steps in view."""
    nodes = walk.nodes(root)
    steps = sorted({n.at.step for n in nodes if n.op.rules and n.at.step is not None})
    found = Survey(root, nodes, steps, window(steps, first, last) if steps else [])
    find_aliases(found)
    if steps:
        find_shared(found)
    return found


def window(steps: list[int], first: int, last: int) -> list[Column]:
    """The columns for the first and last steps, with one gap between them if two or more are
    hidden."""
    if len(steps) <= first + last + 1:
        return [Column(step) for step in steps]
    hidden = steps[first : len(steps) - last]
    gap = Column(None, hidden=(hidden[0], hidden[-1]), count=len(hidden))
    return [*map(Column, steps[:first]), gap, *map(Column, steps[len(steps) - last :])]


def find_shared(found: Survey) -> None:
    """Fill `shared` and `leaving`. The loop runs over every use in the graph, so it is kept
    plain."""
    view = {column.step for column in found.columns if column.step is not None}
    shown, slices, leaving, shared = found.shown, found.slices, found.leaving, found.shared
    first: dict[Node, int] = {}
    for node in found.nodes:
        step = node.at.step
        if step is None or not node.op.rules or node in shown or node in slices:
            continue
        operands = (node.a, node.b) if node.rest is None else [x for _, x in walk.parents(node)]
        for x in operands:
            if x is None:
                continue
            x = shown.get(x, x)
            there = x.at.step
            if there is not None and x.op.rules and x not in slices:
                if there != step and there in view and step not in view:
                    leaving[x] = None
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


@dataclass(slots=True)
class Total:
    """A sum over steps: the node that has it, the uses of its terms (term, position, +), and the
    chain of + that it took."""

    node: Node
    terms: list[walk.Edge]
    adders: set[Node]


def running_total(found: Survey) -> Total | None:
    """The chain of + that adds one term per step to a total (total = total + L_t), if there is
    one."""
    top: Node | None = found.root
    for _ in range(8):  # L may be scaled after the sum
        if top is None or top.op is ops.add:
            break
        top = next((x for _, x in walk.parents(top) if x.op.rules), None)
    if top is None or top.op is not ops.add:
        return None
    adders, todo = {top}, [top]
    terms: list[walk.Edge] = []
    while todo:
        node = todo.pop()
        for position, x in walk.parents(node):
            if x not in adders and x.name in (None, top.name) and carries_on(x, node):
                adders.add(x)
                todo.append(x)
            elif x.op.rules:
                terms.append((x, position, node))
    steps = {x.at.step for x, _, _ in terms}
    if len(steps) < 2 or None in steps or len(steps) < len(terms):
        return None
    inside: set[Node | None] = {x for x in adders if x is not top}
    if top.at.step is not None:
        inside |= {x for x, _, _ in terms}
    if used_twice(found, inside):
        return None  # a state h_t = f(h_{t-1}) + h_{t-1} is no total
    return Total(top, sorted(terms, key=lambda use: use[0].order), adders)


def carries_on(x: Node, node: Node) -> bool:
    """Whether `x` is the total so far that `node` adds a term to, and not a term that is a sum
    itself."""
    if x.op is not ops.add:
        return False
    if node.at.step is None:
        return x.at.step is None
    inner = [y.at.step for _, y in walk.parents(x) if y.op.rules]
    return x.at.step != node.at.step and (
        len(inner) < 2 or any(step != x.at.step for step in inner)
    )


def used_twice(found: Survey, some: set[Node | None]) -> bool:
    """Whether any of these nodes has more than one use."""
    used: set[Node | None] = set()
    for node in found.nodes:
        if not node.op.rules:
            continue
        operands = (node.a, node.b) if node.rest is None else [x for _, x in walk.parents(node)]
        for x in operands:
            if x in some:
                if x in used:
                    return True
                used.add(x)
    return False
