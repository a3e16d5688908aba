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
from ..core.together import lean, plain_tensors, send
from ..core.totals import Totals
from ..core.values import Tensor
from .cells import RNNCell
from .fused_slopes import Phi, phi_of
from .sequence import Steps, first_step, stacked


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
    found: list[Any] = [None] * len(products)
    for t in reversed(range(len(found))) if reverse else range(len(found)):
        place, u, v = start.step_at(first + t), h.value, x.value[t]
        if not x.nodes:
            x_t: Any = given(Tensor, v, place, constant)
            x_t.name = "x"
        else:
            x_t = x.nodes[t]
        from_x, from_h = lean(ops.linear, x_t, W_xh, place), lean(ops.linear, h, W_hh, place)
        from_x.u, from_x.v, from_h.u, from_h.v = v, W_x, u, W_h
        z_t = lean(ops.add, from_x, from_h, place)
        z = np.dot(u, W_T)
        np.add(products[t], z, z)
        if b_h:
            z_t = lean(ops.add, z_t, b_h[0], place)
            z_t.v = b[0]
            np.add(z, b[0], z)
        h = found[t] = lean(φ, z_t, None, place)
        h.value, h.v, h.name = np.tanh(z, z) if φ is ops.tanh else compute(z), None, "h"
    past.states = found
    return found, past


class PastElman:
    """From what arrives at all h_t from outside to the weights, x_t and h_0: BPTT by hand."""

    __slots__ = ("further", "leaves", "phi", "reverse", "states", "steps", "value", "values", "x")
    states: Sequence[Any]
    value: Any  # of all h_t, once they are joined

    def __init__(self, x: Inputs, first: Any, weights: list[Any], phi: Phi, reverse: bool) -> None:
        self.x, self.steps, self.further = x.value, x.nodes, x.further
        self.phi, self.reverse, self.leaves = phi, reverse, [first, *weights]
        self.values = [leaf.value for leaf in self.leaves]

    def between(self, joined: Sequence[Any]) -> Iterator[Node]:
        """All h_t, z_t, and what was added up in z_t."""
        for h in joined:
            z = h.a
            yield h
            yield z
            if len(self.leaves) == 4:
                z = z.a
                yield z
            yield z.a
            yield z.b

    def back(self, g: Any, arriving: Totals) -> None:
        """δ_t from the last step to the first, then one product for each weight."""
        g, x, h = (a[::-1] if self.reverse else a for a in (g, self.x, self.value))
        (first, W_xh, W_hh, *b_h), (h_0, W_x, W_h, *_) = self.leaves, self.values
        deltas = self.phi.slope(h, np.empty_like(h, order="C"))
        if self.phi.sign < 0:
            np.negative(deltas, deltas)
        carry = np.zeros_like(h_0)
        for g_t, delta in zip(g[::-1], deltas[::-1]):
            np.add(carry, g_t, carry)
            np.multiply(delta, carry, delta)
            np.dot(delta, W_h, carry)
        d = all_rows(deltas)
        total = np.dot(all_rows(deltas[1:]).T, all_rows(h[:-1]))
        total += np.dot(all_rows(deltas[:1]).T, all_rows(h_0[None]))
        arriving.give(W_hh, total)
        arriving.use(ops.linear, W_xh, d, all_rows(x))
        for b in b_h:
            arriving.give(b, np.add.reduce(d, 0))
        if self.steps:
            found = np.dot(d, W_x).reshape(x.shape)
            send(self.steps, self.further, found[::-1] if self.reverse else found, arriving)
        if first.op is not constant:
            arriving.give(first, carry)
