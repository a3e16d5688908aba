"""check_op and local_check: the guilty op, its step and its line; second order; per sample."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.graph import Op
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import check_gradients, check_op, local_check

WRONG = Op("tanh", array=np.tanh, rules=(lambda g, y, x: g * (1 - y),))


def recurrence(act, guilty=(1, 2, 3), dtype=float):
    """The loss of three steps; at the guilty ones `act` stands for tanh."""
    r = np.random.default_rng(0)
    w = tg.Tensor(r.normal(size=(4, 4)).astype(dtype), name="W", requires_grad=True)
    xs = r.normal(size=(3, 2, 4)).astype(dtype)

    def loss():
        h = xs[0]
        for t in range(1, 4):
            with tg.timestep(t):
                z = ops.linear(h, w) + xs[t - 1]
                h = (act(z) if t in guilty else ops.tanh(z)).named("h")
        return ops.sum_(h * h)

    return loss, w


def test_a_right_graph_passes():
    report = local_check(recurrence(ops.tanh)[0])
    assert report, report
    assert set(report.blocks) >= {"operand 0 of 'tanh'", "operand 1 of 'linear'"}
    for layer in (nn.LSTM(3, 2, seed=0), nn.GRU(3, 2, seed=0)):
        report = local_check(lambda layer=layer: (layer(np.ones((4, 2, 3))) ** 2).sum())
        assert report, report


def test_the_guilty_op_its_step_and_its_line():
    loss, w = recurrence(WRONG, guilty=(2, 3))
    report = local_check(loss)
    assert report.failed
    assert report.blocks["operand 0 of 'tanh'"].verdict == "FAIL"
    assert "at 2 of 3 nodes; the first is 'h_2' (2, 4) at step 2, made in" in report.cause
    assert "test_local.py:" in report.cause
    assert {n for n, b in report.blocks.items() if b.verdict == "FAIL"} == {"operand 0 of 'tanh'"}
    whole = check_gradients(loss, [w])
    assert "the rule of operand 0 of 'tanh' is wrong at 2 of 3 nodes" in str(whole)


def test_a_graph_that_is_already_there():
    loss, _ = recurrence(WRONG)
    assert "the first is 'h_1' (2, 4) at step 1" in local_check(loss()).cause
    with pytest.raises(InputError, match="needs a node"):
        local_check(3.0)
    gone = loss()
    tg.release(gone)
    with pytest.raises(InputError, match="released"):
        local_check(gone)


def test_float32_graphs_pass_and_fail():
    assert local_check(recurrence(ops.tanh, dtype=np.float32)[0])
    assert local_check(recurrence(WRONG, dtype=np.float32)[0]).failed


def test_scalars_and_a_rule_that_raises():
    x = tg.Value(2.0, name="x")
    assert local_check(lambda: tg.tanh(x) * x + tg.exp(x) / 3.0 - x ** 2)
    broken = Op("half", scalar=lambda x: x / 2, rules=(lambda g, y, x: [][1],))
    assert "its rule raises IndexError" in local_check(lambda: broken(x)).cause


def test_a_value_that_was_written_to():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = tg.exp(x)
    y.value[0] = 7.0
    report = local_check(ops.sum_(y))
    assert report.verdict == "inconclusive"
    assert "not what the op gives" in report.cause


# --- ops of one's own -----------------------------------------------------------------------------


@tg.op(lambda g, y, x: g * 3 * x ** 2)
def cube(x):
    return x ** 3


@tg.op(lambda g, y, a, b: g * b, lambda g, y, a, b: g * b)
def times(a, b):
    return a * b


def test_a_right_op_passes_with_arrays_and_floats_to_the_second_order():
    report = check_op(cube, np.array([1.0, -2.0, 0.5]))
    assert report, report
    assert list(report.blocks) == ["x", "x (second order)", "x (floats)",
                                   "x (second order) (floats)"]
    assert check_op(cube, 2.0)
    assert check_op(ops.matmul, np.ones((2, 3)), np.ones((3, 2)))
    assert check_op(ops.concatenate, np.ones((2, 3)), np.ones((1, 3)), axis=0)


def test_a_wrong_operand_is_named():
    report = check_op(times, np.array([1.0, -2.0, 0.5]), np.array([1.0, 3.0, 0.25]))
    assert report.failed
    assert report.blocks["b"].verdict == "FAIL"
    assert report.blocks["a"].verdict == "pass"


def test_wrong_at_the_second_order_only():
    once = Op("square", array=np.square, rules=(lambda g, y, x: g * x.detach() * 2.0
                                                if isinstance(x, tg.Tensor) else g * x * 2.0,))
    assert check_op(once, np.array([1.0, 2.0]), order=1)
    report = check_op(once, np.array([1.0, 2.0]))
    assert report.failed
    assert report.blocks["operand 0"].verdict == "pass"
    assert report.blocks["operand 0 (second order)"].verdict == "FAIL"


def test_operands_without_a_rule_and_options():
    with_option = Op("scaled", array=lambda x, k=1.0: k * x, rules=(lambda g, y, x, k=1.0: g * k,))
    assert check_op(with_option, np.ones(3), k=3.0)
    plain = tg.op(lambda g, y, x, where: g * where, None)(lambda x, where: x * where)
    report = check_op(plain, np.ones(3), np.array([1.0, 0.0, 2.0]))
    assert report, report
    assert "where" not in report.blocks
    with pytest.raises(InputError, match="needs an op"):
        check_op(np.tanh, np.ones(3))


def test_a_rule_of_plain_numbers_has_no_second_order_and_says_so():
    plain = tg.op(lambda g, y, x: g * np.asarray(x.value if hasattr(x, "value") else x) * 2.0
                  if not hasattr(g, "value") else g.numpy())(lambda x: x * x)
    report = check_op(plain, np.array([1.0, 2.0]))
    assert report
    assert any("no second order" in note for note in report.notes)


# --- order 2, and sample by sample ----------------------------------------------------------------


def test_second_order_of_layers():
    for layer in (nn.RNN(3, 2, seed=0), nn.LSTM(3, 2, seed=0), nn.GRU(3, 2, seed=0)):
        xs = np.random.default_rng(0).normal(size=(4, 2, 3))
        report = check_gradients(lambda f=layer, xs=xs: (f(xs) ** 2).sum(), layer, order=2)
        assert report, report
        assert len(report.blocks) == 2 * len(dict(layer.named_parameters()))
    with pytest.raises(InputError, match="order must be 1 or 2"):
        check_gradients(lambda: 1.0, [tg.Value(1.0)], order=3)


def test_inputs_and_initial_states_are_parameters_like_others():
    layer = nn.LSTM(3, 2, seed=0)
    r = np.random.default_rng(0)
    xs, h, c = (tg.Tensor(r.normal(size=s), requires_grad=True, name=n)
                for n, s in (("xs", (4, 2, 3)), ("h_0", (2, 2)), ("c_0", (2, 2))))
    report = check_gradients(lambda: (layer(xs, initial_state=(h, c)) ** 2).sum(), [xs, h, c])
    assert report, report
    assert list(report.blocks) == ["xs", "h_0", "c_0"]


def test_every_sample_on_its_own():
    r = np.random.default_rng(0)
    w, xs = tg.Tensor(r.normal(size=(3,)), requires_grad=True, name="w"), r.normal(size=(4, 3))
    report = check_gradients(lambda: ops.sum_(ops.tanh(w * xs), axis=1), [w], per_sample=True)
    assert report, report
    assert list(report.blocks) == [f"w (sample {b})" for b in range(4)]
    scale = np.where(np.arange(4) == 2, 1.5, 1.0)[:, None]
    odd = Op("tanh", array=np.tanh, rules=(lambda g, y, x: g * (1 - y * y) * scale,))
    report = check_gradients(lambda: ops.sum_(odd(w * xs), axis=1), [w], per_sample=True)
    assert [n for n, b in report.blocks.items() if b.verdict == "FAIL"] == ["w (sample 2)"]
    assert check_gradients(lambda: ops.sum_(ops.tanh(w * xs), axis=1), [w], per_sample=True,
                           order=2)
    for loss in (lambda: ops.sum_(w), lambda: w * xs):
        with pytest.raises(InputError, match="one loss for every sample"):
            check_gradients(loss, [w], per_sample=True)
