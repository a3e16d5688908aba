"""The activations that a fused layer can do, with the slope of each told from its value.

The question this file answers: *what has a fused layer to keep of z?* Nothing, where φ'(z) can be
told from y = φ(z), as tanh' = 1 - y². Of gelu and silu it cannot, since they take a value twice:
with these, and with functions of a user's own, a layer is computed op by op.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.totals import ones
from .activations import ACTIVATIONS, Activation

Written = Callable[[Any, Any], Any]  # (z, out) -> φ(z), or (y, out) -> φ'(z), written to out


class Phi(NamedTuple):
    """An activation for a fused layer. With `sign` -1 it is told of -z, and its slope is that by
    -z: the logistic function is 1 / (1 + exp(-z))."""

    apply: Written
    slope: Written
    sign: int = 1


def logistic(z: Any, out: Any) -> Any:
    """σ(-z) = 1 / (1 + exp(z)). It keeps its digits on both sides; exp may overflow to inf."""
    np.exp(z, out)
    np.add(out, ones((), out.dtype), out)  # a plain 1 would have to be converted
    return np.reciprocal(out, out)


def logistic_slope(y: Any, out: Any) -> Any:
    """dσ/d(-z) = -y (1 - y)."""
    np.subtract(y, ones((), out.dtype), out)
    return np.multiply(out, y, out)


def tanh_slope(y: Any, out: Any) -> Any:
    """1 - y²."""
    np.multiply(y, y, out)
    return np.subtract(ones((), out.dtype), out, out)


def written(y: Any, out: Any) -> Any:
    """y, written to out."""
    out[...] = y
    return out


def named(name: str) -> Written:
    """The activation of that name."""
    return lambda z, out: written(ACTIVATIONS[name](z), out)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
PHIS: dict[str, Phi] = {
    "tanh": Phi(np.tanh, tanh_slope),
    "relu": Phi(lambda z, out: np.maximum(z, 0, out=out), lambda y, out: written(y > 0, out)),
    "identity": Phi(written, lambda y, out: written(1, out)),
    "sigmoid": Phi(logistic, logistic_slope, -1),
    "hard_sigmoid": Phi(named("hard_sigmoid"),
                        lambda y, out: written(((y > 0) & (y < 1)) / 6.0, out)),
    "hard_sigmoid_0.2": Phi(named("hard_sigmoid_0.2"),
                            lambda y, out: written(((y > 0) & (y < 1)) * 1.2 / 6.0, out)),
    "hard_tanh": Phi(named("hard_tanh"), lambda y, out: written(abs(y) < 1, out)),
    "softplus": Phi(named("softplus"), lambda y, out: written(-np.expm1(-y), out)),
    "softsign": Phi(named("softsign"), lambda y, out: written((1 - abs(y)) ** 2, out)),
    "elu": Phi(named("elu"), lambda y, out: written(np.where(y > 0, 1, y + 1), out)),
    "selu": Phi(named("selu"), lambda y, out: written(
        np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA), out)),
}


PHI_OF = {ACTIVATIONS[name]: phi for name, phi in PHIS.items()}  # by what a cell holds


def phi_of(activation: Activation) -> Phi | None:
    """The `Phi` of an activation as a cell holds it; None if its slope cannot be told from y."""
    return next((phi for known, phi in PHI_OF.items() if known is activation), None)


# --- the rows of a weight as a kernel wants them --------------------------------------------------

Order = tuple[tuple[int, int], ...]  # which gate of the weight, and the sign of its z


def inner(given: Any, order: Order) -> Any:
    """The rows of the gates in another order, of -z where the activation wants it so."""
    found, H = np.empty(given.shape, given.dtype), len(given) // len(order)
    for k, (gate, sign) in enumerate(order):
        np.multiply(given[gate * H:(gate + 1) * H], sign, found[k * H:(k + 1) * H])
    return found


def outer(given: Any, order: Order) -> Any:
    """The same back again."""
    found, H = np.empty(given.shape, given.dtype), len(given) // len(order)
    for k, (gate, sign) in enumerate(order):
        np.multiply(given[k * H:(k + 1) * H], sign, found[gate * H:(gate + 1) * H])
    return found
