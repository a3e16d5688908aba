"""tg.diff: nothing between two runs of one program; an edit, T + 1, a truncation, by their ids."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.cli.models import model


def loop(T, w=0.5, act=tg.tanh, extra=False, cut=None):
    w, h = tg.Value(w, name="w"), tg.Value(1.0, name="h0")
    for t in range(1, T + 1):
        with tg.timestep(t):
            z = w * h
            h = act(z * 1.5 if extra else z).named("h")
        h = h.detach() if t == cut else h
    return h


@pytest.mark.parametrize("kind", ["scalar", "many-to-many", "lstm", "encoder-decoder"])
def test_two_runs_of_one_program_do_not_differ(kind):
    found = tg.diff(model(kind, 3).loss, model(kind, 3).loss)
    assert not found
    assert str(found) == "no difference"


def test_one_step_more():
    found = tg.diff(loop(3), loop(4))
    assert list(found.added) == ["t4.*", "t4.h"]
    assert not found.removed
    assert not found.changed
    assert str(found) == "2 added, 0 removed, 0 changed\n  + t4.*\n  + t4.h"
    assert list(tg.diff(loop(4), loop(3)).removed) == ["t4.*", "t4.h"]


def test_an_edit():
    found = tg.diff(loop(2), loop(2, act=tg.sigmoid))
    assert found.changed[0].id == "t1.h"
    assert found.changed[0].what[0] == "op tanh → sigmoid"
    more = tg.diff(loop(1), loop(1, extra=True))
    assert "+ t1.*" in str(more)


def test_values_shapes_and_tolerance():
    assert "w: value 0.5 → 0.6" in str(tg.diff(loop(2), loop(2, w=0.6)))
    assert not tg.diff(loop(2), loop(2, w=0.5 + 1e-12))
    a, b = (tg.Tensor(np.ones(n), name="x", requires_grad=True).sum() for n in (2, 3))
    assert "x: shape (2,) → (3,)" in str(tg.diff(a, b))


def test_a_truncation_changes_gradients_and_removes_history():
    full, short = loop(3), loop(3, cut=1)
    assert tg.diff(full, short)
    flows = tg.gradient_flow(full), tg.gradient_flow(short)
    changed = {c.id: c.what for c in tg.diff(*flows).changed}
    assert any("gradient" in what for what in changed["w"])


def test_what_cannot_be_compared():
    with pytest.raises(tg.InputError, match="expected two results or two flows, got int"):
        tg.diff(loop(1), 3)
    for wrong in ({"rtol": "a"}, {"rtol": -1.0}, {"atol": float("nan")}):
        with pytest.raises(tg.InputError, match="tol to be a number"):
            tg.diff(loop(1), loop(1), **wrong)


def test_the_same_name_in_two_layers_is_told_apart():
    """In a diff, and in what a mistake does."""
    def loss(seed):
        layers = nn.RNN(2, 3, return_sequences=True, seed=seed), nn.RNN(3, 3, seed=seed + 1)
        return nn.Stacked(list(layers))(np.ones((3, 1, 2))).sum()

    names = {"layer 0/W_hh", "layer 1/W_hh"}
    assert names == {c.id for c in tg.diff(loss(0), loss(1)).changed if c.before.name == "W_hh"}
    shown = str(tg.what_if(loss(0), "no dh_next"))
    assert all(name in shown for name in names)


def test_a_released_graph_is_not_taken_for_an_empty_one():
    one, two = loop(2), loop(2)
    flow = tg.gradient_flow(two)
    tg.release(two)
    for before, after in ((one, two), (two, one), (flow, one)):
        with pytest.raises(tg.GradientError, match=r"^diff\(\): .* already released"):
            tg.diff(before, after)
