"""A derivation as it is read: equations in blocks, as Unicode text, Markdown or LaTeX.

The question this file answers: *how does one equation become a line in a terminal, a notebook and
lecture notes?*
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .formula import Formula, foreign
from .table import WIDE, wrapped


@dataclass
class Line:
    """One equation: `left = right = value`, and a remark in words."""

    left: Formula
    right: Formula | None = None
    value: Formula | None = None
    note: str = ""

    def text(self) -> str:
        """As Unicode text."""
        return " = ".join(self.sides()) + (f"      {self.note}" if self.note else "")

    def sides(self) -> list[str]:
        """What is equal, without the same twice in a row."""
        sides = [f.text for f in (self.left, self.right, self.value) if f is not None]
        return [s for i, s in enumerate(sides) if i == 0 or s != sides[i - 1]]

    def folded(self) -> list[str]:
        """The same for a terminal: what is too long for a line begins another at each =."""
        whole = f"  {self.text()}"
        if len(whole) <= WIDE:
            return [whole]
        first, *more = self.sides()
        begin = "  " + " = ".join([first, *more[:1]])
        rest = [f"    = {side}" for side in more[1:]]
        *lines, last = [begin, *rest]
        last += f"      {self.note}" if self.note else ""
        return [part for line in (*lines, last) for part in wrapped([line], indent=6)]

    def latex(self) -> str:
        """As a line of an `aligned` block."""
        sides = [f.latex for f in (self.left, self.right, self.value) if f is not None]
        sides = [s for i, s in enumerate(sides) if i == 0 or s != sides[i - 1]]
        note = rf" \quad\text{{{worded(self.note)}}}" if self.note else ""
        right = f"= {' = '.join(sides[1:])}" if sides[1:] else ""
        return f"{sides[0]} &{right}{note}"


@dataclass
class Block:
    """The lines of one step, under its heading."""

    title: str
    lines: list[Line] = field(default_factory=list)


class Explanation:
    """A derivation: `.text` (Unicode), `.markdown` (with LaTeX, for a notebook), `.latex`."""

    def __init__(self, title: str, blocks: list[Block]) -> None:
        self.title, self.blocks = title, blocks

    @property
    def text(self) -> str:
        """Unicode text, one equation on each line."""
        parts = [self.title]
        for block in self.blocks:
            parts.append("\n".join([block.title, *("  " + line.text() for line in block.lines)]))
        return "\n\n".join(parts)

    @property
    def markdown(self) -> str:
        """Markdown with LaTeX, as a notebook shows it."""
        parts = [f"**{marked(self.title)}**"]
        for block in self.blocks:
            parts.append(f"*{marked(block.title)}*")
            if block.lines:
                parts.append(f"$$\n{aligned(block.lines)}\n$$")
        return "\n\n".join(parts)

    @property
    def latex(self) -> str:
        """LaTeX for lecture notes; it needs the package amsmath."""
        parts = [rf"\paragraph{{{worded(self.title)}}}"]
        for block in self.blocks:
            parts.append(rf"\subparagraph{{{worded(block.title)}}}")
            if block.lines:
                parts.append(f"\\[\n{aligned(block.lines)}\n\\]")
        return "\n\n".join(parts)

    def __str__(self) -> str:
        """The same for a terminal: long equations go over several lines."""
        parts = wrapped([self.title])
        for block in self.blocks:
            lines = [part for line in block.lines for part in line.folded()]
            parts.append("\n".join([block.title, *lines]))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown


def aligned(lines: Iterable[Line]) -> str:
    """Equations below each other."""
    body = " \\\\\n".join(line.latex() for line in lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


WORDS = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
         "%": r"\%", "_": r"\_", "^": r"\^{}", "~": r"\~{}", "∂": r"$\partial$", "…": r"\dots{}",
         "−": "$-$", "ᵀ": r"$^{\top}$", "·": r"$\cdot$", "‖": r"$\Vert$"}


def worded(text: str) -> str:
    """Words in LaTeX's text: nothing in them is taken for a command."""
    return "".join(WORDS[c] if c in WORDS else c if c.isascii() and c.isprintable() else
                   in_words(c) for c in text)


def in_words(c: str) -> str:
    """A letter as it is; a sign that needs mathematics (a small ₃) as a piece of it."""
    made = foreign(c)
    return c if made == rf"\text{{{c}}}" else made if made == "?" else f"${made}$"


def marked(text: str) -> str:
    """Words in Markdown: nothing in them is taken for a mark."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|$" else c for c in text)
