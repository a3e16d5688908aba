"""In plain words: vanishes, explodes, neither, or dies, how fast, and after how many steps.

The question this file answers: *what do these norms say?*

Sizes are kept as powers of ten, so that 0.5 to the power 5,000 is a size like others and is not
taken for zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any
LOW, HIGH = 1e-6, 1e6  # where a gradient is as good as gone, or of no use


def rate(log10: Array) -> float:
    """The factor by which the gradient changes a step, on the (geometric) average."""
    span = len(log10) - 1
    last = float(log10[-1])
    return 10.0 ** (last / span) if math.isfinite(last) else 0.0 if last < 0 else last


def lag_of(log10: Array, level: float) -> int | None:
    """The first lag at which the size is below `level` (above it, for a level over 1)."""
    bar = math.log10(level)
    with np.errstate(invalid="ignore"):
        beyond = np.flatnonzero(log10 > bar if level > 1.0 else log10 < bar)
    return int(beyond[0]) if len(beyond) else None


def in_words(log10: Array) -> str:
    """What the sizes of dh_T/dh_{T-d}, d = 0, 1, ..., as powers of ten, say of the gradient. They
    are finite."""
    span, factor, last = len(log10) - 1, rate(log10), float(log10[-1])
    if 0.9 <= factor <= 1.1 and -1.0 <= last <= 1.0:
        return (f"neither vanishes nor explodes: {factor:.3g} a step, {size(last)} of its size "
                f"after {steps(span)}")
    level = LOW if last < 0 else HIGH
    lag, guess = lag_of(log10, level), ""
    if lag is None and factor != 1.0:
        lag, guess = math.ceil(math.log10(level) / math.log10(factor)), " at this rate"
    name = "1e-6" if level == LOW else "1e6"
    if last < 0:
        return (f"vanishes: it shrinks by {factor:.2g} a step, below {name} of its size after "
                f"{steps(lag)}{guess}")
    return (f"explodes: it grows by {factor:.3g} a step, above {name} times its size after "
            f"{steps(lag)}{guess}")


def steps(n: int | None) -> str:
    """`1 step`, `7 steps`."""
    return f"{n} step{'' if n == 1 else 's'}"


def size(log10: float, digits: int = 3) -> str:
    """A size given as a power of ten, however small or large it is."""
    if math.isnan(log10):
        return "nan"
    if log10 == -math.inf:
        return "0"
    if abs(log10) < 300.0:
        return f"{10.0 ** log10:.{digits}g}"
    return f"1e{round(log10):+d}"
