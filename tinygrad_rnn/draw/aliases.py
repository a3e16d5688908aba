"""Aliases: transposes, reshapes and slices of what was given, which are no operations of a step.

The question this file answers: *is this slice a gate of a weight, or a step of a sequence?*
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import ops, walk
from ..core.graph import Node

if TYPE_CHECKING:
    from .survey import Survey


def find_aliases(found: Survey, aliases: list[Node]) -> None:
    """Fill `shown` and `slices`: gates are slices of a weight, the same at each step; the inputs
    x_t are slices of a sequence, another one at each step."""
    seen: dict[Node, dict[str, int | None]] = {}
    sequences: set[Node] = set()
    for node in aliases:
        if node.a is None or not walk.is_alias(node):
            continue
        source = found.shown.get(node.a, node.a)
        if source.op.rules:
            continue
        found.shown[node] = source
        if node.op is ops.getitem:
            indices = seen.setdefault(source, {})
            index = str((node.params or {}).get("index"))
            if indices and index not in indices and differs(node, indices):
                sequences.add(source)
            indices.setdefault(index, node.at.step)
    for node in [n for n, source in found.shown.items() if source in sequences]:
        del found.shown[node]
        found.slices.add(node)


def differs(node: Node, indices: dict[str, int | None]) -> bool:
    """Whether a new slice belongs to another step than the first one, or the steps are not told
    (None) and whole numbers pick the parts."""
    first = next(iter(indices.values()))
    if node.at.step is None and first is None:
        return isinstance((node.params or {}).get("index"), int)
    return node.at.step != first
