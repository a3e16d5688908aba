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

from ..core.backprop import contributions
from ..core.graph import Node
from ..core.parts import norm
from ..core.totals import Totals
from ..core.walk import nodes
from ..errors import InputError
from .directions import Directions
from .given_states import opened
from .recurrence import Recurrence, read_losses, recurrences
from .table import Table, aligned, as_html
from .targets import targets
from .verdict import steps as steps_of

Array = Any


def truncation(losses: Any, params: Any, k1: int, k2: int | None = None,
               states: Any = None) -> Truncation | Directions:
    """The gradient with windows of `k1` steps that go back `k2` (k1 if not given), against the full
    one, from one and the same graph: nothing is run again and `.grad` stays as it is.

    `losses` is a list of the losses of the steps, or their sum (it is taken apart at its `+`).
    `params` is a module, a dict or a list of leaves. Where the steps are stamped (by a layer, by
    `timestep(t)`), the state is found in the graph: whatever is carried from step to step; else
    give `states`, as for `step_jacobians`.

    k1=k2=k are windows, k1=1, k2=k is k steps back from every loss. In reverse time the windows
    begin at the last step. Of a bidirectional layer each direction is cut by itself, the other one
    left whole: the result is a pair, `Directions`, each with the parameters that it depends on.

    Raises `InputError` for k1, k2 that are no whole numbers of at least 1, for a graph without
    steps, and for one in which time runs both ways and one way needs the other (an encoder and a
    decoder, bidirectional layers on top of each other): give the states that are to be cut.
    """
    k2 = k1 if k2 is None else k2
    for name, k in (("k1", k1), ("k2", k2)):
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise InputError(f"expected {name} to be a whole number of at least 1, got {k!r}",
                             where="truncation")
    losses, states = opened((losses, states))
    roots, wanted = read_losses(losses), targets(params, "truncation")
    if not set(wanted.values()) & set(nodes(*(loss for loss, _ in roots))):
        raise InputError(f"the losses depend on none of the parameters: {', '.join(wanted)}",
                         where="truncation")
    found = recurrences(roots, states, wanted.values())
    if len(found) == 1:
        return Truncation(found[0], wanted, int(k1), int(k2))
    return Directions(*each_by_itself(found, wanted, int(k1), int(k2)))


def each_by_itself(found: list[Recurrence], wanted: dict[str, Node], k1: int, k2: int
                   ) -> list[Truncation]:
    """Each recurrence with the parameters that it depends on: no others are touched by its cuts.

    No way back goes through the other one, unless both of them depend on a parameter further back.
    """
    carried = [each.carried() for each in found]
    reached = [set(nodes(*some)) for some in carried]
    results = []
    for i, each in enumerate(found):
        mine = {name: p for name, p in wanted.items() if p in reached[i]}
        shared = any(p in reached[1 - i] for p in mine.values())
        results.append(Truncation(each, mine, k1, k2, () if shared else carried[1 - i]))
    return results


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

    def __init__(self, recurrence: Recurrence, wanted: dict[str, Node], k1: int, k2: int,
                 closed: Sequence[Node] = ()) -> None:
        self.recurrence, self.wanted, self.k1, self.k2 = recurrence, wanted, k1, k2
        self.closed = closed  # where no way leads to these parameters
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
            self.cuts += [CutState(self.label(x, place), self.steps[place], seeing, norm(g))
                          for x, g in lost.items()]

    def label(self, x: Node, place: int) -> str:
        """`h_4`; where nothing was stamped or named, by its position."""
        return x.label if x.name and x.step is not None else \
            f"{x.name or 'h'}_{self.steps[place]}"

    def start(self, p: int) -> int:
        """The first position that the loss at position p reaches."""
        begin = p - p % self.k1
        if self.k2 >= self.k1:
            return max(0, begin + self.k1 - self.k2)
        return max(begin, min(begin + self.k1, self.T) - self.k2)

    def gradients(self, members: Sequence[int], cut: Sequence[Node]
                  ) -> tuple[dict[str, Any], dict[Node, Any]]:
        """The gradients of some losses, up to the cut, and what arrives there."""
        arriving, until = Totals(late=True), {*cut, *self.closed}
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
        self.check(name)
        a, b = norm(self.truncated[name]), norm(self.full[name])
        if a == 0.0 or b == 0.0:
            return float(a == b)
        return float(np.vdot(self.truncated[name], self.full[name])) / (a * b)

    def error(self, name: str) -> float:
        """|truncated - full| / |full|; 0 if both are 0."""
        self.check(name)
        off, whole = norm(self.truncated[name] - self.full[name]), norm(self.full[name])
        return off / whole if whole else float("inf") if off else 0.0

    def check(self, name: str) -> None:
        if not isinstance(name, str) or name not in self.wanted:
            raise InputError(f"expected the name of a parameter, {', '.join(self.wanted)}; got "
                             f"{getattr(name, 'label', name)!r}", where="truncation")

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
            return f"{steps_of(self.k2)} back from every loss"
        return f"windows of {self.k1}, gradients of {steps_of(self.k2)}"

    @property
    def title(self) -> str:  # type: ignore[override]
        reverse = ", in reverse time" if self.recurrence.reverse else ""
        return f"Truncated ({self.style}, T = {self.T}{reverse}) against the full gradient"

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> list[list[str]]:
        """The table by parameter: norms, cosine, relative error."""
        scalar = all(p.is_scalar for p in self.wanted.values())
        head = ["parameter", *(("full", "truncated") if scalar else ("‖full‖", "‖truncated‖")),
                "cosine", "error"]
        names, lines = list(self.wanted), []
        for name in names if shown is None else [names[i] for i in shown]:
            pair = self.full[name], self.truncated[name]
            both = [float(g) if scalar else norm(g) for g in pair]
            off = f"{self.error(name):{'.1%' if digits <= 4 else f'.{digits}g'}}"
            lines.append([name, *(f"{x:.{digits}g}" for x in both),
                          f"{self.cosine(name):.{max(digits, 4)}f}", off])
        return [head, *lines]

    def __len__(self) -> int:
        return len(self.wanted)

    def notes(self) -> list[str]:
        return ["", *aligned(self.lag_cells()), "", self.ends()]

    def ends(self) -> str:
        """At which states the gradient ends, and what would have gone on."""
        broken = [name for name, g in self.full.items() if not np.isfinite(g).all()]
        if broken:
            return f"Nothing can be compared: the full gradient of {broken[0]} has NaN or Inf"
        if not self.cuts:
            return "Nothing is cut"
        cuts = [f"{cut.label} (‖·‖ = {cut.norm:.3g})" for cut in self.cuts]
        more = f", … and {len(cuts) - 6} more" if len(cuts) > 6 else ""
        return f"Gradients end at {', '.join(cuts[:6])}{more}"

    def _repr_html_(self) -> str:
        return as_html(self.title, self.elided(), ()) + as_html(
            "How far back the losses see", self.lag_cells(), [self.ends()])
