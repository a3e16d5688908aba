"""The wiring of a model as seen from outside: its rows of boxes, what goes in, what comes out.

The question this file answers: *at which steps does it take something, at which does it give
something, and of which shape?*

A model is flattened into rows, from the bottom to the top: a lane for every recurrent layer, with
the states that it carries, and a map for whatever is done at each step by itself. Each row says
which row feeds it. Nothing is run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import nn
from ..errors import InputError, ShapeError
from ..nn.module import count

INPUT = -1  # the row below all others: what goes in


@dataclass(slots=True)
class Row:
    """One row of boxes. `below` are the rows that feed it. A lane carries `parts` from step to
    step, from right to left if `backwards`. `every`: it gives something at every step, not only
    after its last. `side` is -1 or 1 where two lanes share a column."""

    word: str
    title: str
    below: list[int]
    size: int | None
    parts: tuple[str, ...] = ()
    backwards: bool = False
    every: bool = True
    side: int = 0
    start: str = "zeros"
    merges: bool = False


@dataclass(slots=True)
class Wiring:
    """A model as rows. `feeds` says what the input of a step is: "xs" (something at each step),
    "first" (only at the first one), "none", or "whole" (no steps at all). `vector` is the size of
    what every step hears, `feedback` how an output becomes the next input."""

    rows: list[Row] = field(default_factory=list)
    size: int | None = None
    feeds: str = "xs"
    indices: bool = False
    feedback: str = ""
    vector: int | None = None
    vector_name: str = "c"
    return_state: bool = False
    return_all_states: bool = False

    @property
    def lanes(self) -> list[Row]:
        """The rows that carry a state."""
        return [row for row in self.rows if row.parts]

    @property
    def top(self) -> Row:
        """The row whose results come out."""
        return self.rows[-1]


def wiring(model: Any) -> Wiring:
    """The rows of a model. Raises `InputError` for what is not made of layers."""
    if isinstance(model, nn.OutputFeedback):
        found = wiring(model.layer)
        found.feeds = "xs" if model.append else "first"
        found.feedback = model.feedback
        found.size = own_size(found.size, model.head) if model.append else found.size
        found.return_state = found.return_all_states = False
        return headed(found, model.head)
    if isinstance(model, nn.VectorToSequence):
        found = Wiring(size=model.cell.input_size, feeds="none", vector=model.context_size)
        lane(found, nn.Recurrent(model.cell, return_sequences=True), [INPUT], "")
        found.feedback = model.feedback or ""
        found.feeds = "first" if model.feedback else "none"
        return headed(found, model.head)
    found = Wiring()
    parts = model if isinstance(model, (list, tuple)) else [model]
    fitting(flat(parts))
    for part in flat(parts):
        add(found, part)
    if not found.rows:
        raise InputError("expected layers to draw, got an empty list", where="draw.api()")
    recurrent = [part for part in flat(parts) if isinstance(part, nn.Layer)]
    found.return_state = isinstance(model, nn.Cell) or \
        bool(recurrent) and recurrent[-1].return_state
    found.return_all_states = bool(recurrent) and recurrent[-1].return_all_states
    if not found.lanes:
        found.feeds = "whole"
    return found


def own_size(whole: int | None, head: Any) -> int | None:
    """The size of x_t where y_{t-1} is read beside it."""
    out = getattr(head, "out_size", None)
    return None if whole is None or out is None else whole - out


def flat(parts: Any) -> list[Any]:
    """The modules of a chain, those of a `Sequential` in its place."""
    found: list[Any] = []
    waiting = list(reversed(list(parts)))
    while waiting:
        part = waiting.pop()
        if isinstance(part, nn.Sequential):
            waiting += reversed(part.layers)
        else:
            found.append(part)
    return found


def fitting(parts: list[Any]) -> None:
    """Raise `ShapeError` for a layer of a chain that cannot read what the one before it returns,
    and `InputError` for a class of layers. What a function makes of numbers is not known."""
    size, only_last, before = None, False, ""
    for part in parts:
        if isinstance(part, type):
            raise InputError(f"expected a layer, got the class {part.__name__}", where="draw.api()",
                             fix=f"Make one of it: {part.__name__}(...)")
        takes, gives = (part.size,) * 2 if isinstance(part, nn.LayerNorm) else sizes(part)
        if None not in (size, takes) and size != takes:
            raise ShapeError(f"expected layers that fit, got {type(part).__name__}, which reads "
                             f"{takes:,} numbers, after {before}, which gives {size:,}",
                             where="draw.api()")
        if only_last and isinstance(part, (nn.Layer, nn.Cell)):
            raise ShapeError(f"expected a sequence for {type(part).__name__}, but {before} returns "
                             "only its last step", where="draw.api()",
                             fix=f"Set return_sequences=True on {before}")
        same = isinstance(part, (nn.Linear, nn.LayerNorm, nn.Dropout))
        only_last = not part.return_sequences if isinstance(part, nn.Layer) else only_last and same
        before = type(part).__name__
        size = size if isinstance(part, nn.Dropout) else gives


def headed(found: Wiring, head: Any) -> Wiring:
    """The wiring with a head on top, if there is one."""
    for row in found.lanes:
        row.every = True
    if head is not None:
        add(found, head)
    return found


def add(found: Wiring, part: Any) -> None:
    """Put a module, or a function, on top of what is there."""
    below = [len(found.rows) - 1] if found.rows else [INPUT]
    if isinstance(part, nn.Cell):
        part = nn.Recurrent(part, return_sequences=True, return_state=True)
    if isinstance(part, nn.Layer):
        if not found.rows:
            found.size = part.input_size
        layer(found, part, below, "")
        return
    known = isinstance(part, (nn.Linear, nn.MLP, nn.Embedding, nn.LayerNorm, nn.Dropout))
    if not known and (isinstance(part, nn.Module) or not callable(part)):
        raise InputError(
            f"expected a layer of nn, or a list of layers in the order in which they are called, "
            f"got {type(part).__name__}", where="draw.api()",
            fix="How a module of your own calls its parts is not known without running it: give "
                "them, as in draw.api([model.rnn, model.head])")
    ins, outs = sizes(part)
    if not found.rows:
        found.size, found.indices = ins, isinstance(part, nn.Embedding)
    name = type(part).__name__ if isinstance(part, nn.Module) else \
        str(getattr(part, "__name__", getattr(part, "name", "function"))).replace("<lambda>", "λ")
    arrow = f" {shown(ins)} → {shown(outs)}" if ins is not None else ""
    size = outs if outs is not None else (found.rows[-1].size if found.rows else None)
    every = found.top.every if found.rows else True
    found.rows.append(Row(name, f"{name}{arrow}", below, size, every=every,
                          backwards=bool(found.rows) and found.top.backwards))


def sizes(part: Any) -> tuple[int | None, int | None]:
    """What goes into a part, and what comes out."""
    if isinstance(part, (nn.Layer, nn.Cell)):
        paired = isinstance(part, nn.Bidirectional) and part.merge == "none"
        return part.input_size, None if paired else part.output_size
    if isinstance(part, nn.MLP):
        return None if part.flatten else part.layers[0].in_size, part.layers[-1].out_size
    if isinstance(part, nn.Embedding):
        return part.classes, part.out_size
    return getattr(part, "in_size", None), getattr(part, "out_size", None)


def layer(found: Wiring, part: Any, below: list[int], name: str) -> list[int]:
    """Add a recurrent layer fed by the rows `below`; returns the row that gives its outputs."""
    if isinstance(part, nn.Stacked):
        for k, inner in enumerate(part.layers):
            title = f"{name}layer {k}" + (", residual" if part.residual and k else "") + ": "
            below = layer(found, inner, below, title)
        return below
    if isinstance(part, nn.Bidirectional):
        first = len(found.rows)
        forward = layer(found, part.forward_layer, below, f"{name}forward, ")
        middle = len(found.rows)
        backward = layer(found, part.backward_layer, below, f"{name}backward, ")
        for i, row in enumerate(found.rows[first:], first):
            row.side = -1 if i < middle else 1
            row.backwards = i >= middle
        word = "pair" if part.merge == "none" else part.merge
        found.rows.append(Row(word, word, [*forward, *backward], part.output_size,
                              every=part.return_sequences, merges=True))
        return [len(found.rows) - 1]
    return lane(found, part, below, name)


def lane(found: Wiring, part: Any, below: list[int], name: str) -> list[int]:
    """Add one recurrence."""
    cell = part.cell
    kind = type(part).__name__ if type(part) is not nn.Recurrent else \
        type(cell).__name__.removesuffix("Cell") if isinstance(cell, nn.Cell) else \
        getattr(cell, "__name__", type(cell).__name__)
    parts = tuple(dict.fromkeys(getattr(cell, "state_names", ("h",))))
    arrow = f" {shown(part.input_size)} → {shown(part.output_size)}" \
        if part.output_size is not None else ""
    found.rows.append(Row(kind, f"{name}{kind}{arrow}", below, part.output_size, parts,
                          part.reverse, part.return_sequences, 0, part.start))
    return [len(found.rows) - 1]


def shown(size: int | None) -> str:
    """A size as text; unknown ones as I."""
    return "I" if size is None else f"{size:,}"


def pattern(found: Wiring, steps: int | None) -> str:
    """One to one, many to one, ..."""
    if found.feeds == "whole" or steps == 1:
        return "one to one"
    into = {"xs": "many", "first": "one", "none": "vector"}[found.feeds]
    if found.vector is not None:
        into = "vector"
    return f"{into} to {'many' if found.top.every else 'one'}" if into != "vector" else \
        "vector to sequence"


def weight_count(model: Any) -> int:
    """How many numbers a model learns."""
    return count(list(model) if isinstance(model, tuple) else model)
