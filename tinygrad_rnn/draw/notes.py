"""Notes: shapes, values and gradients beside what is drawn.

The question this file answers: *what can stand beside a variable?*
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.graph import Node, leaf
from ..core.parts import norm
from . import wording
from .labels import Run, Text, number, roman
from .scene import Glyph, Scene


def add_notes(scene: Scene, show: set[str]) -> None:
    """Shapes, values and gradients beside their variables; sizes of parameters at their boxes."""
    rails = {rail.glyph: rail for rail in scene.rails}
    for glyph in dict.fromkeys([*scene.glyphs(), *scene.initial, *scene.totals]):
        node = glyph.node
        if glyph.weights and "parameters" in show:
            glyph.note = listed(glyph.note, [counted(glyph.weights)])
        if node is None or glyph.role in ("op", "function", "cell"):
            continue
        words = said(glyph, node, show)
        if "names" not in show and glyph.role not in ("total", "gap"):
            glyph.text = ()
        if glyph in rails:
            if "parameters" in show and not is_parameter(node):
                words.append("no parameter")
            rails[glyph].note = listed(rails[glyph].note, words)
        else:
            glyph.note = listed(glyph.note, words)


def listed(there: Text, words: list[str]) -> Text:
    """Words with commas between them, before those that stand there already."""
    said = [*(roman(word) for word in words), *([there] if there else [])]
    return tuple(run for i, text in enumerate(said) for run in (*([Run(", ")] if i else []), *text))


def said(glyph: Glyph, node: Node, show: set[str]) -> list[str]:
    """What is said of one variable, or of a sequence of them."""
    words = []
    values = [x.value for x in glyph.steps or (node,)]
    if "shapes" in show and not ("parameters" in show and np.ndim(node.value) == 1
                                 and is_parameter(node)):  # of a vector one number says both
        alone = wording.shape(node.value)
        words.append(f"{len(values)} × ({alone})" if glyph.steps else alone)
    if "values" in show:
        words.append(sized(values, "‖·‖"))
    grads: list[Any] = [getattr(x, "grad", None) for x in glyph.steps or (node,)]
    if "gradients" in show and all(g is not None for g in grads):
        words.append(("" if np.ndim(grads[0]) or glyph.steps else "∂ = ") + sized(grads, "‖∂‖"))
    if "parameters" in show and is_parameter(node):
        words.append(counted((node,)))
    return words


def is_parameter(node: Node) -> bool:
    """Whether a node is something that is learned."""
    return node.op is leaf and node.requires_grad


def counted(weights: Sequence[Node]) -> str:
    """How many numbers some parameters have."""
    count = sum(int(np.size(x.value)) for x in weights if is_parameter(x))
    return "1 parameter" if count == 1 else f"{count:,} parameters"


def sized(values: Sequence[Any], sign: str) -> str:
    """A number as it is; an array, and a sequence, by its norm."""
    if len(values) == 1 and np.ndim(values[0]) == 0:
        return number(values[0])
    return f"{sign} = {number(math.hypot(*(norm(np.asarray(x, float)) for x in values)))}"
