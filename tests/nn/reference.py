"""Numbers computed elsewhere (PyTorch), and our networks with the same weights.

There is one row of names for both: `weight_ih_l0_reverse` is W_xh of the backward layer of layer 0.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.core.values import Tensor

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"
CLOSE = {"rtol": 1e-7, "atol": 1e-9}
CURVE = {"rtol": 1e-5, "atol": 1e-7}
READ = defaultdict(set)  # family -> the cases that some test reads
LAYERS = {"rnn_tanh": nn.RNN, "rnn_relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def family(name, wanted=lambda case, facts: True):
    """(facts, arrays) of every case of a file; a single skipped case where there are no numbers."""
    path = GOLDEN / f"{name}.npz"
    if not path.exists():
        skip = pytest.mark.skip(reason=f"no reference numbers {name}.npz beside it")
        return [pytest.param(None, None, marks=skip, id=name)]
    with np.load(path) as z:
        facts = json.loads(str(z["__meta__"]))["cases"]
        arrays = {case: {} for case in facts}
        for key in z.files:
            case, _, short = key.partition("/")
            if case in arrays and wanted(case, facts[case]):
                arrays[case][short] = z[key]
    chosen = {case: f for case, f in facts.items() if wanted(case, f)}
    READ[name].update(chosen)
    return [pytest.param(f, arrays[case], id=case) for case, f in chosen.items()]


def close(got, expected, tolerance=CLOSE):
    got = got.numpy() if hasattr(got, "numpy") else got
    np.testing.assert_allclose(got, expected, **tolerance)


def biases(kind, b_ih, b_hh):
    """Two biases of the reference as ours: b_h (and b_hn)."""
    if kind != "gru":
        return {"b_h": b_ih + b_hh}
    H = len(b_ih) // 3
    rz = slice(0, 2 * H)
    return {"b_h": np.concatenate([b_ih[rz] + b_hh[rz], b_ih[2 * H:]]), "b_hn": b_hh[2 * H:]}


def single(facts, arrays, suffix="_l0", **options):
    """The layer of a case with this suffix, with its weights."""
    kind, bias = facts["kind"], f"bias_ih{suffix}" in arrays
    if kind.startswith("rnn"):
        options["nonlinearity"] = kind.removeprefix("rnn_")
    W_xh, W_hh = arrays[f"weight_ih{suffix}"], arrays[f"weight_hh{suffix}"]
    layer = LAYERS[kind](W_xh.shape[1], W_hh.shape[1], bias=bias, seed=0, **options)
    state = {"W_xh": W_xh, "W_hh": W_hh}
    if bias:
        state |= biases(kind, arrays[f"bias_ih{suffix}"], arrays[f"bias_hh{suffix}"])
    layer.cell.load_state_dict(state)
    return layer


def network(facts, arrays, **options):
    """All layers of a case, stacked and in both directions where it asks for it; with `suffixes`,
    suffix -> layer."""
    L, D = facts.get("L", 1), facts.get("D", 1)
    rows, suffixes = [], {}
    for k in range(L):
        directions = [f"_l{k}", f"_l{k}_reverse"][:D]
        for suffix in directions:
            suffixes[suffix] = single(facts, arrays, suffix, return_sequences=True, **options)
        layers = [suffixes[s] for s in directions]
        rows.append(layers[0] if D == 1 else nn.Bidirectional(*layers))
    return nn.Stacked(rows, return_state=True), suffixes


def states(facts, arrays, names=("h0", "c0")):
    """The initial states of a case as leaves, by name and row, and in the form a network takes."""
    D = facts.get("D", 1)
    leaves = {name: [Tensor(row, name=name[0], requires_grad=True)
                     for row in arrays[name].reshape(-1, *arrays[name].shape[-2:])]
              for name in names if name in arrays}
    rows = list(zip(*leaves.values()))
    each = [row if len(row) == 2 else row[0] for row in rows]
    return leaves, each if D == 1 else [tuple(each[i:i + 2]) for i in range(0, len(each), 2)]


def last_states(state, D):
    """(h_n, c_n) as rows (L D, B, H) of what a network returned."""
    rows = state if D == 1 else [part for pair in state for part in pair]
    h = [getattr(row, "h", row) for row in rows]
    c = [row.c for row in rows if hasattr(row, "c")]
    return h, c


def check_weights(facts, arrays, suffixes):
    """The gradients of all weights of all layers."""
    for suffix, layer in suffixes.items():
        cell = layer.cell
        close(cell.W_xh.grad, arrays[f"grad_weight_ih{suffix}"])
        close(cell.W_hh.grad, arrays[f"grad_weight_hh{suffix}"])
        if cell.b_h is not None:
            close(cell.b_h.grad, arrays[f"grad_bias_ih{suffix}"])
        if getattr(cell, "b_hn", None) is not None:
            close(cell.b_hn.grad, arrays[f"grad_bias_hh{suffix}"][2 * cell.hidden_size:])


def check_states(arrays, leaves):
    """The gradients of the initial states."""
    for name, rows in leaves.items():
        grads = np.array([leaf.grad for leaf in rows])
        close(grads.reshape(arrays[f"grad_{name}"].shape), arrays[f"grad_{name}"])


def head(arrays):
    """The linear layer on top: y = W_hy h + b_y."""
    layer = nn.Linear(*arrays["W_hy"].shape[::-1], name="hy")
    layer.load_state_dict({"W_hy": arrays["W_hy"], "b_y": arrays.get("b_hy", arrays.get("by"))})
    return layer


def mean_squared(y, target):
    return ((y - target) * (y - target)).sum() / (y.shape[1] * y.shape[2])


def loss_of(facts, arrays, y):
    if facts["loss"] == "ce":
        return nn.cross_entropy(y, arrays["target"])
    return mean_squared(y, arrays["target"])
