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

FIRST, LEVELS, COLUMNS = 4, 6, 4  # h = 2^-4 ... 2^-9, and smaller only if that does not settle
LAST = 31
USUAL = 8      # the level that serves most functions, where nothing is known
UNEVEN = 0.5 ** 0.5  # steps of a staircase may fit a power of two; they do not fit this
ENOUGH = 18    # evaluations, after which the best answer so far is the answer
ALIKE = 0.05   # quotients that differ by more show that the step is far too large
EPS = 2.0 ** -52
NARROW = 2.0 ** -23  # eps of float32


@dataclass(frozen=True)
class Slope:
    """A derivative and its error; found with steps down to 2^-level."""

    value: float
    error: float
    level: int = 0


class Line:
    """φ along a line, φ(0) known, each value computed once; `count` is the number of evaluations.

    `noise` is the standard deviation of the rounding in one evaluation: 4 eps max|φ|, unless a
    larger one is given or measured.
    """

    def __init__(self, phi: Callable[[float], float], start: float, noise: float = 0.0) -> None:
        self.phi, self.given, self.measured = phi, noise, 0.0
        self.values = {0.0: start}

    def __call__(self, h: float) -> float:
        if h not in self.values:
            self.values[h] = self.phi(h)
        return self.values[h]

    def quotient(self, h: float) -> float:
        """The central difference with the step h."""
        return (self(h) - self(-h)) / (2.0 * h)

    @property
    def count(self) -> int:
        """How many evaluations this line has cost."""
        return len(self.values) - 1

    @property
    def noise(self) -> float:
        """The rounding in one evaluation of φ."""
        return max(self.given, self.measured, 4.0 * EPS * self.size)

    @property
    def size(self) -> float:
        """The largest |φ| that was seen."""
        return max((abs(v) for v in self.values.values() if math.isfinite(v)), default=0.0)

    def measure(self) -> None:
        """Measure the noise: sixth differences at a spacing where φ itself has almost none.

        A sixth difference of independent errors of size σ has the size √924 σ, from the squares of
        1, 6, 15, 20, 15, 6, 1. (Third differences still see the shape of a chaotic φ.)
        """
        for level in (21, 18, 15, 12, 9):
            values = np.array([self(k * UNEVEN * 2.0 ** -level) for k in range(-6, 7)])
            if not np.all(np.isfinite(values)):
                break
            self.measured = float(np.sqrt(np.mean(np.diff(values, 6) ** 2) / 924.0))
            if len(set(values)) > 6:  # else they are steps of a staircase: go over several of them
                break

    def bent(self) -> bool:
        """Whether what is known of φ looks like a kink: where it is smooth,
        (φ(h) - 2 φ(0) + φ(-h)) / h halves with h."""
        steps = sorted(h for h in self.values if h > 0.0 and -h in self.values)[:2]
        jumps = [abs(self(h) - 2.0 * self(0.0) + self(-h)) / h for h in steps]
        return len(jumps) < 2 or jumps[0] > 0.7 * jumps[1]

    def narrow(self, g: float) -> bool:
        """Whether φ is float32 in disguise: every value is one, and there are steps in it, or a
        slope g would not show."""
        seen = {v for v in self.values.values() if math.isfinite(v)}
        hidden = abs(g) * 2.0 ** -FIRST <= 4.0 * NARROW * self.size
        return (len(seen) > 1 or hidden) and all(float(np.float32(v)) == v for v in seen)


def slope(line: Line, thorough: bool = True) -> Slope | None:
    """φ'(0), from both sides; None if it does not settle. If not `thorough`, the best answer that
    a small number of evaluations gives."""
    return settled(line, range(opening(line), LAST), thorough)


def second(line: Line, level: int, rows: int) -> Slope | None:
    """φ'(0) from a few steps around 2^-level, where a line nearby has settled (0: unknown)."""
    level = level or USUAL
    return settled(line, range(max(level + 2 - rows, FIRST - 2), level + 2), False)


def settled(line: Line, levels: range, thorough: bool) -> Slope | None:
    """The most certain entry of Neville's table over these levels."""
    rows: list[list[float]] = []
    best: Slope | None = None
    for level in levels:
        if not thorough and line.count >= ENOUGH:
            break
        h = 2.0 ** -level
        quotient = line.quotient(h)
        if not math.isfinite(quotient):
            rows = []  # φ is not defined that far out: begin again nearer by
            continue
        rows.append(extrapolate(rows[-1] if rows else [], quotient))
        floor = 2.0 * line.noise / h
        for value, error in believed(rows, floor):
            if best is None or error < best.error:
                best = Slope(value, error, level)
        done = best is not None and best.error <= max(2.0 * floor, 1e-12 * abs(best.value))
        if len(rows) >= LEVELS and done:
            break
    return best


def opening(line: Line) -> int:
    """The level to begin at: the first whose quotient is roughly that of four levels on.

    A sharp φ looks like nothing at all in large steps, and halving through them is a waste.
    """
    for level in range(FIRST, LAST - LEVELS - 4, 4):
        here, there = line.quotient(2.0 ** -level), line.quotient(2.0 ** -(level + 4))
        noise = 2.0 * line.noise * 2.0 ** (level + 4)
        if math.isfinite(here) and not abs(here - there) > ALIKE * abs(there) + 10.0 * noise:
            return level
    return FIRST


def kink(line: Line) -> tuple[Slope, Slope] | None:
    """The slopes to the left and to the right of 0, if they differ: if φ has a kink there.

    The difference of the two, (φ(h) - 2 φ(0) + φ(-h)) / h, shrinks with h where φ is smooth, grows
    as 1 / h where it is noise, and stays at a kink. It is taken at three steps around the one where
    curvature and noise count about the same.
    """
    steep = max(abs(line(h) - line(0.0)) / abs(h) for h in (2.0 ** -FIRST, -2.0 ** -FIRST))
    if not math.isfinite(steep):
        steep = 1.0
    balance = math.sqrt(max(4.0 * line.noise, 1e-300) / max(steep, 1e-150))
    smallest = 2.0 ** min(max(round(math.log2(balance)), -26), -8)
    steps = [smallest, 4.0 * smallest, 16.0 * smallest]
    left = [(line(0.0) - line(-h)) / h for h in steps]
    right = [(line(h) - line(0.0)) / h for h in steps]
    jumps = [r - l for r, l in zip(right, left)]
    noise = 2.0 * line.noise / smallest
    lasting = max(jumps) - min(jumps) <= 0.25 * abs(jumps[0])
    if not lasting or not abs(jumps[0]) > 20.0 * noise:
        return None
    return (Slope(left[0], 2.0 * abs(left[2] - left[0]) + noise),
            Slope(right[0], 2.0 * abs(right[2] - right[0]) + noise))


def extrapolate(above: list[float], quotient: float) -> list[float]:
    """The next row of Neville's table, whose j-th column is rid of j powers of h²."""
    row = [quotient]
    for j, old in enumerate(above[: COLUMNS - 1]):
        row.append(row[j] + (row[j] - old) / (4.0 ** (j + 1) - 1.0))
    return row


def believed(rows: list[list[float]], floor: float) -> list[tuple[float, float]]:
    """The entries of the last row whose column shrank over two levels, with their errors."""
    if len(rows) < 3:
        return []
    found = []
    for j in range(len(rows[-3])):
        last, before = abs(rows[-1][j] - rows[-2][j]), abs(rows[-2][j] - rows[-3][j])
        if last <= max(0.5 * before, floor):
            found.append((rows[-1][j], 0.5 * last + floor))
    return found
