"""The gradient flow: every contribution on the table, and their sum is the gradient."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.core import ops


def powers(steps=3, w=0.2, x0=0.9):
    """One weight, used at every step: h_t = w h_{t-1}."""
    w, h = tg.Value(w, name="w"), tg.Value(x0, name="x0")
    first = h
    for t in range(1, steps + 1):
        with tg.timestep(t):
            h = (w * h).named("h")
    return w, first, h


def rnn(T=4, B=2, H=3, inputs=2, seed=0, scope="cell"):
    """A tanh RNN with a read-out at every step; its parameters and its loss."""
    rng = np.random.default_rng(seed)

    def leaf(name, *shape):
        return tg.Tensor(rng.normal(size=shape), name=name, requires_grad=True)

    W_xh, W_hh, b_h = leaf("W_xh", H, inputs), leaf("W_hh", H, H), leaf("b_h", H)
    h = h0 = leaf("h", B, H)
    xs, loss, states = [leaf("x", B, inputs) for _ in range(T)], 0.0, []
    for t, x in enumerate(xs, 1):
        with tg.timestep(t), tg.scope(scope):
            h = tg.tanh(tg.linear(x, W_xh) + tg.linear(h, W_hh) + b_h).named("h")
            states.append(h)
        with tg.timestep(t):
            loss = loss + ops.sum_(h * h * h)
    return {"W_xh": W_xh, "W_hh": W_hh, "b_h": b_h, "h0": h0, "xs": xs}, states, loss


# --- rows -----------------------------------------------------------------------------------------


def test_three_uses_of_one_weight():
    w, _, h = powers()
    flow = tg.gradient_flow(h)
    ledger = flow.ledger(w)
    assert [row.step for row in ledger] == [3, 2, 1]  # last use first
    assert [row.contribution for row in ledger] == pytest.approx([0.036] * 3, rel=1e-15)
    assert ledger.total == w.grad == pytest.approx(0.108, rel=1e-15)
    assert [row.share for row in ledger] == pytest.approx([1 / 3] * 3)
    assert {(row.root, row.op, row.call) for row in ledger} == {("h_3", "*", 1)}
    assert ledger[-1].running == w.grad
    assert flow.ledger(tg.nodes(h)[1]).total == pytest.approx(0.2**3)


def test_the_fields_of_a_row():
    parameters, _, loss = rnn()
    row = tg.gradient_flow(loss).ledger(parameters["W_hh"])[1]
    assert (row.call, row.step, row.scope, row.op) == (1, 3, "cell", "linear")
    assert row.contribution.shape == row.running.shape == (3, 3)
    assert row.norm == pytest.approx(np.linalg.norm(row.contribution))


def test_a_ledger_is_a_sequence():
    parameters, _, loss = rnn(T=5)
    ledger = tg.gradient_flow(loss).ledger(parameters["W_hh"])
    assert len(ledger) == 5
    assert [r.step for r in ledger] == [5, 4, 3, 2, 1]
    assert [r.step for r in ledger[1:3]] == [4, 3]
    assert ledger[0] is ledger.rows[0]
    assert ledger.to_numpy().shape == (5, 3, 3)
    assert sum(r.share for r in ledger) == pytest.approx(1.0)


def test_each_row_by_hand():
    """dL/dW_hh through its use at step t is δ_t h_{t-1}ᵀ, summed over the batch."""
    parameters, states, loss = rnn()
    flow = tg.gradient_flow(loss)
    before = [parameters["h0"], *states]
    for row in flow.ledger(parameters["W_hh"]):
        h, previous = states[row.step - 1].value, before[row.step - 1].value
        delta = flow.gradient(states[row.step - 1]) * (1 - h * h)
        np.testing.assert_allclose(row.contribution, delta.T @ previous, rtol=1e-12)


def test_as_text_csv_and_markdown():
    w, _, h = powers()
    ledger = tg.gradient_flow(h).ledger(w)
    text = str(ledger)
    assert text.count("0.036") >= 3
    assert "sum = w.grad: 0.108" in text
    lines = ledger.to_csv().splitlines()
    assert len(lines) == 4
    assert lines[0] == "call,root,step,scope,op,contribution,share,running"
    assert float(lines[1].split(",")[5]) == ledger[0].contribution  # no digit is lost
    assert ledger.to_markdown().count("\n") == 4
    parameters, _, loss = rnn()
    assert "‖running sum‖" in str(tg.gradient_flow(loss).ledger(parameters["W_hh"]))


# --- the total ------------------------------------------------------------------------------------


def leaves_of(parameters):
    return [x for p in parameters.values() for x in (p if isinstance(p, list) else [p])]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_total_is_what_was_added_to_grad(dtype):
    rng = np.random.default_rng(0)
    W = tg.Tensor(rng.normal(size=(3, 3)).astype(dtype), requires_grad=True)
    h = tg.Tensor(np.ones((2, 3), dtype))
    for t in range(1, 8):
        with tg.timestep(t):
            h = tg.tanh(tg.linear(h, W))
    ledger = tg.gradient_flow(ops.sum_(h)).ledger(W)
    assert ledger.total.dtype == W.grad.dtype == dtype
    assert np.array_equal(ledger.total, W.grad)
    assert np.array_equal(ledger[-1].running, W.grad)
    assert W.grad.flags.owndata
    assert not np.shares_memory(W.grad, ledger.total)


def test_bit_for_bit_for_every_leaf():
    parameters, _, loss = rnn(T=7)
    flow = tg.gradient_flow(loss)
    for leaf in leaves_of(parameters):
        assert np.array_equal(flow.ledger(leaf).total, leaf.grad)
        assert np.array_equal(flow.ledger(leaf)[-1].running, leaf.grad)
        assert np.array_equal(flow.gradient(leaf), leaf.grad)


def test_what_was_there_before_is_carried_in():
    parameters, _, loss = rnn()
    W = parameters["W_hh"]
    tg.gradient_flow(loss)
    before = W.grad.copy()
    ledger = tg.gradient_flow(loss).ledger(W)
    assert len(ledger) == 5
    assert (ledger[0].root, ledger[0].call, ledger[0].step) == ("carried in", 1, None)
    assert {row.call for row in ledger[1:]} == {2}
    assert np.array_equal(ledger[0].contribution, before)
    assert math.isnan(ledger[0].share)
    assert np.array_equal(before + ledger.total, W.grad)
    assert np.array_equal(ledger[-1].running, W.grad)
    w, _, h = powers()
    h.backward()
    ledger = tg.gradient_flow(h).ledger(w)
    assert [row.root for row in ledger] == ["carried in", "h_3", "h_3", "h_3"]
    assert ledger[-1].running == w.grad
    assert "carried in" in str(ledger)


def test_a_plain_backward_agrees():
    parameters, _, loss = rnn(T=9)
    tg.gradient_flow(loss)
    flowed = [leaf.grad for leaf in leaves_of(parameters)]
    for leaf in leaves_of(parameters):
        leaf.zero_grad()
    loss.backward()
    for leaf, g in zip(leaves_of(parameters), flowed):
        np.testing.assert_allclose(leaf.grad, g, rtol=1e-12, atol=1e-14)


def test_a_seed_and_a_result_that_is_a_leaf():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    tg.gradient_flow(x * x, np.array([1.0, 10.0]))
    assert np.array_equal(x.grad, [2.0, 40.0])
    x.zero_grad()
    tg.gradient_flow(x * x, tg.Tensor([1.0, 10.0]))
    assert np.array_equal(x.grad, [2.0, 40.0])
    v = tg.Value(3.0)
    assert tg.gradient_flow(v).gradient(v) == 1.0


def test_retained_gradients_are_kept_by_a_flow_too():
    v = tg.Value(3.0)
    h = v * 2.0
    h.retain_grad()
    tg.gradient_flow(h * h)
    assert (h.grad, v.grad) == (12.0, 24.0)


# --- aliases --------------------------------------------------------------------------------------


def matrix():
    return tg.Tensor([[1.0, 2.0], [3.0, 4.0]], name="W", requires_grad=True)


def test_a_transpose_made_once_is_no_use():
    """W.T outside the loop: the uses are the products, each at its step."""
    W, h = matrix(), tg.Tensor(np.ones((1, 2)))
    turned = W.T
    for t in (1, 2, 3):
        with tg.timestep(t):
            h = tg.tanh(h @ turned * 0.1)
    ledger = tg.gradient_flow(ops.sum_(h)).ledger(W)
    assert [(r.step, r.op) for r in ledger] == [(3, "@"), (2, "@"), (1, "@")]
    assert np.array_equal(ledger.total, W.grad)
    assert [step.step for step, _ in tg.uses(h, W)] == [1, 2, 3]


def test_rows_of_aliases_stand_in_the_order_of_their_steps():
    W = matrix()
    turned, h = W.T, tg.Tensor(np.ones((1, 2)))
    for t in range(1, 7):
        with tg.timestep(t):
            h = tg.tanh((h @ turned if t % 2 else tg.linear(h, W)) * 0.1)
    ledger = tg.gradient_flow(ops.sum_(h)).ledger(W)
    assert [(r.step, r.op) for r in ledger] == [
        (6, "linear"), (5, "@"), (4, "linear"), (3, "@"), (2, "linear"), (1, "@")]


@pytest.mark.parametrize("show", [
    lambda W: W.T, lambda W: W.reshape(4), lambda W: W[0], lambda W: W[:, 1:], lambda W: W.T[1],
    lambda W: W.reshape(1, 4)[0, 1:3]])
def test_every_alias_shows_the_same_gradient(show):
    W = matrix()
    (ops.sum_(show(W) * show(W)) + ops.sum_(W * W)).backward()
    expected = W.grad
    W.zero_grad()
    loss = ops.sum_(show(W) * show(W)) + ops.sum_(W * W)
    ledger = tg.gradient_flow(loss).ledger(W)
    assert np.array_equal(ledger.total, W.grad)
    np.testing.assert_allclose(W.grad, expected, rtol=1e-12)
    assert [r.op for r in ledger] == ["*"] * 4
    assert all(r.contribution.shape == (2, 2) for r in ledger)
    assert [r.norm for r in ledger] == pytest.approx(
        [np.linalg.norm(r.contribution) for r in ledger])


@pytest.mark.parametrize("show", [
    lambda W: W[0, 0], lambda W: W[1:, 1:].reshape(()), lambda W: W.T[0, 1]])
def test_an_alias_that_is_the_result(show):
    W = matrix()
    show(W).backward()
    expected = W.grad
    W.zero_grad()
    tg.gradient_flow(show(W))
    assert np.array_equal(W.grad, expected)
    assert W.grad.sum() == 1.0


def test_an_alias_that_is_both_used_and_the_result():
    W = tg.Tensor([3.0], name="W", requires_grad=True)
    shown = W.reshape(())
    tg.gradient_flow(shown * shown)
    assert W.grad.tolist() == [6.0]


def test_many_leaves_with_aliases_take_no_longer_each():
    def seconds(count):
        xs = [tg.Tensor(np.ones(4), requires_grad=True) for _ in range(count)]
        loss = 0.0
        for x in xs:
            loss = loss + ops.sum_(x.reshape(2, 2) * 2.0)
        start = time.perf_counter()
        tg.gradient_flow(loss)
        return (time.perf_counter() - start) / count

    assert min(seconds(3000) for _ in range(2)) < 5 * min(seconds(200) for _ in range(3))


def test_fancy_indexing_is_a_use_of_its_own():
    E = tg.Tensor(np.ones((4, 2)), name="E", requires_grad=True)
    with tg.timestep(1):
        x = E[np.array([0, 2, 2])]
    ledger = tg.gradient_flow(ops.sum_(x)).ledger(E)
    assert [(r.step, r.op) for r in ledger] == [(1, "[]")]
    assert np.array_equal(E.grad[:, 0], [1, 0, 2, 0])


# --- states, inputs, norms ------------------------------------------------------------------------


def test_a_state_has_two_incoming_gradients():
    _, states, loss = rnn()
    flow = tg.gradient_flow(loss)
    rows = flow.ledger(states[1]).rows
    assert {r.step for r in rows} == {2, 3}  # its own read-out, and the next step
    whole = sum(r.contribution for r in rows)
    np.testing.assert_allclose(whole, flow.gradient(states[1]), rtol=1e-14)
    assert flow.gradient(loss) == 1.0


def test_inputs_and_biases():
    parameters, _, loss = rnn()
    flow = tg.gradient_flow(loss)
    for t, x in enumerate(parameters["xs"], 1):
        assert [r.step for r in flow.ledger(x)] == [t]
    rows = flow.ledger(parameters["b_h"])
    assert [r.step for r in rows] == [4, 3, 2, 1]
    assert all(r.contribution.shape == (3,) for r in rows)


def test_norms_by_name():
    parameters, states, loss = rnn()
    flow = tg.gradient_flow(loss)
    norms = flow.norms("cell/h")
    assert list(norms) == [1, 2, 3, 4]
    for t, h in enumerate(states, 1):
        assert norms[t] == pytest.approx(np.linalg.norm(flow.gradient(h)))
        assert norms[t] == flow.norm(h)
    assert flow.norms("W_hh") == {0: flow.norm(parameters["W_hh"])}


def test_an_ambiguous_name_is_refused():
    _, _, one = rnn(scope="encoder")
    _, _, two = rnn(scope="decoder")
    flow = tg.gradient_flow(one + two)
    with pytest.raises(ValueError, match=r"decoder/h.*encoder/h"):
        flow.norms("h")
    assert len(flow.norms("encoder/h")) == 4
    with pytest.raises(ValueError, match="no node named 'z'"):
        flow.norms("z")


def test_nothing_reached():
    w, _, h = powers()
    other = tg.Tensor([1.0, 2.0], name="other", requires_grad=True)
    flow = tg.gradient_flow(h)
    with pytest.raises(tg.GradientError, match="'other'"):
        flow.ledger(other)
    with pytest.raises(ValueError, match="needs a Value or a Tensor"):
        flow.ledger("w")
    for call in (flow.norm, flow.gradient):
        with pytest.raises(tg.InputError, match=r"a Value or a Tensor, got str.*flow\.norms\("):
            call("w")
    for wrong in (None, 3, w):
        with pytest.raises(tg.InputError, match=r"name of a state, got .*flow\.norm\(node\)"):
            flow.norms(wrong)
    assert np.array_equal(flow.gradient(other), [0.0, 0.0])
    assert flow.norm(tg.Value(1.0)) == 0.0
    assert w.grad is not None


@pytest.mark.parametrize(("B", "H"), [(1, 4), (3, 4), (9, 4), (2, 1)])
def test_a_norm_without_the_array(B, H):
    """The norm of δᵀx without building it, for batches smaller and larger than the state."""
    parameters, _, loss = rnn(B=B, H=H, T=3)
    flow = tg.gradient_flow(loss)
    for name in ("W_hh", "W_xh"):
        for c in flow.incoming[parameters[name]]:
            assert c.norm() == pytest.approx(np.linalg.norm(c.array()), rel=1e-12)


def test_a_contribution_knows_its_place():
    parameters, states, loss = rnn()
    flow = tg.gradient_flow(loss)
    c = flow.incoming[parameters["W_hh"]][0]
    assert (c.step, c.node.op.name, c.position, c.node.scope) == (4, "linear", 1, "cell")
    total = np.ones((3, 3))
    c.add_into(total)
    assert np.array_equal(total, 1 + c.array())
    assert states[0] in flow.incoming


# --- random graphs --------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.sampled_from("+-*lctrsj"), st.integers(0, 99), st.integers(0, 99)),
                 min_size=1, max_size=25)


def build(steps):
    """A random program over two weights, two biases and an input, all of shape (2, 2)."""
    rng = np.random.default_rng(1)
    leaves = [tg.Tensor(rng.normal(size=(2, 2)) * 0.5, name=f"p{i}", requires_grad=True)
              for i in range(4)]
    found = [*leaves, tg.Tensor(rng.normal(size=(2, 2)))]
    for t, (kind, i, j) in enumerate(steps):
        a, b = found[i % len(found)], found[j % len(found)]
        with tg.timestep(t // 3):
            made = {
                "+": lambda a, b: a + b, "-": lambda a, b: a - 0.5 * b, "*": lambda a, b: a * b,
                "l": lambda a, b: tg.linear(a, b) * 0.5, "c": lambda a, b: a.T @ b,
                "t": lambda a, b: tg.tanh(a.T), "s": lambda a, b: a[0] * b,
                "r": lambda a, b: tg.tanh(a.reshape(4).reshape(2, 2)),
                "j": lambda a, b: ops.concatenate(a[:1], b[1:])}
            found.append(tg.tanh(made[kind](a, b)))
    return leaves, ops.sum_(found[-1] * found[-1])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(STEPS)
def test_ledgers_of_random_graphs(steps):
    leaves, loss = build(steps)
    if not loss.requires_grad:
        return
    loss.backward()
    expected = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.zero_grad()
    flow = tg.gradient_flow(loss)
    second = tg.gradient_flow(loss)
    numbers = tg.gradient_flow(loss, keep="norms")
    assert set(numbers.incoming) == set(flow.incoming)
    for node in flow.arrived:
        assert numbers.norm(node) == pytest.approx(flow.norm(node), rel=1e-12)
    for leaf, g in zip(leaves, expected):
        if g is not None:
            assert np.array_equal(numbers.ledger(leaf).total, flow.ledger(leaf).total)
            assert [e.norm() for e in numbers.ledger(leaf).entries] == pytest.approx(
                [e.norm() for e in flow.ledger(leaf).entries], rel=1e-12, abs=1e-14)
            leaf.grad = second.carried[leaf] + second.totals[leaf]
        if g is None:
            with pytest.raises(tg.GradientError):
                flow.ledger(leaf)
            continue
        ledger = flow.ledger(leaf)
        np.testing.assert_allclose(ledger.total, g, rtol=1e-12, atol=1e-13)
        assert np.array_equal(ledger[-1].running, ledger.total)
        assert {n for n, _ in tg.uses(loss, leaf)} == {e.node for e in ledger.entries}
        assert len(ledger) == len(tg.uses(loss, leaf))
        assert [r.norm for r in ledger] == pytest.approx(
            [np.linalg.norm(r.contribution) for r in ledger], abs=1e-12)
        assert np.array_equal(second.ledger(leaf)[-1].running, leaf.grad)
        assert leaf.grad.flags.c_contiguous


@settings(derandomize=True, deadline=None, max_examples=40)
@given(STEPS)
def test_a_random_graph_walks_in_order(steps):
    _, loss = build(steps)
    order = {node: i for i, node in enumerate(tg.nodes(loss))}
    assert all(order[x] < order[node] for x, _, node in tg.edges(loss))


def test_states_inside_of_a_layer_that_keeps_few_of_them():
    layer = tg.nn.RNN(2, 3, seed=0, return_sequences=True, checkpoint_every=2)
    loss = layer(np.ones((4, 1, 2))).sum()
    with pytest.raises(tg.InputError, match=r"no node named 'h' .*tg\.open_fused\(loss\)"):
        tg.gradient_flow(loss).norms("h")
    assert list(tg.gradient_flow(tg.open_fused(loss)).norms("h")) == [1, 2, 3, 4]


def test_states_without_steps_are_counted_as_their_jacobians_are():
    def states(first):
        w, h, found = tg.Value(0.5, name="w"), first, []
        for _ in range(3):
            h = (w * h).named("h")
            found.append(h)
        return found

    plain = states(1.0)
    steps = tg.step_jacobians(plain).steps
    assert list(tg.gradient_flow(plain[-1]).norms("h")) == steps == [1, 2, 3]
    h_0 = tg.Value(1.0, name="h")
    given = [h_0, *states(h_0)]
    assert list(tg.gradient_flow(given[-1]).norms("h")) == tg.step_jacobians(given).steps
