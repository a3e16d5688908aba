"""The vanilla recurrence op by op, with nothing looked up twice.

The question this file answers: *what is left of a step when all that does not change is known?*

    x_t    W_xh x_t    W_hh h_{t-1}    their sum    + b_h    φ

Six nodes, the same that `RNNCell` makes when it is called at every step; a test compares them one
by one. The inputs' products are rows of a single one. What is asked once for the whole sequence:
the shapes, the options, the weights.

On the way back, a gradient that arrives at all h_t together gets past them as it does in a fused
layer: see `fused_rnn`, where the equations stand, and `core.together`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core import ops
from ..core.freeing import unsearched
from ..core.graph import Node, Op, constant, given
from ..core.inplace import LENT, settle
from ..core.ops import all_rows
from ..core.place import here
from ..core.together import (
    Account,
    Passed,
    Use,
    each_times,
    lean,
    plain_tensors,
    send,
    stretches,
    untouched,
)
from ..core.totals import Totals
from ..core.values import Tensor
from .cells import RNNCell
from .fused_slopes import Phi, phi_of
from .sequence import Steps
from .steps_joined import first_step, stacked


def zero_state(cell: RNNCell, steps: Steps, reverse: bool) -> Any:
    """h_0 = 0, of the step before the first one that is taken: what `Cell.initial_state` gives
    there."""
    first, zeros = first_step(), np.zeros((*(steps.shape() or ())[:-1], cell.hidden_size),
                                          cell.dtype)
    h = given(Tensor, zeros, here().step_at(first + len(steps) if reverse else first - 1), constant)
    return h.named("h")


class Inputs:
    """The inputs of all steps as one array (T, ..., I), and the nodes x_t where there are some."""

    def __init__(self, value: Any, nodes: Sequence[Any] = (), further: Any = None) -> None:
        self.value, self.nodes, self.further = value, nodes, further


def inputs_of(steps: Steps) -> Inputs | None:
    """The inputs of a sequence, if they can be had as one array."""
    parts = steps.parts
    if isinstance(parts, list):
        if not parts or not all(isinstance(x, Node) and x.op.rules for x in parts) \
                or not plain_tensors(parts) \
                or any(x.value.shape != parts[0].value.shape for x in parts):
            return None
        return Inputs(stacked([x.value for x in parts]), parts, steps.past)
    if isinstance(parts, np.ndarray):
        return Inputs(np.array(parts, steps.dtype)) if parts.dtype.kind == "f" else None
    if type(parts) is Tensor and parts.op is constant and parts.params is not LENT:
        return Inputs(parts.value)
    return None


def shapes_of(cell: RNNCell) -> list[tuple[int, ...]]:
    """The shapes of W_xh, W_hh and b_h: with others, calling the cell says which does not fit."""
    H = cell.hidden_size
    return [(H, cell.input_size), (H, H), (H,)]


@unsearched
def elman(cell: Any, steps: Steps, h: Any, reverse: bool) -> tuple[list[Any], PastElman] | None:
    """h_t for all t, in the order of time, and the way back past them; None where a step has to be
    taken by calling the cell."""
    if type(cell) is not RNNCell or cell.stacked or not here().fast:
        return None
    x, phi, φ = inputs_of(steps), phi_of(cell.activation), cell.activation
    weights = [cell.W_xh, cell.W_hh, *([] if cell.b_h is None else [cell.b_h])]
    if x is None or phi is None or not isinstance(φ, Op) or φ.array is None:
        return None
    if not plain_tensors([h]) or any(type(w) is not Tensor or w.op is constant for w in weights) \
            or len({a.dtype for a in (x.value, h, *weights)}) > 1 \
            or [w.value.shape for w in weights] != shapes_of(cell)[:len(weights)] \
            or x.value.shape[-1] != cell.input_size \
            or h.shape != (*x.value.shape[1:-1], cell.hidden_size):
        return None
    for w in weights:
        if w.params is LENT:
            settle(w)
    past = PastElman(x, h, weights, phi, reverse)
    (W_xh, W_hh, *b_h), (W_x, W_h, *b) = weights, [w.value for w in weights]
    products = np.dot(all_rows(x.value), W_x.T).reshape(*x.value.shape[:-1], len(W_x))
    W_T, compute, start, first = W_h.T, φ.array, here(), first_step()
    whole = np.empty((len(products) + 1, *h.value.shape), h.value.dtype)
    past.value, past.before = (whole[:-1], whole[1:]) if reverse else (whole[1:], whole[:-1])
    past.before[-1 if reverse else 0] = h.value
    found: list[Any] = [None] * len(products)
    way = slice(None, None, -1 if reverse else 1)
    for t, v, row, z in zip(range(len(found))[way], x.value[way], products[way], past.value[way]):
        place, u = start.step_at(first + t), h.value
        if not x.nodes:
            x_t: Any = given(Tensor, v, place, constant)
            x_t.name = "x"
        else:
            x_t = x.nodes[t]
        from_x, from_h = lean(ops.linear, x_t, W_xh, place), lean(ops.linear, h, W_hh, place)
        from_x.u, from_x.v, from_h.u, from_h.v = v, W_x, u, W_h
        z_t = lean(ops.add, from_x, from_h, place)
        np.dot(u, W_T, z)
        np.add(row, z, z)
        if b_h:
            z_t = lean(ops.add, z_t, b_h[0], place)
            z_t.v = b[0]
            np.add(z, b[0], z)
        h = found[t] = lean(φ, z_t, None, place)
        if φ is ops.tanh:
            np.tanh(z, z)
        else:
            z[...] = compute(z)
        h.value, h.v, h.name = z, None, "h"
    return found, past


class PastElman:
    """From what arrives at all h_t from outside to the weights, x_t and h_0: BPTT by hand."""

    __slots__ = ("before", "further", "leaves", "phi", "reverse", "steps", "value", "values", "x")
    value: Any  # of all h_t
    before: Any  # and of what each was made from, h_{t-1}

    def __init__(self, x: Inputs, first: Any, weights: list[Any], phi: Phi, reverse: bool) -> None:
        self.x, self.steps, self.further = x.value, x.nodes, x.further
        self.phi, self.reverse, self.leaves = phi, reverse, [first, *weights]
        self.values = [leaf.value for leaf in self.leaves]

    def clear(self, joined: Sequence[Any]) -> bool:
        """Of all h_t, z_t, and what was added up in z_t."""
        for _ in self.leaves[2:]:  # h_t; with a bias z_t
            if not untouched(joined):
                return False
            joined = [x.a for x in joined]
        return untouched(joined) and untouched([z.a for z in joined]) \
            and untouched([z.b for z in joined])

    def back(self, g: Any, arriving: Totals) -> None:
        """δ_t from the last step to the first, then one product for each weight."""
        (first, W_xh, W_hh, *b_h), (h_0, W_x, W_h, *_) = self.leaves, self.values
        deltas = self.phi.slope(self.value, np.empty(self.value.shape, h_0.dtype))
        if self.phi.sign < 0:
            np.negative(deltas, deltas)
        carry, way = np.zeros(h_0.shape, h_0.dtype), 1 if self.reverse else -1
        for g_t, delta in zip(g[::way], deltas[::way]):
            np.add(carry, g_t, carry)
            np.multiply(delta, carry, delta)
            np.dot(delta, W_h, carry)
        d = all_rows(deltas)
        arriving.give(W_hh, np.dot(d.T, all_rows(self.before)))
        arriving.use(ops.linear, W_xh, d, all_rows(self.x))
        for b in b_h:
            arriving.give(b, np.add.reduce(d, 0))
        if self.steps:
            send(self.steps, self.further, np.dot(d, W_x).reshape(self.x.shape), arriving)
        if first.op is not constant:
            arriving.give(first, carry)

    def newest(self, joined: Sequence[Any]) -> Any:
        return joined[0 if self.reverse else -1]

    def oldest(self, joined: Sequence[Any]) -> Node | None:
        """W_xh x_t of the step that was taken first. The slopes of these φ are computed from h_t
        just as their rules do it."""
        node: Any = joined[-1 if self.reverse else 0]
        if node.op not in (ops.tanh, ops.relu):
            return None
        for _ in self.leaves[1:]:  # W_xh, W_hh and b_h
            node = node.a
        return node  # type: ignore[no-any-return]

    def account(self, joined: Sequence[Any], g: Any) -> Iterator[Account]:
        """The same, with a product for every step, one stretch of steps after the other: what is
        only passed on stands in the same memory each time."""
        (first, W_xh, W_hh, *b), (h_0, W_x, W_h, *_) = self.leaves, self.values
        way, T, known = 1 if self.reverse else -1, len(g), first.op is constant
        g, h, before, x = (a[::way] for a in (g, self.value, self.before, self.x))
        arrived, passed, parts = g if g.flags.writeable else g.copy(), self.behind(joined[::way]), \
            stretches(h)
        to_x = np.empty(x.shape, x.dtype) if self.steps else None
        to_h, product = np.empty_like(h[parts[0]]), np.matmul if W_h.size == 1 else np.dot
        carry = np.full(h_0.shape, -0.0, h_0.dtype)  # -0.0 + x is x
        for at in parts:
            d = self.phi.slope(h[at], np.empty(h[at].shape, h_0.dtype))
            for total, delta, sent in zip(arrived[at], d, to_h):
                np.add(total, carry, total)
                np.multiply(total, delta, delta)
                carry = product(delta, W_h, sent)
            if to_x is not None:
                to_x[at] = each_times(d, W_x)
            sent = to_h[: min(at.stop, T - known) - at.start]
            leaving = [(d,), *[(d, Use(leaf, d)) for leaf in b], (d, d),
                       (sent, Use(W_hh, d, before[at])),
                       (None if to_x is None else to_x[at], Use(W_xh, d, x[at]))]
            kinds = [Passed(nodes[at], d, each) for nodes, each in zip(passed, leaving)]
            kinds[0] = kinds[0]._replace(g=arrived[at])
            yield Account(kinds, None if to_x is None else to_x[::way],
                          () if known else ((first, carry),))

    def behind(self, nodes: Sequence[Any]) -> list[list[Any]]:
        """The nodes of each kind: h_t, z_t and what was added up in z_t, W_hh h_{t-1}, W_xh x_t."""
        found = [list(nodes)]
        for _ in self.leaves[2:]:
            found.append([n.a for n in found[-1]])
        z = found[-1]
        return [*found, [n.b for n in z], [n.a for n in z]]
