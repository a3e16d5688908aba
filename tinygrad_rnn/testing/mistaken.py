"""Every single mistake that has a fingerprint: its gradient, its words, and what to write instead.

The question this file answers: *which mistakes are there, and how is each put right?*

Some bend the walk back through time, some what is added up from it, some the finished gradients.
Each yields (words, fix, gradients), one mistake at a time; two at once are in nobody's list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import fingerprints as on_paper
from . import heads
from .fingerprints import Arrays, Walk
from .layouts import Fit, traced
from .summed import Mistake, finished, of_their_gates, step_sums

LONGEST = 40   # steps, for truncation
FURTHEST = 8   # "k steps back from every loss" is tried up to this k

# the mistakes in the walk: name -> words, fix; some belong to one kind of cell
ANY = {
    "no dh_next": ("forgets dh_next", "dh = (what comes from the output of step t) + dh_next"),
    "dh_next subtracted": ("subtracts dh_next", "dh = ... + dh_next"),
    **{f"clipped to {c}": (f"clips dh_next to ±{c}", "clip the finished gradients, when training")
       for c in (0.1, 0.5, 1, 2, 5, 10)},
}
WALKS: dict[str, dict[str, tuple[str, str]]] = {
    "RNN": {
        "no slope": ("leaves out φ', the slope of the activation", "dz = dh * φ'(z)"),
        "slope at z": ("takes the slope of the activation at z for h = φ(z)",
                       "the slope is 1 - h², with h after the tanh"),
        "slope at h_{t-1}": ("takes the slope of the activation at h_{t-1}", "take it at step t"),
        "slope unsquared": ("has 1 - h for the slope 1 - h²", "dz = dh * (1 - h * h)"),
        "slope h²": ("has h² for the slope 1 - h²", "dz = dh * (1 - h * h)"),
        "other slope": ("takes the slope of another activation", "tanh' = 1 - h², σ' = h (1 - h)"),
        "W_h transposed": ("multiplies dz by W_hh the wrong way round (transposed) on its way to "
                           "h_{t-1}", "if h @ W goes forward, dz @ W.T goes back"),
        "dh_next without W_h": ("sends dz itself to h_{t-1}, without the product with W_hh",
                                "if h @ W goes forward, dh_next = dz @ W.T"),
    },
    "LSTM": {
        "no dc_next": ("forgets dc_next", "dc = dh * o * (1 - tanh(c)²) + dc_next"),
        "neither": ("forgets both dh_next and dc_next", "add what comes from step t + 1"),
        "dc_next without f": ("does not multiply dc_next by the forget gate", "dc_next = dc * f"),
        "dc_next with i": ("multiplies dc_next by the input gate", "dc_next = dc * f"),
        "no tanh'(c)": ("leaves out tanh'(c)", "dc += dh * o * (1 - tanh(c)²)"),
        "slope at c": ("has 1 - c² for 1 - tanh(c)²", "dc += dh * o * (1 - tanh(c)²)"),
        "tanh'(c) unsquared": ("has 1 - tanh(c) for 1 - tanh(c)²", "square it"),
        "dc without o": ("leaves out the output gate on the way from dh to dc",
                         "dc += dh * o * (1 - tanh(c)²)"),
        "dh not into dc": ("sends nothing from dh into dc", "dc += dh * o * (1 - tanh(c)²)"),
        "c for tanh(c)": ("takes c for tanh(c) in the output gate", "do = dh * tanh(c)"),
        "c_t for c_{t-1}": ("takes c_t for c_{t-1} in the forget gate", "df = dc * c_{t-1}"),
        "i for g": ("multiplies di by i and dg by g", "di = dc * g and dg = dc * i"),
        "sigmoid' for g": ("has g (1 - g), a sigmoid's slope, for g = tanh", "dg * (1 - g²)"),
        "no slopes": ("leaves out the slopes of all gates", "sigmoid' = s (1 - s), tanh' = 1 - g²"),
    },
    "GRU": {
        "no direct path": ("forgets that h_{t-1} goes straight into h_t",
                           "dh_next = dh * z + ... (what keeps the old state)"),
        "only the direct path": ("sends nothing back through W_hh", "dh_next += du @ W_hh"),
        "z and 1 - z": ("mixes up z and 1 - z", "look up which of them keeps the old state"),
        "sign of z": ("has the wrong sign at the gate z", "dz = dh * (h_{t-1} - n), or the "
                      "negative where 1 - z keeps the old state"),
        "z without n": ("forgets n in the gate z", "dz = dh * (h_{t-1} - n)"),
        "z without h": ("forgets h_{t-1} in the gate z", "dz = dh * (h_{t-1} - n)"),
        "z from h_t": ("takes h_t for h_{t-1} in the gate z", "dz = dh * (h_{t-1} - n)"),
        "no r": ("leaves out the gate r on the way to h_{t-1}", "multiply by r there as well"),
    },
}
for _kind, _gates in (("LSTM", "ifgo"), ("GRU", "rzn")):
    for _g in _gates:
        WALKS[_kind][f"no slope of {_g}"] = (
            f"leaves out the slope of the gate {_g}",
            f"multiply by 1 - {_g}²" if _g in "gn" else f"multiply by {_g} (1 - {_g})")
        if _g != "n":
            WALKS[_kind][f"no gate {_g}"] = (f"sends nothing into the gate {_g}",
                                             f"the product rule has a term for {_g}")
        WALKS[_kind][f"only through {_g}"] = (
            f"sends back to h_{{t-1}} only what comes through the gate {_g}",
            "dh_next is the sum over all gates")
    WALKS[_kind]["no sigmoid slopes"] = ("leaves out the slopes of the sigmoids", "σ' = s (1 - s)")
for _g in "ifgo":
    WALKS["LSTM"][f"sign of {_g}"] = (f"has the wrong sign at the gate {_g}", "turn it round")

SUMS = {
    "h_t for h_{t-1}": ("multiplies dz by h_t, where h_{t-1} belongs, for the gradient of {Wh}",
                        "d{Wh} += dz h_{{t-1}}"),
    "h_{t-1} for h_t": ("takes h_{t-1} for h_t in the gradient of {Wy}", "d{Wy} += dy h_t"),
    "x of the next step": ("takes x_{t+1} for x_t in the gradient of {Wx}", "d{Wx} += dz x_t"),
    "x of the step before": ("takes x_{t-1} for x_t in the gradient of {Wx}", "d{Wx} += dz x_t"),
    "h for r h": ("takes h_{t-1} for r h_{t-1} in the gradient of {Wh}", "dn (r * h_{{t-1}})"),
}
LOSSES = {
    "p without - 1": ("takes dy = p for the softmax", "dy = p - 1 at the target (p - one-hot)"),
    "target left out": ("leaves the target out of dy", "dy = y - target"),
    "sigmoid' again": ("multiplies p - target by p (1 - p), which is in it already",
                       "dy = p - target for the binary cross-entropy of p = σ(y)"),
}


def all_of(fit: Fit, arrays: Arrays) -> Iterator[tuple[str, str, Arrays]]:
    """The right gradient first (words ""), then that of every mistake; words and fixes filled in
    with the program's own names."""
    names = {role: fit.name_of(role) for role in ("Wx", "Wh", "bx", "bh", "Wy", "by", "x", "h0",
                                                  "c0")}
    right: Arrays | None = None
    for m in in_our_layout(fit, arrays):
        right = right or m.gradients
        words, fix = m.words, m.fix
        for role, name in names.items():
            words, fix = words.replace(f"{{{role}}}", name), fix.replace(f"{{{role}}}", name)
        yield words, fix.replace("{{", "{").replace("}}", "}"), fit.theirs(m.gradients, arrays)
    yield from of_their_gates(fit, right or {}, arrays)


def in_our_layout(fit: Fit, arrays: Arrays) -> Iterator[Mistake]:
    """All but what depends on the program's own order of gates."""
    cell = fit.cell
    p, trace, q = traced(fit, arrays)

    def back(up: Arrays, wrong: str = "", **options: Any) -> Walk:
        dh = up["h"] + up["y"] @ p["Wy"] if "y" in up else up["h"]
        return on_paper.walk(cell, p, trace, dh, up.get("c", np.zeros_like(dh)), wrong, **options)

    def summed(w: Walk, up: Arrays, wrong: str = "") -> Arrays:
        return on_paper.gradients(cell, p, trace, w, up.get("y"), wrong)

    up = heads.upstream(fit.terms, q)
    w = back(up)
    right = summed(w, up)
    yield Mistake("", "", right)
    for name, (words, fix) in {**ANY, **WALKS[cell.kind]}.items():
        bent = back(up, name)
        yield from with_and_without_start(Mistake(words, fix, summed(bent, up)),
                                          name in ("no dh_next", "no dc_next", "neither"))
    for name, (words, fix) in SUMS.items():
        yield Mistake(words, fix, summed(w, up, name))
    for name, (words, fix) in LOSSES.items():
        wrong_up = heads.upstream(fit.terms, q, name)
        yield Mistake(words, fix, summed(back(wrong_up), wrong_up))
    T = len(trace.parts)
    for wrong_up, words, fix in fewer_losses(up, T):
        yield Mistake(words, fix, summed(back(wrong_up), wrong_up))
    if "y" in up:
        yield Mistake("sends nothing from the outputs back to the states", "dh += dy @ W_hy",
                      summed(back({**up, "y": 0.0 * up["y"]}), up))
    yield from truncated(up, T, back, summed)
    yield from step_sums(fit, on_paper.steps_of(cell, p, trace, w, up.get("y")), w, right,
                         up)
    yield from finished(fit, right, w)


def with_and_without_start(m: Mistake, both: bool = True) -> Iterator[Mistake]:
    """Where the gradient is cut, that of the initial state may be cut as well."""
    yield m
    if both:
        d = m.gradients
        yield m._replace(gradients={**d, "h0": 0.0 * d["h0"], "c0": 0.0 * d["c0"]})


def fewer_losses(up: Arrays, T: int) -> Iterator[tuple[Arrays, str, str]]:
    """Losses that are forgotten, or counted twice."""
    for t, which in ((T - 1, "last"), (0, "first")):
        mask = np.array([float(s == t) for s in range(T)])[:, None, None]
        yield ({n: d * mask for n, d in up.items()},
               f"takes the loss of the {which} step only", "every step's loss sends a gradient")
        yield ({n: d * (1.0 - mask) for n, d in up.items()},
               f"leaves out the loss of the {which} step", "every step's loss sends a gradient")
    if "y" in up and np.any(up["h"]):  # else it is a factor of everything
        for c, words in ((2.0, "twice"), (0.5, "half")):
            yield ({**up, "y": up["y"] * c}, f"has {words} the right dy, the gradient of the "
                   "outputs", "(y - target)² has the slope 2 (y - target), ½ (y - target)² half")


def truncated(up: Arrays, T: int, back: Any, summed: Any) -> Iterator[Mistake]:
    """The gradient cut by accident (or on purpose), in the two styles that people use."""
    fix = "go back to the first step; to truncate on purpose is to change the gradient"
    for k in range(2, min(T, LONGEST)):
        ways = [(True, lambda t, k=k: t > 0 and t % k == 0),
                (False, lambda t, k=k: t > 0 and (T - t) % k == 0)]
        for first, cut in ways[:1] if T % k == 0 else ways:
            words = (f"is truncated: the gradient is cut every {k} steps, counted from the "
                     f"{'start' if first else 'end'}")
            yield from with_and_without_start(Mistake(words, fix, summed(back(up, cut=cut), up)))
        last = T - k
        if last == 1:
            continue
        yield Mistake(f"stops after {k} steps: what comes before step {last + 1} gets nothing from "
                      "the recurrence", "the loop goes down to the first step",
                      only_steps(summed, back(up, steps=range(last, T)), up))
    yield Mistake("leaves out the first step", "range(T - 1, -1, -1) ends with step 0",
                  only_steps(summed, back(up, steps=range(1, T)), up))
    if T > LONGEST:
        return
    for k in range(1, min(T - 1, FURTHEST) + 1):
        sums: list[Walk] = []
        for t in range(T):
            one = {n: d * (np.arange(T) == t)[:, None, None] for n, d in up.items()}
            low = max(0, t - k)
            part = back(one, steps=range(low, t + 1))
            if low:
                part.dh0, part.dc0 = 0.0 * part.dh0, 0.0 * part.dc0
            sums.append(part)
        w = Walk([np.sum([s.da[t] for s in sums], axis=0) for t in range(T)],
                 [np.sum([s.du[t] for s in sums], axis=0) for t in range(T)],
                 np.sum([s.dh0 for s in sums], axis=0), np.sum([s.dc0 for s in sums], axis=0))
        yield from with_and_without_start(Mistake(
            f"goes only {k} step{'s' * (k > 1)} back from every loss", fix, summed(w, up)))


def only_steps(summed: Any, w: Walk, up: Arrays) -> Arrays:
    """The gradients of a walk that did not come to the start."""
    d: Arrays = summed(w, up)
    return {**d, "h0": w.dh0, "c0": w.dc0}
