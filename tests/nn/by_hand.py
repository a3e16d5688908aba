"""Every cell once more, written down in NumPy: a step, and by hand what goes back through it.

A step is `forward(p, x, s) -> (y, s after, kept)`, with p the weights by name and s a list of
arrays (B, H); backwards `(p, kept, dy, ds) -> (dx, ds before, gradients by name)`, with ds the
gradient of the state after. The steps forward also run on arrays of plain `Value`s.
"""

import numpy as np

import tinygrad_rnn as tg


def sigmoid(z):
    z = np.asarray(z)
    return np.vectorize(tg.sigmoid, otypes=[z.dtype])(z) if z.size else z


# --- vanilla ------------------------------------------------------------------------------------

PHIS = {"tanh": (np.tanh, lambda h: 1 - h * h), "identity": (lambda z: z, lambda h: 1.0 + 0 * h),
        "relu": (lambda z: z * (z > 0), lambda h: 1.0 * (h > 0))}


def vanilla(name="tanh"):
    phi, slope = PHIS[name]

    def forward(p, x, s):
        h = phi(x @ p["W_xh"].T + s[0] @ p["W_hh"].T + p["b_h"])
        return h, [h], (x, s[0], h)

    def backward(p, kept, dy, ds):
        x, before, h = kept
        d = (dy + ds[0]) * slope(h)
        return d @ p["W_xh"], [d @ p["W_hh"]], {
            "W_xh": d.T @ x, "W_hh": d.T @ before, "b_h": d.sum(0)}

    return forward, backward


def one_matrix(cell):
    """The same with W = [W_xh W_hh]."""
    forward, backward = cell

    def halves(p):
        I = p["W"].shape[1] - p["W"].shape[0]
        return {**p, "W_xh": p["W"][:, :I], "W_hh": p["W"][:, I:]}

    def back(p, kept, dy, ds):
        dx, before, grads = backward(halves(p), kept, dy, ds)
        return dx, before, {"W": np.hstack([grads.pop("W_xh"), grads.pop("W_hh")]), **grads}

    return (lambda p, x, s: forward(halves(p), x, s)), back


# --- gated --------------------------------------------------------------------------------------


def lstm_forward(p, x, s):
    h, c = s
    a_i, a_f, a_g, a_o = np.split(x @ p["W_xh"].T + h @ p["W_hh"].T + p["b_h"], 4, -1)
    p_i, p_f, p_o = (p.get(name, 0.0) for name in ("p_i", "p_f", "p_o"))
    i, f, g = sigmoid(a_i + p_i * c), sigmoid(a_f + p_f * c), np.tanh(a_g)
    now = f * c + i * g
    o = sigmoid(a_o + p_o * now)
    h_now = o * np.tanh(now)
    return h_now, [h_now, now], (x, h, c, i, f, g, o, now)


def lstm_backward(p, kept, dy, ds):
    x, h, c, i, f, g, o, now = kept
    dh = dy + ds[0]
    d_o = dh * np.tanh(now) * o * (1 - o)
    dc = ds[1] + dh * o * (1 - np.tanh(now) ** 2) + d_o * p.get("p_o", 0.0)
    d_i, d_f, d_g = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
    d = np.concatenate([d_i, d_f, d_g, d_o], -1)
    grads = {"W_xh": d.T @ x, "W_hh": d.T @ h, "b_h": d.sum(0)}
    back = dc * f
    if "p_i" in p:
        grads |= {"p_i": (d_i * c).sum(0), "p_f": (d_f * c).sum(0), "p_o": (d_o * now).sum(0)}
        back = back + d_i * p["p_i"] + d_f * p["p_f"]
    return d @ p["W_xh"], [d @ p["W_hh"], back], grads


def gru_forward(p, x, s):
    (h,), H = s, s[0].shape[-1]
    x_r, x_z, x_n = np.split(x @ p["W_xh"].T + p["b_h"], 3, -1)
    R, Z, N = p["W_hh"][:H], p["W_hh"][H:2 * H], p["W_hh"][2 * H:]
    r, z = sigmoid(x_r + h @ R.T), sigmoid(x_z + h @ Z.T)
    past = h @ N.T + p["b_hn"] if "b_hn" in p else (r * h) @ N.T
    n = np.tanh(x_n + (r * past if "b_hn" in p else past))
    now = (1.0 - z) * n + z * h
    return now, [now], (x, h, r, z, n, past)


def gru_backward(p, kept, dy, ds):
    x, h, r, z, n, past = kept
    H, d = h.shape[-1], dy + ds[0]
    N = p["W_hh"][2 * H:]
    d_n, d_z = d * (1 - z) * (1 - n * n), d * (h - n) * z * (1 - z)
    if "b_hn" in p:  # the reset after the product
        d_past = d_n * r
        d_r, back, grad_N = d_n * past * r * (1 - r), d_past @ N, d_past.T @ h
        grads = {"b_hn": d_past.sum(0)}
    else:
        d_rh = d_n @ N
        d_r, back, grad_N, grads = d_rh * h * r * (1 - r), d_rh * r, d_n.T @ (r * h), {}
    d_rz, d_x = np.concatenate([d_r, d_z], -1), np.concatenate([d_r, d_z, d_n], -1)
    return d_x @ p["W_xh"], [d * z + back + d_rz @ p["W_hh"][:2 * H]], {
        "W_xh": d_x.T @ x, "W_hh": np.concatenate([d_rz.T @ h, grad_N]), "b_h": d_x.sum(0),
        **grads}


LSTM, GRU = (lstm_forward, lstm_backward), (gru_forward, gru_backward)


# --- deep, with skips, with an output of its own ------------------------------------------------

IN, BETWEEN, OUT = "input_layers.0.", "transition_layers.0.", "output_layers.0."


def deep_forward(p, x, s):
    v = np.tanh(x @ p[IN + "W"].T + p[IN + "b"])
    u = np.tanh(v @ p["W_xh"].T + s[0] @ p["W_hh"].T + p["b_h"])
    h = np.tanh(u @ p[BETWEEN + "W"].T + p[BETWEEN + "b"] + s[0] @ p["W_s"].T)
    y = np.tanh(h @ p[OUT + "W"].T + p[OUT + "b"])
    return y, [h], (x, v, u, s[0], h, y)


def deep_backward(p, kept, dy, ds):
    x, v, u, before, h, y = kept
    d_y = dy * (1 - y * y)
    d_h = (d_y @ p[OUT + "W"] + ds[0]) * (1 - h * h)
    d_u = d_h @ p[BETWEEN + "W"] * (1 - u * u)
    d_v = d_u @ p["W_xh"] * (1 - v * v)
    return d_v @ p[IN + "W"], [d_u @ p["W_hh"] + d_h @ p["W_s"]], {
        IN + "W": d_v.T @ x, IN + "b": d_v.sum(0), "W_xh": d_u.T @ v, "W_hh": d_u.T @ before,
        "b_h": d_u.sum(0), BETWEEN + "W": d_h.T @ u, BETWEEN + "b": d_h.sum(0),
        "W_s": d_h.T @ before, OUT + "W": d_y.T @ h, OUT + "b": d_y.sum(0)}


def skip_forward(p, x, s):
    """The state is (h_{t-1}, h_{t-2}, h_{t-3}); skips of 2 and 3 steps."""
    h = np.tanh(x @ p["W_xh"].T + s[0] @ p["W_hh"].T + p["b_h"] + s[1] @ p["W_s2"].T
                + s[2] @ p["W_s3"].T)
    return h, [h, s[0], s[1]], (x, s, h)


def skip_backward(p, kept, dy, ds):
    x, s, h = kept
    d = (dy + ds[0]) * (1 - h * h)
    return d @ p["W_xh"], [d @ p["W_hh"] + ds[1], d @ p["W_s2"] + ds[2], d @ p["W_s3"]], {
        "W_xh": d.T @ x, "W_hh": d.T @ s[0], "b_h": d.sum(0), "W_s2": d.T @ s[1],
        "W_s3": d.T @ s[2]}


def readout(cell):
    """y = W_hy h + b_y + W_xy x on top of a cell."""
    def forward(p, x, s):
        h, after, kept = cell[0](inner(p, "cell."), x, s)
        return h @ p["W_hy"].T + p["b_y"] + x @ p["W_xy"].T, after, (x, h, kept)

    def backward(p, kept, dy, ds):
        x, h, below = kept
        dx, before, grads = cell[1](inner(p, "cell."), below, dy @ p["W_hy"], ds)
        return dx + dy @ p["W_xy"], before, {
            **{f"cell.{name}": g for name, g in grads.items()},
            "W_hy": dy.T @ h, "b_y": dy.sum(0), "W_xy": dy.T @ x}

    return forward, backward


DEEP, SKIP = (deep_forward, deep_backward), (skip_forward, skip_backward)


# --- along a sequence ---------------------------------------------------------------------------


def inner(p, prefix):
    """The parameters of one part of a model, by their names within it."""
    return {name.removeprefix(prefix): v for name, v in p.items() if name.startswith(prefix)}


def forward_through(cell, p, xs, s):
    """All outputs, the last state, and what was kept of each step."""
    ys, kept = [], []
    for x in xs:
        y, s, k = cell[0](p, x, s)
        ys.append(y)
        kept.append(k)
    return np.array(ys), s, kept


def back_through(cell, p, kept, dys, ds):
    """(dxs, gradient of the first state, gradients of the weights: the sums over all steps)."""
    dxs, totals = [], {}
    for k, dy in zip(reversed(kept), reversed(dys)):
        dx, ds, grads = cell[1](p, k, dy, ds)
        dxs.insert(0, dx)
        totals = {name: totals.get(name, 0.0) + g for name, g in grads.items()}
    return np.array(dxs), ds, totals
