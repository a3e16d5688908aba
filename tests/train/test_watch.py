"""Watch: what it sees, when it warns, and that it changes nothing and keeps no graph."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, train


def run(updates=6, lr=0.05, detach=True, keep=1000, watch=True, kind=nn.RNN, scale=1.0, **options):
    draws = np.random.default_rng(0)
    layer = kind(3, 4, return_sequences=True, return_state=True, seed=0, **options)
    seen = train.Watch(layer, keep) if watch else None
    sgd, state = optim.SGD(layer, lr), None
    for _ in range(updates):
        outputs, state = layer(scale * draws.normal(size=(5, 2, 3)), state)
        loss = (outputs ** 2).sum()
        sgd.zero_grad()
        loss.backward()
        if seen is not None:
            seen.update(loss)
        if lr:
            sgd.step()
        if detach:
            state = state.detach() if hasattr(state, "detach") else tuple(
                s.detach() for s in state)
    return layer, seen, loss


def test_it_changes_nothing_and_sees_what_there_is():
    layer, seen, loss = run()
    other, _, _ = run(watch=False)
    for a, b in zip(layer.parameters(), other.parameters()):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    row = seen.rows[-1]
    assert row.update == 6
    assert row.loss == loss.item()
    assert row.gradient == pytest.approx(
        np.sqrt(sum(np.sum(p.grad ** 2) for p in layer.parameters())))
    assert (row.nodes, row.steps) == (len(tg.nodes(loss)), 5)
    assert seen.to_numpy().shape == (6, 9)
    assert seen.to_csv().splitlines()[0].startswith("update,loss,gradient,")


def test_a_healthy_run_has_no_warnings():
    _, seen, _ = run(lr=0.005)
    assert seen.warnings == {}
    assert "no warnings" in str(seen)


def test_a_history_that_was_not_cut_names_the_edge():
    _, seen, _ = run(lr=0.0, detach=False)
    said = seen.warnings["growth"]
    assert said.startswith("update 2, step 5: the graph has ")
    assert "linear still uses h_5 of an earlier update. Cut it: h.detach()" in said
    assert "growth" not in run(lr=0.0, detach=True)[1].warnings


def test_saturation_exploding_updates_and_dead_units():
    assert any("beyond ±0.99" in text for text in run(scale=50.0)[1].warnings.values())
    assert any("of its size" in text for text in run(lr=50.0, updates=3)[1].warnings.values())
    layer = nn.RNN(3, 4, nonlinearity="relu", return_sequences=True, seed=0)
    layer.cell.b_h.data = np.array([-100.0, 0.5, 0.5, -100.0])
    seen = train.Watch(layer)
    for _ in range(20):
        loss = layer(np.random.default_rng(0).normal(size=(4, 2, 3))).sum()
        loss.backward()
        seen.update(loss)
    assert seen.rows[-1].dead == 2
    assert "2 relu units have never been on" in seen.warnings["dead"]


def test_memory_is_flat_and_no_graph_is_kept():
    _, seen, loss = run(updates=30, keep=10)
    assert len(seen.rows) == 10
    assert {len(sizes) for sizes in seen.norms.values()} == {10}
    there = weakref.ref(loss)
    del loss
    gc.collect()
    assert there() is None


def test_a_keep_that_cannot_be():
    with pytest.raises(tg.InputError, match="whole number of at least 1"):
        train.Watch([], keep=0)
