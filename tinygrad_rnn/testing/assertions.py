"""Assertions about the graph itself: what depends on what, how often a weight is used, how it
grows.

The question this file answers: *is the graph the one I meant?*

A gradient can be right and the graph wrong all the same: a weight that was copied is not shared, a
state that was detached carries nothing, a state that was not detached carries everything. Each
function raises `AssertionError` with what was expected, what is there, and where.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node, operands_of
from ..core.words import describe
from ..errors import InputError
from .check import check_gradients


def assert_gradients(loss_fn: Callable[[], Any], params: Any, **options: Any) -> None:
    """The gradients of `loss_fn()` are right: `check_gradients` with the same options, as an
    assertion with its report."""
    report = check_gradients(loss_fn, params, **options)
    if not report:
        raise AssertionError(str(report))


def assert_shared(loss: Any, weight: Node, uses: int | None = None,
                  steps: Iterable[int] | None = None) -> None:
    """`loss` uses `weight` so many times, and at each of `steps` (if they are given) at least once.

        assert_shared(loss, rnn.cell.W_hh, uses=T, steps=range(1, T + 1))

    What is counted are the ledger's rows: a transpose, a reshape or a slice of the weight is no
    use, what consumes it is. Without `uses` two or more are expected.
    """
    check("assert_shared", loss, weight)
    found = walk.uses(loss, weight)
    name = describe(weight)
    at = [node.step for node, _ in found]
    where = ", ".join(f"{node.op.name!r}" + ("" if node.step is None else f" at step {node.step}")
                      for node, _ in found[:6]) or "nowhere"
    where += f" and {len(found) - 6} more" if len(found) > 6 else ""
    if uses is None and len(found) < 2:
        raise AssertionError(f"expected {name} to be shared, got {len(found)} use: {where}")
    if uses is not None and len(found) != uses:
        raise AssertionError(f"expected {name} to be used {uses} times, got {len(found)}: {where}"
                             + (copies(loss, weight) if len(found) < uses else ""))
    missing = sorted({*(steps or ())} - {s for s in at if s is not None})
    if missing:
        raise AssertionError(f"expected {name} to be used at step{'s' * (len(missing) > 1)} "
                             f"{', '.join(map(str, missing[:6]))}, got uses: {where}")


def copies(loss: Node, weight: Node) -> str:
    """Leaves of the same name and shape: a weight that was copied is not shared."""
    others = [n for n in walk.nodes(loss) if n is not weight and n.is_leaf
              and n.name is not None and n.name == weight.name
              and np.shape(n.value) == np.shape(weight.value)]
    return (f". There are {len(others)} other leaves called {weight.name!r} of that shape: was it "
            "copied?") if others else ""


def assert_depends(loss: Any, *nodes: Node) -> None:
    """A gradient can go from `loss` to each of `nodes`.

        assert_depends(loss, x[3])      # a part of x: its entries are really used

    A slice of a leaf that is made for the question is looked up in the slices that the graph takes.
    """
    for x in nodes:
        check("assert_depends", loss, x)
        if not reaches(loss, x):
            raise AssertionError(f"expected {describe(loss)} to depend on {called(x)}, but there "
                                 f"is no way from one to the other{near(loss, x)}")


def assert_no_path(loss: Any, *nodes: Node) -> None:
    """No gradient can go from `loss` to any of `nodes`: what comes later, what was detached."""
    for x in nodes:
        check("assert_no_path", loss, x)
        way = reaches(loss, x)
        if way:
            shown = [describe(n) for n in way]
            if len(shown) > 8:
                shown = [*shown[:4], f"… {len(shown) - 7} more …", *shown[-3:]]
            raise AssertionError(f"expected no way from {describe(loss)} to {called(x)}, but there "
                                 f"is one: {' <- '.join(shown)}")


def called(x: Node) -> str:
    """What an error calls a node; a slice says of what."""
    if walk.is_alias(x) and x.a is not None:
        return f"a part of {describe(x.a)}"
    return describe(x)


def reaches(loss: Node, x: Node) -> list[Node]:
    """A way from `loss` back to `x` for a gradient, the loss first; empty if there is none."""
    way = walk.path(x, loss)
    if not way and walk.is_alias(x):
        source, part = region(x)
        for node, _ in walk.uses(loss, source):
            if any(overlaps(source, part, operand) for operand in operands_of(node)):
                way = [x, *walk.path(node, loss)]
                break
    return way[::-1] if all(n.requires_grad for n in way) else []


def region(x: Node) -> tuple[Node, Any]:
    """The node that a chain of slices and transposes shows, and which entries of it."""
    chain = []
    while walk.is_alias(x) and x.a is not None:
        chain.append(x)
        x = x.a
    numbers: Any = np.arange(np.size(x.value)).reshape(np.shape(x.value))
    for alias in reversed(chain):
        numbers = alias.op.compute((numbers,), alias.params or {})
    return x, np.unique(numbers)


def overlaps(source: Node, part: Any, operand: Node | None) -> bool:
    """Whether an operand is the source, or a slice of it that has one of these entries."""
    if operand is source:
        return True
    if operand is None or not walk.is_alias(operand):
        return False
    origin, entries = region(operand)
    return origin is source and bool(np.isin(entries, part).any())


def near(loss: Node, x: Node) -> str:
    """What stands there in its place, in words: a twin without a history, a constant."""
    twins = [n for n in walk.nodes(loss) if n is not x and n.name is not None
             and n.label == x.label]
    if any(n.is_leaf and not n.requires_grad for n in twins):
        return f". There is a constant of that name: was {x.label!r} detached?"
    if not x.requires_grad:
        return ". It wants no gradient (requires_grad=False, detach() or no_grad())"
    return ""


# --- how large it is ------------------------------------------------------------------------------


def assert_graph_size(graph: Any, size: int | None = None, *, T: Sequence[int] = (4, 8, 16),
                      per_step: int | None = None) -> None:
    """A graph has so many nodes; or, for a function of T, it grows by as many at every step.

        assert_graph_size(loss, 43)
        assert_graph_size(lambda T: loss_of(T), per_step=13)    # linear in T, 13 nodes a step

    Counted are all nodes that the result depends on: operations, leaves and constants. The function
    is called with each length in `T` (three at least).
    """
    if isinstance(graph, Node):
        count = len(walk.nodes(graph))
        if size is None:
            raise InputError("expected the size that the graph should have",
                             where="assert_graph_size",
                             fix="assert_graph_size(loss, 43), or a function of T")
        if count != size:
            raise AssertionError(f"expected a graph of {size} nodes, got {count}")
        return
    if not callable(graph):
        raise InputError(f"expected a result or a function of T, got {type(graph).__name__}",
                         where="assert_graph_size")
    lengths = sorted({*T})
    if len(lengths) < 3:
        raise InputError(f"expected three different lengths at least, got {list(T)}",
                         where="assert_graph_size")
    counts = [len(walk.nodes(graph(t))) for t in lengths]
    rates = [(b - a) / (t - s) for a, b, s, t in zip(counts, counts[1:], lengths, lengths[1:])]
    table = ", ".join(f"T={t}: {n}" for t, n in zip(lengths, counts))
    if len({*rates}) > 1:
        raise AssertionError("expected the graph to grow by the same number of nodes at every "
                             f"step, got {table}: {' then '.join(f'{r:g}' for r in rates)} a step")
    if per_step is not None and rates[0] != per_step:
        raise AssertionError(f"expected {per_step} nodes a step, got {rates[0]:g} ({table})")


def assert_no_leak(step: Callable[[], Any], calls: int = 5) -> None:
    """Calling `step` again and again leaves no more nodes behind: no history that grows from window
    to window, no cycle that only the garbage collector could free.

    The first two calls may build what lasts (parameters, the memory of an optimiser); after them
    the number of living nodes must stay as it is, with the collector off. What `step` returns is
    dropped.
    """
    if not callable(step) or calls < 3:
        raise InputError("expected a function without arguments and three calls at least",
                         where="assert_no_leak")
    counts: list[int] = []
    seen: dict[int, weakref.ref[Node]] = {}  # no WeakSet: nodes compare by entries
    fresh: list[Node] = []
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        for _ in range(calls):
            step()
            alive = [x for x in gc.get_objects() if isinstance(x, Node)]
            fresh = [x for x in alive if id(x) not in seen or seen[id(x)]() is not x]
            seen.update((id(x), weakref.ref(x)) for x in fresh)
            counts.append(len(alive))
            del alive
        if counts[-1] > counts[1]:
            raise AssertionError(leak(counts, fresh))
    finally:
        fresh.clear()
        if was_on:
            gc.enable()


def leak(counts: list[int], fresh: list[Node]) -> str:
    """What stays, in words: how many nodes, and which of them nothing alive was made from."""
    grown = ", ".join(map(str, counts))
    held = [x for x in fresh if x.op.rules]
    used = {id(operand) for x in held for operand in operands_of(x) if operand is not None}
    tops = [x for x in held if id(x) not in used]
    named = "; ".join(describe(x) for x in tops[:3])
    what = f" Held from outside: {named}." if named else ""
    new = {id(x) for x in fresh}
    older = any(operand is not None and operand.op.rules and id(operand) not in new
                for x in held for operand in operands_of(x))
    why = (" The new nodes are joined to those of the call before: a state is carried on with its "
           "history. Detach it: state.detach()") if older else \
        " Something keeps the result of every call, or it is part of a cycle"
    return f"expected no more living nodes after each call, got {grown}.{what}{why}"


def check(where: str, *nodes: Any) -> None:
    """Questions about a graph are asked with nodes."""
    for x in nodes:
        if not isinstance(x, Node):
            raise InputError(f"expected a Value or a Tensor, got {type(x).__name__}", where=where)
