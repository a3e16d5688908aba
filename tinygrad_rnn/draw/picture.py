"""A picture: what the drawing functions return. It shows itself in a notebook and saves itself.

The question this file answers: *what can I do with a drawing?*
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import render, style
from .asked import one_of
from .dot import dot
from .html import html
from .json import json
from .model import Drawing
from .paper import printed
from .sketch import fitted, sketch
from .svg import svg

SUFFIXES = (".svg", ".dot", ".gv", ".html", ".json", ".txt", ".png", ".pdf")


class Picture:
    """A drawing with the ways out of it.

    `theme` is "light", "dark", "print" (greys), or "auto": light in files, and following the
    reader's setting in notebooks and on pages. The same program gives the same bytes in every
    format but PNG and PDF, which are the renderer's. Where a view has a sketch of its own, it gives
    the `lines`.
    """

    def __init__(self, drawing: Drawing, theme: str = "auto", lines: Sequence[str] = ()) -> None:
        one_of(theme, (*style.THEMES, "auto"), "theme", "a picture")
        self.drawing = printed(drawing) if theme == "print" else drawing
        self.theme, self.lines = theme, list(lines)

    def __repr__(self) -> str:
        d = self.drawing
        size = f"{d.width:.0f} x {d.height:.0f} points"
        return f"<picture {d.title!r}, {size}: .save(path), or show it in a notebook>"

    @property
    def fixed(self) -> str:
        """The theme for formats that cannot follow the reader."""
        return "light" if self.theme == "auto" else self.theme

    def svg(self) -> str:
        """The picture as SVG text, with nothing outside it needed."""
        return svg(self.drawing, self.fixed)

    def dot(self) -> str:
        """The picture as DOT text, every position given: `dot -Tpdf` draws it as placed."""
        return dot(self.drawing, self.fixed)

    def html(self) -> str:
        """The picture as a page of its own."""
        return html(self.drawing, self.theme)

    def json(self) -> str:
        """The picture as data: everything on it, its place and the part it plays."""
        return json(self.drawing)

    def text(self, width: int | None = None) -> str:
        """The picture as a sketch in Unicode characters, for the terminal. It is as wide as it has
        to be; lines longer than `width` are cut, and then it says so. Raises `InputError` for a
        width that is no whole number of characters, at least 1."""
        return fitted(self.lines, width) if self.lines else sketch(self.drawing, width)

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def to_graphviz(self) -> Any:
        """A `graphviz.Source` of the same picture."""
        import graphviz

        return graphviz.Source(self.dot(), engine="neato")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        inline = svg(self.drawing, self.theme)
        return {
            "text/html": f'<div style="overflow-x:auto">{inline}</div>',
            "image/svg+xml": inline,
            "text/plain": repr(self),
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture; the suffix says how: .svg, .html, .dot, .json and .txt (the sketch)
        need nothing, .png and .pdf a renderer.

        A file is written whole or not at all. For .png and .pdf the .dot file is written first,
        beside it. Returns the path. Raises `InputError` for another suffix or a folder that cannot
        be written to, and `RenderError` (which names three ways out) where no renderer is found.
        """
        target = render.named(path, SUFFIXES)
        suffix = target.suffix.lower()
        writers: dict[str, Callable[[], str]] = {
            ".svg": self.svg, ".html": self.html, ".dot": self.dot, ".gv": self.dot,
            ".json": self.json, ".txt": self.text}
        if suffix in writers:
            render.write(target, writers[suffix]().encode())
            return target
        render.write(target.with_suffix(".dot"), self.dot().encode())
        render.write(target, render.render(self.dot(), suffix[1:]))
        return target
