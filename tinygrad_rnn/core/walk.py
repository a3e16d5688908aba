"""Walking the graph: its nodes and edges in order, the uses of a node, a path, and letting go of it
all.

The question this file answers: *what is in this graph, and what depends on what?*

Everything here is a loop over a growing list: no recursion, however long the sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from ..errors import InputError
from .graph import Node, constant, leaf, operands_of, released
from .ops import getitem, is_basic

Edge = tuple[Node, int, Node]  # operand, position, node


def parents(node: Node) -> Iterator[tuple[int, Node]]:
    """The operands of a node that are nodes (constants too), with their positions."""
    for position, operand in enumerate(operands_of(node)):
        if operand is not None:
            yield position, operand


def nodes(*roots: Node) -> list[Node]:
    """Every node that `roots` depend on, constants too, oldest first: each stands after its
    operands.

    Computed nodes come in the order of their creation, and a given one just before its first use,
    so the same program gives the same list.
    """
    found = reached(*roots)
    given = set[Node | None](n for n in found if n.op is leaf or n.op is constant)
    ordered = list[Node]()
    note = ordered.append
    for node in sorted([n for n in found if n not in given], key=attrgetter("order")):
        for x in (node.a, node.b) if node.rest is None else operands_of(node):
            if x in given:
                given.remove(x)
                note(x)  # type: ignore[arg-type]
        note(node)
    return ordered + [root for root in dict.fromkeys(roots) if root in given]


def computed(*roots: Node) -> list[Node]:
    """The computed ones among them alone, oldest first: half the work in a long graph."""
    return sorted([n for n in reached(*roots) if n.op.rules], key=attrgetter("order"))


def reached(*roots: Node) -> list[Node]:
    """Every node that `roots` depend on, in the order in which they are come upon."""
    check(*roots)
    found = list(dict.fromkeys(roots))
    seen = set[Node | None]((None, *found))
    see, note = seen.add, found.append
    for node in found:  # every use in the graph: kept plain
        x = node.a
        if x not in seen:
            see(x)
            note(x)  # type: ignore[arg-type]  # None was seen before
        x = node.b
        if x not in seen:
            see(x)
            note(x)  # type: ignore[arg-type]
        for x in () if node.rest is None else node.rest.nodes:
            if x not in seen:
                see(x)
                note(x)  # type: ignore[arg-type]
    return found


def check(*roots: Node) -> None:
    """A graph is walked from nodes."""
    for root in roots:
        if not isinstance(root, Node):
            raise InputError(f"a graph starts from a Value or a Tensor, got {type(root).__name__}")


def edges(*roots: Node) -> list[Edge]:
    """Every use of every node: `(operand, position, node)`, in the order of the nodes that use."""
    return [(x, position, node) for node in nodes(*roots) for position, x in parents(node)]


def is_alias(node: Node) -> bool:
    """Whether a node only shows another one: a transpose, a reshape, a basic slice."""
    return node.op.alias and (node.op is not getitem or is_basic((node.params or {}).get("index")))


def view(alias: Node, x: Any) -> Any:
    """The entries of the array `x` that an alias shows, as a view (where a reshape can be one):
    what is written there is written to `x`."""
    if alias.op is not getitem:
        return alias.op.array(x, **alias.params or {})  # type: ignore[misc]
    index = (alias.params or {})["index"]
    parts = index if isinstance(index, tuple) else (index,)
    return x[parts if Ellipsis in parts else (*parts, ...)]  # with it, of one entry too


def uses(root: Node, x: Node) -> list[tuple[Node, int]]:
    """Where `root` uses `x`: the nodes that consume it, with the operand's position, oldest first.

    A transpose, reshape or basic slice of `x` is not a use: what consumes the alias is, at its
    step.
    """
    check(root, x)
    names = {x}
    found = []
    for operand, position, node in edges(root):
        if operand in names:
            if is_alias(node):
                names.add(node)
            else:
                found.append((node, position))
    return found


def path(start: Node, end: Node) -> list[Node]:
    """The nodes of a shortest path from `start` to `end`, both included; empty if there is none."""
    check(start, end)
    came_from: dict[Node, Node | None] = {end: None}
    for node in (queue := [end]):
        if node is start:
            way = [node]
            while (after := came_from[way[-1]]) is not None:
                way.append(after)
            return way
        for _, operand in parents(node):
            if operand not in came_from:
                came_from[operand] = node
                queue.append(operand)
    return []


def release(*roots: Node, after: int = 0) -> None:
    """Free the history of `roots` now: values and names stay, operands go, and a later backward is
    refused. With `after`, only that of nodes with a higher `order`: what was made before may still
    have other users.

    A graph is also freed by itself when nothing refers to its result any more (`del loss`).
    """
    for node in nodes(*roots):
        if node.op.rules and node.order > after:
            node.fill()
            node.op = released
            node.a = node.b = node.u = node.v = node.rest = node.params = None
