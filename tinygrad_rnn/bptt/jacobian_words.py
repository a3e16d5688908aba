"""What is said of step Jacobians: the table of their sizes, a verdict, and where one becomes zero.

The question this file answers: *what do I see of a thousand matrices?*
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .closed import ClosedForm, vanilla
from .rows import between
from .sizes import radii, singular
from .verdict import in_words, size

if TYPE_CHECKING:
    from .jacobians import StepJacobians

# --- names ----------------------------------------------------------------------------------------


def symbol(J: StepJacobians) -> str:
    """h, or s for a state of several parts."""
    return J.names[0] if len(J.names) == 1 else "s"


def label(J: StepJacobians, i: int) -> str:
    """The i-th state: h_3, or s_3 for one of several parts."""
    return f"{symbol(J)}_{J.steps[i]}"


def before(J: StepJacobians) -> str:
    """`h_{t-1}`; in reverse time `h_{t+1}`."""
    return f"{symbol(J)}_{{t{'+' if J.steps[0] > J.steps[-1] else '-'}1}}"


def ratio(J: StepJacobians, i: int) -> str:
    """`dh_3/dh_2`: what the i-th matrix is."""
    return f"d{label(J, i + 1)}/d{label(J, i)}"


# --- the verdict ----------------------------------------------------------------------------------


def verdict(J: StepJacobians) -> str:
    """Vanishes, explodes, neither, or dies, how fast, and after how many steps."""
    broken = np.flatnonzero(~np.isfinite(J.matrices).all((1, 2, 3)))
    if len(broken):
        what = "NaN" if np.isnan(J.matrices).any() else "Inf"
        return f"There is no verdict: {ratio(J, int(broken[0]))} has {what}"
    gone = np.flatnonzero(np.isneginf(J.largest))
    return f"The gradient {death(J, int(gone[0])) if len(gone) else in_words(J.largest)}"


def death(J: StepJacobians, lag: int) -> str:
    """Where the gradient of h_T becomes exactly 0, and why."""
    i = len(J) - lag
    t = J.steps[i + 1]
    if J.matrices[i].any():
        return (f"dies at step {t}: {ratio(J, i)} is not 0, but its product with the later "
                "ones is")
    return f"dies at step {t}: {ratio(J, i)} is 0 ({cause(J, i)})"


def cause(J: StepJacobians, i: int) -> str:
    """Why a Jacobian is 0."""
    earlier, later = J.chain.links[i], J.chain.links[i + 1]
    if not between(earlier, later):
        return f"the way is cut: {label(J, i + 1)} does not depend on {label(J, i)}"
    form = vanilla(earlier, later)
    if isinstance(form, ClosedForm) and not form.slope.any():
        return {"relu": "relu is off in every unit"}.get(
            form.activation, f"{form.activation} is saturated in every unit")
    return "the weight is 0" if isinstance(form, ClosedForm) and not form.W.any() \
        else "its local derivatives are"


# --- the table ------------------------------------------------------------------------------------


def title(J: StepJacobians) -> str:
    """What the table is of."""
    whole = "" if len(J.names) == 1 else f", s = ({', '.join(J.names)})"
    N, B, S = J.chain.size, J.chain.samples, len(J)
    one, many = ("number", "numbers") if J.chain.scalar and N == 1 else ("matrix", "matrices")
    shape = f"{one if S == 1 else many}" + ("" if one == "number" else f" {N} x {N}")
    batch = f"; the largest of {B} samples" if B > 1 else ""
    return f"J_t = d{symbol(J)}_t/d{before(J)}{whole}: {S} {shape}{batch}"


def cells(J: StepJacobians, digits: int, shown: Sequence[int] | None) -> list[list[str]]:
    """For every step the sizes of J_t, and of dh_T/dh_{t-1}; of single numbers, these numbers."""
    S = len(J)
    rows = list(range(S)) if shown is None else list(shown)
    product = f"d{label(J, S)}/d{before(J)}"
    steps = [str(J.steps[i + 1]) for i in rows]
    through = [size(J.largest[S - i], digits) for i in rows]
    some = J.matrices[rows]
    if J.chain.size == 1 and J.chain.samples == 1:
        signs = np.sign(J.matrices.reshape(-1)[::-1]).cumprod()[::-1]
        through = ["-" * bool(signs[i] < 0) + text for i, text in zip(rows, through)]
        numbers = [f"{x:.{digits}g}" for x in some.reshape(-1)]
        return [["t", "J_t", product], *map(list, zip(steps, numbers, through))]
    sigma = singular(some)
    columns = [sigma[..., 0].max(1), np.sqrt((some ** 2).sum((2, 3))).max(1),
               sigma[..., -1].min(1), radii(some).max(1)]
    text = [[f"{x:.{digits}g}" for x in column] for column in columns]
    head = ["t", "‖J_t‖₂", "‖J_t‖_F", "smallest σ", "spectral radius", f"‖{product}‖₂"]
    return [head, *map(list, zip(steps, *text, through))]


def notes(J: StepJacobians) -> list[str]:
    """The verdict, the closed form, and the direct path."""
    lines = [verdict(J)]
    forms = J.closed_forms
    if isinstance(forms, str):
        lines.append(f"No closed form diag(φ') W_hh: {forms}")
        return [*lines, J.paths.verdict] if J.paths is not None else lines
    W, formula = forms[-1].weight, forms[-1].formula
    name = W if formula == "1" else f"diag({formula}) {W}"
    lines.append(f"Closed form J_t = {name}: largest difference {J.closed_difference:.2g}")
    if J.chain.size > 1:
        turned = np.stack([form.turned() for form in forms])
        lines.append(f"  with {W}ᵀ in its place the difference is "
                     f"{abs(J.matrices - turned).max(initial=0.0):.2g}: the transpose "
                     f"belongs to the way back, dL/d{before(J)} = J_tᵀ dL/d{symbol(J)}_t")
    return lines
