"""check_backward: anybody's NumPy, in the structures that people use; what is no gradient bug;
where a recurrence goes wrong."""

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import Block, Report, check_backward
from tinygrad_rnn.testing.beside import beside_the_engine
from tinygrad_rnn.testing.handwritten import Handwritten

from ..benchmarks import kinks

R = np.random.default_rng(0)
X, W, B = R.normal(size=(5, 3)), R.normal(size=(4, 3)), R.normal(size=4)


def affine(p):
    return np.tanh(p["x"] @ p["W"].T + p["b"])


def affine_back(p, up):
    dz = up * (1.0 - affine(p) ** 2)
    return {"x": dz @ p["W"], "W": dz.T @ p["x"], "b": dz.sum(0)}


INPUTS = {"x": X, "W": W, "b": B}


def changed(change):
    """`affine_back`, and then something else."""
    def backward(p, up):
        d = affine_back(p, up)
        change(d, p, up)
        return d
    return backward


# --- the structures -----------------------------------------------------------------------------


def test_a_dict_with_outputs_and_upstream():
    report = check_backward(affine, affine_back, INPUTS)
    assert report, report
    assert list(report.blocks) == ["x", "W", "b"]
    assert report.evaluations <= 30


def test_names_with_a_d_in_front():
    report = check_backward(affine, lambda p, up: {f"d{n}": g for n, g in
                                                   affine_back(p, up).items()}, INPUTS)
    assert report, report


def test_a_loss_gets_no_upstream():
    report = check_backward(lambda p: (p["x"] ** 2).sum() * p["s"],
                            lambda p: {"x": 2 * p["x"] * p["s"], "s": (p["x"] ** 2).sum()},
                            {"x": X, "s": 0.5})
    assert report, report


def test_a_tuple_with_whole_numbers_and_none_in_it():
    rows = np.array([0, 2, 2])

    def forward(inputs):
        x, picked, _ = inputs
        return x[picked]

    def backward(inputs, up):
        x, picked, _ = inputs
        d = np.zeros_like(x)
        np.add.at(d, picked, up)
        return d, None, None

    def careless(inputs, up):
        x, picked, _ = inputs
        d = np.zeros_like(x)
        d[picked] += up  # the second 2 is lost
        return d, None, None

    assert check_backward(forward, backward, (X, rows, None))
    report = check_backward(forward, careless, (X, rows, None))
    assert report.failed
    assert list(report.blocks) == ["[0]"]
    assert report.blocks["[0]"].worst.index[0] == 2


def test_an_array_alone_and_a_cache():
    def forward(x):
        return np.sin(x), x

    assert check_backward(forward, lambda up, x: up * np.cos(x), X, cached=True)
    assert check_backward(forward, lambda up, x: up * np.sin(x), X, cached=True).failed
    assert check_backward(lambda x: (np.sum(x ** 3), x), lambda up, x: up * 3 * x ** 2, X,
                          cached=True)


def test_several_outputs():
    def forward(p):
        return {"y": p["x"] * 2.0, "count": 3, "z": (p["x"] ** 2).sum()}

    def backward(p, up):
        assert up["count"] is None
        return {"x": 2.0 * up["y"] + 2.0 * p["x"] * up["z"]}

    assert check_backward(forward, backward, {"x": X})


def test_deeper_structures():
    inputs = {"xs": [X, X + 1.0], "cell": {"W": W}}

    def forward(p):
        return sum(x @ p["cell"]["W"].T for x in p["xs"])

    def backward(p, up):
        return {"xs": [up @ p["cell"]["W"]] * 2, "cell": {"W": up.T @ (p["xs"][0] + p["xs"][1])}}

    report = check_backward(forward, backward, inputs)
    assert report, report
    assert list(report.blocks) == ["xs[0]", "xs[1]", "cell.W"]
    assert any("shares its memory with the gradient of xs[0]" in n for n in report.notes)


@pytest.mark.parametrize(("forward", "backward", "inputs", "options", "words"), [
    (affine, affine_back, {"x": np.arange(3)}, {}, "no float arrays"),
    (lambda x: (np.sin(x), x, x), lambda up, c: up, X, {"cached": True},
     "returns \\(out, cache\\)"),
    (lambda x: "text", lambda x: x, X, {}, "must return a float or float arrays"),
    (affine, lambda p, up: (up, up), INPUTS, {}, "in the structure of the inputs, a dict with"),
    (lambda x: np.sin(x), lambda x, up: {"x": up}, (X, X), {}, "structure of the inputs"),
    (3, affine_back, INPUTS, {}, "expected a function, got a int"),
    (affine, None, INPUTS, {}, "expected a function, got a NoneType"),
    (affine, affine_back, INPUTS, {"seed": -1}, "seed must be a whole number"),
    (affine, affine_back, INPUTS, {"seed": "a"}, "seed must be a whole number"),
    (affine, affine_back, INPUTS, {"time_axis": 7}, "time_axis must be 0, 1 or 2"),
])
def test_refusals(forward, backward, inputs, options, words):
    with pytest.raises(InputError, match=words):
        check_backward(forward, backward, inputs, **options)


def test_a_forgotten_cached_is_guessed_and_a_list_is_not_an_array():
    with pytest.raises(AttributeError) as raised:
        check_backward(lambda x: (np.sin(x), [x]), lambda x, up: up[0].nothing, X)
    assert "say cached=True" in raised.value.__notes__[0]
    report = check_backward(lambda p: np.sum(np.asarray(p["a"]) ** 2),
                            lambda p: {"a": 2 * np.asarray(p["a"])}, {"a": [1.0, 2.0]})
    assert "the input a is a list, and each of its members wants one. Give an array" in str(report)


# --- what is no gradient bug ----------------------------------------------------------------------


def test_a_random_forward():
    r = np.random.default_rng(0)
    report = check_backward(lambda p: affine(p) * r.normal(), affine_back, INPUTS)
    assert report.verdict == "inconclusive"
    assert "forward is not deterministic: it gave" in str(report)


def test_a_random_backward():
    r = np.random.default_rng(0)
    report = check_backward(affine, lambda p, up: {n: g * (1 + 1e-12 * r.normal()) for n, g in
                                                   affine_back(p, up).items()}, INPUTS)
    assert (report.verdict, report.failed) == ("inconclusive", False)
    assert "backward is not deterministic" in report.cause


def test_inputs_that_are_written_to():
    def forward(p):
        p["x"] -= p["x"].mean(0)
        return affine(p)

    report = check_backward(forward, affine_back, INPUTS)
    assert not report
    assert "forward writes to its input x (15 of 15 entries changed)" in report.cause

    def write(d, p, up):
        p["W"][0, 0] = 7.0

    report = check_backward(affine, changed(write), INPUTS)
    assert (report.verdict, report.failed) == ("inconclusive", False)
    assert "backward writes to its input W (1 of 12 entries" in str(report)
    assert W[0, 0] != 7.0  # only a copy was there to be written to


def test_a_gradient_that_adds_up_between_calls():
    kept = {n: np.zeros_like(x) for n, x in INPUTS.items()}

    def backward(p, up):
        for n, g in affine_back(p, up).items():
            kept[n] += g
        return {n: g.copy() for n, g in kept.items()}

    report = check_backward(affine, backward, INPUTS)
    assert not report
    assert "doubles when backward is called again" in report.spoilt
    assert report.spoilt in str(report)


def test_aliases_are_noted_and_no_failure():
    report = check_backward(lambda p: p["a"] + p["b"], lambda p, up: {"a": up, "b": up},
                            {"a": X, "b": X})
    assert report
    assert "the gradient of b shares its memory with the gradient of a" in str(report)
    report = check_backward(lambda p: 0.5 * (p["a"] ** 2).sum(), lambda p: {"a": p["a"]}, {"a": X})
    assert report
    assert "the gradient of a shares its memory with the input a" in str(report)


@pytest.mark.parametrize(("change", "words"), [
    (lambda d, p, up: d.update(W=d["W"].T), "shape (3, 4), expected (4, 3): is it transposed?"),
    (lambda d, p, up: d.update(b=up), "shape (5, 4), expected (4,): is it not summed over the "),
    (lambda d, p, up: d.update(b=d["b"][None]), "not summed over the batch"),
    (lambda d, p, up: d.pop("W"), "backward returned no gradient of this name"),
    (lambda d, p, up: d.update(w=d.pop("W")), "no gradient of this name; it returned w besides"),
    (lambda d, p, up: d.update(W=d["W"] * 1j), "of dtype complex128: real numbers are expected"),
    (lambda d, p, up: d.update(W=None), "backward gives None for its gradient"),
])
def test_names_shapes_and_dtypes(change, words):
    report = check_backward(affine, changed(change), INPUTS)
    assert report.failed
    assert words in str(report)
    assert report.blocks["x"].verdict == "pass"  # the others are compared all the same
    assert len(str(report).splitlines()) <= 15


def test_a_gradient_of_half_the_digits():
    report = check_backward(affine, changed(
        lambda d, p, up: d.update(W=d["W"].astype(np.float32))), INPUTS)
    assert report, report
    assert "the gradient of W is float32, the input float64: half of its digits" in str(report)
    report = check_backward(affine, changed(
        lambda d, p, up: d.update(W=d["W"].astype(int))), INPUTS)
    assert report.failed
    assert "whole numbers lose the rest" in str(report)


def test_float32_inputs_and_a_forward_in_float32():
    narrow = {n: x.astype(np.float32) for n, x in INPUTS.items()}
    assert check_backward(affine, affine_back, narrow)
    off = changed(lambda d, p, up: d.update(b=d["b"] * 1.01))
    assert check_backward(affine, off, narrow).failed
    report = check_backward(lambda p: affine(p).astype(np.float32), affine_back, INPUTS)
    assert not report.failed
    assert "forward returns float32 for float64 inputs" in str(report)


def test_non_finite():
    report = check_backward(lambda p: np.log(p["x"]).sum(), lambda p: {"x": 1 / p["x"]},
                            {"x": np.array([0.0, 1.0])})
    assert report.verdict == "non-finite"
    report = check_backward(affine, changed(lambda d, p, up: d.update(b=d["b"] * np.nan)), INPUTS)
    assert report.verdict == "non-finite"
    assert report.blocks["W"].verdict == "pass"


def test_a_large_offset_is_inconclusive_and_says_what_can_be_seen():
    def loss(p):
        return 1e8 + np.abs(affine(p)).sum()  # abs: no complex step

    def back(p):
        return affine_back(p, np.sign(affine(p)))

    report = check_backward(loss, back, INPUTS)
    assert (report.verdict, report.failed) == ("inconclusive", False)
    assert "its rounding hides the rest" in str(report)
    wrong = check_backward(loss, lambda p: {n: 1.01 * g for n, g in back(p).items()}, INPUTS)
    assert wrong.failed


def test_the_log_of_a_probability_without_digits_is_inconclusive():
    x = np.array([0.0, -735.0])  # exp(-735) is 1e-319: four digits are left of it

    def loss(z):
        e = np.exp(z - z.max())
        return -np.log(e / e.sum())[1]

    def back(z):
        e = np.exp(z - z.max())
        return e / e.sum() - np.array([0.0, 1.0])

    report = check_backward(loss, back, x)
    assert not report.failed, report
    assert "underflows" in str(report)


# --- kinks ----------------------------------------------------------------------------------------


def test_kinks_pass_inside_their_interval_and_fail_outside():
    """The whole is tests/benchmarks/kinks.py: 1,000 points."""
    for kind, seed, inside, verdict, _ in kinks.rows(range(10_000, 10_025)):
        assert verdict == ("pass" if inside else "FAIL"), (kind, seed, inside)


# --- where, in time -------------------------------------------------------------------------------

T, N, I, H = 6, 2, 3, 4
P = {"x": R.normal(size=(T, N, I)), "h0": R.normal(size=(N, H)), "W": R.normal(size=(H, H)) / 2,
     "U": R.normal(size=(H, I))}


def recurrence(p):
    h, hs = p["h0"], []
    for x in p["x"]:
        h = np.tanh(x @ p["U"].T + h @ p["W"].T)
        hs.append(h)
    return np.stack(hs), {"h": hs, "p": p}


def recurrence_back(bug=None):
    def backward(up, cache):
        p, hs = cache["p"], cache["h"]
        d, dhs = {n: np.zeros_like(x) for n, x in p.items()}, [None] * T
        after = np.zeros_like(p["h0"])
        for t in reversed(range(T)):
            dhs[t] = dh = up[t] + after
            dz = dh if bug == "slope at 2" and t == 2 else dh * (1.0 - hs[t] ** 2)
            d["W"] += dz.T @ (hs[t - 1] if t else p["h0"])
            d["U"] += dz.T @ p["x"][t]
            d["x"][t] = dz @ p["U"]
            after = dz @ p["W"]
            if bug == "none" or bug == "cut before 3" and t == 3:
                after = 0.0 * after
            if bug == "no W":
                after = dz
        return {**{f"d{n}": g for n, g in d.items()}, "dh0": after, "dh": dhs}
    return backward


@pytest.mark.parametrize(("bug", "lag", "parting"), [
    ("none", "right at lag 0, wrong at every lag >= 1",
     "agrees with the engine at [5]; going back, it parts at [4]"),
    ("no W", "right at lag 0, wrong at every lag >= 1", "it parts at [4]"),
    ("slope at 2", "wrong on every way through step 2",
     "at [2] to [5]; going back, it parts at [1]"),
    ("cut before 3", "wrong wherever it goes back from step 3", "going back, it parts at [2]"),
])
def test_the_lag_map_and_the_engine_say_where(bug, lag, parting):
    assert check_backward(recurrence, recurrence_back(), P, cached=True)
    report = check_backward(recurrence, recurrence_back(bug), P, cached=True)
    text = str(report)
    assert report.failed
    assert lag in text
    assert f"dh {parting}" in text or parting in text
    assert len(text.splitlines()) <= 15
    np.testing.assert_allclose(report.engine["W"], recurrence_back()(
        check_upstream(report), recurrence(P)[1])["dW"], rtol=1e-10)


def test_the_engine_stands_beside_a_backward_that_passes_too():
    right = check_backward(recurrence, recurrence_back(), P, cached=True)
    assert not right.notes
    np.testing.assert_allclose(right.engine["W"], recurrence_back()(
        check_upstream(right), recurrence(P)[1])["dW"], rtol=1e-10)

    def off(up, cache):  # a dh that is wrong although every gradient is right
        d = recurrence_back()(up, cache)
        d["dh"][2] = 2.0 * d["dh"][2]
        return d

    report = check_backward(recurrence, off, P, cached=True)
    assert report, report
    assert report.notes == ["dh agrees with the engine at [3] to [5]; going back, it parts at [2]"]


def test_what_is_not_the_engines_is_said_of_a_pass():
    def off(p, up):
        return {n: g * (1.0 + 1e-6 * (n == "b")) for n, g in affine_back(p, up).items()}

    problem = Handwritten(affine, off, INPUTS, False, np.random.default_rng(0))
    report = Report({n: Block(n, x.shape, x.size) for n, x in INPUTS.items()}, 0)
    assert beside_the_engine(problem, report, 0) == [
        "4 of 4 entries of the gradient of b are not the engine's: they differ by 1e-06 of its "
        "largest"]


def check_upstream(report):
    """The upstream of the check, drawn from its seed as documented: signs times U(0.5, 1.5)."""
    r = np.random.default_rng([report.seed, 1])
    return r.choice([-1.0, 1.0], (T, N, H)) * r.uniform(0.5, 1.5, (T, N, H))


def test_truncation_is_named_with_its_lag():
    def truncated(up, cache):
        """For every t, back through 3 steps only."""
        p, hs = cache["p"], cache["h"]
        d = {n: np.zeros_like(x) for n, x in p.items()}
        for end in range(T):
            dh = up[end]
            for t in range(end, max(end - 3, -1), -1):
                dz = dh * (1.0 - hs[t] ** 2)
                d["W"] += dz.T @ (hs[t - 1] if t else p["h0"])
                d["U"] += dz.T @ p["x"][t]
                d["x"][t] += dz @ p["U"]
                dh = dz @ p["W"]
            if end < 3:
                d["h0"] += dh
        return d

    report = check_backward(recurrence, truncated, P, cached=True)
    words = "right up to lag 2, wrong from lag 3 on: the gradient is cut after 3 steps"
    assert words in str(report)


def test_batch_first():
    def turned(p):
        out, cache = recurrence({**p, "x": np.swapaxes(p["x"], 0, 1)})
        return np.swapaxes(out, 0, 1), cache

    def back(bug):
        def backward(up, cache):
            d = recurrence_back(bug)(np.swapaxes(up, 0, 1), cache)
            return {**d, "dx": np.swapaxes(d["dx"], 0, 1)}
        return backward

    inputs = {**P, "x": np.swapaxes(P["x"], 0, 1)}
    assert check_backward(turned, back(None), inputs, cached=True, time_axis=1)
    report = check_backward(turned, back("none"), inputs, cached=True, time_axis=1)
    assert "wrong at every lag >= 1" in str(report)
    report = check_backward(turned, back("none"), inputs, cached=True)
    assert "is it the batch? Then say time_axis=1" in str(report.notes)
    assert "lag" not in str(report.notes)


def test_the_same_seed_gives_the_same_report():
    texts = {str(check_backward(recurrence, recurrence_back("none"), P, cached=True, seed=3))
             for _ in range(2)}
    assert len(texts) == 1
    assert "with seed=3" in texts.pop()
