"""The steps of a result: joined to a sequence, and found in it again.

The question this file answers: *how does one tensor stay T nodes?*

What a layer returns is the op `stack` over the T nodes h_t, or, of a fused layer, one node that
covers all steps (`span_of`). `timed_steps` finds these nodes again, or takes them out one by one
(`Whole`); `join` makes a sequence of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, constant
from ..core.place import here, switch
from ..core.taken import take
from ..core.timeline import column, mark, rows
from ..core.together import join_nodes, plain_tensors
from ..core.values import Tensor
from ..errors import DTypeError
from .states import parts_of


def first_step() -> int:
    """Where a layer starts to count: at 1, or at the step of the user's `timestep(t)`."""
    now = here().step
    return 1 if now is None else now


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a node, an array, or what could be one."""
    if isinstance(x, type):  # its .shape is not a shape
        raise DTypeError(f"expected numbers, got the class {x.__name__}")
    value = x.value if isinstance(x, Node) else x
    shape: tuple[int, ...] = value.shape if type(value) is np.ndarray else np.shape(value)
    return shape


def stacked_steps(x: Any) -> list[Node] | None:
    """The nodes that were joined to make `x`, if it is a layer's sequence as it is; else None."""
    joined = rows(x) is not None and x.op is ops.stack and (x.params or {}).get("axis") == 0
    return list(x.operands) if joined else None


def taken_steps(x: Any) -> list[Node] | None:
    """The same for whoever goes on with the steps instead of `x`, which is noted from here on (see
    `core.taken`). None too where somebody waits for the gradient of `x` itself, which has to pass
    there; and where a step is there twice: a use of it would not tell which is meant."""
    if isinstance(x, Node) and x.hooks:
        return None
    steps = stacked_steps(x)
    if steps is None or len({*map(id, steps)}) < len(steps):
        return None
    take(x)
    return steps


def untaken(x: Any, *others: Any) -> Any:
    """x, to be taken apart by somebody who gets `others` as well. If a step of x is among them, the
    last state as the first of the next layer, say, then the steps are taken out of x one by one:
    what uses h_T does not tell in which part."""
    given = [part for other in others if other is not None for part in parts_of(other)]
    if not given or isinstance(x, (list, tuple)):
        return x
    steps, known = rows(x), {*map(id, stacked_steps(x) or ())}
    if steps is None or known.isdisjoint(map(id, given)):
        return x
    return list(Whole(x, x.name, steps))


def timed_steps(x: Any) -> list[tuple[int, Node]] | None:
    """(step, its node) for each step of a sequence, also of one that was made of a layer's; else
    None."""
    steps = rows(x)
    if steps is None:
        return None
    return list(zip(steps, taken_steps(x) or Whole(x, x.name, steps)))


def span_of(x: Any) -> range | None:
    """The steps that a node covers, one behind the other on its first axis; None if it does not."""
    span = x.at.span if isinstance(x, Node) else None
    if span is None or x.is_scalar or x.at.phase != "forward":
        return None
    shape = x.value.shape
    return span if shape and shape[0] == len(span) else None


class Whole(Sequence[Any]):
    """The steps of a node that holds them all: a node each, made when it is asked for.

    `node` is (T, B, H) and covers its steps (`span_of`, or `span`); `name` is what a single one is
    called.
    """

    def __init__(self, node: Any, name: str | None,
                 span: Sequence[int] | None = None) -> None:
        self.node, self.name = node, name
        self.span: Sequence[int] = span or span_of(node) or range(0)
        self.known: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.span)

    def __getitem__(self, t: Any) -> Any:
        if isinstance(t, slice):
            return [self[k] for k in range(*t.indices(len(self)))]
        t = range(len(self))[t]
        if t not in self.known:
            with switch(step=self.span[t], span=None):
                step = ops.getitem(self.node, index=t)
                self.known[t] = step if self.name is None else step.named(self.name)
        return self.known[t]


class Together(Sequence[Any]):
    """Several sequences side by side: step t is `kind` of their steps t (a state of two parts, the
    states of two layers)."""

    def __init__(self, rows: Sequence[Sequence[Any]], kind: Callable[[Any], Any]) -> None:
        self.rows, self.kind = rows, kind

    def __len__(self) -> int:
        return min(map(len, self.rows))

    def __getitem__(self, t: Any) -> Any:
        if isinstance(t, slice):
            return [self[k] for k in range(*t.indices(len(self)))]
        return self.kind([row[t] for row in self.rows])

    def joined(self, join: Callable[[Any], Any]) -> Any:
        """`kind` of the sequences, each joined."""
        return self.kind([row.joined(join) if isinstance(row, Together) else join(row)
                          for row in self.rows])


def join(steps: Sequence[Any], empty: Any = None, past: Any = None) -> Any:
    """Stack T steps into a sequence (T, ...). `empty` is the array that stands for no steps at all,
    `past` a way back past all of them, which has their `value`.

    Its steps are those of the nodes; where these do not say, or not each its own, they are counted.
    """
    if isinstance(steps, Whole):
        return mark(steps.node, column(steps.span, steps.node.ndim))
    if past is not None:
        joined = join_nodes(ops.stack, steps, past.value, {"axis": 0}, past)
        return mark(joined, column(range(steps[0].step, steps[-1].step + 1), joined.ndim))
    if steps and plain_tensors(steps) and not all(step.op is constant for step in steps):
        joined = join_nodes(ops.stack, steps, stacked([step.value for step in steps]), {"axis": 0})
    else:
        joined = ops.stack(*steps, axis=0) if steps else Tensor(empty)
    own = [getattr(step, "step", None) for step in steps]
    found = [step for step in own if step is not None]
    if len(set(found)) < len(own):
        found = list(range(first_step(), first_step() + len(steps)))
    return mark(joined, column(found, joined.ndim))


def stacked(values: list[Any]) -> Any:
    """np.stack along the first axis, which makes a view of each before it starts."""
    shape = values[0].shape
    if not shape or any(value.shape != shape for value in values):
        return np.stack(values)
    return np.concatenate(values).reshape(len(values), *shape)
