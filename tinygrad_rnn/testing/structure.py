"""Inputs, outputs and gradients as a program passes them: an array, a tuple, a dict, or these in
each other.

The question this file answers: *which array is which, when they come as one object?*

Every array in it has a name: its key in a dict, `[0]` in a tuple, `x[0].W` deeper down. What can be
differentiated is a float or an array of floats; whole numbers, truth values and None are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.graph import Node
from ..errors import InputError

Matched = tuple[dict[str, Any], dict[str, Any], bool]
ALONE = "input"  # the name of an array that is given alone


def asked(where: str, *functions: Any, seed: Any = 0, axis: Any = 0) -> None:
    """What every check asks of its arguments. Raises `InputError` in words of the caller."""
    for f in functions:
        if not callable(f):
            fix = "Give the function that computes it: lambda: loss(...)" if isinstance(f, Node) \
                else ""
            raise InputError(f"expected a function, got {outline(f)}", where=where, fix=fix)
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"seed must be a whole number, 0 or more, got {seed!r}", where=where)
    if axis not in (0, 1, 2):
        raise InputError(f"time_axis must be 0, 1 or 2, an axis of arrays of three dimensions, got "
                         f"{axis!r}", where=where)


def parts(x: Any) -> list[tuple[str, Any]] | None:
    """The members of a dict, list or tuple with the ends of their names; None for anything
    else."""
    if isinstance(x, Mapping):
        return [(f".{key}", part) for key, part in x.items()]
    if hasattr(x, "_fields"):
        return [(f".{key}", part) for key, part in zip(x._fields, x)]
    if isinstance(x, (list, tuple)):
        return [(f"[{i}]", part) for i, part in enumerate(x)]
    return None


def leaves(x: Any, name: str = "") -> dict[str, Any]:
    """Whatever is no dict, list or tuple, by name, in order."""
    members = parts(x)
    if members is None:
        return {name.lstrip(".") or ALONE: x}
    found = dict[str, Any]()
    for end, part in members:
        found.update(leaves(part, name + end))
    return found


def rebuilt(x: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    """The same structure with every leaf changed: `change(name, leaf)`."""
    members = parts(x)
    if members is None:
        return change(name.lstrip(".") or ALONE, x)
    changed = [rebuilt(part, change, name + end) for end, part in members]
    if isinstance(x, Mapping):
        return dict(zip(x, changed))
    return x._make(changed) if hasattr(x, "_make") else type(x)(changed)


def is_float(x: Any) -> bool:
    """Whether there is a derivative with respect to it."""
    if isinstance(x, Node):
        x = x.value
    return isinstance(x, float) or isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f"


def outline(x: Any) -> str:
    """How messages speak of a structure."""
    kind = type(x).__name__
    if isinstance(x, Mapping):
        return f"a {kind} with the keys {', '.join(map(str, x)) or '(none)'}"
    if isinstance(x, (list, tuple)):
        return f"a {kind} of {len(x)}"
    return f"an array of shape {x.shape}" if isinstance(x, np.ndarray) else f"a {kind}"


def matched(inputs: Any, wanted: dict[str, Any], given: Any) -> Matched | None:
    """The gradients in `given` by the names of the inputs they belong to, what else is in it, and
    whether they were taken in order, names missing; None if the two structures do not go together.

    In a dict the gradient of W may be called W, dW, d_W or grad_W.
    """
    if not isinstance(given, (Mapping, list, tuple)):
        return ({next(iter(wanted)): given}, {}, False) if len(wanted) == 1 else None
    if isinstance(given, Mapping) or hasattr(given, "_fields"):
        if not isinstance(inputs, Mapping) and not hasattr(inputs, "_fields"):
            return None
        others = leaves(given)
        found = dict[str, Any]()
        for name in wanted:
            for alias in (name, f"d{name}", f"d_{name}", f"grad_{name}"):
                if alias in others:
                    found[name] = others.pop(alias)
                    break
        return found, {name: x for name, x in others.items() if name not in leaves(inputs)}, False
    members = leaves(given)
    if list(members) == list(leaves(inputs)):  # the same structure, whole numbers included
        return {name: members[name] for name in wanted}, {}, False
    if len(given) == len(wanted) and len(members) == len(wanted):
        return dict(zip(wanted, given)), {}, isinstance(inputs, Mapping)
    return None
