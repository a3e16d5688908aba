"""Names: the ids of what is drawn, told by where it stands in the graph.

The question this file answers: *how is the same thing found again in the next drawing?*

`t2.h`, `W_hh`, `encoder.t1.linear.2`: never the number of an object in memory, so the same program
gives the same ids.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 120
WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "over", "@": "matmul", "**": "power",
         "Σ": "sum", "[]": "slice"}


class Names:
    """Ids from the position in the graph: `t2.h`, `W_hh`, `t1.linear.2`; never twice the same."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    def give(self, name: str, step: int | None = None, scope: str = "", part: str = "") -> str:
        """An id of letters, digits and _, its parts joined by dots; one that is taken gets a
        number."""
        parts = place(step, scope), safe(name), part
        return self.unique(".".join(filter(None, parts))[:LONGEST])

    def unique(self, wanted: str) -> str:
        """`wanted`, or `wanted.2` and so on if it is taken."""
        name, taken = wanted, self.taken
        while name in taken:
            taken[wanted] += 1
            name = f"{wanted}.{taken[wanted]}"
        taken[name] = 1
        return name


@lru_cache(1 << 10)
def place(step: int | None, scope: str) -> str:
    """A step and a scope as part of an id: t2.encoder.layer."""
    parts = ["" if step is None else f"t{step}", *map(safe, scope.split("/"))]
    return ".".join(filter(None, parts))


@lru_cache(1 << 12)
def safe(name: str) -> str:
    """A user's word as part of an id: what is not a letter or a digit becomes _."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name[:40])
