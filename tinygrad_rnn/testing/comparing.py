"""One comparison: a gradient along one direction, beside the slope found without it.

The question this file answers: *by how much may a gradient and a difference differ?*

What may differ, the bar, follows from how sure each side is: the error of the differences, and how
far the gradient itself moves when the parameters are rounded differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .differences import EPS, FIRST, NARROW, Line, Slope, kink, second, slope
from .problem import Arrays, Problem
from .report import Block

ROUGH = 1e-11     # noise beside the loss: above it (a forward in float32) only what is
GROSS = 5e-3      # off by this part of the gradient is a FAIL
DISTINCT = 8.0    # times the noise: what is no noise
GLANCE = 3        # differences for an entry of a block that is known to be wrong
SHARP = 3e-9      # a bar below this part of the gradient sees every error of 1e-8 of it
TRUST = 5.0       # the errors of the differences, times this, are never exceeded
FINE = 1e-10      # nobody's rounding is called an error below this part of it


@dataclass
class Slopes:
    """A gradient along one direction, by backward and by differences; what they may differ by."""

    verdict: str
    analytic: float
    numeric: float = float("nan")
    error: float = float("nan")
    bar: float = float("nan")
    level: int = 0
    rough: bool = False  # the function is too noisy for anything but gross errors


@contextmanager
def listening(raised: set[str]) -> Iterator[None]:
    """Note the floating-point warnings, by their kind."""
    with np.errstate(all="call", call=lambda kind, _: raised.add(kind)):
        yield


class Comparison:
    """The gradient at one point, how far it moves by rounding, and the comparisons made so far."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed, self.rng = problem, seed, np.random.default_rng(seed)
        self.raised = problem.raised  # floating-point warnings of the forward
        self.screened = 0             # evaluations until the whole was judged
        self.rough: float | None = None  # noise of the forward, once it was measured
        self.analytic_forward = True  # until a probe says no
        with listening(self.raised):
            self.loss = problem.value(problem.start)
        self.again = problem.value(problem.start)
        self.g, self.reached = problem.gradient(problem.start)
        self.floor = dict.fromkeys(self.g, 0.0)  # how far each block moves by rounding: `jitter`
        self.eps = problem.eps
        self.sharp = SHARP if self.eps == EPS else self.eps ** 0.25
        self.noise = abs(self.again - self.loss)
        self.broken = [n for n, g in self.g.items() if not np.all(np.isfinite(g))]
        self.size = {n: 0.0 if n in self.broken else float(np.linalg.norm(g))
                     for n, g in self.g.items()}
        self.scale = float(np.linalg.norm(list(self.size.values())))
        self.blocks = {n: Block(n, g.shape, g.size) for n, g in self.g.items()}

    @property
    def random(self) -> bool:
        """Whether the forward gave two different numbers at the same point."""
        return self.noise > FINE * max(abs(self.loss), abs(self.again))

    def all(self, verdict: str) -> None:
        """The same verdict for every block."""
        for block in self.blocks.values():
            block.verdict = verdict

    # --- one comparison -------------------------------------------------------------------------

    def line(self, v: Arrays) -> Line:
        """The function along `v`, with the rounding that is to be expected."""
        start = self.problem.start
        rounding = np.sqrt(sum(np.sum((start[n] * self.g[n])[v[n] != 0] ** 2) for n in v))
        return Line(lambda h: self.problem.value({n: start[n] + h * v[n] if n in v else start[n]
                                                  for n in start}),
                    self.loss, max(self.noise, self.problem.noise, 0.5 * EPS * float(rounding)))

    def compare(self, v: Arrays, quick: bool = False) -> Slopes:
        """g · v against the slope along `v`; `quick`: by the complex step alone, if there is
        one."""
        line = self.line(v)
        exact = self.problem.complex_slope(v, self.loss) if self.analytic_forward else None
        if exact is None:
            self.analytic_forward = False
        if exact is not None and quick:
            return self.judge(line, v, Slope(exact, 4.0 * EPS * abs(exact)), exact=True)
        numeric = slope(line, thorough=False)
        if exact is not None and numeric is not None:
            self.analytic_forward = abs(exact - numeric.value) <= self.bar(v, exact, numeric.error)
        if exact is not None and self.analytic_forward:
            found = self.judge(line, v, Slope(exact, 4.0 * EPS * abs(exact)), exact=True)
        else:
            found = self.by_differences(line, v, numeric)
        if found.verdict == "pass":
            return found
        if line.narrow(found.analytic):
            line.measured = max(line.measured, NARROW * line.size)
            found = self.judge(line, v, slope(line))
        else:
            self.kink(line, found)
        if found.verdict == "FAIL" and self.digits_lost:
            found.verdict = "inconclusive"
        return found

    def by_differences(self, line: Line, v: Arrays, numeric: Slope | None) -> Slopes:
        """As close a look as it takes, from a few differences on."""
        found = self.judge(line, v, numeric)
        self.screened = self.screened or self.problem.evaluations
        if found.verdict != "pass":
            found = self.judge(line, v, slope(line))
        if found.verdict == "FAIL":  # is the forward noisier than it should be?
            if self.rough is None:
                line.measure()
                self.rough = line.measured
            line.measured = self.rough
            found = self.judge(line, v, slope(line))
        return found

    def glance(self, v: Arrays, level: int) -> Slopes:
        """A comparison for little: one complex step, or three differences around 2^-level."""
        if self.analytic_forward:
            return self.compare(v, quick=True)
        line = self.line(v)
        line.measured = self.rough or 0.0
        deeper = 2.0 * line.noise * 2.0 ** (level + 4) <= 1e-9 * self.scale  # three are sharp there
        found = self.judge(line, v, second(line, level + 2 if level and deeper else level, GLANCE))
        if found.verdict == "FAIL" and line.bent():
            self.kink(line, found)
        return found

    @cached_property
    def digits_lost(self) -> bool:
        """Whether the forward goes on with numbers so small that they have lost their digits."""
        return "underflow" in self.raised and self.problem.subnormal()

    def bar(self, v: Arrays, numeric: float, error: float) -> float:
        """What the error of the differences and rounding explain."""
        terms = [self.g[n] * v[n] for n in v]
        g = float(sum(np.sum(t) for t in terms))
        blur = 8.0 * self.moves(v) + 8.0 * self.eps * float(sum(np.sum(np.abs(t)) for t in terms))
        return max(FINE * max(abs(g), abs(numeric)), TRUST * error + blur)

    def moves(self, v: Arrays) -> float:
        """How far g · v moves by one ulp in the parameters."""
        return float(np.sqrt(sum(np.sum((self.floor[n] * v[n]) ** 2) for n in v)))

    def judge(self, line: Line, v: Arrays, numeric: Slope | None, exact: bool = False) -> Slopes:
        """The verdict on g · v beside a slope found without it."""
        g = float(sum(np.sum(self.g[n] * v[n]) for n in v))
        if numeric is None:
            return Slopes("inconclusive", g)
        least = self.scale if exact else max(abs(self.loss), self.scale)
        bar = max(self.bar(v, numeric.value, numeric.error), 1000.0 * self.eps * least)
        size = float(np.sqrt(sum(np.sum(self.g[n][v[n] != 0] ** 2) for n in v)))
        if not abs(g - numeric.value) <= bar:
            rough = line.measured > ROUGH * line.size
            verdict = "inconclusive" if rough and not gross(line, g, GROSS * size) else "FAIL"
            return Slopes(verdict, g, numeric.value, numeric.error, bar, numeric.level, rough)
        if size <= bar and 16.0 * self.moves(v) < bar:
            verdict = "invisible"
        else:
            sharp = bar <= min(self.eps ** 0.25 * size, self.sharp * self.scale)
            verdict = "pass" if sharp else "inconclusive"
        return Slopes(verdict, g, numeric.value, numeric.error, bar, numeric.level)

    def kink(self, line: Line, found: Slopes) -> None:
        """If there is a kink here, the gradient must lie between the slopes on its two sides."""
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
        start = self.problem.start
        signs = {n: self.rng.choice([-1.0, 1.0], x.shape) for n, x in start.items()}
        floor = dict.fromkeys(self.g, 0.0)
        for way in (1.0, -1.0):
            moved = {n: x + way * signs[n] * self.ulp(n) for n, x in start.items()}
            g, _ = self.problem.gradient(moved)
            for n in floor:
                moves = np.abs(g[n] - self.g[n])
                floor[n] = max(floor[n], float(np.max(moves, initial=0.0, where=moves == moves)))
        return floor

    def ulp(self, name: str) -> Any:
        """The distance from every entry to its neighbour, in the parameter's own float type."""
        return np.abs(np.spacing(self.problem.start[name].astype(self.problem.dtypes[name])))

    def why(self, found: Slopes, name: str) -> str:
        """Why there is no sharp answer."""
        if self.digits_lost:
            return ("the forward underflows: it goes on with numbers below 2e-308, which have lost "
                    "their digits (log of a softmax? use a log-softmax)")
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


def gross(line: Line, g: float, least: float) -> bool:
    """Whether the slopes on both sides are off from g, in the same direction, by `least` or more.

    For a function of much noise, with the smallest step that is sharp enough for that. A kink near
    by, or curvature, leaves one side right or takes the two apart.
    """
    if not least > 0.0 or not 0.0 < line.noise < least * 2.0 ** -FIRST / DISTINCT:
        return False
    h = DISTINCT * line.noise / least
    left, right = (line(0.0) - line(-h)) / h - g, (line(h) - line(0.0)) / h - g
    return min(left, right) > least or max(left, right) < -least
