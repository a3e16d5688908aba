"""Chains of states, for the tests of step Jacobians."""

import numpy as np

import tinygrad_rnn as tg

T, B, I, H = 5, 2, 3, 4
XS = np.random.default_rng(0).normal(size=(T, B, I))


def leaf(*shape, seed=0, name="h"):
    return tg.Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True, name=name)


def vanilla(W, phi=np.tanh, steps=20, h0=None):
    """h_t = φ(W h_{t-1} + x_t) by hand, from h_0."""
    rng = np.random.default_rng(1)
    W = tg.Tensor(W, requires_grad=True, name="W_hh")
    h = tg.Tensor(rng.normal(size=len(W.value)) if h0 is None else h0, requires_grad=True)
    states = [h.named("h")]
    for t in range(1, steps + 1):
        with tg.timestep(t):
            h = phi(tg.linear(h, W) + rng.normal(size=len(W.value))).named("h")
        states.append(h)
    return states


def same(x):
    return x * 1.0
