"""The player: one self-contained page that steps through a gradient flow, forward and backward.

The question this file answers: *what happens, one operation after the other, and when?*

The page holds drawings of the graph (`views`: unfolded, folded, rolled up), the film (`moments`) as
data, and the program that shows it (`player_*.js`). It loads nothing from anywhere, and its state
is in the address, so that a link leads to a moment.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..bptt.flow import GradientFlow, opened
from ..errors import InputError
from . import render, style
from .asked import not_released, one_of, options_of
from .labels import decimals as f
from .model import Drawing
from .painter import Painter
from .script import Data, Script
from .survey import survey
from .svg import elements, xml
from .views import views_of
from .window import Window

PARTS = ("player.html", "player.css", "player_numbers.js", "player_picture.js", "player_words.js",
         "player_hands.js")
MOST_NODES = 1_500  # operations in a film; of a longer sequence the first and last steps are shown

NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|Infinity|NaN')  # and words, so that they are passed
NUMBERS = {"Infinity": "1e999", "NaN": "null"}


@options_of
def player(flow: Any, first: int | None = None, last: int | None = None, *,
           theme: str = "auto") -> Page:
    """A page that plays a gradient flow: step forward and backward through the computation.

    At each moment it shows the operation, its rule with the numbers in it, what arrives and what
    leaves, and the ledger of a weight (or of any other node) as far as it has come. Time can be
    folded and unfolded, and the terms of the loss switched on and off. With the unfolded view the
    `first` and `last` steps are shown, by default all, or 4 at either end of a sequence that is too
    long. `theme` is "light", "dark" or "auto", which is the reader's setting. Hooks on nodes run
    again while the page is made. Raises `InputError` if `flow` is no gradient flow.
    """
    if not isinstance(flow, GradientFlow):
        raise InputError(f"expected a gradient flow, got {type(flow).__name__}",
                         where="draw.player()", fix="flow = tg.gradient_flow(loss)")
    one_of(theme, ("light", "dark", "auto"), "theme", "draw.player()")
    not_released(flow.root, "draw.player()")
    flow = opened(flow)
    found = survey(flow.root, Window(0, 0))
    T = len(found.steps)
    if first is None and last is None:
        short = sum(1 for n in found.nodes if n.op.rules) <= MOST_NODES
        first, last = (max(T, 1), 0) if short else (4, 4)
    views = views_of(flow.root, 0 if first is None else first, 0 if last is None else last)
    return Page(Script(flow, views).data(), [view.drawing for view in views], theme)


class Page:
    """A page of its own. `save("bptt.html")` writes it, whole or not at all."""

    def __init__(self, data: Data, drawings: Sequence[Drawing], theme: str) -> None:
        self.data, self.drawings, self.theme = data, drawings, theme

    def __repr__(self) -> str:
        return (f"<player of {self.data['title']!r}, {len(self.data['moments'])} moments: "
                ".save(path), or show it in a notebook>")

    def html(self) -> str:
        """The page as text."""
        files = importlib.resources.files(__package__)
        page, css, *scripts = (files.joinpath(name).read_text("utf-8") for name in PARTS)
        paint = Painter("auto")
        templates = [f'<template data-view="{i}">{framed_svg(d, paint)}</template>'
                     for i, d in enumerate(self.drawings)]
        marks = {
            "title": xml(self.data["title"]),
            "wrong": f'<p id="wrong">{xml(self.data["wrong"])}</p>' if self.data["wrong"] else "",
            "theme": self.theme,
            "css": css + theme_rules(paint),
            "drawings": "\n".join(templates),
            "data": in_script(self.data),
            "js": "\n".join(scripts),
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda found: marks[found[1]], page)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; the name must end in .html. Returns the path."""
        target = render.named(path, (".html",), "The player is a page: it moves")
        render.write(target, self.html().encode())
        return target

    def _repr_html_(self) -> str:
        return (f'<iframe title="{xml(self.data["title"])}" style="width:100%;height:720px;'
                f'border:1px solid #8888" srcdoc="{escape(self.html())}"></iframe>')


def in_script(data: Data) -> str:
    """Data as JSON that nothing in it can end: no `<`, no line separators of JavaScript."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    text = NO_NUMBER.sub(lambda found: NUMBERS.get(found[0], found[0]), text)
    return text.replace("<", "\\u003c")


def framed_svg(drawing: Drawing, paint: Painter) -> str:
    """The drawing as an element that can be focused and scrolled."""
    box = f"{f(drawing.left)} {f(drawing.top)} {f(drawing.width)} {f(drawing.height)}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{f(drawing.width)}" '
            f'height="{f(drawing.height)}" viewBox="{box}" font-family="{escape(style.FONT)}" '
            f'role="img" aria-label="{xml(drawing.title)}">'
            + "\n".join(elements(drawing, paint)) + "</svg>")


def theme_rules(paint: Painter) -> str:
    """The colours of the page by role, in both themes; the button changes `data-theme`."""
    names = {"paper": "fill", "frame": "fill", "text": "ink", "quiet": "ink", "state": "stroke"}
    rules = []
    for theme, table in style.THEMES.items():
        if theme in ("light", "dark"):
            own = "".join(f"--{role}:{getattr(table[role], part)};" for role, part in names.items())
            rules.append(f"html[data-theme={theme}]{{{own}color-scheme:{theme}}}")
    return "\n".join([*rules, paint.rules("html[data-theme=dark] ")])
