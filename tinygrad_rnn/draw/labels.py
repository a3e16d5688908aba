"""Labels: names with subscripts, numbers with few digits, and how wide a text will be.

The question this file answers: *how is `W_hh` written, and will it fit?*

A `Text` is a few runs, each in a style of its own. It holds plain characters only:
whatever a user typed is made visible here (a line break shows as ⏎, a bidirectional mark as its
code) and shortened, and each writer escapes it for its own format.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

LONGEST, LONGEST_TITLE = 24, 400


class Run(NamedTuple):
    """Some characters in one style: "" (roman), "i" (italic), "b" (bold), "_" (subscript) or "m"
    (all equally wide)."""

    text: str
    style: str = ""


Text = tuple[Run, ...]


def clean(text: str, longest: int = LONGEST) -> str:
    """What a user typed, made visible and short enough."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isprintable():
        return text
    return "".join(map(visible, text))


def visible(c: str) -> str:
    """A character that can be seen: control, format and unpaired ones show as what they are."""
    if c == "\n":
        return "⏎"
    if c == "\t":
        return " "
    kind = unicodedata.category(c)
    if kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"\\u{ord(c):04x}"
    return c


def roman(text: str) -> Text:
    """Plain words of our own or of a user."""
    return (Run(clean(text, LONGEST_TITLE)),)


PARTS = re.compile(  # W_hh, h0, h_-1, y
    r"([^\W\d_]{1,2}\u0302?)(?:_(\w{1,4}|-\d{1,3})|(\d{1,3}))?\Z")


def symbol(name: str, step: int | str | None = None, bold: bool = False) -> Text:
    """A name as on paper: `W_hh` is a bold W with subscript hh, `h` at step 3 is h with subscript
    3.

    Longer names are written out: `total loss`.
    """
    below = "" if step is None else str(step)
    if below and name.endswith(f"_{below}"):
        name = name[: -len(below) - 1]
    head, own = head_of(name, "b" if bold else "i")
    below = minus(f"{own},{below}" if own and below else own or below)
    return (head, Run(below, "_")) if below else (head,)


@lru_cache(1 << 10)
def head_of(name: str, style: str) -> tuple[Run, str]:
    """A name without its subscript, and the subscript."""
    parts = PARTS.match(name)
    if parts is None or not name.isprintable():
        return Run(clean(name), style if len(name) < 3 else ""), ""
    return Run(parts[1], style), parts[2] or parts[3] or ""


SUBSCRIPTS = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


def plain(text: Iterable[Run]) -> str:
    """The text as Unicode characters alone: h₁, W_hh."""
    parts = []
    for run in text:
        if run.style != "_":
            parts.append(run.text)
        elif run.text.isdigit():
            parts.append(run.text.translate(SUBSCRIPTS))
        else:
            parts.append("_" + run.text)
    return "".join(parts)


def number(x: Any) -> str:
    """A number with three digits: 0.0361, 12.5, 3.1e−18."""
    value = float(x)
    size = abs(value)
    if 1e-3 <= size < 9999.5:
        text = f"{value:.3g}"
        text = f"{value:.0f}" if "e" in text else text
    elif math.isnan(value):
        return "NaN"
    elif math.isinf(value):
        return "∞" if value > 0 else "−∞"
    elif value == 0:
        return "0"
    else:
        digits, _, power = f"{value:.1e}".partition("e")
        text = f"{digits.removesuffix('.0')}e{int(power)}"
    return minus(text)


def minus(text: str) -> str:
    """Whole numbers, of steps, with a minus sign: t = −2."""
    return text.replace("-", "−")


@lru_cache(1 << 12)
def decimals(x: float) -> str:
    """A coordinate, with two decimals at most."""
    text = f"{x:.2f}"
    if text[-1] == "0":
        text = text[:-3] if text[-2] == "0" else text[:-1]
    return "0" if text == "-0" else text


NARROW, WIDE = frozenset("ijl|.,:;!'`()[]{}/\\ ‖·"), frozenset("mwMWQO@%∂Σ—…×÷−=+<>~")


def width(text: Iterable[Run], size: float) -> float:
    """A generous estimate of the width in points: the wide one among the usual fonts."""
    wide = 0.0
    for run in text:
        wide += map_width(run) * size * (0.74 if run.style == "_" else 1.0)
    return wide


@lru_cache(1 << 14)
def map_width(run: Run) -> float:
    """The width of a run in ems."""
    if run.style == "m":
        return 0.61 * cells(run.text)
    total = 0.0
    for c in run.text:
        if c in NARROW:
            total += 0.36
        elif c in WIDE:
            total += 0.88
        elif c.isascii():
            total += 0.70 if c.isupper() else 0.61
        else:
            total += 1.05 if unicodedata.east_asian_width(c) in "WF" else 0.72
    return total * (1.06 if run.style == "b" else 1.0)


def cells(text: str) -> int:
    """How many columns a text fills in a terminal: 2 for a wide character, 0 for a combining
    one."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF"
               else 1 for c in text)
