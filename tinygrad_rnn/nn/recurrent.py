"""Recurrent layers: one cell, the same weights, applied again at every step.

The question this file answers: *what does unrolling mean?*

    h_0 = 0
    h_1 = cell(x_1, h_0)
    h_2 = cell(x_2, h_1)      the same W_xh, W_hh, b_h each time
    ...

Each step's nodes are stamped with their step: 1..T, or from t on inside a user's `timestep(t)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.place import timestep
from ..errors import InputError, ShapeError
from . import init as inits
from .cells import Cell, RNNCell
from .gated import GRUCell, LSTMCell
from .module import Module
from .sequence import Steps, first_step, join, shape_of

AnyCell = Callable[[Any, Any], tuple[Any, Any]]


def unroll(cell: AnyCell, xs: Any, state: Any = None) -> tuple[list[Any], Any]:
    """Apply `cell` to each step of `xs`: ([output_1, ..., output_T], the state after the last
    step).

    `xs` is an array or Tensor (T, B, I) or (T, I), or a list of T steps; `cell` is any function
    `cell(x, state) -> (output, state)`. Without a `state` a `Cell` starts from its `initial_state`
    (zeros, h_0); a plain function gets None. Raises `InputError` if there is no step and no state.
    """
    steps = Steps(xs, dtype=getattr(cell, "dtype", None))
    first = first_step()
    if isinstance(cell, Cell):
        state = starting_state(cell, steps, state, first)
    outputs = []
    for t in range(len(steps)):
        with timestep(first + t):
            result = cell(steps[t], state)
            if not isinstance(result, tuple) or len(result) != 2:
                raise InputError(f"expected the cell to return (output, state), got "
                                 f"{type(result).__name__}", where=f"step {first + t}, unroll")
            output, state = result
        outputs.append(output)
    return outputs, state


def starting_state(cell: Cell, steps: Steps, state: Any, first: int) -> Any:
    """The state that step `first` starts from: the one given, as a node, or the cell's own."""
    shape = steps.shape()
    if shape is None:
        if state is None:
            raise InputError("no steps and no initial state: the batch size is unknown",
                             where=cell.title(),
                             fix=f"Give an array (0, B, {cell.input_size}), or an initial state")
        return state
    with timestep(first):
        batch = shape[:-1]
        return cell.initial_state(batch) if state is None else cell.given_state(state, batch)


class Recurrent(Module):
    """A layer around a cell: any `cell(x, state) -> (output, state)`.

    Called as `layer(xs, initial_state=None)` with `xs` an array or Tensor (T, B, I) or (T, I), or a
    list of T steps, it returns

        by default                             the last output             (B, H)
        return_sequences=True                  all outputs, stacked        (T, B, H)
        return_state=True                      (either of these, the state after the last step)

    `return_states` is another spelling of `return_state`. T = 0 gives the initial state, or a
    sequence (0, B, H). Raises `ShapeError` if xs or the initial state do not fit the cell.
    """

    def __init__(self, cell: AnyCell, *, return_sequences: bool = False, return_state: bool = False,
                 return_states: bool | None = None) -> None:
        if not callable(cell):
            raise InputError("expected a cell(x, state) -> (output, state), got "
                             f"{type(cell).__name__}", where=type(self).__name__)
        self.cell: Any = cell
        self.return_sequences = return_sequences
        self.return_state = return_state if return_states is None else return_states

    def __call__(self, xs: Any, initial_state: Any = None) -> Any:
        steps = Steps(xs, dtype=getattr(self.cell, "dtype", None))
        if isinstance(self.cell, Cell):
            self.check(steps)
        outputs, state = unroll(self.cell, steps, initial_state)
        if not self.return_sequences:
            result = outputs[-1] if outputs else self.shown(state)
        else:
            result = join(outputs, None if outputs else self.no_steps(state))
        return (result, state) if self.return_state else result

    def check(self, steps: Steps) -> None:
        """Refuse, before anything is computed, what the cell cannot take."""
        expected = self.cell.input_size
        whole = steps.parts_shape() if not isinstance(steps.parts, list) else None
        if whole is not None and (len(whole) not in (2, 3) or whole[-1] != expected):
            fix = f"For class indices: nn.one_hot(xs, {expected})" if len(whole) == 1 else ""
            raise ShapeError(f"expected xs of shape (T, B, {expected}) or (T, {expected}), "
                             f"got {whole}", where=self.title(), fix=fix)
        for t in range(len(steps)) if whole is None else ():
            got = steps.shape(t) or ()
            if len(got) not in (1, 2) or got[-1] != expected or got != steps.shape():
                wanted = f"(B, {expected}) or ({expected},)" if t == 0 else \
                    f"{steps.shape()} as the first"
                raise ShapeError(f"expected every step of xs to have shape {wanted}, got {got} at "
                                 f"xs[{t}]", where=self.title())

    def shown(self, state: Any) -> Any:
        """What stands for the last output where there was no step: h of the initial state."""
        return self.cell.split(state)[0] if isinstance(self.cell, Cell) else state

    def no_steps(self, state: Any) -> Any:
        """The sequence of no outputs: (0, *shape of the state)."""
        return np.zeros((0, *shape_of(self.shown(state))), getattr(self.cell, "dtype", None))

    def title(self) -> str:
        """How errors speak of this layer."""
        return f"{type(self).__name__}({self.settings()})"

    def settings(self) -> str:
        parts = [self.cell.settings()] if isinstance(self.cell, Module) else []
        options = ("return_sequences", "return_state")
        parts += [f"{name}=True" for name in options if getattr(self, name)]
        return ", ".join(parts)


class RNN(Recurrent):
    """The vanilla recurrent layer:  h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h),  t = 1..T   (Elman
    1990)

    φ is `nonlinearity`: "tanh" (default), "relu", "identity" or a function. `.cell` is an `RNNCell`
    and holds W_xh (H, I), W_hh (H, H), b_h (H,). What a call takes and returns: see `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int,
                 nonlinearity: str | Callable[[Any], Any] = "tanh", bias: bool = True, *,
                 return_sequences: bool = False, return_state: bool = False,
                 return_states: bool | None = None, init: str | inits.Init = "uniform",
                 init_hh: str | inits.Init | None = None, seed: Any = None,
                 dtype: Any = None) -> None:
        cell = RNNCell(input_size, hidden_size, nonlinearity, bias, init=init, init_hh=init_hh,
                       seed=seed, dtype=dtype)
        super().__init__(cell, return_sequences=return_sequences, return_state=return_state,
                         return_states=return_states)


class LSTM(Recurrent):
    """The LSTM layer: its equations stand at `LSTMCell`.

    `.cell` is an `LSTMCell` and holds W_xh (4H, I), W_hh (4H, H), b_h (4H,), gates in the order i,
    f, g, o; its further arguments (`forget_bias`, `peepholes`, `gate_activation`, ...) are taken
    here too. The state is a pair (h, c). What a call takes and returns: see `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *,
                 return_sequences: bool = False, return_state: bool = False,
                 return_states: bool | None = None, **options: Any) -> None:
        super().__init__(LSTMCell(input_size, hidden_size, bias, **options),
                         return_sequences=return_sequences, return_state=return_state,
                         return_states=return_states)


class GRU(Recurrent):
    """The GRU layer: its equations stand at `GRUCell`.

    `.cell` is a `GRUCell` and holds W_xh (3H, I), W_hh (3H, H), b_h (3H,), gates in the order r, z,
    n, and b_hn (H,); its further arguments (`reset_after`, `gate_activation`, ...) are taken here
    too. What a call takes and returns: see `Recurrent`.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *,
                 return_sequences: bool = False, return_state: bool = False,
                 return_states: bool | None = None, **options: Any) -> None:
        super().__init__(GRUCell(input_size, hidden_size, bias, **options),
                         return_sequences=return_sequences, return_state=return_state,
                         return_states=return_states)
