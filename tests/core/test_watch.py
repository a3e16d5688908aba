"""The first NaN or Inf is named by op, tensor, step, scope, line; strict() finds silent writes."""

import threading

import numpy as np
import pytest

from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.checkpoint import checkpoint
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.graph import Op
from tinygrad_rnn.core.place import here, no_grad, scope, timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.core.watch import detect_anomaly, strict
from tinygrad_rnn.errors import AnomalyError, GradientError


def message(f, **options):
    with pytest.raises(AnomalyError) as caught, detect_anomaly(**options):
        f()
    return str(caught.value)


def test_forward_names_op_step_scope_line_and_entry():
    x = Tensor([[1.0, -1.0], [2.0, -3.0]], requires_grad=True, name="x")

    def f():
        with timestep(3), scope("encoder"):
            ops.log(x * 1.0)  # the line

    text = message(f)
    assert text.startswith("step 3, scope 'encoder', op 'log', at " + __file__)
    assert "[ops.log(x * 1.0)  # the line]" in text
    assert "made NaN at [0, 1] (2 of 4 entries) from finite operands; the operand there: -1" in text


def test_scalars():
    assert "op 'log'" in (text := message(lambda: ops.log(Value(0.0))))
    assert "made -Inf" in text
    assert "op 'exp'" in (text := message(lambda: ops.exp(Value(1000.0))))
    assert "made Inf from finite operands; the operand there: 1000" in text


def test_what_came_in_is_told_from_what_was_made():
    w = Tensor([1.0, 1.0], requires_grad=True, name="w")
    bad = [1.0, np.nan]
    for f, words in [
        (lambda: w * Tensor(bad, name="data"), "NaN at [1] (1 of 2 entries) came in with the "
                                               "constant 'data' (2,)"),
        (lambda: w * Tensor(bad), "came in with operand 2, a constant (2,)"),
        (lambda: Tensor(bad, requires_grad=True, name="v") * w, "came in with the leaf 'v' (2,)"),
        (lambda: w * np.array(bad), "came in with operand 2, a plain array"),
        (lambda: Value(1.0) * float("inf"), "Inf came in with operand 2, a plain number"),
    ]:
        assert words in message(f)
    with np.errstate(all="ignore"):
        h = ops.log(w - 1.0)
    assert "the result of 'log' (2,), made outside detect_anomaly()" in message(lambda: h * 2.0)


def test_a_result_without_gradient_is_watched_too():
    assert "op 'log'" in message(lambda: ops.log(Tensor([1.0, -1.0])))

    def f():
        with no_grad():
            ops.sqrt(Value(-1.0, name="x"))

    assert "op 'sqrt'" in message(f)


@pytest.mark.parametrize("send", [
    lambda y, x: y.backward(),
    lambda y, x: gradient_flow(y),
    lambda y, x: grad(y, x),
], ids=["backward", "flow", "grad"])
@pytest.mark.parametrize("wrap", [lambda f: f, checkpoint], ids=["plain", "checkpoint"])
def test_backward_names_the_op_of_the_forward_line(send, wrap):
    x = Tensor([4.0, 0.0], requires_grad=True, name="x")
    x.grad = np.zeros(2)

    def f():
        with timestep(2):
            h = wrap(lambda x: ops.sqrt(x))(x)  # here
        send(ops.sum_(h * 3.0), x)

    text = message(f)
    assert text.startswith(f"step 2, op 'sqrt', at {__file__}")
    assert "# here]" in text
    assert "backward made Inf at [1] (1 of 2 entries) in the gradient through the leaf 'x'" in text
    assert x.grad.tolist() == [0.0, 0.0]  # nothing was committed


def test_backward_of_scalars():
    x = Value(0.0, name="x")
    text = message(lambda: ops.sqrt(x).backward())
    assert "backward made Inf in the gradient through the leaf 'x'" in text
    assert x.grad is None


def test_a_weight_whose_contribution_is_not_built():
    W = Tensor([[1e-200]], requires_grad=True, name="W")

    def f():
        ops.sum_(ops.linear(Tensor([[1e200]]), W)).backward(1e200)

    text = message(f)
    assert "op 'linear'" in text
    assert "in the gradient through the leaf 'W' (1, 1)" in text


def test_gradient_nodes_keep_the_line_of_their_node():
    x = Tensor([4.0, 0.0], requires_grad=True)

    def f():
        y = ops.sum_(ops.sqrt(x))  # forward line
        grad(y, x, create_graph=True)

    text = message(f)
    assert "op '/', in the graph of a gradient" in text
    assert "# forward line]" in text


def test_second_order_backward():
    x = Tensor([0.0, 1.0], requires_grad=True, name="x")

    def f():
        y = ops.sum_(x ** 1.5)
        (slope,) = grad(y, [x], create_graph=True)
        grad(ops.sum_(slope), x)

    text = message(f)
    assert "op '**', in the graph of a gradient" in text
    assert "in the gradient through the leaf 'x'" in text


def test_seeds_sums_and_hooks():
    w = Value(1.0, name="w")
    assert "seed that has NaN" in message(lambda: ops.tanh(w).backward(float("nan")))
    h = Value(0.1, name="h")
    assert "finite, but their sum has" in message(lambda: (h * 1e308 + h * 1e308).backward())
    inner = ops.tanh(Value(0.1))
    assert "their sum is too large" in message(lambda: (inner * 1e308 + inner * 1e308).backward())
    hooked = ops.tanh(w)
    hooked.register_hook(lambda g: g * float("inf"))
    assert "a hook on it made that" in message(lambda: (hooked * 2.0).backward())


def test_inf_on_purpose():
    x = Tensor([1.0, 2.0], requires_grad=True)

    def masked():
        scores = ops.where(x, -np.inf, condition=np.array([True, False]))
        return ops.exp(scores)

    assert "-Inf" in message(masked)
    with detect_anomaly(inf=False):
        masked()
    assert "NaN" in message(lambda: masked() * np.nan, inf=False)


def test_it_ends_with_the_block_and_stays_in_its_thread():
    found = []

    @detect_anomaly()
    def watched():
        return here().watchers

    with detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(here().watchers))
        thread.start()
        thread.join()
        assert len(here().watchers) == 1
        with detect_anomaly():
            assert len(here().watchers) == 2
    assert found == [()] == [here().watchers]
    assert len(watched()) == 1
    with pytest.warns(RuntimeWarning):  # NumPy's own warnings are back
        ops.log(Tensor([-1.0]))


def test_a_healthy_program_is_left_alone():
    def loss():
        W, h = Tensor(np.eye(3) * 0.5, requires_grad=True), np.ones((2, 3))
        for t in range(5):
            with timestep(t):
                h = ops.tanh(ops.linear(h, W))
        ops.sum_(h).backward()
        return W.grad

    right = loss()
    with detect_anomaly(), strict():
        np.testing.assert_allclose(loss(), right, rtol=1e-12)


# --- strict -------------------------------------------------------------------------------------


def test_strict_names_what_was_written_to():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    with strict():
        h = ops.tanh(x).named("h")
        y = ops.sum_(h * h)
        h.value[0] = 5.0
        with pytest.raises(GradientError, match=r"the numbers of 'h' \(2,\), used by .* in place"):
            y.backward()
    assert x.grad is None


def test_strict_sees_an_op_that_keeps_its_array():
    buffer = np.zeros(2)

    def careless(x):
        buffer[:] = np.exp(x)
        return buffer

    op = Op("careless", array=careless, rules=(lambda g, y, x: g * y,))
    x = Tensor([0.0, 1.0], requires_grad=True)

    def run():
        one = op(x)
        two = op(x * 2.0)
        (ops.sum_(one) + ops.sum_(two)).backward()

    run()  # silently wrong
    assert x.grad.tolist() != pytest.approx((np.exp(x.value) + 2 * np.exp(2 * x.value)).tolist())
    with strict(), pytest.raises(GradientError, match=r"'careless' .* changed in place"):
        run()


def test_strict_second_order_and_what_was_made_before():
    x = Tensor([1.0, 2.0], requires_grad=True)
    before = ops.tanh(x)
    with strict():
        (slope,) = grad(ops.sum_(before * before), [x], create_graph=True)
        grad(ops.sum_(slope), x)


# --- hooks --------------------------------------------------------------------------------------


def test_hooks_see_and_replace_gradients():
    x = Value(2.0)
    seen = []
    h = x * 3.0
    remove = h.register_hook(seen.append)
    double = h.register_hook(lambda g: g * 2.0)
    (h * h).backward()
    assert (seen, x.grad) == ([12.0], 72.0)
    double()
    remove()
    remove()  # twice is once
    x.zero_grad()
    (h * h).backward()
    assert (seen, x.grad) == ([12.0], 36.0)


def test_hooks_on_leaves_see_the_whole_gradient_once():
    w = Tensor([1.0, 2.0], requires_grad=True)
    seen = []
    remove = w.register_hook(lambda g: seen.append(np.array(g)) or np.clip(g, -1.0, 1.0))
    y = ops.sum_(w * w + w)
    y.backward()
    assert [s.tolist() for s in seen] == [[3.0, 5.0]]
    assert w.grad.tolist() == [1.0, 1.0]
    remove()
    w.zero_grad()
    y.backward()
    assert w.grad.tolist() == [3.0, 5.0]
    assert len(seen) == 1
