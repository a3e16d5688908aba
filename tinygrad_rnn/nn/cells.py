"""Cells: what happens in one step. A layer applies the same cell, the same weights, at every step.

The question this file answers: *what is computed between h_{t-1} and h_t?*

A cell is called as `output, state = cell(x, state)`. The state travels through the signature, so a
cell has no memory of its own, and any function of that form is a cell.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, constant, given
from ..core.place import here, switch
from ..core.values import Tensor
from ..errors import InputError, ShapeError, UnsupportedError
from . import activations
from . import init as inits
from .module import Module, parameter, refuse_shared
from .options import float_type, size, yes_or_no
from .sequence import given_step
from .steps_joined import shape_of

linear = ops.linear.of  # two operands and no options: the short way


class Cell(Module):
    """What the layers need of a cell: its sizes, its `dtype`, a first state and one step.

    A state is one node, or several: `State` is then their named tuple, and `state_names` says what
    the nodes are called in the graph. Each is (B, H).
    """

    input_size: int
    hidden_size: int
    dtype: Any
    rng: np.random.Generator
    state_names: tuple[str, ...] = ("h",)
    State: Callable[..., Any] | None = None

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        """One step: (output, state) from the input x (B, I) and the state before."""
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """The size of an output: of the last axis of what a layer around this cell returns."""
        return self.hidden_size

    def initial_state(self, batch: tuple[int, ...] = (), sign: int = 1) -> Any:
        """The state to start from: zeros (*batch, H), constants one step before now (or after it,
        with sign -1, where time runs in reverse)."""
        now, parts = here(), []
        for k, name in enumerate(self.state_names):
            place = now.step_at(None if now.step is None else now.step - sign * self.lag(k))
            zeros = np.zeros((*batch, self.hidden_size), self.dtype)
            parts.append(given(Tensor, zeros, place, constant).named(name))
        return self.joined(parts)

    def given_state(self, state: Any, batch: tuple[int, ...], sign: int = 1) -> Any:
        """A state that a user gave, as nodes. Raises `ShapeError` if it does not fit.

        What no gradient reaches (an array, a detached state) becomes a constant, as in
        `initial_state`. Of several parts, one that is None starts from zeros.
        """
        parts = self.split(state)
        expected = (*batch, self.hidden_size)
        for name, part in zip(self.state_names, parts):
            if part is not None and shape_of(part) != expected:
                which = "an initial state" if len(parts) == 1 else f"the initial state's {name}"
                raise ShapeError(f"expected {which} of shape {expected}, got {shape_of(part)}",
                                 where=self.place())
        return self.joined([self.before(np.zeros(expected) if part is None else part, k, sign)
                            for k, part in enumerate(parts)])

    def before(self, part: Any, k: int, sign: int) -> Any:
        """Part k of a first state as a node: one that a gradient can reach stays as it is."""
        now = here().step
        step = None if now is None else now - sign * self.lag(k)
        if isinstance(part, Node) and (part.requires_grad or None is not part.step == step):
            return part
        with switch(step=step):
            return Tensor(part.value if isinstance(part, Node) else part,
                          name=self.state_names[k], dtype=self.dtype)

    def lag(self, k: int) -> int:
        """How many steps ago part k of a state was made."""
        return 1

    def split(self, state: Any) -> list[Any]:
        """The parts of a state. Raises `InputError` if they are not as many as they should be."""
        names = self.state_names
        if len(names) == 1:
            if isinstance(state, tuple):
                raise InputError(f"expected a state {names[0]}, a single array, got a tuple of "
                                 f"{len(state)}", where=self.place())
            return [state]
        if not isinstance(state, (tuple, list)) or len(state) != len(names):
            got = f"{len(state)} parts" if isinstance(state, (tuple, list)) else "a single array"
            raise InputError(f"expected a state ({', '.join(names)}), got {got}",
                             where=self.place(),
                             fix=f"None in place of a part starts it from zeros: "
                                 f"({names[0]}, {', '.join(['None'] * (len(names) - 1))})")
        return list(state)

    def joined(self, parts: list[Any]) -> Any:
        """A state from its parts."""
        return parts[0] if self.State is None else self.State(*parts)

    def draw(self, rng: np.random.Generator) -> None:
        """New parameters, from this generator. A cell that says how can have a twin."""
        raise UnsupportedError(f"{type(self).__name__} does not say how to draw new parameters",
                               fix="Give both layers: nn.Bidirectional(forward, backward)")

    def drawn(self, init: inits.Init, shape: tuple[int, ...], name: str) -> Tensor:
        """A parameter with first values."""
        return parameter(inits.values(init, self.rng, shape, self.hidden_size, self.dtype, name,
                                      type(self).__name__), name)

    def twin(self) -> Any:
        """A cell of the same settings with parameters of its own, drawn from a spawned seed."""
        rng = getattr(self, "rng", None)
        other = copy.copy(self)
        other.draw(np.random.default_rng() if rng is None else rng.spawn(1)[0])
        refuse_shared(other, self)
        return other

    def operands(self, x: Any, state: Any) -> tuple[Any, list[Any]]:
        """The input and the parts of the state as nodes; zeros where no state, or part, is given.
        Raises `ShapeError` if one does not fit."""
        x = given_step(x, "x", self.dtype)
        *batch, size = x.value.shape or (None,)
        if size != self.input_size:
            raise ShapeError(f"expected x of shape (B, {self.input_size}) or ({self.input_size},), "
                             f"got {x.shape}", where=self.place())
        if state is None:
            return x, self.split(self.initial_state(tuple(batch)))
        expected, parts = (*batch, self.hidden_size), self.split(state)
        for k, name in enumerate(self.state_names):
            part = parts[k]
            if part is None:
                part = self.before(np.zeros(expected), k, 1)
            part = parts[k] = given_step(part, name, self.dtype)
            if part.value.shape != expected:
                raise ShapeError(f"expected the state {name} of shape {expected}, got "
                                 f"{part.shape}", where=self.place())
        return x, parts

    def place(self) -> str:
        """Which of several layers this cell is in, and its title."""
        scope = here().scope
        return f"{scope}, {self.title()}" if scope else self.title()

    def title(self) -> str:
        """How errors speak of this cell."""
        return f"{type(self).__name__}({self.settings()})"


class AffineCell(Cell):
    """Cells whose gates are all functions of z = W_xh x_t + W_hh h_{t-1} + b_h, with the rows of
    all gates in one matrix.

    Parameters: `W_xh` (G H, I), `W_hh` (G H, H), `b_h` (G H,) for G gates; with `stacked=True` one
    `W = [W_xh W_hh]` (G H, I + H) in the place of the two, and z = W [x_t; h_{t-1}] + b_h.

    A call may give a `recurrent_mask`, an array (B, H) that multiplies h_{t-1} in these products
    only: the same at every step of a sequence, it is recurrent dropout (Gal and Ghahramani 2016).
    """

    gates: str = "h"

    def settle(self, sizes: tuple[int, int], bias: bool, stacked: bool, init: str | inits.Init,
               init_hh: str | inits.Init | None, seed: Any, dtype: Any) -> None:
        """Take the settings that all these cells share, and draw the parameters."""
        where = type(self).__name__
        self.input_size = size(sizes[0], "input_size", where)
        self.hidden_size = size(sizes[1], "hidden_size", where)
        self.dtype = float_type(dtype, where)
        self.stacked = yes_or_no(stacked, "stacked", where)
        self.bias = yes_or_no(bias, "bias", where)
        self.init = inits.find(init, where)
        self.init_hh = self.init if init_hh is None else inits.find(init_hh, where)
        self.draw(inits.generator(seed, where))

    def draw(self, rng: np.random.Generator) -> None:
        self.rng, I, H = rng, self.input_size, self.hidden_size
        rows = len(self.gates) * H
        W_xh = self.drawn(self.init, (rows, I), "W_xh")
        W_hh = self.drawn(self.init_hh, (rows, H), "W_hh")
        if self.stacked:
            self.W = parameter(np.concatenate([W_xh.value, W_hh.value], 1), "W")
        else:
            self.W_xh, self.W_hh = W_xh, W_hh
        self.b_h = self.drawn(self.init, (rows,), "b_h") if self.bias else None

    def masked(self, h: Any, mask: Any) -> Any:
        """h with the entries of a dropout mask switched off."""
        if mask is None:
            return h
        if shape_of(mask) != shape_of(h):
            raise ShapeError(f"expected recurrent_mask of shape {shape_of(h)}, got "
                             f"{shape_of(mask)}", where=self.place())
        return h * mask

    def affine(self, x: Any, h: Any) -> Any:
        """z = W_xh x + W_hh h + b_h, or W [x; h] + b_h: (B, G H)."""
        if self.stacked:
            z = ops.linear(ops.concatenate(x, h, axis=-1), self.W)
        else:
            z = linear(x, self.W_xh) + linear(h, self.W_hh)
        return z if self.b_h is None else z + self.b_h

    def gate(self, z: Any, k: int) -> Any:
        """The rows of gate k: a slice of the result, never of the weight."""
        H = self.hidden_size
        return ops.getitem(z, index=(..., slice(k * H, (k + 1) * H)))

    def options(self) -> str:
        """What of these settings is not the default, for a repr."""
        return (", bias=False" if self.b_h is None else "") + (", stacked" * self.stacked)


class RNNCell(AffineCell):
    """The vanilla cell:  h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h)   (Elman 1990)

    `x` is (B, I) or (I,), `state` is h_{t-1}: (B, H) or (H,). Returns (h_t, h_t).

    Parameters: `W_xh` (H, I), `W_hh` (H, H), `b_h` (H,). With `stacked=True` one matrix
    `W = [W_xh W_hh]` (H, I + H) takes the place of two: h_t = φ(W [x_t; h_{t-1}] + b_h).

    `input_size` is I, `hidden_size` H; with `bias=False` there is no b_h. φ (`nonlinearity`) is
    "tanh", "relu", "identity", another name of `nn.ACTIVATIONS` or a function. `init` and `init_hh`
    (for W_hh; the same if None) are names of `nn.init.INITS` ("uniform", "glorot", "orthogonal",
    ...) or functions. `seed` is a number, a `numpy.random.Generator`, or None for fresh entropy;
    `dtype` is float64 if None. Raises `InputError` for sizes and names that cannot be, `ShapeError`
    for an x or state that does not fit.
    """

    def __init__(self, input_size: int, hidden_size: int,
                 nonlinearity: str | activations.Activation = "tanh", bias: bool = True, *,
                 stacked: bool = False, init: str | inits.Init = "uniform",
                 init_hh: str | inits.Init | None = None, seed: Any = None,
                 dtype: Any = None) -> None:
        self.nonlinearity = nonlinearity
        self.activation = activations.activation(nonlinearity, "RNNCell", "nonlinearity")
        self.settle((input_size, hidden_size), bias, stacked, init, init_hh, seed, dtype)

    def __call__(self, x: Any, state: Any = None, *, recurrent_mask: Any = None
                 ) -> tuple[Any, Any]:
        x, (h,) = self.operands(x, state)
        h = self.activation(self.affine(x, self.masked(h, recurrent_mask))).named("h")
        return h, h

    def settings(self) -> str:
        name = activations.title(self.nonlinearity)
        return f"{self.input_size}, {self.hidden_size}, {name}{self.options()}"
