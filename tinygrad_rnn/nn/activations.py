"""The nonlinearities that a cell can be asked for by name.

The question this file answers: *which φ does "hard_sigmoid" stand for?*
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import functions, ops
from ..errors import InputError

Activation = Callable[[Any], Any]

ACTIVATIONS: dict[str, Activation] = {
    "tanh": ops.tanh,
    "relu": ops.relu,
    "identity": lambda z: z,
    "sigmoid": ops.sigmoid,
    "hard_sigmoid": functions.hard_sigmoid,  # z / 6 + 1/2, between 0 and 1: PyTorch, Keras 3
    "hard_sigmoid_0.2": lambda z: functions.hard_sigmoid(1.2 * z),  # 0.2 z + 1/2: Keras 1 and 2,
    "hard_tanh": functions.hard_tanh,                               # TensorFlow.js, ONNX
    "softplus": functions.softplus,
    "softsign": lambda z: z / (1.0 + abs(z)),
    "elu": functions.elu,
    "selu": functions.selu,
    "gelu": functions.gelu,
    "silu": functions.silu,
}


def activation(name: str | Activation, where: str, argument: str = "activation") -> Activation:
    """The activation function of that name, or the function itself."""
    if callable(name):
        return name
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"expected {argument} to be one of {', '.join(ACTIVATIONS)} or a "
                         f"function, got {name!r}", where=where)
    return ACTIVATIONS[name]


def title(name: str | Activation) -> str:
    """How a repr speaks of an activation: its name, or φ for a function of the user's."""
    return name if isinstance(name, str) else "φ"
