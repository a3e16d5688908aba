"""Walking the graph: order, edges, uses, paths, release. The same program gives the same lists."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core import ops, walk


def program():
    W, x = tg.Tensor(np.eye(2), name="W", requires_grad=True), tg.Tensor([[1.0, 2.0]], name="x")
    h = tg.Tensor([[0.0, 0.0]], name="h0")
    for t in (1, 2):
        with tg.timestep(t):
            h = tg.tanh(tg.linear(h, W) + x).named("h")
    return W, x, ops.sum_(h).named("L")


def test_nodes_oldest_first_with_what_was_given_before_its_first_use():
    _, _, loss = program()
    assert [n.label for n in tg.nodes(loss)] == [
        "h0", "W", "linear", "x", "+", "h_1", "linear", "+", "h_2", "L"]


def test_the_order_does_not_depend_on_memory():
    """Two runs give the same lists, whatever was made before."""
    def described():
        _, _, loss = program()
        place = {node: i for i, node in enumerate(tg.nodes(loss))}
        return [(place[x], i, place[node]) for x, i, node in tg.edges(loss)]

    first = described()
    kept = [tg.Value(float(i)) * 2.0 for i in range(100)]
    assert described() == first
    assert len(kept) == 100


def test_edges():
    _, _, loss = program()
    labels = [(a.label, i, n.label) for a, i, n in tg.edges(loss)]
    assert labels[:5] == [("h0", 0, "linear"), ("W", 1, "linear"), ("linear", 0, "+"),
                          ("x", 1, "+"), ("+", 0, "h_1")]
    v = tg.Value(3.0)
    assert [(a is v, i) for a, i, _ in tg.edges(v * v)] == [(True, 0), (True, 1)]


def test_several_roots():
    v = tg.Value(1.0)
    a, b = v * 2.0, v * 3.0
    assert [n is m for n, m in zip(tg.nodes(b, a), (v, a, b))] == [True] * 3
    assert len(tg.nodes(a, a)) == 2
    assert tg.nodes(v)[0] is v
    with pytest.raises(ValueError, match="Value or a Tensor"):
        tg.nodes(1.0)


def test_uses():
    W, x, loss = program()
    assert [(n.step, i) for n, i in tg.uses(loss, W)] == [(1, 1), (2, 1)]
    assert [n.op.name for n, _ in tg.uses(loss, x)] == ["+", "+"]
    assert tg.uses(loss, tg.Value(1.0)) == []
    v = tg.Value(1.0)
    assert len(tg.uses(v * v, v)) == 2


def test_uses_see_through_aliases():
    W = tg.Tensor(np.eye(2), requires_grad=True)
    y = ops.sum_(W.T @ W.reshape(2, 2)[0]) + ops.sum_(W[np.array([0])])
    assert [n.op.name for n, _ in tg.uses(y, W)] == ["@", "@", "[]"]


@pytest.mark.parametrize(("show", "alias"), [
    (lambda W: W.T, True), (lambda W: W.reshape(-1), True), (lambda W: W[0], True),
    (lambda W: W[:, None, ::-1], True), (lambda W: W[..., 1], True), (lambda W: W * 1.0, False),
    (lambda W: W[[0, 1]], False), (lambda W: W[W.value > 0], False)])
def test_what_is_an_alias(show, alias):
    assert walk.is_alias(show(tg.Tensor(np.eye(2), requires_grad=True))) is alias


def test_path():
    W, x, loss = program()
    way = tg.path(x, loss)
    assert [n.label for n in way] == ["x", "+", "h_2", "L"]
    assert all(any(o is a for o in b.operands) for a, b in itertools.pairwise(way))
    assert tg.path(loss, x) == []
    assert tg.path(tg.Value(1.0), loss) == []
    assert len(tg.path(W, W)) == 1


def test_release():
    W, _, loss = program()
    h = loss.operands[0]
    value = h.numpy()
    tg.release(loss)
    assert (h.operands, h.label, h.step) == ((), "h_2", 2)
    assert np.array_equal(h.numpy(), value)
    assert W.requires_grad
    assert W.is_leaf
    tg.release(loss)  # once more does no harm
    assert [n.label for n in tg.nodes(loss)] == ["L"]
