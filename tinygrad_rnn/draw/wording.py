"""Wording: the name of a node, what it is worth, and where it was made, as the picture says them.

The question this file answers: *how is a node called in the picture?*
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.parts import norm
from . import style
from .labels import Run, Text, clean, minus, number, roman, symbol

FEW = 3  # entries of a list of indices that are written out
ALIASES = {"[]": "[{}]", "T": "ᵀ", "reshape": ""}  # what each adds to the name


def worth(value: Any) -> str:
    """A value for a tooltip: the number, or shape and norm."""
    sizes = () if type(value) is float else np.shape(value)
    if not sizes:
        return number(value)
    return f"shape {times(sizes)}, ‖·‖ = {number(norm(np.asarray(value, float)))}"


def shape(value: Any) -> str:
    """A shape as on paper: 3 × 4."""
    return times(np.shape(value))


@lru_cache(1 << 10)
def times(sizes: tuple[int, ...]) -> str:
    """The same of its sizes."""
    return " × ".join(map(str, sizes)) or "a number"


def where(node: Node) -> str:
    """The step and scope, for a tooltip."""
    return place(node.at.step, node.at.scope)


@lru_cache(1 << 10)
def place(step: int | None, scope: str) -> str:
    """The same of these two."""
    said = ["" if step is None else minus(f"step {step}"), clean(scope, 60)]
    return ", ".join(filter(None, said))


def name_of(node: Node, step: int | None = None, bold: bool = False) -> Text:
    """The name of a node with its step; what a nameless one is: its number, its op, or a leaf.
    Never its shape: 2 × 3 beside an operation reads as a product."""
    if node.name is not None:
        return symbol(node.name, node.step if step is None else step, bold)
    if node.is_leaf:
        return roman(single(node) or ("leaf" if node.requires_grad else "given"))
    return roman(style.SYMBOLS.get(node.op.name, node.op.name))


def single(node: Node) -> str:
    """The number that a leaf is, or that all entries of a given array are; nothing if they are
    several."""
    value = node.value
    if np.ndim(value) == 0:
        return number(value)
    flat = np.asarray(value).reshape(-1)
    alike = not node.requires_grad and len(flat) and flat.dtype.kind in "iuf"
    return number(flat[0]) if alike and (flat == flat[0]).all() else ""


def index_text(index: Any) -> str:
    """A slice as it is typed."""
    parts = index if isinstance(index, tuple) else (index,)
    words = []
    for part in parts:
        if isinstance(part, slice):
            ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
            words.append(":".join(ends[:2] if part.step is None else ends))
        elif np.ndim(part):
            few = np.size(part) <= FEW and np.ndim(part) == 1
            words.append(f"[{', '.join(map(str, np.asarray(part).tolist()))}]" if few else "…")
        else:
            words.append("…" if part is ... else str(part))
    return ", ".join(words)


def part_of(node: Node) -> str:
    """What a nameless part of something is called: W[0], Wᵀ; nothing if it is none."""
    signs, x = list[str](), node
    while x.name is None and x.a is not None and len(signs) < FEW and x.op.name in ALIASES:
        index = index_text((x.params or {}).get("index")) if x.op.name == "[]" else ""
        signs.append(ALIASES[x.op.name].format(index))
        x = x.a
    return "" if x is node or x.name is None else clean("".join([x.name, *reversed(signs)]))


def unnamed_root(node: Node, nodes: Iterable[Node]) -> Text:
    """What a root without a name is called: L, as in the ledger; if the user has an L already, the
    result; and what a backward pass made, the gradient."""
    if node.phase == "backward":
        return roman("gradient")
    taken = any(x.step is None for x in [x for x in nodes if x.name == "L"] if x is not node)
    return roman("result") if taken else (Run("L", "i"),)


def has_digit(name: str | None) -> bool:
    """Whether a name brings its own number: x0, x[0]."""
    return name is not None and name.removesuffix("]")[-1:].isdigit()
