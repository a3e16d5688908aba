"""Options: what the drawing functions may be told, and what is said when it cannot be.

The question this file answers: *which steps, and how?*

Options that say what is drawn work on the scene, before anything has a place; those that say how it
looks work on the finished drawing. A wrong one is an error that lists the right ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from . import style
from .asked import colour_of, font_of, one_of, words_of
from .callbacks import NodeCallback, change_glyph, change_rail, change_taps, change_wire
from .layout import DIRECTIONS, LAYOUTS, place
from .levels import LEVELS, at_level
from .model import Box, Drawing, Label, Line, Strip
from .notes import add_notes
from .scene import Scene
from .window import EVERY, Window

SHOWN = ("names", "shapes", "values", "gradients", "parameters")


@dataclass(frozen=True, slots=True)
class Options:
    """What a view may be told besides the steps; see `draw.unrolled`. Every view takes the looks:
    palette, font and size."""

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
        collapse = words_of(self.collapse, "collapse", self.where)
        show = words_of(self.show, "show", self.where)
        for name in show:
            one_of(name, shown, "show", self.where)
        for name in collapse:
            if not isinstance(name, str) or not name:
                raise InputError(f"expected names of scopes to collapse, got {name!r}",
                                 where=self.where)
        roles = tuple(role for role in style.THEMES["light"] if role != "paper")
        if not isinstance(self.palette, Mapping | None):
            raise InputError("expected palette to be a dict of colours by role, got "
                             f"{type(self.palette).__name__}", where=self.where)
        for role, colour in (self.palette or {}).items():
            if role == "paper":
                raise InputError("the paper has no colour of its own in a palette",
                                 where=self.where, fix='theme="dark" is dark paper')
            one_of(role, roles, "a role in palette", self.where)
            colour_of(colour, f"palette[{role!r}]", self.where)
        if self.font is not None:
            font_of(self.font, self.where)
        if isinstance(self.size, bool) or not isinstance(self.size, (int, float)) \
                or not 0 < self.size <= 100:
            raise InputError("expected size to be a factor above 0, at most 100, 1 is normal, got "
                             f"{self.size!r}", where=self.where)
        for name, callback in (("node", self.node), ("edge", self.edge)):
            if callback is not None and not callable(callback):
                raise InputError(f"expected {name} to be a function (node, box) -> changes, "
                                 f"got {callback!r}", where=self.where)
        return replace(self, collapse=collapse, show=show)

    def without(self, name: str) -> Options:
        """The same, with one thing less beside what is drawn: the view shows that by itself."""
        return replace(self, show=[shown for shown in self.show if shown != name])

    def fitting(self, scene: Scene) -> None:
        """Raise `InputError` for a level of time where there is none."""
        if not scene.columns and self.level != "op":
            raise timeless(f"level={self.level!r}", self.where)

    def levelled(self, scene: Scene) -> Scene:
        """The scene with boxes for cells, layers or scopes."""
        return at_level(scene, self.level, self.collapse)

    def dressed(self, scene: Scene) -> Scene:
        """The scene with notes, and with what the callbacks change."""
        if list(self.show) != ["names"]:
            add_notes(scene, set(self.show))
        if self.node is not None:
            for rail in scene.rails:
                change_rail(rail, self.node, self.where)
            weights = {rail.glyph for rail in scene.rails}
            for glyph in dict.fromkeys([*scene.glyphs(), *scene.initial]):
                if glyph not in weights:
                    change_glyph(glyph, self.node, self.where)
        if self.edge is not None:
            for wire in scene.wires:
                change_wire(wire, self.edge, self.where)
            for rail in scene.rails:
                change_taps(rail, self.edge, self.where)
        return scene

    def placed(self, scene: Scene) -> Drawing:
        """The drawing of a scene that has its level: what else the options change in it, and where
        everything stands."""
        return place(self.dressed(scene), self.layout, self.direction)

    def finished(self, drawing: Drawing) -> Drawing:
        """The drawing in these colours, in this font and size."""
        if self.palette:
            drawing = painted(drawing, self.palette)
        return replace(drawing, font=self.font or "", size=float(self.size))


def window(where: str, first: Any = 3, last: Any = 3, steps: Any = None,
           every: bool = False) -> Window:
    """The steps in view: `every` one, unless there is a slice. Raises `InputError` for what is no
    number of steps, or leaves none."""
    for name, count in (("first", first), ("last", last)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InputError(f"expected {name} to be a number of steps, got {count!r}", where=where)
    if steps is None:
        if first + last == 0:
            raise InputError("first=0 and last=0 leave no step to draw", where=where)
        return Window(EVERY, 0) if every else Window(first, last)
    if not isinstance(steps, slice):
        raise InputError(f"expected steps to be a slice, got {steps!r}", where=where,
                         fix="steps=slice(10, 20) is steps 10 to 19")
    for bound in (steps.start, steps.stop, steps.step):
        if isinstance(bound, bool) or not isinstance(bound, int | None):
            raise InputError(f"expected a slice of whole numbers, got {steps!r}", where=where)
    if steps.step is not None and steps.step < 1:
        raise InputError(f"expected a slice that goes forward, got {steps!r}", where=where)
    return Window(first, last, steps)


def timeless(option: str, where: str) -> InputError:
    """What is said where an option means nothing without steps."""
    return InputError(f"the graph has no time steps, so {option} means nothing", where=where,
                      fix="Mark the steps: with tg.timestep(t): ...")


def painted(drawing: Drawing, palette: Mapping[str, str]) -> Drawing:
    """The drawing with the colours of some roles replaced."""
    def box(b: Box) -> Box:
        colour = palette.get(b.role)
        if colour is None or b.fill is not None:
            own = palette.get(b.fill or "")  # the dot of a rail
            return b if own is None else b._replace(fill=own, stroke=own)
        return b._replace(fill=colour, stroke=style.mix(colour, "#000000", 0.3),
                          ink=style.ink_on(colour))

    def line(n: Line) -> Line:
        return n._replace(colour=palette[n.role]) if n.colour is None and n.role in palette else n

    def label(n: Label) -> Label:
        return n._replace(ink=palette[n.role]) if n.role in palette else n

    def strip(s: Strip) -> Strip:
        cells = (cell._replace(paint=palette.get(cell.paint, cell.paint)) for cell in s.cells)
        return s._replace(cells=tuple(cells))

    return replace(drawing, boxes=tuple(map(box, drawing.boxes)),
                   frames=tuple(map(box, drawing.frames)), lines=tuple(map(line, drawing.lines)),
                   labels=tuple(map(label, drawing.labels)),
                   strips=tuple(map(strip, drawing.strips)))
