"""Attribution: which loss got which part of its gradient through which use of a weight.

The question this file answers: *how far back does each loss see?*

A cell of the table is dL_t/dW through its use at step k. A row adds up to the gradient of its loss,
and a column to what the use at its step contributes to the sum of all losses. One walk back
through the graph gives all rows: the gradients of all losses stand on top of each other (see
`rows.py`), and a node only meets the losses that depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.backprop import contributions, local, uses
from ..core.gradients import pull
from ..core.graph import Node
from ..core.hooks import retain
from ..core.parts import norm
from ..core.totals import Totals
from ..core.walk import is_alias
from ..core.words import describe
from ..errors import GradientError, InputError
from ..nn.fused_open import told_apart
from .contribution import Contribution
from .rows import ENTRYWISE, between, joint_rows, through
from .table import Cells, Table

ALOUD, ROWS, COLUMNS, MOST = 1e-9, 8, 5, 4_000_000
Way = tuple[Node, ...]


class Stack(NamedTuple):
    """The gradients of several losses at one node: which losses, and (R, *shape of the node)."""

    losses: Any
    g: Any


class Use(NamedTuple):
    """One use of the weight, and what of every loss arrived at the node that used it."""

    node: Node
    position: int
    way: Way
    stack: Stack

    def arrays(self, rows: slice = slice(None)) -> dict[int | None, Any]:
        """What the use gave to the gradient of every loss, (R, *shape of the weight), by step."""
        node, g = self.node, self.stack.g[rows]
        if node.op.parts is None:
            return {node.step: self.shown(one_use(node, self.position, g))}
        found: dict[int | None, Any] = {}
        for i, row in enumerate(g):
            for step, c in parts_by_step(node, self.position, row).items():
                found.setdefault(step, np.zeros((len(g), *np.shape(c))))[i] += c
        return {step: self.shown(c) for step, c in found.items()}

    def shown(self, c: Any) -> Any:
        """In the shape of the weight, of which an alias was used."""
        for alias in reversed(self.way):
            c = through(alias, 0, c)
        return c


class Attribution(Table):
    """The table of dL_t/dW through the use of W at step k. Made by `flow.attribution(W, losses)`.

    `loss_steps` are the rows and `steps` the columns; a step at which W is used several times is
    one column. `norms` (losses, steps) are the sizes of the cells, and `array(t, k)` is one of
    them. `error` is the largest relative difference found between the sums of rows and columns and
    the gradients that a plain walk gives; None where hooks forbid to compare.
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
        self.error = check(self)
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
        for name, step, known in (("t", t, self.loss_steps), ("k", k, self.steps)):
            if step not in known:
                raise InputError(f"{name} is one of the steps {brief(known)}, got {step!r}",
                                 where="array(t, k)")
        if self.keep == "norms":
            raise GradientError("only the norms of the cells were kept", where="array(t, k)",
                                fix='Keep the arrays: attribution(W, losses, keep="arrays")')
        i = self.loss_steps.index(t)
        cell = self.column(self.steps.index(k), i, i + 1)[0]
        return float(cell) if self.W.is_scalar else cell.astype(self.W.value.dtype)

    def gradient(self, t: Any) -> Any:
        """The sum of a row: dL_t/dW."""
        row = self.sums[self.loss_steps.index(t)]
        return float(row) if self.W.is_scalar else row

    def to_numpy(self) -> Any:
        """The norms of all cells, (losses, steps)."""
        return self.norms.copy()

    def __len__(self) -> int:
        return len(self.losses)

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> Cells:
        """One line for every loss, one column for every step of a use. As a picture of a long table
        (`shown`), the first and last steps; else all."""
        n = len(self.steps)
        some = [*range(COLUMNS), None, *range(n - COLUMNS, n)]
        columns = some if n > 2 * COLUMNS + 2 and shown is not None else list(range(n))
        head = ["loss", *("…" if k is None else "k = –" if self.steps[k] is None
                          else f"k = {self.steps[k]}" for k in columns), "‖row sum‖"]
        lines = []
        for i in range(len(self)) if shown is None else shown:
            cells = ["…" if k is None else f"{self.norms[i, k]:.{digits}g}" for k in columns]
            lines.append([f"L_{self.loss_steps[i]}", *cells, f"{norm(self.sums[i]):.{digits}g}"])
        return [head, *lines]

    def elided(self) -> Cells:
        """The table as it is shown."""
        return super().elided() if len(self) > 16 else self.cells(shown=range(len(self)))

    def notes(self) -> list[str]:
        """What was checked."""
        if self.error is None:
            return ["not checked against a plain backward: there are hooks on the way"]
        return ["rows add up to each loss's gradient, columns to each use's contribution, "
                f"to {self.error:.1g}"]


def attribute(W: Any, losses: Any, keep: str = "arrays") -> Attribution:
    """The table for a weight and a list of losses. Raises `InputError` for anything else, and
    `GradientError` if no loss depends on W."""
    if not isinstance(W, Node):
        raise InputError(f"attribution(W, ...) needs a Value or a Tensor, got {type(W).__name__}")
    if isinstance(losses, Node) or not all(isinstance(x, Node) for x in losses):
        raise InputError("expected a list of losses, nodes with one number each, got "
                         f"{describe(losses) if isinstance(losses, Node) else losses!r}",
                         where="attribution()", fix="Keep the losses of the steps in a list; of a "
                                                    "sum of steps, they are its .operands")
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


# --- the walk -------------------------------------------------------------------------------------


def walk(W: Node, losses: Sequence[Node]) -> list[Use]:
    """Every use of W, oldest first, with what of every loss arrives at it. Hooks do not run."""
    way = between([W], losses)
    leading, shown, found = {*way, W}, aliases(W, way), list[Use]()
    arriving: dict[Node, list[Stack]] = {}
    for i, loss in enumerate(losses):
        arriving.setdefault(loss, []).append(
            Stack(np.array([i]), np.ones((1, *np.shape(loss.value)), dtype(loss))))
    for node in way:
        stack = merged(arriving.pop(node)) if node in arriving else None
        if stack is None or node in shown:
            continue
        shares = None
        for position, x in uses(node):
            if x is W or x in shown:
                found.append(Use(node, position, shown.get(x, ()), stack))
            elif x in leading:
                if node.op.joint and shares is None:
                    shares = joint_rows(node, stack.g)
                c = one_use(node, position, stack.g) if shares is None else shares[position]
                arriving.setdefault(x, []).append(Stack(stack.losses, c))
    return found[::-1]


def aliases(W: Node, way: Sequence[Node]) -> dict[Node, Way]:
    """The transposes, reshapes and slices of W, with the way to them."""
    shown: dict[Node, Way] = {}
    for node in reversed(way):  # operands first
        if is_alias(node) and node.a is not None and (node.a is W or node.a in shown):
            shown[node] = (*shown.get(node.a, ()), node)
    return shown


def merged(stacks: list[Stack]) -> Stack:
    """The sum of what arrived on several ways, of every loss its own."""
    if len(stacks) == 1:
        return stacks[0]
    losses = np.unique(np.concatenate([s.losses for s in stacks]))
    total = np.zeros((len(losses), *stacks[0].g.shape[1:]), stacks[0].g.dtype)
    for s in stacks:
        total[np.searchsorted(losses, s.losses)] += s.g
    return Stack(losses, total)


def one_use(node: Node, position: int, g: Any) -> Any:
    """What leaves through one operand, of every loss: all at once where the rule allows it."""
    if node.op.joint:
        return joint_rows(node, g)[position]
    if node.is_scalar and node.op in ENTRYWISE and node.op.array is not None:
        with np.errstate(all="ignore"):  # plain floats give no warnings either
            values = [np.float64(x) for x in node.values]
            return node.op.rules[position](g, np.float64(node.value), *values,
                                           **node.params or {})
    return through(node, position, g)


def parts_by_step(node: Node, position: int, g: Any) -> dict[int | None, Any]:
    """What each step gave, through an op that spans many (`Op.parts`)."""
    assert node.op.parts is not None
    x, found = node.values[position], dict[int | None, Any]()
    steps = node.op.parts(g, node.value, *node.values, **node.params or {})[position]
    if steps is None:
        return {node.step: local_share(node, position, g)}
    for part in steps:
        c = part.array(x)
        found[part.step] = found[part.step] + c if part.step in found else c
    return found


def local_share(node: Node, position: int, g: Any) -> Any:
    """What leaves through one operand."""
    c = local(node, position, g)
    return c[position] if node.op.joint else c


def steps_of(use: Use) -> list[int | None]:
    """The steps that a use spans."""
    if use.node.op.parts is None:
        return [use.node.step]
    return list(parts_by_step(use.node, use.position, use.stack.g[-1]))


def dtype(node: Node) -> Any:
    """The dtype of a node's gradient."""
    return getattr(node.value, "dtype", np.float64)


# --- the check ------------------------------------------------------------------------------------


def check(table: Attribution) -> float | None:
    """Compare rows and columns with what plain walks give; the largest relative difference.

    The gradient of some losses by themselves (of eight rows, or of all); all losses together, use
    by use, as the flow of their sum gives it; and the same with random weights, which no mistake in
    a single cell survives. Raises `GradientError` for differences that rounding does not explain.
    """
    W, losses = table.W, table.losses
    if any(h is not retain for n in (W, *between([W], losses)) for h in n.hooks or ()):
        return None
    worst = 0.0
    for i in sorted({round(i) for i in np.linspace(0, len(losses) - 1, ROWS)} if losses else ()):
        seed = 1.0 if losses[i].is_scalar else np.ones_like(losses[i].value)
        row = pull(losses[i], [W], seed, graph=False).get(W, 0.0 * table.sums[i])
        worst = max(worst, apart(row, table.sums[i], table.norms[i].sum()))
    for weights, columns in zip(table.weights, table.column_sums):
        expected = dict(in_columns(table, weights))
        for step, column, norms in zip(table.steps, columns, table.norms.T):
            worst = max(worst, apart(expected.pop(step, 0.0), column, float(weights @ norms)))
        worst = max([worst, *(np.inf for c in expected.values() if np.any(c))])
    eps = np.finfo(dtype(W)).eps / np.finfo(float).eps
    if worst > ALOUD * eps:
        raise GradientError(f"the sums of the table differ by {worst:.1g} from the gradients of "
                            "the losses", where="attribution()",
                            fix="Does a rule, or a checkpointed function, not repeat itself?")
    return worst


def in_columns(table: Attribution, weights: Any) -> Iterator[tuple[Any, Any]]:
    """What a plain walk from all losses gives to each column."""
    seeds = [(x, float(s) if x.is_scalar else np.full_like(x.value, s))
             for x, s in zip(table.losses, weights)]
    totals, found = Totals(), dict[Any, Any]()
    for loss, seed in seeds:
        if loss.requires_grad:
            totals.add(loss, seed)
    used = {(use.node, use.position): (number, use) for number, use in enumerate(table.uses, 1)}
    numbered = not any(s is not None for use in table.uses for s in [use.node.step]) and not any(
        use.node.op.parts for use in table.uses)
    for node, position, _, g, c in contributions(totals):
        if (node, position) in used:
            number, use = used[node, position]
            shares = ({node.step: local_share(node, position, g) if c is None else c}
                      if node.op.parts is None else parts_by_step(node, position, g))
            for step, share in shares.items():
                share = Contribution(node, position, g, share, use.way).array()
                step = number if numbered else step
                found[step] = found[step] + share if step in found else share
    yield from found.items()


def apart(a: Any, b: Any, size: float) -> float:
    """How far two sums are apart, relative to the sizes of what was added; 0 for two zeros."""
    off = norm(np.asarray(a - b, float))
    return off / size if size and np.isfinite(size) else 0.0 if off == 0 else float(off)


def brief(steps: Sequence[Any]) -> str:
    """A list of steps, in few words."""
    return str(steps) if len(steps) < 8 else f"{steps[0]}, {steps[1]} … {steps[-1]}"
