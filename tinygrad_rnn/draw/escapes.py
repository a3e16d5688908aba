"""Escapes: numbers as colours in a terminal, in 24 bits or in the 256 colours that all have.

The question this file answers: *how does a terminal show a colour?*

The nearest of 256 colours is often one of another hue, and neighbours on a scale would be blue,
green and blue again. So each scale has a row of its own, of colours that get steadily darker.
"""

from __future__ import annotations

from ..errors import InputError
from . import style
from .labels import number
from .shades import Shades

ALL, FEW = 1 << 24, 256
CUBE = (0, 95, 135, 175, 215, 255)  # the colours from 16 on: six levels of red, green and blue
SIGNED = (25, 32, 74, 110, 153, 231, 224, 216, 209, 167, 124)  # negative, 0, positive
SIZES = (231, 189, 153, 110, 74, 32, 25, 18)
ODD = {"nan": 133, "inf": 16}


def checked(colours: int) -> int:
    """How many colours there are. Raises `InputError` if no terminal has so many."""
    if not isinstance(colours, int) or colours not in (ALL, FEW):
        raise InputError(f"expected colours to be {ALL:,} or {FEW}, got {colours!r}",
                         where="ansi()", fix="Without colours: text()")
    return colours


def painted(c: str, x: float, shades: Shades, colours: int = ALL) -> str:
    """Characters on the colour of a number, in the escape codes of terminals."""
    paint = shades.paint(x)
    if colours == FEW:
        n = ODD[paint] if paint in ODD else code(shades, x)
        return f"\x1b[48;5;{n};38;5;{16 if style.ink_on(meant(n)) == '#000000' else 231}m{c}\x1b[0m"
    paint = paint if paint.startswith("#") else style.THEMES["light"][paint].stroke
    back, ink = (";".join(map(str, style.channels(p))) for p in (paint, style.ink_on(paint)))
    return f"\x1b[48;2;{back};38;2;{ink}m{c}\x1b[0m"


def code(shades: Shades, x: float) -> int:
    """The colour of a number among 256."""
    row = SIGNED if shades.signed else SIZES
    return row[round(shades.level(x) * (len(row) - 1))]


def meant(n: int) -> str:
    """The colour that a terminal shows for a number from 16 to 231."""
    return "#" + "".join(f"{CUBE[(n - 16) // k % 6]:02x}" for k in (36, 6, 1))


def legend(shades: Shades, colours: int) -> str:
    """The colours at the ends of a scale, and in its middle, with their numbers."""
    ends = [shades.least, 0.0, shades.most] if shades.signed else [0.0, shades.most]
    told = [*((x, number(x)) for x in ends), *shades.odd]
    return "  ".join(f"{painted('  ', x, shades, colours)} {word}" for x, word in told)
