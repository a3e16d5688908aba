"""NumPy's two protocols: `np.tanh(x)`, `np.sum(x)` and `array * x` find their row in the op table.

The question this file answers: *why does NumPy code run unchanged on nodes?*

NumPy asks its operands first (`__array_ufunc__`, `__array_function__`). A function with a row
records a node, a question without a gradient (`np.isnan`) is answered plainly, and everything else
is refused by name: nothing silently becomes an object array or loses its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from . import ops
from .graph import Node
from .inplace import known_type

Method = Callable[..., Any]

# --- the tables; numpy_ops, which is the same table carried on, adds to them ----------------------

UFUNCS: dict[Any, Method] = {
    np.add: ops.add, np.subtract: ops.sub, np.multiply: ops.mul, np.divide: ops.div,
    np.negative: ops.neg, np.power: ops.power, np.matmul: ops.matmul, np.exp: ops.exp,
    np.log: ops.log, np.sqrt: ops.sqrt, np.sin: ops.sin, np.cos: ops.cos, np.tanh: ops.tanh,
    np.absolute: ops.absolute, np.sign: ops.sign, np.maximum: ops.maximum,
    np.minimum: ops.minimum, np.positive: lambda x: x,
}
FUNCTIONS: dict[Any, Method] = {}
REDUCTIONS: dict[tuple[Any, str], Any] = {
    (np.add, "reduce"): np.sum, (np.multiply, "reduce"): np.prod, (np.maximum, "reduce"): np.max,
    (np.minimum, "reduce"): np.min, (np.add, "accumulate"): np.cumsum,
    (np.multiply, "accumulate"): np.cumprod,
}
QUESTIONS: set[Any] = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isnan,
    np.isinf, np.isfinite, np.signbit, np.logical_not, np.logical_and, np.logical_or,
    np.logical_xor,
}
REFUSED = {
    "out": "a node's value is never written to (instead of `a += node`: `a = a + node`)",
    "where": "use np.where(mask, x, 0)",
    "dtype": "convert before or after, with .astype",
    "initial": "add it to the result",
}


def bare(x: Any) -> Any:
    """The plain value of a node, anything else as it is: for questions that have no gradient."""
    if isinstance(x, (list, tuple)) and any(isinstance(part, Node) for part in x):
        return type(x)(map(bare, x))
    return x.value if isinstance(x, Node) else x


def as_index(index: Any) -> Any:
    """An index as the graph may keep it: arrays copied, nodes refused if they need a gradient."""
    if isinstance(index, tuple):
        return tuple(as_index(i) for i in index)
    if isinstance(index, Node):
        index = np.asarray(index)
    return np.array(index) if isinstance(index, (list, np.ndarray)) else index


def network_method(name: str) -> Method:
    """A method that calls the function of that name in functions.py, loaded when first needed."""

    def method(self: Any, *args: Any, **params: Any) -> Any:
        return getattr(import_module(".functions", __package__), name)(self, *args, **params)

    method.__name__, method.__doc__ = name, f"tinygrad_rnn.{name} of this node."
    return method


class NumpyProtocol(Node):
    """What makes NumPy's functions accept a node."""

    __slots__ = ()
    softmax, log_softmax, logsumexp = map(network_method, ("softmax", "log_softmax", "logsumexp"))
    softplus, log_sigmoid, silu = map(network_method, ("softplus", "log_sigmoid", "silu"))
    elu, selu, leaky_relu, gelu = map(network_method, ("elu", "selu", "leaky_relu", "gelu"))
    hard_sigmoid, hard_tanh = map(network_method, ("hard_sigmoid", "hard_tanh"))
    erf = network_method("erf")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc not in UFUNCS and ufunc not in QUESTIONS:
            complete()
        if method == "__call__" and not kwargs and ufunc in UFUNCS:
            return UFUNCS[ufunc](*inputs)
        name = full_name(ufunc) + ("" if method == "__call__" else f".{method}")
        options = allowed(name, kwargs)
        if method in ("reduce", "accumulate") and (ufunc, method) in REDUCTIONS:
            return REDUCTIONS[ufunc, method](*inputs, **{"axis": 0, **options})
        if options and method == "__call__":
            raise UnsupportedError(f"{name}(..., {min(options)}=...) is not supported here")
        if method == "__call__" and ufunc in UFUNCS:
            return UFUNCS[ufunc](*inputs)
        if method == "__call__" and ufunc in QUESTIONS:
            return ufunc(*map(bare, inputs))
        if method == "outer" and ufunc in UFUNCS and ufunc.nin == 2 and ufunc.signature is None:
            a, b = inputs
            return ufunc(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)
        raise UnsupportedError(f"{name} has no gradient rule here", fix=advice(ufunc))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        complete()
        if func in QUESTIONS:
            return func(*map(bare, args), **{k: bare(v) for k, v in kwargs.items()})
        if func not in FUNCTIONS:
            raise UnsupportedError(f"{full_name(func)} has no gradient rule here", fix=advice(func))
        return FUNCTIONS[func](*args, **allowed(full_name(func), kwargs))


def complete() -> None:
    """Load the rest of the table, which `import tinygrad_rnn` leaves for when it is needed."""
    if not FUNCTIONS:
        import_module(".numpy_ops", __package__)


def allowed(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call, if none of them is one that is refused."""
    for option, fix in REFUSED.items():
        if options.get(option) is not None:
            raise UnsupportedError(f"{name}(..., {option}=...) is not supported here", fix=fix)
    return {k: v for k, v in options.items() if k not in REFUSED}


def full_name(func: Any) -> str:
    """How a program writes a NumPy function: `np.linalg.svd`."""
    module = (getattr(func, "__module__", None) or "numpy").split(".")[1:]
    return ".".join(["np", *(part for part in module if not part.startswith("_")), func.__name__])


def advice(func: Any) -> str:
    """What to use instead of a NumPy function without a rule: the nearest names there are."""
    from difflib import get_close_matches  # only ever needed for an error

    name = full_name(func)
    known = sorted({full_name(f) for f in (*UFUNCS, *FUNCTIONS)})
    near = family(name, known) or get_close_matches(name, known, 3, 0.75)
    hint = f"Near to it: {', '.join(near)}. " if near else ""
    return (f"{hint}tinygrad_rnn.op makes an op of your own; .numpy() gives the numbers without a "
            "gradient")


def family(name: str, known: Iterable[str]) -> list[str]:
    """The functions with a rule in the same part of NumPy."""
    home, _, _ = name.rpartition(".")
    return [] if home == "np" else [k for k in known if k.rpartition(".")[0] == home]


def numpy_method(name: str) -> Method:
    """A method that calls NumPy's function of that name; it comes back through the protocol."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(np, name)(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"numpy.{name} of this tensor."
    return method


class ArrayMethods(Node):
    """The methods that a tensor shares with an array; each is NumPy's function of that name."""

    __slots__ = ()
    sum, mean, max, min = map(numpy_method, ("sum", "mean", "max", "min"))
    var, std, prod, cumsum = map(numpy_method, ("var", "std", "prod", "cumsum"))
    cumprod, ravel, squeeze = map(numpy_method, ("cumprod", "ravel", "squeeze"))
    swapaxes = numpy_method("swapaxes")
    repeat, take, trace, diagonal = map(numpy_method, ("repeat", "take", "trace", "diagonal"))
    clip, round, sort, dot = map(numpy_method, ("clip", "round", "sort", "dot"))
    all, any, argmax, argmin = map(numpy_method, ("all", "any", "argmax", "argmin"))
    argsort = numpy_method("argsort")

    def reshape(self, *shape: Any) -> Any:
        """The same entries in another shape."""
        return ops.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """Permute the axes (reverse them if none are given)."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)  # type: ignore[call-overload]

    def flatten(self) -> Any:
        """All entries along one axis."""
        return ops.reshape(self, shape=(-1,))

    def tolist(self) -> Any:
        """The numbers as nested Python lists, outside the graph."""
        return np.asarray(self.value).tolist()

    def astype(self, dtype: Any) -> Any:
        """Convert to another float type; the gradient comes back in this one's."""
        return ops.cast(self, dtype=known_type(dtype, "astype()"))
