"""States: one node, or several in a (named) tuple, a list or a dict; and a function applied to all.

The question this file answers: *what can be carried from step to step?*
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def mapped(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """`function` applied to every part of a state, or to the parts of several that are alike."""
    if isinstance(first, dict):
        return {k: mapped(function, first[k], *(o and o[k] for o in others)) for k in first}
    if not isinstance(first, (tuple, list)):
        return function(first, *others)
    rows = [[None] * len(first) if other is None else list(other) for other in others]
    parts = [mapped(function, *column) for column in zip(first, *rows)]
    if hasattr(first, "_fields"):
        return type(first)(*parts)
    return type(first)(parts)


def parts_of(state: Any) -> list[Any]:
    """The parts of a state, from left to right."""
    found: list[Any] = []
    mapped(found.append, state)
    return found
