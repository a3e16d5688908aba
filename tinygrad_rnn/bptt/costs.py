"""What each of the three ways took, and how far their gradients are apart.

The question this file answers: *which way costs how much, and do they agree?*
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .table import Table

Gradients = dict[str, Any]
WAYS = ("BPTT", "real time", "differences")
EXACT = 12  # more digits than that are not for the eye


class Way(NamedTuple):
    """One way over one length: gradients by name, multiplications and numbers kept from step to
    step as counted, seconds and peak bytes as measured (None if they were not)."""

    T: int
    name: str
    gradients: Gradients
    multiplications: int
    kept: int
    seconds: float | None
    bytes: int | None


class ThreeWays(Table):
    """What `three_ways` found: `rows`, a `Way` for every length and way; prints as a table."""

    title = "Three ways to one gradient"

    def __init__(self, rows: list[Way]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def way(self, name: str, T: int | None = None) -> Way:
        """The row of "BPTT", "real time" or "differences" for a length, the longest if not
        given."""
        T = self.rows[-1].T if T is None else T
        for row in self.rows:
            if row.name == name and row.T == T:
                return row
        raise InputError(f"expected one of {', '.join(WAYS)} and a T of "
                         f"{sorted({row.T for row in self.rows})}, got {name!r}, {T!r}",
                         where="three_ways")

    def difference(self, row: Way) -> float:
        """The largest difference of an entry from the gradient of BPTT, relative to the largest
        entry."""
        right = self.way("BPTT", row.T).gradients
        size = max(float(np.max(abs(np.asarray(g)), initial=0.0)) for g in right.values())
        off = max(float(np.max(abs(np.asarray(row.gradients[name]) - g), initial=0.0))
                  for name, g in right.items())
        return off / size if size else off

    @property
    def agreement(self) -> dict[str, float]:
        """The largest difference of each way from BPTT, over all lengths."""
        return {name: max(self.difference(row) for row in self.rows if row.name == name)
                for name in WAYS[1:]}

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> list[list[str]]:
        """The table as text, a line for each length and way; plain numbers where all digits are
        asked for."""
        timed = self.rows[0].seconds is not None
        head = ["T", "way", "difference", "multiplications", "numbers kept",
                *(["ms", "peak KB"] if timed else [])]
        rows = self.rows if shown is None else [self.rows[i] for i in shown]
        return [head, *(self.line(row, digits) for row in rows)]

    def line(self, row: Way, digits: int) -> list[str]:
        """The cells of a row."""
        off = "" if row.name == "BPTT" else self.difference(row)
        measured = [] if row.seconds is None or row.bytes is None else \
            [1e3 * row.seconds, row.bytes / 1e3]
        if digits > EXACT:
            return [str(x) for x in (row.T, row.name, off, row.multiplications, row.kept,
                                     *measured)]
        return [str(row.T), row.name, off if isinstance(off, str) else f"{off:.0e}",
                f"{row.multiplications:,}", f"{row.kept:,}",
                *(f"{x:,.{1 - k}f}" for k, x in enumerate(measured))]

    def notes(self) -> list[str]:
        """What the counts say."""
        back, forward = self.way("BPTT"), self.way("real time")
        weights = sum(int(np.size(g)) for g in back.gradients.values())
        return [f"{weights:,} weight{'s' * (weights != 1)}. Real time takes "
                f"{forward.multiplications / back.multiplications:.3g} times the multiplications "
                f"of BPTT, and keeps {forward.kept:,} numbers at any T"]
