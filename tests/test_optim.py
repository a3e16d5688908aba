"""Update rules and clipping: against given trajectories, and what they refuse."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import GradientError, InputError, ShapeError

from .nn.reference import CLOSE, family

KNOWN = {"sgd": optim.SGD, "momentum": optim.SGD, "nesterov": optim.SGD, "sgd_wd": optim.SGD,
         "adagrad": optim.Adagrad, "rmsprop": optim.RMSprop, "rmsprop_centered_mom": optim.RMSprop,
         "adam": optim.Adam, "adamw": optim.AdamW}
MAKERS = [optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adam, optim.AdamW]


def leaf(data, name=None):
    return Tensor(data, name=name, requires_grad=True)


@pytest.mark.parametrize(("facts", "arrays"),
                         family("optim_steps", lambda case, f: case.startswith("opt")))
def test_trajectories(facts, arrays):
    a, b = leaf(arrays["a"]), leaf(arrays["b"])
    optimizer = KNOWN[facts["optimizer"]]([a, b], **facts["opt_args"])
    for s in range(10):
        a.grad, b.grad = arrays["ga"][s], arrays["gb"][s]
        optimizer.step()
        np.testing.assert_allclose(a.numpy(), arrays["traj_a"][s], **CLOSE)
        np.testing.assert_allclose(b.numpy(), arrays["traj_b"][s], **CLOSE)


@pytest.mark.parametrize(("facts", "arrays"),
                         family("optim_steps", lambda case, f: case.startswith("clip")))
def test_clipping(facts, arrays):
    leaves = [leaf(np.zeros_like(arrays[f"g{i}"])) for i in range(3)]
    for i, p in enumerate(leaves):
        p.grad = arrays[f"g{i}"].copy()
    if "clip_value" in facts:
        optim.clip_grad_value(leaves, facts["clip_value"])
    else:
        norm = optim.clip_grad_norm(leaves, facts["max_norm"], float(facts["norm_type"]))
        np.testing.assert_allclose(norm, arrays["total_norm"], **CLOSE)
    for i, p in enumerate(leaves):
        np.testing.assert_allclose(p.grad, arrays[f"c{i}"], **CLOSE)


def test_a_rule_is_a_plain_function():
    step, memory = optim.RULES["SGD"](2.0, {}, lr=0.1, momentum=0.9)
    assert step == pytest.approx(0.2)
    step, memory = optim.RULES["SGD"](2.0, memory, lr=0.1, momentum=0.9)
    assert step == pytest.approx(0.38)
    inside, _ = optim.RULES["Adagrad"](0.0, {}, lr=1.0, eps=4.0, eps_inside_root=True)
    assert inside == 0.0
    inside, _ = optim.RULES["Adagrad"](3.0, {}, lr=1.0, eps=16.0, eps_inside_root=True)
    assert inside == pytest.approx(3 / 5)
    outside, _ = optim.RULES["Adagrad"](3.0, {}, lr=1.0, eps=2.0)
    assert outside == pytest.approx(3 / 5)


def test_options_of_adagrad():
    p = leaf([0.0])
    optimizer = optim.Adagrad([p], lr=1.0, lr_decay=0.5, initial_accumulator_value=3.0, eps=0.0)
    p.grad = np.array([1.0])
    optimizer.step()
    assert p.numpy() == pytest.approx(-0.5)
    optimizer.step()
    assert p.numpy() == pytest.approx(-0.5 - 1 / 1.5 / np.sqrt(5))


def test_scalars_and_missing_gradients():
    v, unused = Value(1.0), Value(5.0)
    optimizer = optim.SGD([v, unused], lr=0.5)
    (v * v).backward()
    optimizer.step()
    assert v.data == 0.0
    assert type(v.data) is float
    assert unused.data == 5.0
    optimizer.zero_grad()
    assert v.grad is None


@pytest.mark.parametrize("make", MAKERS)
def test_float32_stays_float32(make):
    p = leaf(np.ones(3, np.float32))
    p.grad = np.ones(3, np.float32)
    make([p], lr=0.1, weight_decay=0.1).step()
    assert p.dtype == np.float32


def test_a_centred_variance_that_rounding_takes_below_zero():
    """The gradient never changes: the variance is 0, and s - m² at times -2e-16."""
    p = leaf([0.0])
    optimizer = optim.RMSprop([p], centered=True, alpha=0.5, eps=1.0)
    for _ in range(60):
        p.grad = np.array([1.1])
        optimizer.step()
    assert np.isfinite(p.numpy()).all()


def test_a_state_is_a_copy_on_both_ways():
    p = leaf([1.0, 1.0])
    optimizer = optim.Adam({"p": p})
    p.grad = np.array([1.0, 2.0])
    optimizer.step()
    state = optimizer.state_dict()
    expected = state["memory"]["p"]["mean"].copy()
    state["memory"]["p"]["mean"][:] = 9.0
    np.testing.assert_array_equal(optimizer.memory["p"]["mean"], expected)
    optimizer.load_state_dict(state)
    state["memory"]["p"]["mean"][:] = 7.0
    np.testing.assert_array_equal(optimizer.memory["p"]["mean"], 9.0)


def test_memory_does_not_share_the_gradient():
    p = leaf([1.0])
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    p.grad = np.array([1.0])
    optimizer.step()
    p.grad[:] = 100.0
    p.grad = np.array([0.0])
    optimizer.step()
    assert p.numpy() == pytest.approx(1.0 - 1.0 - 0.5)


def test_the_ordinary_loop_while_the_graph_is_alive():
    p = leaf([2.0], "p")
    optimizer = optim.SGD([p], lr=0.1)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    assert p.numpy() == pytest.approx(2.0 * 0.8 ** 3)
    with pytest.raises(GradientError, match="p"):
        losses[0].backward()


@pytest.mark.parametrize("make", [
    lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), lambda ps: optim.Adagrad(ps, lr=0.1),
    lambda ps: optim.RMSprop(ps, momentum=0.5, centered=True),
    lambda ps: optim.Adam(ps, amsgrad=True), optim.AdamW,
    lambda ps: optim.Adam(ps, lr=optim.cosine_decay(0.1, 5))])
def test_going_on_from_a_state(make):
    def three_steps(optimizer, p):
        for g in (1.0, -2.0, 3.0):
            p.grad = np.full(2, g)
            optimizer.step()

    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    first, second = make({"p": p}), make({"p": q})
    three_steps(first, p)
    q.data = p.numpy()
    state = first.state_dict()
    second.load_state_dict(state)
    three_steps(first, p)  # must not reach into the state that was taken
    three_steps(second, q)
    np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_a_state_that_does_not_fit_changes_nothing():
    p = leaf([1.0, 2.0])
    optimizer = optim.Adagrad({"p": p}, lr=0.1)
    good = optimizer.state_dict()
    with pytest.raises(InputError, match="expected the state of Adagrad, got that of SGD"):
        optimizer.load_state_dict({**good, "rule": "SGD"})
    with pytest.raises(InputError, match="expected the parameters p, got q"):
        optimizer.load_state_dict({**good, "memory": {"q": {}}})
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        optimizer.load_state_dict({**good, "memory": {"p": {"squares": np.ones(3)}}})
    assert optimizer.state_dict() == good


def test_parameters_of_a_module_by_name():
    cell = nn.RNNCell(2, 3, seed=0)
    assert list(optim.SGD(cell, lr=0.1).params) == ["W_xh", "W_hh", "b_h"]
    assert repr(optim.SGD(cell, lr=0.1)).startswith("SGD(3 parameters, lr=0.1")


@pytest.mark.parametrize(("params", "words"), [
    ([], "at least one"), (3, "got int"), ([np.ones(2)], "got ndarray"),
    ([Tensor([1.0])], "leaves with requires_grad=True")])
def test_what_is_no_parameter(params, words):
    with pytest.raises(InputError, match=words):
        optim.SGD(params, lr=0.1)


def test_a_parameter_given_twice():
    p = leaf([1.0])
    with pytest.raises(InputError, match="each once"):
        optim.SGD([p, p], lr=0.1)


@pytest.mark.parametrize("options", [
    {"lr": -1.0}, {"lr": float("nan")}, {"lr": 1.0, "momentum": -1.0},
    {"lr": 1.0, "nesterov": True},
    {"lr": 1.0, "nesterov": True, "momentum": 0.9, "dampening": 0.1}])
def test_options_that_cannot_be(options):
    with pytest.raises(InputError):
        optim.SGD([leaf([1.0])], **options)


@pytest.mark.parametrize("options", [
    {"betas": (0.9, 1.0)}, {"betas": (-0.1, 0.9)}, {"betas": (0.9,)}, {"eps": -1.0}])
def test_options_of_adam_that_cannot_be(options):
    with pytest.raises(InputError):
        optim.Adam([leaf([1.0])], **options)


def after(make, gradients, start=1.0, **options):
    """Where a single number stands after these gradients."""
    p = leaf([start])
    optimizer = make([p], **options)
    for g in gradients:
        p.grad = np.array([g])
        optimizer.step()
    return p.numpy()[0]


def test_eps_beside_the_root_or_under_it():
    for make, others in [(optim.Adagrad, {}), (optim.Adam, {}), (optim.RMSprop, {"alpha": 0.0})]:
        for inside, step in [(False, 3 / (3 + 16)), (True, 3 / 5)]:
            found = after(make, [3.0], lr=1.0, eps=16.0, eps_inside_root=inside, **others)
            assert found == pytest.approx(1.0 - step)


def test_the_first_step_of_adam_is_lr_whatever_the_gradient():
    for g in (1e-3, 1.0, 1e3):
        assert after(optim.Adam, [g], lr=0.1, eps=0.0) == pytest.approx(0.9)


def test_weight_decay_of_adam_and_of_adamw():
    """The penalty goes through Adam's averages, which forget its size; the decay does not."""
    coupled = after(optim.Adam, [0.0], 2.0, lr=0.1, eps=0.0, weight_decay=0.5)
    apart = after(optim.AdamW, [0.0], 2.0, lr=0.1, weight_decay=0.5)
    assert coupled == pytest.approx(2.0 - 0.1)
    assert apart == pytest.approx(2.0 - 0.1 * 0.5 * 2.0)


def test_amsgrad_remembers_the_largest():
    """A large gradient once: the average of squares forgets it, its largest value does not."""
    gradients = [10.0] + [1.0] * 300
    plain = after(optim.Adam, gradients, 0.0, betas=(0.0, 0.9))
    largest = after(optim.Adam, gradients, 0.0, betas=(0.0, 0.9), amsgrad=True)
    assert plain < 2 * largest < 0


def test_dampening():
    v = 3.0
    v = 0.9 * v + 0.5 * 2.0
    found = after(optim.SGD, [3.0, 2.0], lr=0.1, momentum=0.9, dampening=0.5)
    assert found == pytest.approx(1.0 - 0.1 * 3.0 - 0.1 * v)  # the first velocity is g itself


# --- learning rates -----------------------------------------------------------------------------


def test_schedules_are_functions_of_the_step():
    assert [optim.step_decay(8.0, 2, 0.5)(k) for k in range(6)] == [8, 8, 4, 4, 2, 2]
    assert [optim.exponential_decay(8.0, 0.5)(k) for k in range(4)] == [8, 4, 2, 1]
    cosine = optim.cosine_decay(1.0, 4, lr_min=0.2)
    np.testing.assert_allclose([cosine(k) for k in (0, 2, 4, 5, 100)], [1.0, 0.6, 0.2, 0.2, 0.2])
    assert [optim.warm_up(8.0, 4)(k) for k in range(6)] == [2, 4, 6, 8, 8, 8]
    both = optim.warm_up(optim.exponential_decay(8.0, 0.5), 4)
    assert [both(k) for k in range(7)] == [2, 4, 6, 8, 8, 4, 2]


@pytest.mark.parametrize("make", [
    lambda: optim.step_decay(1.0, 0), lambda: optim.cosine_decay(1.0, 0),
    lambda: optim.warm_up(1.0, 0), lambda: optim.warm_up(1.0, 2.5)])
def test_schedules_that_cannot_be(make):
    with pytest.raises(InputError, match="whole number"):
        make()


def test_an_optimiser_follows_its_schedule():
    p = leaf([0.0])
    optimizer = optim.SGD([p], lr=optim.exponential_decay(1.0, 0.5))
    for expected in (-1.0, -1.5, -1.75):
        p.grad = np.array([1.0])
        optimizer.step()
        assert p.numpy() == pytest.approx(expected)
    assert optimizer.lr == 0.125
    assert "lr=0.125" in repr(optimizer)
    optimizer.lr = 1.0
    optimizer.step()
    optimizer.step()
    assert p.numpy() == pytest.approx(-3.75)


def test_a_schedule_goes_on_where_it_stood():
    p = leaf([0.0])
    first, second = (optim.SGD({"p": p}, lr=optim.exponential_decay(1.0, 0.5)) for _ in range(2))
    p.grad = np.array([1.0])
    first.step()
    first.step()
    second.load_state_dict(first.state_dict())
    assert second.lr == first.lr == 0.25


def test_a_norm_that_is_not_finite():
    p, q = leaf([1.0], "p"), leaf([1.0], "q")
    p.grad, q.grad = np.array([np.inf]), np.array([1.0])
    with pytest.raises(GradientError, match="'p'"):
        optim.clip_grad_norm([p, q], 1.0, error_if_nonfinite=True)
    assert q.grad == 1.0
    assert np.isinf(optim.clip_grad_norm([p, q], 1.0))
    assert np.isnan(p.grad)  # as in PyTorch: nobody trains on unnoticed
    assert q.grad == 0.0
    p.grad, q.grad = np.array([np.nan]), np.array([1.0])
    assert np.isnan(optim.clip_grad_norm([p, q], 1.0))
    assert np.isnan(p.grad)
    assert np.isnan(q.grad)
    assert optim.clip_grad_norm([leaf([1.0])], 1.0) == 0.0


# --- bounds, options and types that cannot be ---------------------------------------------------


def with_gradient(gradient, dtype=np.float64):
    p = leaf(np.ones(2, dtype))
    p.grad = np.asarray(gradient, dtype)
    return p


@pytest.mark.parametrize("clip", [optim.clip_grad_norm, optim.clip_grad_value])
@pytest.mark.parametrize("bound", [-1.0, 0.0, float("nan"), "a", None, True])
def test_a_bound_for_clipping_is_above_zero(clip, bound):
    p = with_gradient([3.0, 4.0])
    with pytest.raises(InputError, match=r"expected (max_norm|clip_value)"):
        clip([p], bound)
    np.testing.assert_array_equal(p.grad, [3.0, 4.0])


@pytest.mark.parametrize("bad", [-1.0, 0, float("nan"), -np.inf, "a", None, True])
def test_a_kind_of_norm_that_is_none(bad):
    p = with_gradient([3.0, 4.0])
    with pytest.raises(InputError, match="expected norm_type"):
        optim.clip_grad_norm([p], 1.0, bad)
    np.testing.assert_array_equal(p.grad, [3.0, 4.0])


def test_a_norm_without_a_bound_is_only_measured():
    p = with_gradient([3.0, 4.0])
    assert optim.clip_grad_norm([p], np.inf) == 5.0
    assert optim.clip_grad_norm([p], np.inf, np.inf) == 4.0
    np.testing.assert_array_equal(p.grad, [3.0, 4.0])


@pytest.mark.parametrize(("size", "dtype"), [(1e30, np.float32), (1e25, np.float32),
                                             (1e200, np.float64)])
def test_large_finite_gradients_are_clipped_and_not_lost(size, dtype):
    p = with_gradient([3 * size, 4 * size], dtype)
    assert np.isclose(optim.clip_grad_norm([p], 1.0), 5 * size)
    np.testing.assert_allclose(p.grad, [0.6, 0.8], rtol=1e-6)
    assert p.grad.dtype == dtype


@pytest.mark.parametrize("clip", [optim.clip_grad_norm, optim.clip_grad_value])
def test_clipping_leaves_float32(clip):
    p = with_gradient([3.0, 4.0], np.float32)
    clip([p], np.float64(0.5))
    assert p.grad.dtype == np.float32


@pytest.mark.parametrize("maker", [
    lambda p: optim.SGD(p, np.float64(0.1), np.float64(0.9)),
    lambda p: optim.SGD(p, lambda k: np.float64(0.1), weight_decay=np.float64(0.1)),
    lambda p: optim.Adam(p, betas=(np.float64(0.9), np.float64(0.99)), eps=np.float64(1e-8)),
    lambda p: optim.AdamW(p, weight_decay=np.float64(0.1), amsgrad=True),
    lambda p: optim.RMSprop(p, alpha=np.float64(0.9), momentum=np.float64(0.9), centered=True),
    lambda p: optim.Adagrad(p, lr_decay=np.float64(0.1),
                            initial_accumulator_value=np.float64(0.1)),
])
def test_memory_of_float32_parameters_is_float32(maker):
    p = with_gradient([3.0, 4.0], np.float32)
    optimizer = maker([p])
    for _ in range(2):
        p.grad = np.ones(2, np.float32)
        optimizer.step()
    arrays = [x for x in optimizer.memory["0"].values() if np.ndim(x)]
    assert {x.dtype for x in (p.data, *arrays)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("maker", "options", "name"), [
    (optim.RMSprop, {"alpha": 2.0}, "alpha"), (optim.RMSprop, {"alpha": -0.1}, "alpha"),
    (optim.Adagrad, {"lr_decay": -1.0}, "lr_decay"),
    (optim.Adagrad, {"initial_accumulator_value": -1.0}, "initial_accumulator_value"),
    (optim.SGD, {"lr": np.inf}, "lr"), (optim.SGD, {"lr": "a"}, "lr"),
    (optim.SGD, {"lr": None}, "lr"),
    (optim.SGD, {"momentum": "a", "nesterov": True}, "momentum"),
    (optim.SGD, {"momentum": 0.9, "dampening": 2.0}, "dampening"),
    (optim.Adam, {"betas": 0.9}, "betas"), (optim.Adam, {"betas": ("a", 0.9)}, "betas"),
    (optim.Adam, {"eps": float("nan")}, "eps"), (optim.Adam, {"weight_decay": "a"}, "weight_decay"),
])
def test_options_out_of_range(maker, options, name):
    with pytest.raises(InputError, match=name):
        maker([leaf([1.0])], **options)


@pytest.mark.parametrize("lr", [-1.0, np.inf, float("nan"), "a", None])
def test_a_learning_rate_that_cannot_be_is_refused_later_too(lr):
    p = with_gradient([1.0, 1.0])
    optimizer = optim.SGD([p], 0.5)
    with pytest.raises(InputError, match="lr"):
        optimizer.lr = lr
    assert optimizer.lr == 0.5
    optimizer = optim.SGD([p], lambda k: lr if k else 0.5)
    optimizer.step()
    with pytest.raises(InputError, match="lr"):
        optimizer.step()
    np.testing.assert_array_equal(p.data, [0.5, 0.5])
    assert optimizer.steps == 1


@pytest.mark.parametrize("change", [
    lambda s: {k: x for k, x in s.items() if k != "memory"},
    lambda s: {k: x for k, x in s.items() if k != "steps"},
    lambda s: {**s, "more": 1},
    lambda s: {**s, "options": {**s["options"], "lt": 1.0}},
    lambda s: {**s, "options": {**s["options"], "lr": -1.0}},
    lambda s: {**s, "memory": {"1": {}}},
    lambda s: {**s, "memory": None}, lambda s: {**s, "memory": {"0": None}},
    lambda s: {**s, "memory": {"0": {"mean": np.ones(2)}}},
    lambda s: {**s, "steps": "many"}, lambda s: {**s, "steps": -1}, lambda s: None,
])
def test_keys_and_options_of_a_state_that_do_not_fit(change):
    p = with_gradient([1.0, 1.0])
    optimizer = optim.Adam([p])
    optimizer.step()
    before = repr(optimizer.state_dict())
    with pytest.raises(InputError, match="load_state_dict"):
        optimizer.load_state_dict(change(optimizer.state_dict()))
    assert repr(optimizer.state_dict()) == before


@pytest.mark.parametrize("make", [
    lambda: optim.step_decay(1, "a"), lambda: optim.step_decay("a", 1),
    lambda: optim.exponential_decay(1.0, None), lambda: optim.cosine_decay(1.0, float("nan")),
    lambda: optim.warm_up("a", 3),
    *(lambda bad=bad, make=make: make(bad) for bad in (float("nan"), np.inf, -1.0) for make in (
        lambda lr: optim.step_decay(lr, 2), lambda lr: optim.step_decay(1.0, 2, lr),
        lambda lr: optim.exponential_decay(lr, 0.5), lambda lr: optim.exponential_decay(1.0, lr),
        lambda lr: optim.cosine_decay(lr, 9), lambda lr: optim.cosine_decay(1.0, 9, lr),
        lambda lr: optim.warm_up(lr, 3), lambda lr: optim.warm_up(lambda k: lr, 3)(0))),
])
def test_schedules_take_numbers(make):
    with pytest.raises(InputError, match="expected"):
        make()


@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p, momentum=0.9), optim.Adagrad, optim.Adam,
    lambda p: optim.RMSprop(p, momentum=0.5, centered=True),
    lambda p: optim.AdamW(p, amsgrad=True)])
def test_a_loaded_memory_has_the_type_of_its_parameter(make):
    def moved(dtype):
        p = tg.Tensor(np.ones(3, dtype), requires_grad=True)
        optimizer = make([p])
        p.grad = np.full(3, 0.5, dtype)
        optimizer.step()
        return p, optimizer
    wide, narrow = moved(np.float64), moved(np.float32)
    p, optimizer = narrow
    optimizer.load_state_dict(wide[1].state_dict())
    p.grad = np.full(3, 0.5, np.float32)
    optimizer.step()
    assert p.dtype == np.float32
    assert all(np.asarray(x).dtype == np.float32 for x in optimizer.memory["0"].values()
               if np.ndim(x))
    assert all(x.dtype == np.float64 for x in wide[1].memory["0"].values() if np.ndim(x))
