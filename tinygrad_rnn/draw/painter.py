"""The painter: from the part that a thing plays to the attributes of its SVG element.

The question this file answers: *which colour is it, on light paper and on dark?*

With `theme="auto"` the colours follow the reader's light or dark setting: every element says its
light colour, for viewers that know no style sheets, and under which name the sheet has the dark
one.
"""

from __future__ import annotations

from collections.abc import Hashable
from html import escape

from . import style
from .labels import decimals as f

STEPS = 40  # so many colours of a scale are told apart where the paper is the reader's choice


class Painter:
    """Looks up colours, each once; with two themes it also collects the style rules for the dark
    one."""

    def __init__(self, theme: str) -> None:
        self.auto = theme == "auto"
        self.theme = "light" if self.auto else theme
        self.table = style.THEMES[self.theme]
        self.used: dict[str, str] = {}  # the names of colours, and what they are on dark paper
        self.known: dict[tuple[str, str, str, Hashable], str] = {}
        self.shapes: dict[tuple[str, Hashable, Hashable, float, bool], str] = {}
        self.pens: dict[tuple[str, Hashable, float, str], tuple[str, str]] = {}

    def fill(self, role: str, own: str | None = None) -> str:
        """The attributes for the inside of a shape. `own` is a colour, or a role whose line colour
        it is."""
        return self.paint("fill", role, "fill", own)

    def stroke(self, role: str, own: str | None = None) -> str:
        """The attributes for an outline."""
        return self.paint("stroke", role, "stroke", own)

    def ink(self, role: str, own: str | None = None) -> str:
        """The attributes for text."""
        return self.paint("fill", role, "ink", own)

    def shape(self, role: str, fill: str | None, stroke: str | None, width: float,
              dashed: bool) -> str:
        """The attributes of a shape: inside and outline."""
        key = role, told_apart(fill), told_apart(stroke), width, dashed
        found = self.shapes.get(key)
        if found is None:
            found = f'{self.fill(role, fill)} {self.stroke(role, stroke)} stroke-width="{f(width)}"'
            found += f' stroke-dasharray="{style.DASHED}"' if dashed else ""
            self.shapes[key] = found
        return found

    def pen(self, role: str, colour: str | None, width: float, dash: str) -> tuple[str, str]:
        """The attributes of a line, and those of its arrow head."""
        key = role, told_apart(colour), width, dash
        found = self.pens.get(key)
        if found is None:
            stroke = self.stroke(role, colour)
            look = f'fill="none" {stroke} stroke-width="{f(width)}"'
            look += f' stroke-dasharray="{escape(dash)}"' if dash else ""
            found = self.pens[key] = look, stroke.replace("stroke=", "fill=")
        return found

    def paint(self, attribute: str, role: str, part: str, own: str | None) -> str:
        """An attribute with its colour."""
        key = attribute, role, part, told_apart(own)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.look_up(attribute, role, part, own)
        return found

    def look_up(self, attribute: str, role: str, part: str, own: str | None) -> str:
        """The same."""
        if isinstance(own, style.Shade) and self.auto:
            name, near = stepped(own)
            return self.named(attribute, str(own), f"{name}.{own.part}", near.on("dark"))
        own = own.on(self.theme) if isinstance(own, style.Shade) else own
        if own is not None and own.startswith("#"):
            return f'{attribute}="{escape(own)}"'
        if own is not None:
            role, part = own, "stroke"
        colour = getattr(self.table[role], part)
        if colour == "none":
            return f'{attribute}="none"'
        return self.named(attribute, colour, f"{role.replace(' ', '-')}.{part}",
                          getattr(style.THEMES["dark"][role], part))

    def named(self, attribute: str, colour: str, name: str, dark: str) -> str:
        """An attribute with its colour, and with its name where there is one on dark paper too."""
        if not self.auto:
            return f'{attribute}="{colour}"'
        self.used[name] = dark
        return f'{attribute}="{colour}" data-{attribute}="{name}"'

    def rules(self, under: str = "") -> str:
        """The rules for dark paper, each for what stands `under` a selector."""
        return "".join(f'{under}[data-{attribute}="{name}"]{{{attribute}:{dark}}}'
                       for name, dark in sorted(self.used.items())
                       for attribute in ("fill", "stroke"))

    def sheet(self) -> str:
        """The style sheet that follows the reader's setting."""
        if not self.auto:
            return ""
        return f"<style>@media(prefers-color-scheme:dark){{{self.rules()}}}</style>"


class Marker:
    """Colours behind the words of a page: each is a class, and the sheet has its rules."""

    def __init__(self, theme: str) -> None:
        self.theme = theme
        self.looks: dict[str, str] = {}  # the names of classes, and what they mean

    def mark(self, paint: str) -> str:
        """The class of words on a shade, or on the colour of a role."""
        name, look = stepped(paint) if isinstance(paint, style.Shade) else (paint, paint)
        self.looks[name] = look
        return name

    def rules(self, paper: str) -> str:
        """The rules for one kind of paper."""
        found = []
        for name, paint in sorted(self.looks.items()):
            if isinstance(paint, style.Shade):
                behind, ink, more = paint.on(paper), paint.its("ink").on(paper), ""
            else:
                behind, edge, ink = style.THEMES[paper][paint]
                kind = "dashed" if style.broken(paint, paper) else "solid"
                more = f";outline:1px {kind} {edge};outline-offset:-1px"
            found.append(f".{name}{{background:{behind};color:{ink}{more}}}\n")
        return "".join(found)

    def sheet(self) -> str:
        """All rules."""
        if self.theme != "auto":
            return self.rules(self.theme)
        dark = self.rules("dark")
        return f"\n{self.rules('light')}@media (prefers-color-scheme: dark) {{\n{dark}}}"


def told_apart(own: str | None) -> Hashable:
    """What tells a colour from those that are the same on light paper only."""
    return (own.scale, own.level, own.part) if isinstance(own, style.Shade) else own


def stepped(shade: style.Shade) -> tuple[str, style.Shade]:
    """The nearest of the steps of a scale, and its name."""
    k = round(shade.level * STEPS)
    return f"{shade.scale}-{k}", style.Shade(shade.scale, k / STEPS, shade.part)
