"""A recurrence with a hand-written backward, and the mistakes that people make in it.

    z_t = W_xh x_t + W_hh h_{t-1} + b_h     h_t = φ(z_t)     y_t = W_hy h_t + b_y     L = Σ_t L_t

`model(seed, regime)` is a random one: its forward, its inputs, and `backward(bug)`, which is right
for `bug=None` and otherwise makes the mistake of that name. `BUGS` is the list, each with the words
for it. Everything is plain NumPy: nothing of the package is used.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

BUGS = {
    "missing dh_next": "dh_next is not added: no gradient comes from the step after",
    "dh_next without W_hh": "dh_next is dz, without the product with W_hh",
    "W_hh transposed": "dh_next = dz W_hh.T for dz W_hh",
    "dh_next subtracted": "dh = dy - dh_next: a wrong sign",
    "dh_next a ten-millionth off": "dh_next is multiplied by 1 + 1e-7",
    "dh_next clipped": "dh_next is clipped to ±0.5, as for training",
    "truncated after 2": "dh_next stops after two steps",
    "no slope of φ": "dz = dh, without the slope of the activation",
    "slope at z": "the slope of φ is computed from z where h belongs",
    "slope without the square": "1 - h for 1 - h² (relu: h for h > 0)",
    "slope of the step before": "the slope of φ is taken at h_{t-1}",
    "slope in float32": "dz is stored in a float32 array",
    "W_hh assigned": "dW_hh = for +=: one step is left",
    "W_xh assigned": "dW_xh = for +=",
    "b_h assigned": "db_h = for +=",
    "W_hy assigned": "dW_hy = for +=",
    "h_t for h_{t-1}": "dW_hh takes the state after the step, not before it",
    "h_{t-1} for h_t": "dW_hy takes the state before the step",
    "x of the next step": "dW_xh takes x_{t+1} (the first one at the end)",
    "first step skipped": "the loop ends one step early",
    "averaged over T": "every gradient is divided by T",
    "averaged over B": "every gradient is divided by B",
    "bias of one sample": "db_h is not summed over the batch: the first sample is taken",
    "b_y averaged": "db_y is a mean over the batch",
    "last loss only": "the losses before the last one are forgotten",
    "output gradient doubled": "dy is twice what it should be",
    "rows shifted": "the rows of dW_hh are rolled by one",
    "one entry": "one entry of dW_hh is wrong by a thousandth",
    "weight decay left in": "1e-5 W_hh is added to dW_hh",
    "h_0 without W_hh": "dh_0 is dz_1, without the product with W_hh",
}
REGIMES = ("normal", "chaotic", "saturated", "large offset", "relu")


@dataclass
class Zoo:
    """One model. `style` says how the forward is written; none of it changes the numbers."""

    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    phi: str
    loss: str
    offset: float
    style: str
    memory: dict[bytes, Any] | None = field(default=None, repr=False)

    def forward(self, p):
        """The loss, one number."""
        return self.run(p)[0]

    def run(self, p):
        """(loss, states, pre-activations, what leaves the loss through every y_t). With a `memory`
        each point is computed once."""
        if self.memory is None:
            return self.compute(p)
        key = b"".join(np.asarray(x).tobytes() for x in p.values())
        if key not in self.memory:
            self.memory[key] = self.compute(p)
        return self.memory[key]

    def compute(self, p):
        """`run`, without the memory."""
        xs, h = p["xs"], p["h0"]
        T = len(xs)
        hs, zs = [h], []
        if self.style == "array":  # written into real arrays: no complex number gets through
            hs, zs = np.zeros((T + 1, *h.shape)), np.zeros((T, *h.shape))
            hs[0] = h
        for t in range(T):
            z = xs[t] @ p["W_xh"].T + hs[t] @ p["W_hh"].T + p["b_h"]
            h = np.tanh(z) if self.phi == "tanh" else np.maximum(z, 0.0)
            if self.style == "array":
                zs[t], hs[t + 1] = z, h
            else:
                zs.append(z)
                hs.append(h)
        states = hs[1:] if self.style == "array" else np.stack(hs[1:])
        loss, dys = self.output_loss(states @ p["W_hy"].T + p["b_y"])
        return loss + self.offset, hs, zs, dys

    def output_loss(self, y):
        """The loss of all steps, summed over the batch, and its gradient at every y_t."""
        if self.loss == "squared":
            e = y - self.targets
            return 0.5 * (e * e).sum(), e
        top = y.max(axis=-1, keepdims=True)
        e = np.exp(y - top)
        p = e / e.sum(axis=-1, keepdims=True)
        if self.loss == "softmax":
            return -np.log((p * self.targets).sum(axis=-1)).sum(), p - self.targets
        stable = y - top - np.log(e.sum(axis=-1, keepdims=True))
        return -(stable * self.targets).sum(), p - self.targets

    def slope(self, z, h):
        """φ'(z), from h = φ(z)."""
        return 1.0 - h * h if self.phi == "tanh" else (z > 0.0) * 1.0

    def backward(self, bug=None):
        """The backward function that makes this mistake."""
        return lambda p: self.back(p, bug)

    def back(self, p, bug=None):
        """Backpropagation through time."""
        _, hs, zs, dys = self.run(p)
        xs, (T, B) = p["xs"], p["xs"].shape[:2]
        d = {name: np.zeros_like(x) for name, x in p.items()}
        dh_next = np.zeros_like(p["h0"])
        for t in reversed(range(T)):
            dy = self.output_gradient(dys, t, bug)
            before, h, x = hs[t], hs[t + 1], xs[t]
            d["W_hy"] = (0.0 if bug == "W_hy assigned" else d["W_hy"]) \
                + dy.T @ (before if bug == "h_{t-1} for h_t" else h)
            d["b_y"] = d["b_y"] + (dy.mean(0) if bug == "b_y averaged" else dy.sum(0))
            dz = self.through(zs[t], h, before, dy @ p["W_hy"], dh_next, bug)
            if bug == "first step skipped" and t == 0:
                break
            x = xs[(t + 1) % T] if bug == "x of the next step" else x
            d["W_xh"] = (0.0 if bug == "W_xh assigned" else d["W_xh"]) + dz.T @ x
            d["W_hh"] = (0.0 if bug == "W_hh assigned" else d["W_hh"]) \
                + dz.T @ (h if bug == "h_t for h_{t-1}" else before)
            d["b_h"] = (0.0 if bug == "b_h assigned" else d["b_h"]) \
                + (dz[0] if bug == "bias of one sample" else dz.sum(0))
            d["xs"][t] = dz @ p["W_xh"]
            dh_next = self.to_the_step_before(dz, p["W_hh"], T - 1 - t, bug)
            d["h0"] = dz if bug == "h_0 without W_hh" else dh_next
        return self.afterwards(d, p, T, B, bug)

    def output_gradient(self, dys, t, bug):
        """What leaves the loss of step t through y_t."""
        if bug == "last loss only" and t < len(dys) - 1:
            return 0.0 * dys[t]
        return 2.0 * dys[t] if bug == "output gradient doubled" else dys[t]

    def through(self, z, h, before, from_y, dh_next, bug):
        """dz_t, from what comes from y_t and from the step after."""
        if bug == "missing dh_next":
            dh_next = 0.0 * dh_next
        dh = from_y - dh_next if bug == "dh_next subtracted" else from_y + dh_next
        if bug == "no slope of φ":
            return dh
        if bug == "slope at z":
            return dh * (1.0 - z * z if self.phi == "tanh" else z)
        if bug == "slope without the square":
            return dh * (1.0 - h if self.phi == "tanh" else h)
        if bug == "slope of the step before":
            return dh * self.slope(before, before)
        dz = dh * self.slope(z, h)
        return dz.astype(np.float32).astype(float) if bug == "slope in float32" else dz

    def to_the_step_before(self, dz, W, done, bug):
        """dh_next: what goes back to h_{t-1}; `done` steps were done before this one."""
        if bug == "dh_next without W_hh":
            return dz
        dh = dz @ (W.T if bug == "W_hh transposed" else W)
        if bug == "truncated after 2" and done % 2:
            return 0.0 * dh
        if bug == "dh_next clipped":
            return np.clip(dh, -0.5, 0.5)
        return dh * (1.0 + 1e-7) if bug == "dh_next a ten-millionth off" else dh

    def afterwards(self, d, p, T, B, bug):
        """What is done to the finished gradients."""
        if bug == "averaged over T":
            return {name: g / T for name, g in d.items()}
        if bug == "averaged over B":
            return {name: g / B for name, g in d.items()}
        if bug == "rows shifted":
            d["W_hh"] = np.roll(d["W_hh"], 1, axis=0)
        if bug == "one entry":
            d["W_hh"][0, -1] *= 1.001
        if bug == "weight decay left in":
            d["W_hh"] = d["W_hh"] + 1e-5 * p["W_hh"]
        return d


def model(seed, regime="normal"):
    """A random model of one of the `REGIMES`; its sizes, loss and style are random too. One whose
    loss is not finite (a softmax that underflows) is drawn again."""
    r = np.random.default_rng([seed, REGIMES.index(regime)])
    while True:
        drawn = draw(r, regime)
        with np.errstate(all="ignore"):
            if np.isfinite(drawn.forward(drawn.inputs)):
                return drawn


def draw(r, regime):
    """One model, with any loss."""
    T, B, I, H, O = (int(r.integers(*between)) for between in
                     [(3, 9), (1, 5), (1, 5), (2, 7), (2, 5)])
    gain, width = 1.0, 1.0
    if regime == "chaotic":
        T, gain = int(r.integers(12, 24)), r.uniform(2.0, 4.0)
    elif regime == "saturated":
        gain, width = r.uniform(3.0, 10.0), r.uniform(3.0, 10.0)
    elif regime == "relu":
        gain = r.uniform(1.0, 2.0)
    sizes = {"xs": (T, B, I), "h0": (B, H), "W_xh": (H, I), "W_hh": (H, H), "b_h": (H,),
             "W_hy": (O, H), "b_y": (O,)}
    scales = {"xs": 1.0, "h0": 0.5, "W_xh": width / np.sqrt(I), "W_hh": gain / np.sqrt(H),
              "b_h": 0.5, "W_hy": width, "b_y": 0.5}
    inputs = {name: scales[name] * r.normal(size=size) for name, size in sizes.items()}
    offset = 10.0 ** r.uniform(3.0, 8.0) if regime == "large offset" else 0.0
    loss = str(r.choice(["squared", "softmax", "log-softmax"]))
    targets = r.normal(size=(T, B, O)) if loss == "squared" else \
        np.eye(O)[r.integers(O, size=(T, B))]
    return Zoo(inputs, targets, "relu" if regime == "relu" else "tanh", loss, offset,
               str(r.choice(["array", "list"])))


def effect(right, wrong):
    """|Δg| / |g| over all parameters."""
    size = np.sqrt(sum(float(np.sum(g * g)) for g in right.values()))
    change = np.sqrt(sum(float(np.sum((wrong[n] - g) ** 2)) for n, g in right.items()))
    return change / size if size else 0.0
