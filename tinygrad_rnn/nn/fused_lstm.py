"""The LSTM over a whole sequence, and backpropagation through time by hand.

The question this file answers: *which way does the gradient take past the gates?*

Forward, with z_t = W_xh x_t + b_h + W_hh h_{t-1}, whose rows are those of i, f, g and o:

    i = σ(z_i)   f = σ(z_f)   g = φ(z_g)   o = σ(z_o)
    c_t = f * c_{t-1} + i * g
    h_t = o * φ(c_t)

Backward, with g^h_t and g^c_t what arrives at h_t and c_t from outside, from the last step to the
first (Hochreiter and Schmidhuber 1997; Graves 2013):

    dL/dh_t = g^h_t + W_hhᵀ δ_{t+1}
    dL/dc_t = g^c_t + f_{t+1} * dL/dc_{t+1} + dL/dh_t * o * φ'(c_t)
    δ_o = dL/dh_t * φ(c_t) * σ'(z_o)        δ_i = dL/dc_t * g * σ'(z_i)
    δ_f = dL/dc_t * c_{t-1} * σ'(z_f)       δ_g = dL/dc_t * i * φ'(z_g)

and then the sums of products of `fused_rnn`. With peepholes, p_i * c_{t-1} stands in z_i,
p_f * c_{t-1} in z_f and p_o * c_t in z_o; then dL/dc_t also gets p_o * δ_o, and dL/dc_{t-1} gets
p_i * δ_i + p_f * δ_f.

Inside, the rows stand in the order o, i, f, g: the three σ side by side, and the three that hang on
dL/dc_t as well. And they are rows of -z where σ is the logistic function (see `fused_slopes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from . import fused_apart
from .fused_desks import LSTMBack, LSTMDesk, by_gates
from .fused_lstm_one import USUAL, Stretch
from .fused_rnn import Deltas, inputs, over_rows, rows, spread, total
from .fused_slopes import Phi, inner, outer
from .fused_way import Way

MANY = 32  # from so many steps on it pays to write W_hhᵀ down


class LSTMKernel:
    """The equations of the LSTM for all t, and its BPTT: see the top of this file.

    `x` is (T, B, I), `first` [h_0, c_0], `phis` those of the candidate, the gates and the output.
    `value` is (2, T, B, H): h_t and c_t in the order of time.
    """

    loops: Any = None  # the compiled functions, for a head and a loss of few numbers

    def __init__(self, x: Any, first: list[Any], weights: dict[str, Any], phis: list[Phi],
                 way: Way, cell: Any) -> None:
        self.x, self.weights, self.way = x, weights, way
        self.phi, self.gate, self.phi_out = phis
        σ = self.gate.sign
        self.order = (3, σ), (0, σ), (1, σ), (2, self.phi.sign)  # o, i, f, g among i, f, g, o
        W_xh, W_hh, b = weights["W_xh"], weights["W_hh"], weights.get("b_h")
        self.W_xh, self.W_hh = np.asfortranarray(inner(W_xh, self.order)), inner(W_hh, self.order)
        self.b_h = None if b is None else inner(b, self.order)
        (T, B, _), H = x.shape, self.W_hh.shape[1]
        self.W_T = np.ascontiguousarray(self.W_hh.T) if T >= MANY else self.W_hh.T
        self.desk = desk = way.room.desk(LSTMDesk, T, B, H, x.dtype, way.reverse)
        lent = desk.lend()
        self.peepholes = [self.gate.sign * weights[f"p_{k}"] for k in "oif"] \
            if "p_o" in weights else None
        desk.h[0][...], desk.c[0][...] = first
        seen: Any = (desk.before[0], desk.c_before) if way.same else np.empty((2, T, B, H), x.dtype)
        self.seen, self.before_c = seen
        self.extra = np.empty((B, H), x.dtype)
        self.one = way.plain and self.peepholes is None and B == 1 and phis == USUAL
        with np.errstate(over="ignore"):
            (self.forward if way.plain and self.peepholes is None else self.guarded)(lent)
        desk.back(lent)
        self.value = desk.value

    def forward(self, lent: LSTMBack) -> None:
        """All steps: gates, cells and states."""
        desk, W_T, add, multiply, extra = self.desk, self.W_T, np.add, np.multiply, self.extra
        if self.one:
            self.taken = fused_apart.ahead(partial(Stretch, self, lent), self.way.T, desk.first)
            return
        from_h = np.empty(lent.delta.whole.shape[1:], self.x.dtype)
        σ_z, g_z = by_gates(from_h, 4)[:3], from_h[:, -extra.shape[1]:]
        sigma, phi, (shown, _, sign) = self.gate.apply, self.phi.apply, self.phi_out
        steps = zip(self.from_inputs(lent), desk.three, *desk.parts, desk.h, desk.c, desk.h[1:],
                    desk.c[1:], desk.shown_steps)
        for from_x, three, o, i, f, g, h, c, h_k, c_k, shown_k in steps:
            h.dot(W_T, from_h)
            add(from_x, from_h, from_h)
            sigma(σ_z, three)
            phi(g_z, g)
            multiply(f, c, c_k)
            multiply(i, g, extra)
            add(c_k, extra, c_k)
            shown(c_k if sign > 0 else -c_k, shown_k)
            multiply(o, shown_k, h_k)

    def from_inputs(self, lent: LSTMBack) -> Iterator[Any]:
        """W_xh x_t + b_h, (B, 4 H), step by step: computed for as many as fit in the cache."""
        x, (B, H) = self.way.turned(self.x), self.extra.shape
        room = lent.factors.reshape(-1)[:lent.block * 4 * B * H].reshape(lent.block, B, 4 * H)
        for start in range(0, len(x), lent.block):
            part = x[start:start + lent.block]
            found = room[:len(part)]
            inputs(part, self.W_xh, self.b_h, rows(found))
            yield from found

    def guarded(self, lent: LSTMBack) -> None:
        """The same with peepholes, and past masks, sequences that begin, and dropout."""
        inputs(self.x, self.W_xh, self.b_h, lent.delta.rows)
        way, W_T, peep, desk = self.way, self.W_hh.T, self.peepholes, self.desk
        from_h, extra = np.empty(lent.delta.whole.shape[1:], self.x.dtype), self.extra
        sigma, sign = self.gate.apply, self.phi_out.sign
        seen = way.turned(self.seen)
        steps = zip(lent.steps, desk.steps, desk.three, desk.last_three, *desk.parts, desk.h,
                    desk.c, desk.h[1:], desk.c[1:], desk.shown_steps)
        for k, (from_x, gates, three, two, o, i, f, g, h, c, h_k, c_k, shown) in enumerate(steps):
            before_h, c = way.before(k, h), way.before(k, c, 1)
            h = before_h if way.mask is None else before_h * way.mask
            if not way.same:
                seen[k], self.before_c[k] = h, c
            np.dot(h, W_T, from_h)
            np.add(from_x, by_gates(from_h, 4), gates)
            if peep is not None:
                i += peep[1] * c
                f += peep[2] * c
            sigma(*(two, two) if peep is not None else (three, three))
            self.phi.apply(g, g)
            np.multiply(f, c, c_k)
            np.multiply(i, g, extra)
            np.add(c_k, extra, c_k)
            if peep is not None:
                o += peep[0] * c_k
                sigma(o, o)
            self.phi_out.apply(c_k if sign > 0 else -c_k, shown)
            np.multiply(o, shown, h_k)
            way.after(k, h_k, before_h)
            way.after(k, c_k, c)

    def backward(self, g: Any) -> Deltas:
        """From what arrives at h_t and c_t from outside, (2, T, B, H), or at h_t alone, to δ_t."""
        way, lent, W_hh, peep = self.way, self.desk.lend(), self.W_hh, self.peepholes
        T, shape, dtype = way.T, g.shape[-2:], lent.delta.whole.dtype
        g_h, g_c = (g, None) if g.ndim == 3 else (g[0], g[1] if g[1].any() else None)
        g_h, g_c = way.turned(g_h), way.turned(g_c)
        if self.one and g_c is None:
            states = fused_apart.back(partial(Stretch, self, lent, g=g_h), T, self.taken,
                                      np.zeros((2, shape[1], 1), dtype))
            return Deltas(lent.delta.whole, lent.delta.whole, [*states.swapaxes(1, 2)], [], lent)
        if self.one:
            self.gates_again(lent)
        add, multiply, (d_h, d_c, extra) = np.add, np.multiply, np.zeros((3, *shape), dtype)
        wide = way.plain and peep is None
        fresh = [np.zeros(shape, dtype) for _ in range(2)] if way.begins is not None else []
        δ, first, others, forget = lent.delta.steps, lent.first, lent.others, self.desk.parts[2]
        for end in range(T, 0, -lent.block):
            start = max(0, end - lent.block)
            self.factors(start, end, lent.factors[:end - start])
            for k in range(end - 1, start - 1, -1):
                n = k - start
                add(d_h, g_h[k], d_h)
                if g_c is not None:
                    add(d_c, g_c[k], d_c)
                if wide:  # the common case, in seven calls
                    multiply(d_h, lent.by_o[n], first[k])
                    multiply(d_h, lent.by_c[n], extra)
                    add(d_c, extra, d_c)
                    multiply(d_c, lent.by_others[n], others[k])
                    multiply(d_c, forget[k], d_c)
                    δ[k].dot(W_hh, d_h)
                    continue
                (d_h, stay_h), (d_c, stay_c) = way.split(k, d_h), way.split(k, d_c)
                multiply(d_h, lent.by_o[n], first[k])
                d_c = d_c + d_h * lent.by_c[n]
                if peep is not None:
                    d_c += peep[0] * first[k]
                multiply(d_c, lent.by_others[n], others[k])
                d_c = d_c * forget[k]
                if peep is not None:
                    d_c += peep[1] * others[k][0] + peep[2] * others[k][1]
                d_h = δ[k].dot(W_hh)
                d_h = d_h if way.mask is None else d_h * way.mask
                if stay_h is not None:
                    d_h, d_c = d_h + stay_h, d_c + stay_c
                if fresh:
                    d_h, d_c = way.back(k, d_h, fresh[0]), way.back(k, d_c, fresh[1])
        return Deltas(lent.delta.whole, lent.delta.whole, [d_h, d_c], fresh, lent)

    def gates_again(self, lent: LSTMBack) -> None:
        """The gates and φ(c_t) at all steps, from the states: the loops for a single sequence know
        nothing of what arrives at c_t, and left something else in their place."""
        z, desk, self.one = lent.gates, self.desk, False
        inputs(self.x, self.W_xh, self.b_h, lent.delta.rows)
        np.add(lent.delta.rows, rows(self.seen).dot(self.W_T), lent.delta.rows)
        with np.errstate(over="ignore"):
            self.gate.apply(z[:, :3], desk.gates[:, :3])
        self.phi.apply(z[:, 3], desk.gates[:, 3])
        self.phi_out.apply(desk.c_after, desk.shown)

    def factors(self, start: int, end: int, room: Any) -> Any:
        """What dL/dh_t or dL/dc_t is multiplied with, for some steps at once: (steps, 5, B, H), for
        δ_o, δ_i, δ_f, δ_g and the way from h_t to c_t."""
        gates, shown = self.desk.gates[start:end], self.desk.shown[start:end]
        self.gate.slope(gates[:, :3], room[:, :3])
        self.phi.slope(gates[:, 3], room[:, 3])
        self.phi_out.slope(shown, room[:, 4])
        if self.phi_out.sign < 0:
            np.negative(room[:, 4], room[:, 4])
        for k, other in enumerate((shown, gates[:, 3], self.before_c[start:end], gates[:, 1],
                                   gates[:, 0])):
            np.multiply(room[:, k], other, room[:, k])
        return room

    def gradient(self, name: str, deltas: Deltas) -> Any:
        """The gradient of a weight: all steps in one product."""
        if name == "b_h":
            return outer(total(rows(deltas.x)), self.order)
        if name.startswith("p_"):
            return over_rows(self.peephole(name, deltas))
        seen = self.x if name == "W_xh" else self.seen
        return outer(rows(deltas.x).T.dot(rows(seen)), self.order)

    def peephole(self, name: str, deltas: Deltas) -> Any:
        """What each step gives to p_i, p_f or p_o: δ of that gate times the cell it sees."""
        k, H = "oif".index(name[2]), self.value.shape[-1]
        c = self.way.turned(self.before_c if k else self.desk.c_after)
        return self.gate.sign * deltas.x[..., k * H:(k + 1) * H] * c

    def uses(self, name: str, deltas: Deltas) -> list[tuple[Any, Any, Any]]:
        """What each step gives to a weight: see `RNNKernel.uses`."""
        if name.startswith("p_"):
            return [(self.peephole(name, deltas), None, None)]
        seen = {"W_xh": self.x, "W_hh": self.seen, "b_h": None}[name]
        return [(outer(deltas.x.T, self.order).T, seen, None)]

    def input_gradient(self, deltas: Deltas) -> Any:
        """dL/dx_t at every step, (T, B, I)."""
        return spread(deltas.x, self.W_xh)
