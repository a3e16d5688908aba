"""The vanilla recurrence against numbers computed elsewhere (PyTorch): states, losses, gradients of
all weights, inputs and initial states, and the contribution of every step."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import nn, optim
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core.values import Tensor

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"
CLOSE = {"rtol": 1e-7, "atol": 1e-9}
CURVE = {"rtol": 1e-5, "atol": 1e-7}


def family(name, wanted=lambda case, facts: True):
    """(case, facts, arrays) of a file; a single skipped case where the numbers are absent."""
    path = GOLDEN / f"{name}.npz"
    if not path.exists():
        skip = pytest.mark.skip(reason=f"no reference numbers {name}.npz beside it")
        return [pytest.param(None, None, marks=skip, id=name)]
    z = np.load(path)
    facts = json.loads(str(z["__meta__"]))["cases"]
    return [pytest.param(f, {k.split("/", 1)[1]: z[k] for k in z.files if k.startswith(case + "/")},
                         id=case) for case, f in facts.items() if wanted(case, f)]


def rnn(facts, arrays, k=0, **options):
    """Layer k of a case, with its weights."""
    bias = f"bias_ih_l{k}" in arrays
    H, width = arrays[f"weight_ih_l{k}"].shape
    layer = nn.RNN(width, H, facts["kind"].removeprefix("rnn_"), bias, seed=0, **options)
    layer.cell.W_xh.data = arrays[f"weight_ih_l{k}"]
    layer.cell.W_hh.data = arrays[f"weight_hh_l{k}"]
    if bias:
        layer.cell.b_h.data = arrays[f"bias_ih_l{k}"] + arrays[f"bias_hh_l{k}"]
    return layer


def head(arrays):
    layer = nn.Linear(*arrays["W_hy"].shape[::-1], name="hy")
    layer.load_state_dict({"W_hy": arrays["W_hy"], "b_y": arrays.get("b_hy", arrays.get("by"))})
    return layer


def check_weights(layer, arrays, k=0):
    np.testing.assert_allclose(layer.cell.W_xh.grad, arrays[f"grad_weight_ih_l{k}"], **CLOSE)
    np.testing.assert_allclose(layer.cell.W_hh.grad, arrays[f"grad_weight_hh_l{k}"], **CLOSE)
    if layer.cell.b_h is not None:
        np.testing.assert_allclose(layer.cell.b_h.grad, arrays[f"grad_bias_ih_l{k}"], **CLOSE)


def mean_squared(y, target):
    return ((y - target) * (y - target)).sum() / (y.shape[1] * y.shape[2])


vanilla = family("rnn_cases", lambda case, f: f["kind"].startswith("rnn") and f["D"] == 1)


@pytest.mark.parametrize(("facts", "arrays"), vanilla)
def test_layers_in_a_row(facts, arrays):
    layers = [rnn(facts, arrays, k, return_sequences=True, return_state=True)
              for k in range(facts["L"])]
    x = Tensor(arrays["x"], requires_grad=True, name="x")
    h0 = [Tensor(h, requires_grad=True, name="h") for h in arrays["h0"]]
    out, last = x, []
    for layer, h in zip(layers, h0):
        out, state = layer(out, h)
        last.append(state.numpy())
    np.testing.assert_allclose(out.numpy(), arrays["output"], **CLOSE)
    np.testing.assert_allclose(last, arrays["h_n"], **CLOSE)
    top = head(arrays)
    y = top(out)
    np.testing.assert_allclose(y.numpy(), arrays["y"], **CLOSE)
    if facts["loss"] == "ce":
        loss = nn.cross_entropy(y, arrays["target"])
        np.testing.assert_allclose([L.item() for L in loss.operands], arrays["loss_steps"], **CLOSE)
    else:
        loss = mean_squared(y, arrays["target"])
    np.testing.assert_allclose(loss.item(), arrays["loss"], **CLOSE)
    loss.backward()
    for k, layer in enumerate(layers):
        check_weights(layer, arrays, k)
        np.testing.assert_allclose(h0[k].grad, arrays["grad_h0"][k], **CLOSE)
    np.testing.assert_allclose(x.grad, arrays["grad_x"], **CLOSE)
    np.testing.assert_allclose(top.W.grad, arrays["grad_W_hy"], **CLOSE)
    np.testing.assert_allclose(top.b.grad, arrays["grad_b_hy"], **CLOSE)


uni = family("rnn_vjp", lambda case, f: f["kind"].startswith("rnn") and f["D"] == 1)


@pytest.mark.parametrize(("facts", "arrays"), uni)
def test_gradients_enter_through_outputs_and_state(facts, arrays):
    layers = [rnn(facts, arrays, k, return_sequences=True, return_state=True)
              for k in range(facts["L"])]
    out, h_n = arrays["x"], []
    for layer, h in zip(layers, arrays["h0"]):
        out, state = layer(out, h)
        h_n.append(state)
    loss = (out * arrays["up_output"]).sum()
    for state, up in zip(h_n, arrays["up_h_n"]):
        loss = loss + (state * up).sum()
    np.testing.assert_allclose(loss.item(), arrays["loss"], **CLOSE)
    loss.backward()
    for k, layer in enumerate(layers):
        check_weights(layer, arrays, k)


@pytest.mark.parametrize(("facts", "arrays"),
                         family("whh_contrib", lambda case, f: f["kind"].startswith("rnn")))
def test_contribution_of_every_step(facts, arrays):
    layer = rnn(facts, arrays, return_sequences=True)
    y = head(arrays)(layer(arrays["x"], arrays["h0"]))
    loss = nn.cross_entropy(y, arrays["target"]) if facts["loss"] == "ce" else \
        mean_squared(y, arrays["target"])
    flow = gradient_flow(loss)
    cell = layer.cell
    for p, name in ((cell.W_hh, "weight_hh"), (cell.W_xh, "weight_ih"), (cell.b_h, "bias_ih")):
        rows = sorted(flow.ledger(p), key=lambda row: row.step)
        assert [row.step for row in rows] == list(range(1, facts["T"] + 1))
        np.testing.assert_allclose([row.contribution for row in rows], arrays[f"contrib_{name}_l0"],
                                   **CLOSE)
    norms = np.linalg.norm(arrays["dL_dh"].reshape(facts["T"], -1), axis=1)
    np.testing.assert_allclose(list(flow.norms("h").values())[-facts["T"]:], norms, **CLOSE)


class Given:
    """The uniform numbers of the reference, in place of a generator."""

    def __init__(self, numbers):
        self.numbers = iter(numbers)

    def random(self, shape=None):
        return next(self.numbers)


@pytest.mark.parametrize("shaped", ["text", "batch"])
@pytest.mark.parametrize(("facts", "arrays"), family("hello"))
def test_hello(facts, arrays, shaped):
    H, V = facts["H"], facts["V"]
    layer = nn.RNN(V, H, return_sequences=True)
    layer.cell.load_state_dict({"W_xh": arrays["Wxh"], "W_hh": arrays["Whh"], "b_h": arrays["bh"]})
    top = nn.Linear(H, V, name="hy")
    top.load_state_dict({"W_hy": arrays["Why"], "b_y": arrays["by"]})
    model = {"Wxh": layer.cell.W_xh, "Whh": layer.cell.W_hh, "bh": layer.cell.b_h,
             "Why": top.W, "by": top.b}
    indices, targets = np.array(facts["inputs"]), np.array(facts["targets"])
    if shaped == "batch":
        indices, targets = indices[:, None], targets[:, None]
    xs = nn.one_hot(indices, V)

    states = layer(xs)
    np.testing.assert_allclose(states.numpy().reshape(-1, H), arrays["h"], **CLOSE)
    y = top(states).numpy().reshape(-1, V)
    p = np.exp(y) / np.exp(y).sum(1, keepdims=True)
    np.testing.assert_allclose(p, arrays["probs"], **CLOSE)

    optimizer = optim.Adagrad(model, lr=0.1, eps=1e-8, eps_inside_root=True)
    curve = []
    for step in range(60):
        optimizer.zero_grad()
        loss = nn.cross_entropy(top(layer(xs)), targets)
        loss.backward()
        if step == 0:
            np.testing.assert_allclose(loss.item(), arrays["loss"], **CLOSE)
            for name, p in model.items():
                np.testing.assert_allclose(p.grad, arrays[f"grad_{name}"], **CLOSE)
        curve.append(loss.item())
        optim.clip_grad_value(model, 5)
        optimizer.step()
    np.testing.assert_allclose(curve, arrays["curve"], **CURVE)
    for name, p in model.items():
        np.testing.assert_allclose(p.numpy(), arrays[f"final_{name}"], **CURVE)

    greedy = nn.generate(layer, top, start=0, steps=8, feedback="greedy")
    assert greedy.tolist() == arrays["greedy"].tolist()
    sampled = nn.generate(layer, top, start=0, steps=12, temperature=facts["temperature"],
                          rng=Given(arrays["u"]))
    assert sampled.tolist() == arrays["sampled"].tolist()
