"""A model from outside: what goes in and what comes out, at which steps, and of which shape.

The question this file answers: *output or state, one or many, and where?*

The picture of the patterns (one to many, many to one, ...) that everybody draws, made from the
model itself: inputs at the bottom, a row of boxes for every recurrent layer with the states that it
carries between them, outputs on top. What a call returns is listed below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import nn
from ..errors import InputError
from ..nn.options import size as whole
from . import style
from .asked import options_of
from .labels import Run, Text, clean, roman
from .lanes import STEP, Block, columns
from .options import Options
from .paper import Sheet
from .picture import Picture
from .wiring import Wiring, pattern, shown, weight_count, wiring

USED = {"state": "from which the decoder's first state is made",
        "input": "which the decoder reads at every step",
        "both": "for the decoder's first state, and read at every step"}


@options_of
def api(model: Any, steps: int | tuple[int, int] | None = None, batch: int | None = None, *,
        theme: str = "auto", palette: Mapping[str, str] | None = None, font: str | None = None,
        size: float = 1.0) -> Picture:
    """Draw a model from outside: a layer, a stack, `nn.Bidirectional`, `nn.EncoderDecoder`,
    `nn.VectorToSequence`, `nn.OutputFeedback`, a feedforward layer, or a list of layers and
    functions in the order in which they are called (`[rnn, head]`, or `nn.Sequential`).

    `steps` is the number of steps T, or for an encoder with its decoder two numbers; without it,
    the steps are 1, 2, ..., T. `batch` puts a number in the place of B. The looks (`theme`,
    `palette`, `font`, `size`) are those of `draw.unrolled`. Raises `InputError` for what is not
    made of layers.
    """
    looks = Options("draw.api()", palette=palette, font=font, size=size).checked()
    batch = None if batch is None else whole(batch, "batch", "draw.api()")
    sheet = Sheet("A model from outside")
    table: list[tuple[str, Text]] = []
    if isinstance(model, nn.EncoderDecoder):
        caption = both(sheet, model, steps, batch, table)
    else:
        if isinstance(steps, tuple):
            raise InputError("expected one number of steps, got two", where="draw.api()",
                             fix="Two are for an encoder with its decoder")
        found = wiring(model)
        count = 1 if found.feeds == "whole" or isinstance(model, nn.Cell) else number_of(steps)
        alone = "t" if isinstance(model, nn.Cell) else ""
        Block(sheet, found, columns(found, count), 0.0, alone).draw()
        caption = pattern(found, count)
        returned(table, found, batch, "T" if count is None else f"{count:,}")
    sheet.title = f"{caption}, from outside"
    listed(sheet, table)
    number = weight_count(model)
    words = (Run(caption[:1].upper() + caption[1:], "b"), Run(f": {title_of(model)}"))
    weights = roman(f", {number:,} parameters") if number else ()
    return Picture(looks.finished(sheet.drawing((*words, *weights))), theme)


def title_of(model: Any) -> str:
    """A model in a few words."""
    if isinstance(model, (list, tuple)):
        return clean(", ".join(title_of(part) for part in model), 80)
    if isinstance(model, nn.Module):
        settings = re.sub(r", return_\w+=True", "", model.settings())
        return f"{type(model).__name__}({clean(settings, 60)})"
    return clean(getattr(model, "__name__", type(model).__name__), 40)


def number_of(steps: Any) -> int | None:
    """A number of steps, or none."""
    if steps is None or isinstance(steps, int) and not isinstance(steps, bool) and steps > 0:
        return steps
    raise InputError(f"expected steps to be a number of at least 1, got {steps!r}",
                     where="draw.api()")


# --- an encoder and its decoder -------------------------------------------------------------------


def both(sheet: Sheet, model: Any, steps: Any, batch: int | None,
         table: list[tuple[str, Text]]) -> str:
    """Two blocks, and the context between them."""
    given = steps if isinstance(steps, tuple) else (steps, steps)
    if len(given) != 2:
        raise InputError(f"expected (steps of the encoder, of the decoder), got {steps!r}",
                         where="draw.api()")
    counts = [number_of(n) for n in given]
    reads, writes = wiring(model.encoder), wiring(model.decoder)
    for row in reads.rows:
        row.every = row is not reads.rows[-1] and row.every
    for row in writes.rows:
        row.every = True
    if model.head is not None:
        writes = wiring([model.decoder, model.head])
        for row in writes.rows:
            row.every = True
    for part in (reads, writes):
        part.return_state = part.return_all_states = False
    first = Block(sheet, reads, columns(reads, counts[0], "Te"), 0.0, scope="encoder.")
    room = model.room()
    writes.size, writes.feedback = room, "" if room == 0 else model.feedback
    writes.feeds = "none" if room == 0 else "first"
    first.given = (Run("c", "i"),)
    first.draw()
    left = first.edge + 200.0 + STEP / 2
    second = Block(sheet, writes, columns(writes, counts[1], "Td"), left, scope="decoder.")
    second.draw()
    context(sheet, model, first, second)
    for block, name in ((first, "encoder"), (second, "decoder")):
        beside_c = name == "encoder" and len(block.columns) > 1
        top = min(block.heights.values()) - 54 if beside_c else block.top - 24
        sheet.say(((block.left + block.right) / 2, top), (Run(name, "b"),), "text", style.SMALL)
    T = ["T" + "ed"[i] if n is None else f"{n:,}" for i, n in enumerate(counts)]
    B = "B" if batch is None else f"{batch:,}"
    table += [("input", roman(f"source ({T[0]}, {B}, {shown(reads.size)}): "
                              "what the encoder reads")),
              ("state", roman(f"context c ({B}, {shown(reads.top.size)}): the encoder's last "
                              f"output, {USED[model.context]}"))]
    if room != 0:
        table.append(("input", roman(f"target_inputs ({T[1]}, {B}, {shown(room)}), or without "
                                     f"them its own outputs, from start on")))
    table.append(("output", roman(f"outputs ({T[1]}, {B}, {shown(writes.top.size)})")))
    return "many to many: encoder and decoder"


def context(sheet: Sheet, model: Any, first: Block, second: Block) -> None:
    """The way from the encoder's last output into the decoder."""
    tail = first.boxes[len(first.wiring.rows), len(first.columns) - 1]
    down, middle = first.edge + 26, first.edge + 68
    if model.context != "input":
        lanes = [i for i, row in enumerate(second.wiring.rows) if row.parts]
        bridged = any(name.startswith("bridge") for name in vars(model))
        for i, start in zip(lanes, second.starts):
            head, level = start, second.heights[i]
            if bridged:
                head = sheet.box(f"bridge{i}", (middle, level), (54.0, 26.0), "function",
                                 roman("bridge"), size=style.SMALL, title="a linear map")
                sheet.join(head, start, "carried", width=2.0)
            sheet.line(((tail.sides[2], tail.y), (down, tail.y), (down, level),
                        (head.sides[0], level)), "carried", tail, head, width=2.0)
    if model.context != "state":
        x, level = first.edge + 11, 30.0
        second.taps(tail, ((tail.sides[2], tail.y), (x, tail.y), (x, level)))


# --- the list below -------------------------------------------------------------------------------


def returned(table: list[tuple[str, Text]], found: Wiring, batch: int | None, T: str) -> None:
    """What goes in and what a call returns, with shapes."""
    B = "B" if batch is None else f"{batch:,}"
    size = "" if found.indices else f", {shown(found.size)}"
    if found.feeds == "xs":
        name = "class indices" if found.indices else "xs"
        table.append(("input", roman(f"{name} ({T}, {B}{size})")))
    elif found.feeds == "first" and found.vector is None:
        table.append(("input", roman(f"x ({B}{size}), the first input only")))
    elif found.feeds == "whole":
        table.append(("input", roman(f"x ({B}{size})")))
    if found.vector is not None:
        table.append(("input", roman(f"context c ({B}, {shown(found.vector)}), "
                                     "read at every step")))
    heard = {"teacher": "the target y is read at the next step (teacher forcing)",
             "free": "y is read at the next step, and the gradient goes back through it",
             "free_detached": "y is read at the next step; no gradient goes back through it"}
    if found.feedback:
        table.append(("line", roman(heard[found.feedback])))
    top = found.top
    out = shown(top.size) if top.size is not None else "·"
    if top.word == "pair":
        table.append(("output", roman("the outputs of both directions, as a pair")))
    elif found.feeds == "whole":
        table.append(("output", roman(f"y ({B}, {out})")))
    elif top.every:
        table.append(("output", roman(f"outputs ({T}, {B}, {out}), one at every step")))
    else:
        table.append(("output", roman(f"the last output ({B}, {out})")))
    for row in found.lanes:
        for part in row.parts if found.return_state else ():
            table.append(("state", roman(f"state {part} ({B}, {shown(row.size)}) after the last "
                                         f"step of {row.title}")))
        for part in row.parts if found.return_all_states else ():
            table.append(("state", roman(f"states {part} ({T}, {B}, {shown(row.size)}) after "
                                         f"every step of {row.title}")))


def listed(sheet: Sheet, table: list[tuple[str, Text]]) -> None:
    """The list, each line with a swatch of its colour."""
    left = min(box.sides[0] for box in (*sheet.boxes, *sheet.frames))
    y = max(box.sides[3] for box in (*sheet.boxes, *sheet.frames)) + 34
    y = max(y, max((p[1] for line in sheet.lines for p in line.points), default=y) + 26)
    words = {"input": "in", "output": "out", "state": "state", "line": "feedback"}
    for role, text in table:
        if role == "line":
            sheet.line(((left + 1, y - 4), (left + 16, y - 4)), "line")
        else:
            sheet.box("swatch", (left + 8, y - 4), (14.0, 11.0), role, title=words[role])
        sheet.say((left + 24, y), (Run(f"{words[role]}  ", "b"), *text), anchor="start")
        y += 18
