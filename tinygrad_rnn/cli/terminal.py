"""The story on a terminal, readable at 80 columns; plain text when it goes to a file or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text as Line

from .story import (
    Story,
    counted,
    first_use,
    guessing,
    ledger_sum,
    ledger_table,
    printable,
    quoted,
    steps_table,
)

ROWS = 12  # longer tables are shown in part


class Paper(Console):
    """A console that leaves it to the command line how to end when nobody reads any more."""

    def on_broken_pipe(self) -> NoReturn:
        """Pass the error on that is being handled."""
        raise


class Screen:
    """Where the story is printed."""

    def __init__(self) -> None:
        self.console = Paper(highlight=False, soft_wrap=False)

    def heading(self, number: int, title: str) -> None:
        """The start of a part."""
        self.console.print()
        self.console.print(Line(f"{number}. {title}", "bold"))

    def say(self, text: str) -> None:
        """A paragraph. It is text, never markup: what a user's file holds stays as it is."""
        self.console.print(Padding(Line(text), (0, 0, 0, 3), expand=False))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str] = (),
              left: Sequence[int] = ()) -> None:
        """A table; numbers to the right, the columns in `left` to the left. Where it is too narrow
        for all columns, the last ones are left out, and named."""
        n = fitting([head, *rows, foot], self.console.width - 2)
        table = Table(box=SIMPLE_HEAD, show_footer=bool(foot), padding=(0, 1))
        for i, name in enumerate(head[:n]):
            table.add_column(Line(name), justify="left" if i in left else "right", no_wrap=True,
                             footer=Line(foot[i]) if foot else "")
        for row in rows:
            table.add_row(*map(Line, row[:n]))
        self.console.print(Padding(table, (0, 0, 0, 1), expand=False))
        if missing := [name for name in head[n:] if name]:
            self.say(f"(too narrow for {', '.join(missing)})")

    def progress(self, losses: Iterator[float], total: int) -> Iterable[float]:
        """Pass the losses on, with a bar while it lasts; quiet when this is no terminal."""
        columns = (TextColumn("   training"), BarColumn(30), MofNCompleteColumn(),
                   TextColumn("loss {task.fields[loss]}"), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True,
                      disable=not self.console.is_terminal) as bar:
            task = bar.add_task("", total=total, loss="")
            for loss in losses:
                bar.update(task, advance=1, loss=f"{loss:.3f}")
                yield loss


def tell_beginning(screen: Screen, story: Story) -> None:
    """The text, the model, the unrolled graph, the gradients, the ledger, the check."""
    text, model, T = story.text, story.model, len(story.read)
    cell, head = model.rnn.cell, model.head
    screen.heading(1, "The sequence")
    if story.short:
        screen.say(f"{quoted(text.text)}: {len(text)} characters, {text.size} different ones. "
                   f"The model reads {quoted(story.read)} and is to predict "
                   f"{quoted(story.following)}, one step later.")
    else:
        screen.say(f"{printable(text.source)}: {len(text):,} characters, {text.size} different "
                   f"ones, read in windows of {T} steps.")
    screen.heading(2, "The model: one cell, the same weights at every step")
    screen.say("h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)      y_t = W_hy h_t + b_y\n"
               "L = Σ L_t,  L_t = -log softmax(y_t)[the next character]")
    shapes = [f"{p.name} {p.shape}" for p in (cell.W_xh, cell.W_hh, cell.b_h, head.W, head.b)]
    screen.say("   ".join(shapes))
    screen.heading(3, f"Unrolled over {counted(T, 'step')}, and back: {story.nodes} nodes")
    tell_steps(screen, story)
    screen.say(f"L = {story.loss.item():.6g}   ({story.loss.item() / T:.4f} nats per character; "
               f"guessing would cost {guessing(story):.4f})")
    screen.heading(4, "The ledger of W_hh: what each use gave to its gradient")
    tell_ledger(screen, story)
    screen.heading(5, "Is the gradient right? Compared with differences of the loss:")
    screen.say(str(story.report))


def tell_end(screen: Screen, story: Story) -> None:
    """Training and what came of it."""
    per = "the whole text each time" if story.short else "a window each, the state carried on"
    screen.heading(6, f"Trained for a moment: {len(story.curve)} updates, {per}")
    tail = story.curve[-25:]
    last = sum(tail) / len(tail)
    screen.say(f"{spark(story.curve)}   {story.curve[0]:.3f} → {last:.3f} nats per character")
    screen.heading(7, f"What it writes after {quoted(story.start)}")
    body = Line(printable(story.start), "dim") + Line(printable(story.written), "bold")
    panel = Panel(body, expand=False)
    screen.console.print(Padding(panel, (0, 0, 0, 2), expand=False))


def tell_files(screen: Screen, out: str) -> None:
    """Where the results are, and how to read them."""
    screen.heading(8, f"Written to {printable(out)}/")
    rows = [
        ("index.html", "all of this on one page: open it in a browser"),
        ("unrolled.svg", "the graph: time runs right; each shared weight is a rail"),
        ("gradient_flow.svg", "the same, backwards: wide, red arrows carry most"),
        ("*.dot", "both for Graphviz: dot -Tpdf unrolled.dot -o it.pdf"),
    ]
    for name, what in rows:
        screen.say(f"{name:<18}  {what}")


def tell_steps(screen: Screen, story: Story) -> None:
    """What was read, predicted and sent back at each step."""
    head, rows, shares = steps_table(story)
    bars = ["█" * max(share > 0, round(12 * share)) for share in shares]
    rows = [[*row, bar] for row, bar in zip(rows, bars)]
    screen.table([*head, ""], elided(rows), left=(6,))


def tell_ledger(screen: Screen, story: Story) -> None:
    """The rows of the ledger with the running sum, and what it ends at."""
    head, rows, foot = ledger_table(story)
    screen.table(head, elided(rows), foot)
    for line in (ledger_sum(story), *first_use(story)):
        screen.say(line)


def fitting(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many columns, from the first one on, can be shown whole; the first one always."""
    n, used = 0, 0
    for column in zip(*filter(None, rows)):
        used += max(map(cell_len, column)) + 3  # two blanks and a line
        if n and used > width:
            break
        n += 1
    return n


def elided(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """At most ROWS rows: the first and the last, and how many lie between."""
    if len(rows) <= ROWS:
        return list(rows)
    keep = ROWS // 2 - 1
    between = ["⋮"] * len(rows[0])
    return [*rows[:keep], between, *rows[-keep:]]


def spark(curve: Sequence[float], width: int = 32) -> str:
    """A curve in one line of blocks."""
    if not curve:
        return ""
    n = min(width, len(curve))
    parts = [curve[i * len(curve) // n:(i + 1) * len(curve) // n] for i in range(n)]
    means = [sum(p) / len(p) for p in parts]
    low, high = min(means), max(means)
    blocks = "▁▂▃▄▅▆▇█"
    return "".join(blocks[round(7 * (m - low) / ((high - low) or 1.0))] for m in means)

