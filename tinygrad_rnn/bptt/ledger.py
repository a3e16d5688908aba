"""The ledger: one row for every use of a shared weight, with what this use gave to its gradient.

The question this file answers: *what did each step contribute, and what is the sum so far?*

A weight used at T steps gets T contributions, dL/dW = sum over t of (dL/dW through its use at step
t). Each is kept as what it was made of (the gradient that arrived, and the use) and computed when
somebody looks.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np

from ..core import ops
from ..core.backprop import local
from ..core.graph import Node
from ..core.parts import Part, norm, outer_norm
from ..core.words import describe


class Contribution:
    """What one use of a node sends to its gradient; computed when asked for.

    `node` is the operation that used it, `position` the operand, `g` the gradient that arrived at
    `node`. `aliases` are the transposes, reshapes and slices between the used operand and the node
    it shows. `part` is set where the operation spans many steps, and this is one of them.
    """

    __slots__ = ("node", "position", "g", "c", "aliases", "part")

    def __init__(self, node: Node, position: int, g: Any, c: Any,
                 aliases: tuple[Node, ...] = (), part: Part | None = None) -> None:
        self.node, self.position, self.g, self.c, self.aliases = node, position, g, c, aliases
        self.part = part

    @property
    def step(self) -> int | None:
        """The time step of the use."""
        return self.node.step if self.part is None else self.part.step

    @property
    def op(self) -> str:
        """What the use is called: the name of the operation."""
        return self.node.op.name if self.part is None else self.part.op or self.node.op.name

    def through(self, *aliases: Node) -> Contribution:
        """The same use, of what these aliases show."""
        return Contribution(self.node, self.position, self.g, self.c, aliases, self.part)

    def direct(self) -> Any:
        """The contribution in the shape of the operand that was used, alias or not."""
        if self.part is not None:
            return self.part.array(self.node.values[self.position])
        return local(self.node, self.position, self.g) if self.c is None else self.c

    def array(self) -> Any:
        """The contribution in the shape of the node whose gradient it belongs to."""
        c = self.direct()
        for alias in reversed(self.aliases):
            c = local(alias, 0, c)
        return c

    def norm(self) -> float:
        """The Euclidean norm. For a weight in `linear` the H x H array is not built for it. (An
        alias moves entries around and changes none.)"""
        if self.part is not None:
            return self.part.norm(self.node.values[self.position])
        if self.c is None and self.node.op is ops.linear and self.position == 1:
            return outer_norm(self.g, self.node.u)
        return norm(self.direct())

    def add_into(self, total: Any) -> Any:
        """`total` plus this contribution, in place where that saves building it."""
        if len(self.aliases) == 1 and self.aliases[0].op is ops.getitem:
            ops.scatter_into(total, self.direct(), self.aliases[0].params["index"])  # type: ignore[index]
            return total
        return total + self.array()


class Row(NamedTuple):
    """One line of a ledger: which use, at which step, gave what. `share` is the part of the total
    along the total (the shares add up to 1; a negative one pulls the other way)."""

    call: int
    root: str
    step: int | None
    scope: str
    op: str
    contribution: Any
    norm: float
    share: float
    running: Any


class Ledger(Sequence[Row]):
    """Every contribution to one node's gradient, in the order in which they were added (last use
    first)."""

    def __init__(self, node: Node, root: str, entries: list[Contribution],
                 carried: Any = None, wrong: str = "") -> None:
        self.node, self.root, self.entries, self.carried = node, root, entries, carried
        self.wrong = wrong  # the mistake that was made on purpose

    @cached_property
    def total(self) -> Any:
        """The sum of the contributions of this flow: what it added to `.grad`, bit for bit."""
        return accumulate(self.node, self.entries)

    @cached_property
    def rows(self) -> list[Row]:
        """The rows, with contributions and running sums as arrays (floats for a `Value`)."""
        size = float(np.vdot(self.total, self.total))
        rows, running = [], None
        if self.carried is not None:
            running = self.carried
            rows.append(Row(0, "carried in", None, "", "", running, norm(running), math.nan,
                            running))
        part = None
        for e in self.entries:
            c = e.array()
            part = c if part is None else part + c
            running = part if self.carried is None else self.carried + part
            share = float(np.vdot(c, self.total)) / size if size else 0.0
            where = e.step, e.node.scope, e.op
            rows.append(Row(1, self.root, *where, c, norm(c), share, running))
        return rows

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.entries) + (self.carried is not None)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def to_numpy(self) -> Any:
        """The contributions as one array: (rows, *shape of the node)."""
        return np.stack([np.asarray(row.contribution) for row in self.rows])

    def cells(self, digits: int = 4) -> list[list[str]]:
        """The table as text, header first: step, scope, op, contribution or its norm, share,
        running."""
        scalar = self.node.is_scalar
        head = ["step", "scope", "op", "contribution" if scalar else "‖contribution‖", "share",
                "running sum" if scalar else "‖running sum‖"]
        body = []
        for row in self.rows:
            shown = row.contribution if scalar else row.norm
            running = row.running if scalar else norm(row.running)
            share = "" if np.isnan(row.share) else f"{row.share:z.1%}"
            body.append(["" if row.step is None else str(row.step), row.scope, row.op or row.root,
                         f"{shown:.{digits}g}", share, f"{running:.{digits}g}"])
        empty = {i for i in (0, 1) if not any(line[i] for line in body)}  # no steps, no scopes
        return [[cell for i, cell in enumerate(line) if i not in empty] for line in [head, *body]]

    def to_csv(self) -> str:
        """The table as CSV text."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(self.cells(17))
        return out.getvalue()

    def to_markdown(self) -> str:
        """The table as Markdown text."""
        head, *body = [[cell.replace("|", "\\|") for cell in line] for line in self.cells()]
        lines = [head, ["---:"] * len(head), *body]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def __str__(self) -> str:
        lines = self.cells()
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        text = ["  ".join(cell.rjust(w) for cell, w in zip(line, widths)) for line in lines]
        rule = "─" * len(text[0])
        name = self.node.label if self.node.name else describe(self.node)
        end = None if self.node.is_scalar else norm(self.rows[-1].running)
        shown = f"‖·‖ = {end:.6g}" if end is not None else f"{self.rows[-1].running:.6g}"
        foot = f"sum = {name}.grad" if self.node.is_leaf else f"sum = the gradient of {name}"
        foot += " before its hooks" if self.node.hooks else ""
        title = f"∂{self.root}/∂{name}: one row per use, in the order they were added"
        title = f"WRONG on purpose ({self.wrong}): {title}" if self.wrong else title
        return "\n".join([title, text[0], rule, *text[1:], rule, f"{foot}: {shown}"])

    __repr__ = __str__


def accumulate(node: Node, entries: list[Contribution]) -> Any:
    """The sequential sum of contributions, in their order."""
    if not entries:
        return 0.0 if node.is_scalar else np.zeros_like(node.value)
    sliced = [e for e in entries if len(e.aliases) == 1 and e.aliases[0].op is ops.getitem]
    total = np.zeros_like(node.value) if sliced else None
    for e in entries:
        total = e.array() if total is None else e.add_into(total)
    return total
