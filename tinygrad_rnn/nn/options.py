"""The door: what an option of a layer may be, and the words for what it may not.

The question this file answers: *what happens with return_sequences="no"?*

Python would take any text for yes. Each function here gives an option back in its own type, or
raises `InputError` with what was expected, what came, and which layer refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any

import numpy as np

from ..errors import InputError, UnsupportedError

ELSEWHERE = {  # what PyTorch and Keras call it: what it is here
    "batch_first": "Time is the first axis: xs.swapaxes(0, 1)",
    "num_layers": "Layers above each other: nn.Stacked([layer, layer])",
    "bidirectional": "Both directions: nn.Bidirectional(layer)",
    "dropout": "Between layers: nn.Stacked(layers, dropout=p). In a layer: recurrent_dropout=p",
    "go_backwards": "Here it is reverse=True; the outputs stay in the order of time",
    "stateful": "A state is carried on by hand: layer(xs, state)",
    "activation": "In a vanilla layer it is nonlinearity=",
    "nonlinearity": "In a gated layer it is activation=",
    "recurrent_activation": "Here it is gate_activation=",
    "use_bias": "Here it is bias=",
    "unit_forget_bias": "Here it is forget_bias=1.0",
    "kernel_initializer": "Here it is init=",
    "recurrent_initializer": "Here it is init_hh=",
    "zero_output_for_mask": "Here it is padding='zero'",
    "unroll": "Every layer is unrolled, unless it is fused=True",
    "units": "Here it is hidden_size, the second argument, after input_size",
    "merge_mode": "Here it is merge=: 'concat', 'sum', 'mul', 'ave' or 'none'",
    "merge": "It belongs to both directions: nn.Bidirectional(layer, merge='sum')",
    "reverse": "It belongs to a single layer: nn.RNN(4, 3, reverse=True)",
    "time_major": "Time is always the first axis",
}
REAL = (int, float, np.integer, np.floating)


def size(n: Any, name: str, where: str) -> int:
    """A whole number of at least 1."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(f"expected {name} to be a whole number of at least 1, got {n!r}",
                         where=where)
    return int(n)


def sizes(given: Any, name: str, where: str) -> list[int]:
    """A list of such numbers, which may be empty."""
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, dict)):
        raise InputError(f"expected {name} to be a list of whole numbers such as [5], got "
                         f"{given!r}", where=where)
    return [size(n, name, where) for n in given]


def yes_or_no(given: Any, name: str, where: str) -> bool:
    """True or False, and nothing that merely looks like it."""
    if not isinstance(given, (bool, np.bool_)):
        raise InputError(f"expected {name} to be True or False, got {given!r}", where=where)
    return bool(given)


def one_of(name: Any, known: Iterable[str], argument: str, where: str) -> str:
    """An option that is one of a few words."""
    if not isinstance(name, str) or name not in known:
        raise InputError(f"expected {argument} to be {' or '.join(map(repr, known))}, "
                         f"got {name!r}", where=where)
    return name


def number(x: Any, name: str, where: str, *, least: float = -np.inf, most: float = np.inf,
           finite: bool = True) -> float:
    """A number from `least` to `most`, as a plain float: NumPy's own float64 would turn float32
    parameters into float64. NaN is none, and Inf only with `finite=False`."""
    x = x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x
    real = isinstance(x, REAL) and not isinstance(x, bool)
    value = as_float(x) if real else np.nan
    if not least <= value <= most or finite and not np.isfinite(value):
        bound = f" from {least:g} to {most:g}" if most < np.inf else \
            f" of at least {least:g}" if least > -np.inf else ""
        raise InputError(f"expected {name} to be a {'finite ' * finite}number{bound}, got {x!r}",
                         where=where)
    return value


def as_float(x: Any) -> float:
    """A number as a plain float; a whole number beyond all floats is infinite."""
    try:
        return float(x)
    except OverflowError:
        return np.inf if x > 0 else -np.inf


def above_zero(x: Any, name: str, where: str) -> float:
    """A number above 0; Inf is one."""
    value = number(x, name, where, finite=False)
    if not value > 0:
        raise InputError(f"expected {name} above 0, got {x!r}", where=where)
    return value


def rate(p: Any, argument: str, where: str) -> float:
    """A part of the whole: 0 <= p < 1."""
    if isinstance(p, bool) or not isinstance(p, REAL) or not 0 <= p < 1:
        raise InputError(f"expected {argument} to be a number from 0 up to but not including 1, "
                         f"got {p!r}", where=where)
    return float(p)


def known_options(given: Mapping[str, Any], layer: type, more: Iterable[str] = ()) -> None:
    """Raise `UnsupportedError` for an option that `layer` does not have, neither in its signature
    nor as one of `more`: with the name that it has here, the one that begins so, or the nearest
    there is."""
    for name in given:
        if name not in more:
            own = [p.name for p in signature(layer).parameters.values() if p.kind != p.VAR_KEYWORD]
            known = [*own, *more]
            near = [k for k in known if k.startswith(name)] or get_close_matches(name, known, 1)
            there = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}"
            raise UnsupportedError(f"there is no option {name}", where=layer.__name__,
                                   fix=ELSEWHERE.get(name, there))


def cannot_take(f: Any, count: int) -> str:
    """Why `f` cannot be called with so many arguments; "" if it can, or if nobody knows."""
    try:
        signature(f).bind(*[None] * count)
    except TypeError as problem:
        return str(problem)
    except ValueError:  # a builtin
        pass
    return ""


def function(f: Any, name: str, where: str) -> Any:
    """Something to call with one argument, or None."""
    if f is not None and not callable(f):
        raise InputError(f"expected {name} to be a layer, a function or None, got "
                         f"{type(f).__name__}", where=where)
    return f


def float_type(dtype: Any, where: str) -> Any:
    """float64 by default, or the float type asked for."""
    try:
        kind = np.dtype(np.float64 if dtype is None else dtype)
    except (TypeError, ValueError):  # no dtype at all
        kind = np.dtype(object)
    if kind.kind != "f":
        raise InputError(f"expected dtype to be a float type such as 'float32', got {dtype!r}",
                         where=where)
    return kind
