"""Time that runs downwards: the time grid, turned by a quarter, and its words set anew.

The question this file answers: *what if a page is high and narrow?*

Everything is laid out as if time ran to the right, with the width and height of each box exchanged
and without words; then the paper is turned clockwise. The first step is on top, inputs are on the
left and losses on the right, and a weight's rail comes down on the left. If a word finds no place
after the turn, the rows stand further apart; and if a wire finds none, the columns too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from . import style
from .labels import width
from .model import Drawing
from .noting import parted
from .scene import Glyph, Rail, Scene, Wire
from .template import BETWEEN, Room
from .timegrid import HOPELESS, TimeGrid
from .turned import Turned

TRIES = 4  # how often things are moved apart
MORE, ASIDE = 36.0, 12.0  # how far: rows for words, rows and columns for wires


def draw_down(scene: Scene) -> Drawing:
    """The drawing of a scene with time, which runs downwards."""
    bare, twins = without_words(scene)
    papers: list[Turned] = []
    words = wires = 0  # how often some found no place
    for _ in range(TRIES):
        paper = Turned(scene, TimeGrid(bare, room_for(scene, words, wires)), twins)
        papers.append(paper)
        if not paper.all_crowded or paper.grid.crowded > HOPELESS:
            break
        words, wires = words + (paper.crowded > 0), wires + (paper.grid.crowded > 0)
    return min(papers, key=lambda paper: (paper.all_crowded, paper.grid.crowded)).drawing()


def without_words(scene: Scene) -> tuple[Scene, dict[Glyph, Glyph]]:
    """The scene as it is laid out: its boxes lie on their side, and nothing is said beside them.
    Also which glyph stands for which."""
    twins = {glyph: replace(glyph, note=(), turned=True) for glyph in scene.glyphs()}

    def wire(w: Wire) -> Wire:
        return replace(w, tail=twins[w.tail], head=twins[w.head], arrives=(),
                       note=w.note if w.delay else ())

    def several(glyphs: Iterable[Glyph]) -> list[Glyph]:
        return [twins[glyph] for glyph in glyphs]

    rails = [Rail(twins[rail.glyph], rail.role, [wire(w) for w in rail.taps], stage=rail.stage)
             for rail in scene.rails]
    columns = [replace(c, glyphs=several(c.glyphs), lines=(), title=()) for c in scene.columns]
    bare = replace(scene, columns=columns, rails=rails, initial=several(scene.initial),
                   around=several(scene.around), totals=several(scene.totals),
                   wires=[wire(w) for w in scene.wires], caption=())
    return bare, twins


def room_for(scene: Scene, words: int, wires: int) -> Room:
    """How far apart things stand: rails so that the words at their weights and taps fit between
    them, rows and columns further whenever `words` or `wires` have found no place."""
    wide = [rail.glyph.size()[0] + 8 for rail in scene.rails]
    wide += [width(line, style.SMALL) + 10 for rail in scene.rails for line in parted(rail.note)]
    wide += [width(note, style.SMALL) + 18 for rail in scene.rails
             for note in (*rail.step_notes.values(), rail.gap_note) if note]
    between = 26.0 if any(wire.note for wire in scene.wires) else BETWEEN
    return Room(rail=max([style.OP, *wide]), between=between + MORE / 2 * words,
                column=style.GAP_X + ASIDE * wires,
                row=style.GAP_Y + MORE * words + ASIDE * wires, before=44.0)
