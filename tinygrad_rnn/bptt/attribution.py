"""Attribution: which loss got which part of its gradient through which use of a weight.

The question this file answers: *how far back does each loss see?*

A cell of the table is dL_t/dW through its use at step k. A row adds up to the gradient of its loss,
and a column to what the use at its step contributes to the sum of all losses. One walk back
through the graph gives all rows (`stacks.py`), and plain walks check the sums (`audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.parts import norm
from ..core.words import describe
from ..errors import GradientError, InputError
from ..nn.fused_open import told_apart
from .audit import audit
from .stacks import Use, steps_of, walk
from .table import Cells, Table, narrowed

MOST = 4_000_000  # numbers at once


class Attribution(Table):
    """The table of dL_t/dW through the use of W at step k. Made by `flow.attribution(W, losses)`.

    `loss_steps` are the rows and `steps` the columns; a step at which W is used several times is
    one column. `norms` (losses, steps) are the sizes of the cells, and `array(t, k)` is one of
    them. `error` is the largest difference found between the sums of rows and columns and the
    gradients that a plain walk gives, relative to the sum of their cells' norms: at most 1e-12, or
    where sums cancel on the way, what rounding comes to when it is magnified `condition` times (see
    `audit.py`). It is None where hooks forbid to compare.
    """

    def __init__(self, W: Node, losses: Sequence[Node], keep: str) -> None:
        self.W, self.losses, self.keep = W, list(losses), keep
        given = [loss.step for loss in self.losses]
        unique = None not in given and len(set(given)) == len(given)
        self.loss_steps = given if unique else list(range(1, len(given) + 1))
        self.uses = walk(W, self.losses)
        stamped = any(s is not None for use in self.uses for s in steps_of(use))
        self.columns: dict[Any, list[tuple[Use, int | None]]] = {}  # the uses at a step
        for number, use in enumerate(self.uses, 1):  # oldest first
            for step in steps_of(use):
                self.columns.setdefault(step if stamped else number, []).append((use, step))
        self.columns = dict(sorted(self.columns.items(), key=lambda c: (c[0] is None, c[0] or 0)))
        self.steps = list(self.columns)
        self.norms = np.zeros((len(self.losses), len(self.steps)))
        self.sums = np.zeros((len(self.losses), *np.shape(W.value)))
        rng = np.random.default_rng(0)
        self.weights = np.stack([np.ones(len(given)), rng.uniform(0.5, 1.5, len(given))])
        self.column_sums = np.zeros((2, len(self.steps), *np.shape(W.value)))
        self.told: dict[Any, dict[int | None, Any]] = {}
        self.fill()
        self.error, self.condition = audit(self)
        self.title = f"‖∂L_t/∂{W.label} through its use at step k‖"
        self.told.clear()
        if keep == "norms":
            self.uses, self.columns = [], {}

    def fill(self) -> None:
        """The norm of every cell, the sum of every row, and the sums of every column with the
        weights of the check."""
        wide = any(use.node.op.parts is not None for use in self.uses)  # all its columns at once
        size = max(1, MOST // max(1, np.size(self.W.value) * (len(self.steps) if wide else 1)))
        for i in range(0, len(self.losses), size):
            for k in range(len(self.steps)):
                cells = self.column(k, i, i + size)
                self.sums[i : i + size] += cells
                self.norms[i : i + size, k] = np.sqrt(
                    (cells * cells).reshape(len(cells), -1).sum(1))
                self.column_sums[:, k] += np.tensordot(self.weights[:, i : i + size], cells, 1)

    def column(self, k: int, start: int, end: int) -> Any:
        """The cells of a column, for the losses from `start` to `end`: (losses, *shape of W)."""
        end = min(end, len(self.losses))
        cells = np.zeros((end - start, *np.shape(self.W.value)))
        for use, step in self.columns[self.steps[k]]:
            low, high = np.searchsorted(use.stack.losses, (start, end))
            if low < high:
                found = self.arrays(use, low, high)
                if step in found:
                    cells[use.stack.losses[low:high] - start] += found[step]
        return cells

    def arrays(self, use: Use, low: int, high: int) -> dict[int | None, Any]:
        """What a use gave, by step. Of an op that spans many, the last answer is remembered: it
        serves all columns."""
        if use.node.op.parts is None:
            return use.arrays(slice(low, high))
        key = use.node, use.position, low, high
        if key not in self.told:
            self.told = {key: use.arrays(slice(low, high))}
        return self.told[key]

    def array(self, t: Any, k: Any) -> Any:
        """dL_t/dW through its use at step k, in the shape of W; zeros where L_t does not see it.

        `t` and `k` are steps, as in `loss_steps` and `steps`.
        """
        i, k = place("t", t, self.loss_steps), place("k", k, self.steps)
        if self.keep == "norms":
            raise GradientError("only the norms of the cells were kept", where="array(t, k)",
                                fix='Keep the arrays: attribution(W, losses, keep="arrays")')
        cell = self.column(k, i, i + 1)[0]
        return float(cell) if self.W.is_scalar else cell.astype(self.W.value.dtype)

    def gradient(self, t: Any) -> Any:
        """The sum of a row: dL_t/dW."""
        row = self.sums[place("t", t, self.loss_steps)]
        return float(row) if self.W.is_scalar else row

    def to_numpy(self) -> Any:
        """The norms of all cells, (losses, steps)."""
        return self.norms.copy()

    def __len__(self) -> int:
        return len(self.losses)

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> Cells:
        """One line for every loss, one column for every step of a use."""
        head = ["loss", *("k = –" if k is None else f"k = {k}" for k in self.steps), "‖row sum‖"]
        lines = []
        for i in range(len(self)) if shown is None else shown:
            cells = [f"{size:.{digits}g}" for size in self.norms[i]]
            lines.append([f"L_{self.loss_steps[i]}", *cells, f"{norm(self.sums[i]):.{digits}g}"])
        return [head, *lines]

    def elided(self) -> Cells:
        """The table as it is shown: of many losses, and of many steps, the first and the last."""
        return narrowed(super().elided())

    def notes(self) -> list[str]:
        """What was checked."""
        if self.error is None:
            return ["not checked against a plain backward: there are hooks on the way"]
        if not np.isfinite(self.norms).all():
            return ["there are NaN or Inf: nothing adds up to what could be compared"]
        notes = ["rows sum to each loss's gradient, columns to each use's contribution, "
                 f"to {self.error:.1g}"]
        if self.condition > 1.0:
            notes.append("large gradients cancel on the way: rounding is magnified "
                         f"{self.condition:.1g} times")
        return notes


def attribute(W: Any, losses: Any, keep: str = "arrays") -> Attribution:
    """The table for a weight and a list of losses. Raises `InputError` for anything else, and
    `GradientError` if no loss depends on W."""
    if not isinstance(W, Node):
        raise InputError(f"attribution(W, ...) needs a Value or a Tensor, got {type(W).__name__}",
                         fix="Of a layer, give one of its parameters: rnn.cell.W_hh")
    listed = isinstance(losses, Iterable) and not isinstance(losses, (Node, str))
    losses = list(losses) if listed else losses
    if not listed or not all(isinstance(x, Node) for x in losses):
        raise InputError("expected a list of losses, nodes with one number each, got "
                         f"{describe(losses) if isinstance(losses, Node) else repr(losses)}",
                         where="attribution()", fix="Keep the losses of the steps in a list; of a "
                                                    "sum of steps, they are its .operands")
    if not losses:
        raise InputError("expected a list of losses, got none", where="attribution()")
    losses = told_apart(losses)
    for loss in losses:
        if np.size(loss.value) != 1:
            raise InputError(f"a loss is a single number, got {describe(loss)}",
                             where="attribution()")
    if keep not in ("arrays", "norms"):
        raise InputError(f"keep is 'arrays' or 'norms', got {keep!r}", where="attribution()")
    table = Attribution(W, list(losses), keep)
    if not table.steps:
        raise GradientError(f"no loss depends on {describe(W)}", where="attribution()")
    return table


def place(name: str, step: Any, known: Sequence[Any]) -> int:
    """Where a step stands among those of the table. Raises `InputError` if it is none of them."""
    found = [i for i, one in enumerate(known) if isinstance(step, (int, np.integer, type(None)))
             and one == step]
    if not found:
        raise InputError(f"{name} is one of the steps {brief(known)}, got {step!r}",
                         where="attribution()")
    return found[0]


def brief(steps: Sequence[Any]) -> str:
    """A list of steps, in few words."""
    return str(steps) if len(steps) < 8 else f"{steps[0]}, {steps[1]} … {steps[-1]}"
