"""Heat maps: numbers over time as colours.

The question this file answers: *which unit did what, and when?*

Time runs to the right, units run down. What is drawn: the states or gates of a layer, (T, B, H);
any table; a table of attributions, one row for every loss, one column for every step; and ledgers,
one row for each, with the size of every step's contribution.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from . import style
from .asked import one_of, options_of, text_of, words_of
from .labels import Run, Text, clean, number, roman, symbol, width
from .model import Cell, Drawing
from .options import Options
from .paper import Sheet
from .picture import Picture
from .shades import WIDE, Shades
from .tables import WHERE, Table, table_of, warning
from .ticks import ticks, whole

ROWS, COLUMNS = 64, 160  # more than so many share cells
WRITTEN_ROWS, WRITTEN_COLUMNS = 16, 14  # so many are written as numbers
SLIM, LAP = 8.0, 0.4  # rows so slim overlap a little: no paper shines through
TICKS, SCALES = 12, ("auto", "signed", "sizes")


@options_of
def heatmap(data: Any, *, rows: Sequence[Any] | None = None, columns: Sequence[Any] | None = None,
            title: str = "", scale: str = "auto", sample: int = 0, theme: str = "auto",
            palette: Mapping[str, str] | None = None, font: str | None = None,
            size: float = 1.0) -> Picture:
    """Draw numbers as colours, and as numbers too where there are few.

    `data` is a table (rows, columns), an array or a Tensor; a sequence (T, B, H), of which one
    `sample` is drawn, its units down and time to the right; a ledger, or several in a list or a
    dict; or the result of `flow.attribution(...)`. `rows` and `columns` name them. `scale` is
    "signed" (blue, white, red), "sizes" (pale to deep) or "auto": signed if any number is below 0.
    A large table is binned: a cell shows the number of largest size in it, and says so. The looks
    (`theme`, `palette`, `font`, `size`) are those of `draw.unrolled`. Raises `ShapeError` for
    anything that is no table, and for names that do not fit.
    """
    looks = Options(WHERE, palette=palette, font=font, size=size).checked()
    one_of(scale, SCALES, "scale", WHERE)
    title = text_of(title, "title", WHERE)
    table = table_of(data, sample)
    high, wide = table.numbers.shape
    table = table._replace(rows=names_of(rows, "rows", high, table.rows),
                           columns=names_of(columns, "columns", wide, table.columns))
    shades = Shades(table.numbers.ravel(), scale)
    heading = warning(data) + (title or f"{table.down} over {table.across}")
    drawing, sketch = draw_table(table, shades, clean(heading, 120))
    return Picture(looks.finished(drawing), theme, sketch)


def names_of(given: Any, name: str, count: int, usual: list[str]) -> list[str]:
    """The names of the rows or of the columns, if any are given; each letter of a text is one."""
    if given is None:
        return usual
    names = [str(x) for x in words_of(given, name, WHERE, letters=True)]
    if len(names) != count:
        raise ShapeError(f"expected {count} names in {name}, got {len(names)}", where=WHERE)
    return names


def draw_table(table: Table, shades: Shades, title: str) -> tuple[Drawing, list[str]]:
    """The drawing of a table, and its sketch."""
    high, wide = table.numbers.shape
    sheet = Sheet(f"{title}, {high:,} × {wide:,}")
    written = high <= WRITTEN_ROWS and wide <= WRITTEN_COLUMNS
    down, across = bins(high, ROWS), bins(wide, COLUMNS)
    tall, broad = (24.0, 52.0) if written else (fitted(len(down), 20.0, 360.0),
                                                fitted(len(across), 26.0, 720.0))
    places = largest(table.numbers, down, across)
    for i, row in enumerate(places):
        if written:
            for j in [j for j in range(wide) if (i, j) not in table.blank]:
                cell(sheet, table, shades, (i, j), (broad, tall))
            continue
        cells = tuple(Cell(0.0, "quiet", "") if at in table.blank else
                      Cell(1.0, shades.paint(float(table.numbers[at])), told(table, *at))
                      for at in row)
        name = f"{table.down} {table.rows[down[i][0]]}"
        deep = tall + (LAP if i + 1 < len(places) and tall < SLIM else 0.0)
        sheet.strip(f"row {i}", (0.0, i * tall), (broad * len(across), deep), cells, name)
    names(sheet, table, down, across, (broad, tall))
    bottom = len(down) * tall
    sheet.say((-6.0, bottom + 13), roman(f"{table.across} →"), "quiet", style.TINY, "end", True)
    sheet.say((-6.0, -7.0), roman(f"{table.down} ↓"), "quiet", style.TINY, "end", True)
    shades.legend(sheet, max(0.0, broad * len(across) - WIDE), bottom + 30)
    shared = max(b - a for a, b in down) * max(b - a for a, b in across)
    if shared > 1:
        sheet.say((0, bottom + 40), roman(f"a cell shows the largest of up to {shared:,} numbers"),
                  "quiet", style.TINY, "start")
    caption = (Run(title, "b"), Run(f", {high:,} × {wide:,}"))
    return sheet.drawing(caption), lines(table, shades, title, places)


def bins(count: int, most: int) -> list[tuple[int, int]]:
    """Stretches of nearly the same length, at most `most` of them."""
    parts = min(count, most)
    return [(i * count // parts, (i + 1) * count // parts) for i in range(parts)]


def fitted(count: int, most: float, whole: float) -> float:
    """The size of a cell: at most `most` points, all of them within `whole`."""
    return max(3.0, min(most, whole / count))


def cell(sheet: Sheet, table: Table, shades: Shades, at: tuple[int, int],
         area: tuple[float, float]) -> None:
    """A cell with its number in it."""
    (i, j), (broad, tall) = at, area
    x = float(table.numbers[at])
    sheet.box(f"cell {i} {j}", ((j + 0.5) * broad, (i + 0.5) * tall), (broad - 2, tall - 2),
              text=roman(number(x)), shape="rect", title=told(table, i, j), size=style.TINY,
              **shades.looks(x))


def told(table: Table, i: int, j: int) -> str:
    """The tooltip of a number."""
    return (f"{table.down} {clean(table.rows[i])}, {table.across} {clean(table.columns[j])}: "
            f"{number(table.numbers[i, j])}")


def largest(numbers: Any, down: list[tuple[int, int]],
            across: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """For each cell the place of its number of largest size; a NaN comes before all others,
    the infinite ones too."""
    most = np.finfo(float).max
    sizes = np.where(np.isnan(numbers), math.inf, np.minimum(np.abs(numbers), most))
    found = []
    for top, bottom in down:
        rows = sizes[top:bottom].argmax(axis=0)  # in every column
        best = sizes[top + rows, np.arange(numbers.shape[1])]
        columns = [a + int(best[a:b].argmax()) for a, b in across]
        found.append([(top + int(rows[j]), j) for j in columns])
    return found


def names(sheet: Sheet, table: Table, down: list[tuple[int, int]], across: list[tuple[int, int]],
          area: tuple[float, float]) -> None:
    """The names of rows on the left and of columns below, where there is room."""
    broad, tall = area
    for i, row in named(table.rows, down, 14.0 / tall):
        sheet.say((-6.0, (i + 0.5) * tall + 3.5), titled(table.rows[row]), "quiet", style.TINY,
                  "end")
    longest = max(width(titled(table.columns[a]), style.TINY) for a, _ in across)
    room = max((longest + 8) / broad, len(across) / (2 * TICKS))
    for j, column in named(table.columns, across, room):
        sheet.say(((j + 0.5) * broad, len(down) * tall + 13), titled(table.columns[column]),
                  "quiet", style.TINY)


def named(names: list[str], cells: list[tuple[int, int]], room: float) -> list[tuple[int, int]]:
    """Which cells have a name, and which of theirs: at least `room` cells from one to the next.
    Numbers that go up one by one have round ones; of other names every so many is written."""
    numbers = whole(names)
    if numbers is None:
        return [(i, cells[i][0]) for i in range(0, len(cells), max(1, math.ceil(room)))]
    begins = [first for first, _ in cells]
    return [(bisect_right(begins, k) - 1, k)
            for k in ticks(numbers, room * len(numbers) / len(cells))]


def titled(name: str) -> Text:
    """The name of a row or column: W_hh as in the equations, also that of a scope or a module;
    anything else as it is."""
    within, own = re.fullmatch(r"(?s)(.*[/.])?(.*)", name).groups("")  # type: ignore[union-attr]
    if not own[:1].isalpha():
        return roman(clean(name))
    return (*(roman(clean(within)) if within else ()), *symbol(own))


def lines(table: Table, shades: Shades, title: str,
          places: list[list[tuple[int, int]]]) -> list[str]:
    """The sketch: one character for every cell, as high as its number is large."""
    high, wide = table.numbers.shape
    labels = [clean(table.rows[top]) for top, _ in bins(high, ROWS)]
    left = max(map(len, labels))
    found = [f"{title}, {high:,} × {wide:,}", ""]
    for label, row in zip(labels, places):
        signs = [" " if at in table.blank else shades.sign(float(table.numbers[at]))
                 for at in row]
        found.append(f"{label:>{left}}  {''.join(signs)}".rstrip())
    first, last = clean(table.columns[0]), clean(table.columns[-1])
    axis = f"{first}{last:>{max(len(places[0]) - len(first), len(last) + 1)}}"
    return [*found, f"{'':{left}}  {axis}   {table.across} →", "", shades.words()]
