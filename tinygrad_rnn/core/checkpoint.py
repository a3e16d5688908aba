"""Checkpoints: a part of the graph that is not kept but computed again when its gradient is wanted.

The question this file answers: *how do I backpropagate through more than fits in memory?*

`checkpoint(f)(x, h)` runs `f` and keeps its arguments and its result. Backward runs `f` again, at
the same time step and in the same scope, and goes back through that second graph at once. It is an
ordinary node with a `joint` rule, so it may stand in any graph, be nested, and be differentiated
again (the second graph is then part of the gradient's).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from contextvars import copy_context
from functools import wraps
from typing import Any

import numpy as np

from ..errors import GradientError
from . import hooks, ops
from .backprop import contributions
from .gradients import pull
from .graph import Node, Op, constant, make, operands_of, rest_of, tick
from .packing import nodes_in, own, pack, replaced, unpack
from .parts import Part
from .place import HERE, here
from .rules import local
from .timeline import mark, times_of
from .totals import Totals
from .walk import parents


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, but what it computes on the way is not kept: backward computes it again.

        h = x0
        for chunk in chunks:                      # memory for one chunk, not for all of them
            h = checkpoint(run_chunk)(chunk, h)

    The result is the same to the bit, and so is every gradient inside `f`; the uses of a weight in
    several chunks, or in a plain `backward()`, are summed in another order (1e-12). Gradients also
    reach what `f` uses without getting it as an argument. `f` returns a node, or a tuple or list of
    tensors of one dtype, and must do the same every time: draw random masks outside and pass them
    in. `GradientError` says when the second run does not repeat the first.
    """

    @wraps(f, updated=())
    def run(*args: Any, **options: Any) -> Any:
        if not here().recording:
            return f(*args, **options)
        segment = Segment(f, own(args), own(options))
        return segment.node()

    return run


class Segment:
    """One call of a checkpointed `f`: what is needed to make it again."""

    def __init__(self, f: Callable[..., Any], args: Any, options: Any) -> None:
        self.f, self.args, self.options = f, args, options
        self.context = copy_context()  # the time step, the scope, the switches
        self.operands: list[Node] = []

    def node(self) -> Any:
        """Run `f`, and put one node, or one for each result, in the place of all that it made."""
        begin = tick()
        returned = self.f(*self.args, **self.options)
        y = pack(returned)
        if not isinstance(y, Node) or not y.op.rules or y.order < begin:
            return returned  # nothing was computed that a gradient could go through
        known = set(nodes_in([self.args, self.options]))
        self.operands = ends(y, begin, known)
        values = [x.value for x in self.operands]
        (a, b), (u, v) = [*self.operands, None][:2], [*values, None][:2]
        node = make(type(y), CHECKPOINT, y.value, a, b, u, v, y.at)
        node.rest = rest_of(self.operands, values)
        node.params, node.name = {"segment": self}, y.name
        mark(node, times_of(y))
        for watch in here().watchers:
            watch.node(node, CHECKPOINT, node.operands)
        return node if y is returned else unpack(node, returned)

    def again(self, place: dict[str, Any]) -> tuple[Node, int]:
        """The result of a second run, with its graph, and the moment at which it began."""

        def replay() -> tuple[Node, int]:
            HERE.set(here().but(**place))
            return pack(self.f(*self.args, **self.options)), begin

        begin = tick()
        return self.context.copy().run(replay)

    def opened(self, other: Callable[[Any], Any]) -> Any:
        """What `f` returns, with its graph, for what `other` gives in the place of each node among
        its arguments."""

        def replay() -> Any:
            HERE.set(here().but(watchers=watchers))
            return self.f(*replaced(self.args, other), **replaced(self.options, other))

        watchers = here().watchers
        return self.context.copy().run(replay)

    def check(self, y: Any, first: Any, begin: int) -> None:
        """Refuse a second run that gave something else, or came from something else."""
        what = ""
        if not isinstance(y, Node) or np.shape(y.value) != np.shape(first):
            what = f"shape {np.shape(first)} the first time, and then " + (
                f"{np.shape(y.value)}" if isinstance(y, Node) else type(y).__name__)
        elif not same(y.value, first):
            what = "other numbers the second time"
        elif set(ends(y, begin)) != {x for x in self.operands if x.requires_grad}:
            what = "the same numbers the second time, but from other nodes"
        if what:
            raise GradientError(
                f"'{getattr(self.f, '__name__', self.f)}' does not repeat: it gave {what}",
                where="checkpoint", fix="Draw random numbers, and make leaves, outside and pass "
                                        "them in; change nothing that it uses before backward")


def recomputed(g: Any, y: Any, *operands: Any, segment: Segment) -> list[Any]:
    """The rule: run `f` again and send `g` back through what it made, as far as the operands."""
    graph = isinstance(y, Node)
    place = {"watchers": here().watchers, **({"phase": "backward"} if graph else {})}
    result, begin = segment.again(place)
    segment.check(result, y.value if graph else y, begin)
    if graph:
        wanted = [x for x in segment.operands if x.requires_grad]
        totals = pull(result, wanted, g, graph=True, until=set(segment.operands))
    else:
        totals = Totals([(result, g)], late=True)
        walk = contributions(totals, tell=bool(here().watchers), until=set(segment.operands))
        deque(hooks.watched(walk), maxlen=0)  # let them all pass
    return [totals.get(x) for x in segment.operands]


def told_apart(g: Any, y: Any, *operands: Any, segment: Segment) -> list[list[Part] | None]:
    """What each use of a leaf inside gave, at its step: see `Op.parts`. None for what is no
    leaf."""
    result, begin = segment.again({"watchers": ()})
    segment.check(result, y, begin)
    inside = set(segment.operands)
    found: dict[Node, list[Part] | None] = {
        x: [] if x.is_leaf and not x.is_scalar else None for x in segment.operands}
    if result.op.alias:  # of nothing that anybody uses
        found[source(result, inside)] = None
    told: tuple[Any, Any] = None, None
    for node, position, x, arrived, c in contributions(Totals([(result, g)]), until=inside):
        op, whole = node.op, source(x, inside)
        uses = found.get(whole)
        if uses is None or op.alias:  # a slice or a transpose: its own uses are told
            continue
        index = (x.params or {})["index"] if x.op is ops.getitem and x.a is whole else None
        if op.parts is not None:
            if told[0] is not node:
                told = node, op.parts(arrived, node.value, *node.values, **node.params or {})
            parts = told[1][position] if x is whole else None
            found[whole] = None if parts is None else uses + parts
        elif x is not whole and index is None:
            uses.append(Part(node.step, through(x, whole, c), op=op.name))
        elif op.late is not None and position == 1:
            uses.append(Part(node.step, arrived, node.u, index, op.name))
        else:
            uses.append(Part(node.step, c, None, index, op.name))
    return [found[x] for x in segment.operands]


def source(x: Node, inside: Collection[Node]) -> Node:
    """What `x` is a slice, a transpose or a reshape of, in one or several turns; else itself."""
    whole = x
    while whole not in inside and whole.op.alias and whole.a is not None:
        whole = whole.a
    return whole


def through(x: Node, whole: Node, c: Any) -> Any:
    """What a use of `x` gave, as what it gave to that of which `x` is a part."""
    while x is not whole and x.a is not None:
        x, c = x.a, local(x, 0, c)
    return c


CHECKPOINT = Op("checkpoint", rules=(recomputed,), joint=True, parts=told_apart,
                doc="f(operands), of which only operands and result are kept.")


def ends(y: Node, begin: int, known: Collection[Node] = ()) -> list[Node]:
    """What the nodes made since `begin` were made from, in the order of its first use: what wants a
    gradient, and what is among `known`."""
    inside, found = [y], set[Node]()
    seen = {y}
    for node in inside:
        for x in operands_of(node):
            if x is not None and x not in seen:
                seen.add(x)
                if x.op.rules and x.order > begin:
                    inside.append(x)
                elif x.op is not constant or x in known:
                    found.add(x)
    inside.sort(key=lambda node: node.order)
    listed = dict[Node, None]()
    for node in inside:
        if len(listed) == len(found):
            break
        listed.update((x, None) for _, x in parents(node) if x in found)
    return list(listed)


def same(a: Any, b: Any) -> bool:
    """Equal up to what a product may round differently from one run to the next."""
    a, b = np.asarray(a), np.asarray(b)
    size = np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
    near = size * np.finfo(b.dtype).eps ** 0.5 if b.dtype.kind == "f" else 0.0
    return a.dtype == b.dtype and bool(np.allclose(a, b, rtol=0.0, atol=near, equal_nan=True))
