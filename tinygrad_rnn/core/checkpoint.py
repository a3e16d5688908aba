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

from ..errors import GradientError, UnsupportedError
from . import hooks, ops
from .backprop import contributions
from .gradients import pull
from .graph import Node, Op, constant, make, tick
from .place import HERE, here
from .timeline import mark, times_of
from .totals import Totals
from .walk import parents
from .words import describe


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
        pairs = [(x, x.value) for x in self.operands]
        (a, u), (b, v) = [*pairs, (None, None)][:2]
        node = make(type(y), CHECKPOINT, y.value, a, b, u, v, y.at)
        node.rest, node.params, node.name = tuple(pairs[2:]) or None, {"segment": self}, y.name
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
    return [totals[x] if x in totals else None if not x.requires_grad
            else 0.0 if x.is_scalar else np.zeros_like(x.value) for x in segment.operands]


CHECKPOINT = Op("checkpoint", rules=(recomputed,), joint=True,
                doc="f(operands), of which only operands and result are kept.")


def ends(y: Node, begin: int, known: Collection[Node] = ()) -> list[Node]:
    """What the nodes made since `begin` were made from, in the order of its first use: what wants a
    gradient, and what is among `known`."""
    inside, found = [y], set[Node]()
    seen = {y}
    for node in inside:
        for x in (node.a, node.b, *(() if node.rest is None else [x for x, _ in node.rest])):
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


# --- arguments and results ----------------------------------------------------------------------


def own(x: Any) -> Any:
    """Arguments as they are now: arrays are copied, also those in lists, tuples and dicts."""
    if isinstance(x, np.ndarray):
        return x.copy()
    if isinstance(x, dict):
        return {key: own(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        items = [own(item) for item in x]
        return x._make(items) if hasattr(x, "_make") else type(x)(items)
    return x


def nodes_in(items: list[Any]) -> list[Node]:
    """The nodes among arguments, also those in lists, tuples and dicts."""
    for item in items:  # the list grows while we read it
        if isinstance(item, (list, tuple, dict)):
            items.extend(item.values() if isinstance(item, dict) else item)
    return [item for item in items if isinstance(item, Node)]


def pack(returned: Any) -> Any:
    """Several tensors as one, end to end: a node has one value. One node is itself."""
    if not isinstance(returned, (tuple, list)):
        return returned
    for x in returned:
        if not isinstance(x, Node) or x.is_scalar or x.value.dtype != returned[0].value.dtype:
            what = describe(x) if isinstance(x, Node) else f"a {type(x).__name__}"
            raise UnsupportedError("several results must be tensors of one dtype, and among them "
                                   f"is {what}", where="checkpoint",
                                   fix="Return one node, or convert with .astype()")
    flat = [ops.reshape(x, shape=(-1,)) for x in returned]
    return ops.concatenate(*flat, axis=0) if flat else returned


def unpack(packed: Any, returned: Any) -> Any:
    """The tensors in `packed`, with the shapes, names and places of those that `f` returned."""
    results, start = [], 0
    for x in returned:
        part = ops.getitem(packed, index=slice(start, start + x.value.size))
        y = ops.reshape(part, shape=x.value.shape)
        part.at, y.at, y.name = x.at, x.at, x.name
        start += x.value.size
        results.append(y)
    return returned._make(results) if hasattr(returned, "_make") else type(returned)(results)


def same(a: Any, b: Any) -> bool:
    """Equal up to what a product may round differently from one run to the next."""
    a, b = np.asarray(a), np.asarray(b)
    size = np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
    near = size * np.finfo(b.dtype).eps ** 0.5 if b.dtype.kind == "f" else 0.0
    return a.dtype == b.dtype and bool(np.allclose(a, b, rtol=0.0, atol=near, equal_nan=True))
