"""Whose gradients are asked for: the parameters of a module, of a dict or of a list, by name.

The question this file answers: *which gradients, and what are they called?*
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.graph import Node
from ..errors import InputError
from ..nn.module import Module


def targets(params: Any, call: str) -> dict[str, Node]:
    """Name -> leaf. Raises `InputError` for what wants no gradient, or is computed."""
    if isinstance(params, Module):
        found: dict[str, Node] = dict(params.named_parameters())
    elif isinstance(params, Mapping):
        found = {str(name): p for name, p in params.items()}
    else:
        given = [params] if isinstance(params, Node) or not isinstance(params, Iterable) else params
        found = {}
        for k, p in enumerate(given):
            if isinstance(p, Module):
                found |= targets(p, call)
                continue
            name = getattr(p, "name", None) or f"parameter {k}"
            found[name if name not in found else f"{name} ({k})"] = p
    for name, p in found.items():
        if not isinstance(p, Node):
            raise InputError(f"expected a model or its parameters, got {type(p).__name__}",
                             where=call)
        if not p.is_leaf or not p.requires_grad:
            raise InputError(f"expected parameters, leaves that want a gradient, got '{name}': "
                             f"{p!r}", where=call)
    if not found:
        raise InputError("expected at least one parameter, got none", where=call)
    return found
