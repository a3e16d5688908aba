"""What if the backward pass had a mistake in it? The right and the wrong gradient, row by row.

The question this file answers: *what would I see if I had made that mistake, and where?*

    flow = tg.what_if(loss, "no dh_next")     both backward passes; `.grad` is not touched
    print(flow.ledger(W_hh))                  right and wrong beside each other
    with tg.what_if("no dh_next"):            backward() itself is wrong in this block, on purpose:
        report = check_gradients(f, params)   does the checker notice?

Everything that comes of it says that it is WRONG. `tg.MISTAKES` is the table of what there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from ..core.backprop import Edge, commit, contributions
from ..core.graph import Node, leaf
from ..core.guards import plain_seed
from ..core.parts import norm
from ..core.place import HERE, here, switch
from ..core.totals import Totals
from ..core.words import describe
from ..errors import GradientError, InputError
from .contribution import Contribution, accumulate
from .flow import GradientFlow
from .ledger import Ledger
from .mistakes import MISTAKES, SAME, Mistake, wrong_walk
from .recording import Recording
from .table import Cells, Table

SMALL = 1e-12  # a relative difference up to this is rounding


@overload
def what_if(loss: str) -> wrong_backward: ...
@overload
def what_if(loss: Node, mistake: str, *, seed: Any = None, commit: bool = False) -> WrongFlow: ...
def what_if(loss: Node | str, mistake: str = "", *, seed: Any = None,
            commit: bool = False) -> WrongFlow | wrong_backward:
    """The backward pass from `loss` with a deliberate mistake in it, beside the right one.

    `mistake` is a name from `tg.MISTAKES`. Neither pass touches `.grad`, unless `commit=True` asks
    for the wrong gradients to be added there. With the name alone, `with tg.what_if(mistake): ...`,
    it is a block in which `backward()` and `gradient_flow()` make the mistake (this thread only);
    `tg.grad` stays right.

    Raises `InputError` for a mistake that is not in the table, and as `backward()` does.
    """
    if isinstance(loss, str):
        return wrong_backward(mistake=loss)
    if not isinstance(loss, Node):
        raise InputError(f"expected a loss and a mistake, got {type(loss).__name__}",
                         where="what_if", fix='tg.what_if(loss, "no dh_next")')
    row = mistake_of(mistake)
    start = plain_seed(loss, seed, "what_if()")
    arriving = Totals([(loss, start)])
    right = record(loss, start, contributions(Totals([(loss, start)])))
    wrong = record(loss, start, wrong_walk(arriving, row))
    if commit:
        add_to_grad(arriving)
    return WrongFlow(row, right, wrong)


def add_to_grad(totals: Totals) -> None:
    """Add wrong gradients to `.grad`: they were asked for."""
    commit(totals)


def mistake_of(name: str) -> Mistake:
    """The row of a name. Raises `InputError` with the names that there are."""
    row = MISTAKES.get(SAME.get(name, name)) if isinstance(name, str) else None
    if row is None:
        raise InputError(f"there is no mistake {name!r}; there are: {', '.join(MISTAKES)}",
                         where="what_if")
    return row


def record(root: Node, seed: Any, walk: Iterator[Edge]) -> GradientFlow:
    """A walk with everything kept; nothing is added to `.grad`."""
    recording = Recording(root, seed, as_is=True)
    recording.write(walk, Totals())
    totals = {x: accumulate(x, entries) for x, entries in recording.items() if not x.op.rules}
    recording.arrived.update(totals)
    return GradientFlow(root, recording, totals, {})


class wrong_backward(switch):
    """A block in which `backward()` makes a mistake: made by `what_if(mistake)`."""

    def __init__(self, mistake: str) -> None:
        super().__init__(mistake=mistake)
        self.row = mistake_of(mistake)

    def __enter__(self) -> None:
        watchers = (*here().watchers, Saboteur(self.row))
        self.tokens.append(HERE.set(here().but(watchers=watchers)))

    def __repr__(self) -> str:
        return f"<what if: {self.row.name}. backward() is WRONG in this block, on purpose>"


class Saboteur:
    """The watcher behind `with what_if(...)`: it replaces the walk by a wrong one."""

    def __init__(self, row: Mistake) -> None:
        self.wrong = row.name
        self.row = row

    def node(self, node: Node, op: Any, operands: tuple[Any, ...]) -> None:
        """Forward, everything is right."""

    def edges(self, edges: Iterator[Edge], arriving: Totals | None = None) -> Iterator[Edge]:
        """The wrong walk in place of the right one, where gradients are to be added to `.grad`."""
        return edges if arriving is None else wrong_walk(arriving, self.row)


# --- the flow -----------------------------------------------------------------------------------


class WrongFlow(GradientFlow):
    """A WRONG backward pass, kept beside the right one (`.right`). Made by `what_if`.

    Everything that a flow has (`ledger`, `norms`, `gradient`) is here that of the wrong pass.
    """

    def __init__(self, mistake: Mistake, right: GradientFlow, wrong: GradientFlow) -> None:
        super().__init__(wrong.root, wrong.incoming, wrong.totals, {})
        self.mistake, self.right, self.wrong = mistake, right, mistake.name

    def ledger(self, node: Node) -> Comparison:
        """Right and wrong beside each other: one row for every use of `node`."""
        if node not in self.incoming and node not in self.right.incoming:
            raise GradientError(f"no contribution reached {describe(node)}", where="ledger()",
                                fix=f"It needs no gradient, or {describe(self.root)} does not "
                                    "depend on it")
        root = self.root.label if self.root.name else "L"
        return Comparison(node, root, self.incoming.get(node, []),
                          self.right.incoming.get(node, []), self.mistake)

    @property
    def effects(self) -> dict[Node, float]:
        """|wrong - right| / |right| for every leaf that got a gradient (inf where right is 0)."""
        found = {}
        for x in [x for x in self.right.incoming if x.op is leaf]:
            good, bad = self.right.gradient(x), self.gradient(x)
            off, size = norm(bad - good), norm(good)
            found[x] = off / size if size else (float("inf") if off else 0.0)
        return found

    @property
    def seen(self) -> bool:
        """Whether the mistake changes any gradient here. At T = 1, many do not."""
        return any(effect > SMALL for effect in self.effects.values())

    def __str__(self) -> str:
        lines = [banner(self.mistake), f"  {self.mistake.summary}"]
        if not self.seen:
            return "\n".join([*lines, f"  Nobody can see it here: every gradient is as it should "
                                      f"be. It takes {self.mistake.needs}."])
        head = ["", "‖right‖", "‖wrong‖", "off by"]
        body = [[x.label if x.name else describe(x), f"{norm(self.right.gradient(x)):.4g}",
                 f"{norm(self.gradient(x)):.4g}", f"{effect:.1%}" if effect > SMALL else "–"]
                for x, effect in self.effects.items()]
        return "\n".join([*lines, *laid_out([head, *body], left=1)])

    __repr__ = __str__


class Comparison(Ledger):
    """The ledger of a WRONG backward pass: its rows, beside those of the right one (`.right`)."""

    def __init__(self, node: Node, root: str, entries: list[Contribution],
                 right: list[Contribution], mistake: Mistake) -> None:
        super().__init__(node, root, entries)
        self.right, self.mistake = Ledger(node, root, right), mistake

    def pairs(self) -> list[tuple[Contribution, Any, Any]]:
        """(use, right contribution, wrong contribution) for every row; None where one has none."""
        wrong: dict[tuple[Node, int], list[Any]] = {}
        for e in self.entries:
            wrong.setdefault((e.node, e.position), []).append(e.array())
        found: list[tuple[Contribution, Any, Any]] = []
        for e in self.right.entries:
            mine = wrong.get((e.node, e.position), [])
            found.append((e, e.array(), mine.pop(0) if mine else None))
        for e in self.entries:
            found += [(e, None, c) for c in wrong.pop((e.node, e.position), [])]
        return found

    @property
    def wrong_rows(self) -> list[bool]:
        """For every row, whether it is wrong."""
        size = max([norm(good) for _, good, _ in self.pairs() if good is not None], default=0.0)
        return [bad is None or good is None or norm(bad - good) > SMALL * size
                for _, good, bad in self.pairs()]

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> Cells:
        """The table as text, header first: step, scope, op, right, wrong, and a cross where they
        differ."""
        sign = "{}" if self.node.is_scalar else "‖{}‖"
        head = ["step", "scope", "op", sign.format("right"), sign.format("wrong"), ""]
        body = []
        rows = list(zip(self.pairs(), self.wrong_rows))
        for (e, good, bad), off in rows if shown is None else [rows[i] for i in shown]:
            body.append(["" if e.step is None else str(e.step), e.node.scope, e.node.op.name,
                         self.number(good, digits), self.number(bad, digits), "✗" if off else ""])
        empty = {i for i in (0, 1) if not any(line[i] for line in body)}
        return [[cell for i, cell in enumerate(line) if i not in empty] for line in [head, *body]]

    def number(self, c: Any, digits: int) -> str:
        """A contribution, or its norm."""
        if c is None:
            return "–"
        return f"{c:.{digits}g}" if self.node.is_scalar else f"{norm(c):.{digits}g}"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The warning, and what it is a table of."""
        what = f"∂{self.root}/∂{self.name()}"
        return f"{banner(self.mistake)}\n{what}, right and wrong: one row per use"

    def notes(self) -> list[str]:
        """What should come out, and what does."""
        good, bad = self.right.total, self.total
        off, size = norm(bad - good), norm(good)
        last = f"sum: {self.number(good, 6)} is right, {self.number(bad, 6)} comes out"
        if off <= SMALL * size:
            return [f"{last}. The mistake does not show in {self.name()}: it takes "
                    f"{self.mistake.needs}"]
        return [last + (f", off by {off / size:.1%}" if size else "")]

    def __str__(self) -> str:
        return "\n".join([self.title, *laid_out(self.cells()), *self.notes()])

    __repr__ = __str__

    def __len__(self) -> int:
        return len(self.pairs())

    def to_csv(self) -> str:
        """Right and wrong as CSV text."""
        return Table.to_csv(self)

    def to_markdown(self) -> str:
        """The table as Markdown text, under its warning."""
        return f"**{banner(self.mistake)}**\n\n{super().to_markdown()}"


def banner(mistake: Mistake) -> str:
    """What stands above everything that comes of a mistake."""
    return f"WRONG on purpose: {mistake.name}"


def laid_out(lines: list[list[str]], left: int = 0) -> list[str]:
    """Cells in columns, the first `left` ones to the left, with a rule below the head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(w) if i < left else cell.rjust(w)
                      for i, (cell, w) in enumerate(zip(line, widths))).rstrip() for line in lines]
    return [text[0], "─" * max(map(len, text)), *text[1:]]
