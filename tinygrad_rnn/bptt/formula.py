"""A formula, in Unicode and in LaTeX at once, and the small ones that others are made of.

The question this file answers: *when does a formula need brackets?*
"""

from __future__ import annotations

import unicodedata
from typing import Any, NamedTuple

import numpy as np

ATOM, POWER, TIMES, PLUS = 4, 3, 2, 1  # how tightly a formula holds together
FEW = 6  # so many rows that are picked, or arguments, are written out
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Formula(NamedTuple):
    """A formula twice, as Unicode text and as LaTeX; how tightly it holds together; the number that
    it is, if it is one."""

    text: str
    latex: str
    hold: int = ATOM
    number: float | None = None

    def inside(self, hold: int) -> Formula:
        """The same in brackets, if it stands where something tighter is needed."""
        if self.hold >= hold:
            return self
        return Formula(f"({self.text})", rf"\left({self.latex}\right)")


def number(x: float) -> Formula:
    """A plain number, with four digits."""
    text = f"{x:.4g}"
    mantissa, e, exponent = text.partition("e")
    latex = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa
    latex = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{NaN}"}.get(latex, latex)
    return Formula(text.replace("-", "−"), latex, TIMES if e else PLUS if x < 0 else ATOM, float(x))


def power(a: Formula, b: Formula) -> Formula:
    """a to the b."""
    if b.number == 1:
        return a
    a = a.inside(ATOM)
    whole = b.number is not None and b.number == int(b.number)
    text = f"{a.text}{b.text.replace('−', '-').translate(SUPERSCRIPT)}" if whole else \
        f"{a.text}^{b.inside(ATOM).text}"
    return Formula(text, f"{{{a.latex}}}^{{{b.latex}}}", POWER)


def transpose(a: Formula) -> Formula:
    """aᵀ."""
    a = a.inside(ATOM)
    return Formula(f"{a.text}ᵀ", rf"{{{a.latex}}}^\top", POWER)


def function(name: str, args: list[Formula]) -> Formula:
    """f(a, b); of many arguments the first and the last: stack(h₁, h₂, …, h₉)."""
    if len(args) > FEW:
        args = [*args[:2], Formula("…", r"\dots"), args[-1]]
    known = rf"\{name}" if name in ("exp", "log", "sin", "cos", "tanh", "max", "min") else \
        rf"\mathrm{{{escaped(name)}}}"
    return Formula(f"{name}({', '.join(a.text for a in args)})",
                   rf"{known}\left({', '.join(a.latex for a in args)}\right)")


def code(text: str) -> Formula:
    """A piece of source, as it stands."""
    return Formula(text, rf"\mathtt{{{escaped(text)}}}", PLUS)


SPECIAL = {"\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
           "%": r"\%", "_": r"\_", "^": r"\hat{}", "~": r"\sim{}", "'": r"{}^{\prime}",
           "−": "-", "‖": r"\Vert{}", "ᵀ": r"{}^{\top}"}


def escaped(text: str) -> str:
    """A name in LaTeX's mathematics: nothing in it is taken for a command."""
    return "".join(SPECIAL[c] if c in SPECIAL else c if c.isascii() and c.isprintable() else
                   foreign(c) for c in text)


def foreign(c: str) -> str:
    """A character that LaTeX's mathematics has under a name, or else as text."""
    kind, name = unicodedata.name(c, "").rpartition(" ")[::2]
    if kind == "GREEK SMALL LETTER" and name not in ("OMICRON", "LAMDA"):
        return rf"\{name.lower()}{{}}"
    if "SUBSCRIPT" in kind or "SUPERSCRIPT" in kind:
        return f"{{}}{'_' if 'SUBSCRIPT' in kind else '^'}{{{unicodedata.normalize('NFKC', c)}}}"
    return rf"\text{{{c}}}" if c.isprintable() else "?"


def option(x: Any) -> Formula:
    """An option of an operation: an axis, a slope, a shape."""
    if isinstance(x, (int, float, np.number)) and not isinstance(x, bool):
        return number(float(x))
    text = str(x) if x is None or isinstance(x, (bool, str)) else shown_index(x)
    return Formula(text, rf"\mathrm{{{escaped(text)}}}")


def shown_index(index: Any) -> str:
    """An index as it is written: `[..., 0:3]`."""
    def part(i: Any) -> str:
        if isinstance(i, slice):
            return ":".join("" if x is None else str(x) for x in (i.start, i.stop))
        if isinstance(i, (list, np.ndarray)) and np.size(i) <= FEW and np.size(i) > 0 \
                and np.asarray(i).dtype.kind in "iu":
            return str(np.asarray(i).tolist())
        return "..." if i is Ellipsis else str(i) if isinstance(i, (int, np.integer)) else "·"
    parts = index if isinstance(index, tuple) else (index,)
    return f"[{', '.join(map(part, parts))}]"
