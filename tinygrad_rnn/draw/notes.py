"""Notes: shapes, values and gradients beside what is drawn.

The question this file answers: *what can stand beside a variable?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.graph import Node
from . import wording
from .labels import Text, number, roman
from .scene import Scene


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
