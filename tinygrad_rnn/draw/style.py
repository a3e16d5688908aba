"""The one table of looks: colours by role, for light and dark paper; signs for ops; sizes.

The question this file answers: *what does a thing look like, given what part it plays?*

A role is a part in the picture ("state", "weight 0", "op"). Every theme has one row for it: fill,
stroke, ink. The strong colours are those of Okabe and Ito (2008), told apart by colour-blind
readers too. The size of a gradient has a scale of its own, blue (small) over grey to red (large).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"


class Paint(NamedTuple):
    """How a role is drawn: inside, outline (or line), text."""

    fill: str
    stroke: str
    ink: str


# What leads a weight through the picture, by where it is used; then further ones, in turn.
WEIGHTS = {"recurrent": "#D55E00", "input": "#56B4E9", "output": "#009E73", "bias h": "#E69F00",
           "bias y": "#999933", "0": "#CC79A7", "1": "#882255", "2": "#44AA99", "3": "#AA7744"}
LEAST_CONTRAST = 4.5  # of text on what is behind it (WCAG 2.1, level AA)
LEAST_LINE = 3.5  # of a weight's rail on dark paper
GRADIENT = ("#2166ac", "#4393c3", "#7fb2d0", "#a9a9a9", "#d9905f", "#d6604d", "#b2182b")
# Numbers with a sign: blue is negative, white 0, red positive; and sizes, from pale to deep.
SIGNED = ("#2166ac", "#67a9cf", "#f4f4f4", "#ef8a62", "#b2182b")
SIZES = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
# Each scale by kind of paper: what is strong stands out from the paper, what is 0 hardly does. A
# printer has no colours, so there the smallest is light and the largest black.
SCALES: dict[str, dict[str, tuple[str, ...]]] = {
    "gradient": {"light": GRADIENT, "print": ("#9c9c9c", "#111111"),
                 "dark": ("#4a90d9", "#68a4d8", "#8db2cc", "#9a9a9a", "#d6a07c", "#e47a60",
                          "#f2575a")},
    "signed": {"light": SIGNED, "print": ("#dddddd", "#111111"),
               "dark": ("#70b6f4", "#33719f", "#262a30", "#a8523f", "#ff9068")},
    "sizes": {"light": SIZES, "print": ("#ffffff", "#111111"),
              "dark": ("#23272d", "#22486b", "#2f7cb8", "#6db4ea", "#dcefff")},
}
NO_NUMBER = ("nan", "inf")  # looks of their own, on no scale
NO_HEIGHT = (*NO_NUMBER, "zero")  # on no log scale
STATE, OUTPUT, LOSS = "#0072B2", "#009E73", "#CC79A7"


def mix(a: str, b: str, share: float) -> str:
    """The colour `share` of the way from `a` to `b`."""
    (r, g, b_), (r2, g2, b2) = channels(a), channels(b)
    return (f"#{round(r + (r2 - r) * share):02x}{round(g + (g2 - g) * share):02x}"
            f"{round(b_ + (b2 - b_) * share):02x}")


@lru_cache(1 << 8)
def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def apart(a: str, b: str) -> int:
    """How far apart two colours are: the sum of the differences of red, green and blue."""
    return sum(abs(p - q) for p, q in zip(channels(a), channels(b)))


def brightness(colour: str) -> float:
    """The relative luminance of a colour (WCAG 2.1): 0 is black, 1 white."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
               for c in (part / 255 for part in channels(colour)))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two colours (WCAG 2.1): 1 is none, 21 black on white."""
    low, high = sorted((brightness(a), brightness(b)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour`: one of them has a contrast above 4.5."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def apart_from(colour: str, paper: str, ink: str) -> str:
    """A line's colour, as far toward the ink as it needs to be seen on the paper."""
    while contrast(colour, paper) < LEAST_LINE:
        colour = mix(colour, ink, 0.1)
    return colour


def readable(paint: Paint) -> Paint:
    """The same, in black or white if its own ink could hardly be read on its fill."""
    if paint.fill == "none" or contrast(paint.ink, paint.fill) >= LEAST_CONTRAST:
        return paint
    return paint._replace(ink=ink_on(paint.fill))


def theme(paper: str, ink: str, frame: str, edge: str, quiet: str, pale: float) -> dict[str, Paint]:
    """The table for one kind of paper; `pale` is how far fills go from their colour to the
    paper."""
    faint = mix(quiet, paper, 0.28)
    state = STATE if paper == "#ffffff" else mix(STATE, ink, 0.35)
    table = {
        "paper": Paint(paper, "none", ink),
        "frame": Paint(frame, mix(quiet, paper, 0.66), quiet),
        "gap": Paint(mix(frame, quiet, 0.08), faint, quiet),
        "text": Paint("none", "none", ink),
        "quiet": Paint("none", quiet, quiet),
        "line": Paint("none", edge, edge),
        "dim": Paint(frame, faint, quiet),
        "op": Paint(paper, mix(edge, ink, 0.5), ink),
        "function": Paint(mix("#F0E442", paper, pale * 0.62), mix(edge, ink, 0.5), ink),
        "state": Paint(mix(STATE, paper, pale), state, ink),
        "carried": Paint("none", state, state),
        "initial": Paint(paper, mix(edge, ink, 0.5), ink),
        "cell": Paint(mix("#F0E442", paper, pale * 0.9), mix(edge, ink, 0.5), ink),
        "delay": Paint(ink, ink, paper),
        "input": Paint(mix(quiet, paper, 0.82), mix(edge, ink, 0.5), ink),
        "value": Paint(mix(STATE, paper, 0.5 + pale / 2), mix(edge, ink, 0.5), ink),
        "output": Paint(mix(OUTPUT, paper, pale), mix(edge, ink, 0.5), ink),
        "loss": Paint(mix(LOSS, paper, pale * 0.92), mix(edge, ink, 0.5), ink),
        "total": Paint(mix(LOSS, paper, pale * 0.58), mix(edge, ink, 0.5), ink),
        "zero": Paint("none", faint, quiet),
        "wrong": Paint("none", "#B2182B", "#B2182B" if paper == "#ffffff" else "#F08080"),
    }
    red = GRADIENT[-1] if paper == "#ffffff" else mix(GRADIENT[-2], ink, 0.45)
    table["gradient"] = Paint("none", red, red)
    table["backward"] = Paint(mix(GRADIENT[-2], paper, pale), red, ink)
    violet = "#AA3377" if paper == "#ffffff" else mix("#AA3377", ink, 0.35)
    table["nan"] = Paint(violet, violet, ink_on(violet))
    table["inf"] = Paint(ink, ink, paper) if paper == "#ffffff" else \
        Paint(paper, ink, ink)  # the largest of sizes is nearly white there
    for name, colour in WEIGHTS.items():
        lively = colour if paper == "#ffffff" else apart_from(mix(colour, ink, 0.15), paper, ink)
        table[f"weight {name}"] = Paint(mix(colour, paper, pale * 0.9), lively, ink)
    return {role: readable(paint) for role, paint in table.items()}


def grey(colour: str) -> str:
    """A colour as a grey of the same brightness."""
    r, g, b = channels(colour)
    return "#" + f"{round(0.299 * r + 0.587 * g + 0.114 * b):02x}" * 3


def printable(table: dict[str, Paint]) -> dict[str, Paint]:
    """The light table for a printer without colours: greys, and every line dark enough."""
    def dark(colour: str) -> str:
        return colour if colour == "none" else mix(grey(colour), "#000000", 0.45)

    def pale(colour: str) -> str:
        return colour if colour == "none" else mix(grey(colour), "#ffffff", 0.25)

    found = {role: Paint(pale(p.fill), dark(p.stroke), "#000000") for role, p in table.items()}
    found["delay"] = Paint("#000000", "#000000", "#ffffff")
    found["frame"] = Paint("#ffffff", "#999999", "#333333")
    found["backward"] = Paint("#a0a0a0", "#000000", "#000000")  # told from the forward pass
    for role in NO_NUMBER:  # white inside: every grey is a number's
        found[role] = Paint("#ffffff", "#000000", "#000000")
    for role, fill in (("input", "#ffffff"), ("state", "#e8e8e8"), ("value", "#dbdbdb"),
                       ("output", "#cfcfcf")):
        found[role] = found[role]._replace(fill=fill)  # told apart, and lighter than any gradient
    return found


THEMES = {
    "light": theme("#ffffff", "#111111", "#fafafa", "#4d4d4d", "#6b6b6b", 0.78),
    "dark": theme("#16181c", "#f2f2f2", "#1e2126", "#b0b3b8", "#9a9da3", 0.62),
}
THEMES["print"] = printable(THEMES["light"])


def broken(role: str, theme: str) -> bool:
    """Whether the outline of a role is dashed: in print NaN has no colour to be known by."""
    return role == "nan" and theme == "print"


def dots(role: str, theme: str) -> str:
    """The dashes around a cell without a height: 0 is dotted, as its wires are."""
    return DOTTED if role == "zero" else DASHED if broken(role, theme) else ""


def head(width: float) -> tuple[float, float]:
    """How long the arrow head of a line of a width is, and half how wide: of the thickest no more
    than lines that run side by side leave it."""
    return 6.0 + 1.08 * width, 3.0 + 0.68 * width


# Op names as they are written on paper; an op that is not here shows its own name.
SYMBOLS = {"linear": "@", "*": "×", "-": "−", "neg": "−", "/": "÷", "**": "^", "power": "^",
           "sigmoid": "σ", "sqrt": "√", "abs": "|·|", "T": "ᵀ", "sum": "Σ", "outer": "⊗",
           "cross_entropy": "cross-entropy", "concat": "concat", "log_softmax": "log softmax"}



class Shade(str):
    """A colour that stands for a number, or (`part`) the outline or the ink that go with it. As a
    word it is the colour on light paper; it knows its place on its scale, from 0 to 1, and so its
    colour on any paper."""

    scale: str
    level: float
    part: str

    def __new__(cls, scale: str, level: float, part: str = "fill") -> Shade:
        self = super().__new__(cls, PARTS[part](between(SCALES[scale]["light"], level)))
        self.scale, self.level, self.part = scale, level, part
        return self

    def __getnewargs__(self) -> tuple[str, float, str]:  # type: ignore[override]
        return self.scale, self.level, self.part

    def on(self, paper: str) -> str:
        """The colour on a kind of paper."""
        if paper == "light":
            return str(self)
        return PARTS[self.part](between(SCALES[self.scale][paper], self.level))

    def its(self, part: str) -> Shade:
        """The "edge" or the "ink" of what is filled with it."""
        return Shade(self.scale, self.level, part)


PARTS: dict[str, Callable[[str], str]] = {
    "fill": str, "ink": ink_on, "edge": lambda colour: mix(colour, "#000000", 0.25)}


def gradient_colour(level: float) -> Shade:
    """The colour of a gradient's size: `level` 0 is the smallest in view, 1 the largest."""
    return Shade("gradient", level)


def between(colours: tuple[str, ...], level: float) -> str:
    """The colour at `level` on the way from the first of some colours (0) to the last (1)."""
    place = min(max(level, 0.0), 1.0) * (len(colours) - 1)
    low = min(int(place), len(colours) - 2)
    return mix(colours[low], colours[low + 1], place - low)


# Sizes in points. OP and VAR are the diameters of circles; GAP lies between neighbours in a step.
TEXT, SMALL, TINY = 13.0, 11.0, 10.0
OP, VAR, PILL = 24.0, 38.0, 26.0
GAP_X, GAP_Y = 22.0, 24.0
CELL = (116.0, 50.0)  # the least box of a cell: wide enough for its weights to come in side by side
PAD, MARGIN, CORNER = 18.0, 16.0, 7.0
DOTTED, DASHED = "1.5 3", "4 3"
