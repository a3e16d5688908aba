"""The same training step in this package and in the frameworks that are installed: each a class as
in `handwritten`. What is not installed is left out."""

from importlib.util import find_spec

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Ours:
    """A layer, a head and a loss, as a user writes them."""

    options = {"fused": True}

    def __init__(self, problem):
        p = self.p = problem
        layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[p.kind]
        self.layer = layer(p.V, p.H, return_sequences=True, dtype=p.dtype, **self.options)
        self.head = nn.Linear(p.H, p.V, name="hy", dtype=p.dtype)
        self.xs, self.targets = tg.Tensor(p.xs), p.targets
        self.params = dict(self.layer.cell.named_parameters()) | dict(self.head.named_parameters())
        for name, leaf in self.params.items():
            leaf.data = p.weights[name]

    def nudge(self, factor):
        for leaf in self.params.values():
            leaf.data *= leaf.dtype.type(factor)

    def step(self):
        for leaf in self.params.values():
            leaf.zero_grad()
        loss = nn.cross_entropy(self.head(self.layer(self.xs)), self.targets)
        loss.backward()
        return loss.item(), {name: leaf.grad for name, leaf in self.params.items()}


class OursByOps(Ours):
    """The same, every operation a node."""

    options = {}


class OursCompiled(Ours):
    """The same as one node, its loop compiled."""

    options = {"fused": True, "backend": "numba"}


class Torch:
    """torch.nn.RNN, LSTM or GRU with a linear head over all steps."""

    def __init__(self, problem):
        import torch

        p, self.torch = problem, torch
        self.p = p
        dtype = getattr(torch, p.dtype)
        self.xs, self.targets = torch.tensor(p.xs), torch.tensor(p.targets.reshape(-1))
        self.head = torch.nn.Linear(p.H, p.V, dtype=dtype)
        self.net = self.network(dtype)
        suffix = "_l0" if hasattr(self.net, "weight_ih_l0") else ""
        self.params = {name: getattr(self.net, key + suffix) for name, key in
                       (("W_xh", "weight_ih"), ("W_hh", "weight_hh"), ("b_h", "bias_ih"))}
        self.other = getattr(self.net, "bias_hh" + suffix)
        self.params |= {"W_hy": self.head.weight, "b_y": self.head.bias}
        with torch.no_grad():
            for name, param in self.params.items():
                param.copy_(torch.tensor(p.weights[name]))
            self.other.zero_()
            if p.kind == "gru":
                self.other[2 * p.H:] = torch.tensor(p.weights["b_hn"])

    def network(self, dtype):
        kind = {"rnn": self.torch.nn.RNN, "lstm": self.torch.nn.LSTM, "gru": self.torch.nn.GRU}
        return kind[self.p.kind](self.p.V, self.p.H, dtype=dtype)

    def nudge(self, factor):
        with self.torch.no_grad():
            for param in (*self.params.values(), self.other):
                param *= factor

    def outputs(self):
        return self.net(self.xs)[0]

    def step(self):
        p = self.p
        for param in (*self.params.values(), self.other):
            param.grad = None
        y = self.head(self.outputs()).reshape(-1, p.V)
        loss = self.torch.nn.functional.cross_entropy(y, self.targets, reduction="sum") / p.B
        loss.backward()
        grads = {name: param.grad.numpy() for name, param in self.params.items()}
        if p.kind == "gru":
            grads["b_hn"] = self.other.grad.numpy()[2 * p.H:]
        return loss.item(), grads


class TorchCell(Torch):
    """A loop over torch.nn.RNNCell, LSTMCell or GRUCell; the head over all steps."""

    def network(self, dtype):
        nets = self.torch.nn
        kind = {"rnn": nets.RNNCell, "lstm": nets.LSTMCell, "gru": nets.GRUCell}[self.p.kind]
        return kind(self.p.V, self.p.H, dtype=dtype)

    def outputs(self):
        state, found = None, []
        for x in self.xs:
            state = self.net(x, state)
            found.append(state[0] if self.p.kind == "lstm" else state)
        return self.torch.stack(found)


class Jax:
    """value_and_grad of a lax.scan, compiled; the head over all steps."""

    def __init__(self, problem):
        import jax

        self.p, self.jax = problem, jax
        jax.config.update("jax_enable_x64", problem.dtype == "float64")
        self.w = {k: jax.numpy.array(v) for k, v in problem.weights.items()}
        self.run = jax.jit(jax.value_and_grad(self.loss))
        self.xs, self.targets = jax.numpy.array(problem.xs), jax.numpy.array(problem.targets)

    def loss(self, w, xs, targets):
        jax, jnp, p, H = self.jax, self.jax.numpy, self.p, self.p.H
        sigma = jax.nn.sigmoid

        def rnn(h, x):
            h = jnp.tanh(x @ w["W_xh"].T + h @ w["W_hh"].T + w["b_h"])
            return h, h

        def lstm(state, x):
            h, c = state
            i, f, g, o = jnp.split(x @ w["W_xh"].T + h @ w["W_hh"].T + w["b_h"], 4, -1)
            c = sigma(f) * c + sigma(i) * jnp.tanh(g)
            h = sigma(o) * jnp.tanh(c)
            return (h, c), h

        def gru(h, x):
            x_r, x_z, x_n = jnp.split(x @ w["W_xh"].T + w["b_h"], 3, -1)
            h_r, h_z, h_n = jnp.split(h @ w["W_hh"].T, 3, -1)
            z = sigma(x_z + h_z)
            n = jnp.tanh(x_n + sigma(x_r + h_r) * (h_n + w["b_hn"]))
            h = (1 - z) * n + z * h
            return h, h

        zero = jnp.zeros((p.B, H), p.dtype)
        step = {"rnn": rnn, "lstm": lstm, "gru": gru}[p.kind]
        _, hs = jax.lax.scan(step, (zero, zero) if p.kind == "lstm" else zero, xs)
        logs = jax.nn.log_softmax(hs @ w["W_hy"].T + w["b_y"])
        return -jnp.take_along_axis(logs, targets[..., None], -1).sum() / p.B

    def nudge(self, factor):
        self.w = {k: (v * factor).astype(v.dtype) for k, v in self.w.items()}
        self.jax.block_until_ready(self.w)

    def step(self):
        loss, grads = self.jax.block_until_ready(self.run(self.w, self.xs, self.targets))
        return float(loss), {k: np.asarray(g) for k, g in grads.items()}


class Hips:
    """HIPS autograd: a loop, and a head at every step."""

    def __init__(self, problem):
        import autograd
        import autograd.numpy as anp

        self.p, self.np = problem, anp
        self.w = {k: v.copy() for k, v in problem.weights.items()}
        self.hot = np.eye(problem.V, dtype=problem.dtype)[problem.targets]
        self.run = autograd.value_and_grad(self.loss)

    def loss(self, w):
        anp, p, loss = self.np, self.p, 0.0
        h = np.zeros((p.B, p.H), p.dtype)
        for t in range(p.T):
            h = anp.tanh(anp.dot(p.xs[t], w["W_xh"].T) + anp.dot(h, w["W_hh"].T) + w["b_h"])
            y = anp.dot(h, w["W_hy"].T) + w["b_y"]
            top = np.max(getattr(y, "_value", y), 1, keepdims=True)
            logs = anp.log(anp.sum(anp.exp(y - top), 1)) + top[:, 0]
            loss = loss + (anp.sum(logs) - anp.sum(y * self.hot[t])) / p.B
        return loss

    def nudge(self, factor):
        for w in self.w.values():
            w *= w.dtype.type(factor)

    def step(self):
        return self.run(self.w)


def installed(module):
    return find_spec(module) is not None
