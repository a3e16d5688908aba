"""What is asked for by name: an option, one of a few words, or a colour.

The question this file answers: *which words are there?*
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..core.graph import Node, released
from ..core.words import describe
from ..errors import InputError, UnsupportedError

P = ParamSpec("P")
R = TypeVar("R")


def options_of(view: Callable[P, R]) -> Callable[P, R]:
    """A view which says of an option that it does not have, which ones it has: not every option of
    one view means something in another. Raises `UnsupportedError`, which is a `TypeError`."""
    known = inspect.signature(view).parameters
    own = ", ".join(name for name, one in known.items() if one.default is not one.empty)

    @wraps(view)
    def asked(*args: P.args, **options: P.kwargs) -> R:
        for name in options:
            if name not in known:
                raise UnsupportedError(f"this view has no option {name!r}",
                                       where=f"draw.{view.__name__}()",
                                       fix=f"Its options are {own}")
        outside = {**np.geterr(), "call": np.geterrcall()}
        for name in ("node", "edge"):
            if callable(options.get(name)):
                options[name] = under(options[name], outside)
        with np.errstate(all="ignore"):  # Inf and NaN are drawn as what they are
            return view(*args, **options)

    return asked


def under(callback: Any, settings: dict[str, Any]) -> Callable[..., Any]:
    """A user's callback, with NumPy's floating-point warnings as the user has set them."""
    @wraps(callback)
    def called(*args: Any) -> Any:
        with np.errstate(**settings):
            return callback(*args)

    return called


def not_released(root: Node, where: str) -> None:
    """Raise `InputError` for a node whose graph was released: there is nothing left to draw."""
    if root.op is released:
        raise InputError(f"the graph of {describe(root)} was released: there is nothing to draw",
                         where=where, fix="Draw it first, and release it then")


def one_of(value: Any, known: tuple[str, ...], name: str, where: str) -> None:
    """Raise `InputError` unless an option is one of a few words."""
    if value not in known:
        raise InputError(f"expected {name} to be one of {', '.join(known)}, got {value!r}",
                         where=where)


def words_of(value: Any, name: str, where: str) -> list[Any]:
    """Some words; one alone is a list of one. Raises `InputError` for what is no list."""
    try:
        return [value] if isinstance(value, str) else list(value)
    except TypeError:
        raise InputError(f"expected {name} to be a list of words, got {value!r}",
                         where=where) from None


def colour_of(value: Any, name: str, where: str) -> str:
    """A colour as six digits. Raises `InputError` for anything else."""
    digits = value[1:] if isinstance(value, str) else ""
    if isinstance(value, str) and value[:1] == "#" and len(digits) == 6:
        try:
            int(digits, 16)
        except ValueError:
            pass
        else:
            return value
    raise InputError(f"expected {name} to be a colour like '#D55E00', got {value!r}", where=where)
