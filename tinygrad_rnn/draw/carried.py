"""What a lane carries: the states of a recurrent layer between its boxes, and those it returns.

The question this file answers: *what is handed from one step to the next, and what is it called?*
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .labels import Run, Text, roman, symbol, width
from .model import Box

if TYPE_CHECKING:
    from .lanes import Block
    from .wiring import Row

BACK = 15.0  # what is read again runs so far before a cell: clear of the head of its state


def carry(block: Block, i: int, row: Row) -> None:
    """The states of a lane, from before the first step to after the last."""
    y = block.heights[i]
    order = list(range(len(block.columns)))[::-1 if row.backwards else 1]
    way = -1 if row.backwards else 1
    name, last = block.columns[order[0]].name, block.columns[order[-1]].name
    edge = block.left - 34 if not row.backwards else block.right + 34
    before = initial_name(row, name, way, block.alone)
    start = block.sheet.box(f"{block.scope}start{i}", (edge, y), (max(46.0, wide_of(before)), 28),
                            "initial", before, dashed=True,
                            title=f"the state before the first step: {row.start}")
    block.starts.append(start)
    if row.start != "zeros":
        block.sheet.say((edge, y + 27), roman(row.start), "quiet", style.TINY)
    previous, said = start, before
    for k in order:
        column = block.columns[k]
        box = block.boxes.get((i, k))
        if box is None:
            box = block.sheet.box(f"{block.scope}gap{i}", block.spot(i, k), (34.0, 26.0), "gap",
                                  (Run("⋯", "b"),), dashed=True,
                                  title="steps that are not drawn")
        block.sheet.join(previous, box, "carried", width=2.0)
        if previous is not start and said:
            middle = (previous.sides[2] + box.sides[0]) / 2 if way > 0 else \
                (previous.sides[0] + box.sides[2]) / 2
            middle -= 15.5 * row.side  # clear of the wire to the other lane
            middle -= BACK / 2 if block.wiring.feedback and i == 0 else 0.0
            block.sheet.say((middle, y - 7), said, "text", style.TINY)
        previous, said = box, state_name(row, column.name) if column.name else ()
    give_states(block, i, row, previous, last)


def give_states(block: Block, i: int, row: Row, previous: Box, last: str) -> None:
    """What a call returns of a lane's states."""
    y, way = block.heights[i], -1 if row.backwards else 1
    if block.wiring.return_state:
        x = (block.right + 40) if way > 0 else (block.left - 40)
        text = state_name(row, last)
        box = block.sheet.box(f"{block.scope}state{i}", (x, y), (max(46.0, wide_of(text)), 28),
                              "state", text, title="the state after the last step, returned")
        block.sheet.join(previous, box, "carried", width=2.0)
        block.sheet.say((x, y + 27), roman("return_state"), "quiet", style.TINY)
    if block.wiring.return_all_states:
        x, level = block.right + 40, y - 24
        taps = [block.boxes[i, k] for k in range(len(block.columns)) if (i, k) in block.boxes]
        text = state_name(row, "1…T")
        box = block.sheet.box(f"{block.scope}states{i}", (x, level - 12),
                              (max(56.0, wide_of(text)), 24), "state", text,
                              title="the states of all steps, returned")
        bus = [block.sheet.box(f"{block.scope}states{i}.{k}", (tap.sides[2] - 8, level - 12),
                               (6.0, 6.0), "line", shape="circle", fill="carried",
                               stroke="carried") for k, tap in enumerate(taps)]
        for tap, dot in zip(taps, bus):
            block.sheet.line(((dot.x, tap.sides[1]), (dot.x, dot.y)), "carried", tap, dot,
                             width=1.0, arrow=False)
        block.sheet.line(((bus[0].x, bus[0].y), (box.sides[0], bus[0].y)), "carried", bus[0],
                         box, width=1.0)
        block.sheet.say((x, level - 30), roman("return_all_states"), "quiet", style.TINY)


def wide_of(text: Text) -> float:
    """How wide a box must be for a text."""
    return width(text, style.TEXT) + 12


def state_name(row: Row, step: str) -> Text:
    """h₃, c₃."""
    found: list[Run] = []
    for part in row.parts:
        found += [*([Run(", ")] if found else []), *symbol(part)[:1], Run(step, "_")]
    return tuple(found)


def initial_name(row: Row, first: str, way: int, alone: bool) -> Text:
    """The state before the step called `first`."""
    before = f"{first}−1" if alone and way > 0 else f"{first}+1" if way < 0 else "0"
    before = str(int(first) + 1) if way < 0 and first.isdigit() else before
    return state_name(row, before)
