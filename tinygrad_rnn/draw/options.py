"""Options: what the drawing functions may be told, and what is said when it cannot be.

The question this file answers: *which steps, and how?*

Options that say what is drawn work on the scene, before anything has a place; those that say how it
looks work on the finished drawing. A wrong one is an error that lists the right ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.graph import Node
from ..errors import InputError
from . import style, wording
from .labels import Run, Text, clean, number, plain, roman
from .layout import DIRECTIONS, LAYOUTS, place
from .levels import LEVELS, at_level
from .model import Box, Drawing, Line
from .scene import Glyph, Scene, Wire
from .survey import Window

SHOWN = ("names", "shapes", "values", "gradients", "parameters")
NODE_CHANGES = ("text", "title", "note", "fill", "stroke", "ink", "width", "dashed", "role")
EDGE_CHANGES = ("title", "note", "colour", "width", "dash", "role")
Changes = Mapping[str, Any]
NodeCallback = Callable[[Any, dict[str, Any]], Changes | None]


@dataclass(frozen=True, slots=True)
class Options:
    """What `draw.unrolled`, `draw.rolled` and `draw.gradient_flow` may be told besides the steps;
    see there."""

    where: str
    level: str = "op"
    collapse: Iterable[str] = ()
    show: Iterable[str] = ("names",)
    palette: Mapping[str, str] | None = None
    font: str | None = None
    size: float = 1.0
    node: NodeCallback | None = None
    edge: NodeCallback | None = None
    direction: str = "right"
    layout: str = "auto"

    def checked(self, levels: tuple[str, ...] = LEVELS,
                shown: tuple[str, ...] = SHOWN) -> Options:
        """The same, if it makes sense. Raises `InputError` if not."""
        one_of(self.level, levels, "level", self.where)
        one_of(self.direction, DIRECTIONS, "direction", self.where)
        one_of(self.layout, LAYOUTS, "layout", self.where)
        collapse = [self.collapse] if isinstance(self.collapse, str) else list(self.collapse)
        show = [self.show] if isinstance(self.show, str) else list(self.show)
        for name in show:
            one_of(name, shown, "show", self.where)
        for name in collapse:
            if not isinstance(name, str):
                raise InputError(f"expected names of scopes to collapse, got {name!r}",
                                 where=self.where)
        roles = style.THEMES["light"]
        for role, colour in (self.palette or {}).items():
            one_of(role, tuple(roles), "a role in palette", self.where)
            colour_of(colour, f"palette[{role!r}]", self.where)
        if self.font is not None and (not isinstance(self.font, str) or not self.font.strip()):
            raise InputError(f"expected font to be the name of a font, got {self.font!r}",
                             where=self.where)
        if isinstance(self.size, bool) or not isinstance(self.size, (int, float)) \
                or not 0 < self.size <= 100:
            raise InputError("expected size to be a factor above 0, 1 is normal, got "
                             f"{self.size!r}", where=self.where)
        for name, callback in (("node", self.node), ("edge", self.edge)):
            if callback is not None and not callable(callback):
                raise InputError(f"expected {name} to be a function (node, box) -> changes, "
                                 f"got {callback!r}", where=self.where)
        return replace(self, collapse=collapse, show=show)

    def dressed(self, scene: Scene) -> Scene:
        """The scene at its level, with notes, and with what the callbacks change."""
        scene = at_level(scene, self.level, self.collapse)
        if list(self.show) != ["names"]:
            add_notes(scene, set(self.show))
        if self.node is not None:
            for glyph in [*scene.glyphs(), *scene.initial]:
                change_glyph(glyph, self.node, self.where)
        if self.edge is not None:
            for wire in [*scene.wires, *(tap for rail in scene.rails for tap in rail.taps)]:
                change_wire(wire, self.edge, self.where)
        return scene

    def placed(self, scene: Scene) -> Drawing:
        """The drawing of a scene: what the options change in it, and where everything stands."""
        return place(self.dressed(scene), self.layout, self.direction)

    def finished(self, drawing: Drawing) -> Drawing:
        """The drawing in these colours, in this font and size."""
        if self.palette:
            drawing = painted(drawing, self.palette)
        return replace(drawing, font=self.font or "", size=float(self.size))


def window(where: str, first: Any = 3, last: Any = 3, steps: Any = None) -> Window:
    """The steps in view. Raises `InputError` for what is no number of steps, or leaves none."""
    for name, count in (("first", first), ("last", last)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InputError(f"expected {name} to be a number of steps, got {count!r}", where=where)
    if steps is None:
        if first + last == 0:
            raise InputError("first=0 and last=0 leave no step to draw", where=where)
        return Window(first, last)
    if not isinstance(steps, slice):
        raise InputError(f"expected steps to be a slice, got {steps!r}", where=where,
                         fix="steps=slice(10, 20) is steps 10 to 19")
    for bound in (steps.start, steps.stop, steps.step):
        if isinstance(bound, bool) or not isinstance(bound, int | None):
            raise InputError(f"expected a slice of whole numbers, got {steps!r}", where=where)
    if steps.step is not None and steps.step < 1:
        raise InputError(f"expected a slice that goes forward, got {steps!r}", where=where)
    return Window(first, last, steps)


def one_of(value: Any, known: tuple[str, ...], name: str, where: str) -> None:
    """Raise `InputError` unless an option is one of a few words."""
    if value not in known:
        raise InputError(f"expected {name} to be one of {', '.join(known)}, got {value!r}",
                         where=where)


def colour_of(value: Any, name: str, where: str) -> str:
    """A colour as six digits. Raises `InputError` for anything else."""
    digits = value[1:] if isinstance(value, str) else ""
    if isinstance(value, str) and value[:1] == "#" and len(digits) == 6:
        try:
            int(digits, 16)
        except ValueError:
            pass
        else:
            return value
    raise InputError(f"expected {name} to be a colour like '#D55E00', got {value!r}", where=where)


# --- notes --------------------------------------------------------------------------------------


def add_notes(scene: Scene, show: set[str]) -> None:
    """Shapes, values and gradients beside their variables; sizes of parameters at their boxes."""
    inputs = {rail.glyph for rail in scene.rails}
    for glyph in dict.fromkeys([*scene.glyphs(), *scene.initial]):
        node = glyph.node
        if node is None or glyph.role in ("op", "function", "cell"):
            continue
        if "names" not in show and glyph.role not in ("total", "gap"):
            glyph.text = ()
        if glyph not in inputs:
            glyph.note = listed(said(node, show))
    for rail in scene.rails:
        node = rail.glyph.node
        if node is not None:
            words = said(node, show)
            if "parameters" in show:
                words.append(f"{np.size(node.value):,} parameters" if node.requires_grad
                             else "no parameter")
            rail.note = listed(words)


def listed(words: list[str]) -> Text:
    """Words with commas between them."""
    return roman(", ".join(words)) if words else ()


def said(node: Node, show: set[str]) -> list[str]:
    """What is said of one variable."""
    words = []
    if "shapes" in show:
        words.append(wording.shape(node.value))
    if "values" in show:
        words.append(sized(node.value, "‖·‖"))
    if "gradients" in show and getattr(node, "grad", None) is not None:
        words.append(sized(node.grad, "‖∂‖") if np.ndim(node.grad) else f"∂ = {number(node.grad)}")
    return words


def sized(value: Any, sign: str) -> str:
    """A number as it is, an array by its norm."""
    if np.ndim(value) == 0:
        return number(value)
    return f"{sign} = {number(np.linalg.norm(np.asarray(value, float)))}"


# --- callbacks ----------------------------------------------------------------------------------


def changes(answer: Any, known: tuple[str, ...], name: str, where: str) -> Changes:
    """What a callback wants changed. Raises `InputError` for what cannot be."""
    if answer is None:
        return {}
    if not isinstance(answer, Mapping):
        raise InputError(f"expected the {name} callback to return a dict of changes or None, got "
                         f"{type(answer).__name__}", where=where)
    for key, value in answer.items():
        one_of(key, known, f"a change of the {name} callback", where)
        if key in ("fill", "stroke", "ink", "colour"):
            colour_of(value, key, where)
        elif key == "role":
            one_of(value, tuple(style.THEMES["light"]), "role", where)
        elif key == "width" and (isinstance(value, bool) or not isinstance(value, (int, float))
                                 or not 0 < value <= 40):
            raise InputError(f"expected a width in points, above 0, got {value!r}", where=where)
    return answer


def words(value: Any) -> Text:
    """A user's words as a label."""
    return (Run(clean(str(value), 60)),)


def change_glyph(glyph: Glyph, callback: NodeCallback, where: str) -> None:
    """Let a callback look at a glyph, and change it."""
    box = {"id": glyph.id, "text": plain(glyph.text), "title": glyph.title, "role": glyph.role,
           "note": plain(glyph.note), "step": None if glyph.node is None else glyph.node.step,
           "scope": glyph.scope}
    for key, value in changes(callback(glyph.node, box), NODE_CHANGES, "node", where).items():
        if key in ("text", "note"):
            setattr(glyph, key, words(value))
        elif key == "width":
            glyph.line = float(value)
        else:
            setattr(glyph, key, str(value) if key == "title" else value)
    if glyph.fill is not None and glyph.ink is None:
        glyph.ink = style.ink_on(glyph.fill)


def change_wire(wire: Wire, callback: NodeCallback, where: str) -> None:
    """Let a callback look at a wire (`node` is the operation that uses), and change it."""
    line = {"tail": wire.tail.id, "head": wire.head.id, "kind": wire.kind, "role": wire.role,
            "position": wire.position, "title": wire.title}
    for key, value in changes(callback(wire.node, line), EDGE_CHANGES, "edge", where).items():
        if key == "note":
            wire.note = words(value)
        else:
            setattr(wire, key, str(value) if key in ("title", "dash") else value)


# --- looks --------------------------------------------------------------------------------------


def painted(drawing: Drawing, palette: Mapping[str, str]) -> Drawing:
    """The drawing with the colours of some roles replaced."""
    def box(b: Box) -> Box:
        colour = palette.get(b.role)
        if colour is None or b.fill is not None:
            own = palette.get(b.fill or "")  # the dot of a rail
            return b if own is None else replace(b, fill=own, stroke=own)
        return replace(b, fill=colour, stroke=style.mix(colour, "#000000", 0.3),
                       ink=style.ink_on(colour))

    def line(n: Line) -> Line:
        return replace(n, colour=palette[n.role]) if n.colour is None and n.role in palette else n

    return replace(drawing, boxes=tuple(map(box, drawing.boxes)),
                   frames=tuple(map(box, drawing.frames)), lines=tuple(map(line, drawing.lines)))
