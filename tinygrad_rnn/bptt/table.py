"""Tables of text, as a terminal, a notebook, a spreadsheet and Markdown want them.

The question this file answers: *how do rows of numbers become something to look at?*
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence

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
        """The table as it is shown: of many rows the first and the last."""
        n = len(self)
        if n <= MOST:
            return self.cells()
        head, *body = self.cells(shown=[*range(ENDS), *range(n - ENDS, n)])
        gap = [f"… {n - 2 * ENDS} more …", *[""] * (len(head) - 1)]
        return [head, *body[:ENDS], gap, *body[ENDS:]]

    def __str__(self) -> str:
        text = aligned(self.elided())
        rule = "─" * max(len(line) for line in text)
        return "\n".join([self.title, text[0], rule, *text[1:], rule, *self.notes()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = self.elided()
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(c)}</td>' for c in line)}</tr>"
                       for line in body)
        heads = "".join(f"<th>{html.escape(c)}</th>" for c in head)
        below = "<br>".join(html.escape(note) for note in self.notes())
        return (f"<table><caption>{html.escape(self.title)}</caption><thead><tr>{heads}</tr>"
                f"</thead><tbody>{rows}</tbody></table><p>{below}</p>")


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, numbers to the right."""
    widths = [max(len(line[i]) for line in lines if not line[i].startswith("…"))
              for i in range(len(lines[0]))]
    return ["  ".join(cell.rjust(w) for cell, w in zip(line, widths)).rstrip() for line in lines]
