"""The ledger: one row for every use of a shared weight, with what this use gave to its gradient.

The question this file answers: *what did each step contribute, and what is the sum so far?*

A weight used at T steps gets T contributions, dL/dW = sum over t of (dL/dW through its use at step
t). Each is kept as what it was made of (the gradient that arrived, and the use) and computed when
somebody looks, one row at a time: a long ledger does not hold T matrices.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from ..core.graph import Node
from ..core.parts import norm
from ..core.words import describe
from .contribution import Contribution, RunningSum, accumulate
from .table import Cells, Table, without_empty

if TYPE_CHECKING:
    from .flow import GradientFlow

FEW = 1_000_000  # numbers in all: that many a ledger keeps once somebody has looked at them


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


class Ledger(Table, Sequence[Row]):
    """Every contribution to one node's gradient, in the order in which they were added (last use
    first).

    If `.grad` already held something, the first row says so ("carried in", with the number of the
    last backward call in it), and `running` ends at the new `.grad`. Of a flow that kept norms, a
    row has its norm, and the arrays and what is computed from them are None (NaN for `share`).

    Rows are built by the calls that the engine made, on the same numbers in the same order, so that
    `running` ends at the total to the bit. A rule or a product that answers otherwise when it is
    asked again is found out: `off` is how far from the total the rows ended (0.0), and the table
    says so.
    """

    off = 0.0

    def __init__(self, node: Node, root: str, entries: list[Contribution], carried: Any = None,
                 wrong: str = "", *, flow: GradientFlow | None = None) -> None:
        self.node, self.root, self.entries, self.carried = node, root, entries, carried
        self.wrong = wrong  # the mistake that was made on purpose
        self.flow = flow
        self.call = 1 if flow is None else flow.calls.get(node, 1)
        self.norms_only = any(e.size is not None for e in entries)

    @cached_property
    def total(self) -> Any:
        """The sum of the contributions of this flow: what it added to `.grad`, bit for bit."""
        if self.flow is not None and (self.norms_only or self.node in self.flow.totals):
            return self.flow.gradient(self.node)
        return accumulate(self.node, self.entries)

    def rows_at(self, wanted: Iterable[int]) -> Iterator[Row]:
        """The rows at these places, in ascending order; the others are added up, and no more."""
        places = iter([*wanted, -1])
        place, first = next(places), 0
        if self.carried is not None:
            if place == 0:
                carried = self.carried
                yield Row(self.call - 1, "carried in", None, "", "", carried, norm(carried),
                          math.nan, carried)
                place = next(places)
            first = 1
        size = 0.0 if self.norms_only else norm(self.total)
        along = self.total / size if size else None
        part, added = RunningSum(), 0
        while place >= 0:
            e = self.entries[place - first]
            where = self.call, self.root, e.step, e.node.scope, e.op
            if self.norms_only:
                yield Row(*where, None, e.norm(), math.nan, None)
            else:
                for use in self.entries[added : place - first + 1]:
                    part.add(use)
                added, c, running = place - first + 1, e.array(), part.lent()
                if added == len(self.entries) and not self.wrong:
                    self.off = difference(running, self.total)
                running = running if self.carried is None else self.carried + running
                share = float(np.vdot(c, along)) / size if size else 0.0
                yield Row(*where, c, norm(c), share, running)
            place = next(places)

    @cached_property
    def rows(self) -> list[Row]:
        """All rows at once, with contributions and running sums as arrays (floats for a `Value`):
        two arrays of the node's size for each. To go through a long ledger, iterate over it."""
        return list(self.rows_at(range(len(self))))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if "rows" in self.__dict__ or len(self) * np.size(self.node.value) <= FEW:
            return self.rows[index]
        places = range(len(self))[index]
        if isinstance(places, int):
            return next(self.rows_at([places]))
        found = list(self.rows_at(sorted(places)))
        return found if places.step > 0 else found[::-1]

    def __len__(self) -> int:
        return len(self.entries) + (self.carried is not None)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows) if "rows" in self.__dict__ else self.rows_at(range(len(self)))

    def to_numpy(self) -> Any:
        """The contributions as one array: (rows, *shape of the node). Raises `GradientError` if
        the flow kept norms only."""
        carried = [] if self.carried is None else [self.carried]
        return np.stack([np.asarray(c) for c in (*carried, *(e.array() for e in self.entries))])

    def origins(self, places: Iterable[int]) -> list[str]:
        """Where the contributions at these places came from: "y_3" (above) and "h_4" (the future)
        for a hidden state h_3."""
        first, flow = self.carried is not None, self.flow
        return ["" if i < first or flow is None
                else flow.origin(self.node, self.entries[i - first].node) for i in places]

    # --- how it looks -----------------------------------------------------------------------------

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> Cells:
        """The table as text, header first: all rows, or those `shown`, with the columns that say
        something. "from" says of a computed node where a contribution came from."""
        places = range(len(self)) if shown is None else shown
        scalar = self.node.is_scalar
        head = ["call", "step", "scope", "op", "from",
                "contribution" if scalar else "‖contribution‖", "share",
                "running sum" if scalar else "‖running sum‖"]
        origins = [""] * len(places) if self.node.is_leaf else self.origins(places)
        body = []
        for row, origin in zip(self.rows_at(places), origins):
            number = row.contribution if scalar else row.norm
            running = row.running if scalar or row.running is None else norm(row.running)
            call = "" if self.carried is None else calls(row)
            share = "" if math.isnan(row.share) else f"{row.share:z.1%}"
            body.append([call, "" if row.step is None else str(row.step), row.scope,
                         row.op or row.root, origin, f"{number:.{digits}g}", share,
                         "" if running is None else f"{running:.{digits}g}"])
        return without_empty([head, *body], ["call", "step", "scope", "from", "share", head[-1]])

    @property
    def title(self) -> str:  # type: ignore[override]
        """What it is a table of."""
        name = self.name() if self.node.name else f"({self.name()})"
        title = f"∂{self.root}/∂{name}: one row per use, in the order they were added"
        return f"WRONG on purpose ({self.wrong}): {title}" if self.wrong else title

    def name(self) -> str:
        """The node's name, or what it is."""
        return self.node.label if self.node.name else describe(self.node)

    def notes(self) -> list[str]:
        """Where the running sum ends."""
        if self.carried is None:
            known = self.norms_only and self.flow is not None
            end = self.flow.norm(self.node) if known else self.total  # type: ignore[union-attr]
        else:
            end = self.carried + self.total
        size = f"{end:.6g}" if self.node.is_scalar else f"‖·‖ = {norm(end):.6g}"
        name = self.name()
        foot = f"sum = {name}.grad" if self.node.is_leaf and self.node.name else \
            f"sum = the gradient of {name}"
        beside = [f"the rows end beside it, off by {self.off:.1g}: something here gave other "
                  "numbers when it was asked again"] if self.off else []
        return [f"{foot}{' before its hooks' if self.node.hooks else ''}: {size}", *beside]

    def to_markdown(self) -> str:
        """The table as Markdown text; of a wrong pass under its warning."""
        table = super().to_markdown()
        return f"**WRONG on purpose: {self.wrong}**\n\n{table}" if self.wrong else table

    def to_csv(self) -> str:
        """Every row and every column as CSV text, to the last digit; of a wrong pass with the name
        of the mistake in every row."""
        scalar, mark = self.node.is_scalar, [self.wrong] if self.wrong else []
        head = ["call", "root", "step", "scope", "op", "contribution" if scalar else "norm",
                "share", "running" if scalar else "running_norm", *["wrong on purpose"] * len(mark)]
        body = []
        for row in self:
            running = row.running if scalar or row.running is None else norm(row.running)
            numbers = row.contribution if scalar else row.norm, row.share, running
            body.append([str(row.call), row.root, "" if row.step is None else str(row.step),
                         row.scope, row.op,
                         *("" if x is None or math.isnan(x) and x is row.share
                           else f"{x:.17g}" for x in numbers), *mark])
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([head, *body])
        return out.getvalue()


def difference(a: Any, b: Any) -> float:
    """How far apart two sums are; 0.0 for the same bits, NaN among them."""
    return 0.0 if np.array_equal(a, b, equal_nan=True) else norm(a - b) or math.ulp(0.0)


def calls(row: Row) -> str:
    """Which backward call a row belongs to; what was carried in may be the sum of several."""
    if row.root != "carried in":
        return str(row.call)
    return "by hand" if row.call < 1 else "1" if row.call == 1 else f"1 to {row.call}"
