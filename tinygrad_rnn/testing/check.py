"""Checking a gradient: the engine's answer against differences of the loss.

The question this file answers: *are these gradients right?*

One random direction v over all parameters screens them at once: g · v must be the slope of the loss
along v, whatever the number of parameters. Only if that fails is it asked again for each parameter,
and only in a wrong one for single entries. What may differ, the bar, follows from how sure each
side is: the error of the differences, and how far the gradient itself moves when the parameters are
rounded differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .differences import EPS, Line, kink, slope
from .model import Arrays, Model, named
from .report import Block, Entry, Report

ALL_ENTRIES = 32  # up to so many entries of a wrong block are tested one by one
ROUGH = 1e-11     # noise beside the loss: above it (a forward in float32) no verdict is FAIL


def check_gradients(loss_fn: Callable[[], Any], params: Any, *, seed: int = 0) -> Report:
    """Compare the gradient of `loss_fn()` with respect to `params` with differences of the loss.

        report = check_gradients(lambda: model_loss(model, xs, targets), model)
        assert report, report

    `loss_fn` takes no arguments, uses the parameters, and returns one number; `params` is a module,
    a dict, or an iterable of leaves. The report is true when the gradient is right; printed, it
    says what is wrong, and where. `seed` chooses the directions: the same seed, the same report.

    About 14 evaluations of the loss and 3 of the gradient, for any number of parameters, when all
    is well. Parameters in float32 are given as float64 while the loss is differenced, so that its
    rounding does not hide what is looked for; the gradient is taken in their own type. Afterwards
    the parameters hold the arrays they held before, and `.grad` is as it was.
    Raises `InputError` if there are no parameters or the loss is not a single number.
    """
    with Model(loss_fn, named(params)) as model:
        return Check(model, seed).report()


@dataclass
class Slopes:
    """A gradient along one direction, by the engine and by differences; what they may differ by."""

    verdict: str
    analytic: float
    numeric: float = float("nan")
    error: float = float("nan")
    bar: float = float("nan")


class Check:
    """One check: the gradient, how far it moves by rounding, and the comparisons made so far."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.seed, self.rng = model, seed, np.random.default_rng(seed)
        self.notes: list[str] = []
        self.eps = model.eps  # of the gradient; the loss is differenced in float64
        self.g, self.reached = model.gradient(model.start)
        self.loss, self.again = model.value(model.start), model.value(model.start)
        self.noise = abs(self.again - self.loss)
        self.broken = [name for name, g in self.g.items() if not np.all(np.isfinite(g))]
        self.size = {name: 0.0 if name in self.broken else float(np.linalg.norm(g))
                     for name, g in self.g.items()}
        self.scale = float(np.linalg.norm(list(self.size.values())))
        self.blocks = {name: Block(name, g.shape, g.size) for name, g in self.g.items()}

    def report(self) -> Report:
        """All comparisons that are needed, from the whole to the parts."""
        if not np.isfinite(self.loss):
            self.all("non-finite", f"the loss is {self.loss}")
        elif self.noise > 1e-10 * max(abs(self.loss), abs(self.again)):
            self.all("inconclusive", f"loss_fn is not deterministic: it gave {self.loss:.10g} and "
                                     f"then {self.again:.10g} at the same parameters. Draw masks "
                                     "and noise outside")
        else:
            self.screen([name for name in self.blocks if name not in self.broken])
            for name in self.broken:
                self.blocks[name].verdict = "non-finite"
                self.blocks[name].cause = "its gradient has NaN or Inf: see tg.detect_anomaly()"
        report = Report(self.blocks, self.seed, self.model.evaluations, self.model.gradients,
                        self.notes)
        if report.verdict == "invisible":
            self.notes.append("every gradient is zero, or too small beside the loss to be seen: "
                              "check at another point")
        return report

    def all(self, verdict: str, note: str) -> None:
        """The same verdict for every block."""
        for block in self.blocks.values():
            block.verdict = verdict
        self.notes.append(note)

    def screen(self, names: list[str]) -> None:
        """One direction over all blocks; each block on its own where that says too little."""
        if not names:
            return
        self.floor = self.jitter()
        whole = self.compare(self.direction(names))
        blurred = whole.bar / self.eps ** 0.25  # a gradient that small wants a closer look
        suspects = [n for n in names if whole.verdict != "pass" or 0 < self.size[n] <= blurred]
        for name in names:
            if name in suspects:
                self.look_at(self.blocks[name], whole.verdict == "pass")
            else:
                seen = self.size[name] > 0.0
                self.blocks[name].verdict = "pass" if seen else self.silent(name)
        if whole.verdict == "FAIL" and not any(b.verdict == "FAIL" for b in self.blocks.values()):
            self.confirm(names)

    def silent(self, name: str) -> str:
        """The verdict of a block whose slope and gradient are both zero."""
        return "invisible" if name in self.reached else "structural zero"

    def confirm(self, names: list[str]) -> None:
        """All together failed, and no block does: believe it if another direction fails too."""
        if self.compare(self.direction(names)).verdict == "FAIL":
            self.all("FAIL", "the slope along all parameters together is wrong, by too little to "
                             "say in which")

    def look_at(self, block: Block, passed: bool) -> None:
        """One block along a direction of its own; if that fails, its entries. What is not sharp
        enough here may have `passed` together with the others."""
        found = self.compare(self.direction([block.name]))
        block.verdict, block.analytic, block.numeric = found.verdict, found.analytic, found.numeric
        block.error, block.bar = found.error, found.bar
        if block.verdict == "invisible":
            block.verdict = self.silent(block.name)
        elif block.verdict == "inconclusive" and passed and found.bar < self.size[block.name]:
            block.verdict = "pass"
        elif block.verdict == "inconclusive":
            block.cause = self.why(found, block.name)
        elif block.verdict == "FAIL" and block.name not in self.reached:
            block.cause = ("the loss changes with it, but its graph does not reach it: was it used "
                           "through .numpy(), .detach(), .item() or no_grad()?")
        if block.verdict == "FAIL":
            self.localise(block)

    # --- one comparison -------------------------------------------------------------------------

    def compare(self, v: Arrays) -> Slopes:
        """g · v against the slope of the loss along `v`."""
        start = self.model.start
        rounding = np.sqrt(sum(np.sum((start[n] * self.g[n])[v[n] != 0] ** 2) for n in v))
        line = Line(lambda h: self.model.value({n: start[n] + h * v[n] if n in v else start[n]
                                                for n in start}),
                    self.loss, max(self.noise, 0.5 * EPS * float(rounding)))
        found = self.judge(line, v)
        if found.verdict == "FAIL":  # is the forward noisier than it should be?
            line.measure()
            found = self.judge(line, v)
        if found.verdict != "pass":
            self.kink(line, found)
        return found

    def judge(self, line: Line, v: Arrays) -> Slopes:
        """The verdict, from a line whose noise is known."""
        terms = [self.g[n] * v[n] for n in v]
        g = float(sum(np.sum(t) for t in terms))
        numeric = slope(line)
        if numeric is None:
            return Slopes("inconclusive", g)
        moves = float(np.sqrt(sum(np.sum((self.floor[n] * v[n]) ** 2) for n in v)))
        bar = max(1e-10 * max(abs(g), abs(numeric.value)),
                  10.0 * numeric.error + 8.0 * moves
                  + 8.0 * self.eps * float(sum(np.sum(np.abs(t)) for t in terms)),
                  1000.0 * self.eps * max(abs(self.loss), self.scale))
        size = float(np.sqrt(sum(np.sum(self.g[n][v[n] != 0] ** 2) for n in v)))
        if not abs(g - numeric.value) <= bar:
            verdict = "FAIL" if line.measured <= ROUGH * line.size else "inconclusive"
        elif size <= bar and 16.0 * moves < bar:
            verdict = "invisible"
        else:
            verdict = "pass" if bar <= self.eps ** 0.25 * size else "inconclusive"
        return Slopes(verdict, g, numeric.value, numeric.error, bar)

    def kink(self, line: Line, found: Slopes) -> None:
        """If the loss has a kink here, the gradient must lie between its two slopes."""
        sides = kink(line)
        if sides is not None:
            low, high = sorted(sides, key=lambda side: side.value)
            inside = low.value - low.error <= found.analytic <= high.value + high.error
            found.verdict = "kink" if inside else "FAIL"

    # --- directions and rounding ----------------------------------------------------------------

    def direction(self, names: list[str]) -> Arrays:
        """A random sign times U(0.5, 1.5) in every entry of these blocks.

        Plain signs miss errors that cancel (the columns of a softmax sum to zero), normal numbers
        have entries near zero, and positive ones hide cancellations.
        """
        return {n: self.rng.choice([-1.0, 1.0], self.g[n].shape)
                * self.rng.uniform(0.5, 1.5, self.g[n].shape) for n in names}

    def jitter(self) -> Arrays:
        """How far each block's gradient moves, at most, when every parameter moves by one ulp."""
        signs = {n: self.rng.choice([-1.0, 1.0], x.shape) for n, x in self.model.start.items()}
        floor = dict.fromkeys(self.g, 0.0)
        for way in (1.0, -1.0):
            moved = {n: x + way * signs[n] * self.ulp(n) for n, x in self.model.start.items()}
            g, _ = self.model.gradient(moved)
            for n in floor:
                moves = np.abs(g[n] - self.g[n])
                floor[n] = max(floor[n], float(np.max(moves, initial=0.0, where=moves == moves)))
        return floor

    def ulp(self, name: str) -> Any:
        """The distance from every entry to its neighbour, in the parameter's own float type."""
        return np.abs(np.spacing(self.model.start[name].astype(self.model.dtypes[name])))

    # --- after a failure ------------------------------------------------------------------------

    def localise(self, block: Block) -> None:
        """Which entries are wrong? All of a small block; of a big one, one by halving and a
        sample."""
        every = list(range(block.size))
        if block.size > ALL_ENTRIES:
            sample = self.rng.choice(block.size, ALL_ENTRIES - 1, replace=False)
            every = list(dict.fromkeys([self.halve(block), *map(int, sample)]))
        found = {i: self.compare(self.cut(block, i, i + 1)) for i in every}
        wrong = {i: s for i, s in found.items() if s.verdict == "FAIL"}
        block.tested, block.wrong = len(found), len(wrong)
        if wrong:
            worst = max(wrong, key=lambda i: abs(wrong[i].analytic - wrong[i].numeric))
            index = tuple(int(k) for k in np.unravel_index(worst, block.shape))
            s = wrong[worst]
            block.worst = Entry(index, s.analytic, s.numeric, s.error)
            block.cause = block.cause or pattern(list(wrong.values()))
        elif any(s.verdict == "kink" for s in found.values()):
            block.verdict = "kink" if block.tested == block.size else "inconclusive"
            block.cause = "the parameters are on kinks of the loss: check at another point"
        else:
            block.cause = block.cause or "the error is spread: no single entry shows it"

    def halve(self, block: Block) -> int:
        """The position of a wrong entry, by halving the block while a half of it is wrong."""
        low, high = 0, block.size
        while high - low > 1:
            middle = (low + high) // 2
            if self.compare(self.cut(block, low, middle)).verdict == "FAIL":
                high = middle
            else:
                low = middle
        return low

    def cut(self, block: Block, low: int, high: int) -> Arrays:
        """A direction in these entries of a block; of length 1 for a single one."""
        v = self.direction([block.name])[block.name] if high - low > 1 else np.ones(block.shape)
        flat = np.zeros(block.size)
        flat[low:high] = v.reshape(-1)[low:high]
        return {block.name: flat.reshape(block.shape)}

    def why(self, found: Slopes, name: str) -> str:
        """Why there is no sharp answer."""
        if found.numeric != found.numeric:
            return "the differences of the loss do not settle: it is too rough, or too noisy, here"
        if 20.0 * found.error <= found.bar >= abs(found.analytic - found.numeric):
            return (f"the gradient moves by up to {self.floor[name]:.1g} when the parameters move "
                    "by one ulp: they are on a kink, or the loss is too sensitive here")
        if not abs(found.analytic - found.numeric) <= found.bar:
            return ("it differs, but the loss is too rough to be sure: is a part of it computed in "
                    "float32? Check in float64")
        return (f"only errors above {found.bar / self.size[name]:.0e} of it can be seen: the loss "
                f"is {self.loss:.3g}, and its rounding hides the rest")


def pattern(wrong: list[Slopes]) -> str:
    """What all the wrong entries have in common, if it is as simple as a factor."""
    sharp = [s for s in wrong if abs(s.numeric) > 1e6 * s.error]
    if not sharp:
        return ""
    ratios = np.array([s.analytic / s.numeric for s in sharp])
    if np.all(ratios == 0.0):
        return "the gradient of every wrong entry is zero"
    if len(ratios) > 1 and np.ptp(ratios) <= 1e-6 * np.max(np.abs(ratios)):
        return f"every wrong entry is {ratios[0]:.9g} times what it should be"
    return ""
