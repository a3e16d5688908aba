"""Modules: parameters by name, state dicts, and what the repr shows."""

import inspect
import re

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError, UnsupportedError


class Model(nn.Module):
    def __init__(self):
        self.rnn = nn.RNN(2, 3, return_sequences=True, seed=0)
        self.head = nn.Linear(3, 2, name="hy", seed=1)


def test_dotted_names_in_the_order_of_the_attributes():
    names = [name for name, _ in Model().named_parameters()]
    assert names == ["rnn.cell.W_xh", "rnn.cell.W_hh", "rnn.cell.b_h", "head.W_hy", "head.b_y"]


def test_lists_dicts_sharing_and_constants():
    class Odd(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(2, 2, seed=0), nn.Linear(2, 2, seed=1)]
            self.by_name = {"a": Tensor([1.0], requires_grad=True)}
            self.constant = Tensor([1.0])
            self.same = self.layers[0]
            self.tied = self.layers[0].W
            self.me = self

    model = Odd()
    assert [name for name, _ in model.named_parameters()] == \
        ["layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b", "by_name.a"]
    assert len(model.parameters()) == 5
    assert "layers.1: Linear(2, 2): 6" in repr(model)


def test_zero_grad():
    model = Model()
    model.head(model.rnn(np.ones((2, 2)))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_state_there_and_back():
    first, second = Model(), Model()
    for p in first.parameters():
        p.data = p.numpy() + 1.0
    state = first.state_dict()
    second.load_state_dict(state)
    for p, q in zip(first.parameters(), second.parameters()):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    state["head.W_hy"][:] = 0.0
    assert np.all(first.head.W.numpy() != 0.0)
    assert np.all(second.head.W.numpy() != 0.0)


@pytest.mark.parametrize(("change", "error", "words"), [
    (lambda s: s.pop("head.b_y"), InputError, r"missing: head\.b_y; unknown: none"),
    (lambda s: s.update(extra=1), InputError, r"missing: none; unknown: extra"),
    (lambda s: s.update({"head.b_y": np.zeros(3)}), ShapeError,
     r"'head\.b_y': expected shape \(2,\), got \(3,\)"),
    (lambda s: s.update({"head.b_y": np.array(["a", "b"])}), DTypeError, "real numbers"),
])
def test_a_state_that_does_not_fit_changes_nothing(change, error, words):
    model = Model()
    before, state = model.state_dict(), {k: v + 1.0 for k, v in model.state_dict().items()}
    change(state)
    with pytest.raises(error, match=words):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_repr_is_a_tree():
    assert repr(Model()).splitlines() == [
        "Model: 26 parameters",
        "  rnn: RNN(2, 3, tanh, return_sequences=True): 18 parameters",
        "    cell: RNNCell(2, 3, tanh): 18 parameters",
        "      W_xh (3, 2): 6",
        "      W_hh (3, 3): 9",
        "      b_h (3,): 3",
        "  head: Linear(3, 2): 8 parameters",
        "    W_hy (2, 3): 6",
        "    b_y (2,): 2",
    ]


def test_initial_values():
    rng = np.random.default_rng(0)
    cell = nn.RNNCell(30, 16, seed=rng)
    assert max(np.abs(p.numpy()).max() for p in cell.parameters()) <= 0.25
    assert np.abs(cell.W_hh.numpy()).max() > 0.2
    tidy = nn.RNNCell(30, 16, init="glorot", init_hh="orthogonal", seed=rng)
    W = tidy.W_hh.numpy()
    np.testing.assert_allclose(W @ W.T, np.eye(16), atol=1e-12)
    assert np.abs(tidy.W_xh.numpy()).max() <= np.sqrt(6 / 46)
    np.testing.assert_array_equal(tidy.b_h.numpy(), np.zeros(16))
    own = nn.RNNCell(2, 3, init=lambda rng, shape, hidden: np.full(shape, 0.5))
    assert np.all(own.W_xh.numpy() == 0.5)


def test_orthogonal_block_by_block():
    from tinygrad_rnn.nn.init import orthogonal

    W = orthogonal(np.random.default_rng(0), (12, 4), 4)
    for block in W.reshape(3, 4, 4):
        np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-12)
    wide = orthogonal(np.random.default_rng(0), (3, 5), 0)
    np.testing.assert_allclose(wide @ wide.T, np.eye(3), atol=1e-12)


def test_orthogonal_draws_favour_no_direction():
    """Under the uniform (Haar) measure every entry has mean 0; a QR factorisation as LAPACK returns
    it has a first column that always points away from the numbers it was made from."""
    from tinygrad_rnn.nn.init import orthogonal

    rng = np.random.default_rng(0)
    draws = np.array([orthogonal(rng, (2, 2), 0) for _ in range(2000)])
    assert np.abs(draws.mean(0)).max() < 4 * np.sqrt(0.5 / len(draws))  # an entry's variance is 1/2
    assert 0.45 < (np.linalg.det(draws) > 0).mean() < 0.55

def test_two_parameters_of_one_name_are_refused():
    class Net(nn.Module):
        def __init__(self):
            self.parts = {1: Tensor(np.ones(2), requires_grad=True, name="a"),
                          "1": Tensor(np.ones(3), requires_grad=True, name="b")}

    with pytest.raises(InputError, match=r"'parts.1': a \(2,\) and b \(3,\)"):
        Net().state_dict()


def test_the_repr_shows_what_lies_in_containers_of_containers():
    class Net(nn.Module):
        def __init__(self):
            self.parts = {"one": [nn.Linear(2, 3)], "two": {"w": [Tensor(
                np.ones(4), requires_grad=True)]}}

    text = repr(Net())
    assert "parts.one.0: Linear(2, 3): 9 parameters" in text
    assert "parts.two.w.0 (4,): 4" in text


def test_what_is_no_state_is_refused_and_tensors_are_taken():
    head, other = nn.Linear(2, 3, seed=0), nn.Linear(2, 3, seed=1)
    for wrong in (None, [1, 2], "W"):
        with pytest.raises(InputError, match="expected a dict from names to arrays"):
            head.load_state_dict(wrong)
    before = head.W.numpy()
    with pytest.raises(ShapeError, match="parameter 'W': expected an array, got rows"):
        head.load_state_dict({"W": [[1, 2], [3]], "b": np.zeros(3)})
    np.testing.assert_array_equal(head.W.numpy(), before)
    head.load_state_dict(dict(other.named_parameters()))
    np.testing.assert_array_equal(head.W.numpy(), other.W.numpy())
    assert head.W is not other.W
    other.W.data = np.zeros((3, 2))
    assert head.W.numpy().any()


def test_forward_is_answered_with_call():
    def forward(self, x):
        return x

    with pytest.raises(UnsupportedError, match=r"^Net: expected a method __call__, got .*forward"):
        type("Net", (nn.Module,), {"forward": forward})
    both = type("Net", (nn.Module,), {"forward": forward, "__call__": lambda self, x: x})
    assert both()(1) == type("Net", (both,), {"forward": forward})()(1) == 1


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell, nn.DeepRNNCell,
                                  nn.SkipRNNCell, nn.ReadoutCell])
def test_the_docstring_of_a_cell_has_its_equation_and_binds_every_argument(cell):
    doc = inspect.getdoc(cell)
    opening = doc.split("`x` is")[0]
    assert re.search(r"\b[hy]_t += ", opening)
    for symbol in ("(B, I)", "(B, O)" if cell is nn.ReadoutCell else "(B, H)", "Returns"):
        assert symbol in doc
    told = doc + (inspect.getdoc(nn.RNNCell) if "of `RNNCell`" in doc else "")
    for argument in list(inspect.signature(cell).parameters):
        assert f"`{argument}" in told or f" {argument}=" in told, argument


def test_the_bound_of_glorot():
    W = nn.RNN(40, 60, init="glorot", seed=0).cell.W_xh.numpy()
    bound = np.sqrt(6 / (40 + 60))
    assert 0.99 * bound < np.abs(W).max() <= bound
