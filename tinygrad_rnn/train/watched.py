"""What a watch has seen, to be read: tables of updates for a terminal, a notebook, a spreadsheet.

The question this file answers: *what does a training run look like in a few lines?*

Of many updates twelve are shown, spread over the run, of many time steps seven, and of many
parameters the first and the last.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..bptt.table import Cells, aligned, as_html, narrowed, wrapped

if TYPE_CHECKING:
    from .watch import Watch

UPDATES = 12
HEAD = ["update", "loss", "‖gradient‖", "update/w", "|h|>.99", "gates", "dead", "nodes"]


def tables(watch: Watch) -> list[tuple[str, Cells]]:
    """The tables, each under its title: the updates, the parameters, the steps of each state."""
    shown = some(len(watch.rows), UPDATES)
    found = [("", [HEAD, *(line(watch.rows[i]) for i in shown)])]
    names = list(watch.norms)
    if names:
        found.append(("‖∂L/∂W‖ of each parameter", narrowed([["update", *names], *(
            [str(watch.rows[i].update), *(f"{watch.norms[name][i]:.3g}" for name in names)]
            for i in shown)], right=0)))
    return [*found, *(watch.steps.table_of(name, shown) for name in watch.steps.names)]


def line(row: Any) -> list[str]:
    """One update."""
    return [str(row.update), f"{row.loss:.4g}", f"{row.gradient:.4g}", f"{row.ratio:.3g}",
            f"{row.saturated:.0%}", f"{row.gates:.0%}", str(row.dead), str(row.nodes)]


def some(n: int, most: int) -> Sequence[int]:
    """All of a few, or so many of them, from the first to the last."""
    return range(n) if n <= most else [i * (n - 1) // (most - 1) for i in range(most)]


def warnings(watch: Watch) -> list[str]:
    """What was warned of, in the order in which it was first seen."""
    return [*watch.warnings.values()] or ["no warnings"]


def as_text(watch: Watch) -> str:
    """For a terminal."""
    lines: list[str] = []
    for title, cells in tables(watch):
        text = aligned(cells)
        lines += ["", title] if title else []
        lines += [text[0], "─" * max(map(len, text)), *text[1:]]
    return "\n".join([*lines, *wrapped(warnings(watch))])


def as_page(watch: Watch) -> str:
    """For a notebook."""
    parts = [as_html(title or "updates", cells, ()) for title, cells in tables(watch)]
    return "".join([*parts, *(f"<p>{html.escape(text)}</p>" for text in warnings(watch))])


def as_csv(watch: Watch) -> str:
    """One row per update that is remembered, with all digits."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    steps = {name: watch.steps.table(name) for name in watch.steps.names}
    write.writerow([*watch.fields, *(f"|d{name}|" for name in watch.norms),
                    *(f"|d{name}_{t}|" for name in steps for t in watch.steps.steps(name))])
    for i, row in enumerate(watch.rows):
        write.writerow([*row, *(sizes[i] for sizes in watch.norms.values()),
                        *(x for table in steps.values() for x in table[i].tolist())])
    return out.getvalue()


def as_markdown(watch: Watch) -> str:
    """The same as a table in Markdown."""
    head, *body = [[cell.replace("|", "\\|") for cell in line]
                   for line in csv.reader(as_csv(watch).splitlines())]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---:"] * len(head), *body])
