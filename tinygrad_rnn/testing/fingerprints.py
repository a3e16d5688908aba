"""Three recurrences and their backward passes on paper, with every classic mistake as a switch.

The question this file answers: *what would the gradient be if I had made that mistake?*

    RNN    h_t = φ(z_t)                                   z_t = W_x x_t + W_h h_{t-1} + b
    LSTM   c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)      i, f, o = σ(z), g = tanh(z)
    GRU    h_t = (1 - z) n + z h_{t-1}                    r, z = σ(·), n = tanh(a_n + r u_n)

a_t = W_x x_t + b_x is what comes from the input and u_t = W_h h_{t-1} + b_h what comes from the
state; their gradients da_t and du_t are the same but in a GRU. Nothing here knows of tensors or of
anybody's code: it is NumPy, time first, rows of W_x and W_h gate by gate. `diagnosis` compares.

(LSTM: Hochreiter & Schmidhuber 1997, with Gers et al. 2000. GRU: Cho et al. 2014.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, Any]
GATES = {"RNN": "h", "LSTM": "ifgo", "GRU": "rzn"}  # the order of the rows of W_x and W_h


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), for any x."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


PHI: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0), "sigmoid": sigmoid}


def slope(phi: str, z: Any, h: Any) -> Any:
    """φ'(z), from h = φ(z)."""
    return {"tanh": 1.0 - h * h, "relu": (z > 0.0) * 1.0, "sigmoid": h * (1.0 - h)}[phi]


@dataclass
class Cell:
    """Which recurrence. `phi` is of an RNN; of a GRU `after` says that r multiplies u_n (else
    h_{t-1}, before W_h), and `keeps` that z keeps the old state (else the new one)."""

    kind: str
    phi: str = "tanh"
    after: bool = True
    keeps: bool = True

    @property
    def name(self) -> str:
        """How a report calls it."""
        return f"{self.phi} RNN" if self.kind == "RNN" else self.kind


@dataclass
class Trace:
    """What a forward pass leaves behind: states[t] and cells[t] are before step t (from 0)."""

    xs: Any
    states: list[Any]
    cells: list[Any]
    parts: list[Any] = field(default_factory=list)


def forward(cell: Cell, p: Arrays) -> Trace:
    """Run the recurrence over p["x"], (T, B, I), from p["h0"], (B, H)."""
    trace = Trace(p["x"], [p["h0"]], [p["c0"]])
    H = p["h0"].shape[1]
    parts: tuple[Any, ...]
    for x in p["x"]:
        h, c = trace.states[-1], trace.cells[-1]
        a, u = x @ p["Wx"].T + p["bx"], h @ p["Wh"].T + p["bh"]
        if cell.kind == "RNN":
            z = a + u
            h, parts = PHI[cell.phi](z), (z,)
        elif cell.kind == "LSTM":
            i, f, g, o = np.split(a + u, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * c + i * g
            h, parts = o * np.tanh(c), (i, f, g, o)
        else:
            r, z = sigmoid((a + u)[:, :H]), sigmoid((a + u)[:, H:2 * H])
            un = u[:, 2 * H:] if cell.after else (r * h) @ p["Wh"][2 * H:].T + p["bh"][2 * H:]
            n = np.tanh(a[:, 2 * H:] + (r * un if cell.after else un))
            keep = z if cell.keeps else 1.0 - z
            h, parts = (1.0 - keep) * n + keep * h, (r, z, n, un)
        trace.states.append(h)
        trace.cells.append(c)
        trace.parts.append(parts)
    return trace


# --- one step back: (da, du, what goes to h_{t-1} besides W_h, what goes to c_{t-1}) --------------


def rnn_back(cell: Cell, p: Arrays, trace: Trace, t: int, dh: Any, dc: Any, wrong: str) -> Any:
    """dz = dh φ'(z)."""
    z, h, before = trace.parts[t][0], trace.states[t + 1], trace.states[t]
    at = {"slope at z": (z, z), "slope at h_{t-1}": (before, before)}.get(wrong, (z, h))
    d = slope(cell.phi, *at)
    if wrong == "no slope":
        d = np.ones_like(d)
    elif wrong == "slope unsquared":
        d = {"tanh": 1.0 - h, "relu": h, "sigmoid": 1.0 - h}[cell.phi]
    elif wrong == "slope h²":
        d = h * h
    elif wrong == "other slope":
        d = h * (1.0 - h) if cell.phi == "tanh" else 1.0 - h * h
    return dh * d, dh * d, 0.0, dc


def lstm_back(cell: Cell, p: Arrays, trace: Trace, t: int, dh: Any, dc: Any, wrong: str) -> Any:
    """dc += dh o tanh'(c), then every gate by the product rule."""
    i, f, g, o = trace.parts[t]
    c, before = trace.cells[t + 1], trace.cells[t]
    tanh_c = np.tanh(c)
    d = {"no tanh'(c)": np.ones_like(c), "slope at c": 1.0 - c * c,
         "tanh'(c) unsquared": 1.0 - tanh_c}.get(wrong, 1.0 - tanh_c ** 2)
    from_h = dh * d if wrong == "dc without o" else dh * o * d
    dc = dc if wrong == "dh not into dc" else dc + from_h
    do = dh * (c if wrong == "c for tanh(c)" else tanh_c)
    df = dc * (c if wrong == "c_t for c_{t-1}" else before)
    di, dg = (dc * i, dc * g) if wrong == "i for g" else (dc * g, dc * i)
    gates = {"i": di * i * (1 - i), "f": df * f * (1 - f), "g": dg * (1 - g * g),
             "o": do * o * (1 - o)}
    bare = {"i": di, "f": df, "g": dg, "o": do}
    for name in "ifgo":
        if wrong == f"no slope of {name}" or wrong == "no slopes" \
                or wrong == "no sigmoid slopes" and name != "g":
            gates[name] = bare[name]
        elif wrong == f"no gate {name}":
            gates[name] = 0.0 * bare[name]
        elif wrong == f"sign of {name}":
            gates[name] = -gates[name]
    if wrong == "sigmoid' for g":
        gates["g"] = dg * g * (1 - g)
    dz = np.hstack([gates[name] for name in "ifgo"])
    to_c = {"dc_next without f": dc, "dc_next with i": dc * i}.get(wrong, dc * f)
    return dz, dz, 0.0, to_c


def gru_back(cell: Cell, p: Arrays, trace: Trace, t: int, dh: Any, dc: Any, wrong: str) -> Any:
    """dh splits between n, the gate z and h_{t-1} itself; n splits once more, at r."""
    r, z, n, un = trace.parts[t]
    h, new = trace.states[t], trace.states[t + 1]
    keep, sign = (z, 1.0) if cell.keeps else (1.0 - z, -1.0)
    sign = -sign if wrong == "sign of z" else sign
    to_n, direct = (keep, 1.0 - keep) if wrong == "z and 1 - z" else (1.0 - keep, keep)
    dz = dh * {"z without n": h, "z without h": -n, "z from h_t": new - n}.get(wrong, h - n) * sign
    dn, direct = dh * to_n, 0.0 if wrong == "no direct path" else dh * direct
    dan = dn if wrong == "no slope of n" else dn * (1.0 - n * n)
    wn = p["Wh"][2 * h.shape[1]:]
    dr = dan * un if cell.after else (dan @ wn) * h
    dun = dan * r if cell.after and wrong != "no r" else dan
    if not cell.after:
        direct = direct + (dan @ wn) * (1.0 if wrong == "no r" else r)
    dr = 0.0 * dr if wrong == "no gate r" else dr
    dz = 0.0 * dz if wrong == "no gate z" else dz
    dr = dr * (1.0 if wrong in ("no slope of r", "no sigmoid slopes") else r * (1 - r))
    dz = dz * (1.0 if wrong in ("no slope of z", "no sigmoid slopes") else z * (1 - z))
    return np.hstack([dr, dz, dan]), np.hstack([dr, dz, dun]), direct, dc


BACK = {"RNN": rnn_back, "LSTM": lstm_back, "GRU": gru_back}


# --- all steps ------------------------------------------------------------------------------------


@dataclass
class Walk:
    """The gradients of every step, of one backward pass."""

    da: list[Any]
    du: list[Any]
    dh0: Any
    dc0: Any


def walk(cell: Cell, p: Arrays, trace: Trace, dhs: Any, dcs: Any, wrong: str = "",
         cut: Callable[[int], bool] = lambda t: False, steps: range | None = None) -> Walk:
    """Back through time. `dhs[t]` and `dcs[t]` arrive at step t from outside; nothing goes from
    step t to step t-1 where `cut(t)`; `steps` limits it to some of the steps."""
    T, H = len(trace.parts), p["h0"].shape[1]
    da: list[Any] = [np.zeros((len(p["h0"]), len(p["Wx"]))) for _ in range(T)]
    du = [np.zeros_like(a) for a in da]
    rows = slice(None) if cell.kind != "GRU" or cell.after else slice(0, 2 * H)
    matrix = p["Wh"].T if wrong == "W_h transposed" and cell.kind == "RNN" else p["Wh"]
    dh_next, dc_next = np.zeros_like(p["h0"]), np.zeros_like(p["h0"])
    for t in reversed(steps or range(T)):
        if wrong in ("no dh_next", "neither"):
            dh_next = 0.0 * dh_next
        if wrong in ("no dc_next", "neither"):
            dc_next = 0.0 * dc_next
        dh = dhs[t] - dh_next if wrong == "dh_next subtracted" else dhs[t] + dh_next
        da[t], du[t], direct, dc_next = BACK[cell.kind](cell, p, trace, t, dh, dcs[t] + dc_next,
                                                        wrong)
        dh_next = du[t][:, rows] @ matrix[rows]
        if wrong == "dh_next without W_h" and cell.kind == "RNN":
            dh_next = du[t]
        elif wrong == "only the direct path":
            dh_next = 0.0 * dh_next
        elif wrong.startswith("only through "):
            k = GATES[cell.kind].index(wrong[-1])
            dh_next = du[t][:, k * H:(k + 1) * H] @ p["Wh"][k * H:(k + 1) * H]
        dh_next = dh_next + direct
        if wrong.startswith("clipped to "):
            limit = float(wrong.split()[-1])
            dh_next = np.clip(dh_next, -limit, limit)
        if cut(t):
            dh_next, dc_next = 0.0 * dh_next, 0.0 * dc_next
    return Walk(da, du, dh_next, dc_next)


def steps_of(cell: Cell, p: Arrays, trace: Trace, w: Walk, dys: Any, wrong: str = ""
             ) -> dict[str, list[Any]]:
    """What every step adds to the gradient of every weight, in the order of time."""
    H, T = p["h0"].shape[1], len(trace.parts)
    found: dict[str, list[Any]] = {name: [] for name in ("Wx", "Wh", "bx", "bh", "Wy", "by")}
    for t in range(T):
        shift = {"x of the next step": 1, "x of the step before": -1}.get(wrong, 0)
        before = trace.states[t + 1 if wrong == "h_t for h_{t-1}" else t]
        found["Wx"].append(w.da[t].T @ trace.xs[(t + shift) % T])
        dWh = w.du[t].T @ before
        if cell.kind == "GRU" and not cell.after and wrong != "h for r h":
            dWh[2 * H:] = w.du[t][:, 2 * H:].T @ (trace.parts[t][0] * before)
        found["Wh"].append(dWh)
        found["bx"].append(w.da[t].sum(0))
        found["bh"].append(w.du[t].sum(0))
        if "Wy" in p:
            read = trace.states[t if wrong == "h_{t-1} for h_t" else t + 1]
            found["Wy"].append(dys[t].T @ read)
            found["by"].append(dys[t].sum(0))
    return {name: parts for name, parts in found.items() if parts}


def gradients(cell: Cell, p: Arrays, trace: Trace, w: Walk, dys: Any, wrong: str = "") -> Arrays:
    """All gradients, from those of the steps."""
    weights = {n: np.sum(parts, axis=0) for n, parts in
               steps_of(cell, p, trace, w, dys, wrong).items()}
    return {**weights, "x": np.stack([a @ p["Wx"] for a in w.da]), "h0": w.dh0, "c0": w.dc0}
