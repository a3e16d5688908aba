"""check_gradients: planted bugs are caught and named, correct models pass, nothing is left."""

import numpy as np
import pytest

from tinygrad_rnn.core import functions, ops
from tinygrad_rnn.core.graph import Node, Op
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import check_backward, check_gradients
from tinygrad_rnn.testing.comparing import Comparison, Slopes

from . import zoo


def rnn(seed, *, gain=1.0, T=10, H=4, act=ops.tanh, dtype=float, offset=0.0):
    """A recurrence by hand: h_t = φ(U x_t + W h_{t-1} + b), L = |V h_T - y|² / 2."""
    r = np.random.default_rng(seed)
    sizes = {"W": (H, H), "U": (H, 3), "b": (H,), "V": (2, H)}
    scales = {"W": gain / np.sqrt(H), "U": 1.0, "b": 0.5, "V": 1.0}
    p = {n: Tensor((scales[n] * r.normal(size=s)).astype(dtype), requires_grad=True, name=n)
         for n, s in sizes.items()}
    xs, y = r.normal(size=(T, 2, 3)).astype(dtype), r.normal(size=(2, 2)).astype(dtype)

    def loss():
        h = np.zeros((2, H), dtype)
        for t in range(T):
            with timestep(t + 1):
                h = act(ops.linear(xs[t], p["U"]) + ops.linear(h, p["W"]) + p["b"])
        error = ops.linear(h, p["V"]) - y
        return ops.sum_(error * error) * 0.5 + offset

    return loss, p


def wrong_tanh(rule):
    return Op("tanh", array=np.tanh, rules=(rule,))


# --- correct models -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_a_correct_recurrence_passes(seed):
    report = check_gradients(*rnn(seed), seed=seed)
    assert report, report
    assert report.verdict == "pass"
    assert {b.verdict for b in report.blocks.values()} == {"pass"}
    assert (report.failed, report.cause) == (False, "")


@pytest.mark.parametrize("options", [
    {"gain": 4.0}, {"gain": 10.0}, {"gain": 1.5, "T": 40}, {"gain": 3.0, "T": 30, "H": 8},
    {"act": ops.relu, "gain": 1.5}, {"offset": 1e3},
], ids=["chaotic", "saturated", "long", "long and chaotic", "relu", "offset"])
def test_hard_but_correct_models_pass(options):
    for seed in range(8):
        report = check_gradients(*rnn(seed, **options))
        assert report, (seed, report)


@pytest.mark.parametrize("options", [{}, {"gain": 4.0}, {"act": ops.relu, "gain": 1.5}],
                         ids=["plain", "chaotic", "relu"])
def test_float32_passes_too(options):
    for seed in range(12):
        report = check_gradients(*rnn(seed, dtype=np.float32, **options))
        assert report, (seed, report)


def test_a_forward_that_insists_on_float32_is_never_a_false_failure():
    def narrow(act):
        return lambda z: act(z.astype(np.float32))

    for act in (ops.tanh, ops.relu):
        for seed in range(12):
            loss, p = rnn(seed, gain=1.5, dtype=np.float32, act=narrow(act))
            assert check_gradients(loss, p).verdict in ("pass", "inconclusive")


def test_in_a_forward_of_float32_gross_errors_fail_and_others_are_inconclusive():
    def off(by):
        return lambda z: wrong_tanh(lambda g, y, x: g * (1 - y * y) * np.float32(1.0 + by))(
            z.astype(np.float32))

    for by in (0.03, 1.0, -2.0):
        for seed in range(2):
            report = check_gradients(*rnn(seed, dtype=np.float32, act=off(by)), localise=False)
            assert report.failed, (by, seed)
    report = check_gradients(*rnn(0, act=off(1e-4)))  # parameters in float64
    assert report.verdict == "inconclusive"
    assert "computed in float32? Check in float64" in str(report)


def test_scalars():
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    assert check_gradients(lambda: (a * b + ops.tanh(a)) ** 2, [a, b])
    assert check_gradients(lambda: a * a, a).blocks["a"].verdict == "pass"


def test_it_costs_few_evaluations_for_any_number_of_parameters():
    report = check_gradients(*rnn(0, H=30))
    assert report
    assert report.evaluations <= 30
    assert report.gradients == 3


# --- planted bugs -------------------------------------------------------------------------------

BUGS = {
    "sign": lambda g, y, x: -g * (1 - y * y),
    "factor 1 + 1e-6": lambda g, y, x: g * (1 - y * y) * (1 + 1e-6),
    "no square": lambda g, y, x: g * (1 - y),
    "of the input": lambda g, y, x: g * (1 - x * x),
    "one row only": lambda g, y, x: g * (1 - y * y) * (np.arange(len(y)) == 0)[:, None],
    "summed over the batch": lambda g, y, x: np.broadcast_to((g * (1 - y * y)).mean(0), x.shape),
    "one entry, 1%": lambda g, y, x: g * (1 - y * y) * (1 + 0.01 * (np.arange(4) == 2)),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_wrong_rule_fails(name):
    for seed in range(1, 4):
        report = check_gradients(*rnn(seed, act=wrong_tanh(BUGS[name])), seed=seed, localise=False)
        assert not report, name
        assert report.failed
        assert report.verdict == "FAIL"
    report = check_gradients(*rnn(0, act=wrong_tanh(BUGS[name])))
    assert report.blocks["V"].verdict == "pass"  # V is not behind a tanh
    assert report.blocks["W"].verdict == "FAIL"


def test_the_report_says_what_where_and_how_to_see_it_again():
    report = check_gradients(*rnn(0, act=wrong_tanh(BUGS["sign"])), seed=7)
    text = str(report)
    assert len(text.splitlines()) <= 15
    assert text.startswith("gradient check: FAIL; 4 parameters, 40 entries")
    assert "W (4, 4): FAIL; 16 of the 16 entries are wrong" in text
    worst = report.blocks["W"].worst
    assert f"W{list(worst.index)}: analytic {worst.analytic:.10g}, numeric" in text
    assert "evaluations of the loss" in text
    assert text.endswith("with seed=7")
    assert str(check_gradients(*rnn(0, act=wrong_tanh(BUGS["sign"])), seed=7)) == text


def test_assigning_where_one_should_add():
    """`=` for `+=`: only one use of the weight is counted."""
    r = np.random.default_rng(0)
    w = Tensor(r.normal(size=(3, 3)), requires_grad=True, name="W")
    xs = r.normal(size=(5, 2, 3))

    def loss():
        h = xs[0]
        for t in range(5):
            use = w if t == 4 else w.detach()
            h = ops.tanh(ops.linear(h, use) + xs[t])
        return ops.sum_(h * h)

    report = check_gradients(loss, [w])
    assert report.failed
    assert report.blocks["W"].wrong == 9


def test_a_single_wrong_entry_of_a_big_weight_is_found():
    mask = np.ones((40, 50))
    mask[17, 31] = 1.5
    careless = Op("identity", array=np.array, rules=(lambda g, y, x: g * mask,))
    W = Tensor(np.random.default_rng(0).normal(size=(40, 50)), requires_grad=True, name="W")
    report = check_gradients(lambda: ops.sum_(ops.tanh(careless(W))), {"W": W})
    assert report.failed
    assert report.blocks["W"].worst.index == (17, 31)
    assert report.blocks["W"].wrong == 1
    assert "1 of 32 entries tested, of 2000 are wrong" in str(report)


def test_a_common_factor_is_said():
    for factor, words in [(2.0, "is 2 times what it should be"), (0.0, "wrong entry is zero")]:
        twice = Op("identity", array=np.array, rules=(lambda g, y, x, k=factor: k * g,))
        w = Tensor([1.0, 2.0, 3.0], requires_grad=True, name="w")
        report = check_gradients(lambda op=twice, w=w: ops.sum_(ops.tanh(op(w))), [w])
        assert report.failed
        assert words in report.cause
        assert report.cause in str(report)


def test_a_lost_gradient_is_said():
    w, v = Value(2.0, name="w"), Value(3.0, name="v")
    report = check_gradients(lambda: v * w.item(), [w, v])
    assert report.blocks["w"].verdict == "FAIL"
    assert "its graph does not reach it" in report.cause
    assert check_gradients(lambda: w.item() * 2.0, [w]).failed  # a plain number


def test_float32_sees_an_error_of_a_percent():
    off = wrong_tanh(lambda g, y, x: g * (1 - y * y) * np.float32(1.01))
    for seed in range(5):
        assert check_gradients(*rnn(seed, dtype=np.float32, act=off), localise=False).failed


def test_the_gradient_with_a_graph_has_to_be_that_of_backward():
    """A rule that knows whether it is asked for nodes: right for backward, wrong for tg.grad."""
    def two_faced(g, y, x):
        return g * (1 - y * y) * (1.001 if isinstance(g, Node) else 1.0)

    loss, p = rnn(0, act=wrong_tanh(two_faced))
    assert check_gradients(loss, p)
    report = check_gradients(loss, p, order=2)
    assert report.failed
    assert report.blocks["W"].cause == ("tg.grad(..., create_graph=True) gives another gradient "
                                        "than backward()")
    assert report.blocks["V"].verdict == "pass"
    sample = check_gradients(lambda: stacked(loss()), p, order=2, per_sample=True)
    assert sample.blocks["W (sample 0)"].verdict == "FAIL"
    for options in ({}, {"gain": 4.0}, {"gain": 3.0, "T": 30, "H": 8}, {"act": ops.relu}):
        assert check_gradients(*rnn(1, **options), order=2).blocks["W"].verdict == "pass"


def stacked(loss):
    """A vector of one loss."""
    return ops.reshape(loss, shape=(1,))


def test_the_search_after_a_failure_has_a_budget():
    """Seven wrong blocks, no complex step: 4,900 evaluations before there was one."""
    m = zoo.model(1)
    m.style = "array"
    report = check_backward(m.forward, lambda p: {n: 1.1 * g for n, g in m.back(p).items()},
                            m.inputs)
    assert report.failed
    assert all(b.wrong for b in report.blocks.values())
    assert report.evaluations <= 650, report
    assert f"({report.screened} to screen)" in str(report)


# --- verdicts that are neither ------------------------------------------------------------------


def test_kinks():
    x = Tensor(np.random.default_rng(0).normal(size=(5, 3)), name="x")
    w = Tensor(np.zeros((4, 3)), requires_grad=True, name="w")
    for loss in (lambda: ops.sum_(ops.relu(ops.linear(x, w))),
                 lambda: ops.sum_(ops.absolute(w)),
                 lambda: ops.sum_(ops.maximum(w, 0.0)) + ops.sum_(w * w)):
        report = check_gradients(loss, [w])
        assert report, report
        assert report.blocks["w"].verdict in ("kink", "pass")
    z = Value(0.0, name="z")
    assert check_gradients(lambda: ops.relu(z) * 3.0, [z]).blocks["z"].verdict == "kink"
    steep = Op("relu", scalar=lambda x: max(x, 0.0), rules=(lambda g, y, x: g * 5.0 * (x >= 0),))
    assert check_gradients(lambda: steep(z), [z]).failed  # outside of its two slopes


def test_a_convention_at_a_kink_is_not_a_failure():
    """relu(z) - relu(-z) is z, and by the rule that relu has slope 0 at 0 its gradient is 0."""
    z = Value(0.0, name="z")
    report = check_gradients(lambda: ops.relu(z) - ops.relu(-z), [z])
    assert report.verdict == "inconclusive"
    assert "moves by up to 1 when the parameters move by one ulp" in str(report)


def test_a_loss_without_digits_is_not_a_failure():
    w = Value(-740.0, name="w")  # sigmoid(w) is subnormal: two digits are left
    report = check_gradients(lambda: ops.log(ops.sigmoid(w)), [w])
    assert not report.failed, report


def test_a_failure_that_no_block_shows_wants_a_second_direction(monkeypatch):
    def seen(verdicts):
        calls = iter(verdicts)
        monkeypatch.setattr(Comparison, "compare", lambda self, v, quick=False: Slopes(
            next(calls) if len(v) > 1 else "pass", 1.0))
        return check_gradients(*rnn(0))

    assert seen(["FAIL", "pass"])
    report = seen(["FAIL", "FAIL"])
    assert report.failed
    assert "by too little to say in which" in str(report)


def test_a_parameter_without_influence_is_a_structural_zero():
    w, unused = Value(2.0, name="w"), Tensor(np.ones(3), requires_grad=True, name="unused")
    report = check_gradients(lambda: w * w, [w, unused])
    assert report
    assert report.blocks["unused"].verdict == "structural zero"
    assert "structural zero: unused" in str(report)
    assert check_gradients(lambda: 3.0, [w]).blocks["w"].verdict == "structural zero"


def test_what_cannot_be_seen():
    w = Value(2.0, name="w")
    dead = check_gradients(lambda: ops.relu(w - 10.0), [w])
    assert dead.verdict == "invisible"
    assert not dead
    assert not dead.failed
    v = Value(1.0, name="v")
    both = check_gradients(lambda: ops.relu(w - 10.0) + v * v, [w, v])
    assert both
    assert both.blocks["w"].verdict == "invisible"
    assert "check at another point" in str(dead)
    assert check_gradients(lambda: w * w + 1e10, [w])  # the complex step loses nothing
    lost_in_rounding = check_gradients(lambda: functions.softplus(w) + 1e10, [w])
    assert lost_in_rounding.verdict == "inconclusive"
    assert "its rounding hides the rest" in str(lost_in_rounding)


def test_non_finite():
    w, v = Value(0.0, name="w"), Value(1.0, name="v")
    report = check_gradients(lambda: ops.log(w) + v, [w, v])
    assert report.verdict == "non-finite"
    assert "the loss is -inf" in str(report)
    report = check_gradients(lambda: ops.sqrt(w * w) + v * v, [w, v])
    assert report.blocks["w"].verdict == "non-finite"
    assert report.blocks["v"].verdict == "pass"
    assert not report
    near_the_edge = Value(1e-3, name="p")  # the loss is NaN a step to the left
    assert check_gradients(lambda: ops.log(near_the_edge), [near_the_edge])


def test_a_random_loss_is_named_as_such():
    r, w = np.random.default_rng(0), Value(2.0, name="w")
    report = check_gradients(lambda: w * r.normal(), [w])
    assert report.verdict == "inconclusive"
    assert "loss_fn is not deterministic: it gave" in str(report)


# --- what is given, and what is left behind -----------------------------------------------------


class Twin:
    """What a module looks like from here."""

    def __init__(self):
        self.w = Value(2.0)

    def named_parameters(self):
        return iter([("cell.w", self.w), ("tied", self.w)])


def test_parameters_from_modules_dicts_and_iterables():
    twin = Twin()
    assert list(check_gradients(lambda: twin.w * twin.w, twin).blocks) == ["cell.w"]
    a, b = Value(1.0), Value(2.0, name="b")
    assert list(check_gradients(lambda: a * b, {"first": a, "second": b}).blocks) == \
        ["first", "second"]
    assert list(check_gradients(lambda: a * b, (p for p in (a, b))).blocks) == ["parameter 0", "b"]


@pytest.mark.parametrize(("loss", "params", "words"), [
    (lambda: 1.0, [], "no parameters"),
    (lambda: 1.0, [Tensor([1.0], name="x")], "'x' is 'x' .* leaves with requires_grad"),
    (lambda: 1.0, {"w": 3.0}, "'w' is a float"),
    (lambda: Tensor([1.0, 2.0]), [Value(1.0)], "must return a single number, got .* \\(2,\\)"),
    (lambda: None, [Value(1.0)], "a NoneType"),
    (Value(1.0), [Value(1.0)], "expected a function, got a Value. Give the function"),
    (lambda: 1.0, None, "params are a module, a dict or leaves, got a NoneType"),
    (lambda: 1.0, 5, "params are a module, a dict or leaves, got a int"),
])
def test_refusals(loss, params, words):
    with pytest.raises(InputError, match=words):
        check_gradients(loss, params)


def test_a_loss_from_before_is_refused():
    w = Value(2.0)
    y = w * w
    with pytest.raises(InputError, match="made before the call"):
        check_gradients(lambda: y, [w])


def test_everything_is_put_back():
    loss, p = rnn(0)
    outside = Tensor([1.0], requires_grad=True)
    p["W"].grad, outside.grad = np.full((4, 4), 7.0), np.array([3.0])
    pending = loss()
    before = [(x, x.value, x.order, x.params, x.grad) for x in (*p.values(), outside)]
    W = p["W"].numpy()

    def interrupted():
        if np.any(p["W"].value != W):
            raise KeyboardInterrupt
        return loss()

    check_gradients(lambda: loss() * ops.sum_(outside), p)
    with pytest.raises(KeyboardInterrupt):
        check_gradients(interrupted, p)
    for x, value, order, params, grad in before:
        assert x.value is value
        assert (x.order, x.params) == (order, params)
        assert x.grad is grad
    np.testing.assert_array_equal(p["W"].value, W)
    pending.backward()  # a graph from before is still good


def test_a_written_array_of_the_user_is_not_touched():
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    mine = w.data
    assert check_gradients(lambda: ops.sum_(w * w), [w])
    mine[0] = 5.0  # still the leaf's own array
    assert w.numpy().tolist() == [5.0, 2.0]
    y = ops.sum_(w * w)
    with pytest.raises(ValueError, match="read-only"):
        mine[0] = 6.0  # the guard still knows that the user holds it
    y.backward()
    assert w.grad.tolist() == [10.0, 4.0]
