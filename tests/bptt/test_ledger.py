"""The ledger as somebody looks at it, long ones, and flows that keep norms only."""

import csv
import gc
import io
import math
import time
import tracemalloc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn


def network(T=4, B=2, H=3, cell=nn.RNN, seed=0, **options):
    """A layer, a read-out at every step, and a loss at every step."""
    rng = np.random.default_rng(seed)
    layer = cell(2, H, seed=seed, return_sequences=True, **options)
    head = nn.Linear(H, 3, name="hy", seed=seed)
    states = layer(rng.normal(size=(T, B, 2)))
    loss = nn.cross_entropy(head(states), rng.integers(0, 3, (T, B)))
    return layer, head, states, loss


def powers(T=3, name="w"):
    w, h = tg.Value(0.2, name=name), tg.Value(0.9, name="x0")
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = (w * h).named("h")
    return w, h


# --- which backward call --------------------------------------------------------------------------


def test_backward_twice_and_a_forgotten_zero_grad():
    w, h = powers()
    h.backward()
    assert w.calls == 1
    flow = tg.gradient_flow(h)
    assert [row.call for row in flow.ledger(w)] == [1, 2, 2, 2]
    third = tg.gradient_flow(h).ledger(w)
    assert [row.call for row in third] == [2, 3, 3, 3]
    assert str(third).splitlines()[3].split()[:5] == ["1", "to", "2", "carried", "in"]
    assert third[0].contribution == pytest.approx(0.216)
    w.zero_grad()
    fresh = tg.gradient_flow(h).ledger(w)
    assert [row.call for row in fresh] == [1, 1, 1]
    assert "call" not in str(fresh)
    assert [row.call for row in third] == [2, 3, 3, 3]  # an old ledger does not change


def test_a_gradient_set_by_hand():
    w, h = powers()
    w.grad = 1.0
    ledger = tg.gradient_flow(h).ledger(w)
    assert [row.call for row in ledger] == [0, 1, 1, 1]
    assert "by hand" in str(ledger)
    assert ledger[-1].running == w.grad


# --- above, and the future ------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_hidden_state_gets_two_gradients(cell):
    """"What is dhnext? why add it to dh?" One from above and one from the future, and the sum."""
    _, _, states, loss = network(cell=cell)
    flow = tg.gradient_flow(loss)
    h = states.operands[1]
    ledger = flow.ledger(h)
    origins = ledger.origins(range(len(ledger)))
    assert set(origins) == {"y_2", "h_3"}
    future = sum(r.contribution for r, o in zip(ledger, origins) if o == "h_3")
    above = sum(r.contribution for r, o in zip(ledger, origins) if o == "y_2")
    np.testing.assert_allclose(above + future, flow.gradient(h), rtol=1e-13)
    text = str(ledger)
    for words in ("from", "y_2", "h_3"):
        assert words in text
    assert "sum = the gradient of h_2" in text
    last = flow.ledger(states.operands[-1])
    assert set(last.origins(range(len(last)))) == {"y_4"}


def test_the_c_of_an_lstm():
    _, _, _, loss = network(cell=nn.LSTM)
    flow = tg.gradient_flow(loss)
    assert list(flow.norms("c")) == [1, 2, 3, 4]
    c = next(n for n in flow.arrived if n.name == "c" and n.step == 2)
    assert flow.ledger(c).origins([0, 1]) == ["c_3", "h_2"]


def test_a_state_of_a_stack_says_the_layer():
    rng = np.random.default_rng(0)
    deep = nn.Stacked([nn.RNN(2, 3, seed=0, return_sequences=True), nn.RNN(3, 3, seed=1)])
    flow = tg.gradient_flow((deep(rng.normal(size=(3, 1, 2))) ** 2).sum())
    h = next(n for n in flow.arrived if n.name == "h" and n.step == 2 and "0" in n.scope)
    ledger = flow.ledger(h)
    assert set(ledger.origins([0, 1])) == {"h_3", "layer 1/h_2"}


# --- to the bit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", [(), (1,), (2,), (7,), (64,), (3, 5)])
@pytest.mark.parametrize(("O", "I"), [(1, 1), (3, 1), (1, 5), (4, 4), (17, 9), (64, 33),
                                      (128, 128), (300, 260)])
def test_a_product_has_the_same_bits_when_it_is_asked_again(dtype, batch, O, I):
    """What "bit for bit" rests on: the same call, on the same numbers. No product of many uses at
    once is trusted to round as that of one."""
    rng = np.random.default_rng(O * I)
    h, W = (rng.normal(size=n).astype(dtype) for n in ((*batch, I), (O, I)))
    h, W = (tg.Tensor(a, requires_grad=True) for a in (h, W))
    loss = sum((tg.tanh(tg.linear(h, W)) * k).sum() for k in (1.0, 0.3, -7.0))
    ledger, others = tg.gradient_flow(loss).ledger(W), []
    assert ledger[-1].running.tobytes() == W.grad.tobytes()
    for e in ledger.entries:
        first = e.array()
        others.append(np.empty(rng.integers(1, 999), np.uint8))  # the next lies elsewhere
        assert e.array().tobytes() == first.tobytes()
    assert ledger.off == 0.0
    assert len(ledger.notes()) == 1


def test_what_is_not_repeatable_is_said(monkeypatch):
    """A library that rounds otherwise the second time: the rows no longer end at the gradient."""
    layer, _, _, loss = network()
    flow = tg.gradient_flow(loss)
    W, good = layer.cell.W_hh, np.dot
    assert flow.ledger(W)[-1].running.tobytes() == W.grad.tobytes()
    ledger = flow.ledger(W)
    monkeypatch.setattr(np, "dot", lambda a, b: good(a, b) * (1 + 1e-15))
    text = str(ledger)
    assert "the rows end beside it, off by" in text
    assert 0.0 < ledger.off < 1e-13
    assert np.array_equal(ledger.total, W.grad)


# --- how it looks ---------------------------------------------------------------------------------


def test_a_long_ledger_is_printed_with_its_ends():
    w, h = powers(2000)
    ledger = tg.gradient_flow(h).ledger(w)
    text = str(ledger)
    assert text.count("\n") < 25
    assert "… 1,988 more rows …" in text
    assert ledger._repr_html_().count("<tr>") == 15
    assert ledger.to_csv().count("\n") == 2001


def test_notebooks_get_a_table_that_is_escaped():
    w, h = powers(name="<b>&w")
    bundle = tg.gradient_flow(h).ledger(w)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "<b>" not in bundle["text/html"]
    assert "&lt;b&gt;&amp;w" in bundle["text/html"]
    assert "0.036" in bundle["text/html"]


def test_csv_has_every_field():
    layer, _, _, loss = network()
    ledger = tg.gradient_flow(loss).ledger(layer.cell.W_hh)
    rows = list(csv.DictReader(io.StringIO(ledger.to_csv())))
    assert list(rows[0]) == ["call", "root", "step", "scope", "op", "norm", "share",
                             "running_norm"]
    for row, line in zip(ledger, rows):
        assert (float(line["norm"]), float(line["share"])) == (row.norm, row.share)
        assert (line["step"], line["call"]) == (str(row.step), "1")
    assert float(rows[-1]["running_norm"]) == np.linalg.norm(layer.cell.W_hh.grad)


def test_a_long_ledger_does_not_hold_every_running_sum(monkeypatch):
    layer, _, _, loss = network(T=40, H=60)
    flow = tg.gradient_flow(loss)
    ledger, W = flow.ledger(layer.cell.W_hh), layer.cell.W_hh
    every = flow.ledger(W).rows
    monkeypatch.setattr("tinygrad_rnn.bptt.ledger.FEW", 10)
    ledger.total  # noqa: B018
    tracemalloc.start()
    str(ledger), [row.norm for row in ledger], ledger.to_csv()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * W.data.nbytes  # rows hold 80
    assert "rows" not in ledger.__dict__
    for i in (0, 7, -1):
        assert np.array_equal(ledger[i].running, every[i].running)
    for part in (slice(2, 9, 3), slice(None, None, -7), slice(5, 5)):
        assert [r.step for r in ledger[part]] == [r.step for r in every[part]]
    with pytest.raises(IndexError):
        ledger[40]


# --- what it cannot say --------------------------------------------------------------------------


def test_a_ledger_of_what_has_none_says_why():
    layer, _, _, loss = network()
    flow = tg.gradient_flow(loss)
    with pytest.raises(tg.GradientError, match=r"the flow starts at 'L'.*its gradient is the seed"):
        flow.ledger(loss.named("L"))
    with pytest.raises(ValueError, match=r"got RNN. Of a layer, give one of its parameters"):
        flow.ledger(layer)
    with pytest.raises(ValueError, match=r"expected a list of losses.*got 5"):
        flow.attribution(layer.cell.W_hh, 5)
    assert flow.attribution(layer.cell.W_hh, (x for x in loss.operands)).error <= 1e-12


def test_a_released_graph_has_no_ledger_any_more():
    layer, _, _, loss = network()
    flow = tg.gradient_flow(loss)
    ledger, read = flow.ledger(layer.cell.W_hh), flow.ledger(layer.cell.b_h)
    rows = read.rows
    tg.release(loss)
    with pytest.raises(tg.GradientError, match=r"the graph of .* was released"):
        flow.ledger(layer.cell.W_hh)
    with pytest.raises(tg.GradientError, match="the graph was released, and what a use gave"):
        print(ledger)
    assert read[-1] is rows[-1]  # what was read stays
    assert np.array_equal(rows[-1].running, layer.cell.b_h.grad)


# --- tiny and huge --------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-200, 1e-310, 1e200, 1e300])
def test_a_norm_whose_square_is_no_float(scale):
    """A gradient that vanishes is not yet zero, and one that explodes not yet infinite."""
    W = tg.Tensor(np.array([[1.0, 0.5], [-1.0, 0.25]]), requires_grad=True, name="W")
    h = tg.linear(tg.Tensor(np.array([[3.0, 4.0]])), W)
    loss = (h * (0.1 * scale)).sum()
    expected = 0.1 * scale * np.sqrt(2.0) * 5.0
    for keep in ("arrays", "norms"):
        flow = tg.gradient_flow(loss, keep=keep)
        ledger = flow.ledger(W)
        assert ledger.entries[0].norm() == pytest.approx(expected, rel=1e-12)
        assert ledger[0].norm == pytest.approx(expected, rel=1e-12)
        assert flow.norm(W) == pytest.approx(expected, rel=1e-12)
        assert flow.norm(h) == pytest.approx(0.1 * scale * np.sqrt(2.0), rel=1e-12)
        W.zero_grad()
    assert tg.gradient_flow(loss).ledger(W)[0].share == pytest.approx(1.0)


def test_the_norm_of_narrow_floats():
    """1e30 fits a float32, and its square does not."""
    W = tg.Tensor(np.ones((2, 2), np.float32), requires_grad=True, name="W")
    loss = (W * np.float32(1e30)).sum()
    for keep in ("arrays", "norms"):
        assert tg.gradient_flow(loss, keep=keep).ledger(W)[0].norm == pytest.approx(2e30, rel=1e-6)


# --- norms only -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_norms_only_gives_the_same_gradients_and_norms(cell):
    layer, head, states, loss = network(cell=cell, T=6)
    whole = tg.gradient_flow(loss)
    leaves = [*layer.parameters(), *head.parameters()]
    grads = [p.grad for p in leaves]
    for p in leaves:
        p.zero_grad()
    flow = tg.gradient_flow(loss, keep="norms")
    for p, g in zip(leaves, grads):
        assert np.array_equal(p.grad, g)
        assert np.array_equal(flow.ledger(p).total, g)
        assert np.array_equal(flow.gradient(p), g)
        assert [r.norm for r in flow.ledger(p)] == pytest.approx(
            [r.norm for r in whole.ledger(p)], rel=1e-12)
        assert [r.step for r in flow.ledger(p)] == [r.step for r in whole.ledger(p)]
    assert flow.norms("h") == pytest.approx(whole.norms("h"), rel=1e-13)
    h = states.operands[1]
    assert flow.ledger(h).origins([0, 1]) == whole.ledger(h).origins([0, 1])
    assert "share" not in str(flow.ledger(h))
    row = flow.ledger(layer.cell.W_hh)[0]
    assert row.contribution is row.running is None
    assert math.isnan(row.share)
    assert flow.ledger(layer.cell.W_hh).to_csv()


def test_norms_only_says_why_an_array_is_not_there():
    layer, _, states, loss = network()
    flow = tg.gradient_flow(loss, keep="norms")
    with pytest.raises(tg.GradientError, match=r"only the norm was kept.*keep=\"arrays\""):
        flow.incoming[layer.cell.W_hh][0].array()
    with pytest.raises(tg.GradientError, match="only the norm"):
        flow.ledger(layer.cell.W_hh).to_numpy()
    with pytest.raises(tg.GradientError, match="only the norm"):
        flow.gradient(states.operands[0])
    with pytest.raises(ValueError, match="'arrays' or 'norms', got 'some'"):
        tg.gradient_flow(loss, keep="some")


def test_norms_only_keeps_the_numbers_of_scalars():
    w, h = powers()
    ledger = tg.gradient_flow(h, keep="norms").ledger(w)
    assert [r.contribution for r in ledger] == pytest.approx([0.036] * 3)
    assert ledger[-1].running == ledger.total == w.grad
    assert sum(r.share for r in ledger) == pytest.approx(1.0)


def recorded(T, H, keep):
    """Bytes that a flow holds, beside the totals of the leaves."""
    layer, head, _, loss = network(T=T, H=H)
    leaves = [*layer.parameters(), *head.parameters()]
    gc.collect()
    tracemalloc.start()
    flow = tg.gradient_flow(loss, keep=keep)
    for p in leaves:
        p.zero_grad()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size - sum(g.nbytes for g in flow.totals.values())


def each_step(H, keep, short=8, long=40):
    """Bytes for each step, so that what is there once does not count."""
    return (recorded(long, H, keep) - recorded(short, H, keep)) / (long - short)


def test_memory_of_norms_only_is_independent_of_the_size():
    """What a flow of norms records of a step is the same at H = 4 and H = 512, and a number for
    each use; one array of H numbers more would be seen (and is, where the arrays are kept)."""
    recorded(3, 4, "norms")  # the first time, other things are cached as well
    small, large = each_step(4, "norms"), each_step(512, "norms")
    assert abs(large - small) < 64
    assert large < 1500
    assert each_step(512, "arrays") > large + 512 * 8


def test_no_more_than_a_few_arrays_wait_for_their_norms():
    """A product with the matrix itself builds its H x H contribution at every step."""
    W = tg.Tensor(np.eye(256), requires_grad=True, name="W")
    h = tg.Tensor(np.ones((2, 256)))
    for t in range(1, 151):
        with tg.timestep(t):
            h = tg.tanh(h @ W).named("h")
    loss = (h * h).sum()
    tracemalloc.start()
    tg.gradient_flow(loss, keep="norms")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * W.data.nbytes


def test_a_flow_costs_little_more_than_a_backward():
    """The bar is 2x for norms (tests/benchmarks); here a loose guard against a slip. Beside a
    backward that goes through every node, as a flow does: a plain one gets past most of them."""
    *_, loss = network(T=50, B=8, H=32)
    loss.operands[0].retain_grad()

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    for _ in range(4):
        plain = min(seconds(loss.backward) for _ in range(5))
        flow = min(seconds(lambda: tg.gradient_flow(loss, keep="norms")) for _ in range(5))
        if flow < 2.5 * plain:
            return
    pytest.fail(f"a flow of norms takes {flow / plain:.1f} times as long as a backward")


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU])
@pytest.mark.parametrize("fused", [False, True])
def test_a_flow_of_norms_is_drawn_as_one_of_arrays(cell, fused):
    layer, _, _, loss = network(T=9, cell=cell, fused=fused)
    grads = [tg.gradient_flow(loss, keep=keep) for keep in ("arrays", "norms")]
    W, before = layer.cell.W_hh, layer.cell.W_hh.grad.copy()
    drawn = [draw.gradient_flow(flow).svg() for flow in grads]
    assert drawn[0] == drawn[1]
    heats = [draw.heatmap([flow.ledger(W)]).svg() for flow in grads]
    assert len(heats[0]) == pytest.approx(len(heats[1]), rel=0.01)  # digits differ at most
    assert draw.player(grads[1]).html() == draw.player(grads[0]).html()
    assert np.array_equal(W.grad, before)


def test_a_leaf_without_a_name():
    w = tg.Value(0.5)
    lines = str(tg.gradient_flow(w * w).ledger(w)).splitlines()
    assert lines[0].startswith("∂L/∂(an unnamed leaf): one row per use")
    assert lines[-1] == "sum = the gradient of an unnamed leaf: 1"
