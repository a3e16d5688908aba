"""Callbacks: a function of the user's own looks at each thing that is drawn, and changes it.

The question this file answers: *how do I paint one gate red?*
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core.graph import Node
from ..core.words import describe
from ..errors import InputError
from ..nn.options import REAL, yes_or_no
from . import style
from .asked import colour_of, dashes_of, one_of, text_of
from .labels import Run, Text, clean, plain
from .scene import Glyph, Rail, Wire

NODE_CHANGES = ("text", "title", "note", "fill", "stroke", "ink", "width", "dashed", "role")
EDGE_CHANGES = ("title", "note", "colour", "width", "dash", "role")
Changes = Mapping[str, Any]
NodeCallback = Callable[[Any, dict[str, Any]], Changes | None]


def changes(answer: Any, known: tuple[str, ...], name: str, where: str) -> Changes:
    """What a callback wants changed. Raises `InputError` for what cannot be."""
    if answer is None:
        return {}
    if not isinstance(answer, Mapping):
        raise InputError(f"expected the {name} callback to return a dict of changes or None, got "
                         f"{type(answer).__name__}", where=where)
    return {one_of(key, known, f"a change of the {name} callback", where):
            change(key, value, where) for key, value in answer.items()}


def change(key: str, value: Any, where: str) -> Any:
    """One change, as it is made. Raises `InputError` for what cannot be."""
    if key in ("text", "title", "note"):
        return text_of(value, key, where)
    if key == "role":
        return one_of(value, tuple(style.THEMES["light"]), key, where)
    if key == "dashed":
        return yes_or_no(value, key, where)
    if key == "dash":
        return dashes_of(value, key, where)
    if key != "width":
        return colour_of(value, key, where)
    if isinstance(value, bool) or not isinstance(value, REAL) or not 0 < value <= 40:
        raise InputError(f"expected a width in points, above 0, at most 40, got {value!r}",
                         where=where)
    return float(value)


def answer_of(callback: NodeCallback, name: str, node: Any, seen: dict[str, Any],
              where: str) -> Any:
    """What a callback says of a thing. If it fails: `InputError`, with its own error as the
    cause."""
    try:
        return callback(node, seen)
    except Exception as error:
        at = seen.get("id") or f"{seen['tail']} → {seen['head']}"
        of = f" ({describe(node)})" if isinstance(node, Node) else ""
        raise InputError(f"the {name} callback failed at {at!r}{of}: "
                         f"{type(error).__name__}: {error}", where=where) from error


def words(text: str) -> Text:
    """A user's words as a label."""
    return (Run(clean(text, 60)),)


def change_glyph(glyph: Glyph, callback: NodeCallback, where: str) -> None:
    """Let a callback look at a glyph, and change it."""
    box = {"id": glyph.id, "text": plain(glyph.text), "title": glyph.title, "role": glyph.role,
           "note": plain(glyph.note), "step": None if glyph.node is None else glyph.node.step,
           "scope": glyph.scope}
    for key, value in changes(answer_of(callback, "node", glyph.node, box, where), NODE_CHANGES,
                              "node", where).items():
        if key in ("text", "note"):
            setattr(glyph, key, words(value))
        else:
            setattr(glyph, "line" if key == "width" else key, value)
    if glyph.fill is not None and glyph.ink is None:
        glyph.ink = style.ink_on(glyph.fill)


def change_rail(rail: Rail, callback: NodeCallback, where: str) -> None:
    """Let a callback look at a shared weight, whose note stands at its rail."""
    rail.glyph.note = rail.note
    change_glyph(rail.glyph, callback, where)
    rail.note, rail.glyph.note = rail.glyph.note, ()


def change_taps(rail: Rail, callback: NodeCallback, where: str) -> None:
    """Let a callback look at each use of a shared weight. What it notes stands at the tap, where a
    step has one note."""
    said: dict[int | None, Text] = {}
    for tap in rail.taps:
        before, when = tap.note, tap.head.when
        change_wire(tap, callback, where)
        if tap.note is not before:
            said[when] = (*said[when], Run(", "), *tap.note) if when in said else tap.note
    rail.step_notes.update(said)


def change_wire(wire: Wire, callback: NodeCallback, where: str) -> None:
    """Let a callback look at a wire (`node` is the operation that uses), and change it."""
    line = {"tail": wire.tail.id, "head": wire.head.id, "kind": wire.kind, "role": wire.role,
            "position": wire.position, "title": wire.title}
    for key, value in changes(answer_of(callback, "edge", wire.node, line, where), EDGE_CHANGES,
                              "edge", where).items():
        setattr(wire, key, words(value) if key == "note" else value)
