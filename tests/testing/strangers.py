"""Recurrences as somebody else writes them: batch first, einsum, other names, other orders.

Written from the equations, and independently of both the zoo and the package: what the diagnosis is
judged on. `stranger(seed, kind)` is a random one; `backward(bug)` makes the mistake of that name,
and BUGS says, for every kind, by which words it is recognised.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

COMMON = {
    "forget the future": "forgets dh_next",
    "minus the future": "subtracts dh_next",
    "every second step": "cut every 2 steps",
    "three steps at most": "goes only 3 steps back",
    "shifted state": "multiplies dz by h_t, where h_{t-1} belongs",
    "recurrent overwritten": "has `=` for `+=` at R",
    "input overwritten": "has `=` for `+=` at K",
    "bias overwritten": "has `=` for `+=` at bias",
    "bias of the first": "does not sum bias over the batch",
    "mean over time": "averages over the steps",
    "mean over samples": "averages over the batch",
    "last upstream only": "loss of the last step only",
    "sign": "has the wrong sign",
    "no first step": "leaves out the first step",
    "recurrent zero": "gives zero for R",
}
BUGS = {
    "rnn": {**COMMON, "linear": "leaves out φ'", "square of z": "slope of the activation at z",
            "one minus h": "1 - h for the slope", "R turned": "wrong way round",
            "R left out": "without the product with W_hh"},
    "lstm": {**COMMON, "forget the cell": "forgets dc_next", "cell not gated":
             "does not multiply dc_next by the forget gate", "linear cell": "leaves out tanh'(c)",
             "gate slopes": "leaves out the slopes of the sigmoids",
             "candidate slope": "leaves out the slope of the gate g",
             "cell after": "takes c_t for c_{t-1}", "crossed": "multiplies di by i",
             "bias copied": "copies the gradient of the gate"},
    "gru": {**COMMON, "no shortcut": "goes straight into h_t", "update sign":
            "wrong sign at the gate z", "reset ignored": "leaves out the gate r",
            "candidate slope": "leaves out the slope of the gate n",
            "update slope": "leaves out the slope of the gate z",
            "mixed gates": "mixes up its gates"},
}
DIVIDED = ("mean over time", "mean over samples", "sign")


def logistic(a):
    return 0.5 * (1.0 + np.tanh(0.5 * a))


@dataclass
class Stranger:
    """One model; `heads` is what is asked of it: all states, or a loss."""

    kind: str
    inputs: dict[str, np.ndarray]
    answers: Any
    loss: str

    def states(self, w):
        """(the states before and after, what backward needs), batch first."""
        steps = w["seq"].shape[1]
        state, cell = w["begin"], np.zeros_like(w["begin"])
        kept, all_states, all_cells = [], [state], [cell]
        for t in range(steps):
            driven = np.einsum("ni,ij->nj", w["seq"][:, t], w["K"]) + w["bias"]
            back = np.einsum("nh,hj->nj", state, w["R"])
            if self.kind == "rnn":
                z = driven + back
                state, memory = np.tanh(z), (z,)
            elif self.kind == "lstm":  # forget, output, input, candidate
                f, o, i, g = np.split(driven + back, 4, axis=-1)
                f, o, i, g = logistic(f), logistic(o), logistic(i), np.tanh(g)
                cell = f * cell + i * g
                state, memory = o * np.tanh(cell), (f, o, i, g)
            else:  # update, reset, candidate; the reset comes after the product
                H = state.shape[1]
                u = logistic(driven[:, :H] + back[:, :H])
                r = logistic(driven[:, H:2 * H] + back[:, H:2 * H])
                c = np.tanh(driven[:, 2 * H:] + r * back[:, 2 * H:])
                memory = (u, r, c, back[:, 2 * H:])
                state = u * c + (1.0 - u) * state
            kept.append(memory)
            all_states.append(state)
            all_cells.append(cell)
        return all_states, all_cells, kept

    def forward(self, w):
        return self.head(np.stack(self.states(w)[0][1:], axis=1), w)[0]

    def head(self, hs, w):
        """(the result, its slope at the states, at the readout)."""
        if self.loss == "states":
            return hs, None, None
        y = np.einsum("nth,ho->nto", hs, w["read"]) + w["shift"]
        if self.loss == "squares":
            d = y - self.answers
            return 0.5 * np.einsum("nto,nto->", d, d) / len(y), d / len(y), y
        y = y - y.max(axis=2, keepdims=True)
        p = np.exp(y) / np.exp(y).sum(axis=2, keepdims=True)
        n, t = np.indices(self.answers.shape)
        p_right = p[n, t, self.answers]
        d = p.copy()
        d[n, t, self.answers] -= 1.0
        return -np.log(p_right).sum(), d, y

    def backward(self, bugs=()):
        bugs = {bugs} if isinstance(bugs, str) else set(bugs)
        return lambda w, upstream=None: self.back(w, upstream, bugs)

    def back(self, w, upstream, bugs):
        states, cells, kept = self.states(w)
        N, steps, _ = w["seq"].shape
        grads = {name: np.zeros_like(value) for name, value in w.items()}
        hs = np.stack(states[1:], axis=1)
        up = upstream
        if self.loss != "states":
            up_read = self.head(hs, w)[1].copy()
            if "last upstream only" in bugs:
                up_read[:, :-1] = 0.0
            grads["read"] = np.einsum("nth,nto->ho", hs, up_read)
            grads["shift"] = np.einsum("nto->o", up_read)
            up = np.einsum("nto,ho->nth", up_read, w["read"])
        elif "last upstream only" in bugs:
            up = np.concatenate([0.0 * up[:, :-1], up[:, -1:]], axis=1)
        if "three steps at most" in bugs:  # a pass of its own for every loss
            passes = [(t, max(0, t - 3)) for t in range(steps)]
        else:
            passes = [(None, 1 if "no first step" in bugs else 0)]
        for only, low in passes:
            self.one_pass(w, up, only, low, states, cells, kept, grads, bugs)
        if "recurrent zero" in bugs:
            grads["R"][:] = 0.0
        if "bias copied" in bugs:
            H = grads["begin"].shape[1]
            grads["bias"][:H] = grads["bias"][H:2 * H]
        if "mixed gates" in bugs:
            H = grads["begin"].shape[1]
            for name in ("K", "R", "bias"):
                g = grads[name]
                grads[name] = np.concatenate([g[..., H:2 * H], g[..., :H], g[..., 2 * H:]], axis=-1)
        for bug, factor in (("mean over time", 1.0 / steps), ("mean over samples", 1.0 / N),
                            ("sign", -1.0)):
            if bug in bugs:
                grads = {name: factor * g for name, g in grads.items()}
        return grads

    def one_pass(self, w, up, only, low, states, cells, kept, grads, bugs):
        """Back from the last step, or from the loss of one step, down to `low`."""
        later, later_cell = np.zeros_like(w["begin"]), np.zeros_like(w["begin"])
        steps = up.shape[1]
        top = steps - 1 if only is None else only
        for t in range(top, low - 1, -1):
            if "forget the future" in bugs:
                later = np.zeros_like(later)
            if "forget the cell" in bugs:
                later_cell = np.zeros_like(later)
            arrives = up[:, t] if only in (None, t) else np.zeros_like(up[:, t])
            d = arrives - later if "minus the future" in bugs else arrives + later
            to_drive, to_back, later, later_cell = getattr(self, self.kind)(
                w, d, later_cell, states[t], states[t + 1], cells[t], cells[t + 1], kept[t], bugs)
            before = states[t + 1] if "shifted state" in bugs else states[t]
            for name, value, bug in (
                    ("R", np.einsum("nh,nj->hj", before, to_back), "recurrent overwritten"),
                    ("K", np.einsum("ni,nj->ij", w["seq"][:, t], to_drive), "input overwritten"),
                    ("bias", to_drive[0] if "bias of the first" in bugs
                     else np.einsum("nj->j", to_drive), "bias overwritten")):
                if bug in bugs:
                    grads[name] = value
                else:
                    grads[name] = grads[name] + value
            grads["seq"][:, t] += np.einsum("nj,ij->ni", to_drive, w["K"])
            if "every second step" in bugs and t % 2 == 0 and t > 0:
                later, later_cell = np.zeros_like(later), np.zeros_like(later)
        if low == 0 or only is None:
            grads["begin"] = grads["begin"] + later

    def rnn(self, w, d, later_cell, before, after, cell_before, cell, kept, bugs):
        (z,) = kept
        s = 1.0 - np.square(z if "square of z" in bugs else after)
        s = 1.0 if "linear" in bugs else 1.0 - after if "one minus h" in bugs else s
        dz = d * s
        matrix = w["R"].T if "R turned" in bugs else w["R"]
        later = dz if "R left out" in bugs else np.einsum("nj,hj->nh", dz, matrix)
        return dz, dz, later, later_cell

    def lstm(self, w, d, later_cell, before, after, cell_before, cell, kept, bugs):
        f, o, i, g = kept
        th = np.tanh(cell)
        dcell = later_cell + (d * o if "linear cell" in bugs else d * o * (1 - th * th))
        df = dcell * (cell if "cell after" in bugs else cell_before)
        do, di, dg = d * th, dcell * g, dcell * i
        if "crossed" in bugs:
            di, dg = dcell * i, dcell * g
        if "gate slopes" not in bugs:
            df, do, di = df * f * (1 - f), do * o * (1 - o), di * i * (1 - i)
        if "candidate slope" not in bugs:
            dg = dg * (1 - g * g)
        dz = np.concatenate([df, do, di, dg], axis=1)
        return dz, dz, dz @ w["R"].T, dcell if "cell not gated" in bugs else dcell * f

    def gru(self, w, d, later_cell, before, after, cell_before, cell, kept, bugs):
        u, r, c, pre = kept
        du = d * (c - before) * (-1.0 if "update sign" in bugs else 1.0)
        du = du if "update slope" in bugs else du * u * (1 - u)
        dc = d * u
        dc = dc if "candidate slope" in bugs else dc * (1 - c * c)
        dr = dc * pre * r * (1 - r)
        to_back = np.concatenate([du, dr, dc if "reset ignored" in bugs else dc * r], axis=1)
        later = to_back @ w["R"].T
        if "no shortcut" not in bugs:
            later = later + d * (1.0 - u)
        return np.concatenate([du, dr, dc], axis=1), to_back, later, later_cell


def stranger(seed, kind):
    """A random model; sizes of axes differ, so that a factor has one reading."""
    r = np.random.default_rng([seed, len(kind), 77])
    G = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
    N, steps = (int(n) for n in r.permutation([2, 3, 5, 6, 7])[:2])
    steps = max(steps, 5 if N != 5 else 6)
    D, H, O = int(r.integers(1, 5)), int(r.integers(3, 7)), int(r.integers(3, 6))
    sizes = {"seq": (N, steps, D), "K": (D, G * H), "R": (H, G * H), "bias": (G * H,),
             "begin": (N, H)}
    loss = str(r.choice(["states", "squares", "labels"]))
    if loss != "states":
        sizes |= {"read": (H, O), "shift": (O,)}
    inputs = {n: r.normal(size=s) / np.sqrt(s[0] if n in ("K", "R", "read") else 1.0)
              for n, s in sizes.items()}
    answers = {"states": None, "squares": r.normal(size=(N, steps, O)),
               "labels": r.integers(O, size=(N, steps))}[loss]
    return Stranger(kind, inputs, answers, loss)
