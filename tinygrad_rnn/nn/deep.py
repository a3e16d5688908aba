"""Cells that are deep within a step, and cells with shortcuts.

The question this file answers: *where can more layers go in a recurrence, besides on top of it?*
(Pascanu et al. 2014, "How to construct deep recurrent neural networks")
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from ..core import ops
from ..errors import InputError
from . import activations
from . import init as inits
from .activations import Activation
from .cells import AffineCell, Cell
from .linear import Linear
from .module import parameter
from .options import float_type, size, sizes, yes_or_no
from .sequence import given_step


class DeepRNNCell(Cell):
    """A vanilla cell with more layers on any of its three ways

        v   = φ(W x_t + b)                          deep input, any number of such layers
        u   = φ(W_xh v + W_hh h_{t-1} + b_h)        here the past comes in
        h_t = φ(W u + b [+ W_s h_{t-1}])            deep transition, any number of such layers
        y_t = φ(W h_t + b)                          deep output, any number of such layers

    `deep_input`, `deep_transition` and `deep_output` are lists of sizes: of each v, of u and what
    lies between it and h_t, of each y. So `deep_transition=[5]` means u (B, 5) and then h_t (B, H);
    with `shortcut=True` h_t also sees h_{t-1} directly, past u. Without any of them this is
    `RNNCell`. φ is `nonlinearity`.

    `x` is (B, I) or (I,), `state` is h_{t-1}: (B, H) or (H,). Returns (y_t, h_t); y_t is h_t
    without a deep output.

    Parameters: lists of `Linear` in `input_layers`, `transition_layers` and `output_layers`; and
    with M the size of u (H without a deep transition) `W_xh` (M, size of v, or I), `W_hh` (M, H),
    `b_h` (M,), `W_s` (H, H). `init`, `seed` and `dtype` are those of `RNNCell`.
    """

    def __init__(self, input_size: int, hidden_size: int,
                 nonlinearity: str | Activation = "tanh", *, deep_input: Iterable[int] = (),
                 deep_transition: Iterable[int] = (), deep_output: Iterable[int] = (),
                 shortcut: bool = False, init: str | inits.Init = "uniform", seed: Any = None,
                 dtype: Any = None) -> None:
        where = "DeepRNNCell"
        self.input_size = size(input_size, "input_size", where)
        self.hidden_size = size(hidden_size, "hidden_size", where)
        self.dtype, self.nonlinearity = float_type(dtype, where), nonlinearity
        self.activation = activations.activation(nonlinearity, where, "nonlinearity")
        self.sizes = {
            name: sizes(given, name, where) for name, given in (
                ("deep_input", deep_input), ("deep_transition", deep_transition),
                ("deep_output", deep_output))}
        self.shortcut = yes_or_no(shortcut, "shortcut", where)
        self.init = inits.find(init, where)
        if shortcut and not self.sizes["deep_transition"]:
            raise InputError("a shortcut needs a deep transition to go past", where=where,
                             fix="deep_transition=[M]")
        self.draw(inits.generator(seed, where))

    @property
    def output_size(self) -> int:
        """The size of y_t."""
        return (self.hidden_size, *self.sizes["deep_output"])[-1]

    def draw(self, rng: np.random.Generator) -> None:
        self.rng, H = rng, self.hidden_size
        v = [self.input_size, *self.sizes["deep_input"]]
        u = [*self.sizes["deep_transition"], H]
        self.input_layers = self.linears(v)
        self.W_xh = self.drawn(self.init, (u[0], v[-1]), "W_xh")
        self.W_hh = self.drawn(self.init, (u[0], H), "W_hh")
        self.b_h = self.drawn(self.init, (u[0],), "b_h")
        self.transition_layers = self.linears(u)
        self.W_s = self.drawn(self.init, (H, H), "W_s") if self.shortcut else None
        self.output_layers = self.linears([H, *self.sizes["deep_output"]])

    def linears(self, sizes: list[int]) -> list[Linear]:
        """Linear layers from size to size."""
        return [Linear(a, b, init=self.init, seed=self.rng, dtype=self.dtype)
                for a, b in pairwise(sizes)]

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        x, (past,) = self.operands(x, state)
        for layer in self.input_layers:
            x = self.activation(layer.one(x))
        h = self.activation(ops.linear(x, self.W_xh) + ops.linear(past, self.W_hh) + self.b_h)
        for k, layer in enumerate(self.transition_layers):
            z = layer.one(h)
            if self.W_s is not None and k == len(self.transition_layers) - 1:
                z = z + ops.linear(past, self.W_s)
            h = self.activation(z)
        y = h = h.named("h")
        for layer in self.output_layers:
            y = self.activation(layer.one(y))
        return y, h

    def settings(self) -> str:
        deep = [f"{name}={sizes}" for name, sizes in self.sizes.items() if sizes]
        name = activations.title(self.nonlinearity)
        return ", ".join([f"{self.input_size}, {self.hidden_size}, {name}", *deep,
                          *["shortcut"] * self.shortcut])


class SkipRNNCell(AffineCell):
    """A vanilla cell that also sees states further back

        h_t = φ(W_xh x_t + W_hh h_{t-1} + W_s3 h_{t-3} + b_h)        for skips=(3,)

    `skips` are the steps back, each 2 or more, with a matrix `W_s2`, `W_s3`, ... (H, H) for each.
    The way of a gradient over many steps is shorter by that factor (Lin et al. 1996).

    `x` is (B, I) or (I,). The state is the tuple (h_{t-1}, ..., h_{t-K}) of parts (B, H), K the
    longest skip; a single array given as initial state stands for all of them. Returns
    (h_t, state). The other arguments and parameters are those of `RNNCell`.
    """

    State = staticmethod(lambda *parts: parts)

    def __init__(self, input_size: int, hidden_size: int,
                 nonlinearity: str | Activation = "tanh", bias: bool = True, *,
                 skips: Iterable[int] = (2,), stacked: bool = False,
                 init: str | inits.Init = "uniform", init_hh: str | inits.Init | None = None,
                 seed: Any = None, dtype: Any = None) -> None:
        self.skips = sorted(set(sizes(skips, "skips", "SkipRNNCell")))
        if not self.skips or self.skips[0] < 2:
            raise InputError(f"expected skips of 2 steps or more, got {self.skips}",
                             where="SkipRNNCell", fix="W_hh sees the step before already")
        self.state_names = ("h",) * self.skips[-1]
        self.nonlinearity = nonlinearity
        self.activation = activations.activation(nonlinearity, "SkipRNNCell", "nonlinearity")
        self.settle((input_size, hidden_size), bias, stacked, init, init_hh, seed, dtype)

    def draw(self, rng: np.random.Generator) -> None:
        super().draw(rng)
        H = self.hidden_size
        for k in self.skips:
            setattr(self, f"W_s{k}", self.drawn(self.init_hh, (H, H), f"W_s{k}"))

    def lag(self, k: int) -> int:
        return k + 1

    def split(self, state: Any) -> list[Any]:
        if isinstance(state, (tuple, list)) and len(state) == len(self.state_names):
            return list(state)
        return [state] * len(self.state_names)

    def __call__(self, x: Any, state: Any = None, *, recurrent_mask: Any = None
                 ) -> tuple[Any, Any]:
        x, past = self.operands(x, state)
        z = self.affine(x, self.masked(past[0], recurrent_mask))
        for k in self.skips:
            W = getattr(self, f"W_s{k}")
            z = z + ops.linear(self.masked(past[k - 1], recurrent_mask), W)
        h = self.activation(z).named("h")
        return h, (h, *past[:-1])

    def settings(self) -> str:
        return (f"{self.input_size}, {self.hidden_size}, {activations.title(self.nonlinearity)}, "
                f"skips={self.skips}{self.options()}")


class ReadoutCell(Cell):
    """A cell with its own output at every step, that may see the input directly (output skip)

        y_t = W_hy h_t + b_y [+ W_xy x_t]            with skip=True

    with h_t the output of `cell`, and its state. `x` is (B, I) or (I,), `output_size` is O. Returns
    (y_t, state), y_t being (B, O) or (O,).

    Parameters: those of `cell`, `W_hy` (O, H), `b_y` (O,) unless `bias=False`, `W_xy` (O, I).
    `init` and `seed` are those of `RNNCell`.
    """

    def __init__(self, cell: Cell, output_size: int, *, skip: bool = False, bias: bool = True,
                 init: str | inits.Init = "uniform", seed: Any = None) -> None:
        where = "ReadoutCell"
        if not isinstance(cell, Cell):
            raise InputError(f"expected a cell such as nn.RNNCell, got {type(cell).__name__}",
                             where=where)
        self.cell, self.O = cell, size(output_size, "output_size", where)
        self.input_size, self.hidden_size = cell.input_size, cell.hidden_size
        self.dtype, self.state_names, self.State = cell.dtype, cell.state_names, cell.State
        self.skip, self.bias = yes_or_no(skip, "skip", where), yes_or_no(bias, "bias", where)
        self.init = inits.find(init, where)
        self.draw_readout(inits.generator(seed, where))

    @property
    def output_size(self) -> int:
        """The size of y_t."""
        return self.O

    def draw(self, rng: np.random.Generator) -> None:
        self.cell = copy.copy(self.cell)  # the cell that is here stays with its owner
        self.cell.draw(rng)
        self.draw_readout(rng)

    def draw_readout(self, rng: np.random.Generator) -> None:
        """New parameters of the output."""
        self.rng, width = rng, self.cell.output_size
        W = inits.values(self.init, rng, (self.O, width), width, self.dtype, "W_hy", "ReadoutCell")
        self.W_hy = parameter(W, "W_hy")
        self.W_xy = self.drawn(self.init, (self.O, self.input_size), "W_xy") if self.skip else None
        self.b_y = self.drawn(self.init, (self.O,), "b_y") if self.bias else None

    def lag(self, k: int) -> int:
        return self.cell.lag(k)

    def split(self, state: Any) -> list[Any]:
        return self.cell.split(state)

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        x = given_step(x, "x", self.dtype)
        h, state = self.cell(x, state)
        y = ops.linear(h, self.W_hy)
        y = y if self.b_y is None else y + self.b_y
        y = y if self.W_xy is None else y + ops.linear(x, self.W_xy)
        return y.named("y"), state

    def settings(self) -> str:
        return f"{self.O}{', skip' * self.skip}"
