"""Sequences: one step at a time, from whatever a user has, and the steps of a result joined again.

The question this file answers: *what is a sequence here?*

A sequence is an array or Tensor (T, B, I) or (T, I), or a list of T steps. What a layer returns for
one is a Tensor (T, B, H), the op `stack` over the T nodes h_t, that knows its steps: a `Sequence`
(see `core.timeline`). Whoever gets it (`Linear`, `cross_entropy`, another layer) steps back through
the stacking to these nodes, so that the graph has an arrow from each h_t and the backward pass
never slices a long array T times. What was made of it since (`y * 2.0`, `y.detach()`, `y[1:]`) is
still a sequence, and is taken apart at the steps it has.

A fused layer returns all steps in one node, without T nodes behind it (`span_of`); whoever gets
that goes on with the whole, or takes the steps out of it one by one (`Whole`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, constant, given
from ..core.inplace import LENT, plain
from ..core.place import here, switch
from ..core.timeline import column, mark, rows
from ..core.together import join_nodes, plain_tensors, way_past
from ..core.values import Tensor
from ..errors import DTypeError, InputError, ShapeError


def stacked_steps(x: Any) -> list[Node] | None:
    """The nodes that were joined to make `x`, if it is a layer's sequence as it is; else None."""
    joined = rows(x) is not None and x.op is ops.stack and (x.params or {}).get("axis") == 0
    return list(x.operands) if joined else None


def timed_steps(x: Any) -> list[tuple[int, Node]] | None:
    """(step, its node) for each step of a sequence, also of one that was made of a layer's; else
    None."""
    steps = rows(x)
    if steps is None:
        return None
    return list(zip(steps, stacked_steps(x) or Whole(x, x.name, steps)))


def span_of(x: Any) -> range | None:
    """The steps that a node covers, one behind the other on its first axis; None if it does not."""
    place = x.at if isinstance(x, Node) else None
    if place is None or place.span is None or place.phase != "forward":
        return None
    return place.span if shape_of(x)[:1] == (len(place.span),) else None


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


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a node, an array, or what could be one."""
    if isinstance(x, type):  # its .shape is not a shape
        raise DTypeError(f"expected numbers, got the class {x.__name__}")
    value = x.value if isinstance(x, Node) else x
    shape: tuple[int, ...] = value.shape if type(value) is np.ndarray else np.shape(value)
    return shape


def given_step(x: Any, name: str, dtype: Any) -> Any:
    """One step as a node: nodes as they are, numbers as a constant of that name at the current
    step."""
    if isinstance(x, Node):
        return x
    return Tensor(plain(x), name=name, dtype=dtype)


class Steps:
    """The steps of a sequence `xs`; `steps[t]` makes (or finds) the node of step t where it is
    asked for.

    `shape` is that of the first step: (B, I) or (I,). Plain numbers become constants `name` of
    `dtype`.
    """

    def __init__(self, xs: Any, *, name: str = "x", dtype: Any = None) -> None:
        self.name, self.dtype = name, dtype
        self.parts: Any = xs
        self.past: Any = None
        if type(xs) is not Tensor and type(xs) is not np.ndarray:  # not just all steps in one
            no_pair(xs)
            xs = xs.node if isinstance(xs, Whole) and span_of(xs.node) else xs
            self.parts = xs.parts if isinstance(xs, Steps) else stacked_steps(xs)
            self.past = None if self.parts is None else way_past(xs)
            if self.parts is None:
                self.parts = xs if isinstance(xs, (Node, np.ndarray)) else list(as_list(xs, name))
        if not isinstance(self.parts, list) and not self.parts_shape():
            raise ShapeError("expected a sequence (T, ...), got a single number")

    def parts_shape(self) -> tuple[int, ...]:
        """The shape of the array that holds all steps."""
        return shape_of(self.parts)

    def __len__(self) -> int:
        return len(self.parts) if isinstance(self.parts, list) else self.parts_shape()[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[t] for t in range(len(self)))

    def shape(self, t: int = 0) -> tuple[int, ...] | None:
        """The shape of step t; None if there is no step to tell it."""
        if not isinstance(self.parts, list):
            return self.parts_shape()[1:]
        return shape_of(self.parts[t]) if self.parts else None

    def __getitem__(self, t: int) -> Any:
        whole, place = self.parts, here()
        if type(whole) is Tensor and whole.op is constant and whole.params is not LENT \
                and place.fast:  # what is said below, without its detours
            step = given(Tensor, whole.value[t], place, constant)
            step.name = self.name
            return step
        return self.chosen(t, lambda part: part)

    def chosen(self, t: int, choose: Callable[[Any], Any]) -> Any:
        """The node of step t, of what `choose` makes of the step."""
        part = choose(self.parts[t])
        if isinstance(part, Node) and not isinstance(self.parts, list):
            return part.named(self.name)  # the slice of a tensor: a new node, ours to name
        return given_step(part, self.name, self.dtype)

    def flattened(self) -> Steps:
        """Each step (B, ...) as (B, I): a frame, say, as the row of its pixels."""
        if isinstance(self.parts, list):
            parts: Any = [flat(part, 1) for part in self.parts]
        else:
            parts = flat(self.parts, 2)
        return Steps(parts, name=self.name, dtype=self.dtype)


def flat(x: Any, axes: int) -> Any:
    """x with all axes after the first `axes` in one."""
    shape = shape_of(x)
    if len(shape) <= axes + 1:
        return x
    shape = (*shape[:axes], math.prod(shape[axes:]))
    return ops.reshape(x, shape=shape) if isinstance(x, Node) else np.reshape(x, shape)


def per_step(function: Callable[[Any], Any], x: Any, empty: Callable[[], Any]) -> Any:
    """`function` of each step of a layer's sequence or a list, at that step: the results joined.
    Of anything else, `function` of the whole."""
    no_pair(x)
    steps: Any = timed_steps(x) if isinstance(x, Node) and len(shape_of(x)) > 1 else None
    if not steps:  # none, or no sequence
        if not isinstance(x, (list, tuple)) or len(x) > 0 and shape_of(x[0]) == ():
            return function(x)  # a list of numbers is a single input as well
        steps = [(step.step, step) for step in Steps(x)]
    results = []
    for t, step in steps:
        with switch(step=t):  # y_t belongs to the step of h_t
            results.append(function(step))
    return join(results, empty())


def no_pair(x: Any, giver: str = "a layer") -> None:
    """Refuse what a layer with `return_state=True` gives: its two parts are not two steps."""
    if isinstance(x, tuple) and any(isinstance(part, (Node, tuple, list)) for part in x):
        raise InputError(f"expected an input or a sequence, got a tuple of {len(x)}: {giver} "
                         "returns (output, state), or a pair",
                         fix="Set return_state=False, or pass its first part; a sequence of steps "
                             "is a list")


def as_list(xs: Any, name: str) -> Any:
    """A list of steps, or an error that says what a sequence is."""
    if isinstance(xs, (str, bytes, dict, set)) or not hasattr(xs, "__iter__"):
        raise InputError(f"expected a sequence: an array (T, B, I) or (T, I), or a list of steps, "
                         f"got {name} of type {type(xs).__name__}")
    return xs


def first_step() -> int:
    """Where a layer starts to count: at 1, or at the step of the user's `timestep(t)`."""
    now = here().step
    return 1 if now is None else now
