"""HTML: one self-contained page around a drawing.

The question this file answers: *how do I show the drawing to somebody who has only a browser?*
"""

from __future__ import annotations

from . import style
from .model import Drawing
from .svg import svg, xml

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; padding: 16px; font-family: {font}; background: {paper}; color: {ink} }}
figure {{ margin: 0; overflow-x: auto }}
{dark}
</style>
</head>
<body>
{body}</body>
</html>
"""
DARK = "@media (prefers-color-scheme: dark) {{ body {{ background: {paper}; color: {ink} }} }}"


def html(drawing: Drawing, theme: str = "auto") -> str:
    """A whole page; with `theme="auto"` it follows the reader's light or dark setting."""
    return page(drawing.title, f"<figure>\n{svg(drawing, theme)}</figure>\n", theme)


def page(title: str, body: str, theme: str, rules: str = "") -> str:
    """A page around what stands in its body; `rules` are further ones of its style sheet."""
    paper = style.THEMES["dark" if theme == "dark" else "light"]["paper"]
    night = style.THEMES["dark"]["paper"]
    return PAGE.format(
        title=xml(title),
        font=style.FONT,
        paper=paper.fill,
        ink=paper.ink,
        dark=(DARK.format(paper=night.fill, ink=night.ink) if theme == "auto" else "") + rules,
        body=body,
    )
