"""By way of a sequence: the uses of its steps that are uses of the whole.

The question this file answers: *what are the rows of y, if the head went past it to every h_t?*

See `core/taken.py`: whoever takes a sequence apart leaves its number on what is made of the steps.
"""

from __future__ import annotations

from typing import Any

from ..core import ops
from ..core.graph import Node, operands_of
from ..core.place import at
from ..core.taken import was_taken
from .contribution import Contribution
from .recording import Recording


def by_way(y: Any, recording: Recording) -> dict[Node, list[Contribution]]:
    """All uses of a sequence, last first, if some are uses of its steps by who took it apart; these
    show through a slice y[t]. Nothing for any other node."""
    if not isinstance(y, Node) or not was_taken(y):
        return {}
    found = list[Contribution]()
    for t, x in enumerate(operands_of(y)):
        uses = [] if x is None else recording.get(x, [])
        uses = [e for e in uses if y.order in e.node.at.taking and e.node is not y]
        if uses:
            with at(y.at.but(recording=True, watchers=())):
                slice_t = ops.getitem(y, index=t)
            found += [e.through((slice_t, *e.aliases)) for e in uses]
    if not found:
        return {}
    found += recording.get(y, [])
    return {y: sorted(found, key=lambda e: -e.node.order)}
