"""What if the backward pass had a mistake in it? The right and the wrong gradient, row by row.

The question this file answers: *what would I see if I had made that mistake, and where?*

    flow = tg.what_if(loss, "no dh_next")     both backward passes; `.grad` is not touched
    print(flow.ledger(W_hh))                  right and wrong beside each other
    with tg.what_if("no dh_next"):            backward() itself is wrong in this block, on purpose:
        report = check_gradients(f, params)   does the checker notice?

Everything that comes of it says that it is WRONG. `tg.MISTAKES` is the table of what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, overload

import numpy as np

from ..core.backprop import Edge, commit, contributions
from ..core.graph import Node, leaf
from ..core.guards import plain_seed
from ..core.parts import norm
from ..core.place import HERE, here, switch
from ..core.totals import Totals
from ..core.walk import nodes
from ..core.words import describe
from ..errors import InputError
from ..nn.fused_open import open_fused
from .comparison import SMALL, Comparison, banner, laid_out
from .contribution import accumulate
from .flow import GradientFlow
from .mistakes import MISTAKES, SAME, Mistake, wrong_walk
from .naming import told_apart
from .recording import Recording
from .table import wrapped
from .writing import write_as_is


@overload
def what_if(loss: str | Mistake) -> wrong_backward: ...
@overload
def what_if(loss: Node, mistake: str | Mistake, *, seed: Any = None,
            commit: bool = False) -> WrongFlow: ...
def what_if(loss: Node | str | Mistake, mistake: str | Mistake = "", *, seed: Any = None,
            commit: bool = False) -> WrongFlow | wrong_backward:
    """The backward pass from `loss` with a deliberate mistake in it, beside the right one.

    `mistake` is a name from `tg.MISTAKES`, or a row of it. Neither pass touches `.grad`, unless
    `commit=True` asks for the wrong gradients to be added there. With the name alone, `with
    tg.what_if(mistake): ...`, it is a block in which `backward()` and `gradient_flow()` make the
    mistake (this thread only); `tg.grad` stays right.

    Raises `InputError` for a mistake that is not in the table, and as `backward()` does.
    """
    if isinstance(loss, (str, Mistake)):
        return wrong_backward(mistake=loss)
    if not isinstance(loss, Node):
        raise InputError(f"expected a loss and a mistake, got {type(loss).__name__}",
                         where="what_if", fix='tg.what_if(loss, "no dh_next")')
    row = mistake_of(mistake)
    start = plain_seed(loss, seed, "what_if()")
    loss = open_fused(loss)  # a mistake is made at an operation: they must be there
    arriving = Totals([(loss, start)])
    right = record(loss, start, contributions(Totals([(loss, start)])))
    wrong = record(loss, start, wrong_walk(arriving, row))
    if commit:
        add_to_grad(arriving)
    return WrongFlow(row, right, wrong)


def add_to_grad(totals: Totals) -> None:
    """Add wrong gradients to `.grad`: they were asked for."""
    commit(totals)


def mistake_of(name: str | Mistake) -> Mistake:
    """The row of a name. Raises `InputError` with the names that there are."""
    if isinstance(name, Mistake):
        return name
    row = MISTAKES.get(SAME.get(name, name)) if isinstance(name, str) else None
    if row is None:
        near = get_close_matches(str(name), [*MISTAKES, *SAME], 1)
        raise InputError(f"there is no mistake {name!r}; there are: {', '.join(MISTAKES)}",
                         where="what_if", fix=f"Did you mean {near[0]!r}?" if near else "")
    return row


def record(root: Node, seed: Any, walk: Iterator[Edge]) -> GradientFlow:
    """A walk with everything kept; nothing is added to `.grad`."""
    recording = Recording(root, seed, as_is=True)
    write_as_is(recording, walk, Totals())
    totals = {x: accumulate(x, entries) for x, entries in recording.items() if not x.op.rules}
    recording.ends.update(totals)
    return GradientFlow(root, recording, totals, {})


class wrong_backward(switch):
    """A block in which `backward()` makes a mistake: made by `what_if(mistake)`.

    `.name` is the mistake's, and `.seen` says whether it has changed a gradient in the block.
    """

    def __init__(self, mistake: str | Mistake) -> None:
        self.row = mistake_of(mistake)
        super().__init__(mistake=self.row.name)
        self.name = self.row.name
        self.planted = Saboteur(self.row)

    def __enter__(self) -> wrong_backward:  # type: ignore[override]  # a switch gives nothing
        watchers = (*here().watchers, self.planted)
        self.tokens.append(HERE.set(here().but(watchers=watchers)))
        return self

    @property
    def seen(self) -> bool:
        """Whether a gradient came out wrong in the block, so far."""
        return self.planted.seen

    def __repr__(self) -> str:
        return f"<what if: {self.row.name}. backward() is WRONG in this block, on purpose>"


class Saboteur:
    """The watcher behind `with what_if(...)`: it replaces the walk by a wrong one."""

    def __init__(self, row: Mistake) -> None:
        self.wrong = row.name
        self.row = row
        self.seen = False

    def node(self, node: Node, op: Any, operands: tuple[Any, ...]) -> None:
        """Forward, everything is right."""

    def edges(self, edges: Iterator[Edge], arriving: Totals | None = None) -> Iterator[Edge]:
        """The wrong walk in place of the right one, where gradients are to be added to `.grad`."""
        if arriving is None:
            return edges
        for root in list(arriving):  # a mistake is made at an operation: they must be there
            seed = arriving.pop(root)
            arriving[opened := open_fused(root)] = seed
            self.seen = self.seen or what_if(opened, self.row, seed=seed).seen
        return wrong_walk(arriving, self.row)


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
        self.check(node, self.incoming, self.right.incoming)
        return Comparison(node, self.root_name, self.incoming.get(node, []),
                          self.right.incoming.get(node, []), self.mistake)

    @property
    def effects(self) -> dict[Node, float]:
        """|wrong - right| / |right| for every leaf that got a gradient (inf where right is 0, NaN
        where one of them is not finite)."""
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
        broken = [x for x in self.effects if not np.isfinite(self.right.gradient(x)).all()]
        if broken:
            return "\n".join(wrapped([*lines, "  Nothing can be compared: also the right gradient "
                                      f"of {describe(broken[0])} has NaN or Inf"]))
        if not self.seen:
            lines += [f"  Nobody can see it here: every gradient is as it should be. It takes "
                      f"{self.mistake.needs}."]
            if "T > 1" in self.mistake.needs and not stamped(self.root):
                lines += ["  This graph has no time steps: run the loop under tg.timestep(t)."]
            return "\n".join(wrapped(lines))
        head = ["", "‖right‖", "‖wrong‖", "off by"]
        names = told_apart({x: {n.scope for n in self.right.incoming.users(x)}
                            for x in self.effects})
        body = [[names[x] if x.name else describe(x), f"{norm(self.right.gradient(x)):.4g}",
                 f"{norm(self.gradient(x)):.4g}", f"{effect:.1%}" if effect > SMALL else "–"]
                for x, effect in self.effects.items()]
        return "\n".join([*lines, *laid_out([head, *body], left=1)])

    __repr__ = __str__


def stamped(root: Node) -> bool:
    """Whether anything in the graph was computed at a time step."""
    return any(n.step is not None and n.op.rules for n in nodes(root))
