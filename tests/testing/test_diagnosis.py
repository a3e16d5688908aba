"""The diagnosis: mistakes named in code that it has never seen, and never a wrong name."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.testing import check_backward, check_gradients
from tinygrad_rnn.testing.diagnosis import matches

from ..benchmarks import fingerprints
from . import strangers, zoo


@pytest.mark.parametrize("kind", strangers.BUGS)
def test_mistakes_are_named_in_independent_code(kind):
    """The whole is tests/benchmarks/fingerprints.py: 100 seeds."""
    found = list(fingerprints.rows(range(30_000, 30_002), [kind]))
    assert len(found) >= 40
    assert [r for r in found if r[3] != "right"] == []


def test_two_mistakes_get_no_single_name():
    found = list(fingerprints.pairs(range(30_000, 30_002)))
    assert len(found) >= 20
    assert [r for r in found if r[3]] == []


def test_the_right_gradient_has_no_diagnosis():
    for kind in strangers.BUGS:
        m = strangers.stranger(1, kind)
        fit, mistakes = fingerprints.looked_up(m, 1)
        said, wrong = fingerprints.said_of(m, 1, (), fit, mistakes)
        assert not wrong
        assert said == ""


def test_the_report_says_it_first():
    m = strangers.stranger(2, "lstm")
    report = check_backward(m.forward, m.backward("forget the cell"), m.inputs, time_axis=1)
    assert report.cause == report.diagnosis
    assert report.cause.startswith("the gradient equals that of an LSTM whose backward forgets "
                                   "dc_next; fix: dc = ")
    text = str(report)
    assert report.cause in text
    assert len(text.splitlines()) <= 15
    assert report.to_dict()["cause"] == report.cause


def test_two_mistakes_are_said_to_be_two():
    m = strangers.stranger(2, "rnn")
    report = check_backward(m.forward, m.backward(("linear", "bias of the first")), m.inputs)
    assert report.failed
    assert not report.diagnosis
    assert report.notes[0] == ("this is a tanh RNN, and no single mistake reproduces this "
                               "gradient: look for two, or an unusual one")


def test_a_mistake_that_changes_hardly_anything_is_not_named_for_another():
    """Within 1e-7 of a wrong gradient that is itself within 1e-7 of the right one: that is no
    evidence for the mistake."""
    right, tiny = np.array([1.0, 2.0]), np.array([1e-8, -1e-8])
    mistakes = [("", "", {"W": right}), ("does that", "do this", {"W": right + tiny})]
    assert matches(mistakes, {"W": right + tiny}) == [("does that", "do this")]
    assert matches(mistakes, {"W": right + 3.0 * tiny}) == []
    assert matches(mistakes, {"W": right + 0.9 * tiny}) == []


ZOO = {"missing dh_next": "forgets dh_next", "W_hh transposed": "wrong way round",
       "b_y averaged": "averages b_y over the batch", "first step skipped": "leaves out the first",
       "h_0 without W_hh": "dz of the first step for h_0", "one entry": ""}


@pytest.mark.parametrize("bug", ZOO)
def test_the_zoo_is_named_too(bug):
    m = zoo.model(0)
    m.memory = {}
    report = check_backward(m.forward, m.backward(bug), m.inputs)
    assert report.failed
    assert (ZOO[bug] in report.diagnosis) if ZOO[bug] else not report.diagnosis


# --- other people's programs ----------------------------------------------------------------------


def character_rnn(bug, count=1):
    """Symbols in, symbols out, column vectors, a loss at every step, divided by `count`."""
    symbols, targets = [0, 2, 1, 3, 3], [2, 1, 3, 3, 0]

    def run(w):
        h, hs, ps, loss = w["h"], [w["h"]], [], 0.0
        for i, j in zip(symbols, targets):
            x = np.zeros((4, 1))
            x[i] = 1.0
            h = np.tanh(np.dot(w["Wxh"], x) + np.dot(w["Whh"], h) + w["bh"])
            y = np.dot(w["Why"], h) + w["by"]
            p = np.exp(y) / np.sum(np.exp(y))
            loss = loss - np.log(p[j, 0])
            hs.append(h)
            ps.append(p)
        return loss / count, hs, ps

    def backward(w):
        _, hs, ps = run(w)
        d = {n: np.zeros_like(v) for n, v in w.items()}
        carry = np.zeros_like(w["h"])
        for t in reversed(range(len(symbols))):
            dy = ps[t].copy()
            if bug != "p":
                dy[targets[t]] -= 1.0
            dy = dy / count
            d["Why"] += dy @ hs[t + 1].T
            d["by"] += dy
            dh = w["Why"].T @ dy + (0.0 if bug == "carry" else carry)
            raw = (1.0 - hs[t + 1] ** 2) * dh
            d["bh"] += raw
            d["Whh"] += raw @ hs[t].T
            d["Wxh"][:, symbols[t]] += raw[:, 0]
            carry = w["Whh"].T @ raw
        d["h"] = carry
        if bug == "clip":
            for n in ("Wxh", "Whh", "Why", "bh", "by"):
                np.clip(d[n], -0.5, 0.5, out=d[n])
        return d

    r = np.random.default_rng(5)
    sizes = {"Wxh": (6, 4), "Whh": (6, 6), "Why": (4, 6), "bh": (6, 1), "by": (4, 1), "h": (6, 1)}
    return (lambda w: run(w)[0]), backward, {n: r.normal(size=s) for n, s in sizes.items()}


@pytest.mark.parametrize(("bug", "words"), [
    ("carry", "forgets dh_next"), ("p", "takes dy = p"), ("clip", "clips the weights' gradients")])
@pytest.mark.parametrize("count", [1, 5])
def test_symbols_and_column_vectors_summed_and_averaged(bug, words, count):
    report = check_backward(*character_rnn(bug, count))
    assert words in report.diagnosis, report


@pytest.mark.parametrize(("bug", "words"), [
    ("target", "leaves the target out of dy"), ("slope", "multiplies p - target by p (1 - p)"),
    ("carry", "forgets dh_next"), ("mean", "averages over the batch"), ("sign", "wrong sign")])
def test_yes_or_no_at_every_step(bug, words):
    """A sigmoid and the binary cross-entropy, written out."""
    r = np.random.default_rng(7)
    w = {"x": r.normal(size=(5, 3, 2)), "U": r.normal(size=(4, 2)), "W": r.normal(size=(4, 4)),
         "b": r.normal(size=4), "V": r.normal(size=(2, 4)), "c": r.normal(size=2)}
    labels = r.integers(2, size=(5, 3, 2)).astype(float)

    def run(w):
        h, hs = np.zeros((3, 4)), [np.zeros((3, 4))]
        for x in w["x"]:
            h = np.tanh(x @ w["U"].T + h @ w["W"].T + w["b"])
            hs.append(h)
        p = 1 / (1 + np.exp(-(np.stack(hs[1:]) @ w["V"].T + w["c"])))
        return -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).sum(), hs, p

    def backward(w):
        _, hs, p = run(w)
        dy = p if bug == "target" else p - labels
        dy = dy * p * (1 - p) if bug == "slope" else dy
        d = {n: np.zeros_like(v) for n, v in w.items()}
        carry = 0.0
        for t in reversed(range(5)):
            d["V"] += dy[t].T @ hs[t + 1]
            d["c"] += dy[t].sum(0)
            dz = (dy[t] @ w["V"] + carry) * (1 - hs[t + 1] ** 2)
            d["U"] += dz.T @ w["x"][t]
            d["W"] += dz.T @ hs[t]
            d["b"] += dz.sum(0)
            d["x"][t] = dz @ w["U"]
            carry = 0.0 if bug == "carry" else dz @ w["W"]
        k = {"mean": 1 / 3, "sign": -1.0}.get(bug, 1.0)
        return {n: k * g for n, g in d.items()}

    report = check_backward(lambda w: run(w)[0], backward, w)
    assert words in report.diagnosis, report


@pytest.mark.parametrize(("stacked", "gates"),
                         list(itertools.product((True, False), ("ifog", "gofi"))))
def test_one_matrix_for_both_or_one_for_every_gate(stacked, gates):
    """An LSTM that returns a tuple and its cache; [h, x] in one matrix, or twelve small arrays."""
    r = np.random.default_rng(3)
    w = {"x": r.normal(size=(4, 2, 3)), "h0": r.normal(size=(2, 5)), "c0": r.normal(size=(2, 5))}
    if stacked:
        w |= {"W": 0.5 * r.normal(size=(8, 20)), "b": r.normal(size=20)}
    else:
        w |= {f"W{g}": 0.5 * r.normal(size=(5, 3)) for g in gates}
        w |= {f"U{g}": 0.5 * r.normal(size=(5, 5)) for g in gates}
        w |= {f"b{g}": r.normal(size=5) for g in gates}

    def matrices(w):
        if stacked:
            return w["W"], w["b"]
        each = [np.hstack([w[f"U{g}"], w[f"W{g}"]]).T for g in gates]
        return np.hstack(each), np.concatenate([w[f"b{g}"] for g in gates])

    def forward(w):
        h, c, cache, hs = w["h0"], w["c0"], [], []
        W, b = matrices(w)
        for x in w["x"]:
            z = np.hstack([h, x]) @ W + b
            s = dict(zip(gates, np.split(z, 4, axis=1)))
            s = {g: np.tanh(v) if g == "g" else 1 / (1 + np.exp(-v)) for g, v in s.items()}
            before, c = c, s["f"] * c + s["i"] * s["g"]
            cache.append((h, x, before, c, s))
            h = s["o"] * np.tanh(c)
            hs.append(h)
        return (np.stack(hs), c), (w, cache)

    def backward(up, saved):
        w, cache = saved
        W, _ = matrices(w)
        dW, db, dx = np.zeros_like(W), np.zeros(20), np.zeros_like(w["x"])
        dh, dc = np.zeros((2, 5)), up[1]
        for t in reversed(range(4)):
            h, x, before, c, s = cache[t]
            dh = dh + up[0][t]
            tc = np.tanh(c)
            dc = dc + dh * s["o"]  # and (1 - tanh(c)²)?
            d = {"i": dc * s["g"] * s["i"] * (1 - s["i"]), "f": dc * before * s["f"] * (1 - s["f"]),
                 "g": dc * s["i"] * (1 - s["g"] ** 2), "o": dh * tc * s["o"] * (1 - s["o"])}
            dz = np.hstack([d[g] for g in gates])
            dW += np.hstack([h, x]).T @ dz
            db += dz.sum(0)
            dh, dx[t], dc = (dz @ W.T)[:, :5], (dz @ W.T)[:, 5:], dc * s["f"]
        found = {"x": dx, "h0": dh, "c0": dc}
        if stacked:
            return found | {"dW": dW, "db": db}
        for k, g in enumerate(gates):
            part = dW[:, 5 * k:5 * k + 5]
            found |= {f"W{g}": part[5:].T, f"U{g}": part[:5].T, f"b{g}": db[5 * k:5 * k + 5]}
        return found

    report = check_backward(forward, backward, w, cached=True)
    assert "leaves out tanh'(c)" in report.diagnosis, report


def test_a_graph_of_ours_with_a_state_that_was_cut():
    cell = nn.RNNCell(3, 4, seed=0)
    xs = np.random.default_rng(0).normal(size=(5, 2, 3))
    h0 = tg.Tensor(0.5 * np.ones((2, 4)), name="h0", requires_grad=True)

    def loss():
        h, total = h0, 0.0
        for x in xs:
            h, _ = cell(x, h.detach() if h is not h0 else h)
            total = total + (h * h).sum()
        return total

    report = check_gradients(loss, {**dict(cell.named_parameters()), "h0": h0})
    assert report.failed
    assert "a tanh RNN whose backward forgets dh_next" in report.diagnosis \
        or "goes only" in report.diagnosis, report


# --- without a model ------------------------------------------------------------------------------


X = np.random.default_rng(1).normal(size=(6, 3))
W = np.random.default_rng(2).normal(size=(4, 3))


def odd(p):
    return np.sin(p["x"] @ p["W"].T) ** 3


def odd_back(p, up):
    z = p["x"] @ p["W"].T
    dz = up * 3 * np.sin(z) ** 2 * np.cos(z)
    return {"x": dz @ p["W"], "W": dz.T @ p["x"]}


SIGNS = {
    "the right one with the wrong sign": lambda g: -g,
    "twice the right one: is a ½ forgotten?": lambda g: 2 * g,
    "the right one divided by 6 (a mean for a sum over axis 0 of x?)": lambda g: g / 6,
    "zero, and should not be": lambda g: 0 * g,
    "the right one, shifted by one along axis 0": lambda g: np.roll(g, 1, 0),
    "the right one, clipped to ±0.3: clip after the check": lambda g: np.clip(g, -0.3, 0.3),
    "1.37 times the right one": lambda g: 1.37 * g,
}


@pytest.mark.parametrize("words", SIGNS)
def test_signatures_need_no_model(words):
    def backward(p, up):
        d = odd_back(p, up)
        return d | {"W": SIGNS[words](d["W"])}

    report = check_backward(odd, backward, {"x": X, "W": W})
    assert not report.diagnosis
    assert report.notes[0] == f"the gradient of W is {words}", report


def test_a_factor_of_everything_and_a_transpose():
    square = {"x": X[:3], "W": W[:3]}
    report = check_backward(odd, lambda p, up: {n: -g for n, g in odd_back(p, up).items()}, square)
    assert report.notes[0] == "the gradient of x, W is the right one with the wrong sign"
    report = check_backward(odd, lambda p, up: odd_back(p, up) | {"W": odd_back(p, up)["W"].T},
                            square)
    assert report.notes[0] == "the gradient of W is the right one, transposed"


@pytest.mark.parametrize(("kept", "words"), [
    (slice(0, 1), "the first step's contribution alone, of 5 (`=` for `+=`?)"),
    (slice(4, 5), "the last step's contribution alone, of 5 (`=` for `+=`?)"),
    (slice(2, 5), "without the contributions of the first 2 of its 5 uses")])
def test_the_part_of_some_of_the_steps(kept, words):
    """h_t = sin(h_{t-1} W + x_t): none of the cells that are known."""
    def run(p):
        h, before, after = p["h"], [], []
        for x in p["x"]:
            before.append(h)
            h = np.sin(h @ p["W"] + x)
            after.append(before[-1] @ p["W"] + x)
        return h, before, after

    def backward(p, up):
        _, before, z = run(p)
        parts, dx = [], np.zeros_like(p["x"])
        for t in reversed(range(5)):
            dz = up * np.cos(z[t])
            parts.insert(0, before[t].T @ dz)
            dx[t], up = dz, dz @ p["W"].T
        return {"x": dx, "h": up, "W": sum(parts[kept])}

    r = np.random.default_rng(0)
    p = {"x": r.normal(size=(5, 2, 3)), "h": r.normal(size=(2, 3)), "W": r.normal(size=(3, 3))}
    report = check_backward(lambda p: run(p)[0], backward, p)
    assert report.notes[0] == f"the gradient of W is {words}", report
