"""What stands for a thing in a formula: a symbol with its step, a number, a small array.

The question this file answers: *how is h at step 3 written: h₃, h_{3} or h_t?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.parts import norm
from .formula import ATOM, TIMES, Formula, escaped, number

SMALL = 6     # an array of up to so many entries is printed
FACTORS = 6   # a longer chain of factors is shown in part
DIGITS = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")


def symbol_of(name: str, step: int | None, before: int | None = None) -> Formula:
    """`h` at step 3 is h₃ and h_{3}; with `before`, the step is a letter: h_t, or h_{t−1}."""
    name = "".join(c if c.isprintable() else "?" for c in name)
    base, _, rest = name.partition("_")
    base, rest = (base, rest) if base and rest else (name, "")
    body = escaped(base) if len(base) == 1 and base.isascii() else rf"\mathrm{{{escaped(base)}}}"
    when = "" if step is None else str(step)
    small = when.translate(DIGITS)
    if before is not None:
        when = "t" if before == 0 else f"t-{before}" if before > 0 else f"t+{-before}"
        small = f"_{when}" if len(when) == 1 else f"_{{{when.replace('-', '−')}}}"
    under = ",".join(filter(None, (escaped(rest), when)))
    return Formula(name + small, f"{body}_{{{under}}}" if under else body)


def shown(x: Any) -> Formula:
    """A number, a small array, or the shape and the norm of a big one."""
    x = np.asarray(x)
    if x.ndim == 0:
        return number(float(x))
    if x.size > SMALL or x.ndim > 2 or x.size == 0:
        size = number(norm(x))
        return Formula(f"{x.shape}, ‖·‖ = {size.text}",
                       rf"\text{{{x.shape}, }}\lVert\cdot\rVert = {size.latex}")
    rows = x if x.ndim == 2 else x[None]
    cells = [[number(float(v)) for v in row] for row in rows]
    text = "; ".join(" ".join(c.text for c in row) for row in cells)
    latex = r" \\ ".join(" & ".join(c.latex for c in row) for row in cells)
    return Formula(f"[{text}]", rf"\begin{{bmatrix}} {latex} \end{{bmatrix}}")


def opaque(x: Any) -> Formula:
    """A number that stands for a symbol: it is not worked out."""
    made = number(float(x))
    return Formula(made.text, made.latex, made.hold)


def ratio(of: Formula, by: Formula) -> Formula:
    """∂y/∂x."""
    return Formula(f"∂{of.text}/∂{by.text}",
                   rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}", ATOM)


def joined(parts: list[Formula]) -> Formula:
    """a + b + c."""
    parts = [p.inside(TIMES) for p in parts]
    return Formula(" + ".join(p.text for p in parts), " + ".join(p.latex for p in parts))


def product(parts: list[Formula]) -> Formula:
    """a · b · c; of many factors, the first and the last."""
    if len(parts) > FACTORS:
        parts = [*parts[:2], Formula("…", r"\cdots"), *parts[-2:]]
    parts = [p.inside(TIMES) for p in parts]
    return Formula(" · ".join(p.text for p in parts), r" \cdot ".join(p.latex for p in parts))


def joined_times(values: list[Formula], result: Any) -> tuple[str, str]:
    """The same with numbers, and what they give."""
    made, end = product(values), number(float(result))
    return f"{made.text} = {end.text}", f"{made.latex} = {end.latex}"
