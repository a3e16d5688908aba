"""Keys: the place of a node in its program, the same at every step and in every run.

The question this file answers: *which node of step 7 is the one that I saw at step 3?*

An `id(node)` says nothing, and a number in the order of creation changes with T. A key is
structural: the scope, the name or the op, and the keys of the operands inside the same step; then a
count, where several are alike. Two nodes of two steps with one `key.rolled` are the same part of
the cell, unrolled twice; two nodes of two graphs with one key are the same node, built twice.

    h = tanh(w * h)     at step 1: t1.*   t1.h      at step 2: t2.*   t2.h

What comes from another step (h_{t-1}, or h_0 before the first) is only "elsewhere": so the first
step, which starts from something given, has the keys of all others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from . import walk
from .graph import Node, leaf, operands_of

ELSEWHERE = -1
Rolled = tuple[str, str, int, int]


class Key(NamedTuple):
    """The place of a node. `step` is where it belongs: for an input that a single step uses, that
    step. `name` is its name without the step, or its op. `structure` is a number that equal places
    share within one call of `keys`; `ordinal` counts what is alike within a step."""

    step: int | None
    scope: str
    name: str
    structure: int
    ordinal: int

    @property
    def rolled(self) -> Rolled:
        """The key without its step: the place in the rolled graph."""
        return self[1:]

    def __str__(self) -> str:
        step = "" if self.step is None else f"t{self.step}."
        where = f"{self.scope}/" if self.scope else ""
        count = f"#{self.ordinal + 1}" if self.ordinal else ""
        return f"{step}{where}{self.name}{count}"


def keys(*roots: Node) -> dict[Node, Key]:
    """The key of every node that `roots` depend on, operands first; one pass, no recursion.

    Keys of several graphs can be compared if the graphs are given together: `structure` is a number
    of this call. Two nodes of one graph never have the same key.
    """
    found: dict[Node, Key] = {}
    structures: dict[Hashable, int] = {}
    graphs = [walk.nodes(root) for root in roots]
    homes = home_steps(graphs)
    for graph in graphs:
        counts: dict[tuple[int | None, int], int] = {}
        for node in graph:
            step = homes.steps.get(node, node.at.step)
            what = structure(node, step, found, homes)
            number = structures.setdefault(what, len(structures))
            ordinal = counts.get((step, number), 0)
            counts[step, number] = ordinal + 1
            if node not in found:  # two graphs may share their weights
                found[node] = Key(step, node.at.scope, base_name(node), number, ordinal)
    return found


class Homes(NamedTuple):
    """Where the given nodes belong: to one step, or (`shared`) to the steps that use them."""

    steps: dict[Node, int | None]
    shared: set[Node]


def home_steps(graphs: list[list[Node]]) -> Homes:
    """One pass over every use: which given nodes serve a single step, and what serves several."""
    first: dict[Node, int | None] = {}
    shared: set[Node] = set()
    for node in (node for graph in graphs for node in graph):
        if node.op.rules:
            for _, x in walk.parents(node):
                timed = x.op.rules and x.at.step is not None
                if timed and x.at.scope == node.at.scope:
                    continue  # a state: its next step is no second user
                if first.setdefault(x, node.at.step) != node.at.step:
                    shared.add(x)
    names = {(x.at.scope, x.name) for x in shared if x.name is not None and x.op is leaf}
    alone = {x for x in first if not x.op.rules and x.at.step is None and x not in shared}
    again = {x for x in alone if x.op is leaf and (x.at.scope, x.name) in names}  # at T = 1
    steps = {x: None if x in again else first[x] for x in alone}
    return Homes(steps, shared | again)


def structure(node: Node, step: int | None, found: dict[Node, Key], homes: Homes) -> Hashable:
    """What is equal for the same place in another step."""
    where = node.at.scope, base_name(node), node.at.phase
    if node.is_leaf or not node.op.rules:
        return ("given", *where)
    if node.name is not None:
        return ("named", *where)
    return (*where, *(place(x, node, step, found, homes) for x in operands(node)))


def operands(node: Node) -> Iterator[Node | None]:
    """The operands, None for a plain number or array."""
    return iter(operands_of(node)[: node.arity])


def place(x: Node | None, node: Node, step: int | None, found: dict[Node, Key],
          homes: Homes) -> Hashable:
    """How an operand counts: by its place, if it is of the same step or serves several steps."""
    if x is None:
        return None
    key = found[x]
    timed = x.at.step is not None and x.op.rules
    here = key.step == step and (x.op.rules or step is None)
    if x in homes.shared and not (timed and x.at.scope == node.at.scope) or here:
        return key.structure, key.ordinal
    return ELSEWHERE


def base_name(node: Node) -> str:
    """The name without the step of the node (`h` for `h_3` at step 3), or the name of its op."""
    if node.name is None:
        return node.op.name
    tail = f"_{node.at.step}"
    return node.name.removesuffix(tail) or node.name if node.at.step is not None else node.name
