"""Gated cells: LSTM and GRU.

The question this file answers: *what do the gates do?*

They are compositions of rows of the table, so that every gate is a node with its name (i, f, g, o
and c, h of the LSTM; r, z, n and h of the GRU): it can be drawn, and asked for its gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import ops
from ..errors import InputError
from . import activations
from . import init as inits
from .activations import Activation
from .cells import AffineCell
from .options import number, yes_or_no


class LSTMState(NamedTuple):
    """The state of an LSTM: `h` is what it shows, `c` what it keeps. Both are (B, H)."""

    h: Any
    c: Any

    def detach(self) -> LSTMState:
        """The same numbers without their history: both h and c."""
        return LSTMState(*(part.detach() if hasattr(part, "detach") else part for part in self))


class LSTMCell(AffineCell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000)

        i = σ(W_xi x_t + W_hi h_{t-1} + b_i)        input gate:  how much is written
        f = σ(W_xf x_t + W_hf h_{t-1} + b_f)        forget gate: how much is kept
        g = φ(W_xg x_t + W_hg h_{t-1} + b_g)        candidate:   what is written
        o = σ(W_xo x_t + W_ho h_{t-1} + b_o)        output gate: how much is shown
        c_t = f * c_{t-1} + i * g
        h_t = o * φ(c_t)

    `x` is (B, I) or (I,), `state` the pair (h_{t-1}, c_{t-1}), each (B, H) or (H,). Returns
    (h_t, (h_t, c_t)), the pair as an `LSTMState` with the fields `h` and `c`.

    Parameters, with the gates' rows in the order i, f, g, o: `W_xh` (4H, I), `W_hh` (4H, H), `b_h`
    (4H,); with `stacked=True` `W = [W_xh W_hh]` (4H, I + H). With `peepholes=True` the gates see
    the cell as well, p_i * c_{t-1} in i, p_f * c_{t-1} in f and p_o * c_t in o, with `p_i`, `p_f`,
    `p_o` (H,).

    σ is `gate_activation`, φ is `activation`, and `output_activation` the φ of φ(c_t) if it is
    another. `forget_bias` is where b_f starts (1.0 is usual: at first, forget little); None leaves
    it to `init`. The other arguments are those of `RNNCell`.
    """

    gates = "ifgo"
    state_names = ("h", "c")
    State = LSTMState

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *,
                 activation: str | Activation = "tanh",
                 gate_activation: str | Activation = "sigmoid",
                 output_activation: str | Activation | None = None,
                 forget_bias: float | None = None, peepholes: bool = False, stacked: bool = False,
                 init: str | inits.Init = "uniform", init_hh: str | inits.Init | None = None,
                 seed: Any = None, dtype: Any = None) -> None:
        self.names = activation, gate_activation, output_activation
        output_activation = activation if output_activation is None else output_activation
        self.activation = activations.activation(activation, "LSTMCell")
        self.gate_activation = activations.activation(gate_activation, "LSTMCell",
                                                      "gate_activation")
        self.output_activation = activations.activation(output_activation, "LSTMCell",
                                                        "output_activation")
        if forget_bias is not None and not bias:
            raise InputError(f"forget_bias={forget_bias!r} needs a bias, got bias=False",
                             where="LSTMCell")
        if forget_bias is not None:
            number(forget_bias, "forget_bias", "LSTMCell")
        self.forget_bias = forget_bias
        self.peepholes = yes_or_no(peepholes, "peepholes", "LSTMCell")
        self.settle((input_size, hidden_size), bias, stacked, init, init_hh, seed, dtype)

    def draw(self, rng: np.random.Generator) -> None:
        super().draw(rng)
        H = self.hidden_size
        if self.forget_bias is not None and self.b_h is not None:
            self.b_h.value[H:2 * H] = self.forget_bias
        if self.peepholes:
            self.p_i, self.p_f, self.p_o = (self.drawn(self.init, (H,), name)
                                            for name in ("p_i", "p_f", "p_o"))

    def __call__(self, x: Any, state: Any = None, *, recurrent_mask: Any = None
                 ) -> tuple[Any, LSTMState]:
        x, (h, c) = self.operands(x, state)
        z = self.affine(x, self.masked(h, recurrent_mask))
        z_i, z_f, z_g, z_o = (self.gate(z, k) for k in range(4))
        if self.peepholes:
            z_i, z_f = z_i + self.p_i * c, z_f + self.p_f * c
        i = self.gate_activation(z_i).named("i")
        f = self.gate_activation(z_f).named("f")
        g = self.activation(z_g).named("g")
        c = (f * c + i * g).named("c")
        if self.peepholes:
            z_o = z_o + self.p_o * c
        o = self.gate_activation(z_o).named("o")
        h = (o * self.output_activation(c)).named("h")
        return h, LSTMState(h, c)

    def settings(self) -> str:
        return (f"{self.input_size}, {self.hidden_size}{self.options()}"
                + other_activations(*self.names) + ", peepholes" * self.peepholes)


class GRUCell(AffineCell):
    """Gated recurrent unit (Cho et al. 2014), by default with the reset gate after the product:

        r = σ(W_xr x_t + W_hr h_{t-1} + b_r)             reset gate:  how much of the past n sees
        z = σ(W_xz x_t + W_hz h_{t-1} + b_z)             update gate: how much of the past stays
        n = φ(W_xn x_t + b_n + r * (W_hn h_{t-1} + b_hn))     candidate
        h_t = (1 - z) * n + z * h_{t-1}

    With `reset_after=False`, the paper's own form:  n = φ(W_xn x_t + b_n + W_hn (r * h_{t-1})).

    `x` is (B, I) or (I,), `state` is h_{t-1}: (B, H) or (H,). Returns (h_t, h_t).

    Parameters, with the gates' rows in the order r, z, n: `W_xh` (3H, I), `W_hh` (3H, H), `b_h`
    (3H,), and with `reset_after` the extra bias `b_hn` (H,); with `stacked=True`
    `W = [W_xh W_hh]` (3H, I + H).

    σ is `gate_activation`, φ is `activation`. The other arguments are those of `RNNCell`.
    """

    gates = "rzn"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *,
                 reset_after: bool = True, activation: str | Activation = "tanh",
                 gate_activation: str | Activation = "sigmoid", stacked: bool = False,
                 init: str | inits.Init = "uniform", init_hh: str | inits.Init | None = None,
                 seed: Any = None, dtype: Any = None) -> None:
        self.names = activation, gate_activation
        self.activation = activations.activation(activation, "GRUCell")
        self.gate_activation = activations.activation(gate_activation, "GRUCell",
                                                      "gate_activation")
        self.reset_after = yes_or_no(reset_after, "reset_after", "GRUCell")
        self.settle((input_size, hidden_size), bias, stacked, init, init_hh, seed, dtype)

    def draw(self, rng: np.random.Generator) -> None:
        super().draw(rng)
        self.b_hn = self.drawn(self.init, (self.hidden_size,), "b_hn") \
            if self.bias and self.reset_after else None

    def __call__(self, x: Any, state: Any = None, *, recurrent_mask: Any = None
                 ) -> tuple[Any, Any]:
        x, (h,) = self.operands(x, state)
        seen = self.masked(h, recurrent_mask)
        H, (W_xh, W_hh) = self.hidden_size, self.halves()
        from_x = ops.linear(x, W_xh)
        from_x = from_x if self.b_h is None else from_x + self.b_h
        from_h = ops.linear(seen, W_hh if self.reset_after else W_hh[:2 * H])
        r = self.gate_activation(self.gate(from_x, 0) + self.gate(from_h, 0)).named("r")
        z = self.gate_activation(self.gate(from_x, 1) + self.gate(from_h, 1)).named("z")
        if self.reset_after:
            past = self.gate(from_h, 2)
            past = r * (past if self.b_hn is None else past + self.b_hn)
        else:
            past = ops.linear(r * seen, W_hh[2 * H:])  # needs r first: a product of its own
        n = self.activation(self.gate(from_x, 2) + past).named("n")
        h = ((1.0 - z) * n + z * h).named("h")
        return h, h

    def halves(self) -> tuple[Any, Any]:
        """W_xh and W_hh; of a stacked W the left and the right columns, sliced at this step."""
        if not self.stacked:
            return self.W_xh, self.W_hh
        return self.W[:, :self.input_size], self.W[:, self.input_size:]

    def settings(self) -> str:
        before = "" if self.reset_after else ", reset_after=False"
        return (f"{self.input_size}, {self.hidden_size}{before}{self.options()}"
                + other_activations(*self.names))


def other_activations(activation: str | Activation, gate: str | Activation,
                      output: str | Activation | None = None) -> str:
    """The activations that are not the usual ones, for a repr."""
    given = (("activation", activation, "tanh"), ("gate_activation", gate, "sigmoid"),
             ("output_activation", output, None))
    return "".join(f", {name}={activations.title(value)}" for name, value, usual in given
                   if value is not None and value != usual)
