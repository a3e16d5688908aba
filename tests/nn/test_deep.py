"""Deep and skipping cells: the reference cases, and what they reduce to."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import InputError, ShapeError

from .reference import close, family


def deep_cell(arrays, I, H, **options):
    """A DeepRNNCell with the weights of a case, and name in the case -> parameter."""
    cell = nn.DeepRNNCell(I, H, seed=0, **options)
    names = {"Wx": cell.W_xh, "Wh": cell.W_hh, "b": cell.b_h}
    for numbers, layers in (("1", cell.input_layers), ("2", cell.transition_layers),
                            ("3", cell.output_layers)):
        for layer in layers:
            names |= {f"W{numbers}": layer.W, f"b{numbers}": layer.b}
    if cell.W_s is not None:
        names["Ws"] = cell.W_s
    return cell, names


def plain(arrays, I, H, **options):
    cell = nn.RNNCell(I, H, seed=0, **options)
    first = {"W": cell.W} if options else {"Wx": cell.W_xh, "Wh": cell.W_hh}
    return cell, first | {"b": cell.b_h}


def model_of(case, arrays, I, H, M):
    """(layer, parameters by the names of the case)."""
    options = {"deep_input": {"deep_input": [M]}, "deep_transition": {"deep_transition": [M]},
               "deep_transition_skip": {"deep_transition": [M], "shortcut": True},
               "deep_output": {"deep_output": [M]},
               "all_deep": {"deep_input": [M], "deep_transition": [M], "deep_output": [M]}}
    if case in options:
        cell, names = deep_cell(arrays, I, H, **options[case])
    elif case == "temporal_skip":
        cell = nn.SkipRNNCell(I, H, skips=(3,), seed=0)
        names = {"Wx": cell.W_xh, "Wh": cell.W_hh, "Ws": cell.W_s3, "b": cell.b_h}
    elif case == "residual_stack":
        layers = [nn.RNN(I, H, return_sequences=True), nn.RNN(H, H, return_sequences=True)]
        a, s = (layer.cell for layer in layers)
        names = {"Wx": a.W_xh, "Wh": a.W_hh, "b": a.b_h, "Vx": s.W_xh, "Vh": s.W_hh, "c": s.b_h}
        return nn.Stacked(layers, residual=True), names
    elif case == "output_skip":
        cell, names = plain(arrays, I, H)
        cell = nn.ReadoutCell(cell, len(arrays["by"]), skip=True, seed=0)
        names |= {"Wy": cell.W_hy, "Wxy": cell.W_xy, "by": cell.b_y}
    else:
        cell, names = plain(arrays, I, H, stacked=True)
    return nn.Recurrent(cell, return_sequences=True, return_all_states=True), names


@pytest.mark.parametrize(("case", "facts", "arrays"), [
    pytest.param(p.id, *p.values, id=p.id, marks=p.marks) for p in family("deep")])
def test_reference(case, facts, arrays):
    I, H, O, M = (facts[k] for k in "IHOM")
    layer, names = model_of(case, arrays, I, H, M)
    x, h0 = (Tensor(arrays[k], requires_grad=True) for k in ("x", "h0"))
    if "Wy" in names:
        def top(y):
            return y
    else:
        top = nn.Linear(len(arrays["Wy"][0]), O, name="hy", seed=0)
        names = names | {"Wy": top.W, "by": top.b}
    for name, p in names.items():
        assert p.shape == arrays[name].shape, name
        p.data = arrays[name]
    found = layer(x, [h0, h0] if case == "residual_stack" else h0)
    if case == "residual_stack":
        out = h = found
    else:
        out, states = found
        h = states[0] if isinstance(states, tuple) else states
    close(h, arrays["output"])
    y = top(out)
    close(y, arrays["y"])
    loss = nn.cross_entropy(y, arrays["target"])
    close([L.item() for L in loss.operands], arrays["loss_steps"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    for name, p in names.items():
        close(p.grad, arrays[f"grad_{name}"])
    close(x.grad, arrays["grad_x"])
    close(h0.grad, arrays["grad_h0"])
    assert len(names) == len({k for k in arrays if k.startswith("grad_")}) - 2


def test_without_anything_deep_it_is_the_vanilla_cell():
    deep, flat = nn.DeepRNNCell(3, 4, seed=5), nn.RNNCell(3, 4, seed=5)
    assert len(deep.parameters()) == 3
    deep.load_state_dict(flat.state_dict())
    x, h = np.ones((2, 3)), np.full((2, 4), 0.5)
    np.testing.assert_array_equal(deep(x, h)[0].numpy(), flat(x, h)[0].numpy())


def test_several_layers_on_every_way():
    cell = nn.DeepRNNCell(3, 4, "relu", deep_input=[5, 6], deep_transition=[7, 8],
                          deep_output=[9, 2], seed=0)
    shapes = {name: p.shape for name, p in cell.named_parameters()}
    assert shapes["input_layers.1.W"] == (6, 5)
    assert shapes["W_xh"] == (7, 6)
    assert shapes["W_hh"] == (7, 4)
    assert shapes["transition_layers.1.W"] == (4, 8)
    assert shapes["output_layers.1.W"] == (2, 9)
    y, h = cell(np.ones((2, 3)))
    assert (y.shape, h.shape, cell.output_size) == ((2, 2), (2, 4), 2)
    assert h.name == "h"


def test_states_of_a_skip_cell():
    cell = nn.SkipRNNCell(3, 4, skips=(2, 3), seed=0)
    with tg.timestep(1):
        h, state = cell(np.ones((2, 3)), None)
    assert state[0] is h
    assert [part.label for part in state] == ["h_1", "h_0", "h_-1"]
    layer = nn.Recurrent(cell, return_state=True)
    given = tuple(np.full((2, 4), k) for k in (0.1, 0.2, 0.3))
    _, after = layer(np.ones((1, 2, 3)), given)
    np.testing.assert_array_equal(after[1].numpy(), given[0])
    np.testing.assert_array_equal(after[2].numpy(), given[1])
    z = np.ones((2, 3)) @ cell.W_xh.numpy().T + cell.b_h.numpy() + sum(
        h @ W.numpy().T for h, W in zip(given, (cell.W_hh, cell.W_s2, cell.W_s3)))
    np.testing.assert_allclose(after[0].numpy(), np.tanh(z))


def test_a_readout_without_a_skip_is_a_linear_head():
    inner = nn.LSTMCell(3, 4, seed=0)
    cell = nn.ReadoutCell(inner, 5, seed=1)
    head = nn.Linear(4, 5, name="hy")
    head.load_state_dict({"W_hy": cell.W_hy.numpy(), "b_y": cell.b_y.numpy()})
    xs = np.random.default_rng(0).normal(size=(6, 2, 3))
    ys, state = nn.Recurrent(cell, return_sequences=True, return_state=True)(xs)
    hs, expected = nn.Recurrent(inner, return_sequences=True, return_state=True)(xs)
    np.testing.assert_array_equal(ys.numpy(), head(hs).numpy())
    np.testing.assert_array_equal(state.c.numpy(), expected.c.numpy())
    assert [y.label for y in ys.operands][:2] == ["y_1", "y_2"]
    assert nn.Recurrent(cell)(np.zeros((0, 2, 3))).shape == (2, 5)


@pytest.mark.parametrize("make", [
    lambda: nn.DeepRNNCell(3, 4, shortcut=True), lambda: nn.DeepRNNCell(3, 4, deep_input=[0]),
    lambda: nn.SkipRNNCell(3, 4, skips=()), lambda: nn.SkipRNNCell(3, 4, skips=(1, 3)),
    lambda: nn.ReadoutCell(lambda x, s: (x, s), 2)])
def test_cells_that_cannot_be(make):
    with pytest.raises(InputError):
        make()


def test_a_residual_stack_needs_equal_sizes():
    layers = [nn.RNN(3, 4, return_sequences=True), nn.RNN(4, 5)]
    with pytest.raises(ShapeError, match=r"residual=True stacked layer 1 .*\(T, B, 4\).*\(T, B, 5"):
        nn.Stacked(layers, residual=True)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_last_of_a_residual_stack(reverse):
    def stack(sequences):
        return nn.Stacked([nn.GRU(3, 4, return_sequences=True, reverse=reverse, seed=0),
                           nn.GRU(4, 4, return_sequences=sequences, reverse=reverse, seed=1)],
                          residual=True)
    xs = np.random.default_rng(0).normal(size=(5, 2, 3))
    lengths = [5, 3]
    every = stack(True)(xs, lengths=lengths).numpy()
    last = stack(False)(xs, lengths=lengths).numpy()
    np.testing.assert_array_equal(last, every[0 if reverse else -1])
