"""How much of an entry of a state, or of its gradient, is rounding.

The question this file answers: *by how much may two right results of the same step differ?*

By what the roundings of the step do, entry by entry. A product may be off by some units in the
last place of what its terms come to without their signs, |W| |h|, however little is left of them
(Higham 2002, section 3.1), and from there the derivatives of the step carry it on. So the size of
an entry is the step over again with all terms positive, and `ROUNDINGS` units in the last place of
its size are nothing (`fused_apart`):

    ẑ = |W_hh| |h_{t-1}| + |W_xh| |x_t| + |b|       σ^ = σ (1 + (1 - σ) ẑ)    g^ = |g| + (1 - g²) ẑ
    ĉ = f^ |c_{t-1}| + i^ |g| + i g^                ĥ = o^ |tanh c| + o (|tanh c| + (1 - tanh² c) ĉ)

c_t = f c_{t-1} + i g goes entry by entry, and so does its size: a cell of 1e-18 into which nothing
is written has one of 1e-18, whatever stands beside it. An entry of h has one of its own too, but
how little it is known for depends on what its z is made of: where much cancels, h near 0 is known
up to roundings of the terms only. Back it is the same: dL/dc goes entry by entry, and dL/dh is as
large as |W_hhᵀ| |δ|.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def lstm_state(taken: Any) -> Any:
    """The sizes of the last h_t and c_t of each piece, (2, H, lanes); the steps were taken, the
    last one just now."""
    t, bench, shape = taken.n - 1, taken.bench(), (-1, *taken.h.shape[1:])
    h, from_g, from_c = np.abs(bench.products[t % bench.n]).reshape(shape)
    by_o, by_i, by_f, by_c, by_g, _ = np.abs(taken.factors[:, t]).reshape(shape)
    z_o, z_i, z_f, z_g = product(
        taken.W_back.T, taken.h[t - 1], taken.W_x, taken.x[t], taken.b).reshape(shape)
    of_c = from_c + by_f * z_f + from_g + by_i * z_i + from_g + by_g * z_g
    return np.stack([h + by_o * z_o + h + by_c * of_c, of_c])


def lstm_gradient(taken: Any, later: Any) -> Any:
    """The sizes of dL/dh and dL/dc before the first step of each piece, (2, H, lanes); `later` are
    they before the second one. The steps were taken."""
    by_o, by_i, by_f, by_c, by_g, f = np.abs(taken.factors[:, 0]).reshape(6, *later.shape[1:])
    d_h = np.abs(taken.g[0]) + product(taken.W_back, taken.delta[1])
    d_c = np.abs(later[1]) + by_c * d_h
    δ = np.concatenate([by_o * d_h, *(by * d_c for by in (by_i, by_f, by_g))])
    return np.stack([product(taken.W_back, δ), f * d_c])


def rnn_state(taken: Any) -> Any:
    """The size of the last h_t of each piece, (1, H, lanes)."""
    t = taken.n - 1
    h, x = taken.h[t - 1], taken.x[t]
    z = product(taken.W, np.concatenate([h, x, np.ones_like(h[:1])]))
    return squashed(taken.h[t], z)[None]


def rnn_gradient(taken: Any, later: Any) -> Any:
    """The size of dL/dh before the first step of each piece, (1, H, lanes)."""
    d_h = np.abs(taken.g[0]) + product(taken.W_back, taken.delta[1])
    return product(taken.W_back, (1 - taken.h[0] ** 2) * d_h)[None]


def product(W: Any, h: Any, W_x: Any = None, x: Any = None, b: Any = None) -> Any:
    """|W| |h| + |W_x| |x| + |b|, (rows, lanes)."""
    found = np.abs(W) @ np.abs(h)
    if W_x is not None:
        found += np.abs(W_x) @ np.abs(x)
    if b is not None:
        found += np.abs(b)[:, None]
    return found


def squashed(y: Any, z: Any) -> Any:
    """The size of y = tanh(z), z being of the size `z`."""
    return np.abs(y) + (1 - y * y) * z
