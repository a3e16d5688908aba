"""Many steps together: nodes whose values come out of one product, and the way back past them.

The question this file answers: *how can T steps cost one product, and still be T nodes?*

What is the same at every step and does not wait for the step before, a linear head or a loss, can
be computed for all steps at once. Its nodes are made all the same, one by one, each with its row of
the result: the graph is the one that T separate calls leave behind. The node that joins the steps
again (a `stack`, the sum of the losses) keeps a `Bypass`, which knows how a gradient gets past them
in one product as well. It is taken when only the sums are wanted. Who looks on (a flow, a hook, a
graph of the gradient) sees it go through each node.

Gradients add up, so this is right even where a step is used in other ways too: what arrives there
from elsewhere goes its own way.

A value that no rule needs, such as z_t where tanh' = 1 - h², is not kept: it is computed again when
somebody looks (`lean`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .freeing import unsearched
from .graph import Node, Op, Rest, constant, make, new, tick
from .inplace import LENT
from .place import Place, here
from .totals import Totals

STRETCH = 32768  # numbers: an array as large stays near the processor
LEFT_OUT = ("value", "u", "v")
SLOTS = [(vars(Node)[name], letter) for name, letter in zip(LEFT_OUT, "yab")]


class Bypass(Protocol):
    """A way back past the nodes behind one that joins T steps.

    It ends at `steps`, one for each step (or none), from where there may be a way `further`; and at
    `leaves`, what all steps share, which had these `values`.
    """

    @property
    def steps(self) -> Sequence[Any]: ...
    @property
    def further(self) -> Any: ...
    @property
    def leaves(self) -> Sequence[Any]: ...
    @property
    def values(self) -> Sequence[Any]: ...

    def clear(self, joined: Sequence[Any]) -> bool:
        """Whether the nodes that are passed, the joined ones and those behind them, are
        `untouched`."""

    def back(self, g: Any, arriving: Totals) -> None:
        """Add up, at its ends, what comes of the gradient `g` of the joined node."""

    def newest(self, joined: Sequence[Any]) -> Node:
        """Of the nodes that are passed, the one that was made last."""

    def oldest(self, joined: Sequence[Any]) -> Node | None:
        """The one that was made first; None where there is no account of what passes."""

    def account(self, joined: Sequence[Any], g: Any) -> Iterator[Account]:
        """What somebody would see who goes through the nodes: the same numbers, to the bit, many
        steps in one array: all of them, or the `stretches` of a way one after the other. That takes
        the very products of the steps, and costs a little more. What arrived may be written over,
        if it may be written to; and what no node keeps, as soon as the next stretch is asked for.
        """


class Use(NamedTuple):
    """What each step gives to a leaf: the sum over the samples of d xᵀ, or without x, of d."""

    leaf: Node
    d: Any
    x: Any = None


class Passed(NamedTuple):
    """The nodes of one kind, one for each step, and what passes them, last step first.

    `g` (T, ...) arrives there. `leaving` has for each operand what leaves through it: an array
    (T, ...), a `Use`, or None where no gradient goes. What is one row shorter is not sent
    by the last node, whose operand needs no gradient.
    """

    nodes: Sequence[Any]
    g: Any
    leaving: tuple[Any, ...]


class Account(NamedTuple):
    """What passes the nodes of a way, the kinds of one step in the order in which they are gone
    through; what arrives at `steps`, in their order, and at a node where the way begins, which is
    whole with the last stretch."""

    kinds: list[Passed]
    steps: Any = None
    first: tuple[tuple[Node, Any], ...] = ()

    def leaving(self) -> list[Any]:
        """What leaves the nodes of one step, as they are gone through."""
        return [x for kind in self.kinds for x in kind.leaving if x is not None]


def way_past(joined: Node) -> Bypass | None:
    """The bypass of a joined node, if it has one."""
    return None if joined.rest is None else joined.rest.past


def ends(joined: Node, past: set[Any]) -> list[Any]:
    """Where the way past this node ends, and all that may be taken from there, which are added to
    `past`. Empty if there is none, or if the nodes themselves have to be gone through: one has a
    hook, is released, or was made of data that has changed since."""
    way, steps, found = way_past(joined), None, list[Any]()
    while way is not None and passable(way, steps_of(joined) if steps is None else steps):
        past.add(way)
        found += way.leaves
        steps, way = way.steps, way.further
    return found if steps is None else [*found, *steps]


def passable(way: Bypass, joined: Sequence[Any]) -> bool:
    """Whether nothing stands on this way."""
    changed = [x for x, value in zip(way.leaves, way.values) if x.value is not value]
    return not changed and way.clear(joined)


def untouched(nodes: Collection[Node]) -> bool:
    """Whether none of these has a hook or is released. A lean node is not: either makes an
    ordinary one of it (`Node.fill`), so here is only its kind to look at, of T nodes at once."""
    kinds: set[type[Node]] = {*map(type, nodes)}
    if len(kinds) == 1 and (kind := kinds.pop()) is kind.lean_kind:
        return True
    return not [x for x in nodes if x.hooks is not None or not x.op.rules]


def send(steps: Sequence[Any], further: Bypass | None, g: Any, arriving: Totals) -> None:
    """To each step its row of g (T, ...); or past all of them."""
    if further is not None and further in arriving.past:
        further.back(g, arriving)
        return
    for x, row in zip(steps, g):
        if x.op is not constant:
            arriving.add(x, row)


def stretches(a: Any) -> list[slice]:
    """The steps of a (T, ...) in stretches as long as each other, of `STRETCH` numbers at most."""
    T = len(a)
    some = -(-T // max(1, -(-a.size // STRETCH)))
    return [slice(t, min(t + some, T)) for t in range(0, T, some)]


def each_times(g: Any, W: Any) -> Any:
    """g_t W for every t of g (T, ...), each as a product of its own: its bits may be other ones
    than those of its rows in a product of all."""
    return np.matmul(g, W) if g.ndim > 2 else np.matmul(g[:, None], W)[:, 0]


# --- nodes of many steps ------------------------------------------------------------------------


def lean(op: Op, a: Any, b: Any, place: Place) -> Any:
    """A node that is told no values. What it is not given afterwards, its own `value` and those
    of its computed operands, `u` and `v`, is found when it is asked for."""
    node = new(a.lean_kind)
    node.op = op
    node.a = a
    node.b = b
    node.at = place
    node.order = tick()
    node.rest = node.params = node.grad = node.calls = node.name = node.hooks = None
    return node


def look_up(node: Any, name: str) -> Any:
    """What was left out of a lean node. It is not kept: a walk would fill the whole graph."""
    if name == "value":
        return node.op.array(*node.values, **node.params or {})
    return (node.a if name == "u" else node.b).value


def kept(node: Any, g: Any) -> list[Any]:
    """The value and the operands' values of a lean node, as far as its rules look at them. Where
    one that they do not look at was left out stands the gradient `g`, which has its shape."""
    looks, found = node.op.looks, []
    for slot, letter in SLOTS:
        try:
            found.append(slot.__get__(node))
        except AttributeError:
            found.append(getattr(node, slot.__name__) if letter in looks else g)
    return found


def step_place(start: Place, step: int, like: Place) -> Place:
    """The place of a step: the same as another node's, `like`, if that is at the same."""
    if like.step == step and like.fast and like.scope == start.scope and like.span is start.span \
            and like.phase == start.phase and like.fused is start.fused \
            and like.taking is start.taking:
        return like
    return start.step_at(step)


def steps_of(joined: Node) -> list[Any]:
    """The nodes that were joined."""
    if joined.rest is not None:
        return [joined.a, joined.b, *joined.rest.nodes]
    return [x for x in (joined.a, joined.b) if x is not None]


@unsearched
def join_nodes(op: Op, steps: Sequence[Any], value: Any, params: dict[str, Any] | None = None,
               past: Bypass | None = None) -> Any:
    """The node of an op that joins nodes, its value being known, and the way past them."""
    values = [x.value for x in steps]
    node = make(steps[0].array_kind, op, value, steps[0], None, values[0], None, here())
    if len(steps) > 1:
        node.b, node.v = steps[1], values[1]
    if len(steps) > 2:
        node.rest = Rest(steps[2:], values[2:], past)  # not worth the while for one or two
    node.params = params
    return node


def plain_tensors(nodes: Iterable[Any]) -> bool:
    """Whether these are tensors about which there is nothing that the general way has to see to."""
    try:
        return here().fast and all(type(x) in (x.array_kind, x.lean_kind) and x.params is not LENT
                                   for x in nodes)
    except AttributeError:  # a plain array among them
        return False
