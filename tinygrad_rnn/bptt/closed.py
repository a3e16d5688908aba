"""What the Jacobian of a step should be by the formula, where the graph shows that one applies.

The question this file answers: *where does the transpose come from?*

    h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h)      dh_t/dh_{t-1} = diag(φ'_t) W_hh

and φ' can be read off the value: 1 - h² for tanh, h (1 - h) for the sigmoid, 1 or 0 for relu. Row i
of it belongs to output i, so W_hh stands there as it is. A gradient goes the other way,

    dL/dh_{t-1} = (dh_t/dh_{t-1})ᵀ dL/dh_t = W_hhᵀ diag(φ'_t) dL/dh_t

and that is where W_hhᵀ comes from. (Pascanu et al. 2013, "On the difficulty of training recurrent
neural networks", write the transposed form.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import ops
from ..core.backprop import local, uses
from ..core.graph import Node, Op, operands_of
from ..core.walk import is_alias
from .rows import between

Array = Any

SLOPES: dict[Op, tuple[str, Callable[[Array], Array]]] = {  # φ -> how φ' is written, and its value
    ops.tanh: ("1 - h²", lambda h: 1.0 - h * h),
    ops.sigmoid: ("h (1 - h)", lambda h: h * (1.0 - h)),
    ops.relu: ("h > 0", lambda h: (h > 0) * 1.0),
}
IDENTITY: tuple[str, Callable[[Array], Array]] = ("1", lambda h: np.ones_like(h))
ALONG = {ops.add, ops.sub, ops.neg, ops.mul, ops.where}  # sums, gates, masks: no weight, no φ


class ClosedForm(NamedTuple):
    """diag(φ') W of one step: `slope` (B, H) are the φ', `W` (H, H) acts on columns."""

    activation: str
    formula: str
    weight: str
    slope: Array
    W: Array

    def matrix(self) -> Array:
        """diag(φ') W for every sample: (B, H, H)."""
        return self.slope[:, :, None] * self.W

    def turned(self) -> Array:
        """diag(φ') Wᵀ: what it would be if the transpose stood in the wrong place."""
        return self.slope[:, :, None] * self.W.T


def vanilla(before: Sequence[Node], after: Sequence[Node]) -> ClosedForm | str:
    """The closed form of a step h_{t-1} -> h_t, or the reason why there is none."""
    if len(after) > 1:
        return "the state has several parts"
    h, past = after[0], before[0]
    way = between([past], [h])
    if not way:
        return "the step is cut, or does nothing"
    leading = {past, *way}
    z, name, (formula, slope) = h, "identity", IDENTITY
    if h.op in SLOPES and h.a is not None:
        z, name, (formula, slope) = h.a, h.op.name, SLOPES[h.op]
    product = only_term(z, leading)
    if product is None:
        return f"h_{{t-1}} enters '{z.op.name}' in more than one way"
    found = matrix_of(product, past, leading)
    if found is None:
        return f"h_{{t-1}} goes through '{product.op.name}', no product with a weight"
    W, weight = found
    h_value = np.asarray(h.value)
    shaped = h_value.reshape(-1, h_value.shape[-1]) if h_value.ndim else h_value.reshape(1, 1)
    return ClosedForm(name, formula, weight, slope(shaped), W)


def only_term(z: Node, leading: set[Node]) -> Node | None:
    """The one term of the sum z that depends on the past; None if there are several."""
    while z.op is ops.add:
        terms = [x for x in operands_of(z) if x is not None and x in leading]
        if len(terms) != 1:
            return None
        z = terms[0]
    return z


def matrix_of(product: Node, past: Node, leading: set[Node]) -> tuple[Array, str] | None:
    """W (H, H) and its name, for W h, h @ W.T, linear(h, W), linear([x; h], W) or w * h."""
    a, b = product.a, product.b
    if product.op is ops.linear and b not in leading:
        columns = place_in(a, past)
        if columns is None:
            return None
        part = "" if columns == slice(None) else f"[:, {columns.start}:{columns.stop}]"
        return product.v[:, columns], called(b) + part
    if product.op is ops.matmul and a is past and b not in leading and product.v.ndim == 2:
        return product.v.T, called(b)
    if product.op is ops.matmul and b is past and a not in leading and product.u.ndim == 2 \
            and product.v.ndim == 1:
        return product.u, called(a)
    if product.op is ops.mul and np.ndim(product.value) == 0 and (a is past) != (b is past):
        w, node = (product.v, b) if a is past else (product.u, a)
        if node not in leading:
            return np.reshape(np.asarray(w, float), (1, 1)), called(node)
    return None


def place_in(x: Node | None, past: Node) -> slice | None:
    """Where h_{t-1} stands in the operand of the product: all of it, or its part of [x; h]."""
    if x is past:
        return slice(None)
    if x is None or x.op is not ops.concatenate or sum(o is past for o in operands_of(x)) != 1:
        return None
    end = 0
    for node, value in zip(operands_of(x), x.values):
        end += value.shape[-1]
        if node is past:
            return slice(end - value.shape[-1], end)
    return None


def called(weight: Node | None) -> str:
    """The name of a weight; of the weight behind a transpose."""
    while weight is not None and is_alias(weight) and weight.a is not None:
        weight = weight.a
    return "W" if weight is None or not weight.name else weight.name


def direct(before: Sequence[Node], now: Node, k: int) -> tuple[Array, str] | None:
    """The factors by which part k of the state goes straight on, past every weight: f_t of an LSTM
    (dc_t/dc_{t-1} = diag(f_t)), z_t of a GRU; and their name. None if there is no such way.

    The part must only be added to, multiplied by gates and selected by masks on that way.
    """
    past = before[k]
    if now is past:
        return np.ones_like(np.asarray(past.value)), "1"
    leading = {*before, *(way := between(before, [now]))}
    arriving: dict[Node, Array] = {now: 1.0 if now.is_scalar else np.ones_like(now.value)}
    gates: dict[str, None] = {}
    for node in way:
        g = arriving.pop(node, None)
        if g is None or node.op not in ALONG:
            continue
        for position, x in uses(node):
            if x not in leading or np.shape(x.value) != np.shape(node.value):
                continue
            arriving[x] = arriving.get(x, 0.0) + local(node, position, g)
            if x is past and node.op is ops.mul:
                gate = operands_of(node)[1 - position]
                gates[gate.name if gate is not None and gate.name else "factor"] = None
    if past not in arriving:
        return None
    return np.asarray(arriving[past]), " + ".join(gates) or "1"
