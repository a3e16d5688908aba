"""Text coloured by what a cell of the network did while it read it.

The question this file answers: *what does this unit look at?*

Every character stands on the colour of the cell's activation at its step: blue is negative, white
0, red positive (Karpathy, Johnson and Fei-Fei 2016 looked at LSTMs like that, and found cells for
quotes, line length, nesting). As a page it is text that can be searched and copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..errors import InputError, ShapeError
from ..nn.options import above_zero
from ..nn.options import number as number_of
from . import escapes, style
from .asked import options_of
from .html import page
from .labels import Run, cells, clean, number, roman, visible
from .model import Box, Drawing
from .options import Options
from .painter import Marker
from .paper import Sheet
from .picture import Picture
from .shades import Shades
from .sketch import fitted
from .tables import numbers_of

MOST, MOST_CELLS = 4_000, 12
WHERE = "draw.text()"
WIDE, TALL, GAP = 9.0, 19.0, 3.0
SIGNS = {"\n": "⏎", "\t": "⇥", " ": ""}
Lines = list[list[int]]


@options_of
def text(text: str, activations: Any, *, width: int = 80, theme: str = "auto",
         most: float | None = None, palette: Mapping[str, str] | None = None,
         font: str | None = None, size: float = 1.0) -> Picture:
    """Draw a text, coloured by one activation for each character.

    `activations` are numbers (T,), one for each of the T characters; or (T, K), or a dict of names,
    for several cells, each with a block of its own. Lines are wrapped after `width` characters, and
    where the text has a line break. The colours reach from -`most` to `most`: the largest
    activation of the cell, if it is not given. Of a long text the first 4,000 characters are drawn.
    In a terminal `picture.ansi()` is the same in colours. The looks (`theme`, `palette`, `font`,
    `size`) are those of `draw.unrolled`. Raises `ShapeError` if the numbers are not as many as the
    characters.
    """
    looks = Options(WHERE, palette=palette, font=font, size=size).checked()
    if not isinstance(text, str) or not text:
        raise InputError(f"expected a text, got {text!r}"[:120], where=WHERE)
    if isinstance(width, bool) or not isinstance(width, int) or width < 4:
        raise InputError(f"expected width to be a number of characters, at least 4, got {width!r}",
                         where=WHERE)
    if most is not None:
        most = above_zero(number_of(most, "most", WHERE), "most", WHERE)
    series = series_of(text, activations)
    return Coloured(text, series, width, theme, most, looks)


def series_of(text: str, activations: Any) -> dict[str, Any]:
    """The activations of each cell, by its name."""
    if isinstance(activations, Mapping):
        found = {clean(str(name), 40): numbers_of(x, f"activations of {name!r}", WHERE)
                 for name, x in activations.items()}
    else:
        array = numbers_of(activations, "activations", WHERE)
        if array.ndim == 2 and array.shape[1] > MOST_CELLS:
            raise InputError(f"expected at most {MOST_CELLS} cells, got {array.shape[1]}",
                             where=WHERE, fix="Choose some: states[:, [3, 17]]. "
                             "draw.related(states, wanted) finds those worth looking at")
        found = {"": array} if array.ndim == 1 else \
            {f"cell {k}": array[:, k] for k in range(array.shape[1])} if array.ndim == 2 else \
            {"": array}
    if not found:
        raise InputError("expected the activations of a cell, got none", where=WHERE)
    for name, x in found.items():
        if x.shape != (len(text),):
            raise ShapeError(f"expected {len(text)} activations, one for each character, got shape "
                             f"{x.shape}" + (f" for {name!r}" if name else ""),
                             where=WHERE)
    return found


class Coloured(Picture):
    """A coloured text: a picture, a page of text, and text for a terminal."""

    def __init__(self, text: str, series: Mapping[str, Any], width: int, theme: str,
                 most: float | None, looks: Options) -> None:
        self.whole, self.words = len(text), text[:MOST]
        self.series = {name: x[:MOST] for name, x in series.items()}
        self.shades = {name: Shades(x, "signed", most) for name, x in self.series.items()}
        self.rows = wrapped(self.words, width)
        super().__init__(looks.finished(self.sheet()), theme)

    @property
    def note(self) -> str:
        """What is not drawn."""
        rest = self.whole - len(self.words)
        return f"{rest:,} further characters are not drawn" if rest else ""

    def sheet(self) -> Drawing:
        """Every character as a cell, and a bar below each block."""
        sheet = Sheet(f"Text of {self.whole:,} characters, coloured by activation")
        y = 0.0
        for k, (name, x) in enumerate(self.series.items()):
            if name:
                sheet.say((0.0, y - 4), (Run(name, "b"),), anchor="start")
                y += 8.0
            for row in self.rows:
                left = 0.0
                for i in row:
                    wide = WIDE * columns(self.words[i])
                    self.character(sheet, k, i, float(x[i]), (left, y, wide))
                    left += wide
                y += TALL
            self.shades[name].legend(sheet, 0.0, y + 6)
            y += 56.0
        if self.note:
            sheet.say((0.0, y - 8), roman(self.note), "quiet", style.SMALL, "start")
        return sheet.drawing()

    def character(self, sheet: Sheet, k: int, i: int, x: float,
                  at: tuple[float, float, float]) -> None:
        """One character on its colour."""
        (left, y, wide), c = at, self.words[i]
        looks = self.shade(k).looks(x)
        if "fill" in looks:  # neighbours touch
            looks.update(stroke=looks["fill"], width=0.0)
        sign = (Run(shown(c), "m"),) if shown(c) else ()
        name = sheet.names.give(f"c{k}.{i}")
        sheet.boxes.append(Box(name, left + wide / 2, y + TALL / 2, wide + 0.2, TALL - GAP, "cell",
                               text=sign, title=self.told(i, x), size=style.TEXT, **looks))

    def shade(self, k: int) -> Shades:
        """The scale of the k-th cell."""
        return list(self.shades.values())[k]

    def told(self, i: int, x: float) -> str:
        """The tooltip of a character."""
        return f"{i + 1}: {visible(self.words[i])} {number(x)}"

    # --- text -------------------------------------------------------------------------------------

    def html(self) -> str:
        """A page of text that can be searched and copied."""
        parts, marker = [], Marker(self.theme)
        for k, (name, x) in enumerate(self.series.items()):
            heading = f"<h2>{escape(name)}</h2>\n" if name else ""
            rows = "\n".join("".join(self.span(marker, k, i, float(x[i])) for i in row)
                             for row in self.rows)
            shades = self.shade(k)
            bar = "".join(f'<b class="{marker.mark(shades.paint(shades.most * j / 10))}">&#160;</b>'
                          for j in range(-10, 11))
            odd = "".join(f' <b class="{marker.mark(shades.paint(x))}">&#160;</b> {word}'
                          for x, word in shades.odd)
            ends = f"{number(shades.least)} {bar} {number(shades.most)}{odd}"
            parts.append(f"{heading}<pre>{rows}</pre>\n<p>{ends}</p>")
        if self.note:
            parts.append(f"<p>{escape(self.note)}</p>")
        body = "\n".join(parts) + "\n"
        if self.drawing.font or self.drawing.size != 1.0:
            family = ", ".join(filter(None, [clean(self.drawing.font, 100), style.FONT]))
            look = f"font-family:{family};font-size:{self.drawing.size:g}em"
            body = f'<div style="{escape(look)}">\n{body}</div>\n'
        return page(self.drawing.title, body, self.theme, marker.sheet())

    def span(self, marker: Marker, k: int, i: int, x: float) -> str:
        """One character of the page."""
        c = shown(self.words[i])
        return (f'<span class="{marker.mark(self.shade(k).paint(x))}" '
                f'title="{escape(self.told(i, x))}">{escape(c) or "&#160;"}</span>')

    def ansi(self, colours: int = escapes.ALL) -> str:
        """The text for a terminal that shows colours, 16,777,216 of them (24 bits) or 256. Raises
        `InputError` for another number."""
        return "".join(self.terminal(escapes.checked(colours)))

    def text(self, width: int | None = None) -> str:
        """The text for a terminal without colours: below each line the activations as bars. Lines
        longer than `width` are cut, and then it says so."""
        return fitted("".join(self.terminal(0)).removesuffix("\n").split("\n"), width)

    def terminal(self, colours: int) -> Sequence[str]:
        """The lines of all blocks, in so many colours."""
        found = []
        for k, (name, x) in enumerate(self.series.items()):
            found += [f"{name}\n"] * bool(name)
            shades = self.shade(k)
            for row in self.rows:
                signs = [shown(self.words[i]) or " " for i in row]
                if colours:
                    found.append("".join(escapes.painted(c, float(x[i]), shades, colours)
                                         for c, i in zip(signs, row)) + "\n")
                else:
                    bars = "".join(shades.sign(float(x[i])) * max(1, cells(c))
                                   for c, i in zip(signs, row))
                    found += ["".join(signs) + "\n", bars + "\n"]
            words = escapes.legend(shades, colours) if colours else shades.words()
            found += [words + "\n", "\n"]
        return [*found, *([self.note + "\n"] if self.note else [])]

    def __rich__(self) -> Any:
        """What rich prints."""
        from rich.text import Text

        return Text.from_ansi(self.ansi())


def shown(c: str) -> str:
    """What stands for a character: itself, or a sign for what could not be seen."""
    if c in SIGNS:
        return SIGNS[c]
    if cells(c) == 0:
        return "◌" + c
    return c if len(visible(c)) == 1 and c.isprintable() else "▯"


def columns(c: str) -> int:
    """How many columns a character takes."""
    return max(1, cells(shown(c)))


def wrapped(text: str, width: int) -> Lines:
    """The text in lines, as numbers of characters: broken after a line break, after the last space
    that fits, or where it must be. Every character is in one of them."""
    rows: Lines = []
    row: list[int] = []
    room, space = width, -1
    for i, c in enumerate(text):
        if columns(c) > room and c != "\n":
            keep = row.index(space) + 1 if space in row else len(row)
            rows.append(row[:keep])
            row = row[keep:]
            room, space = width - sum(columns(text[j]) for j in row), -1
        row.append(i)
        room -= columns(c)
        space = i if c == " " else space
        if c == "\n":
            rows.append(row)
            row, room, space = [], width, -1
    return [*rows, row] if row else rows
