"""One look at the whole graph: its steps, what is shared between them, and what adds up over time.

The question this file answers: *what in this graph belongs to all steps, and what to one?*

Two passes over the computed nodes, however long the sequence: which steps there are, and who uses
what is in view. Everything that looks closer looks at the steps in view only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..core import ops, walk
from ..core.graph import Node
from ..core.place import Place
from .scene import Column
from .stages import find_leaps, find_order, find_stages, find_whens

MOST_AROUND = 60  # untimed nodes drawn beside a recurrence; older ones are left out


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


@dataclass
class Survey:
    """What the passes over all nodes found.

    `computed` are the computed nodes, oldest first; those from each of `begins` on were made at one
    of `places`. `seen` are those of the steps in view and those without a step; `columns` are the
    steps in view. `shown` maps an alias (a transpose, reshape or slice of a given node) to what it
    shows; `slices` holds those that are one step's part of a sequence. `uses` has, of everything in
    view, the places in `computed` of the nodes that use it. `shared` are the nodes from outside of
    time (or an earlier stage) that two or more steps use. `leaving` are the nodes in view that
    steps out of view use, with the first of these users. `stages` and `whens` are empty if there is
    one stage only.
    """

    root: Node
    window: Window
    computed: list[Node]
    places: list[Place] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    stages: dict[Node, int] = field(default_factory=dict)
    whens: dict[Node, int] = field(default_factory=dict)
    shown: dict[Node, Node] = field(default_factory=dict)
    slices: set[Node] = field(default_factory=set)
    seen: list[Node] = field(default_factory=list)
    uses: dict[Node, list[int]] = field(default_factory=dict)
    shared: set[Node] = field(default_factory=set)
    leaving: dict[Node, Node] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> list[Node]:
        """Every node, the given ones too."""
        return walk.nodes(self.root)

    def users(self, x: Node) -> Iterator[Node]:
        """The nodes that use `x`, or an alias of it, oldest first; of what is in view."""
        return map(self.computed.__getitem__, dict.fromkeys(self.uses.get(x, ())))

    def when(self, x: Node) -> int | None:
        """The place of `x` in time: its step, counted on through the stages if several."""
        return self.whens.get(x) if self.whens else x.at.step

    @property
    def view(self) -> set[int | None]:
        """The places in time that are in view."""
        return {column.when for column in self.columns if column.step is not None}

    def source(self, x: Node) -> Node:
        """What `x` stands for: itself, or what it is an alias of."""
        return self.shown.get(x, x)

    def given(self, x: Node) -> bool:
        """Whether the picture ends at `x`: a leaf, a constant, a step's slice of a sequence."""
        return not x.op.rules or x in self.slices


def survey(root: Node, window: Window, computed: list[Node] | None = None) -> Survey:
    """Look at every node that `root` depends on, with the steps of a window in view. `computed`
    are the computed ones, oldest first, where they are known."""
    found = Survey(root, window, walk.computed(root) if computed is None else computed)
    aliases = find_places(found)
    if len({place.scope for place in found.places}) > 1:
        order = find_order(find_leaps(found.computed))
        found.stages = find_stages(found.nodes, order) if order else {}
    steps: dict[int, set[int]] = {}
    if found.stages:
        found.whens = find_whens(found.nodes, found.stages)
        for n in found.computed:
            if n.at.step is not None:
                steps.setdefault(found.stages[n], set()).add(n.at.step)
    else:
        every = {place.step for place in found.places} - {None}
        steps = {0: every} if every else {}  # type: ignore[dict-item]
    for stage in sorted(steps):
        own = sorted(steps[stage])
        found.columns += columns_of(own, window, stage)
        found.steps += own
    if found.stages:
        place_columns(found)
    find_aliases(found, aliases)
    see(found)
    if steps:
        find_uses(found)
        find_shared(found)
    return found


def find_places(found: Survey) -> list[Node]:
    """Fill `places` and `begins`; the aliases that are met on the way. One pass over the whole
    graph, so it is kept plain."""
    places, begins, aliases = found.places, found.begins, list[Node]()
    here = None
    for i, node in enumerate(found.computed):
        at = node.at
        if at is not here:
            here = at
            places.append(at)
            begins.append(i)
        if node.op.alias:
            aliases.append(node)
    return aliases


def see(found: Survey) -> None:
    """Fill `seen`: the nodes of the steps in view, and those without a step."""
    nodes, view = found.computed, found.view
    if found.whens:
        found.seen = [n for n in nodes if n.at.step is None or found.whens[n] in view]
        return
    for place, begin, end in zip(found.places, found.begins, [*found.begins[1:], len(nodes)]):
        if place.step is None or place.step in view:
            found.seen += nodes[begin:end]


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


def find_uses(found: Survey) -> None:
    """Fill `uses` for what is in view and what it is made from. The other pass over the whole
    graph."""
    shown, slices, uses = found.shown, found.slices, found.uses
    timed = [n for n in found.seen if n.at.step is not None]
    for node in [*timed, *[n for n in found.seen if n.at.step is None][-MOST_AROUND:]]:
        if node not in shown and node not in slices:
            uses.setdefault(node, [])
            for _, x in walk.parents(node):
                uses.setdefault(shown.get(x, x), [])
    for alias, x in shown.items():
        if x in uses:
            uses[alias] = uses[x]  # to use one is to use the other
    for i, node in enumerate(found.computed):
        if node.a in uses:
            uses[node.a].append(i)
        if node.b in uses:
            uses[node.b].append(i)
        for other, _ in node.rest or ():
            if other in uses:
                uses[other].append(i)
    if shown or slices:  # to show is not to use
        for users in {id(users): users for users in uses.values()}.values():
            nodes = found.computed
            users[:] = [i for i in users if nodes[i] not in shown and nodes[i] not in slices]


def find_shared(found: Survey) -> None:
    """Fill `shared` and `leaving`, by who uses what is in view."""
    leaving: dict[Node, Node] = {}
    view = {*found.view, None}
    for x in [x for x in found.uses if x not in found.shown]:
        inside = found.when(x) is not None and not found.given(x)
        if inside and (user := hidden_user(found, x, view)) is not None:
            leaving[x] = user
        if in_two_steps(found, x, inside):
            found.shared.add(x)

    def place(x: Node) -> tuple[int, int]:
        """Where a walk over all uses would come upon the first that is out of view."""
        user = leaving[x]
        return user.order, next(i for i, y in walk.parents(user) if found.source(y) is x)

    found.leaving = {x: leaving[x] for x in sorted(leaving, key=place)}


def hidden_user(found: Survey, x: Node, view: set[int | None]) -> Node | None:
    """The first node of a step out of view that uses a node in view."""
    if found.when(x) not in view:
        return None
    return next((user for user in found.users(x) if found.when(user) not in view), None)


def in_two_steps(found: Survey, x: Node, inside: bool) -> bool:
    """Whether two steps use `x`; of what is computed `inside` of a step, two steps of a later stage
    (a context: what one stage leaves is read all along the next)."""
    stages = found.stages
    if inside and not stages:
        return False
    whens = (found.when(user) for user in found.users(x)
             if not inside or stages[x] < stages[user])
    known = (when for when in whens if when is not None)
    first = next(known, None)
    return any(when != first for when in known)


def find_aliases(found: Survey, aliases: list[Node]) -> None:
    """Fill `shown` and `slices`: gates are slices of a weight, the same at each step; the inputs
    x_t are slices of a sequence, another one at each step."""
    seen: dict[Node, dict[str, int | None]] = {}
    sequences: set[Node] = set()
    for node in aliases:
        if node.a is None or not walk.is_alias(node):
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
