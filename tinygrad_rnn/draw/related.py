"""Finding the cell that has to do with something: a correlation, and what chance would give.

The question this file answers: *which of these units tells quotes from the rest, and is that more
than luck?*

Among many cells, one is always the most related to anything. So beside each correlation stands what
the best of all cells reaches when the wanted signal is shifted along the text, which breaks the
relation and keeps everything else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, ShapeError
from ..nn.init import generator
from .tables import numbers_of

WHERE, SHIFTS = "draw.related()", 200


class Related(NamedTuple):
    """A cell, its correlation with what was wanted (from -1 to 1), and the size that the best of
    all cells reaches by chance (in 95 of 100 shifts it stays below)."""

    cell: int
    correlation: float
    chance: float

    @property
    def real(self) -> bool:
        """Whether the correlation is larger than chance would give."""
        return abs(self.correlation) > self.chance


def related(activations: Any, wanted: Any, *, seed: Any = 0) -> list[Related]:
    """The cells by how closely they follow what is `wanted`, the closest first.

    `activations` are (T, K), or (T, B, K) for texts read together, `wanted` numbers or truths of
    shape (T,) or (T, B): `inside_quotes(text)`, `nesting(text)`, anything. The correlation is
    Pearson's; that of a cell which never changes is 0. A correlation says that the cell follows
    the signal on this text, not that the network uses it. Raises `ShapeError` where shapes do not
    fit, and `InputError` if what is wanted never changes.
    """
    states = numbers_of(activations, "activations", WHERE)
    signal = numbers_of(wanted, "a signal of numbers", WHERE)
    if states.ndim not in (2, 3) or not states.size or signal.shape != states.shape[:-1]:
        raise ShapeError(f"expected activations (T, K) and a signal (T,), got {states.shape} and "
                         f"{signal.shape}", where=WHERE)
    if np.ptp(signal) == 0:
        raise InputError("expected something that changes, got the same number at every step",
                         where=WHERE)
    T = len(signal)
    found = correlations(states, signal)
    shifts = generator(seed, WHERE).integers(T // 8 + 1, max(T - T // 8, T // 8 + 2), SHIFTS)
    best = [float(np.abs(correlations(states, np.roll(signal, s, axis=0))).max()) for s in shifts]
    chance = float(np.quantile(best, 0.95))
    order = sorted(range(len(found)), key=lambda k: (-abs(found[k]), k))
    return [Related(k, float(found[k]), chance) for k in order]


def correlations(states: Any, signal: Any) -> Any:
    """Pearson's correlation of each cell with a signal."""
    x = states.reshape(-1, states.shape[-1])
    y = signal.reshape(-1) - signal.mean()
    x = x - x.mean(axis=0)
    size = np.linalg.norm(x, axis=0) * np.linalg.norm(y)
    tiny = np.linalg.norm(x, axis=0) <= 1e-12 * (1.0 + np.abs(states).max())
    return np.where(tiny, 0.0, y @ x / np.where(tiny, 1.0, size))


def inside_quotes(text: str, quote: str = '"') -> Any:
    """1.0 for each character between quotes, the opening one included; else 0.0."""
    open_, found = False, []
    if len(text_of(quote, "draw.inside_quotes()")) != 1:
        raise InputError(f"expected quote to be one character, got {quote!r}",
                         where="draw.inside_quotes()")
    for c in text_of(text, "draw.inside_quotes()"):
        if c == quote:
            open_ = not open_
        found.append(float(open_))
    return np.array(found)


def nesting(text: str, brackets: str = "()") -> Any:
    """How many brackets are open after each character; never below 0."""
    depth, found = 0, []
    if len(text_of(brackets, "draw.nesting()")) != 2:
        raise InputError(f"expected two brackets, got {brackets!r}", where="draw.nesting()")
    for c in text_of(text, "draw.nesting()"):
        depth = max(0, depth + (c == brackets[0]) - (c == brackets[1]))
        found.append(float(depth))
    return np.array(found)


def text_of(text: Any, where: str) -> str:
    """A text. Raises `InputError` for anything else."""
    if not isinstance(text, str):
        raise InputError(f"expected a text, got {type(text).__name__}", where=where)
    return text
