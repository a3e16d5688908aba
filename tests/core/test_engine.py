"""Backward and grad: sums, seeds, accumulation, hooks, orders. What a user of `.grad` relies on."""

import itertools
import math

import numpy as np
import pytest

from tinygrad_rnn.core import ops
from tinygrad_rnn.core.backprop import Totals, contributions, history
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.in_line import in_line
from tinygrad_rnn.core.place import no_grad, timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.core.walk import nodes
from tinygrad_rnn.errors import GradientError, ShapeError


def weight(*shape, dtype=np.float64, seed=0):
    """A leaf with random entries."""
    return Tensor(np.random.default_rng(seed).normal(size=shape).astype(dtype), requires_grad=True)


def is_own(leaf, *others):
    """Whether a leaf's gradient is a contiguous array of its own."""
    g = leaf.grad
    return (type(g) is np.ndarray and g.shape == leaf.shape and g.dtype == leaf.dtype
            and g.flags.c_contiguous and g.flags.writeable and g.flags.owndata
            and not any(np.shares_memory(g, other) for other in others))


# --- the sum of all ways --------------------------------------------------------------------------


def diamond(a):
    b = a + a
    c = b + b
    return b, c, c + b


def test_the_diamond_of_the_docstring():
    a = Value(1.0)
    diamond(a)[2].backward()
    assert a.grad == 6.0


def test_the_docstring_is_right_about_what_another_order_gives():
    """Serving b with what came directly, before c has brought its 2, loses 2 * 2."""
    a = Value(1.0)
    b, c, d = diamond(a)
    received, sent = {d: 1.0}, {a: 0.0}
    for node in (d, b, c):  # b served too early
        g = received.pop(node)
        for operand in node.operands:
            if operand is a:
                sent[a] += g
            else:
                received[operand] = received.get(operand, 0.0) + g
    assert sent[a] == 2.0
    assert received == {b: 2.0}  # what nobody passes on any more


def test_a_graph_in_which_no_ways_part_is_found_in_one_go():
    w = Value(0.5)
    h = w
    for _ in range(5):
        h = ops.tanh(h * w)
    assert in_line(h) == history([h])
    assert in_line(h * h) == history([h * h])[:1] + history([h])
    assert in_line(h * ops.exp(h)) is None
    assert in_line(w) is None  # nothing was computed
    last = h * 2.0
    w.data = 0.7
    assert in_line(last) is None
    with pytest.raises(GradientError, match="assigned after op"):
        last.backward()


def test_every_node_is_served_once_and_after_its_users():
    a = Value(0.5)
    x = a
    for _ in range(12):  # 2 ** 12 ways from the end to a; a walk without memory would take them all
        x = x * 0.5 + x * 0.5
    served = [node for node, *_ in contributions(Totals([(x, 1.0)]))]
    order = list(dict.fromkeys(served))
    assert len(order) == 36
    assert len(list(itertools.groupby(served, key=id))) == 36
    assert all(u.order > v.order for u, v in itertools.pairwise(order))


@pytest.mark.parametrize("kind", [Value, lambda x: Tensor(x, requires_grad=True)])
def test_a_node_used_as_both_operands(kind):
    x = kind(3.0)
    (x * x).backward()
    assert x.grad == 6.0
    y = kind(3.0)
    (y - y).backward()
    assert y.grad == 0.0
    z = kind(3.0)
    (z / z).backward()
    assert z.grad == pytest.approx(0.0, abs=1e-16)


def test_a_node_joined_with_itself():
    x = weight(2, 3)
    seed = np.arange(18.0).reshape(6, 3)
    ops.concatenate(x, x, x).backward(seed)
    assert np.array_equal(x.grad, seed[:2] + seed[2:4] + seed[4:])
    y = weight(2)
    ops.stack(y, y).backward(np.array([[1.0, 2.0], [10.0, 20.0]]))
    assert np.array_equal(y.grad, [11.0, 22.0])


def test_value_and_tensor_in_one_graph():
    v, x = Value(2.0), Tensor([1.0, 5.0], requires_grad=True)
    y = ops.sum_(v * x * v)
    assert isinstance(y, Tensor)
    y.backward()
    assert v.grad == 24.0
    assert type(v.grad) is float
    assert np.array_equal(x.grad, [4.0, 4.0])


# --- accumulation and whose array it is -----------------------------------------------------------


def test_backward_twice_adds_exactly_twice():
    W, x = weight(3, 3), weight(4, 3, seed=1)
    h = x
    for _ in range(3):
        h = ops.tanh(ops.linear(h, W))
    loss = ops.sum_(h * h)
    loss.backward()
    once = W.grad.copy(), x.grad.copy()
    loss.backward()
    assert np.array_equal(W.grad, 2 * once[0])
    assert np.array_equal(x.grad, 2 * once[1])
    v = Value(0.3)
    y = v * v * v
    y.backward()
    first = v.grad
    y.backward()
    assert v.grad == 2 * first


def test_two_losses_accumulate_and_zero_grad_forgets():
    v = Value(3.0)
    assert v.grad is None
    (v * v).backward()
    (v * 5.0).backward()
    assert v.grad == 11.0
    v.zero_grad()
    assert v.grad is None
    (v * v).backward()
    assert v.grad == 6.0


def test_only_leaves_have_a_gradient_unless_asked():
    v = Value(3.0)
    a = v * v
    b = a * v
    a.retain_grad()
    c = b * 2.0
    c.backward()
    assert (a.grad, b.grad, c.grad) == (6.0, None, None)
    c.backward()
    assert a.grad == 12.0  # and what a kept was not sent on twice
    assert v.grad == 2 * 54.0


def test_a_constant_gets_none():
    x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    ops.sum_(x * w).backward()
    assert x.grad is None


def test_every_leaf_has_an_array_of_its_own():
    seed = np.ones((2, 3))
    a, b, c, d = weight(2, 3), weight(2, 3, seed=1), weight(3), weight(1, 1)
    y = a + b + c + d
    y.retain_grad()
    y.backward(seed)
    grads = [x.grad for x in (a, b, c, d)] + [y.grad]
    for x in (a, b, c, d):
        assert is_own(x, seed, y.value, x.value, *(g for g in grads if g is not x.grad))
    a.grad += 100.0
    assert seed.sum() == 6
    assert y.grad.sum() == b.grad.sum() == 6


def test_a_sum_gives_no_broadcast():
    x = weight(4, 5)
    ops.sum_(x).backward()
    assert is_own(x)
    ops.sum_(x).backward()
    assert is_own(x)
    assert np.array_equal(x.grad, np.full((4, 5), 2.0))


@pytest.mark.parametrize("turned_first", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_the_gradient_of_a_turned_weight_is_in_its_own_order(turned_first, times):
    W = weight(2, 3)
    x = np.arange(12.0).reshape(4, 3)
    uses = [lambda: ops.sum_(W.T * np.ones((3, 2))), lambda: ops.sum_(ops.linear(Tensor(x), W)),
            lambda: ops.sum_(W[:, 1:])]
    first, second, third = uses if turned_first else reversed(uses)
    y = first() + second() + third()
    for _ in range(times):
        y.backward()
    assert is_own(W)
    assert np.allclose(W.grad, times * (1 + x.sum(0) + [0, 1, 1]))


def test_a_slice_added_to_a_turned_gradient():
    W = weight(2, 3)
    part = ops.sum_(W[:, 1:])  # older: its turn comes after that of W.T
    (part + ops.sum_(W.T * np.ones((3, 2)))).backward()
    assert is_own(W)
    assert np.array_equal(W.grad, [[1, 2, 2], [1, 2, 2]])


def test_a_leaf_as_its_own_result():
    x, seed = weight(2), np.array([1.0, 2.0])
    x.backward(seed)
    assert is_own(x, seed)
    x.backward(seed)
    assert np.array_equal(x.grad, [2.0, 4.0])
    assert grad(x, x, seed=seed).numpy().tolist() == [1.0, 2.0]


# --- seeds ----------------------------------------------------------------------------------------


def test_a_seed_weighs_the_outputs():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).backward(np.array([1.0, 0.0, -1.0]))
    assert np.array_equal(x.grad, [2.0, 0.0, -6.0])
    v = Value(3.0)
    (v * v).backward(0.5)
    assert v.grad == 3.0


def test_a_seed_may_be_a_node_or_a_list():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * 3.0).backward(Tensor([1.0, 10.0]))
    assert np.array_equal(x.grad, [3.0, 30.0])
    (x * 3.0).backward([1, 1])
    assert np.array_equal(x.grad, [6.0, 33.0])


def test_the_seed_is_neither_kept_nor_changed():
    x, seed = weight(3), np.ones(3)
    y = x + 0.0
    y.backward(seed)
    seed[:] = 7.0
    assert np.array_equal(x.grad, np.ones(3))
    assert not np.shares_memory(x.grad, seed)


def test_one_number_in_any_shape_needs_no_seed():
    for shape in ((), (1,), (1, 1)):
        x = Tensor(np.full(shape, 3.0), requires_grad=True)
        (x * x).backward()
        assert x.grad.shape == shape
        assert x.grad == 6.0


@pytest.mark.parametrize("shape", [(2,), (3, 1), (), (3, 3)])
@pytest.mark.parametrize("kind", [np.ones, lambda shape: Tensor(np.ones(shape))])
def test_a_seed_of_another_shape_is_refused(kind, shape):
    x, seed = weight(3), kind(shape)
    with pytest.raises(ShapeError, match=r"seed of shape \(3,\)"):
        (x * x).backward(seed)
    with pytest.raises(ShapeError, match=r"seed of shape \(3,\)"):
        grad(x * x, x, seed=seed)


# --- kinds of numbers -----------------------------------------------------------------------------


def test_float32_stays_float32():
    W, x = weight(3, 3, dtype=np.float32), Tensor(np.ones((2, 3), np.float32))
    y = ops.sum_(ops.tanh(ops.linear(x, W)) * 0.5 + 1.0 - 2.0 / (W[0] * W[0] + 3))
    assert y.dtype == np.float32
    y.backward()
    assert is_own(W)
    y.backward()
    assert is_own(W)


def test_a_float64_operand_does_not_change_a_float32_gradient():
    W = weight(3, dtype=np.float32)
    ops.sum_(W * np.ones(3)).backward(np.float64(1.0))
    assert W.grad.dtype == np.float32


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_empty_arrays(shape):
    x = Tensor(np.zeros(shape), requires_grad=True)
    y = ops.sum_(x * x)
    assert y.item() == 0.0
    y.backward()
    assert is_own(x)


def test_an_empty_batch_gives_a_weight_zeros():
    W = weight(3, 2)
    ops.sum_(ops.linear(Tensor(np.zeros((0, 2))), W)).backward()
    assert np.array_equal(W.grad, np.zeros((3, 2)))


def test_an_empty_result_needs_a_seed():
    x = Tensor(np.zeros(0), requires_grad=True)
    with pytest.raises(GradientError, match="not a single number"):
        (x * x).backward()
    (x * x).backward(np.zeros(0))
    assert x.grad.shape == (0,)


# --- tg.grad --------------------------------------------------------------------------------------


def test_grad_gives_nodes_and_leaves_grad_alone():
    a, b = Value(2.0), Value(3.0)
    da, db = grad(a * b * b, [a, b])
    assert (da.item(), db.item()) == (9.0, 12.0)
    assert a.grad is None
    assert not da.requires_grad
    assert grad(a * b, a).item() == 3.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_unused_input_gives_zeros(create_graph):
    x, unused, v = weight(2), weight(3, 4), Value(1.0)
    gx, gu, gv = grad(ops.sum_(x * x), [x, unused, v], create_graph=create_graph)
    assert np.array_equal(gx.numpy(), 2 * x.value)
    assert np.array_equal(gu.numpy(), np.zeros((3, 4)))
    assert (gv.item(), isinstance(gv, Value)) == (0.0, True)


def test_grad_of_inner_nodes_and_of_the_result_itself():
    a = Value(2.0)
    b = a * 3.0
    c = b * b
    dc, db, da = grad(c, [c, b, a])
    assert (dc.item(), db.item(), da.item()) == (1.0, 12.0, 36.0)


@pytest.mark.parametrize("kind", [Value, lambda x: Tensor(x, requires_grad=True)])
def test_orders_one_to_four(kind):
    x0 = 0.7
    x = kind(x0)
    y = ops.sin(x) * x * x
    found = []
    for _ in range(4):
        y = grad(y, x, create_graph=True)
        found.append(y.item())
    s, c, x = math.sin(x0), math.cos(x0), x0
    assert found == pytest.approx([
        x * x * c + 2 * x * s,
        -x * x * s + 4 * x * c + 2 * s,
        -x * x * c - 6 * x * s + 6 * c,
        x * x * s - 8 * x * c - 12 * s], rel=1e-13)


def test_second_order_through_a_shared_weight():
    w, x0 = Value(0.2), 0.9
    h = x0
    for _ in range(3):
        h = w * h
    first = grad(h, w, create_graph=True)
    assert first.item() == pytest.approx(3 * 0.2**2 * x0)
    assert grad(first, w).item() == pytest.approx(6 * 0.2 * x0)


def test_a_gradient_node_knows_its_step_and_phase():
    w, h = Value(0.5), Value(2.0)
    for t in (1, 2):
        with timestep(t):
            h = ops.tanh(w * h)
    forward = set(nodes(h))
    g = grad(h, w, create_graph=True)
    made = [n for n in nodes(g) if n not in forward and n.op.rules]
    assert {n.phase for n in made} == {"backward"}
    assert {n.step for n in made} <= {1, 2, None}  # the sum over a leaf's uses belongs to the leaf
    assert {1, 2} <= {n.step for n in made}


def test_no_grad_records_nothing_and_create_graph_inside_still_does():
    v = Value(2.0)
    y = v * v
    with no_grad():
        z = v * v
        g = grad(y, v, create_graph=True)
    assert not z.requires_grad
    assert grad(g, v).item() == 2.0


# --- hooks ----------------------------------------------------------------------------------------


def test_a_hook_sees_the_whole_gradient_once():
    v, seen = Value(3.0), []
    a = v * 1.0
    a.register_hook(seen.append)
    (a * a + a).backward()
    assert seen == [7.0]


def test_a_hook_changes_what_goes_on():
    v = Value(3.0)
    a = v * 2.0
    remove = a.register_hook(lambda g: g * 10.0)
    y = a * 1.0
    y.backward()
    assert v.grad == 20.0
    remove()
    v.zero_grad()
    y.backward()
    assert v.grad == 2.0


def test_a_leaf_hook_runs_on_the_sum_and_hooks_run_in_order():
    v = Value(3.0)
    v.register_hook(lambda g: g + 1.0)
    v.register_hook(lambda g: g * 10.0)
    (v * v).backward()
    assert v.grad == 70.0


def test_a_hook_cannot_change_its_neighbours():
    a, b = weight(3), weight(3, seed=1)
    p, q = a * 1.0, b * 1.0
    p.register_hook(lambda g: g.__imul__(10.0))
    with pytest.raises(ValueError, match="read-only"):
        ops.sum_(p + q).backward()
    assert (a.grad, b.grad) == (None, None)


def test_a_gradient_kept_by_a_hook_is_not_the_leafs_own():
    W, kept = weight(2, 2), []
    W.register_hook(lambda g: kept.append(g))
    ops.sum_(ops.linear(Tensor(np.ones((3, 2))), W)).backward()
    assert is_own(W, *kept)


def test_a_hook_on_a_constant_is_refused():
    with pytest.raises(ValueError, match="needs no gradient"):
        Tensor([1.0]).register_hook(print)


def test_a_gradient_that_was_summed_the_other_way_round():
    """Both contributions are transposed arrays, and so would be their sum."""
    x, A = Tensor(np.ones((2, 3)), requires_grad=True), np.arange(6.0).reshape(3, 2)
    loss = sum((ops.transpose(x, axes=(1, 0)) * k * A).sum() for k in (1.0, 2.0))
    arriving = Totals([(loss, np.float64(1.0))])
    list(contributions(arriving))
    assert x in arriving.owned
    assert arriving[x].flags.c_contiguous
    loss.backward()
    assert is_own(x)
    np.testing.assert_array_equal(x.grad, 3.0 * A.T)


def test_what_a_sum_sends_back_is_what_arrived_and_no_array_of_ours():
    """Also where 1 arrives, which is sent on in ones that are kept: they stay ones."""
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for seed, expected in ((None, 1.0), (3.0, 3.0), (1.0, 1.0), (None, 1.0)):
        x.zero_grad()
        ops.sum_(x).backward(seed)
        np.testing.assert_array_equal(x.grad, np.full(3, expected))
        x.grad *= 7  # the user's own
    x.zero_grad()
    (3 * ops.sum_(x)).backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 3.0))
