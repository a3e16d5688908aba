"""An op that spans many steps says what each step gave, and a ledger has a row for each."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.graph import Op
from tinygrad_rnn.core.parts import Part

# --- a small op of our own: s_t = x_t + W s_{t-1} + b, all steps in one node ----------------------


def run(x, s, W, b):
    states = []
    for x_t in x:
        s = x_t + s @ W.T + b
        states.append(s)
    return np.stack(states)


def deltas(g, W):
    """What arrives at s_t from its own output and from the future, for the last step first."""
    found, future = [], np.zeros_like(g[0])
    for g_t in g[::-1]:
        found.append(g_t + future)
        future = found[-1] @ W
    return found, future


def rule(g, y, x, s, W, b):
    d, start = deltas(g, W)
    d = np.stack(d[::-1])
    before = np.concatenate([s[None], y[:-1]])
    return [d, start, np.einsum("tbo,tbi->oi", d, before), d.sum((0, 1))]


def parts(g, y, x, s, W, b):
    d, _ = deltas(g, W)
    before = np.concatenate([s[None], y[:-1]])
    steps = range(len(y), 0, -1)
    return [[Part(t, d_t, index=t - 1, op="x") for t, d_t in zip(steps, d)], None,
            [Part(t, d_t, before[t - 1], op="W s") for t, d_t in zip(steps, d)],
            [Part(t, d_t) for t, d_t in zip(steps, d)]]


LINE = Op("line", array=run, rules=(rule,), joint=True, parts=parts)


def leaves(T=5, B=2, H=3, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"x": (T, B, H), "s": (B, H), "W": (H, H), "b": (H,)}
    return {k: tg.Tensor(rng.normal(size=n) * 0.5, name=k, requires_grad=True)
            for k, n in shapes.items()}


def op_level(x, s, W, b):
    out = []
    for t in range(1, len(x.value) + 1):
        with tg.timestep(t):
            s = x[t - 1] + tg.linear(s, W) + b
            out.append(s)
    return ops.stack(*out)


def test_the_rule_of_the_op_is_right():
    ours, theirs = leaves(), leaves()
    (LINE(*ours.values()) ** 2).sum().backward()
    (op_level(**theirs) ** 2).sum().backward()
    for name, leaf in ours.items():
        np.testing.assert_allclose(leaf.grad, theirs[name].grad, rtol=1e-12)


def test_a_row_for_every_step():
    ours, theirs = leaves(), leaves()
    flow = tg.gradient_flow((LINE(*ours.values()) ** 2).sum())
    other = tg.gradient_flow((op_level(**theirs) ** 2).sum())
    for name in ("x", "W", "b"):
        ledger, expected = flow.ledger(ours[name]), other.ledger(theirs[name])
        assert [r.step for r in ledger] == [r.step for r in expected] == [5, 4, 3, 2, 1]
        for row, same in zip(ledger, expected):
            assert row.contribution.shape == ours[name].shape
            np.testing.assert_allclose(row.contribution, same.contribution, rtol=1e-12)
            assert row.norm == pytest.approx(same.norm, rel=1e-12)
        assert np.array_equal(ledger.total, ours[name].grad)
        assert np.array_equal(ledger[-1].running, ours[name].grad)
        assert {r.op for r in ledger} == {{"x": "x", "W": "W s", "b": "line"}[name]}
        for entry, row in zip(ledger.entries, ledger):
            assert entry.norm() == pytest.approx(np.linalg.norm(row.contribution), rel=1e-12)
    assert len(flow.ledger(ours["s"])) == 1  # nothing to tell apart


def test_parts_of_an_alias():
    """The weight is given transposed: its rows are the steps all the same."""
    ours, theirs = leaves(), leaves()
    turned = {**ours, "W": ours["W"].T}
    loss = (LINE(*turned.values()) ** 2).sum() + (ours["W"] * ours["W"]).sum()
    ledger = tg.gradient_flow(loss).ledger(ours["W"])
    assert [r.step for r in ledger] == [None, None, 5, 4, 3, 2, 1]
    assert np.array_equal(ledger.total, ours["W"].grad)
    theirs["W"].value = theirs["W"].value.T.copy()
    other = tg.gradient_flow((op_level(**theirs) ** 2).sum()).ledger(theirs["W"])
    for row, same in zip(ledger[2:], other):
        np.testing.assert_allclose(row.contribution, same.contribution.T, rtol=1e-12)


def test_parts_are_only_asked_for_by_those_who_look():
    def refuse(*_):
        raise AssertionError("parts were asked for")

    op = Op("line", array=run, rules=(rule,), joint=True, parts=refuse)
    loss = op(*leaves().values()).sum()
    loss.backward()
    with pytest.raises(AssertionError, match="asked for"):
        tg.gradient_flow(loss)


@pytest.mark.parametrize(("B", "H"), [(1, 4), (3, 4), (9, 4)])
def test_the_norm_of_a_part(B, H):
    rng = np.random.default_rng(0)
    d, x, W = rng.normal(size=(B, H)), rng.normal(size=(B, H)), np.zeros((3 * H, H))
    for part in (Part(1, d, x, slice(H, 2 * H)), Part(1, d, index=slice(0, B))):
        assert part.norm(W) == pytest.approx(np.linalg.norm(part.array(W)), rel=1e-12)
    assert Part(1, d).norm(W[0]) == pytest.approx(np.linalg.norm(d.sum(0)), rel=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_parts_with_norms_only(turned):
    """Also where the operand is an alias, or computed."""
    def program(leaves):
        W = leaves["W"].T if turned else leaves["W"]
        s = np.tanh(leaves["s"])
        return (LINE(leaves["x"] * 2.0, s, W, leaves["b"]) ** 2).sum() + leaves["W"].sum()

    ours, theirs = leaves(), leaves()
    whole = tg.gradient_flow(program(theirs))
    flow = tg.gradient_flow(program(ours), keep="norms")
    for name, leaf in ours.items():
        assert np.array_equal(leaf.grad, theirs[name].grad)
        a, b = flow.incoming[leaf], whole.incoming[theirs[name]]
        assert [e.step for e in a] == [e.step for e in b]
        assert [e.op for e in a] == [e.op for e in b]
        assert [e.norm() for e in a] == pytest.approx([e.norm() for e in b], rel=1e-12)
    doubled = next(n for n in flow.incoming if n.op.name == "*")
    assert [e.step for e in flow.incoming[doubled]] == [5, 4, 3, 2, 1]
    with pytest.raises(tg.GradientError, match="only the norm"):
        flow.incoming[doubled][0].array()
