"""The GRU over a whole sequence, and backpropagation through time by hand.

The question this file answers: *what does it change whether the reset comes before the product or
after it?*

Forward, with the inputs' part of z_t, W_xh x_t + b_h, for all t in one product, then step by step
(Cho et al. 2014)

    r = σ(z_r + W_hr h_{t-1})    z = σ(z_z + W_hz h_{t-1})
    n = φ(z_n + r * q)           q = W_hn h_{t-1} + b_hn         reset after the product
    n = φ(z_n + q)               q = W_hn (r * h_{t-1})          reset before it
    h_t = n + z * (h_{t-1} - n)

Backward, with g_t what arrives at h_t from outside, from the last step to the first

    dL/dh_t = g_t + (what h_t sends back from step t + 1, see below)
    δ_z = dL/dh_t * (h_{t-1} - n) * σ'(z_z)     δ_n = dL/dh_t * (1 - z) * φ'(z_n)
    after:   δ_q = δ_n * r                      δ_r = δ_n * q * σ'(z_r)
    before:  e = W_hnᵀ δ_n                      δ_r = e * h_{t-1} * σ'(z_r)

and h_{t-1} gets

    after:   z * dL/dh_t + W_hrᵀ δ_r + W_hzᵀ δ_z + W_hnᵀ δ_q
    before:  z * dL/dh_t + W_hrᵀ δ_r + W_hzᵀ δ_z + r * e

and then come the sums of products of `fused_rnn`: over δ_n, δ_z, δ_r with x_t, and over δ_z, δ_r
with h_{t-1}; for W_hn over δ_q with h_{t-1}, or over δ_n with r * h_{t-1}.

Inside, the rows stand in the order n, z, r, q: what hangs on dL/dh_t side by side, and what hangs
on δ_n; what comes from x (n, z, r), and what comes from h (z, r, q). And they are rows of -z where
σ is the logistic function (see `fused_slopes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .fused_desks import GRUBack, GRUDesk, by_gates
from .fused_rnn import Deltas, inputs, over_rows, product, spread
from .fused_slopes import Phi, inner, outer
from .fused_way import Way


class GRUKernel:
    """The equations of the GRU for all t, and its BPTT: see the top of this file.

    `x` is (T, B, I), `first` [h_0], `phis` those of the candidate and the gates. `value` is
    (T, B, H) in the order of time.
    """

    loops: Any = None  # the compiled functions, for a head and a loss of few numbers

    def __init__(self, x: Any, first: list[Any], weights: dict[str, Any], phis: list[Phi],
                 way: Way, cell: Any) -> None:
        self.x, self.weights, self.way, reset_after = x, weights, way, cell.reset_after
        self.reset_after = reset_after
        self.phi, self.gate = phis
        (T, B), H = x.shape[:2], weights["W_hh"].shape[1]
        n, s = self.phi.sign, self.gate.sign
        self.from_x = (2, n), (1, s), (0, s)                     # n, z, r among the rows r, z, n
        self.from_h = (1, s), (0, s), (2, 1 if reset_after else n)  # z, r, q
        self.W_xh, self.W_hh = inner(weights["W_xh"], self.from_x), inner(weights["W_hh"],
                                                                         self.from_h)
        b = weights.get("b_h")
        self.desk = desk = way.room.desk(GRUDesk, T, B, H, 4 if reset_after else 3, x.dtype,
                                         way.reverse)
        lent = desk.lend()
        inputs(x, self.W_xh, None if b is None else inner(b, self.from_x), lent.from_x)
        desk.states.steps[0][...] = first[0]
        self.seen = desk.before if way.same else np.empty((T, B, H), x.dtype)
        self.before = desk.taken_before if way.begins is None else np.empty((T, B, H), x.dtype)
        with np.errstate(over="ignore"):
            self.forward(lent)
        desk.back(lent)
        self.value = desk.value

    def forward(self, lent: GRUBack) -> None:
        """All steps: gates and states. `lent` has W_xh x_t + b_h."""
        way, desk, plain, after = self.way, self.desk, self.way.plain, self.reset_after
        shape, dtype = self.desk.past.shape[1:], self.desk.past.dtype
        H = shape[1]
        W_T = (self.W_hh if after else self.W_hh[:2 * H]).T
        W_n, n_sign, b_hn = self.W_hh[2 * H:].T, self.phi.sign, np.empty(shape, dtype)
        b_hn[...] = self.weights.get("b_hn", 0)
        from_h, extra = np.empty((shape[0], W_T.shape[1]), dtype), np.empty(shape, dtype)
        from_two, from_n = by_gates(from_h[:, :2 * H], 2), from_h[:, 2 * H:]
        seen_all, sigma, phi = way.turned(self.seen), self.gate.apply, self.phi.apply
        add, multiply, subtract = np.add, np.multiply, np.subtract
        steps = zip(lent.x_two, lent.x_n, desk.two, *desk.parts, desk.past_steps,
                    desk.states.steps, desk.states.steps[1:])
        for k, (x_two, x_n, two, n, z, r, q, h, new) in enumerate(steps):
            seen = h
            if not plain:
                h = way.before(k, h)
                seen = h if way.mask is None else h * way.mask
                if not way.same:
                    seen_all[k] = seen
                if way.begins is not None:
                    self.before[k] = h
            seen.dot(W_T, from_h)
            add(x_two, from_two, two)
            sigma(two, two)
            if after:
                add(from_n, b_hn, q)
                multiply(r, q, extra)
                if n_sign < 0:
                    np.negative(extra, extra)
            else:
                multiply(r, seen, q)
                q.dot(W_n, extra)
            add(x_n, extra, n)
            phi(n, n)
            subtract(h, n, new)
            multiply(new, z, new)
            add(new, n, new)
            if not plain:
                way.after(k, new, h)

    def backward(self, g: Any) -> Deltas:
        """From dL/dh_t from outside, (T, B, H), to all δ_t."""
        way, lent, z = self.way, self.desk.lend(), self.desk.parts[1]
        shape, natural = g.shape[1:], lent.delta.whole
        d, carry, extra = (np.zeros(shape, natural.dtype) for _ in range(3))
        g, (by_n, by_z, _, _), (δ_n, δ_z, *_) = way.turned(g), lent.by, lent.parts
        fresh = np.zeros(shape, natural.dtype) if way.begins is not None else None
        send = self.send_after if self.reset_after else self.send_before
        add, multiply = np.add, np.multiply
        for end in range(way.T, 0, -lent.block):
            start = max(0, end - lent.block)
            self.factors(start, end, lent.factors[:end - start])
            for k in range(end - 1, start - 1, -1):
                n = k - start
                add(g[k], carry, d)
                stay = None
                if not way.plain:
                    split, stay = way.split(k, d)
                    d[...] = split
                multiply(d, by_n[n], δ_n[k])
                multiply(d, by_z[n], δ_z[k])
                send(lent, k, n, extra)
                multiply(d, z[k], carry)
                add(carry, extra if way.mask is None else extra * way.mask, carry)
                if not way.plain:
                    carry = carry if stay is None else carry + stay
                    carry = way.back(k, carry, fresh)
        H = shape[1]
        return Deltas(natural, natural[..., H:], [carry], [] if fresh is None else [fresh], lent)

    def send_after(self, lent: GRUBack, k: int, n: int, out: Any) -> None:
        """δ_r and δ_q of a step, and what goes to h_{t-1} through the products."""
        δ_n, _, δ_r, δ_q = lent.parts
        np.multiply(δ_n[k], lent.by[2][n], δ_r[k])
        np.multiply(δ_n[k], lent.by[3][n], δ_q[k])
        lent.from_h[k].dot(self.W_hh, out)

    def send_before(self, lent: GRUBack, k: int, n: int, out: Any) -> None:
        """The same where the reset comes before the product."""
        H, (δ_n, _, δ_r) = out.shape[1], lent.parts
        e = np.dot(δ_n[k], self.W_hh[2 * H:])
        np.multiply(e, lent.by[2][n], δ_r[k])
        np.dot(lent.from_h[k], self.W_hh[:2 * H], out)
        out += e * lent.by[3][n]

    def factors(self, start: int, end: int, room: Any) -> Any:
        """What dL/dh_t, δ_n or e is multiplied with, for some steps at once: (steps, 4, B, H), for
        δ_n, δ_z, δ_r, and r itself."""
        gates, past = self.desk.gates[start:end], self.desk.past
        n, z, r = (gates[:, k] for k in range(3))
        self.phi.slope(n, room[:, 0])
        self.gate.slope(gates[:, 1:], room[:, 1:3])
        for k, other in enumerate((1 - z, self.before[start:end] - n)):
            np.multiply(room[:, k], other, room[:, k])
        past = past if self.reset_after else self.way.turned(self.seen)
        np.multiply(room[:, 2], past[start:end], room[:, 2])
        np.multiply(r, self.phi.sign if self.reset_after else 1, room[:, 3])
        if self.reset_after and self.phi.sign < 0:
            np.negative(room[:, 2], room[:, 2])
        return room

    def gradient(self, name: str, deltas: Deltas) -> Any:
        """The gradient of a weight: all steps in one product."""
        H = self.value.shape[-1]
        x, h = deltas.x[..., :3 * H], deltas.h
        if name == "b_h":
            return outer(over_rows(x), self.from_x)
        if name == "b_hn":
            return over_rows(h[..., 2 * H:])
        if name == "W_xh":
            return outer(product(x, self.x), self.from_x)
        if self.reset_after:
            return outer(product(h, self.seen), self.from_h)
        past = self.way.turned(self.desk.past)
        parts = product(h, self.seen), product(deltas.x[..., :H], past)
        return outer(np.concatenate(parts), self.from_h)

    def uses(self, name: str, deltas: Deltas) -> list[tuple[Any, Any, Any]]:
        """What each step gives to a weight: see `RNNKernel.uses`."""
        H = self.value.shape[-1]
        x, h = deltas.x[..., :3 * H], deltas.h
        if name == "b_hn":
            return [(h[..., 2 * H:], None, None)]
        if name != "W_hh":
            return [(outer(x.T, self.from_x).T, self.x if name == "W_xh" else None, None)]
        if self.reset_after:
            return [(outer(h.T, self.from_h).T, self.seen, None)]
        past, gates = self.way.turned(self.desk.past), np.concatenate([h, x[..., :H]], -1)
        rzn = outer(gates.T, self.from_h).T
        return [(rzn[..., :2 * H], self.seen, slice(0, 2 * H)),
                (rzn[..., 2 * H:], past, slice(2 * H, 3 * H))]

    def input_gradient(self, deltas: Deltas) -> Any:
        """dL/dx_t at every step, (T, B, I)."""
        return spread(deltas.x[..., :len(self.W_xh)], self.W_xh)
