"""Clipping: gradients that are too large are made smaller before the update.

The question this file answers: *what can be done about an exploding gradient?*

An error or an interrupt leaves all gradients as they were, or all of them clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.inplace import at_once, change
from ..core.words import describe
from ..errors import GradientError
from ..nn.options import above_zero, yes_or_no
from .given import named


def clip_grad_norm(params: Any, max_norm: float, norm_type: float = 2,
                   error_if_nonfinite: bool = False) -> float:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)) and return the norm before it.

    The norm is that of all gradients as one vector (Pascanu et al. 2013); `norm_type` may be inf,
    the largest entry. `max_norm` may be inf: then the norm is only measured. A norm of NaN makes
    all gradients NaN, one of Inf those that are Inf, and the others 0; with `error_if_nonfinite` it
    raises `GradientError` and nothing is scaled. Raises `InputError` for a `max_norm` or
    `norm_type` that is not above 0.
    """
    max_norm = above_zero(max_norm, "max_norm", "clip_grad_norm")
    norm_type = above_zero(norm_type, "norm_type", "clip_grad_norm")
    error_if_nonfinite = yes_or_no(error_if_nonfinite, "error_if_nonfinite", "clip_grad_norm")
    leaves = [p for p in named(params, "clip_grad_norm").values() if p.grad is not None]
    entries = [np.ravel(p.grad) for p in leaves]
    norm = norm_of(np.concatenate(entries), norm_type) if entries else 0.0
    if error_if_nonfinite and not np.isfinite(norm):
        bad = [describe(p) for p in leaves if not np.all(np.isfinite(p.grad))]
        raise GradientError(f"the norm of the gradients is {norm}: see "
                            f"{', '.join(bad) or 'their size'}", where="clip_grad_norm")
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1.0:
        at_once(change(leaves, "grad", [scaled(p.grad, scale) for p in leaves]))
    return norm


def clip_grad_value(params: Any, clip_value: float) -> None:
    """Cut every entry of every gradient to [-clip_value, clip_value].

    Raises `InputError` for a `clip_value` that is not above 0.
    """
    clip_value = above_zero(clip_value, "clip_value", "clip_grad_value")
    leaves = [p for p in named(params, "clip_grad_value").values() if p.grad is not None]
    clipped = [np.clip(p.grad, -clip_value, clip_value) for p in leaves]
    at_once(change(leaves, "grad", [float(g) if p.is_scalar else g
                                    for p, g in zip(leaves, clipped)]))


# --- helpers ------------------------------------------------------------------------------------


def scaled(g: Any, scale: float) -> Any:
    """g times scale. 0 times Inf is NaN, and said without a warning from NumPy: a switch for those
    could be left on by an interrupt."""
    if scale == 0 and not np.all(np.isfinite(g)):
        g = np.where(np.isinf(g), np.nan, g) if np.ndim(g) else np.nan
    return g * scale


def norm_of(entries: Any, norm_type: float) -> float:
    """The norm, in double precision and of entries divided by the largest one: squares of large
    numbers would overflow."""
    entries = entries.astype(np.float64, copy=False)
    largest = float(np.max(np.abs(entries), initial=0.0))
    if largest < 1e30 or not np.isfinite(largest):
        return float(np.linalg.norm(entries, norm_type))
    return largest * float(np.linalg.norm(entries / largest, norm_type))
