"""Update rules: what a gradient does to its parameter.

The question this file answers: *which step does a gradient become?*

A rule is a plain function: from the gradient g, what it remembers of earlier ones (`memory`, a
dict, empty at first) and its options, it makes the step that is taken off the parameter and the new
memory. `RULES` is the table of them. Argument names and defaults are PyTorch's.

    p = p - step

Where a rule divides by a root, a small eps keeps it from dividing by 0. It stands beside the root,
sqrt(s) + eps, or under it, sqrt(s + eps), with `eps_inside_root=True`: texts and programs differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Memory = dict[str, Any]
Rule = Callable[..., tuple[Any, Memory]]


def root(s: Any, eps: float, inside: bool) -> Any:
    """sqrt(s) + eps, or sqrt(s + eps)."""
    return np.sqrt(s + eps) if inside else np.sqrt(s) + eps


def sgd(g: Any, memory: Memory, *, lr: float, momentum: float = 0.0, dampening: float = 0.0,
        nesterov: bool = False) -> tuple[Any, Memory]:
    """Gradient descent:  step = lr g

    With momentum μ a velocity is kept:  v = μ v + (1 - dampening) g,  step = lr v  (the first v is
    g). Nesterov's form looks ahead:  step = lr (g + μ v)   (Sutskever et al. 2013).
    """
    if momentum == 0:
        return lr * g, memory
    v = momentum * memory["velocity"] + (1.0 - dampening) * g if memory else 1.0 * g
    return lr * (g + momentum * v if nesterov else v), {"velocity": v}


def adagrad(g: Any, memory: Memory, *, lr: float, lr_decay: float = 0.0,
            initial_accumulator_value: float = 0.0, eps: float = 1e-10,
            eps_inside_root: bool = False) -> tuple[Any, Memory]:
    """s = s + g²,  step = lr g / (sqrt(s) + eps)   (Duchi et al. 2011)"""
    n = memory.get("steps", 0)
    s = memory.get("squares", initial_accumulator_value) + g * g
    step = lr / (1.0 + n * lr_decay) * g / root(s, eps, eps_inside_root)
    return step, {"steps": n + 1, "squares": s}


def rmsprop(g: Any, memory: Memory, *, lr: float, alpha: float = 0.99, eps: float = 1e-8,
            momentum: float = 0.0, centered: bool = False,
            eps_inside_root: bool = False) -> tuple[Any, Memory]:
    """s = α s + (1 - α) g²,  step = lr g / (sqrt(s) + eps)   (Hinton 2012, lecture 6e)

    `centered` takes the variance in the place of s: s - m², with m = α m + (1 - α) g (Graves 2013).
    With momentum μ:  v = μ v + g / (sqrt(s) + eps),  step = lr v.
    """
    new = {"squares": alpha * memory.get("squares", 0.0) + (1.0 - alpha) * g * g}
    spread = new["squares"]
    if centered:
        new["mean"] = alpha * memory.get("mean", 0.0) + (1.0 - alpha) * g
        spread = np.maximum(spread - new["mean"] ** 2, 0.0)  # rounding may take it below 0
    step = g / root(spread, eps, eps_inside_root)
    if momentum:
        step = new["velocity"] = momentum * memory.get("velocity", 0.0) + step
    return lr * step, new


def adam(g: Any, memory: Memory, *, lr: float, betas: tuple[float, float] = (0.9, 0.999),
         eps: float = 1e-8, amsgrad: bool = False,
         eps_inside_root: bool = False) -> tuple[Any, Memory]:
    """m = β₁ m + (1 - β₁) g,  s = β₂ s + (1 - β₂) g²
    step = lr m̂ / (sqrt(ŝ) + eps)   (Kingma and Ba 2015)

    m̂ = m / (1 - β₁ⁿ) and ŝ = s / (1 - β₂ⁿ), after n steps: both averages start at 0, and this
    makes up for it. `amsgrad` uses the largest s so far (Reddi et al. 2018).
    """
    (b1, b2), n = betas, memory.get("steps", 0) + 1
    m = b1 * memory.get("mean", 0.0) + (1.0 - b1) * g
    s = b2 * memory.get("squares", 0.0) + (1.0 - b2) * g * g
    new = {"steps": n, "mean": m, "squares": s}
    if amsgrad:
        s = new["largest"] = np.maximum(memory.get("largest", 0.0), s)
    m_hat, s_hat = m / (1.0 - b1 ** n), s / (1.0 - b2 ** n)
    return lr * m_hat / root(s_hat, eps, eps_inside_root), new


RULES: dict[str, Rule] = {
    "SGD": sgd, "Adagrad": adagrad, "RMSprop": rmsprop, "Adam": adam, "AdamW": adam}

# Weight decay is an L2 penalty, weight_decay * p added to the gradient, which the rule then scales
# like the rest of it. With these it acts on the parameter itself: p = p - lr * weight_decay * p
# (Loshchilov and Hutter 2019).
DECOUPLED = {"AdamW"}
