"""Errors that say what was expected, what came, where, and what to do.

Every error of the package is a `TinygradRNNError` and also the built-in error that a NumPy user
would expect (`ShapeError` is a `ValueError`, and so on), so that both `except` clauses work.
"""

from __future__ import annotations

LONG = 1_000  # characters: what somebody gave may be a whole file


class TinygradRNNError(Exception):
    """The root of the package's errors: one sentence on what went wrong, one on what to do.
    A problem that is very long is shortened in the middle."""

    def __init__(self, problem: str, *, fix: str = "", where: str = "") -> None:
        if len(problem) > LONG:
            problem = f"{problem[:LONG * 3 // 4]} … {problem[-LONG // 4:]}"
        self.problem, self.fix, self.where = problem, fix, where
        sentence = f"{where}: {problem}" if where else problem
        super().__init__(f"{sentence}. {fix}" if fix else sentence)


class ShapeError(TinygradRNNError, ValueError):
    """Shapes that do not fit together."""


class DTypeError(TinygradRNNError, TypeError):
    """A kind of data that cannot take part: integers asked for a gradient, objects, complex
    numbers."""


class UnsupportedError(TinygradRNNError, TypeError):
    """A NumPy function, option or operand that has no rule here; the message names what there
    is."""


class GradientError(TinygradRNNError, RuntimeError):
    """A gradient was asked for that cannot be had: no seed, no history, a released graph, changed
    data."""


class AnomalyError(TinygradRNNError, ArithmeticError):
    """The first NaN or Inf, found under `detect_anomaly()`."""


class InputError(TinygradRNNError, ValueError):
    """An argument, a file or a text that cannot be used as given."""
