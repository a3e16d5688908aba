"""The loops over the steps once more, number by number, for a compiler.

The question this file answers: *what is left of BPTT when nothing is an array any more?*

For a batch of one, a step of NumPy is a dozen calls that compute little each. Here a step is two
loops: a product, and what happens to every unit. Numba makes machine code of them, and a long
sequence takes half the time or a quarter of it; for larger batches the products of NumPy are
faster. The equations, the order of the gates and the signs are those of `fused_rnn`, `fused_lstm`
and `fused_gru`; what is computed before the loops and after them stays there as well.

These are plain functions: without Numba they run too, slowly. `one` is 1 in the type of the
numbers: beside a whole number Numba would compute in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def add_product(out: Any, v: Any, M: Any) -> None:
    """out += v M, for vectors and a matrix, four rows at a time."""
    whole = len(v) - len(v) % 4
    for j in range(0, whole, 4):
        a, b, c, d = v[j], v[j + 1], v[j + 2], v[j + 3]
        k, m, n, p = M[j], M[j + 1], M[j + 2], M[j + 3]
        for i in range(len(out)):
            out[i] += a * k[i] + b * m[i] + c * n[i] + d * p[i]
    for j in range(whole, len(v)):
        a, k = v[j], M[j]
        for i in range(len(out)):
            out[i] += a * k[i]


# --- h_t = tanh(z_t + W_hh h_{t-1}) ---------------------------------------------------------------


def rnn_ahead(states: Any, W_T: Any, reverse: bool) -> None:
    """`states` (T + 1, B, H), the first of them given; the others are z_t at first."""
    n, B, H = states.shape
    T = n - 1
    for k in range(T):
        t = T - 1 - k if reverse else k
        before, after = (t + 1, t) if reverse else (t, t + 1)
        for b in range(B):
            h = states[after, b]
            add_product(h, states[before, b], W_T)
            for i in range(H):
                h[i] = np.tanh(h[i])


def rnn_back(g: Any, states: Any, delta: Any, d_h: Any, W: Any, reverse: bool) -> None:
    """`delta` (T, B, H) from what arrives, `g`; `d_h` (B, H) ends at dL/dh_0."""
    T, B, H = g.shape
    one = g.dtype.type(1)
    d_h[:] = 0
    for k in range(T - 1, -1, -1):
        t = T - 1 - k if reverse else k
        after = t if reverse else t + 1
        for b in range(B):
            for i in range(H):
                h = states[after, b, i]
                delta[t, b, i] = (g[t, b, i] + d_h[b, i]) * (one - h * h)
            d_h[b, :] = 0
            add_product(d_h[b], delta[t, b], W)


# --- LSTM: gates o, i, f, g; the first three of -z ---------------------------------------------


def lstm_ahead(states: Any, from_x: Any, gates: Any, shown: Any, W_T: Any, reverse: bool) -> None:
    """`states` (2, T + 1, B, H), `gates` (T, 4, B, H) and `shown`, tanh c_t, from `from_x`
    (T, B, 4 H), which is used up."""
    T, _, B, H = gates.shape
    one = gates.dtype.type(1)
    for k in range(T):
        t = T - 1 - k if reverse else k
        before, after = (t + 1, t) if reverse else (t, t + 1)
        for b in range(B):
            z = from_x[t, b]
            add_product(z, states[0, before, b], W_T)
            for j in range(3 * H):
                z[j] = one / (one + np.exp(z[j]))
            for j in range(H):
                o, i, f, g = z[j], z[H + j], z[2 * H + j], np.tanh(z[3 * H + j])
                c = f * states[1, before, b, j] + i * g
                tanh_c = np.tanh(c)
                gates[k, 0, b, j], gates[k, 1, b, j], gates[k, 2, b, j] = o, i, f
                gates[k, 3, b, j], shown[k, b, j] = g, tanh_c
                states[1, after, b, j], states[0, after, b, j] = c, o * tanh_c


def lstm_back(g_h: Any, g_c: Any, states: Any, gates: Any, shown: Any, delta: Any, d_h: Any,
              d_c: Any, W: Any, reverse: bool) -> None:
    """`delta` (T, B, 4 H) from what arrives at h_t and, unless it is empty, at c_t."""
    T, B, H = g_h.shape
    one = g_h.dtype.type(1)
    for k in range(T - 1, -1, -1):
        t = T - 1 - k if reverse else k
        before = t + 1 if reverse else t
        for b in range(B):
            δ = delta[t, b]
            for j in range(H):
                o, i, f = gates[k, 0, b, j], gates[k, 1, b, j], gates[k, 2, b, j]
                g, tanh_c = gates[k, 3, b, j], shown[k, b, j]
                dh = d_h[b, j] + g_h[t, b, j]
                dc = d_c[b, j] + dh * o * (one - tanh_c * tanh_c)
                if len(g_c):
                    dc += g_c[t, b, j]
                δ[j] = dh * tanh_c * o * (o - one)
                δ[H + j] = dc * g * i * (i - one)
                δ[2 * H + j] = dc * states[1, before, b, j] * f * (f - one)
                δ[3 * H + j] = dc * i * (one - g * g)
                d_c[b, j], d_h[b, j] = dc * f, 0
            add_product(d_h[b], δ, W)


# --- GRU: gates n, z, r, the last two of -z; q = W_hn h + b_hn ------------------------------------


def gru_ahead(states: Any, from_x: Any, gates: Any, q: Any, b_hn: Any, W_T: Any,
              reverse: bool) -> None:
    """`states` (T + 1, B, H), `gates` (T, 3, B, H) and `q` (T, B, H) from `from_x` (T, B, 3 H)."""
    T, _, B, H = gates.shape
    one = gates.dtype.type(1)
    from_h = np.empty(3 * H, states.dtype)
    for k in range(T):
        t = T - 1 - k if reverse else k
        before, after = (t + 1, t) if reverse else (t, t + 1)
        for b in range(B):
            x, h = from_x[t, b], states[before, b]
            from_h[:2 * H] = x[H:]
            from_h[2 * H:] = b_hn
            add_product(from_h, h, W_T)
            for j in range(H):
                z, r = one / (one + np.exp(from_h[j])), one / (one + np.exp(from_h[H + j]))
                n = np.tanh(x[j] + r * from_h[2 * H + j])
                gates[k, 0, b, j], gates[k, 1, b, j], gates[k, 2, b, j] = n, z, r
                q[k, b, j], states[after, b, j] = from_h[2 * H + j], n + z * (h[j] - n)


def gru_back(g: Any, states: Any, gates: Any, q: Any, delta: Any, d_h: Any, W: Any,
             reverse: bool) -> None:
    """`delta` (T, B, 4 H), δ_n, δ_z, δ_r, δ_q, from what arrives at h_t."""
    T, B, H = g.shape
    one = g.dtype.type(1)
    for k in range(T - 1, -1, -1):
        t = T - 1 - k if reverse else k
        before = t + 1 if reverse else t
        for b in range(B):
            δ = delta[t, b]
            for j in range(H):
                n, z, r = gates[k, 0, b, j], gates[k, 1, b, j], gates[k, 2, b, j]
                d = d_h[b, j] + g[t, b, j]
                δ_n = d * (one - z) * (one - n * n)
                δ[j], δ[3 * H + j] = δ_n, δ_n * r
                δ[H + j] = d * (states[before, b, j] - n) * z * (z - one)
                δ[2 * H + j] = δ_n * q[k, b, j] * r * (r - one)
                d_h[b, j] = d * z
            add_product(d_h[b], δ[H:], W)
