"""The axis of time: a tensor that knows the step of each of its entries, and which operations keep
them.

The question this file answers: *is (6, 5) a sequence of six steps, or a batch of six samples?*

The shape does not tell, and the loss depends on it: the sum over time, the mean over a batch. So
what a layer returns for a sequence is a `Sequence`, and so is what is made of one, also without a
gradient (`detach`, `no_grad`), for as long as it can be said which entry belongs to which step.

`times` holds the steps as an array that broadcasts to the value. That of (T, B, H) is (T, 1, 1):
time is the first axis. After `swapaxes(0, 1)` it is (1, T, 1). What sums over time has none left.

What a user stacks is a sequence if its nodes were made at one step after the other: h_3, h_4, h_5.
The last states of three samples that are 3, 4 and 5 steps long look the same, and nothing tells
them apart. Take them as a batch with `lengths`, or say `reduction="mean"`, which means the same for
both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import ops
from .graph import Node, Op
from .place import here, switch
from .values import Tensor

MOVES = (ops.getitem, ops.reshape, ops.concatenate, ops.stack)  # entries go elsewhere, as they are
Axes = list[int | None]  # for each axis of an operand: where it is in the result; None: summed over


class Sequence(Tensor):
    """A Tensor with an axis of time."""

    __slots__ = ()
    timed = True

    def follow(self, node: Node, op: Op, operands: tuple[Any, ...], params: dict[str, Any]) -> None:
        """Tell `node`, a result of operands with this one among them, the steps of its entries."""
        if isinstance(node, Tensor) and node.ndim:
            mark(node, moved(op, operands, params) if op in MOVES
                 else through(op, operands, params, node.value))

    def __getitem__(self, index: Any) -> Any:
        first = isinstance(index, (int, np.integer)) and self.times.size == len(self.times)
        if not first or here().step is not None or not -len(self) <= index < len(self):
            return super().__getitem__(index)
        with switch(step=int(self.times.flat[index])):  # y[2] is y_3: made at that step
            return super().__getitem__(index)

    def detach(self) -> Any:
        return mark(super().detach(), times_of(self))


def mark(node: Any, times: Any) -> Any:
    """The same node, as a sequence with these times; as it was if there are none."""
    if times is not None:
        node.__class__ = Sequence  # no new node: whoever watches has seen this one
        node.times = times
    return node


def times_of(x: Any) -> Any:
    """The steps of the entries, as an array that broadcasts to x; None without an axis of time."""
    return x.times if type(x) is Sequence else getattr(x, "times", None)


def rows(x: Any) -> list[int] | None:
    """The step of each entry of the first axis, if that is the axis of time, and no other is."""
    times = times_of(x)
    if times is None or times.size != len(times) or len(times) != len(x.value):
        return None
    found: list[int] = times.ravel().tolist()
    return found if len(set(found)) == len(found) else None


def mixed(x: Any) -> bool:
    """Whether x has several steps, but not one after the other along its first axis."""
    times = times_of(x)
    return times is not None and times.size > 1 and rows(x) is None


def in_order(x: Any, steps: Iterable[int | None]) -> Any:
    """x, stacked from nodes of these steps, as a sequence if each is the one after the other."""
    given = list(steps)
    found = [step for step in given if step is not None]
    if not found or given != list(range(found[0], found[0] + len(given))):
        return x
    return mark(x, column(found, x.ndim))


def column(steps: Iterable[int], ndim: int) -> Any:
    """Steps along the first of `ndim` axes."""
    if isinstance(steps, range):
        return np.arange(steps.start, steps.stop).reshape(-1, *(1,) * (ndim - 1))
    steps = list(steps)
    return np.array(steps, int).reshape(len(steps), *(1,) * (ndim - 1))


# --- entries that are moved -----------------------------------------------------------------------


def moved(op: Any, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Where the steps go when entries are moved: the operation itself is asked, with the step of
    each entry in its place."""
    x = next(o for o in operands if times_of(o) is not None)
    times = x.times
    if op is ops.getitem and times.size == len(times):  # the usual slices, without long detours
        index = params["index"] if isinstance(params["index"], tuple) else (params["index"],)
        if index and isinstance(index[0], (int, np.integer)) and not isinstance(index[0], bool):
            return None
        if index and all(isinstance(i, slice) for i in index):
            return times[index[0]]
    found = narrow(op.array(*(filled(o, times) for o in operands), **params))
    if found.size < 2:
        return None
    batch = samples(x)
    if batch is None or op not in (ops.getitem, ops.reshape) or len(found) < 2:
        return found
    sample = narrow(op.array(batch, **params))
    if len(sample) < 2:
        return found  # along the first axis there is time, and nothing else
    one_of_each = sample.size == len(sample) and sample.ravel().tolist() == list(range(batch.max()
                                                                                       + 1))
    return None if one_of_each else np.zeros_like(found)  # the last step of each: a batch again


def filled(x: Any, times: Any) -> Any:
    """A step for every entry of an operand: its own, or those of the operand it is joined to."""
    own, shape = times_of(x), np.shape(x.value if isinstance(x, Node) else x)
    try:
        return np.broadcast_to(times if own is None else own, shape)
    except ValueError:
        return np.zeros(shape, int)


def samples(x: Any) -> Any:
    """The number of the sample that each entry belongs to; None without a batch, or if time is not
    one axis."""
    others = [k for k in range(x.ndim - 1) if x.times.shape[k] == 1]
    if x.ndim < 3 or len(others) != x.ndim - 2:
        return None
    B = x.shape[others[0]]
    return np.broadcast_to(np.arange(B).reshape([B if k == others[0] else 1
                                                 for k in range(x.ndim)]), x.shape)


def narrow(times: Any) -> Any:
    """The same steps, with size 1 for each axis along which they do not change."""
    for axis in range(times.ndim):
        first = times.take([0], axis) if times.shape[axis] > 1 else times
        if times.shape[axis] > 1 and (times == first).all():
            times = first
    return times


# --- entries that are computed with ---------------------------------------------------------------


def through(op: Op, operands: tuple[Any, ...], params: dict[str, Any], y: Any) -> Any:
    """The steps of what was computed, axis by axis. Of two (y_t - y_{t-1}) the later one."""
    found: Any = None
    for k, x in enumerate(operands):
        times = times_of(x)
        axes = None if times is None else axes_through(op, k, operands, params, y)
        if axes is None or any(a is None and n > 1 for a, n in zip(axes, times.shape)):
            continue
        kept = sorted((a, n) for a, n in zip(axes, range(times.ndim)) if a is not None)
        shape = [1] * y.ndim
        for a, n in kept:
            shape[a] = times.shape[n]
        gone = [n for n, a in enumerate(axes) if a is None]
        placed = times.transpose([n for _, n in kept] + gone).reshape(shape)
        if all(n in (1, size) for n, size in zip(shape, y.shape)):
            found = placed if found is None else np.maximum(found, placed)
    return found


def axes_through(op: Op, k: int, operands: tuple[Any, ...], params: dict[str, Any],
                 y: Any) -> Axes | None:
    """Where the axes of operand k are in the result y; None if that cannot be said."""
    n, m = operands[k].ndim, y.ndim
    same: Axes = list(range(n))
    if op.scalar is not None or op is ops.broadcast_to:
        return [m - n + axis for axis in range(n)]  # aligned at the end
    if op is ops.transpose:
        order = params.get("axes") or tuple(reversed(range(n)))
        return [order.index(axis) for axis in range(n)]
    if op is ops.linear:
        return [*same[:-1], None] if k == 0 else [None, m - 1]
    if op is ops.matmul:
        shift = m - n if min(np.ndim(v) for v in values(operands)) > 1 else 0
        lead = [axis + shift for axis in range(n - (1 if k == 0 else 2))]
        return [*lead, None] if k == 0 or n == 1 else [*lead, None, m - 1]
    if "subscripts" in params:
        inputs, _, output = params["subscripts"].partition("->")
        letters = inputs.split(",")[k]
        return [output.index(i) if i in output else None for i in letters] \
            if len(set(letters)) == n else None
    if y.shape == operands[k].shape:
        return same  # a softmax, a running sum
    if "axis" in params or op is ops.sum_:
        axis = params.get("axis")
        summed = same if axis is None else [a % n for a in np.atleast_1d(axis)]
        left = same if m == n else [a for a in same if a not in summed]
        return [None if a in summed else left.index(a) for a in same]
    return None


def values(operands: tuple[Any, ...]) -> list[Any]:
    """The plain values of operands."""
    return [o.value if isinstance(o, Node) else o for o in operands]
