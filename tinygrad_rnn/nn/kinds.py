"""RNN, LSTM, GRU: a layer around each of the cells that the books describe.

The question this file answers: *which options belong to the cell, and which to the layer?*
"""

from __future__ import annotations

from typing import Any, Unpack

from . import init as inits
from .activations import Activation
from .cells import RNNCell
from .gated import GRUCell, LSTMCell
from .layer import LayerOptions
from .options import known_options
from .recurrent import Recurrent


class RNN(Recurrent):
    """The vanilla recurrent layer:  h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h),  t = 1..T   (Elman
    1990)

    φ is `nonlinearity`: "tanh" (default), "relu", "identity" or a function. `.cell` is an `RNNCell`
    and holds W_xh (H, I), W_hh (H, H), b_h (H,). What a call takes and returns: see `Layer`; the
    other options: see `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int,
                 nonlinearity: str | Activation = "tanh", bias: bool = True, *,
                 stacked: bool = False, init: str | inits.Init = "uniform",
                 init_hh: str | inits.Init | None = None, seed: Any = None, dtype: Any = None,
                 **options: Unpack[LayerOptions]) -> None:
        known_options(options, RNN, LayerOptions.__annotations__)
        super().__init__(RNNCell(input_size, hidden_size, nonlinearity, bias, stacked=stacked,
                                 init=init, init_hh=init_hh, seed=seed, dtype=dtype), **options)


class LSTM(Recurrent):
    """The LSTM layer: its equations stand at `LSTMCell`.

    `.cell` is an `LSTMCell` and holds W_xh (4H, I), W_hh (4H, H), b_h (4H,), gates in the order i,
    f, g, o. The state is a pair (h, c). What a call takes and returns: see `Layer`; the other
    options: see `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *,
                 activation: str | Activation = "tanh",
                 gate_activation: str | Activation = "sigmoid",
                 output_activation: str | Activation | None = None,
                 forget_bias: float | None = None, peepholes: bool = False, stacked: bool = False,
                 init: str | inits.Init = "uniform", init_hh: str | inits.Init | None = None,
                 seed: Any = None, dtype: Any = None, **options: Unpack[LayerOptions]) -> None:
        known_options(options, LSTM, LayerOptions.__annotations__)
        super().__init__(LSTMCell(
            input_size, hidden_size, bias, activation=activation, gate_activation=gate_activation,
            output_activation=output_activation, forget_bias=forget_bias, peepholes=peepholes,
            stacked=stacked, init=init, init_hh=init_hh, seed=seed, dtype=dtype), **options)


class GRU(Recurrent):
    """The GRU layer: its equations stand at `GRUCell`.

    `.cell` is a `GRUCell` and holds W_xh (3H, I), W_hh (3H, H), b_h (3H,), gates in the order r, z,
    n, and b_hn (H,). What a call takes and returns: see `Layer`; the other options: see
    `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *,
                 reset_after: bool = True, activation: str | Activation = "tanh",
                 gate_activation: str | Activation = "sigmoid", stacked: bool = False,
                 init: str | inits.Init = "uniform", init_hh: str | inits.Init | None = None,
                 seed: Any = None, dtype: Any = None, **options: Unpack[LayerOptions]) -> None:
        known_options(options, GRU, LayerOptions.__annotations__)
        super().__init__(GRUCell(
            input_size, hidden_size, bias, reset_after=reset_after, activation=activation,
            gate_activation=gate_activation, stacked=stacked, init=init, init_hh=init_hh,
            seed=seed, dtype=dtype), **options)
