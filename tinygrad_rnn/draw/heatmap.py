"""Heat maps: numbers over time as colours.

The question this file answers: *which unit did what, and when?*

Time runs to the right, units run down. What is drawn: the states or gates of a layer, (T, B, H);
any table; a table of attributions, one row for every loss, one column for every step; and ledgers,
one row for each, with the size of every step's contribution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..bptt.contribution import accumulate
from ..bptt.ledger import Ledger
from ..core.graph import Node
from ..errors import InputError, ShapeError
from . import style
from .labels import Run, Text, clean, number, roman, symbol, width
from .model import Cell
from .paper import Sheet
from .picture import Picture
from .shades import WIDE, Shades

ROWS, COLUMNS = 64, 160  # more than so many share cells
WRITTEN_ROWS, WRITTEN_COLUMNS = 16, 14  # so many are written as numbers
TICKS, SCALES = 12, ("auto", "signed", "sizes")


class Table(NamedTuple):
    """What is drawn: numbers, the names of rows and columns, and of the axes. Places in `blank`
    hold no number: they stay empty."""

    numbers: Any
    rows: list[str]
    columns: list[str]
    across: str
    down: str
    blank: frozenset[tuple[int, int]] = frozenset()


def heatmap(data: Any, *, rows: Sequence[Any] | None = None, columns: Sequence[Any] | None = None,
            title: str = "", scale: str = "auto", sample: int = 0,
            theme: str = "auto") -> Picture:
    """Draw numbers as colours, and as numbers too where there are few.

    `data` is a table (rows, columns), an array or a Tensor; a sequence (T, B, H), of which one
    `sample` is drawn, its units down and time to the right; a ledger, or several in a list or a
    dict; or the result of `flow.attribution(...)`. `rows` and `columns` name them. `scale` is
    "signed" (blue, white, red), "sizes" (pale to deep) or "auto": signed if any number is below 0.
    A large table is binned: a cell shows the number of largest size in it, and says so. Raises
    `ShapeError` for anything that is no table, and for names that do not fit.
    """
    if scale not in SCALES:
        raise InputError(f"expected scale to be one of {', '.join(SCALES)}, got {scale!r}",
                         where="heatmap()")
    table = table_of(data, sample)
    for given, name, axis in ((rows, "rows", 0), (columns, "columns", 1)):
        if given is not None and len(given) != table.numbers.shape[axis]:
            raise ShapeError(f"expected {table.numbers.shape[axis]} names in {name}, got "
                             f"{len(given)}", where="heatmap()")
    table = table._replace(rows=table.rows if rows is None else [str(x) for x in rows],
                           columns=table.columns if columns is None else
                           [str(x) for x in columns])
    shades = Shades(table.numbers.ravel(), scale)
    heading = warning(data) + (title or f"{table.down} over {table.across}")
    return draw_table(table, shades, clean(heading, 120), theme)


# --- what is drawn --------------------------------------------------------------------------------


def warning(data: Any) -> str:
    """What stands before the title of a wrong pass."""
    some = data.values() if isinstance(data, Mapping) else \
        data if isinstance(data, (list, tuple)) else [data]
    wrong = dict.fromkeys(x.wrong for x in some if isinstance(x, Ledger) and x.wrong)
    return f"WRONG on purpose ({', '.join(wrong)}): " if wrong else ""


def table_of(data: Any, sample: int) -> Table:
    """Whatever was given, as a table."""
    if isinstance(data, Ledger):
        data = [data]
    if isinstance(data, Mapping) and all(isinstance(x, Ledger) for x in data.values()) or \
            isinstance(data, (list, tuple)) and data and \
            all(isinstance(x, Ledger) for x in data):
        return of_ledgers(data)
    if hasattr(data, "norms") and hasattr(data, "loss_steps"):
        return Table(numbers_of(data.norms), [f"L {t}" for t in data.loss_steps],
                     [str(t) for t in data.steps], "step of the use", "loss",
                     future(data))
    array = numbers_of(data)
    if array.ndim == 3:
        if not 0 <= sample < array.shape[1]:
            raise InputError(f"expected sample to be from 0 to {array.shape[1] - 1}, got {sample}",
                             where="heatmap()")
        array = array[:, sample].T
        names = [str(t) for t in range(1, array.shape[1] + 1)]
        return Table(array, [str(k) for k in range(array.shape[0])], names, "step", "unit")
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not array.size:
        raise ShapeError(f"expected a table, or a sequence (T, B, H), got shape {array.shape}",
                         where="heatmap()")
    first = 1  # time is counted from 1, units from 0
    return Table(array, [str(k) for k in range(array.shape[0])],
                 [str(t) for t in range(first, array.shape[1] + first)], "step", "row")


def future(data: Any) -> frozenset[tuple[int, int]]:
    """The cells of an attribution that cannot be: a loss is no function of a later use. (Only such
    as are 0: where a sequence is read from its end, later uses come first.)"""
    return frozenset((i, j) for i, t in enumerate(data.loss_steps)
                     for j, k in enumerate(data.steps)
                     if isinstance(t, int) and isinstance(k, int) and k > t
                     and data.norms[i][j] == 0)


def numbers_of(data: Any) -> Any:
    """Plain real numbers."""
    value = data.value if isinstance(data, Node) else data
    try:
        return np.asarray([x.value if isinstance(x, Node) else x for x in value]
                          if isinstance(value, (list, tuple)) else value, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"expected a table of numbers, got {type(data).__name__}",
                         where="heatmap()") from None


def of_ledgers(data: Any) -> Table:
    """One row for each ledger: the norm of what every step contributed, all its uses together; a
    scalar's contributions keep their sign. What was used outside of time has a column of its own,
    the last: −."""
    ledgers = dict(data) if isinstance(data, Mapping) else \
        {ledger.node.name or f"weight {i}": ledger for i, ledger in enumerate(data)}
    parts: list[dict[int | None, float]] = []
    for ledger in ledgers.values():
        uses: dict[int | None, list[Any]] = {}
        for entry in ledger.entries:
            uses.setdefault(entry.step, []).append(entry)
        scalar = ledger.node.is_scalar
        parts.append({t: some[0].norm() if len(some) == 1 and not scalar  # also if kept as norms
                      else size_of(accumulate(ledger.node, some)) for t, some in uses.items()})
    every = {step for part in parts for step in part}
    steps: list[int | None] = [*sorted(t for t in every if t is not None)]
    if not steps:
        raise InputError("the uses in this ledger have no time steps", where="heatmap()",
                         fix="Compute under tg.timestep(t)")
    steps += [None] * (None in every)
    table = np.array([[part.get(t, 0.0) for t in steps] for part in parts])
    named = ["−" if t is None else str(t) for t in steps]
    return Table(table, list(ledgers), named, "step", "contribution")


def size_of(x: Any) -> float:
    """A number as it is; of an array, its norm."""
    return float(x) if np.ndim(x) == 0 else float(np.linalg.norm(x))


# --- the drawing ----------------------------------------------------------------------------------


def draw_table(table: Table, shades: Shades, title: str, theme: str) -> Picture:
    """The picture of a table."""
    high, wide = table.numbers.shape
    sheet = Sheet(f"{title}, {high:,} × {wide:,}")
    written = high <= WRITTEN_ROWS and wide <= WRITTEN_COLUMNS
    down, across = bins(high, ROWS), bins(wide, COLUMNS)
    tall, broad = (24.0, 52.0) if written else (size(len(down), 20.0, 360.0),
                                                size(len(across), 26.0, 720.0))
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
        sheet.strip(f"row {i}", (0.0, i * tall), (broad * len(across), tall), cells, name)
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
    return Picture(sheet.drawing(caption), theme, lines(table, shades, title, places))


def bins(count: int, most: int) -> list[tuple[int, int]]:
    """Stretches of nearly the same length, at most `most` of them."""
    parts = min(count, most)
    return [(i * count // parts, (i + 1) * count // parts) for i in range(parts)]


def size(count: int, most: float, whole: float) -> float:
    """The size of a cell: at most `most` points, all of them within `whole`."""
    return max(3.0, min(most, whole / count))


def cell(sheet: Sheet, table: Table, shades: Shades, at: tuple[int, int],
         area: tuple[float, float]) -> None:
    """A cell with its number in it."""
    (i, j), (broad, tall) = at, area
    x = float(table.numbers[at])
    paint = shades.paint(x)
    ink = style.ink_on(paint) if paint.startswith("#") else None
    sheet.box(f"cell {i} {j}", ((j + 0.5) * broad, (i + 0.5) * tall), (broad - 2, tall - 2), "dim",
              roman(number(x)), "rect", title=told(table, i, j), size=style.TINY, width=0.6,
              fill=paint if ink else None, stroke=style.mix(paint, "#888888", 0.4) if ink else
              paint, ink=ink)


def told(table: Table, i: int, j: int) -> str:
    """The tooltip of a number."""
    return (f"{table.down} {clean(table.rows[i])}, {table.across} {clean(table.columns[j])}: "
            f"{number(table.numbers[i, j])}")


def largest(numbers: Any, down: list[tuple[int, int]],
            across: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """For each cell the place of its number of largest size; a NaN comes before all others."""
    sizes = np.where(np.isnan(numbers), math.inf, np.abs(numbers))
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
    for i in range(0, len(down), max(1, math.ceil(12.0 / tall))):
        name = titled(table.rows[down[i][0]])
        sheet.say((-6.0, (i + 0.5) * tall + 3.5), name, "quiet", style.TINY, "end")
    longest = max(width(titled(table.columns[a]), style.TINY) for a, _ in across)
    every = max(1, math.ceil((longest + 8) / broad), math.ceil(len(across) / (2 * TICKS)))
    for j in range(0, len(across), every):
        name = titled(table.columns[across[j][0]])
        sheet.say(((j + 0.5) * broad, len(down) * tall + 13), name, "quiet", style.TINY)


def titled(name: str) -> Text:
    """The name of a row or column: W_hh as in the equations, anything else as it is."""
    return symbol(name) if name[:1].isalpha() else roman(clean(name))


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
