"""Cells: what happens in one step. A layer applies the same cell, the same weights, at every step.

The question this file answers: *what is computed between h_{t-1} and h_t?*

A cell is called as `output, state = cell(x, state)`. The state travels through the signature, so a
cell has no memory of its own, and any function of that form is a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.place import here, switch
from ..core.values import Tensor
from ..errors import InputError, ShapeError
from . import init as inits
from .module import Module, parameter
from .sequence import given_step

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": ops.tanh, "relu": ops.relu, "identity": lambda z: z}


class Cell(Module):
    """What the layers need of a cell: its sizes, its `dtype`, a first state and one step."""

    input_size: int
    hidden_size: int
    dtype: Any

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        """One step: (output, state) from the input x (B, I) and the state before."""
        raise NotImplementedError

    def initial_state(self, batch: tuple[int, ...] = ()) -> Any:
        """The state to start from: zeros (*batch, H), a constant `h`, one step before now."""
        now = here().step
        with switch(step=None if now is None else now - 1):
            return Tensor(np.zeros((*batch, self.hidden_size), self.dtype), name="h")

    def given_state(self, state: Any, batch: tuple[int, ...]) -> Any:
        """A state that a user gave, as a node. Raises `ShapeError` if it does not fit.

        What no gradient reaches (an array, a detached state) becomes a constant `h`, one step
        before now.
        """
        expected, got = (*batch, self.hidden_size), np.shape(getattr(state, "value", state))
        if got != expected:
            raise ShapeError(f"expected an initial state of shape {expected}, got {got}",
                             where=self.title())
        if isinstance(state, Node) and (state.requires_grad or state.step is not None):
            return state
        now = here().step
        with switch(step=None if now is None else now - 1):
            return Tensor(getattr(state, "value", state), name="h", dtype=self.dtype)

    def title(self) -> str:
        """How errors speak of this cell."""
        return f"{type(self).__name__}({self.settings()})"


class RNNCell(Cell):
    """The vanilla cell:  h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h)   (Elman 1990)

    `x` is (B, I) or (I,), `state` is h_{t-1}: (B, H) or (H,). Returns (h_t, h_t).

    Parameters: `W_xh` (H, I), `W_hh` (H, H), `b_h` (H,). φ (`nonlinearity`) is "tanh", "relu",
    "identity" or a function. `init` and `init_hh` (for W_hh; the same if None) are "uniform",
    "glorot", "orthogonal" or a function. `seed` is a number, a `numpy.random.Generator`, or None
    for fresh entropy. Raises `InputError` for sizes and names that cannot be, `ShapeError` for an
    x or state that does not fit.
    """

    def __init__(self, input_size: int, hidden_size: int,
                 nonlinearity: str | Callable[[Any], Any] = "tanh", bias: bool = True, *,
                 init: str | inits.Init = "uniform", init_hh: str | inits.Init | None = None,
                 seed: Any = None, dtype: Any = None) -> None:
        self.input_size = size(input_size, "input_size", "RNNCell")
        self.hidden_size = size(hidden_size, "hidden_size", "RNNCell")
        self.nonlinearity = nonlinearity
        self.activation = activation(nonlinearity, "RNNCell")
        self.dtype = float_type(dtype, "RNNCell")
        rng, H = np.random.default_rng(seed), self.hidden_size
        first = inits.find(init, "RNNCell")
        first_hh = first if init_hh is None else inits.find(init_hh, "RNNCell")
        self.W_xh = parameter(np.asarray(first(rng, (H, self.input_size), H), self.dtype), "W_xh")
        self.W_hh = parameter(np.asarray(first_hh(rng, (H, H), H), self.dtype), "W_hh")
        self.b_h = parameter(np.asarray(first(rng, (H,), H), self.dtype), "b_h") if bias else None

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        x = given_step(x, "x", self.dtype)
        if state is None:
            state = self.initial_state(x.shape[:-1])
        z = ops.linear(x, self.W_xh) + ops.linear(given_step(state, "h", self.dtype), self.W_hh)
        if self.b_h is not None:
            z = z + self.b_h
        h = self.activation(z).named("h")
        return h, h

    def settings(self) -> str:
        name = self.nonlinearity if isinstance(self.nonlinearity, str) else "φ"
        bias = ", bias=False" if self.b_h is None else ""
        return f"{self.input_size}, {self.hidden_size}, {name}{bias}"


def size(n: Any, name: str, where: str) -> int:
    """A whole number of at least 1."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(f"expected {name} to be a whole number of at least 1, got {n!r}",
                         where=where)
    return int(n)


def float_type(dtype: Any, where: str) -> Any:
    """float64 by default, or the float type asked for."""
    kind = np.dtype(np.float64 if dtype is None else dtype)
    if kind.kind != "f":
        raise InputError(f"expected dtype to be a float type such as 'float32', got {dtype!r}",
                         where=where)
    return kind


def activation(name: str | Callable[[Any], Any], where: str) -> Callable[[Any], Any]:
    """The activation function of that name, or the function itself."""
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise InputError(f"expected nonlinearity to be one of {', '.join(ACTIVATIONS)} or a "
                         f"function, got {name!r}", where=where)
    return ACTIVATIONS[name]
