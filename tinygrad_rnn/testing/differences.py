"""Numeric slopes: how fast a function of one number changes at 0, and how far to trust the answer.

The question this file answers: *what is the derivative, found without any calculus, and how sure?*

Halve the step h again and again, and let Neville's scheme extrapolate the central differences

    c_k = (φ(h_k) - φ(-h_k)) / 2 h_k,    h_k = 2^-4, 2^-5, ...

to h = 0. Too large a step sees the curvature, too small a one the rounding of φ, and no fixed step
serves every function. So an entry of the table is believed only when its column has settled over
two levels, and it carries an error: half of its last change, and the noise of φ through h.
(D. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982; his stopping rule is too
trusting for long recurrences, hence the two levels.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FIRST, LEVELS, COLUMNS = -4, 7, 4  # h = 2^-4 ... 2^-10, and smaller only if that does not settle
LAST_LEVEL = 27


@dataclass(frozen=True)
class Slope:
    """A derivative and its error."""

    value: float
    error: float


class Line:
    """φ along a line, φ(0) known, each value computed once; `count` is the number of evaluations.

    `noise` is the standard deviation of the rounding in one evaluation: 4 eps max|φ|, unless a
    larger one is given or measured.
    """

    def __init__(self, phi: Callable[[float], float], start: float, eps: float,
                 noise: float = 0.0) -> None:
        self.phi, self.eps, self.given = phi, eps, noise
        self.values = {0.0: start}

    def __call__(self, h: float) -> float:
        if h not in self.values:
            self.values[h] = self.phi(h)
        return self.values[h]

    @property
    def count(self) -> int:
        """How many evaluations this line has cost."""
        return len(self.values) - 1

    @property
    def noise(self) -> float:
        """The rounding in one evaluation of φ."""
        finite = [abs(v) for v in self.values.values() if math.isfinite(v)]
        return max(self.given, 4.0 * self.eps * max(finite, default=0.0))

    def measure(self) -> None:
        """Measure the noise: third differences at a spacing where φ itself has almost none.

        A third difference of independent errors of size σ has the size √20 σ.
        """
        spacing = 2.0 ** round(math.log2(self.eps) / 3.0 - 4.0)
        values = np.array([self(k * spacing) for k in range(-4, 5)])
        if np.all(np.isfinite(values)):
            self.given = max(self.given, float(np.sqrt(np.mean(np.diff(values, 3) ** 2) / 20.0)))


def slope(line: Line) -> Slope | None:
    """φ'(0) from both sides; None if it does not settle."""
    return settle(lambda h: (line(h) - line(-h)) / (2.0 * h), 4.0, lambda: line.noise)


def one_sided(line: Line) -> tuple[Slope | None, Slope | None]:
    """The slopes on the left and on the right of 0: they differ at a kink."""
    left = settle(lambda h: (line(0.0) - line(-h)) / h, 2.0, lambda: 2.0 * line.noise)
    right = settle(lambda h: (line(h) - line(0.0)) / h, 2.0, lambda: 2.0 * line.noise)
    return left, right


def settle(quotient: Callable[[float], float], ratio: float, noise: Callable[[], float]
           ) -> Slope | None:
    """Extrapolate a difference quotient to h = 0; its error shrinks by `ratio` when h is halved."""
    rows: list[list[float]] = []
    best: Slope | None = None
    for level in range(LAST_LEVEL):
        h = 2.0 ** (FIRST - level)
        q = quotient(h)
        if not math.isfinite(q):
            rows = []  # φ is not defined that far out: begin again nearer by
            continue
        rows.append(extrapolate(rows[-1] if rows else [], q, ratio))
        floor = 2.0 * noise() / h
        for found in believed(rows, floor):
            if best is None or found.error < best.error:
                best = found
        done = best is not None and best.error <= max(2.0 * floor, 1e-12 * abs(best.value))
        if len(rows) >= LEVELS and done:
            break
    return best


def extrapolate(above: list[float], q: float, ratio: float) -> list[float]:
    """The next row of Neville's table, whose j-th column is rid of j powers of h (or h²)."""
    row = [q]
    for j, old in enumerate(above[: COLUMNS - 1]):
        gain = ratio ** (j + 1)
        row.append(row[j] + (row[j] - old) / (gain - 1.0))
    return row


def believed(rows: list[list[float]], floor: float) -> list[Slope]:
    """The entries of the last row whose column shrank over two levels, with their errors."""
    if len(rows) < 3:
        return []
    found = []
    for j in range(len(rows[-3])):
        last, before = abs(rows[-1][j] - rows[-2][j]), abs(rows[-2][j] - rows[-3][j])
        if last <= max(0.5 * before, floor):
            found.append(Slope(rows[-1][j], 0.5 * last + floor))
    return found
