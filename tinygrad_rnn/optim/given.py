"""What an optimiser is given: parameters, options, and the memory that `load_state_dict` brings.

The question this file answers: *can this be learned with, and does it fit?*
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..core.graph import Node, leaf
from ..core.words import describe
from ..errors import InputError, ShapeError
from ..nn.module import Module
from ..nn.options import number, yes_or_no
from .rules import Memory

AT_MOST_ONE = ("alpha", "dampening")  # parts of a running average
FLAGS = ("nesterov", "centered", "amsgrad", "eps_inside_root")


def checked(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options of a rule, if they can be: numbers as plain floats, which leave a parameter its
    type."""
    found = dict(options)
    for name, value in options.items():
        if name == "betas":
            found[name] = two_betas(value, where)
        else:
            check = yes_or_no if name in FLAGS else within
            found[name] = check(value, name, where)
    return found


def within(value: Any, name: str, where: str) -> float:
    """An option that is a finite number of at least 0, and alpha one of at most 1."""
    return number(value, name, where, least=0.0, most=1.0 if name in AT_MOST_ONE else np.inf)


def two_betas(betas: Any, where: str) -> tuple[float, float]:
    """The two betas of Adam, each from 0 to below 1."""
    pair = isinstance(betas, (tuple, list, np.ndarray)) and len(betas) == 2
    found = tuple(number(b, "each of betas", where) for b in betas) if pair else ()
    if len(found) != 2 or not all(0 <= b < 1 for b in found):
        raise InputError(f"expected two betas from 0 to below 1, got {betas!r}", where=where)
    return found[0], found[1]


def fitting(memory: Any, name: str, p: Any, where: str) -> None:
    """Raise unless what is remembered of a parameter has its shape, or is a count."""
    if not isinstance(memory, Mapping):
        raise InputError(f"expected the memory of {name} as a dict, got {type(memory).__name__}",
                         where=where)
    for key, x in memory.items():
        if np.ndim(x) and np.shape(x) != np.shape(p.value):
            raise ShapeError(f"expected {key} of {name} in shape {np.shape(p.value)}, got "
                             f"{np.shape(x)}", where=where)


def like_parameter(x: Any, p: Any) -> Any:
    """What is remembered of a parameter, in its type: float64 from a file would turn float32 into
    float64. A count stays a count."""
    if np.ndim(x):
        return np.asarray(x).astype(p.value.dtype, copy=False)
    return x if isinstance(x, (int, np.integer)) else float(x)


def without(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options but one."""
    return {key: value for key, value in options.items() if key != name}


def same_keys(given: Any, expected: Mapping[str, Any], what: str, where: str) -> None:
    """Raise `InputError` unless `given` is a dict with exactly these keys."""
    if not isinstance(given, Mapping):
        raise InputError(f"expected {what} as a dict, got {type(given).__name__}", where=where)
    if set(given) != set(expected):
        raise InputError(f"expected {what} {', '.join(expected)}, got "
                         f"{', '.join(map(str, given)) or 'none'}", where=where)


def copied(memory: Mapping[str, Memory], names: Iterable[str]) -> dict[str, Memory]:
    """The memory of these parameters, with arrays of its own."""
    return {name: {key: np.copy(x) if isinstance(x, np.ndarray) else x
                   for key, x in memory[name].items()} for name in names}


def named(params: Any, where: str) -> dict[str, Any]:
    """The parameters by name: those of a Module, a dict as it is, others numbered."""
    if isinstance(params, Module):
        found = dict(params.named_parameters())
    elif isinstance(params, Mapping):
        found = {str(name): p for name, p in params.items()}
    elif isinstance(params, Iterable) and not isinstance(params, Node):
        found = {str(i): p for i, p in enumerate(params)}
    else:
        raise InputError(f"expected a Module, a dict or an iterable of parameters, got "
                         f"{type(params).__name__}", where=where)
    for p in found.values():
        if not isinstance(p, Node) or p.op is not leaf:
            raise InputError(f"expected parameters (leaves with requires_grad=True), got "
                             f"{describe(p) if isinstance(p, Node) else type(p).__name__}",
                             where=where)
    if not found or len(set(found.values())) < len(found):
        raise InputError("expected at least one parameter, and each once", where=where)
    return found
