"""What NumPy lacks: the functions of networks, for floats, arrays and nodes.

The question this file answers: *what is a softmax, or a gelu, and what does it send back?*

They are rows like those of `ops`, so that one circle in a drawing is one function of the text. All
are stable: no overflow and no lost digits, however large the numbers that go in.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import InputError
from .graph import Node
from .inplace import plain
from .ops import Array, broadcast_to, either, exp, primitive, sigmoid, spread, sum_, tanh, where
from .reductions import axes_of

# --- activations, entry by entry ------------------------------------------------------------------


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _softplus_array(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


softplus = primitive("softplus", either(_softplus, _softplus_array), lambda g, y, x: g * sigmoid(x),
                     doc="log(1 + exp(x)), a smooth relu.")
log_sigmoid = primitive(
    "log sigmoid", either(lambda x: -_softplus(-x), lambda x: -_softplus_array(-x)),
    lambda g, y, x: g * sigmoid(-x), doc="log(sigmoid(x)) = -softplus(-x).")


def _silu(g: Array, y: Array, x: Array) -> Array:
    s = sigmoid(x)
    return g * (s + y * (1.0 - s))


silu = primitive("silu", either(lambda x: x * sigmoid(x), lambda x: x * sigmoid(x)), _silu,
                 doc="x sigmoid(x), also called swish (Hendrycks and Gimpel 2016).")
elu = primitive(
    "elu", either(lambda x, alpha=1.0: x if x > 0 else alpha * math.expm1(x),
                  lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))),
    lambda g, y, x, alpha=1.0:
    g * where(1.0, alpha * exp(where(0.0, x, condition=x > 0)), condition=x > 0),
    doc="x, and alpha (exp(x) - 1) left of 0 (Clevert et al. 2015).")
leaky_relu = primitive("leaky relu", either(
    lambda x, negative_slope=0.01: x if x > 0 else negative_slope * x,
    lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x)),
    lambda g, y, x, negative_slope=0.01: g * np.where(x > 0, 1.0, negative_slope),
    doc="x, and negative_slope x left of 0.")
hard_sigmoid = primitive("hard sigmoid", either(lambda x: min(max(x / 6.0 + 0.5, 0.0), 1.0),
                                                lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0)),
                         lambda g, y, x: g * ((x > -3.0) & (x < 3.0)) / 6.0,
                         doc="x / 6 + 1/2, held between 0 and 1 (the form of PyTorch and Keras 3).")
hard_tanh = primitive("hard tanh", either(lambda x: min(max(x, -1.0), 1.0),
                                          lambda x: np.clip(x, -1.0, 1.0)),
                      lambda g, y, x: g * ((x > -1.0) & (x < 1.0)), doc="x, held between -1 and 1.")


def selu(x: Array) -> Array:
    """1.0507 elu(x, alpha=1.6733): keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return 1.0507009873554805 * elu(x, alpha=1.6732632423543772)


# --- the error function, and gelu -----------------------------------------------------------------

# as exact as the C library, if slower than NumPy's own functions
_erf_array = np.vectorize(math.erf, otypes=[float])
_erfc_array = np.vectorize(math.erfc, otypes=[float])

erf = primitive("erf", either(math.erf, lambda x: _erf_array(x).astype(x.dtype)),
                lambda g, y, x: g * (2.0 / math.sqrt(math.pi) * exp(-(x * x))),
                doc="2/sqrt(pi) times the integral of exp(-t²) from 0 to x.")
# (1 + erf(x / sqrt 2)) / 2, the normal distribution; by erfc, so that the far left keeps its digits
normal_cdf = primitive(
    "Φ", either(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)),
                lambda x: (0.5 * _erfc_array(-x / math.sqrt(2.0))).astype(x.dtype)),
    lambda g, y, x: g * normal_density(x))


def normal_density(x: Array) -> Array:
    """exp(-x²/2) / sqrt(2 pi)."""
    return exp(-0.5 * (x * x)) / math.sqrt(2.0 * math.pi)


gelu_erf = primitive("gelu", either(lambda x: x * normal_cdf(x), lambda x: x * normal_cdf(x)),
                     lambda g, y, x: g * (normal_cdf(x) + x * normal_density(x)),
                     doc="x Φ(x) (Hendrycks and Gimpel 2016).")
BEND, CUBIC = math.sqrt(2.0 / math.pi), 0.044715


def _gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1.0 + tanh(BEND * (x + CUBIC * x * x * x)))


def _gelu_tanh_rule(g: Array, y: Array, x: Array) -> Array:
    t = tanh(BEND * (x + CUBIC * x * x * x))
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * BEND * (1.0 + 3.0 * CUBIC * x * x))


gelu_tanh = primitive("gelu tanh", either(_gelu_tanh, _gelu_tanh), _gelu_tanh_rule,
                      doc="x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))), near to gelu.")


def gelu(x: Array, approximate: str = "none") -> Array:
    """x Φ(x), with Φ the normal distribution; `approximate="tanh"` is the cheaper form by tanh."""
    if approximate not in ("none", "tanh"):
        raise InputError(f'approximate must be "none" or "tanh", got {approximate!r}', where="gelu")
    return (gelu_tanh if approximate == "tanh" else gelu_erf)(x)


# --- softmax and its logarithm --------------------------------------------------------------------


def top(x: Array, axis: Any) -> Array:
    """The largest entry along `axis`, with the axis kept: np.max without its detours."""
    return np.maximum.reduce(x, axis=axis, keepdims=True)


def added(x: Array, axis: Any) -> Array:
    """The sum along `axis`, with the axis kept."""
    return np.add.reduce(x, axis=axis, keepdims=True)


def _softmax(x: Array, axis: Any = -1) -> Array:
    e = np.exp(x - top(x, axis))  # the largest exponent is 0
    return e / added(e, axis)


def log_softmax_value(x: Array, axis: Any = -1) -> Array:
    low = x - top(x, axis)
    return low - np.log(added(np.exp(low), axis))


def _logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    high = top(x, axis)
    high = np.where(np.isfinite(high), high, 0).astype(high.dtype)
    with np.errstate(divide="ignore"):  # log 0 = -inf is right where all are -inf
        y = np.log(added(np.exp(x - high), axis)) + high
    return y if keepdims else np.squeeze(y, axis=axis)


softmax_ = primitive("softmax", _softmax, lambda g, y, x, axis=-1:
                     y * (g - sum_(g * y, axis=axis, keepdims=True)))
log_softmax_ = primitive("log softmax", log_softmax_value, lambda g, y, x, axis=-1:
                         g - exp(y) * sum_(g, axis=axis, keepdims=True))
logsumexp_ = primitive("logsumexp", _logsumexp, lambda g, y, x, axis=None, keepdims=False:
                       spread(g, x.shape, axis, keepdims) * softmax_(x, axis=axis))


def softmax(x: Array, axis: Any = -1) -> Array:
    """p_k = exp(x_k) / sum_j exp(x_j) along `axis`; the shape stays."""
    return softmax_(with_axes(x, axis), axis=axis)


def log_softmax(x: Array, axis: Any = -1) -> Array:
    """log p_k = x_k - log sum_j exp(x_j) along `axis`; the shape stays."""
    return log_softmax_(with_axes(x, axis), axis=axis)


def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """log sum_j exp(x_j) over `axis`, or over all entries."""
    return logsumexp_(with_axes(x, axis), axis=axis, keepdims=keepdims)


def shaped(x: Array) -> Array:
    """x with a shape: numbers and lists as arrays, a `Value` as a tensor without axes."""
    if not isinstance(x, Node):
        return np.asarray(x if isinstance(x, np.ndarray) else plain(x))
    return broadcast_to(x, shape=()) if x.is_scalar else x


def with_axes(x: Array, axis: Any) -> Array:
    """x with a shape, if it has these axes; else an AxisError."""
    x = shaped(x)
    axes_of(x, axis)
    return x
