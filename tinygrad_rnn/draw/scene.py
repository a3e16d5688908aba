"""A scene: what will be drawn and how it hangs together, before anything has a place.

The question this file answers: *which parts does the picture have?*

A computed node with a name becomes two glyphs, as on paper: the op, and the variable it gives.
Wires are the uses. What a view wants to say about them (sizes of gradients, numbers) is written
onto the scene; the layout reads it and knows nothing of gradients.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ..core.graph import Node
from . import style
from .labels import Text, width


@dataclass(slots=True, eq=False)
class Glyph:
    """One thing with an outline. `key` names its place within a step, the same at every step;
    `when` is the column it stands in, None outside of time. Where a whole layer is one box, it has
    its `weights`; where a sequence is, its `steps`. An input that is read at several steps has an
    `age`: how many steps it is older than the one where it stands; and a first state of what reads
    from the end, how many it is older than the last one (below 0). A mask `passes` what has this
    key, or puts what was there before, or a number, in its place."""

    id: str
    text: Text
    role: str
    shape: str = "circle"
    node: Node | None = None
    when: int | None = None
    key: Hashable = None
    scope: str = ""
    title: str = ""
    note: Text = ()
    dashed: bool = False
    fill: str | None = None
    stroke: str | None = None
    ink: str | None = None
    line: float = 1.2
    turned: bool = False  # on its side: its words run upwards, until the paper is turned
    weights: tuple[Node, ...] = ()
    steps: tuple[Node, ...] = ()
    age: int | None = None
    passes: Hashable = None
    least: float = 0.0  # the least width of a cell, so that all its weights come in from below

    @property
    def backward(self) -> bool:
        """Whether it stands for what a backward pass made."""
        return self.node is not None and self.node.phase == "backward"

    def size(self) -> tuple[float, float]:
        """Width and height: the least there is, or what the text needs."""
        wide = width(self.text, style.TEXT)
        if self.turned and self.role == "cell" and self.key is not None and self.when is not None:
            return max(self.least, style.CELL[0]), max(wide + 24, style.CELL[1])
        w, h = self.upright(wide)
        return (h, w) if self.turned else (w, h)

    def upright(self, wide: float) -> tuple[float, float]:
        """Width and height for words of a width."""
        if self.role == "cell" and self.key is not None and self.when is not None:
            return max(wide + 24, style.CELL[0], self.least), style.CELL[1]
        if self.shape == "circle":
            least = style.OP if self.role in ("op", "backward") else style.VAR
            if wide <= least - 6:
                return least, least
            self.shape = "round"
        return max(wide + 14, style.PILL + 8), style.PILL


@dataclass(slots=True, eq=False)
class Wire:
    """One use: operand `position` of `node`. `kind` is where it runs: "inner" (a step), "carried"
    (from step to step), "handed" (from stage to stage), "fed" (an output that is read again),
    "late" (an input that another step reads too), "needed" (by a backward pass, of another step),
    "delay" and "final" (rolled up: from step to step, and from one end of time to the other), "tap"
    (from a rail), "term" (to a total), "result" (from an op to its variable), "free" (anything
    else)."""

    tail: Glyph
    head: Glyph
    kind: str
    node: Node | None = None
    position: int = 0
    role: str = "line"
    title: str = ""
    note: Text = ()
    arrives: Text = ()  # what is said at its tail, where a gradient ends; or which steps leave it
    backwards: bool = False
    colour: str | None = None
    width: float = 1.2
    dash: str = ""
    delay: int = 0  # of a rolled graph: how many steps the operand is older
    also: tuple[tuple[int, Text], ...] = ()  # how many at other steps, and at which
    several: list[Wire] | None = None  # where a box stands for operations: those drawn as one

    @property
    def hands_over(self) -> bool:
        """Whether it leads on to another stage, and no gradient back: what is said of it are the
        steps that it joins, each at its own end."""
        return self.kind == "handed" and not self.backwards

    @property
    def lags(self) -> tuple[tuple[int, Text], ...]:
        """How many steps the operand is older, and at which steps; nothing, if it is not."""
        return ((self.delay, self.note), *self.also) if self.delay else ()

    def parts(self) -> list[Wire]:
        """The uses that it stands for, one by one."""
        return self.several or [self]


@dataclass(slots=True, eq=False)
class Rail:
    """What all steps share, drawn once: its glyph, and a tap for every use in a step. `step_notes`
    holds what is said of a step, once, however many taps it has."""

    glyph: Glyph
    role: str
    taps: list[Wire] = field(default_factory=list)
    step_notes: dict[int | None, Text] = field(default_factory=dict)  # by `when`
    stage: int = 0
    note: Text = ()
    gap_note: Text = ()

    @property
    def computed(self) -> bool:
        """Whether what it shares was computed: before the first step, or by an earlier stage."""
        return self.glyph.node is not None and bool(self.glyph.node.op.rules)


@dataclass(slots=True, eq=False)
class Column:
    """One time step of the picture, or a gap that stands for many (`hidden`: first and last).

    `stage` is the part of time it belongs to (an encoder's steps, a decoder's), `part` its name,
    and `when` its place in the whole of time: the step, if there is one stage only.
    """

    step: int | None
    glyphs: list[Glyph] = field(default_factory=list)
    hidden: tuple[int, int] | None = None
    count: int = 0
    lines: tuple[Text, ...] = ()
    stage: int = 0
    when: int | None = None
    part: str = ""
    title: Text = ()

    def __post_init__(self) -> None:
        if self.when is None:
            self.when = self.step


@dataclass(slots=True, eq=False)
class Scene:
    """All of it. `steps` are all that there are, in view or not; `initial` are states from before
    the first step, `around` what has no step at all."""

    title: str
    columns: list[Column]
    steps: list[int] = field(default_factory=list)
    rails: list[Rail] = field(default_factory=list)
    initial: list[Glyph] = field(default_factory=list)
    around: list[Glyph] = field(default_factory=list)
    totals: list[Glyph] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    caption: Text = ()
    backwards: bool = False

    def stages(self) -> list[int]:
        """The stages, in order."""
        return sorted({column.stage for column in self.columns})

    def part(self, stage: int) -> Scene:
        """What belongs to one stage: its columns, its rails, and the wires that touch them."""
        columns = [column for column in self.columns if column.stage == stage]
        inside = {glyph for column in columns for glyph in column.glyphs}
        wires = [w for w in self.wires if w.tail in inside or w.head in inside]
        initial = {w.tail for w in wires} & set(self.initial)
        return Scene(self.title, columns, self.steps,
                     [rail for rail in self.rails if rail.stage == stage],
                     [glyph for glyph in self.initial if glyph in initial], [], [], wires,
                     backwards=self.backwards)

    def uses(self) -> list[Wire]:
        """Every wire, the taps of rails too."""
        return [*self.wires, *(tap for rail in self.rails for tap in rail.taps)]

    def glyphs(self) -> list[Glyph]:
        """Every glyph, in a fixed order."""
        return [
            *(rail.glyph for rail in self.rails),
            *self.initial,
            *(glyph for column in self.columns for glyph in column.glyphs),
            *self.around,
        ]
