"""Nodes and ops: what is kept, in which order, under which names."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.graph import Op


def test_a_node_knows_its_op_operands_and_values():
    a, b = tg.Value(2.0), tg.Value(3.0)
    y = a * b
    assert (y.op, y.operands, y.values, y.value) == (ops.mul, (a, b), (2.0, 3.0), 6.0)
    z = 2.0 - a
    assert z.operands == (2.0, a)
    assert z.operands[1] is a
    assert (a.operands, a.is_leaf, y.is_leaf) == ((), True, False)


def test_constants_are_drawn_and_plain_arrays_are_not():
    x, W = tg.Tensor([[1.0]], name="x"), tg.Tensor([[2.0]], requires_grad=True)
    y = tg.linear(x, W) + np.ones(1)
    assert x in tg.nodes(y)
    assert not x.requires_grad
    assert isinstance(y.operands[1], np.ndarray)


def test_more_than_two_operands():
    parts = [tg.Tensor(np.full(2, float(i)), requires_grad=True) for i in range(5)]
    y = ops.concatenate(*parts, axis=0)
    assert all(x is p for x, p in zip(y.operands, parts, strict=True))
    assert np.array_equal(np.concatenate(y.values), y.value)
    assert y.params == {"axis": 0}
    assert y.arity == 5


def test_the_order_of_creation_is_a_topological_order():
    a = tg.Value(1.0)
    nodes = [a]
    for i in range(50):
        nodes.append(nodes[i // 2] * nodes[-1] + nodes[i // 3])
    for operand, _, node in tg.edges(nodes[-1]):
        assert operand.is_leaf or operand.order < node.order


def test_plain_in_plain_out():
    assert tg.tanh(0.0) == 0.0
    assert type(tg.tanh(0.5)) is float
    assert type(tg.tanh(np.ones(2))) is np.ndarray
    assert type(ops.mul(2.0, 3.0)) is float
    assert type(ops.add(np.ones(2), 1.0)) is np.ndarray


def test_constants_give_constants():
    x = tg.Tensor([1.0])
    assert not (x * x + 1.0).requires_grad
    assert (x * x).operands == ()
    assert (x * tg.Tensor([2.0], requires_grad=True)).requires_grad


def test_labels():
    with tg.timestep(3):
        h = tg.tanh(tg.Value(1.0)).named("h")
        z = h * h
        y = (h * 1.0).named("y_3")
    assert (h.label, z.label, y.label) == ("h_3", "*", "y_3")
    assert tg.Value(1.0, name="w").label == "w"
    assert h.named("k") is h
    assert h.label == "k_3"


@pytest.mark.parametrize("op", [*ops.table().values()])
def test_a_row_prints_its_name(op):
    assert op.name in repr(op)
    assert isinstance(op, Op)


@pytest.mark.parametrize("f", [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b,
    lambda a, b: a ** b, lambda a, b: ops.maximum(a, b), lambda a, b: ops.minimum(a, b)])
@pytest.mark.parametrize(("left", "right"), [
    ("node", "node"), ("node", "number"), ("number", "node"), ("node", "constant"),
    ("constant", "node"), ("node", "array"), ("array", "node"), ("node", "int"), ("int", "node")])
@pytest.mark.parametrize("scalar", [True, False])
def test_every_pairing_has_the_same_value_and_gradient(f, left, right, scalar):
    """The short way and the general way through an op agree, whatever stands on either side."""
    def side(kind, number):
        if kind == "int":
            return int(number)
        if kind == "number":
            return number
        if kind == "array":
            return np.full(2, number)
        make = tg.Value if scalar else lambda x, **k: tg.Tensor(np.full(2, x), **k)
        return make(number, requires_grad=kind == "node")

    x, y, e = 2.0, 3.0, 1e-6
    a, b = side(left, x), side(right, y)
    result = f(a, b)
    assert isinstance(result, tg.Value if scalar and "array" not in (left, right) else tg.Tensor)
    assert np.all(result.numpy() == f(x, y))
    with tg.detect_anomaly():  # records the same by the general way
        assert np.array_equal(f(a, b).numpy(), result.numpy())
    (result if result.is_scalar else ops.sum_(result)).backward()
    size = 2 if scalar and not result.is_scalar else 1
    slopes = (f(x + e, y) - f(x - e, y)) / (2 * e), (f(x, y + e) - f(x, y - e)) / (2 * e)
    for node, slope in zip((a, b), slopes):
        if getattr(node, "requires_grad", False):
            assert node.grad == pytest.approx(np.full(np.shape(node.value), slope * size), rel=1e-8)
    for kept, given in zip(result.operands, (a, b)):
        assert kept is given or isinstance(given, np.ndarray) or result.operands == ()
