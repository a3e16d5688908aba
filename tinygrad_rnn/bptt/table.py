"""Tables of text, as a terminal, a notebook, a spreadsheet and Markdown want them.

The question this file answers: *how do rows of numbers become something to look at?*
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from typing import Any

Cells = list[list[str]]
MOST, ENDS = 16, 6  # a table of more rows shows the first and the last


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
        return "\n".join([self.title, text[0], rule, *text[1:], rule, *self.notes()])

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
