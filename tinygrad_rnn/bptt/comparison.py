"""The ledger of a wrong backward pass beside the right one.

The question this file answers: *which row went wrong?*
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.parts import norm
from .contribution import Contribution
from .ledger import Ledger
from .mistakes import Mistake
from .table import Cells, Table, wrapped

SMALL = 1e-12  # a relative difference up to this is rounding


class Comparison(Ledger):
    """The ledger of a WRONG backward pass: its rows, beside those of the right one (`.right`)."""

    def __init__(self, node: Node, root: str, entries: list[Contribution],
                 right: list[Contribution], mistake: Mistake) -> None:
        super().__init__(node, root, entries, wrong=mistake.name)
        self.right, self.mistake = Ledger(node, root, right), mistake

    def pairs(self) -> list[tuple[Contribution, Any, Any]]:
        """(use, right contribution, wrong contribution) for every row; None where one has none."""
        wrong: dict[tuple[Node, int], list[Any]] = {}
        for e in self.entries:
            wrong.setdefault((e.node, e.position), []).append(e.array())
        found: list[tuple[Contribution, Any, Any]] = []
        for e in self.right.entries:
            mine = wrong.get((e.node, e.position), [])
            found.append((e, e.array(), mine.pop(0) if mine else None))
        for e in self.entries:
            found += [(e, None, c) for c in wrong.pop((e.node, e.position), [])]
        return found

    @property
    def wrong_rows(self) -> list[bool]:
        """For every row, whether it is wrong."""
        size = max([norm(good) for _, good, _ in self.pairs() if good is not None], default=0.0)
        return [bad is None or good is None or norm(bad - good) > SMALL * size
                for _, good, bad in self.pairs()]

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> Cells:
        """The table as text, header first: step, scope, op, right, wrong, and a cross where they
        differ."""
        sign = "{}" if self.node.is_scalar else "‖{}‖"
        head = ["step", "scope", "op", sign.format("right"), sign.format("wrong"), ""]
        body = []
        rows = list(zip(self.pairs(), self.wrong_rows))
        for (e, good, bad), off in rows if shown is None else [rows[i] for i in shown]:
            body.append(["" if e.step is None else str(e.step), e.node.scope, e.node.op.name,
                         self.number(good, digits), self.number(bad, digits), "✗" if off else ""])
        empty = {i for i in (0, 1) if not any(line[i] for line in body)}
        return [[cell for i, cell in enumerate(line) if i not in empty] for line in [head, *body]]

    def number(self, c: Any, digits: int) -> str:
        """A contribution, or its norm."""
        if c is None:
            return "–"
        return f"{c:.{digits}g}" if self.node.is_scalar else f"{norm(c):.{digits}g}"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The warning, and what it is a table of."""
        what = f"∂{self.root}/∂{self.name()}"
        return f"{banner(self.mistake)}\n{what}, right and wrong: one row per use"

    def notes(self) -> list[str]:
        """What should come out, and what does."""
        good, bad = self.right.total, self.total
        off, size = norm(bad - good), norm(good)
        last = f"sum: {self.number(good, 6)} is right, {self.number(bad, 6)} comes out"
        if not np.isfinite(size):
            return [f"{last}. Nothing can be compared: the right one has NaN or Inf"]
        if off <= SMALL * size:
            return [f"{last}. The mistake does not show in {self.name()}: it takes "
                    f"{self.mistake.needs}"]
        return [last + (f", off by {off / size:.1%}" if size else "")]

    def __str__(self) -> str:
        return "\n".join([self.title, *laid_out(self.cells()), *wrapped(self.notes())])

    __repr__ = __str__

    def __len__(self) -> int:
        return len(self.pairs())

    def to_csv(self) -> str:
        """Right and wrong as CSV text."""
        return Table.to_csv(self)


def banner(mistake: Mistake) -> str:
    """What stands above everything that comes of a mistake."""
    return f"WRONG on purpose: {mistake.name}"


def laid_out(lines: list[list[str]], left: int = 0) -> list[str]:
    """Cells in columns, the first `left` ones to the left, with a rule below the head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(w) if i < left else cell.rjust(w)
                      for i, (cell, w) in enumerate(zip(line, widths))).rstrip() for line in lines]
    return [text[0], "─" * max(map(len, text)), *text[1:]]
