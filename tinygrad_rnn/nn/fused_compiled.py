"""Fused layers whose loop over the steps is compiled, for those who ask for it.

The question this file answers: *how does `backend="numba"` come to the same numbers?*

The kernels are those of NumPy, and so are the desks, the products over all steps and the gradients
of the weights; the loops between them are those of `compiled`. They know tanh and the logistic
function, and neither peepholes nor a reset before the product: a layer that needs these is refused
when it is made. A pass with a mask, with sequences that begin in it or with recurrent dropout goes
through NumPy, as without the option.

Where few numbers are computed, it is the calls that cost: a compiled one with ten arrays takes as
long as three of NumPy. So a small vanilla layer is one call each way, its products and the
gradients of its weights included, and on any small compiled layer a `Linear` and `cross_entropy`
are compiled as well (`loops` among the parameters of a node says so).

Numba is an extra (`pip install "tinygrad-rnn[compiled]"`), imported when the first pass asks for
it. It compiles for each type of numbers once in a process, and keeps nothing on the disk.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from ..errors import InputError
from . import compiled, compiled_few
from .activations import ACTIVATIONS
from .fused_gru import GRUKernel
from .fused_lstm import LSTMKernel
from .fused_rnn import Deltas, RNNKernel, inputs
from .options import one_of

BACKENDS = "numpy", "numba"
FEW = 1 << 13  # products of two numbers: up to so many cost less than a call of NumPy does


@cache
def loops() -> Any:
    """The functions of `compiled` and `compiled_few` as Numba has them: each compiled at its first
    call for the types it gets, and calling the compiled ones, not those of Python."""
    from numba import njit

    make = njit(error_model="numpy", fastmath={"contract"})  # contract: a b + c rounded once
    names = {**vars(compiled), **vars(compiled_few)}  # where they find each other
    made = {name: make(FunctionType(f.__code__, names, name))
            for name, f in names.items() if isinstance(f, FunctionType)}
    names.update(made)
    return SimpleNamespace(**made)


def few(products: int) -> Any:
    """The compiled functions, where so little is computed that NumPy had better not be called at
    all; else None. `products` are those of two numbers, in the largest product of matrices."""
    return loops() if products <= FEW else None


def backend(given: Any, cell: Any, obstacle: str, where: str) -> str:
    """The option of a layer, checked against what its cell needs; `obstacle` is why it cannot be
    fused at all."""
    name = one_of(given, BACKENDS, "backend", where)
    if name == "numpy":
        return name
    known = ACTIVATIONS["tanh"], ACTIVATIONS["sigmoid"]
    why = obstacle
    if not why and cell.activation is not known[0]:
        why = "its loop knows no activation but tanh"
    elif not why and getattr(cell, "gate_activation", known[1]) is not known[1]:
        why = "its loop knows no gate_activation but sigmoid"
    elif not why and getattr(cell, "output_activation", known[0]) is not known[0]:
        why = "its loop knows no output_activation but tanh"
    elif not why and (getattr(cell, "peepholes", False) or not getattr(cell, "reset_after", True)):
        why = "its loop knows neither peepholes nor a reset before the product"
    if why:
        raise InputError(f"backend='numba' cannot run this layer: {why}", where=where,
                         fix="Leave the option out")
    if find_spec("numba") is None:
        raise InputError("backend='numba' needs Numba, which is not installed", where=where,
                         fix="pip install 'tinygrad-rnn[compiled]'")
    return name


class CompiledRNN(RNNKernel):
    """The vanilla recurrence, its loops compiled; of few numbers all of it, in one call each way:
    there a call of NumPy costs more than what it computes."""

    __slots__ = ("loops",)

    def forward(self) -> None:
        desk, W, reverse = self.desk, self.W_hh, self.way.reverse
        self.loops = few(desk.rows.size * max(self.x.shape[2], len(W)))
        if self.loops is not None:
            W_xh, b = self.weights["W_xh"], self.weights.get("b_h")
            self.loops.few_ahead(desk.states.whole, self.x, W_xh, b, W, reverse)
        else:
            self.from_x()
            loops().rnn_ahead(desk.states.whole, turned(W), reverse)

    def backward(self, g: Any) -> Deltas:
        if not self.way.plain:
            return super().backward(g)
        lent, W, way, found = self.desk.lend(), self.W_hh, self.way, None
        delta, states, g = lent.delta.whole, self.desk.states.whole, np.ascontiguousarray(g)
        d_h = lent.carry if way.zero else np.empty(states.shape[1:], states.dtype)
        if self.loops is not None:
            d_x = np.zeros(self.weights["W_xh"].shape, W.dtype)
            d_W, d_b = np.zeros(W.shape, W.dtype), np.zeros(len(W), W.dtype)
            self.loops.few_back(g, states, self.x, W, way.reverse, delta, d_h, d_x, d_W, d_b)
            found = {"W_xh": d_x, "W_hh": d_W, "b_h": d_b}
        else:
            loops().rnn_back(g, states, delta, d_h, np.ascontiguousarray(W), way.reverse)
        return Deltas(delta, delta, [d_h], [], lent, found)

    def gradient(self, name: str, deltas: Deltas) -> Any:
        return super().gradient(name, deltas) if deltas.weights is None else deltas.weights[name]


class CompiledLSTM(LSTMKernel):
    """The LSTM, its loops compiled."""

    def forward(self, lent: Any) -> None:
        desk = self.desk
        self.loops = few(self.x.size * len(self.W_xh))
        inputs(self.x, self.W_xh, self.b_h, lent.delta.rows)
        loops().lstm_ahead(desk.whole, lent.delta.whole, desk.gates, desk.shown, turned(self.W_hh),
                           self.way.reverse)

    def backward(self, g: Any) -> Deltas:
        if not self.way.plain:
            return super().backward(g)
        desk, lent = self.desk, self.desk.lend()
        g_h, g_c = (g, g[:0]) if g.ndim == 3 else g
        d_h, d_c = np.zeros_like(desk.whole[:, 0])
        loops().lstm_back(np.ascontiguousarray(g_h), np.ascontiguousarray(g_c), desk.whole,
                          desk.gates, desk.shown, lent.delta.whole, d_h, d_c, self.W_hh,
                          self.way.reverse)
        return Deltas(lent.delta.whole, lent.delta.whole, [d_h, d_c], [], lent)


class CompiledGRU(GRUKernel):
    """The GRU with the reset after the product, its loops compiled."""

    def forward(self, lent: Any) -> None:
        desk, way = self.desk, self.way
        if not way.plain:
            super().forward(lent)
            return
        self.loops = few(self.x.size * len(self.W_xh))
        T, _, B, H = desk.gates.shape
        b_hn = self.weights.get("b_hn", np.zeros(H, desk.gates.dtype))
        loops().gru_ahead(desk.states.whole, lent.from_x.reshape(T, B, 3 * H), desk.gates,
                          desk.past, np.ascontiguousarray(b_hn), turned(self.W_hh), way.reverse)

    def backward(self, g: Any) -> Deltas:
        if not self.way.plain:
            return super().backward(g)
        desk, lent = self.desk, self.desk.lend()
        d_h, delta = np.zeros_like(desk.states.whole[0]), lent.delta.whole
        loops().gru_back(np.ascontiguousarray(g), desk.states.whole, desk.gates, desk.past, delta,
                         d_h, self.W_hh, self.way.reverse)
        return Deltas(delta, delta[..., d_h.shape[1]:], [d_h], [], lent)


def turned(W: Any) -> Any:
    """Wᵀ, its rows next to each other."""
    return np.ascontiguousarray(W.T)


COMPILED = {RNNKernel: CompiledRNN, LSTMKernel: CompiledLSTM, GRUKernel: CompiledGRU}
