"""JSON: a drawing as data for other programs: what is where, and which part it plays.

The question this file answers: *how do I make something else of a drawing?*

    {"format": "tinygrad_rnn drawing", "version": 1, "title": ..., "paper": [left, top, w, h],
     "frames": [...], "strips": [...], "lines": [...], "boxes": [...], "labels": [...],
     "roles": {role: {"light": [fill, stroke, ink], "dark": [...]}}}

The fields of a thing are those of `draw.model`, in points; fields that have their usual value are
left out. A text is a list of [characters, style]. `roles` has the looks of every role that occurs.
"""

from __future__ import annotations

import json as text_of
from collections.abc import Iterable
from typing import Any

from . import style
from .labels import clean
from .model import Box, Drawing, Label, Line, Strip

Thing = Box | Line | Label | Strip


def json(drawing: Drawing) -> str:
    """The whole file. The same drawing gives the same bytes; there are no NaNs in it."""
    parts: dict[str, Iterable[Thing]] = {
        "frames": drawing.frames, "strips": drawing.strips, "lines": drawing.lines,
        "boxes": drawing.boxes, "labels": drawing.labels}
    head = {
        "format": "tinygrad_rnn drawing", "version": 1, "title": clean(drawing.title, 400),
        "paper": [plain(x) for x in (drawing.left, drawing.top, drawing.width, drawing.height)],
    }
    lines = [f"{quoted(key)}: {quoted(value)}" for key, value in head.items()]
    for name, things in parts.items():
        rows = ",\n  ".join(quoted(record(thing)) for thing in things)
        lines.append(f'"{name}": [' + (f"\n  {rows}\n ]" if rows else "]"))
    lines.append(f'"roles": {quoted(roles(drawing))}')
    return "{" + ",\n ".join(lines) + "}\n"


def quoted(value: Any) -> str:
    """A value as JSON on one line, in characters that every program can read."""
    return text_of.dumps(value, allow_nan=False)


def record(thing: Thing) -> dict[str, Any]:
    """The fields of a thing that differ from what is usual."""
    found = {}
    for name, value in zip(thing._fields, thing):
        if name not in thing._field_defaults or value != thing._field_defaults[name]:
            found[name] = plain(value)
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it: short numbers, clean words, lists."""
    if isinstance(value, float):
        return round(value, 2) + 0.0
    if isinstance(value, str):
        return clean(value, 400)
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value


def roles(drawing: Drawing) -> dict[str, dict[str, tuple[str, ...]]]:
    """The looks of every role in a drawing, for light and for dark paper."""
    things: list[Box | Line | Label] = [*drawing.frames, *drawing.lines, *drawing.boxes,
                                        *drawing.labels]
    used = {thing.role for thing in things} | {"paper"}
    used |= {cell.paint for strip in drawing.strips for cell in strip.cells}
    return {role: {name: tuple(table[role]) for name, table in style.THEMES.items()}
            for role in sorted(used) if not role.startswith("#")}
