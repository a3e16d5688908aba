"""Learning rates that change: plain functions of the step.

The question this file answers: *how large should the k-th update be?*

A schedule is a function `schedule(k) -> lr`, k = 0 for the first update. Give one in the place of
`lr`, and the optimiser asks it before each update; any function will do:

    optim.Adam(model, lr=optim.warm_up(optim.cosine_decay(1e-3, steps=900), steps=100))
    optim.SGD(model, lr=lambda k: 0.1 / (1 + k))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError
from ..nn.options import number

Schedule = Callable[[int], float]


def step_decay(lr: float, step_size: int, gamma: float = 0.1) -> Schedule:
    """lr γ^⌊k / step_size⌋: multiplied by `gamma` after every `step_size` updates."""
    lr, gamma = rate(lr, "lr", "step_decay"), rate(gamma, "gamma", "step_decay")
    whole(step_size, "step_size", "step_decay")
    return lambda k: lr * gamma ** (k // step_size)


def exponential_decay(lr: float, gamma: float) -> Schedule:
    """lr γ^k: multiplied by `gamma` after every update."""
    lr, gamma = rate(lr, "lr", "exponential_decay"), rate(gamma, "gamma", "exponential_decay")
    return lambda k: lr * gamma ** k


def cosine_decay(lr: float, steps: int, lr_min: float = 0.0) -> Schedule:
    """lr_min + (lr - lr_min) (1 + cos(π k / steps)) / 2: half a cosine down to `lr_min`, which it
    then keeps   (Loshchilov and Hutter 2017)."""
    lr, lr_min = rate(lr, "lr", "cosine_decay"), rate(lr_min, "lr_min", "cosine_decay")
    whole(steps, "steps", "cosine_decay")
    return lambda k: lr_min + 0.5 * (lr - lr_min) * (1 + math.cos(math.pi * min(k, steps) / steps))


def warm_up(then: float | Schedule, steps: int) -> Schedule:
    """Rise in equal parts for `steps` updates, lr/steps, 2 lr/steps, ..., lr; then go on with
    `then`: a fixed lr, or a schedule from its beginning (lr is its first value)."""
    whole(steps, "steps", "warm_up")
    if callable(then):
        after: Schedule = then
    else:
        fixed = rate(then, "lr", "warm_up")
        after = lambda k: fixed
    return lambda k: rate(after(0), "lr", "warm_up") * (k + 1) / steps if k < steps else \
        after(k - steps)


def whole(n: int, name: str, where: str) -> None:
    """Raise `InputError` unless n is a whole number of at least 1."""
    n_is_real = isinstance(n, (int, float, np.number)) and not isinstance(n, bool)
    if not n_is_real or not math.isfinite(n) or n != int(n) or n < 1:
        raise InputError(f"expected {name} to be a whole number of at least 1, got {n!r}",
                         where=where)


def rate(x: Any, name: str, where: str) -> float:
    """A finite number of at least 0."""
    return number(x, name, where, least=0.0)
