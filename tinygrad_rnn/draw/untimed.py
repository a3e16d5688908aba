"""Reading a graph without time: from its inputs to its result, or its two ends if it is long.

The question this file answers: *what is drawn of a graph that has no steps?*
"""

from __future__ import annotations

from ..core import walk
from ..core.graph import Node
from . import glyphs
from .parts import assign_roles
from .reading import Reader
from .scene import Glyph, Scene, Wire
from .survey import Survey

END = 8  # how many operations are shown at either end of a long graph


def read_untimed(found: Survey, most: int, title: str) -> Scene:
    """The scene of a graph without time; of a long one, the first and the last operations."""
    reader = Reader(found)
    skip = {*found.shown, *found.slices}
    nodes = [node for node in found.computed if node not in skip]
    shown = nodes
    if len(nodes) > most:
        shown = [*nodes[:END], *nodes[-END:]]
    for i, node in enumerate(shown):
        if i == END and len(nodes) > most:
            reader.gap = close_gap(reader, nodes[END:-END], nodes[-END:])
        reader.add(node)
    if not nodes:
        reader.given_glyph(found.root, found.root, None)
    scene = Scene(title, [], around=reader.around, wires=reader.wires)
    assign_roles(scene)
    return scene


def close_gap(reader: Reader, hidden: list[Node], after: list[Node]) -> Glyph:
    """The glyph for the hidden operations, with a wire from everything visible that they use. It
    counts the inputs that only they use too."""
    used: dict[Node, None] = {}
    for node in hidden:
        for _, x in walk.parents(node):
            used[reader.found.source(x)] = None
    inputs = {x for x in used if reader.found.given(x) and x not in reader.value}
    for node in after:
        inputs -= {reader.found.source(x) for _, x in walk.parents(node)}
    gap = glyphs.hidden_glyph(len(hidden), len(inputs), reader.names)
    reader.around.append(gap)
    reader.wires += [Wire(reader.value[x], gap, "inner") for x in used
                     if x in reader.value]
    return gap
