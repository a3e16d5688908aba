"""Scopes: the names of layers and stages, beside what they name.

The question this file answers: *which row is which layer?*
"""

from __future__ import annotations

from collections.abc import Iterable

from . import spots, style
from .labels import clean, roman
from .model import Box, Label, Line
from .paper import label_rect
from .routing import centre
from .spots import Places, Spot
from .timegrid import TimeGrid

ASIDE = 300.0  # what lies further on the left of a stage than this has nothing to do with it
CLEAR = 2.0  # so far from the name of a stage a line runs at least


def name_scopes(grid: TimeGrid, boxes: Iterable[Box], labels: Iterable[Label],
                lines: Iterable[Line]) -> list[Label]:
    """Where there are several scopes, their names on the left of their states, past the wires that
    come in there; those of stages above their first frame."""
    found: list[Label] = []
    near: list[Spot]
    for stage, t in grid.templates.items():
        part = next(c.part for c in grid.scene.columns if c.stage == stage)
        start = grid.start[stage]
        if len(grid.templates) > 1 and part:
            name = Label(start + 2, grid.top - 6, roman(clean(part)), "quiet", anchor="start",
                         bold=True)
            near = [((name.x + d, name.y - up), "start") for up in (0, 12, 24, 36)
                    for d in range(0, 120, 8)]
            found.append(placed(name, near, *above(name, boxes, labels, lines)))
        names = t.grid.steps.names(part)
        taken, crossed = before(start, boxes, labels, lines) if names else (Places(), Places())
        for scope, key in names.items():
            y = centre(t.rects[key])[1]
            first = [r for r in (grid.rects[g] for g in grid.scene.initial
                                 if grid.stage_of(g) == stage) if r[1] < y < r[3]]
            x = min([start - 18 - style.VAR, *(r[0] for r in first if r[0] < start)]) - 10
            near = [((x - left, y + d), "end") for left in (0, 24, 60, 100)
                    for d in (4, -8, 16, -20, 28)]
            name = Label(x, y, roman(clean(scope)), "quiet")
            found.append(placed(name, near, taken, crossed))
            taken.add(found[-1])
    return found


def placed(name: Label, near: list[Spot], taken: Places, crossed: Places) -> Label:
    """A name at the first of some spots where it lies on nothing; where that is on a line, it
    clears what is behind it."""
    (x, y), anchor = spots.best(near, name.text, taken, crossed)
    found = name._replace(x=x, y=y, anchor=anchor)
    return found._replace(halo=crossed.touch(label_rect(found)))


def above(name: Label, boxes: Iterable[Box], labels: Iterable[Label],
          lines: Iterable[Line]) -> tuple[Places, Places]:
    """What is above the first frame of a stage, where its name stands: boxes and words, and
    lines, with some room on either side."""
    taken, crossed = Places(), Places()
    for box in boxes:
        if box.sides[1] < name.y + 4:
            taken.add(box.sides)
    for label in labels:
        if label.y < name.y + 4:
            taken.add(label)
    for line in lines:
        if min(y for _, y in line.points) < name.y + 4:
            crossed.add(line._replace(width=line.width + 2 * CLEAR))
    return taken, crossed


def before(start: float, boxes: Iterable[Box], labels: Iterable[Label],
           lines: Iterable[Line]) -> tuple[Places, Places]:
    """What lies on the left of a stage, near it: boxes and words, and lines."""
    taken, crossed = Places(), Places()
    for box in boxes:
        if start - ASIDE < box.x < start:
            taken.add(box.sides)
    for label in labels:
        if start - ASIDE < label.x < start:
            taken.add(label)
    for line in lines:
        xs = [x for x, _ in line.points]
        if min(xs) < start and max(xs) > start - ASIDE:
            crossed.add(line)
    return taken, crossed
