"""Truncation, measured: what the gradient of truncated backpropagation leaves out.

The question this file answers: *what does cutting the gradient cost?*

The loss at step t reaches the use of a weight at step k if no cut lies between. With windows of k1
steps and gradients of k2 (Williams and Peng 1990) that is so for

    start <= k <= t,    start = the first step of the window's gradient

so the truncated gradient is a selection of cells (t, k) of the table dL_t/dW through step k, whose
sum over all cells is the full one. There are two styles, and they are not the same:

    k1 = k2 = k        windows: the last loss of a window sees k steps back, its first sees one
    k1 = 1, k2 = k     k steps back from every loss: every loss sees the same lags
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import ops
from ..core.backprop import contributions
from ..core.graph import Node
from ..core.parts import norm
from ..core.reductions import sum_of
from ..core.totals import Totals
from ..core.walk import edges, nodes, operands
from ..core.words import describe
from ..errors import InputError
from .chain import as_step, opened, read_chain
from .table import Table, aligned
from .targets import targets

Array = Any
Losses = list[tuple[Node, float]]  # each with its weight in the sum
Boundaries = dict[int, list[Node]]  # position t -> what is carried from there to later steps


def truncation(losses: Any, params: Any, k1: int, k2: int | None = None,
               states: Any = None) -> Truncation:
    """The gradient with windows of `k1` steps that go back `k2` (k1 if not given), against the full
    one, from one and the same graph: nothing is run again and `.grad` stays as it is.

    `losses` is a list of the losses of the steps, or their sum (it is taken apart at its `+`).
    `params` is a module, a dict or a list of leaves. Where the steps are stamped (by a layer, by
    `timestep(t)`), the state is found in the graph: whatever is carried from step to step; else
    give `states`, as for `step_jacobians`.

    k1=k2=k are windows, k1=1, k2=k is k steps back from every loss. Raises `InputError` for k1, k2
    that are no whole numbers of at least 1, for a graph without steps, and for one in which time
    runs in reverse.
    """
    k2 = k1 if k2 is None else k2
    for name, k in (("k1", k1), ("k2", k2)):
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise InputError(f"expected {name} to be a whole number of at least 1, got {k!r}",
                             where="truncation")
    losses, states = opened((losses, states))
    roots = terms(losses) if isinstance(losses, Node) else [(loss, 1.0) for loss in losses]
    for loss, _ in roots:
        if not isinstance(loss, Node) or np.size(loss.value) != 1:
            raise InputError("expected losses that are single numbers, got "
                             + (describe(loss) if isinstance(loss, Node) else repr(loss)),
                             where="truncation")
    wanted = targets(params, "truncation")
    steps, boundaries, at = by_states(states) if states is not None else by_steps(roots, wanted)
    return Truncation(Recurrence(roots, steps, boundaries, latest(roots, at)), wanted,
                      int(k1), int(k2))


# --- where the steps are ------------------------------------------------------------------------


class Recurrence(NamedTuple):
    """The losses with the positions of their steps, and what can be cut where."""

    losses: Losses
    steps: list[int]
    boundaries: Boundaries
    positions: list[int]


def terms(total: Node) -> Losses:
    """The losses that a sum is made of, each with the factor before it: L = (L_1 + ... + L_T) / T.

    It ends at what has a name of its own, and at what is no sum.
    """
    found: Losses = []
    waiting = [(total, 1.0)]
    while waiting:
        node, factor = waiting.pop()
        plain = [v for x, v in zip(operands(node), node.values) if x is None or not x.requires_grad]
        parts = [x for x in operands(node) if x is not None and x.requires_grad]
        inner = node is total or node.name is None
        if inner and parts and node.op in (ops.add, sum_of) and \
                all(np.size(x.value) == 1 for x in parts):
            waiting += [(x, factor) for x in parts]
        elif inner and len(parts) == 1 and node.op is ops.mul and np.size(plain[0]) == 1 \
                and np.size(parts[0].value) == 1:
            waiting.append((parts[0], factor * float(np.reshape(plain[0], ()))))
        else:
            found.append((node, factor))
    return found[::-1]


def by_states(states: Any) -> tuple[list[int], Boundaries, dict[Node, int]]:
    """Steps, cuts and positions from states that were given. The first is where it all begins, if
    it was given and not computed."""
    chain = read_chain(states, "truncation")
    first = 0 if all(x.is_leaf for x in chain.links[0]) else -1
    at = {x: i - first - 1 for i, link in enumerate(chain.links) for x in link}
    steps = chain.steps[first + 1:]
    return steps, {i - first - 1: link for i, link in enumerate(chain.links)}, at


def by_steps(roots: Losses, wanted: dict[str, Node]
             ) -> tuple[list[int], Boundaries, dict[Node, int]]:
    """The same from the time stamps: what is carried on is what a later step uses of an earlier
    one."""
    weights = set(wanted.values())
    graph = nodes(*(loss for loss, _ in roots))
    stamped = {n: n.step for n in graph if n.step is not None and n not in weights and n.op.rules}
    if not stamped:
        raise InputError("the graph has no time steps", where="truncation",
                         fix="Give the states: truncation(..., states=[h_0, h_1, ...]), or run the "
                             "loop under tg.timestep(t)")
    first, last = min(stamped.values()), max(stamped.values())
    boundaries: dict[int, dict[Node, None]] = {}
    for x, _, node in edges(*(loss for loss, _ in roots)):
        if x not in stamped or node.step is None or not x.requires_grad:
            continue
        if stamped[x] > node.step:
            raise InputError(f"{describe(node)} depends on {describe(x)}, a later step: time runs "
                             "in reverse, or starts anew", where="truncation",
                             fix="Give the states of the part that is to be cut: states=[...]")
        for s in range(stamped[x] - first, node.step - first):
            boundaries.setdefault(s, {})[x] = None
    return (list(range(first, last + 1)), {s: list(found) for s, found in boundaries.items()},
            {n: step - first for n, step in stamped.items()})


def latest(roots: Losses, at: dict[Node, int]) -> list[int]:
    """The last step that each loss looks at."""
    known = dict(at)
    for node in nodes(*(loss for loss, _ in roots)):
        step = as_step(node)  # outputs[t] of a layer's sequence looks at step t only
        used = operands(node) if step is node else (step,)
        below = max((known.get(x, -1) for x in used if x is not None), default=-1)
        known[node] = max(known.get(node, -1), below)
    for loss, _ in roots:
        if known[loss] < 0:
            raise InputError(f"{describe(loss)} depends on no state", where="truncation")
    return [known[loss] for loss, _ in roots]


# --- what is left -------------------------------------------------------------------------------


class CutState(NamedTuple):
    """A state at which gradients end: its name and step, the steps of the losses that are cut off
    there from all before, and the norm of what they would have sent on."""

    label: str
    step: int
    losses: list[int]
    norm: float


class Truncation(Table):
    """Truncated against full. Made by `truncation`; prints as two tables, by parameter and by lag.

    `full` and `truncated` are the gradients by name, `cuts` the states at which gradients end, and
    `seen` (losses, steps) is True where a loss reaches a step.
    """

    def __init__(self, recurrence: Recurrence, wanted: dict[str, Node], k1: int, k2: int) -> None:
        self.recurrence, self.wanted, self.k1, self.k2 = recurrence, wanted, k1, k2
        self.T, self.steps = len(recurrence.steps), recurrence.steps
        groups: dict[int, list[int]] = {}
        self.seen = np.zeros((len(recurrence.losses), self.T), bool)
        for i, p in enumerate(recurrence.positions):
            start = self.start(p)
            self.seen[i, start:p + 1] = True
            groups.setdefault(min(start - 1, p), []).append(i)
        self.full = self.gradients(range(len(recurrence.losses)), ())[0]
        self.truncated = dict.fromkeys(wanted, 0.0)
        self.cuts: list[CutState] = []
        for place, members in sorted(groups.items()):
            cut = recurrence.boundaries.get(place, []) if place >= 0 else []
            found, lost = self.gradients(members, cut)
            self.truncated = {name: self.truncated[name] + g for name, g in found.items()}
            seeing = [self.steps[recurrence.positions[i]] for i in members]
            self.cuts += [CutState(x.label, self.steps[place], seeing, norm(g))
                          for x, g in lost.items()]

    def start(self, p: int) -> int:
        """The first position that the loss at position p reaches."""
        begin = p - p % self.k1
        if self.k2 >= self.k1:
            return max(0, begin + self.k1 - self.k2)
        return max(begin, min(begin + self.k1, self.T) - self.k2)

    def gradients(self, members: Sequence[int], cut: Sequence[Node]
                  ) -> tuple[dict[str, Any], dict[Node, Any]]:
        """The gradients of some losses, up to the cut, and what arrives there."""
        arriving, until = Totals(late=True), set(cut)
        for i in members:
            loss, factor = self.recurrence.losses[i]
            arriving.add(loss, factor if loss.is_scalar
                         else np.full(np.shape(loss.value), factor, loss.value.dtype))
        deque(contributions(arriving, until=until, tell=False), maxlen=0)
        zero = {name: 0.0 if p.is_scalar else np.zeros_like(p.value)
                for name, p in self.wanted.items()}
        return ({name: arriving.get(p, zero[name]) for name, p in self.wanted.items()},
                {x: arriving[x] for x in cut if x in arriving})

    # --- by parameter ---------------------------------------------------------------------------

    def cosine(self, name: str) -> float:
        """The cosine of the angle between the truncated and the full gradient: 1 is the same
        direction. 0 if one of them is 0, and 1 if both are."""
        a, b = norm(self.truncated[name]), norm(self.full[name])
        if a == 0.0 or b == 0.0:
            return float(a == b)
        return float(np.vdot(self.truncated[name], self.full[name])) / (a * b)

    def error(self, name: str) -> float:
        """|truncated - full| / |full|; 0 if both are 0."""
        off, whole = norm(self.truncated[name] - self.full[name]), norm(self.full[name])
        return off / whole if whole else float("inf") if off else 0.0

    # --- by lag ---------------------------------------------------------------------------------

    def lags(self) -> list[tuple[int, int, int]]:
        """(lag, losses that see a step that far back, losses for which there is one)."""
        positions = self.recurrence.positions
        return [(d, sum(bool(self.seen[i, p - d]) for i, p in enumerate(positions) if p >= d),
                 sum(p >= d for p in positions)) for d in range(max(positions) + 1)]

    def lag_cells(self) -> list[list[str]]:
        """The same as text: runs of lags that are seen alike stand in one line."""
        lines: list[list[str]] = []
        for d, seen, there in self.lags():
            if lines and seen == 0 and lines[-1][1] == "0":
                lines[-1][0] = f"{lines[-1][0].split(' ')[0]} to {d}"
                most = lines[-1][2].split(" ")[0]
                lines[-1][2] = most if most == str(there) else f"{most} to {there}"
                continue
            lines.append([str(d), str(seen), str(there), f"{seen / there:.0%}"])
        return [["lag", "losses that see it", "of", "share"], *lines]

    # --- how it looks ---------------------------------------------------------------------------

    @property
    def style(self) -> str:
        """Which of the styles this is, in words."""
        if self.k1 == self.k2:
            return f"windows of {self.k1}" if self.k1 > 1 else "1 step back from every loss"
        if self.k1 == 1:
            return f"{self.k2} steps back from every loss"
        return f"windows of {self.k1}, gradients of {self.k2} steps"

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"Truncated ({self.style}, T = {self.T}) against the full gradient"

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> list[list[str]]:
        """The table by parameter: norms, cosine, relative error."""
        scalar = all(p.is_scalar for p in self.wanted.values())
        head = ["parameter", *(("full", "truncated") if scalar else ("‖full‖", "‖truncated‖")),
                "cosine", "error"]
        names = list(self.wanted)
        lines = []
        for name in names if shown is None else [names[i] for i in shown]:
            pair = self.full[name], self.truncated[name]
            both = [float(g) if scalar else norm(g) for g in pair]
            lines.append([name, *(f"{x:.{digits}g}" for x in both),
                          f"{self.cosine(name):.{max(digits, 4)}f}", f"{self.error(name):.1%}"])
        return [head, *lines]

    def __len__(self) -> int:
        return len(self.wanted)

    def notes(self) -> list[str]:
        lines = ["", *aligned(self.lag_cells()), ""]
        if not self.cuts:
            return [*lines, "Nothing is cut"]
        cuts = [f"{cut.label} (‖·‖ = {cut.norm:.3g})" for cut in self.cuts]
        more = f", … and {len(cuts) - 6} more" if len(cuts) > 6 else ""
        return [*lines, f"Gradients end at {', '.join(cuts[:6])}{more}"]
