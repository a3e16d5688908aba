"""The arrays that somebody's function works with, besides those it is given.

The question this file answers: *what are the targets, if nobody names them?*

A forward pass takes its targets from where it was defined: from a closure, an attribute, a default,
a global name. They are looked up there, and only read. What they mean is decided by numbers.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node, operands_of
from .structure import leaves

MOST = 40  # functions and objects that are looked into, and arrays that are kept


def arrays_seen_by(function: Callable[..., Any]) -> list[Any]:
    """The arrays of numbers that the function can see, nearest first."""
    found: list[Any] = []
    waiting: list[Any] = [function]
    known = set[int]()
    for x in waiting:
        if id(x) in known or len(known) > MOST:
            continue
        known.add(id(x))
        if isinstance(x, (types.FunctionType, types.MethodType, functools.partial)):
            waiting += list(around(x))
            continue
        if hasattr(x, "__dict__") and not isinstance(x, (type, types.ModuleType, Node)):
            x = vars(x)
        found += numbers_in(x)
    return found[:MOST]


def around(function: Any) -> Iterable[Any]:
    """What a function has around it: closure, defaults, its object, its globals by name."""
    if isinstance(function, functools.partial):
        return [function.func, *function.args, *function.keywords.values()]
    if isinstance(function, types.MethodType):
        return [function.__self__, function.__func__]
    near = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        if hasattr(cell, "cell_contents"):
            near.append(cell.cell_contents)
    names = function.__code__.co_names
    return near + [function.__globals__[n] for n in names if n in function.__globals__]


def numbers_in(x: Any) -> list[Any]:
    """The arrays in a structure; a list of whole numbers is one."""
    if isinstance(x, (list, tuple)) and x and all(type(i) is int for i in x):
        return [np.array(x)]
    if not isinstance(x, (dict, list, tuple, np.ndarray, Node)):
        return []
    found = []
    for part in leaves(x).values():
        value = part.value if isinstance(part, Node) else part
        if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.ndim:
            found.append(value)
        elif isinstance(part, (list, tuple)):
            found += numbers_in(part)
    if isinstance(x, dict):
        found += [a for part in x.values() if isinstance(part, (list, tuple))
                  for a in numbers_in(part) if a.dtype.kind == "i"]
    return found


def constants_of(loss: Any) -> list[Any]:
    """The arrays that a graph was made with and that nothing is differentiated by."""
    if not isinstance(loss, Node):
        return []
    found = []
    for node in walk.nodes(loss):
        for x, value in zip(operands_of(node)[:node.arity], node.values):
            if x is None and isinstance(value, np.ndarray) and value.ndim:
                found.append(value)
    return found[:MOST]
