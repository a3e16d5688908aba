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

from typing import Any

import numpy as np

from .fused_rnn import Deltas, inputs, over_rows, product, spread
from .fused_slopes import Phi
from .fused_way import Way

ORDER = 3, 0, 1, 2  # o, i, f, g among the rows i, f, g, o of a weight


class LSTMKernel:
    """The equations of the LSTM for all t, and its BPTT: see the top of this file.

    `x` is (T, B, I), `first` [h_0, c_0], `phis` those of the candidate, the gates and the output.
    `value` is (2, T, B, H): h_t and c_t in the order of time.
    """

    def __init__(self, x: Any, first: list[Any], weights: dict[str, Any], phis: list[Phi],
                 way: Way, cell: Any) -> None:
        self.x, self.weights, self.way = x, weights, way
        self.phi, self.gate, self.phi_out = phis
        self.signs = (*(self.gate.sign,) * 3, self.phi.sign)
        self.W_xh, self.W_hh = self.inner(weights["W_xh"]), self.inner(weights["W_hh"])
        b = weights.get("b_h")
        z = inputs(x, self.W_xh, None if b is None else self.inner(b), way)
        self.peepholes = [self.gate.sign * weights[f"p_{k}"] for k in "oif"] \
            if "p_o" in weights else None
        (self.h, self.c), self.value, before = way.states(first, z.dtype)
        T, B, H = self.value[0].shape
        self.seen, self.before_c = before[0], self.c[:-1]  # the second in the order of the steps
        if not way.same:
            self.seen, self.before_c = way.empty((2, T, B, H), z.dtype)
        self.rows = way.turned(z)  # z at first, and then the gates
        self.gates = self.rows.reshape(T, B, 4, H)
        self.shown = way.empty((T, B, H), z.dtype)  # φ(c_t)
        with np.errstate(over="ignore"):
            self.forward()

    def forward(self) -> None:
        """All steps: gates, cells and states."""
        way, W_T, peep, plain = self.way, self.W_hh.T, self.peepholes, self.way.plain
        z, extra = np.empty(self.rows.shape[1:], self.rows.dtype), np.empty_like(self.h[0])
        sigma, phi, sign = self.gate.apply, self.phi.apply, self.phi_out.sign
        H, seen, h, c = extra.shape[-1], way.turned(self.seen), self.h[0], self.c[0]
        parts = (self.gates[:, :, k] for k in range(4))
        steps = zip(self.rows, self.rows[..., :3 * H], *parts, self.h[1:], self.c[1:], self.shown)
        for k, (rows, three, o, i, f, g, h_k, c_k, shown) in enumerate(steps):
            if not plain:
                before_h, c = way.before(k, h), way.before(k, c, 1)
                h = before_h if way.mask is None else before_h * way.mask
                if not way.same:
                    seen[k], self.before_c[k] = h, c
            np.dot(h, W_T, z)
            np.add(rows, z, rows)
            if peep is None:
                sigma(three, three)
            else:
                i += peep[1] * c
                f += peep[2] * c
                sigma(three[:, H:], three[:, H:])
            phi(g, g)
            np.multiply(f, c, c_k)
            np.multiply(i, g, extra)
            np.add(c_k, extra, c_k)
            if peep is not None:
                o += peep[0] * c_k
                sigma(o, o)
            self.phi_out.apply(c_k if sign > 0 else -c_k, shown)
            np.multiply(o, shown, h_k)
            if not plain:
                way.after(k, h_k, before_h)
                way.after(k, c_k, c)
            h, c = h_k, c_k

    def backward(self, g: Any) -> Deltas:
        """From what arrives at h_t and c_t from outside, (2, T, B, H), to all δ_t."""
        way, T, (B, H), dtype = self.way, self.way.T, self.h.shape[1:], self.value.dtype
        natural = way.empty((T, B, 4 * H), dtype)
        delta = way.turned(natural).reshape(T, B, 4, H)
        g_h, g_c = way.turned(g[0]), way.turned(g[1]) if g[1].any() else None
        d_h, d_c, extra = np.zeros((B, H), dtype), np.zeros((B, H), dtype), np.empty((B, H), dtype)
        fresh = [np.zeros((B, H), dtype) for _ in range(2)] if way.begins is not None else []
        room = None
        for start, end in way.blocks(4 * B * H):
            if room is None:
                room = way.empty((end - start, B, 5, H), dtype)
            factors = self.factors(start, end, room[:end - start])
            for k in range(end - 1, start - 1, -1):
                factor = factors[k - start]
                np.add(d_h, g_h[k], d_h)
                if g_c is not None:
                    np.add(d_c, g_c[k], d_c)
                if not way.plain:
                    (d_h, stay_h), (d_c, stay_c) = way.split(k, d_h), way.split(k, d_c)
                np.multiply(d_h, factor[:, 0], delta[k, :, 0])
                np.multiply(d_h, factor[:, 4], extra)
                np.add(d_c, extra, d_c)
                if self.peepholes is not None:
                    d_c += self.peepholes[0] * delta[k, :, 0]
                np.multiply(d_c[:, None], factor[:, 1:4], delta[k, :, 1:])
                np.multiply(d_c, self.gates[k, :, 2], d_c)
                if self.peepholes is not None:
                    d_c += self.peepholes[1] * delta[k, :, 1] + self.peepholes[2] * delta[k, :, 2]
                np.dot(delta[k].reshape(B, 4 * H), self.W_hh, d_h)
                if not way.plain:
                    d_h = d_h if way.mask is None else d_h * way.mask
                    if stay_h is not None:
                        d_h, d_c = d_h + stay_h, d_c + stay_c
                    if fresh:
                        d_h, d_c = way.back(k, d_h, fresh[0]), way.back(k, d_c, fresh[1])
        return Deltas(natural, natural, [d_h, d_c], fresh)

    def factors(self, start: int, end: int, room: Any) -> Any:
        """What dL/dh_t or dL/dc_t is multiplied with, for some steps at once: (steps, B, 5, H), for
        δ_o, δ_i, δ_f, δ_g and the way from h_t to c_t."""
        gates, shown = self.gates[start:end], self.shown[start:end]
        self.gate.slope(gates[:, :, :3], room[:, :, :3])
        self.phi.slope(gates[:, :, 3], room[:, :, 3])
        self.phi_out.slope(shown, room[:, :, 4])
        if self.phi_out.sign < 0:
            np.negative(room[:, :, 4], room[:, :, 4])
        for k, other in enumerate((shown, gates[:, :, 3], self.before_c[start:end],
                                   gates[:, :, 1], gates[:, :, 0])):
            np.multiply(room[:, :, k], other, room[:, :, k])
        return room

    def gradient(self, name: str, deltas: Deltas) -> Any:
        """The gradient of a weight: all steps in one product."""
        if name == "b_h":
            return self.outer(over_rows(deltas.x))
        if name.startswith("p_"):
            return over_rows(self.peephole(name, deltas))
        return self.outer(product(deltas.x, self.x if name == "W_xh" else self.seen))

    def peephole(self, name: str, deltas: Deltas) -> Any:
        """What each step gives to p_i, p_f or p_o: δ of that gate times the cell it sees."""
        k, H = "oif".index(name[2]), self.value.shape[-1]
        c = self.way.turned(self.before_c if k else self.c[1:])
        return self.gate.sign * deltas.x[..., k * H:(k + 1) * H] * c

    def uses(self, name: str, deltas: Deltas) -> list[tuple[Any, Any, Any]]:
        """What each step gives to a weight: see `RNNKernel.uses`."""
        if name.startswith("p_"):
            return [(self.peephole(name, deltas), None, None)]
        seen = {"W_xh": self.x, "W_hh": self.seen, "b_h": None}[name]
        return [(self.outer(deltas.x.T).T, seen, None)]

    def input_gradient(self, deltas: Deltas) -> Any:
        """dL/dx_t at every step, (T, B, I)."""
        return spread(deltas.x, self.W_xh)

    # --- rows i, f, g, o as rows o, i, f, g -----------------------------------------------------

    def inner(self, rows: Any) -> Any:
        """Rows of i, f, g, o as rows of o, i, f, g, of -z where the activation wants it so."""
        found = np.empty(rows.shape, rows.dtype)
        for k, (gate, sign) in enumerate(zip(ORDER, self.signs)):
            np.multiply(block(rows, gate), sign, block(found, k))
        return found

    def outer(self, rows: Any) -> Any:
        """The same back again."""
        found = np.empty(rows.shape, rows.dtype)
        for k, (gate, sign) in enumerate(zip(ORDER, self.signs)):
            np.multiply(block(rows, k), sign, block(found, gate))
        return found


def block(rows: Any, k: int) -> Any:
    """The rows of the k-th gate of four."""
    H = len(rows) // 4
    return rows[k * H:(k + 1) * H]
