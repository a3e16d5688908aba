"""Mistakes after the walk back through time: in the sums over steps and samples, at the end, and in
the order of the gates.

The question this file answers: *what goes wrong when every dz is right?*

`=` for `+=`, a mean for a sum, a bias that is not summed over the batch, a clip, a transpose, a
slice that is written to the wrong place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .fingerprints import GATES, Arrays, Walk
from .layouts import Fit


class Mistake(NamedTuple):
    """A wrong gradient, in our layout; `words` follow "an RNN whose backward ..."."""

    words: str
    fix: str
    gradients: Arrays


def step_sums(fit: Fit, steps: dict[str, list[Any]], w: Walk, right: Arrays, up: Arrays
              ) -> Iterator[Mistake]:
    """What is added up over time, or is not."""
    T = len(w.da)
    kept = {"first": 0, "last": T - 1}
    for which, t in kept.items():
        each = {n: parts[t] for n, parts in steps.items()}
        fix = "gradients of shared weights are summed over the steps: += for ="
        for n in steps:
            yield Mistake(f"has `=` for `+=` at {{{n}}}: the {which} step's part is left of it",
                          fix, {**right, n: each[n]})
        yield Mistake(f"has `=` for `+=` at every weight: the {which} step's part is left", fix,
                      {**right, **each})
        recurrent = {n: g for n, g in each.items() if n not in ("Wy", "by")}
        yield Mistake("has `=` for `+=` at every weight of the recurrence: the "
                      f"{which} step's part is left", fix, {**right, **recurrent})
        for n in steps:
            yield Mistake(f"leaves the {which} step out of {{{n}}}", "sum over all the steps",
                          {**right, n: right[n] - each[n]})
    biases = {"bx": w.da, "bh": w.du, **({"by": up["y"]} if "y" in up else {})}
    fix = "a bias is added to every sample: d.sum(axis of the batch)"
    two = any(s.role == "bh" for s in fit.slots)
    for chosen in (["bx"], ["bh"], ["by"], ["bx", "bh"]):
        if not set(chosen) <= set(biases) or len(chosen) == 2 and not two:
            continue
        who = " and ".join(f"{{{n}}}" for n in chosen)
        for which, b in (("first", 0), ("last", -1)):
            yield Mistake(f"does not sum {who} over the batch: the {which} sample's part is left",
                          fix, {**right, **{n: np.sum([g[b] for g in biases[n]], axis=0)
                                            for n in chosen}})
        yield Mistake(f"averages {who} over the batch", fix,
                      {**right, **{n: right[n] / len(w.dh0) for n in chosen}})
    both = {n: steps[n][0] for n in ("bx", "bh")}
    if two:
        yield Mistake("has `=` for `+=` at both biases: the first step's part is left of "
                      "them", "+= for =", {**right, **both})


def finished(fit: Fit, right: Arrays, w: Walk) -> Iterator[Mistake]:
    """What is done to the gradients at the end."""
    T, B = fit.sizes["T"], fit.sizes["B"]
    used = [n for n in right if any(s.role == n or s.role == "W" and n in ("Wx", "Wh")
                                    for s in fit.slots)]
    weights = [n for n in used if n not in ("x", "h0", "c0")]
    for c, words, fix in ((1 / T, "averages over the steps (T) where it should sum", "sum"),
                          (1 / B, "averages over the batch (B) where the loss does not", "sum"),
                          (1 / (T * B), "averages over steps and batch (T B)", "sum"),
                          (T, "is T times too large", "divide by T, as the loss does"),
                          (B, "is B times too large", "divide by B, as the loss does"),
                          (T * B, "is T B times too large", "divide as the loss does"),
                          (2.0, "is twice too large", "is the ½ of the loss left out?"),
                          (0.5, "is half as large as it should be", "is a 2 left out?"),
                          (-1.0, "has the wrong sign", "turn it round")):
        yield Mistake(words, fix, {n: c * g for n, g in right.items()})
        yield Mistake(f"{words} (weights only)", fix,
                      {**right, **{n: c * right[n] for n in weights}})
        for n in used:
            if n[0] == "b" and c == 1 / B:  # there are better words for it
                continue
            yield Mistake(f"{words} at {{{n}}} alone", fix, {**right, n: c * right[n]})
    for n in used:
        yield Mistake(f"gives zero for {{{n}}}", "add it up, and return it",
                      {**right, n: 0.0 * right[n]})
        if n in ("Wh", "Wx", "Wy") and right[n].shape == right[n].T.shape:
            yield Mistake(f"returns the gradient of {{{n}}} transposed", "turn the product round",
                          {**right, n: right[n].T})
        if n in ("Wh", "Wx", "Wy"):
            for shift, axis in itertools.product((1, -1), (0, 1)):
                yield Mistake(f"shifts the gradient of {{{n}}} by one along an axis",
                              "look at the slice it is written to",
                              {**right, n: np.roll(right[n], shift, axis)})
        for c in (0.1, 0.5, 1, 5, 10):
            yield Mistake(f"clips the gradient of {{{n}}} to ±{c}", "clip after the check",
                          {**right, n: np.clip(right[n], -c, c)})
    for c in (0.1, 0.5, 1, 5, 10):
        yield Mistake(f"clips the weights' gradients to ±{c}", "clip after the check",
                      {**right, **{n: np.clip(right[n], -c, c) for n in weights}})
    if fit.cell.kind == "RNN":
        yield Mistake("returns dz of the first step for h_0, without the product with W_hh",
                      "dh_0 = dz_1 @ W_hh", {**right, "h0": w.da[0]})
    if "by" in right and "bx" in right and right["by"].shape == right["bx"].shape:
        yield Mistake("gives the gradient of {by} to {bx}", "db = dz.sum(...)",
                      {**right, "bx": right["by"]})


def of_their_gates(fit: Fit, right: Arrays, arrays: Arrays) -> Iterator[tuple[str, str, Arrays]]:
    """Gates that are mixed up: in one of the arrays, or in all of them."""
    G = len(GATES[fit.cell.kind])
    if G == 1:
        return
    names = GATES[fit.cell.kind]
    used = [r for r in ("Wx", "Wh", "bx", "bh")
            if any(s.role == r or s.role == "W" and r in ("Wx", "Wh") for s in fit.slots)]
    fix = "keep one order of the gates, forward and back"
    for order in itertools.permutations(range(G)):
        if list(order) != sorted(order):
            said = ", ".join(names[i] for i in range(G)), ", ".join(names[i] for i in order)
            for which, chosen in [("", used), *((f" in {fit.name_of(r)}", [r]) for r in used)]:
                yield (f"mixes up its gates{which}: {said[1]} for {said[0]}", fix,
                       fit.theirs({**right, **{r: reordered(right[r], order) for r in chosen}},
                                  arrays))
    for a, b in itertools.permutations(range(G), 2):
        order = tuple(b if i == a else i for i in range(G))
        for r in used:
            yield (f"copies the gradient of the gate {names[b]} to {names[a]} in {fit.name_of(r)}",
                   "every gate has its own", fit.theirs({**right, r: reordered(right[r], order)},
                                                        arrays))
    for a, r in itertools.product(range(G), used):
        blocks = np.split(right[r], G)
        blocks[a] = 0.0 * blocks[a]
        yield (f"gives zero for the gate {names[a]} in {fit.name_of(r)}", "fill its slice",
               fit.theirs({**right, r: np.concatenate(blocks)}, arrays))


def reordered(x: Any, order: tuple[int, ...]) -> Any:
    """The blocks of the gates in another order."""
    blocks = np.split(x, len(order))
    return np.concatenate([blocks[i] for i in order])
