"""Recurrent layers against numbers computed elsewhere (PyTorch): states, losses, gradients of all
weights, inputs and initial states, masks, the contribution of every step, and second order."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core.values import Tensor

from .reference import (
    CLOSE,
    CURVE,
    check_states,
    check_weights,
    close,
    family,
    head,
    last_states,
    loss_of,
    network,
    single,
    states,
)


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_cases"))
def test_networks(facts, arrays):
    model, suffixes = network(facts, arrays)
    x = Tensor(arrays["x"], requires_grad=True, name="x")
    leaves, start = states(facts, arrays)
    out, state = model(x, start)
    close(out, arrays["output"])
    h, c = last_states(state, facts["D"])
    close([part.numpy() for part in h], arrays["h_n"])
    if c:
        close([part.numpy() for part in c], arrays["c_n"])
    top = head(arrays)
    y = top(out)
    close(y, arrays["y"])
    loss = loss_of(facts, arrays, y)
    if facts["loss"] == "ce":
        close([L.item() for L in tg.open_fused(loss).operands], arrays["loss_steps"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, suffixes)
    check_states(arrays, leaves)
    close(x.grad, arrays["grad_x"])
    close(top.W.grad, arrays["grad_W_hy"])
    close(top.b.grad, arrays["grad_b_hy"])


def entering(arrays, out, state, D=1):
    """<output, up_output> + <h_n, up_h_n> + <c_n, up_c_n>."""
    loss = (out * arrays["up_output"]).sum()
    for name, parts in zip(("up_h_n", "up_c_n"), last_states(state, D)):
        if parts and name in arrays:
            up = arrays[name].reshape(-1, *parts[0].shape)
            for part, row in zip(parts, up):
                loss = loss + (part * row).sum()
    return loss


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_vjp"))
def test_gradients_enter_through_outputs_and_states(facts, arrays):
    model, suffixes = network(facts, arrays)
    x = Tensor(arrays["x"], requires_grad=True)
    leaves, start = states(facts, arrays)
    out, state = model(x, start)
    close(out, arrays["output"])
    for parts, name in zip(last_states(state, facts["D"]), ("h_n", "c_n")):
        if parts:
            close(np.array([part.numpy() for part in parts]).reshape(arrays[name].shape),
                  arrays[name])
    loss = entering(arrays, out, state, facts["D"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, suffixes)
    check_states(arrays, leaves)
    close(x.grad, arrays["grad_x"])


# --- masks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("facts", "arrays"),
                         family("masked", lambda case, f: case.startswith("packed")))
@pytest.mark.parametrize("given", ["lengths", "mask"])
def test_sequences_of_different_lengths(facts, arrays, given):
    model, suffixes = network(facts, arrays, padding="zero")
    x = Tensor(arrays["x"], requires_grad=True)
    leaves, start = states(facts, arrays)
    lengths = arrays["lengths"]
    valid = np.arange(len(arrays["x"]))[:, None] < lengths
    out, state = model(x, start, **({"lengths": lengths} if given == "lengths" else
                                    {"mask": valid}))
    close(out, arrays["output"])
    h, c = last_states(state, facts["D"])
    close([part.numpy() for part in h], arrays["h_n"])
    if c:
        close([part.numpy() for part in c], arrays["c_n"])
    top = head(arrays)
    y = top(out)
    close(y, arrays["y"])
    losses = tg.cross_entropy(y, arrays["target"])
    loss = (losses * valid).sum() / valid.sum()
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, suffixes)
    check_states(arrays, leaves)
    close(x.grad, arrays["grad_x"])
    assert np.all(x.grad[~valid] == 0.0)
    close(top.W.grad, arrays["grad_W_hy"])
    close(top.b.grad, arrays["grad_b_hy"])


@pytest.mark.parametrize(("facts", "arrays"),
                         family("masked", lambda case, f: case.startswith("keras")))
def test_any_mask_with_both_paddings(facts, arrays):
    x = Tensor(arrays["x"], requires_grad=True)
    leaves, start = states(facts, arrays)
    mask = arrays["mask"].astype(bool)
    zeroed = single(facts, arrays, padding="zero", return_sequences=True)
    close(zeroed(x, start[0], mask=mask), arrays["output_zeroed"])
    layer = single(facts, arrays, return_sequences=True, return_state=True)
    out, state = layer(x, start[0], mask=mask)
    close(out, arrays["output"])
    for parts, name in zip(last_states([state], 1), ("h_n", "c_n")):
        if parts:
            close(parts[0].numpy().reshape(arrays[name].shape), arrays[name])
    loss = entering(arrays, out, [state])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, {"_l0": layer})
    check_states(arrays, leaves)
    close(x.grad, arrays["grad_x"])
    assert np.all(x.grad[~mask] == 0.0)


# --- contributions ------------------------------------------------------------------------------


@pytest.mark.parametrize(("facts", "arrays"), family("whh_contrib"))
def test_contribution_of_every_step(facts, arrays):
    layer = single(facts, arrays, return_sequences=True)
    leaves, start = states(facts, arrays)
    x, top = Tensor(arrays["x"], requires_grad=True), head(arrays)
    out = layer(x, start[0])
    y = top(out)
    loss = loss_of(facts, arrays, y)
    flow = gradient_flow(loss)
    close(out, arrays["output"])
    close(y, arrays["y"])
    close(loss.item(), arrays["loss"])
    close(x.grad, arrays["grad_x"])
    close(top.W.grad, arrays["grad_W_hy"])
    close(top.b.grad, arrays["grad_b_hy"])
    cell, T, H = layer.cell, facts["T"], layer.cell.hidden_size
    checks = [(cell.W_hh, arrays["contrib_weight_hh_l0"]),
              (cell.W_xh, arrays["contrib_weight_ih_l0"]),
              (cell.b_h, arrays["contrib_bias_ih_l0"])]
    if facts["kind"] == "gru":
        checks.append((cell.b_hn, arrays["contrib_bias_hh_l0"][:, 2 * H:]))
    for p, expected in checks:
        rows = sorted(flow.ledger(p), key=lambda row: row.step)
        assert [row.step for row in rows] == list(range(1, T + 1))
        close([row.contribution for row in rows], expected)
    for t, h in enumerate(out.operands):
        close(flow.gradient(h), arrays["dL_dh"][t])
    norms = flow.norms("h")
    close([norms[t] for t in range(1, T + 1)],
          np.linalg.norm(arrays["dL_dh"].reshape(T, -1), axis=1))
    check_weights(facts, arrays, {"_l0": layer})
    check_states(arrays, leaves)


# --- reset before the product; second order -----------------------------------------------------


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(("facts", "arrays"),
                         family("rnn_extra", lambda case, f: case.startswith("gru")))
def test_gru_with_reset_before_the_product(facts, arrays, stacked):
    W_xh, W_hh = arrays["weight_ih"], arrays["weight_hh"]
    layer = nn.GRU(facts["I"], facts["H"], reset_after=False, stacked=stacked,
                   return_sequences=True)
    W = {"W": np.hstack([W_xh, W_hh])} if stacked else {"W_xh": W_xh, "W_hh": W_hh}
    layer.cell.load_state_dict({**W, "b_h": arrays["bias"]})
    x = Tensor(arrays["x"], requires_grad=True)
    h0 = Tensor(arrays["h0"].reshape(x.shape[1], -1), requires_grad=True)
    out = layer(x, h0)
    close(out, arrays["output"])
    loss = (out * arrays["up_output"]).sum()
    close(loss.item(), arrays["loss"])
    loss.backward()
    expected = arrays["grad_weight_ih"], arrays["grad_weight_hh"]
    if stacked:
        close(layer.cell.W.grad, np.hstack(expected))
    else:
        close(layer.cell.W_xh.grad, expected[0])
        close(layer.cell.W_hh.grad, expected[1])
    close(layer.cell.b_h.grad, arrays["grad_bias"])
    close(x.grad, arrays["grad_x"])
    close(h0.grad.reshape(arrays["grad_h0"].shape), arrays["grad_h0"])


@pytest.mark.parametrize(("facts", "arrays"),
                         family("rnn_extra", lambda case, f: case.startswith("second")))
def test_second_order(facts, arrays):
    """S = sum of all squared gradients (two biases in the reference: theirs counts twice)."""
    layer = single(facts, arrays, return_sequences=True)
    top = head(arrays)
    x, h0 = (Tensor(arrays[k], requires_grad=True) for k in ("x", "h0"))
    named = {"weight_ih_l0": layer.cell.W_xh, "weight_hh_l0": layer.cell.W_hh,
             "bias_ih_l0": layer.cell.b_h, "W_hy": top.W, "b_hy": top.b}
    loss = loss_of(facts, arrays, top(layer(x, h0)))
    close(loss.item(), arrays["loss"])
    grads = dict(zip(named, tg.grad(loss, list(named.values()), create_graph=True)))
    for name, g in grads.items():
        close(g, arrays[f"grad_{name}"])
    squares = [(g * g).sum() * (2.0 if name == "bias_ih_l0" else 1.0)
               for name, g in grads.items()]
    S = sum(squares[1:], squares[0])
    close(S.item(), arrays["S"])
    for (name, p), g in zip({**named, "x": x, "h0": h0}.items(),
                            tg.grad(S, [*named.values(), x, h0])):
        close(g, arrays[f"gg_{name}"], CURVE)
        assert p.grad is None
    v = {name: arrays[f"v_{name}"] for name in named}
    v["bias_ih_l0"] = v["bias_ih_l0"] + arrays["v_bias_hh_l0"]
    along = [(g * v[name]).sum() for name, g in grads.items()]
    for name, g in zip(named, tg.grad(sum(along[1:], along[0]), list(named.values()))):
        close(g, arrays[f"hvp_{name}"], CURVE)


# --- hello --------------------------------------------------------------------------------------


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
