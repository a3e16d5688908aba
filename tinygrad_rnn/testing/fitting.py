"""Which recurrence somebody's forward pass computes, and which of its arrays is which.

The question this file answers: *is this a plain RNN, an LSTM, a GRU, and where is W_hh?*

Names say little (Wx, U, kernel, [2]), so numbers decide. By their shapes the arrays can play a few
roles, in a few layouts: time or batch first, a matrix or its transpose, one matrix for [x, h], one
for every gate, gates in any order. Each such reading is computed; the one whose result equals the
forward's own, here and at a second point, is what the program is. If none does, nothing is said.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import heads
from .fingerprints import GATES, PHI, Arrays, Cell, forward
from .layouts import LAYOUTS, Fit, Slot, canonical, total_of

MOST = 6000  # readings that are computed before giving up
HINTS = {"x": ("x",), "Wx": ("xh", "wx", "ih", "w_x", "kernel", "win", "w_in", "u"),
         "Wh": ("hh", "wh", "rec", "w_h", "w"), "Wy": ("hy", "wy", "out", "ho", "v"),
         "h0": ("h",), "c0": ("c",), "target": ("target", "label", "y", "t")}


# --- the readings ---------------------------------------------------------------------------------


def agreed(layout: str, shape: tuple[int, ...], sizes: dict[str, int], G: int, pieces: int
           ) -> dict[str, int] | None:
    """The sizes with those of this array added, or None if they contradict each other."""
    if len(layout) != len(shape):
        return None
    sizes = dict(sizes)
    for a, n in zip(layout, shape):
        if a == "G":
            n = n * pieces
            if n % G or sizes.setdefault("H", n // G) != n // G:
                return None
        elif a == "X":
            if n <= sizes["I"] or sizes.setdefault("H", n - sizes["I"]) != n - sizes["I"]:
                return None
        elif a == "1":
            if n != 1:
                return None
        elif sizes.setdefault(a, n) != n:
            return None
    return sizes


def readings(arrays: Arrays, pool: list[Any], G: int) -> Iterator[tuple[list[Slot], dict[str, int],
                                                                       Any]]:
    """Every way to give each array a role, in a cell of G gates."""
    for items in bundled(arrays, G):
        starts: list[tuple[Slot | None, Any, dict[str, int]]] = []
        for names in items:
            for layout in LAYOUTS["x"] if len(names) == 1 else ():
                sizes = agreed(layout, arrays[names[0]].shape, {}, G, 1)
                if sizes:
                    starts.append((Slot("x", names, layout), None, {"B": 1, **sizes}))
        starts.sort(key=lambda s: (arrays[s[0].names[0]].ndim < 3,  # type: ignore[union-attr]
                                   not hinted("x", s[0].names[0])))  # type: ignore[union-attr]
        starts += [(None, x, dict(zip("TBI", x.shape))) for x in inputs_in(pool, arrays)]
        for slot, x, sizes in starts:
            rest = [names for names in items if slot is None or names != slot.names]
            rest.sort(key=lambda names: -arrays[names[0]].ndim)
            for slots, found in assigned(rest, arrays, [slot] if slot else [], sizes, G):
                roles = {s.role for s in slots}
                if ("W" in roles) != ({"Wx", "Wh"} <= roles) and "H" in found \
                        and ("bx" in roles or "bh" not in roles) \
                        and ("Wy" in roles or "by" not in roles):
                    yield slots, found, x


def assigned(items: list[tuple[str, ...]], arrays: Arrays, slots: list[Slot],
             sizes: dict[str, int], G: int) -> Iterator[tuple[list[Slot], dict[str, int]]]:
    """The rest of the arrays, one after the other (there are about seven)."""
    if not items:
        yield slots, sizes
        return
    names, taken = items[0], {s.role for s in slots}
    options = [r for r in LAYOUTS if r != "x" and r not in taken
               and not (r == "bh" and G != 3 and "bx" not in taken)
               and not (r == "W" and taken & {"Wx", "Wh"})
               and not (r in ("Wx", "Wh") and "W" in taken)
               and not (r == "target" and not hinted(r, names[0]))
               and not (r == "c0" and G != 4)
               and (len(names) == 1 or r in ("Wx", "Wh", "W", "bx", "bh"))]
    for role in sorted(options, key=lambda r: (not hinted(r, names[0]), r == "target")):
        for layout in LAYOUTS[role]:
            found = sizes if role == "target" else agreed(layout, arrays[names[0]].shape, sizes, G,
                                                         len(names))
            for first in (True, False) if role == "W" and found else (True,) if found else ():
                yield from assigned(items[1:], arrays, [*slots, Slot(role, names, layout, first)],
                                    found or sizes, G)


def hinted(role: str, name: str) -> bool:
    """Whether the name sounds like the role; it decides only what is tried first."""
    name = name.lower()
    return any(h in name if len(h) > 1 else name.startswith(h) for h in HINTS.get(role, ()))


def bundled(arrays: Arrays, G: int) -> Iterator[list[tuple[str, ...]]]:
    """The arrays one by one, and those of the gates taken together."""
    yield [(name,) for name in arrays]
    if G == 1 or len(arrays) <= 2 * G:
        return
    groups: dict[Any, list[str]] = {}
    for name, x in arrays.items():
        groups.setdefault(x.shape, []).append(name)
    for key in (0, None):
        items: list[tuple[str, ...]] = []
        for names in groups.values():
            parts: dict[Any, list[str]] = {}
            for i, name in enumerate(names):
                parts.setdefault(name[:1] if key == 0 else i // G, []).append(name)
            for part in parts.values():
                if len(part) == G:
                    distinct = len({n[-1] for n in part}) == G
                    items.append(tuple(sorted(part, key=lambda n: n[-1]) if distinct else part))
                else:
                    items += [(name,) for name in part]
        if any(len(names) > 1 for names in items):
            yield items


def inputs_in(pool: list[Any], arrays: Arrays) -> Iterator[Any]:
    """What may be the inputs, if nothing differentiates by them: arrays, or symbols (one-hot)."""
    widths = sorted({n for x in arrays.values() if x.ndim == 2 for n in x.shape})
    for x in pool:
        if x.dtype.kind == "f" and x.ndim == 3:
            yield x
            yield x.swapaxes(0, 1)
        elif x.dtype.kind == "f" and x.ndim == 2:
            yield x[:, None]
        elif x.dtype.kind in "iu" and x.ndim in (1, 2) and x.size:
            for width in widths:
                if x.min() >= 0 and x.max() < width:
                    hot = np.eye(width)[x]
                    yield from [hot[:, None]] if x.ndim == 1 else [hot, hot.swapaxes(0, 1)]


def variants(kind: str) -> Iterator[tuple[Cell, tuple[int, ...]]]:
    """The cells of a kind, with every order of gates, the usual ones first."""
    G = len(GATES[kind])
    if kind == "RNN":
        yield from ((Cell(kind, phi), (0,)) for phi in PHI)
        return
    for order in itertools.permutations(range(G)):
        for after, keeps in itertools.product((True, False), repeat=2) if G == 3 else [(True,) * 2]:
            yield Cell(kind, after=after, keeps=keeps), order


def fitted(arrays: Arrays, pool: list[Any], value: Callable[[Arrays], float],
           outs: Arrays | None, weights: Arrays, rng: np.random.Generator) -> Fit | None:
    """The first reading that computes the same, at `arrays` and at a point nearby.

    `value(arrays)` is the number that is differentiated: the loss, or the sum of `weights` times
    `outs`, the outputs at `arrays`.
    """
    loss, left = value(arrays), MOST
    moved = {n: x + 0.1 * rng.normal(size=x.shape) for n, x in arrays.items()}
    there = value(moved)
    for kind in GATES:
        for slots, sizes, x in readings(arrays, pool, len(GATES[kind])):
            targets = [arrays[s.names[0]] for s in slots if s.role == "target"]
            for cell, order in variants(kind):
                left -= 1
                if left < 0:
                    return None
                with np.errstate(all="ignore"):
                    p = canonical(slots, order, sizes, x, arrays)
                    q = heads.quantities(forward(cell, p), p)
                    terms = heads.of_outputs(q, outs, weights) if outs is not None else \
                        heads.of_loss(q, loss, [*targets, *pool])
                if terms is None:
                    continue
                fit = Fit(cell, slots, order, sizes, x, terms)
                if targets or abs(total_of(fit, moved) - there) <= 1e-8 * (1.0 + abs(there)):
                    return fit
    return None
