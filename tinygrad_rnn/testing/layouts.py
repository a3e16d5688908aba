"""How the arrays of somebody's program lie, and the same numbers in one layout of our own.

The question this file answers: *which axis is which, and which rows belong to which gate?*

Time or batch first, a matrix or its transpose, one matrix for [x, h], one for every gate, gates in
any order: a `Fit` says which, and carries arrays from their layout to ours and gradients back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import heads
from .fingerprints import Arrays, Cell, Trace, forward
from .heads import Term

# G rows of all gates, X = I + H columns of one matrix for [x, h], 1 an axis of length 1
LAYOUTS = {
    "x": ("TBI", "BTI", "TI", "TI1", "T1I"), "Wx": ("GI", "IG"), "Wh": ("GH", "HG"),
    "W": ("GX", "XG"), "bx": ("G", "1G", "G1"), "bh": ("G", "1G", "G1"),
    "h0": ("BH", "H", "1BH", "HB", "H1"), "c0": ("BH", "H", "1BH", "HB", "H1"),
    "Wy": ("OH", "HO"), "by": ("O", "1O", "O1"), "target": ("",)}


class Slot(NamedTuple):
    """A role, the arrays that play it (one, or one for every gate), and how they lie."""

    role: str
    names: tuple[str, ...]
    layout: str
    x_first: bool = True


@dataclass
class Fit:
    """A reading of the program that computes what the program computes."""

    cell: Cell
    slots: list[Slot]
    order: tuple[int, ...]   # where each gate of ours is among theirs
    sizes: dict[str, int]    # by letter: T, B, I, H, O
    x: Any                   # the inputs, if nobody differentiates by them
    terms: list[Term]

    def name_of(self, role: str) -> str:
        """How the program calls what plays this role."""
        combined = "W" if role in ("Wx", "Wh") else role
        return next((s.names[0] for s in self.slots if s.role in (role, combined)), role)

    def parameters(self, arrays: Arrays) -> Arrays:
        """The arrays as `fingerprints` wants them."""
        return canonical(self.slots, self.order, self.sizes, self.x, arrays)

    def theirs(self, d: Arrays, arrays: Arrays) -> Arrays:
        """Gradients by `fingerprints` in the names and layouts of the program."""
        found, G = dict[str, Any](), len(self.order)
        for slot in self.slots:
            if slot.role == "target":
                continue
            g = d["Wx"] if slot.role == "W" else d[slot.role]
            if slot.role == "W":
                g = np.hstack([d["Wx"], d["Wh"]] if slot.x_first else [d["Wh"], d["Wx"]])
            if slot.role in ("Wx", "Wh", "W", "bx", "bh"):
                blocks = np.split(g, G)
                g = np.concatenate([blocks[self.order.index(i)] for i in range(G)])
            for name, piece in zip(slot.names, np.split(g, len(slot.names))):
                axes = axes_of(slot.role)
                for axis in reversed(range(len(axes))):
                    if axes[axis] not in slot.layout:  # one for the whole batch
                        piece, axes = piece.sum(axis), axes[:axis] + axes[axis + 1:]
                wanted = slot.layout.replace("1", "")
                piece = piece.transpose([axes.index(a) for a in wanted])
                found[name] = piece.reshape(arrays[name].shape)
        return found


def axes_of(role: str) -> str:
    """The axes of an array in our own layout."""
    return LAYOUTS[role][0]


def canonical(slots: list[Slot], order: tuple[int, ...], sizes: dict[str, int], x: Any,
              arrays: Arrays) -> Arrays:
    """The arrays in our layout, with zeros for biases and states that the program does not have."""
    G, H, B = len(order), sizes["H"], sizes["B"]
    p = {"x": x, "bx": np.zeros(G * H), "bh": np.zeros(G * H), "h0": np.zeros((B, H)),
         "c0": np.zeros((B, H))}
    for slot in slots:
        if slot.role == "target":
            continue
        pieces = []
        for name in slot.names:
            piece, axes = arrays[name], slot.layout
            piece = piece.reshape([n for n, a in zip(piece.shape, axes) if a != "1"])
            axes = axes.replace("1", "")
            wanted = axes_of(slot.role)
            piece = piece.transpose([axes.index(a) for a in wanted if a in axes])
            for i, a in enumerate(wanted):
                if a not in axes:
                    piece = np.repeat(np.expand_dims(piece, i), sizes[a], axis=i)
            pieces.append(piece)
        p[slot.role] = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
    for role in [r for r in ("Wx", "Wh", "W", "bx", "bh") if r in p]:
        blocks = np.split(p[role], G)
        p[role] = np.concatenate([blocks[i] for i in order])
    if "W" in p:
        first = next(s for s in slots if s.role == "W").x_first
        W, at = p.pop("W"), sizes["I"] if first else H
        p["Wx"], p["Wh"] = (W[:, :at], W[:, at:]) if first else (W[:, at:], W[:, :at])
    if "Wy" in p:
        p.setdefault("by", np.zeros(len(p["Wy"])))
    return p


def total_of(fit: Fit, arrays: Arrays) -> float:
    """What the reading gives there."""
    p = fit.parameters(arrays)
    with np.errstate(all="ignore"):
        return heads.total(fit.terms, heads.quantities(forward(fit.cell, p), p))


def traced(fit: Fit, arrays: Arrays) -> tuple[Arrays, Trace, Arrays]:
    """The parameters, what the forward pass leaves behind, and its quantities."""
    p = fit.parameters(arrays)
    trace = forward(fit.cell, p)
    return p, trace, heads.quantities(trace, p)
