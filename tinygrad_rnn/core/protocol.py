"""NumPy's two protocols: `np.tanh(x)`, `np.sum(x)` and `array * x` find their row in the op table.

The question this file answers: *why does NumPy code run unchanged on nodes?*

NumPy asks its operands first (`__array_ufunc__`, `__array_function__`). A function with a row records a
node, a question without a gradient (`np.isnan`) is answered plainly, and everything else is refused by
name: nothing silently becomes an object array or loses its gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from . import ops
from .graph import Node

Method = Callable[..., Any]
UFUNCS: dict[Any, Method] = {
    np.add: ops.add, np.subtract: ops.sub, np.multiply: ops.mul, np.divide: ops.div, np.negative: ops.neg,
    np.power: ops.power, np.matmul: ops.matmul, np.exp: ops.exp, np.log: ops.log, np.sqrt: ops.sqrt,
    np.sin: ops.sin, np.cos: ops.cos, np.tanh: ops.tanh, np.absolute: ops.absolute, np.sign: ops.sign,
    np.maximum: ops.maximum, np.minimum: ops.minimum, np.positive: lambda x: x,
}
FUNCTIONS: dict[Any, Method] = {}  # filled by numpy_ops, which is the same table carried on
REDUCTIONS: dict[tuple[Any, str], Any] = {(np.add, "reduce"): np.sum, (np.multiply, "reduce"): np.prod,
    (np.maximum, "reduce"): np.max, (np.minimum, "reduce"): np.min, (np.add, "accumulate"): np.cumsum,
    (np.multiply, "accumulate"): np.cumprod}
PLAIN = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isnan, np.isinf,
         np.isfinite, np.signbit, np.logical_not, np.logical_and, np.logical_or}
REFUSED = ("out", "where", "dtype", "casting", "order", "subok", "initial", "signature")


def bare(x: Any) -> Any:
    """The plain value of a node, anything else as it is: for questions that have no gradient."""
    return x.value if isinstance(x, Node) else x


def as_index(index: Any) -> Any:
    """An index as the graph may keep it: arrays copied, nodes refused where they would lose a gradient."""
    if isinstance(index, tuple):
        return tuple(as_index(i) for i in index)
    if isinstance(index, Node):
        index = np.asarray(index)
    return np.array(index) if isinstance(index, (list, np.ndarray)) else index


class NumpyProtocol(Node):
    """What makes NumPy's functions accept a node."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        for name in REFUSED:
            if name in kwargs:
                raise UnsupportedError(f"np.{ufunc.__name__}(..., {name}=...) is not supported here: "
                                       "a node's value is never written to")
        if method == "__call__" and ufunc in UFUNCS:
            return UFUNCS[ufunc](*inputs, **kwargs)
        if method == "__call__" and ufunc in PLAIN:
            return ufunc(*map(bare, inputs), **kwargs)
        if (ufunc, method) in REDUCTIONS:
            if method == "reduce":
                kwargs.setdefault("axis", 0)
            return REDUCTIONS[ufunc, method](*inputs, **kwargs)
        name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        raise UnsupportedError(f"{name} has no gradient rule here", fix=advice(ufunc.__name__))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in FUNCTIONS:
            raise UnsupportedError(f"np.{func.__name__} has no gradient rule here", fix=advice(func.__name__))
        for name in REFUSED[:-1]:
            if kwargs.pop(name, None) is not None:
                raise UnsupportedError(f"np.{func.__name__}(..., {name}=...) is not supported here")
        return FUNCTIONS[func](*args, **kwargs)


def advice(name: str) -> str:
    """What to use instead of a NumPy function without a rule: the nearest names there are."""
    known = sorted({f.__name__ for f in (*UFUNCS, *FUNCTIONS)})
    near = get_close_matches(name, known, 3, 0.6)
    hint = f"Near to it: {', '.join('np.' + n for n in near)}. " if near else ""
    return hint + "tinygrad_rnn.op makes an op of your own; .numpy() gives the numbers without a gradient"


def numpy_method(name: str) -> Method:
    """A method that calls NumPy's function of that name, which comes back through the protocol."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(np, name)(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"numpy.{name} of this tensor."
    return method
