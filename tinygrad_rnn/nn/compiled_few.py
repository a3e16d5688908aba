"""A few numbers, for a compiler: a small vanilla layer, its head and its loss, each as a whole.

The question this file answers: *what is a training step if no call may be wasted?*

Where sizes are those of an example on paper, a call of NumPy takes longer than what it computes. So
here a layer is one function ahead and one back, with the products of all steps and the gradients of
its weights, and so are y = W x + b and the softmax cross-entropy. Written out, number by number:
for large matrices NumPy is faster. The equations are those of `fused_rnn` and `fused_head`.

These are plain functions, as in `compiled`. `one` and `zero` are of the type of the numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# --- h_t = tanh(W_xh x_t + b_h + W_hh h_{t-1}) ----------------------------------------------------


def few_ahead(states: Any, x: Any, W_xh: Any, b_h: Any, W_hh: Any, reverse: bool) -> None:
    """`states` (T + 1, B, H), the first of them given, from x (T, B, I); `b_h` may be None."""
    T, B, I = x.shape
    H = len(W_hh)
    for k in range(T):
        t = T - 1 - k if reverse else k
        before, after = (t + 1, t) if reverse else (t, t + 1)
        for b in range(B):
            for i in range(H):
                z = W_hh[i, 0] * states[before, b, 0]
                for j in range(1, H):
                    z += W_hh[i, j] * states[before, b, j]
                for j in range(I):
                    z += W_xh[i, j] * x[t, b, j]
                if b_h is not None:
                    z += b_h[i]
                states[after, b, i] = np.tanh(z)


def few_back(g: Any, states: Any, x: Any, W: Any, reverse: bool, delta: Any, d_h: Any,
             d_W_xh: Any, d_W_hh: Any, d_b: Any) -> None:
    """`delta` (T, B, H) from what arrives, `g`; and `d_h`, dL/dh_0, and the gradients of the
    weights, which, unlike it, begin at 0."""
    T, B, H = g.shape
    one = g.dtype.type(1)
    d_h[:] = 0
    for k in range(T - 1, -1, -1):
        t = T - 1 - k if reverse else k
        before, after = (t + 1, t) if reverse else (t, t + 1)
        for b in range(B):
            for i in range(H):
                h = states[after, b, i]
                δ = (g[t, b, i] + d_h[b, i]) * (one - h * h)
                delta[t, b, i] = δ
                d_b[i] += δ
                for j in range(x.shape[2]):
                    d_W_xh[i, j] += δ * x[t, b, j]
                for j in range(H):
                    d_W_hh[i, j] += δ * states[before, b, j]
            for j in range(H):
                d = W[0, j] * delta[t, b, 0]
                for i in range(1, H):
                    d += W[i, j] * delta[t, b, i]
                d_h[b, j] = d


# --- y = W x + b, and the softmax cross-entropy ---------------------------------------------------


def head_ahead(x: Any, W: Any, b: Any, y: Any) -> None:
    """`y` (N, O) from x (N, I); `b` may be None."""
    for n in range(x.shape[0]):
        for i in range(W.shape[0]):
            z = W[i, 0] * x[n, 0]
            for j in range(1, W.shape[1]):
                z += W[i, j] * x[n, j]
            y[n, i] = z if b is None else z + b[i]


def head_back(g: Any, x: Any, W: Any, d_x: Any, d_W: Any, d_b: Any) -> None:
    """The three gradients, which begin at 0."""
    for n in range(x.shape[0]):
        for i in range(W.shape[0]):
            d = g[n, i]
            d_b[i] += d
            for j in range(W.shape[1]):
                d_x[n, j] += d * W[i, j]
                d_W[i, j] += d * x[n, j]


def loss_ahead(y: Any, classes: Any, weight: float, p: Any, losses: Any) -> bool:
    """`p` (N, O) = softmax(y), and the `losses` (T,) of N / T samples each, which begin at 0; False
    if a class is not there."""
    N, O = y.shape
    zero, w = y.dtype.type(0), y.dtype.type(weight)
    for n in range(N):
        k, largest, total = classes[n], y[n, 0], zero
        if not 0 <= k < O:
            return False
        for i in range(1, O):
            largest = max(largest, y[n, i])
        for i in range(O):
            p[n, i] = np.exp(y[n, i] - largest)
            total += p[n, i]
        for i in range(O):
            p[n, i] /= total
        losses[n // (N // len(losses))] += w * (np.log(total) - (y[n, k] - largest))
    return True


def loss_back(g: Any, classes: Any, weight: float, p: Any, d_y: Any) -> None:
    """`d_y` (N, O) = g_t weight (p - onehot)."""
    N, O = p.shape
    w = p.dtype.type(weight)
    for n in range(N):
        each = g[n // (N // len(g))] * w
        for i in range(O):
            d_y[n, i] = each * p[n, i]
        d_y[n, classes[n]] -= each
