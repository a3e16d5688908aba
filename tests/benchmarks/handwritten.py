"""Backpropagation through time as one writes it in NumPy, without an engine: the limit to come
close to.

A rival is a class: made from the problem, with `step()`, one training step without the optimiser
that returns (loss, gradients by name), and `nudge(factor)`, which changes the weights a little, so
that nothing can be remembered from one step to the next. All names and shapes are those of this
package: W_xh (G H, I), W_hh (G H, H), b_h (G H,), W_hy (V, H), b_y (V,).
"""

import numpy as np


class Problem:
    """A size: B samples of T steps, H hidden units, V classes in and out; weights, inputs (one-hot,
    (T, B, V)), targets (T, B)."""

    def __init__(self, B, T, H, V, kind="rnn", dtype="float32", seed=0):
        rng = np.random.default_rng(seed)
        self.B, self.T, self.H, self.V, self.kind, self.dtype = B, T, H, V, kind, dtype
        G = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
        shapes = {"W_xh": (G * H, V), "W_hh": (G * H, H), "b_h": (G * H,), "W_hy": (V, H),
                  "b_y": (V,)}
        if kind == "gru":
            shapes["b_hn"] = (H,)
        scale = 1 / np.sqrt(H)
        self.weights = {k: rng.uniform(-scale, scale, s).astype(dtype) for k, s in shapes.items()}
        self.xs = np.eye(V, dtype=dtype)[rng.integers(V, size=(T, B))]
        self.targets = rng.integers(V, size=(T, B))


class ByHand:
    """What all of them share: copies of the weights, and softmax over all steps at once."""

    def __init__(self, problem):
        self.p = problem
        self.w = {k: v.copy() for k, v in problem.weights.items()}
        self.x = problem.xs.reshape(-1, problem.V)
        self.at = np.arange(len(self.x)), problem.targets.reshape(-1)

    def nudge(self, factor):
        for w in self.w.values():
            w *= factor

    def head(self, h):
        """From all h (T B, H): (loss, gradients of the head, dL/dh)."""
        p, w = self.p, self.w
        y = np.dot(h, w["W_hy"].T)
        y += w["b_y"]
        y -= np.maximum.reduce(y, 1, keepdims=True)
        picked = y[self.at]
        np.exp(y, y)
        total = np.add.reduce(y, 1, keepdims=True)
        loss = np.add.reduce(np.log(total[:, 0]) - picked) / p.B
        y /= total
        y[self.at] -= 1
        y *= np.asarray(1 / p.B, p.dtype)
        grads = {"W_hy": np.dot(y.T, h), "b_y": np.add.reduce(y, 0)}
        return loss, grads, np.dot(y, w["W_hy"]).reshape(p.T, p.B, p.H)


class RNNByHand(ByHand):
    """The careful one: x W_xh for all T in one product, buffers made once, each dW one product."""

    def __init__(self, problem):
        super().__init__(problem)
        T, B, H, dtype = problem.T, problem.B, problem.H, problem.dtype
        self.h = np.zeros((T + 1, B, H), dtype)
        self.z, self.d, self.slope = (np.empty((T, B, H), dtype) for _ in range(3))

    def step(self):
        p, w, h, z, d, slope = self.p, self.w, self.h, self.z, self.d, self.slope
        T, rows = p.T, p.T * p.B
        np.dot(self.x, w["W_xh"].T, z.reshape(rows, p.H))
        np.add(z, w["b_h"], z)
        W_T, W = w["W_hh"].T, w["W_hh"]
        for t in range(T):
            new = h[t + 1]
            np.dot(h[t], W_T, new)
            np.add(new, z[t], new)
            np.tanh(new, new)
        states = h[1:].reshape(rows, p.H)
        loss, grads, dh = self.head(states)
        np.multiply(h[1:], h[1:], slope)
        np.subtract(1, slope, slope)
        carry = np.zeros(h.shape[1:], p.dtype)
        for t in range(T - 1, -1, -1):
            d_t = d[t]
            np.add(dh[t], carry, d_t)
            np.multiply(d_t, slope[t], d_t)
            np.dot(d_t, W, carry)
        flat = d.reshape(rows, p.H)
        grads |= {"W_xh": np.dot(flat.T, self.x), "b_h": np.add.reduce(flat, 0),
                  "W_hh": np.dot(flat.T, h[:-1].reshape(rows, p.H))}
        return loss, grads


class RNNMinimal(ByHand):
    """The short one, in the style of min-char-rnn: everything inside the two loops."""

    def step(self):
        p, w = self.p, self.w
        h, prob, loss = {-1: np.zeros((p.B, p.H), p.dtype)}, {}, 0.0
        for t in range(p.T):
            h[t] = np.tanh(p.xs[t] @ w["W_xh"].T + h[t - 1] @ w["W_hh"].T + w["b_h"])
            y = h[t] @ w["W_hy"].T + w["b_y"]
            e = np.exp(y - y.max(1, keepdims=True))
            prob[t] = e / e.sum(1, keepdims=True)
            loss -= np.log(prob[t][np.arange(p.B), p.targets[t]]).sum() / p.B
        grads = {k: np.zeros_like(v) for k, v in w.items()}
        carry = np.zeros_like(h[-1])
        for t in reversed(range(p.T)):
            dy = prob[t].copy()
            dy[np.arange(p.B), p.targets[t]] -= 1
            dy /= p.B
            grads["W_hy"] += dy.T @ h[t]
            grads["b_y"] += dy.sum(0)
            d = (dy @ w["W_hy"] + carry) * (1 - h[t] * h[t])
            grads["W_xh"] += d.T @ p.xs[t]
            grads["W_hh"] += d.T @ h[t - 1]
            grads["b_h"] += d.sum(0)
            carry = d @ w["W_hh"]
        return loss, grads


class LSTMByHand(ByHand):
    """Gates i, f, g, o; buffers made once, each dW one product."""

    def __init__(self, problem):
        super().__init__(problem)
        T, B, H, dtype = problem.T, problem.B, problem.H, problem.dtype
        self.h, self.c = np.zeros((2, T + 1, B, H), dtype)
        self.z, self.d = np.empty((2, T, B, 4 * H), dtype)
        self.tanh_c = np.empty((T, B, H), dtype)

    def step(self):
        p, w, h, c, z, d, tanh_c = self.p, self.w, self.h, self.c, self.z, self.d, self.tanh_c
        T, H, rows = p.T, p.H, p.T * p.B
        np.dot(self.x, w["W_xh"].T, z.reshape(rows, 4 * H))
        np.add(z, w["b_h"], z)
        W_T = w["W_hh"].T
        buffer, extra = np.empty_like(z[0]), np.empty_like(h[0])
        for t in range(T):
            a = z[t]
            np.dot(h[t], W_T, buffer)
            np.add(a, buffer, a)
            i, f, g, o = (a[:, k * H:(k + 1) * H] for k in range(4))
            for gate in (a[:, :2 * H], o):
                np.negative(gate, gate)
                np.exp(gate, gate)
                np.add(gate, 1, gate)
                np.reciprocal(gate, gate)
            np.tanh(g, g)
            np.multiply(f, c[t], c[t + 1])
            np.multiply(i, g, extra)
            np.add(c[t + 1], extra, c[t + 1])
            np.tanh(c[t + 1], tanh_c[t])
            np.multiply(o, tanh_c[t], h[t + 1])
        loss, grads, dh_all = self.head(h[1:].reshape(rows, H))
        dh, dc = np.zeros_like(h[0]), np.zeros_like(h[0])
        for t in range(T - 1, -1, -1):
            a, d_t = z[t], d[t]
            i, f, g, o = (a[:, k * H:(k + 1) * H] for k in range(4))
            d_i, d_f, d_g, d_o = (d_t[:, k * H:(k + 1) * H] for k in range(4))
            np.add(dh, dh_all[t], dh)
            np.multiply(tanh_c[t], tanh_c[t], extra)
            np.subtract(1, extra, extra)
            np.multiply(extra, o, extra)
            np.multiply(extra, dh, extra)
            np.add(dc, extra, dc)
            np.multiply(dh, tanh_c[t], d_o)
            np.multiply(dc, g, d_i)
            np.multiply(dc, c[t], d_f)
            np.multiply(dc, i, d_g)
            for delta, gate in ((d_t[:, :2 * H], a[:, :2 * H]), (d_o, o)):
                np.multiply(delta, gate, delta)
                np.multiply(delta, 1 - gate, delta)
            np.multiply(d_g, 1 - g * g, d_g)
            np.multiply(dc, f, dc)
            np.dot(d_t, w["W_hh"], dh)
        flat = d.reshape(rows, 4 * H)
        grads |= {"W_xh": np.dot(flat.T, self.x), "b_h": np.add.reduce(flat, 0),
                  "W_hh": np.dot(flat.T, h[:-1].reshape(rows, H))}
        return loss, grads


class GRUByHand(ByHand):
    """Gates r, z, n with the reset after the product; buffers made once, each dW one product."""

    def __init__(self, problem):
        super().__init__(problem)
        T, B, H, dtype = problem.T, problem.B, problem.H, problem.dtype
        self.h = np.zeros((T + 1, B, H), dtype)
        self.a, self.d_x, self.d_h = np.empty((3, T, B, 3 * H), dtype)
        self.q = np.empty((T, B, H), dtype)

    def step(self):
        p, w, h, a, q_all, d_x, d_h = self.p, self.w, self.h, self.a, self.q, self.d_x, self.d_h
        T, H, rows = p.T, p.H, p.T * p.B
        np.dot(self.x, w["W_xh"].T, a.reshape(rows, 3 * H))
        np.add(a, w["b_h"], a)
        W_T = w["W_hh"].T
        buffer, extra = np.empty_like(a[0]), np.empty_like(h[0])
        for t in range(T):
            a_t, q = a[t], q_all[t]
            np.dot(h[t], W_T, buffer)
            gates = a_t[:, :2 * H]
            np.add(gates, buffer[:, :2 * H], gates)
            np.negative(gates, gates)
            np.exp(gates, gates)
            np.add(gates, 1, gates)
            np.reciprocal(gates, gates)
            r, z, n = (a_t[:, k * H:(k + 1) * H] for k in range(3))
            np.add(buffer[:, 2 * H:], w["b_hn"], q)
            np.multiply(r, q, extra)
            np.add(n, extra, n)
            np.tanh(n, n)
            np.subtract(h[t], n, extra)
            np.multiply(extra, z, extra)
            np.add(n, extra, h[t + 1])
        loss, grads, dh_all = self.head(h[1:].reshape(rows, H))
        dh, carry = np.zeros_like(h[0]), np.zeros_like(h[0])
        for t in range(T - 1, -1, -1):
            r, z, n = (a[t][:, k * H:(k + 1) * H] for k in range(3))
            r_x, z_x, n_x = (d_x[t][:, k * H:(k + 1) * H] for k in range(3))
            np.add(carry, dh_all[t], dh)
            np.subtract(h[t], n, z_x)
            np.multiply(z_x, dh, z_x)
            np.multiply(z_x, z * (1 - z), z_x)
            np.multiply(dh, 1 - z, n_x)
            np.multiply(n_x, 1 - n * n, n_x)
            np.multiply(n_x, q_all[t], r_x)
            np.multiply(r_x, r * (1 - r), r_x)
            d_h[t][:, :2 * H] = d_x[t][:, :2 * H]
            np.multiply(n_x, r, d_h[t][:, 2 * H:])
            np.dot(d_h[t], w["W_hh"], carry)
            np.multiply(dh, z, dh)
            np.add(carry, dh, carry)
        flat_x, flat_h = d_x.reshape(rows, 3 * H), d_h.reshape(rows, 3 * H)
        grads |= {"W_xh": np.dot(flat_x.T, self.x), "b_h": np.add.reduce(flat_x, 0),
                  "W_hh": np.dot(flat_h.T, h[:-1].reshape(rows, H)),
                  "b_hn": np.add.reduce(flat_h[:, 2 * H:], 0)}
        return loss, grads
