"""What a check asks of a program, whoever wrote it: its value anywhere, and its claimed gradient.

The question this file answers: *what has to be known of a program to check its gradient?*

Three kinds answer: a loss made of our nodes (`model.Model`), somebody's forward and backward
(`handwritten.Handwritten`), and one op (`local.Rule`).
"""

from __future__ import annotations

from typing import Any, Protocol

Arrays = dict[str, Any]  # parameter name -> float64 array of its shape


class Problem(Protocol):
    """What is checked: a function of named arrays, and a gradient that is claimed for it."""

    start: Arrays               # where it is checked, in float64
    dtypes: dict[str, Any]      # what the arrays are of
    eps: float                  # of the gradient; the function is differenced in float64
    noise: float                # rounding that the size of the result does not show
    evaluations: int
    gradients: int
    notes: list[str]
    broken: dict[str, tuple[str, str]]  # arrays without a gradient to compare: verdict and cause
    raised: set[str]            # kinds of floating-point warnings of the first forward
    spoilt: str                 # what makes the check worthless, or ''

    who: str                    # how messages call the function
    unreached: str              # why an array may have no gradient although it matters

    def __enter__(self) -> Any: ...
    def __exit__(self, *_: object) -> None: ...
    def value(self, arrays: Arrays) -> float: ...
    def gradient(self, arrays: Arrays) -> tuple[Arrays, set[str]]: ...
    def complex_slope(self, v: Arrays, start: float) -> float | None: ...
    def subnormal(self) -> bool: ...
