"""Tables of text, as a terminal, a notebook, a spreadsheet and Markdown want them.

The question this file answers: *how do rows of numbers become something to look at?*
"""

from __future__ import annotations

import csv
import html
import io
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

Cells = list[list[str]]
MOST, ENDS = 16, 6  # a table of more rows shows the first and the last
WIDE = 80           # columns of a terminal


class Table:
    """A result that is a table: `cells()` gives it as text, the header first, and `title` and
    `notes()` what stands above and below."""

    title: str = ""

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> Cells:
        """The table as text, header first: all rows, or those `shown`."""
        raise NotImplementedError

    def __len__(self) -> int:
        """The number of rows."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """The lines below the table."""
        return []

    def to_csv(self) -> str:
        """The table as CSV text, with all digits."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(self.cells(17))
        return out.getvalue()

    def to_markdown(self) -> str:
        """The table as Markdown text."""
        head, *body = [[cell.replace("|", "\\|") for cell in line] for line in self.cells()]
        lines = [head, ["---:"] * len(head), *body]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def elided(self) -> Cells:
        """The table as it is shown: of many rows the first and the last. A line of one cell stands
        for those that are left out."""
        n = len(self)
        if n <= MOST:
            return self.cells()
        head, *body = self.cells(shown=[*range(ENDS), *range(n - ENDS, n)])
        return [head, *body[:ENDS], [f"… {n - 2 * ENDS:,} more rows …"], *body[ENDS:]]

    def __str__(self) -> str:
        text = aligned(self.elided())
        rule = "─" * max(len(line) for line in text)
        return "\n".join([*wrapped([self.title]), text[0], rule, *text[1:], rule,
                          *wrapped(self.notes())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.title, self.elided(), self.notes())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, numbers to the right; a line of one cell stands in the middle."""
    full = [line for line in lines if len(line) > 1 or len(lines[0]) == 1]
    widths = [max(len(line[i]) for line in full) for i in range(len(lines[0]))]
    wide = sum(widths) + 2 * (len(widths) - 1)
    return ["  ".join(cell.rjust(w) for cell, w in zip(line, widths)).rstrip()
            if len(line) == len(widths) else line[0].center(wide).rstrip() for line in lines]


def wrapped(lines: Iterable[str], indent: int = 2) -> list[str]:
    """Lines that are too long for a terminal go on in the next, a little to the right."""
    found: list[str] = []
    for line in lines:
        found += [line] if len(line) <= WIDE else textwrap.wrap(
            line, WIDE, subsequent_indent=" " * indent, break_long_words=False,
            break_on_hyphens=False)
    return found


def narrowed(lines: Cells, left: int = 1, right: int = 1) -> Cells:
    """Of a table that is too wide the first columns and the last ones, as many as there is room
    for, with a "…" between them; the `left` and `right` ones at the ends stay."""
    n, found = len(lines[0]), lines
    for ends in range(min((n - left - right - 1) // 2, WIDE // 6), 0, -1):
        if max(map(len, aligned(found))) <= WIDE:
            break
        start, stop = left + ends, n - right - ends
        found = [line if len(line) == 1 else [*line[:start], "…", *line[stop:]] for line in lines]
    return found


def as_html(title: str, lines: Cells, notes: Sequence[str], left: int = 0) -> str:
    """For a notebook, light or dark: colours are those of the page around the table. The first
    `left` columns are words."""
    plain = "border:0;background:transparent;color:inherit;padding:2px 10px;text-align:"
    grey = "1px solid rgba(128,128,128,0.6)"
    rule = f"border-top:{grey};border-bottom:{grey}"

    def row(line: list[str], tag: str) -> str:
        wide, side = "", "right"
        if len(line) < len(lines[0]):
            wide, side = f' colspan="{len(lines[0])}"', "center"
        sides = ["left"] * left + [side] * len(line)
        return "".join(f'<{tag}{wide} style="{plain}{side}">{html.escape(cell)}</{tag}>'
                       for cell, side in zip(line, sides))

    body = "".join(f"<tr>{row(line, 'td')}</tr>" for line in lines[1:])
    below = "".join(f'<tr><td colspan="{len(lines[0])}" style="{plain}left">{html.escape(note)}'
                    "</td></tr>" for note in notes)
    return ('<table style="color:inherit;border-collapse:collapse;'
            'font-variant-numeric:tabular-nums">'
            f'<caption style="{plain}left;caption-side:top;white-space:nowrap">'
            f'{html.escape(title)}</caption><thead style="{rule}"><tr>{row(lines[0], "th")}</tr>'
            f'</thead><tbody style="{rule}">{body}</tbody><tfoot>{below}</tfoot></table>')


def without_empty(lines: Cells, may_go: Sequence[str]) -> Cells:
    """The table without those of these columns that say nothing."""
    gone = {i for i, name in enumerate(lines[0]) if name in may_go
            and not any(line[i] for line in lines[1:])}
    return [[cell for i, cell in enumerate(line) if i not in gone] for line in lines]
