"""What if: every mistake of the table, on graphs of all kinds; wrong where it should be, nowhere
else, marked wherever it appears, and seen by the gradient check."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn, train
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.testing import check_gradients

# where a mistake changes a number at all: the patterns it is seen in, at T = 3
SEEN = {
    "= for +=": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "no topological order": {"many-to-many", "lstm", "gru"},
    "no dh_next": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "no dc_next": {"lstm"},
    "truncated by accident": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "no tanh'": {"many-to-one", "many-to-many", "lstm", "gru"},
    "no sigmoid'": {"lstm", "gru"},
    "h_t for h_{t-1}": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "transposed weight": {"many-to-one", "many-to-many"},
    "wrong sign": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "averaged over T": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "averaged over B": {"many-to-one", "many-to-many", "lstm", "gru"},
    "bias not summed over the batch": {"many-to-one", "many-to-many", "lstm", "gru"},
    "bias of another gate": {"lstm", "gru"},
    "one gate's slice shifted": {"lstm", "gru"},
    "forgotten zero_grad": {"scalar", "many-to-one", "many-to-many", "lstm", "gru"},
    "missing detach": set(),
}
KINDS = ("scalar", "many-to-one", "many-to-many", "lstm", "gru")
AT_ONE_STEP = {"no topological order", "no tanh'", "no sigmoid'", "wrong sign",
               "averaged over B", "bias of another gate", "bias not summed over the batch",
               "one gate's slice shifted", "forgotten zero_grad"}


def test_the_table_is_the_one_tested():
    assert list(SEEN) == list(tg.MISTAKES)


@pytest.mark.parametrize("mistake", SEEN)
def test_a_mistake_is_seen_where_it_changes_a_number(mistake):
    assert {k for k in KINDS if tg.what_if(model(k, 3).loss, mistake).seen} == SEEN[mistake]


@pytest.mark.parametrize("mistake", SEEN)
@pytest.mark.parametrize("kind", ["scalar", "lstm"])
def test_the_check_sees_a_mistake_exactly_where_it_changes_a_number(kind, mistake):
    made = model(kind, 2)
    flow = tg.what_if(made.loss, mistake)
    wrong = [x for x, effect in flow.effects.items() if effect > 1e-9]  # one of them is enough
    params = [min(wrong, key=lambda x: np.size(x.value))] if wrong else made.weights
    with tg.what_if(mistake):
        report = check_gradients(made.loss_fn, params)
    assert bool(report) != flow.seen, report


@pytest.mark.parametrize("mistake", SEEN)
def test_at_a_single_step_most_mistakes_hide_and_say_so(mistake):
    made = model("gru", 1)
    flow = tg.what_if(made.loss, mistake)
    assert flow.seen == (mistake in AT_ONE_STEP)
    if not flow.seen:
        assert "Nobody can see it here" in str(flow)
        assert tg.MISTAKES[mistake].needs in " ".join(str(flow).split())


def test_the_steps_of_a_sequence_are_no_gates():
    """Losses that are taken step by step, and what an embedding gives to a layer."""
    xs, layer = np.ones((3, 1, 2)), nn.RNN(2, 3, seed=0, return_sequences=True)
    one_by_one = sum((y ** 2).sum() for y in layer(xs))
    embedded = layer(nn.Embedding(4, 2, seed=0)(np.array([[0], [1], [2]]))).sum()
    for loss in (one_by_one, embedded):
        for mistake in ("one gate's slice shifted", "bias of another gate"):
            assert not tg.what_if(loss, mistake).seen
    gated = nn.GRU(2, 3, seed=0, return_sequences=True)
    loss = sum((y ** 2).sum() for y in gated(xs * [[[1.0]], [[2.0]], [[3.0]]]))
    found = tg.what_if(loss, "one gate's slice shifted")
    assert found.effects[gated.cell.W_xh] > 0.01


@pytest.mark.parametrize("mistake", SEEN)
@pytest.mark.parametrize("kind", ["gru", "encoder-decoder"])
def test_the_right_half_is_right_and_grad_is_not_touched(kind, mistake):
    made = model(kind, 3)
    flow = tg.what_if(made.loss, mistake)
    assert all(w.grad is None for w in made.weights.values())
    made.loss.backward()
    for w in made.weights.values():
        np.testing.assert_allclose(flow.right.gradient(w), w.grad, rtol=1e-12, atol=1e-15)
        rows = flow.ledger(w)
        np.testing.assert_allclose(rows.right.total, w.grad, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(rows.total, flow.gradient(w))


# --- each mistake against what one would write by hand ------------------------------------------


def hand(T=4, H=3, seed=0):
    """h_t = tanh(W h_{t-1} + x_t), L = Σ_t a_t . h_t; its backward with switches, in NumPy."""
    rng = np.random.default_rng(seed)
    W, a, x = rng.normal(size=(H, H)), rng.normal(size=(T, H)), rng.normal(size=(T, H))
    h0 = rng.normal(size=H)
    leaf = tg.Tensor(W, name="W", requires_grad=True)
    h, loss = tg.Tensor(h0[None], name="h0"), 0.0
    for t in range(T):
        with tg.timestep(t + 1):
            h = tg.tanh(tg.linear(h, leaf) + x[t]).named("h")
            loss = loss + (h * a[t]).sum()

    def backward(future=True, slope=True, back=W, late=False, last=False, cut=None):
        hs = [h0]
        for t in range(T):
            hs.append(np.tanh(W @ hs[-1] + x[t]))
        dW, dh = np.zeros((H, H)), np.zeros(H)
        for t in reversed(range(T)):
            dz = (a[t] + dh) * ((1 - hs[t + 1] ** 2) if slope else 1.0)
            term = np.outer(dz, hs[t + 1] if late else hs[t])
            dW = term if last else dW + term
            dh = back.T @ dz if future and t != cut else 0.0
        return dW

    return leaf, loss, backward


BY_HAND = {
    "= for +=": {"last": True}, "no dh_next": {"future": False}, "no tanh'": {"slope": False},
    "h_t for h_{t-1}": {"late": True}, "truncated by accident": {"cut": 2},
}


@pytest.mark.parametrize("mistake", BY_HAND)
def test_a_mistake_is_what_the_same_mistake_in_numpy_gives(mistake):
    W, loss, backward = hand()
    flow = tg.what_if(loss, mistake)
    np.testing.assert_allclose(flow.right.gradient(W), backward(), rtol=1e-12)
    np.testing.assert_allclose(flow.gradient(W), backward(**BY_HAND[mistake]), rtol=1e-12)


def test_a_transposed_weight():
    W, loss, backward = hand()
    flow = tg.what_if(loss, "transposed weight")
    np.testing.assert_allclose(flow.gradient(W), backward(back=W.numpy().T), rtol=1e-12)


def test_no_topological_order_is_the_program_of_the_docstring():
    a = tg.Value(3.0, name="a")
    b = a + a
    c = b + b
    d = c + b
    flow = tg.what_if(d, "no topological order")
    assert (flow.right.gradient(a), flow.gradient(a)) == (6.0, 2.0)


def test_a_missing_detach():
    w, h, loss = tg.Value(0.5, name="w"), tg.Value(1.0, name="h0"), 0.0
    for t in range(1, 5):
        with tg.timestep(t):
            h = tg.tanh(w * h).named("h")
            loss = loss + h
        if t == 2:
            h = h.detach()
    flow = tg.what_if(loss, "missing detach")
    assert flow.seen
    w2, h, whole = tg.Value(0.5), tg.Value(1.0), 0.0
    for _ in range(4):
        h = tg.tanh(w2 * h)
        whole = whole + h
    whole.backward()
    assert flow.gradient(w) == pytest.approx(w2.grad, rel=1e-14)
    loss.backward()
    assert w.grad == pytest.approx(flow.right.gradient(w), rel=1e-14)


def test_a_forgotten_zero_grad_is_the_call_twice():
    W, loss, _ = hand()
    flow = tg.what_if(loss, "forgotten zero_grad")
    rows = flow.ledger(W)
    assert len(rows) == 2 * len(rows.right)
    loss.backward()
    loss.backward()
    np.testing.assert_allclose(flow.gradient(W), W.grad, rtol=1e-12)


def test_the_published_example():
    """x_3 = w³ x_0 with w = 0.2 and x_0 = 0.9: 0.108 in full, 0.036 with `=`."""
    made = model("scalar", 3)
    flow = tg.what_if(made.loss, "= for +=")
    assert flow.right.gradient(made.weights["w"]) == pytest.approx(0.108)
    assert flow.gradient(made.weights["w"]) == pytest.approx(0.036)
    assert flow.ledger(made.weights["w"]).wrong_rows == [True, True, False]


# --- which row went wrong, and that it says so --------------------------------------------------


def test_the_ledger_shows_which_row_went_wrong():
    W, loss, _ = hand(T=4)
    rows = tg.what_if(loss, "truncated by accident").ledger(W)
    assert [e.step for e, _, _ in rows.pairs()] == [4, 3, 2, 1]
    assert rows.wrong_rows == [False, False, True, True]


def test_wrong_stands_wherever_it_appears():
    W, loss, _ = hand()
    flow = tg.what_if(loss, "no dh_next")
    rows = flow.ledger(W)
    picture = draw.gradient_flow(flow)
    for text in (str(flow), repr(flow), str(rows), rows.to_markdown(), picture.svg(),
                 picture.dot()):
        assert "WRONG on purpose" in text.replace("\xa0", " ")
        assert "no dh_next" in text.replace("\xa0", " ")
    assert "WRONG" not in str(flow.right.ledger(W)) + draw.gradient_flow(flow.right).svg()


def test_a_flow_made_in_the_block_says_so_too():
    W, loss, backward = hand()
    with tg.what_if("no dh_next") as block:
        flow = tg.gradient_flow(loss)
        slope = tg.grad(loss, W)
    assert block.seen
    assert "WRONG on purpose (no dh_next)" in repr(flow)
    assert "WRONG on purpose (no dh_next)" in str(flow.ledger(W))
    np.testing.assert_allclose(W.grad, backward(future=False), rtol=1e-12)
    np.testing.assert_array_equal(flow.ledger(W).total, W.grad)
    np.testing.assert_allclose(slope.numpy(), backward(), rtol=1e-12)  # tg.grad stays right


def test_commit_adds_the_wrong_gradients():
    W, loss, backward = hand()
    tg.what_if(loss, "no dh_next", commit=True)
    np.testing.assert_allclose(W.grad, backward(future=False), rtol=1e-12)


def test_names_that_mean_the_same_and_one_that_is_none():
    _, loss, _ = hand()
    assert tg.what_if(loss, "dH zeroed each step").wrong == "no dh_next"
    with pytest.raises(tg.InputError, match="there is no mistake 'typo'; there are: = for"):
        tg.what_if(loss, "typo")
    with pytest.raises(tg.InputError, match="there is no mistake 'typo'"), tg.what_if("typo"):
        pass
    with pytest.raises(tg.InputError, match="expected a loss"):
        tg.what_if(3.0, "no dh_next")


def test_the_mistake_does_not_leak_from_its_block():
    W, loss, backward = hand()
    with pytest.raises(RuntimeError), tg.what_if("wrong sign"):
        raise RuntimeError
    loss.backward()
    np.testing.assert_allclose(W.grad, backward(), rtol=1e-12)


def test_masks_and_bidirectional_layers_have_carried_states_too():
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    layer = nn.Bidirectional(nn.RNN(3, 4, return_sequences=True, seed=0))
    loss = (layer(xs, lengths=[4, 2]) ** 2).sum()
    flow = tg.what_if(loss, "no dh_next")
    wrong = {x.label for x, effect in flow.effects.items() if effect > 1e-9}
    assert wrong == {"W_xh", "W_hh", "b_h"}


# --- where a use, a state and an operation are not what they seem --------------------------------


def by_transpose(hoisted, T=4, H=3, seed=0):
    """The loop of `hand`, with h @ W.T in the place of linear(h, W)."""
    rng = np.random.default_rng(seed)
    W, a, x = rng.normal(size=(H, H)), rng.normal(size=(T, H)), rng.normal(size=(T, H))
    leaf = tg.Tensor(W, name="W", requires_grad=True)
    h, loss, turned = tg.Tensor(rng.normal(size=(1, H)), name="h0"), 0.0, leaf.T
    for t in range(T):
        with tg.timestep(t + 1):
            h = tg.tanh(h @ (turned if hoisted else leaf.T) + x[t]).named("h")
            loss = loss + (h * a[t]).sum()
    return leaf, loss


@pytest.mark.parametrize("mistake", [*BY_HAND, "averaged over T", "no topological order",
                                     "forgotten zero_grad"])
@pytest.mark.parametrize("hoisted", [False, True], ids=["W.T", "turned"])
def test_a_transpose_is_no_use(hoisted, mistake):
    """The rows, and the mistake, are those of linear(h, W), wherever W.T is written."""
    W, loss, _ = hand()
    flow = tg.what_if(loss, mistake)
    V, other = by_transpose(hoisted)
    turned = tg.what_if(other, mistake)
    np.testing.assert_allclose(turned.gradient(V), flow.gradient(W), rtol=1e-12)
    rows, expected = turned.ledger(V), flow.ledger(W)
    assert [e.step for e, _, _ in rows.pairs()] == [e.step for e, _, _ in expected.pairs()]
    assert {e.op for e, _, _ in rows.pairs()} == {"@"}
    assert rows.wrong_rows == expected.wrong_rows
    np.testing.assert_allclose(rows.total, turned.gradient(V), rtol=1e-12)
    with tg.what_if(mistake):
        made = tg.gradient_flow(other)
    np.testing.assert_allclose(V.grad, flow.gradient(W), rtol=1e-12)
    assert {row.op for row in made.ledger(V)} == {"@"}


def sums(end, name="h", T=3):
    """h_t = h_{t-1} + w x_t, the state of nothing but a sum."""
    w, h = tg.Value(0.5, name="w"), tg.Value(1.0, name="h0")
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = h + w * float(t)
            h = h.named(name) if name else h
    return w, end(h)


@pytest.mark.parametrize(("name", "end"), [("h", lambda h: h), ("h", lambda h: h * h),
                                           (None, lambda h: h * h)])
def test_a_state_that_is_only_added_to_is_a_state(name, end):
    w, loss = sums(end, name)
    rows = tg.what_if(loss, "no dh_next").ledger(w)
    assert rows.wrong_rows == [False, True, True]


def test_a_state_to_which_numbers_are_added_is_a_state():
    h = tg.Value(1.0, name="h0")
    for t in range(1, 4):
        with tg.timestep(t):
            h = h + 0.5
    first = next(n for n in tg.nodes(h) if n.name == "h0")
    assert tg.what_if(h, "no dh_next").gradient(first) == 0.0


@pytest.mark.parametrize("end", [lambda L: L, lambda L: L / 3.0, lambda L: -(0.5 * L) + 1.0])
@pytest.mark.parametrize("name", [None, "L", "loss"])
def test_the_loss_so_far_is_no_state(name, end):
    W = tg.Tensor(np.ones((2, 2)), name="W", requires_grad=True)
    loss = tg.Tensor(0.0)
    for t in range(1, 4):
        with tg.timestep(t):
            loss = loss + (tg.linear(np.ones((1, 2)) * t, W) ** 2).sum()
            loss = loss.named(name) if name else loss
    assert not tg.what_if(end(loss), "no dh_next").seen


@pytest.mark.parametrize("mistake", SEEN)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_a_mistake_acts_inside_of_a_fused_layer(kind, mistake):
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    plain = kind(3, 3, return_sequences=True, seed=0)
    fused = kind(3, 3, return_sequences=True, seed=0, fused=True)
    flows = [tg.what_if((layer(xs) ** 2).sum(), mistake) for layer in (plain, fused)]
    assert flows[0].seen == flows[1].seen
    with tg.what_if(mistake):
        (fused(xs) ** 2).sum().backward()
    for (name, p), q in zip(plain.named_parameters(), fused.parameters()):
        expected = flows[0].gradient(p)
        np.testing.assert_allclose(flows[1].gradient(q), expected, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(q.grad, expected, rtol=1e-11, atol=1e-13, err_msg=name)


def test_a_missing_detach_cannot_be_seen_in_a_released_window():
    layer = nn.RNN(2, 3, return_sequences=True, seed=0)
    xs = np.random.default_rng(0).normal(size=(6, 1, 2))
    for window in tg.truncated_bptt(layer, xs, 3):
        flow = tg.what_if((window.outputs ** 2).sum(), "missing detach")
        window.backward((window.outputs ** 2).sum())
    assert not flow.seen
    assert "one that was released, or has no part in this loss, left no history" in \
        " ".join(str(flow).split())


# --- what is asked wrongly ------------------------------------------------------------------------


def test_a_row_of_the_table_is_as_good_as_its_name():
    made = model("many-to-many", 3)
    row = tg.MISTAKES["no dh_next"]
    assert str(tg.what_if(made.loss, row)) == str(tg.what_if(made.loss, "no dh_next"))
    with tg.what_if(row):
        assert "no dh_next" in repr(tg.gradient_flow(made.loss))


def test_the_table_is_read_and_near_names_are_offered():
    assert str(tg.MISTAKES).splitlines()[0] == (
        "= for +=                        dW = ... in the loop: the use that comes last overwrites "
        "all others")
    assert tg.MISTAKES._repr_html_().count("<tr>") == len(tg.MISTAKES) + 1
    for given, meant in (("no zero_grad", "missing zero_grad"), ("no dhnext", "no dh_next"),
                         ("no tanh", "no tanh'")):
        with pytest.raises(tg.InputError, match=f"Did you mean [\"']{meant}[\"']\\?"):
            tg.what_if(model("scalar", 2).loss, given)


def test_a_loop_without_time_steps_is_told_to_have_some():
    w, h = tg.Value(0.5, name="w"), tg.Value(1.0)
    for _ in range(3):
        h = tg.tanh(w * h)
    assert "This graph has no time steps: run the loop under tg.timestep(t)" in \
        str(tg.what_if(h, "no dh_next"))
    assert "no time steps" not in str(tg.what_if(h, "no sigmoid'"))
    assert "no time steps" not in str(tg.what_if(model("scalar", 1).loss, "no dh_next"))


def test_nan_hides_no_mistake_and_shows_none():
    layer = nn.RNN(2, 3, return_sequences=True, seed=0)
    xs = np.ones((3, 1, 2))
    xs[1] = np.nan
    flow = tg.what_if(nn.squared_error(layer(xs), np.zeros((3, 1, 3))), "no dh_next")
    shown = " ".join(f"{flow} {flow.ledger(layer.cell.W_hh)}".split())
    assert "Nothing can be compared: also the right gradient of 'b_h'" in shown
    assert "Nobody can see it" not in str(flow)
    assert "Nothing can be compared: the right one has NaN or Inf" in shown


def test_there_is_no_wrong_attribution():
    """Its walk is right, and must not stand under the name of a mistake."""
    made = model("many-to-many", 3)
    W = made.weight()
    flow = tg.what_if(made.loss, "no dh_next")
    with tg.what_if("no dh_next"):
        inside = tg.gradient_flow(made.loss)
    for wrong in (flow, inside):
        with pytest.raises(tg.InputError, match=r"wrong on purpose \(no dh_next\)"):
            wrong.attribution(W, [made.loss])
    assert flow.right.attribution(W, [made.loss]).to_numpy().shape[:2] == (1, 3)
    with pytest.raises(tg.InputError, match=r"a Value or a Tensor, got NoneType\. Of a layer"):
        flow.ledger(None)
    with pytest.raises(tg.GradientError, match="its gradient is the seed"):
        flow.ledger(flow.root)


def test_it_is_marked_wherever_it_appears():
    made = model("many-to-many", 3)
    W = made.weight()
    flow = tg.what_if(made.loss, "no dh_next")
    with tg.what_if("no dh_next"):
        inside = tg.gradient_flow(made.loss)
        seen = train.Watch([W])
        seen.update(made.loss)
    watch = train.Watch([W])
    watch.update(inside)
    for text in (str(flow), str(flow.ledger(W)), flow.ledger(W).to_markdown(), repr(inside),
                 str(inside.ledger(W)), inside.ledger(W).to_markdown(), flow.explain(W).text,
                 flow.explain(W).markdown, str(tg.diff(flow.right, flow)), str(seen), str(watch),
                 draw.heatmap({"W": flow.ledger(W)}, title="mine").svg(),
                 draw.heatmap(inside.ledger(W)).svg(), draw.gradient_flow(inside).svg()):
        assert "WRONG on purpose" in text.replace("\u00a0", " "), text
        assert "no dh_next" in text.replace("\\_", "_")
    assert "‖right‖,‖wrong‖" in flow.ledger(W).to_csv()
    assert all(line.endswith((",wrong on purpose", ",no dh_next"))
               for line in inside.ledger(W).to_csv().splitlines())
    assert "WRONG" not in str(tg.diff(flow.right, flow.right))
