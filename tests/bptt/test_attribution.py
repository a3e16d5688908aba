"""The table of dL_t/dW through its use at step k: cells against single backward passes, and its
rows and columns against what they have to add up to."""

import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt import attribution as module
from tinygrad_rnn.bptt import stacks
from tinygrad_rnn.core import ops

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "whh_contrib.npz"


def losses_of(layer, head, xs, **options):
    ys = head(layer(xs, **options))
    T, B = len(ys), ys.shape[1]
    total = nn.cross_entropy(ys, np.random.default_rng(5).integers(0, ys.shape[-1], (T, B)))
    return total, list(tg.open_fused(total).operands)


def by_single_flows(W, losses):
    """The same table from one flow for every loss."""
    table = {}
    for i, loss in enumerate(losses):
        try:
            rows = tg.gradient_flow(loss).ledger(W)
        except tg.GradientError:
            continue
        for e in rows.entries:
            table[i, e.step] = table.get((i, e.step), 0.0) + e.array()
    return table


def check_table(W, losses, total=None, exact=1e-12):
    found = tg.gradient_flow(losses[-1]).attribution(W, losses)
    expected = by_single_flows(W, losses)
    size = max(np.linalg.norm(x) for x in expected.values())
    for i, t in enumerate(found.loss_steps):
        for k in found.steps:
            cell = expected.get((i, k), np.zeros_like(W.value))
            np.testing.assert_allclose(found.array(t, k), cell, rtol=1e-10, atol=1e-13 * size)
            assert found.norms[i, found.steps.index(k)] == pytest.approx(
                np.linalg.norm(cell), rel=1e-10, abs=1e-13 * size)
        row = tg.grad(losses[i], W).numpy() if losses[i].requires_grad else 0.0
        off = np.linalg.norm(found.gradient(t) - row)
        assert off <= exact * found.norms[i].sum()
    if total is not None:
        flow = tg.gradient_flow(total)
        columns = {}
        for e in flow.ledger(W).entries:
            columns[e.step] = columns.get(e.step, 0.0) + e.array()
        assert set(columns) == set(found.steps)
        for k, column in columns.items():
            off = np.linalg.norm(sum(found.array(t, k) for t in found.loss_steps) - column)
            assert off <= exact * found.norms[:, found.steps.index(k)].sum()
    assert found.error <= exact
    return found


XS = np.random.default_rng(0).normal(size=(6, 2, 3))


@pytest.mark.parametrize("make", [
    lambda **o: nn.RNN(3, 4, seed=0, **o), lambda **o: nn.LSTM(3, 4, seed=0, **o),
    lambda **o: nn.GRU(3, 4, seed=0, **o),
    lambda **o: nn.RNN(3, 4, seed=0, fused=True, **o),
    lambda **o: nn.LSTM(3, 4, seed=0, fused=True, **o)])
def test_every_parameter_of_every_cell(make):
    layer, head = make(return_sequences=True), nn.Linear(4, 3, name="hy", seed=1)
    total, losses = losses_of(layer, head, XS)
    for W in (*layer.parameters(), *head.parameters()):
        found = check_table(W, losses, total)
        assert found.loss_steps == list(range(1, 7))
        if W in set(layer.parameters()):
            assert np.all(np.triu(found.norms, 1) == 0.0)  # no loss sees the future
            assert found.steps == list(range(1, 7))
        else:
            assert np.count_nonzero(found.norms) == 6  # each loss sees its own read-out


def test_the_losses_of_a_fused_layer_in_one_node_are_told_apart():
    layer, head = nn.RNN(3, 4, seed=0, return_sequences=True, fused=True), nn.Linear(4, 3, seed=1)
    total, losses = losses_of(layer, head, XS)
    flow = tg.gradient_flow(total)
    found, expected = (flow.attribution(layer.cell.W_hh, given)
                       for given in (total.operands, losses))
    assert (found.loss_steps, found.steps) == (expected.loss_steps, expected.steps)
    np.testing.assert_allclose(found.norms, expected.norms, rtol=1e-12, atol=1e-15)


def test_stacked_bidirectional_and_masked():
    deep = nn.Stacked([nn.RNN(3, 4, seed=0, return_sequences=True),
                       nn.LSTM(4, 3, seed=1, return_sequences=True)])
    total, losses = losses_of(deep, nn.Linear(3, 3, name="hy", seed=1), XS)
    for layer in deep.layers:
        check_table(layer.cell.W_hh, losses, total)
    both = nn.Bidirectional(nn.RNN(3, 2, seed=0, return_sequences=True))
    total, losses = losses_of(both, nn.Linear(4, 3, name="hy", seed=1), XS)
    check_table(both.forward_layer.cell.W_hh, losses, total)
    found = check_table(both.backward_layer.cell.W_hh, losses, total)
    assert np.all(np.tril(found.norms, -1) == 0.0)
    masked = nn.GRU(3, 4, seed=0, return_sequences=True)
    total, losses = losses_of(masked, nn.Linear(4, 3, name="hy", seed=1), XS, lengths=[6, 3])
    check_table(masked.cell.W_hh, losses, total)


def test_inputs_initial_states_and_aliases():
    rng = np.random.default_rng(0)
    x = tg.Tensor(XS, requires_grad=True, name="x")
    h0 = tg.Tensor(rng.normal(size=(2, 4)), requires_grad=True, name="h0")
    layer = nn.RNN(3, 4, seed=0, return_sequences=True)
    losses = [(h * h).sum() for h in layer(x, h0).operands]
    found = check_table(x, losses)
    assert found.steps == list(range(1, 7))
    assert check_table(h0, losses).steps == [1]
    W = tg.Tensor(rng.normal(size=(3, 3)) * 0.5, requires_grad=True, name="W")
    turned, h, losses = W.T, tg.Tensor(np.ones((2, 3))), []
    for t in range(1, 5):
        with tg.timestep(t):
            h = tg.tanh(h @ turned + W[0]) + tg.linear(h, W)
            losses.append((h * h).sum())
    check_table(W, losses, sum(losses[1:], losses[0]))


def test_a_loop_of_scalars():
    w, h, losses = tg.Value(0.2, name="w"), tg.Value(0.9), []
    for t in range(1, 5):
        with tg.timestep(t):
            h = tg.tanh(w * h) if t > 1 else w * h
            losses.append((h - 1.0) ** 2)
    found = check_table(w, losses, sum(losses[1:], losses[0]))
    assert isinstance(found.array(2, 1), float)
    assert found.norms[3, 0] == abs(found.array(4, 1))


def test_uses_without_steps_are_numbered():
    w, h, losses = tg.Value(0.5, name="w"), tg.Value(0.9), []
    for _ in range(3):
        h = w * h
        losses.append(h * 1.0)
    found = tg.gradient_flow(h).attribution(w, losses)
    assert (found.steps, found.loss_steps) == ([1, 2, 3], [1, 2, 3])
    for t in (1, 2, 3):
        for k in range(1, t + 1):
            assert found.array(t, k) == pytest.approx(0.9 * 0.5 ** (t - 1))
    assert found.error < 1e-15


def golden():
    if not GOLDEN.exists():
        return [pytest.param(None, id="none", marks=pytest.mark.skip(f"no {GOLDEN.name}"))]
    z = np.load(GOLDEN)
    cases = json.loads(str(z["__meta__"]))["cases"]
    return [pytest.param((facts, {k.split("/", 1)[1]: z[k] for k in z.files
                                  if k.startswith(case + "/")}), id=case)
            for case, facts in cases.items()]


@pytest.mark.parametrize("case", golden())
@pytest.mark.parametrize("fused", [False, True])
def test_against_numbers_from_elsewhere(case, fused):
    facts, arrays = case
    kind, T, H, I = (facts[k] for k in ("kind", "T", "H", "I"))
    options = {"nonlinearity": kind[4:]} if kind.startswith("rnn") else {}
    layer = {"lstm": nn.LSTM, "gru": nn.GRU}.get(kind, nn.RNN)(
        I, H, seed=0, return_sequences=True, fused=fused, **options)
    cell = layer.cell
    b, b_hh = arrays["bias_ih_l0"], arrays["bias_hh_l0"]
    weights = {"W_xh": arrays["weight_ih_l0"], "W_hh": arrays["weight_hh_l0"], "b_h": b + b_hh}
    if kind == "gru":
        keep = np.arange(3 * H) < 2 * H
        weights |= {"b_h": b + b_hh * keep, "b_hn": b_hh[2 * H:]}
    cell.load_state_dict(weights)
    head = nn.Linear(H, facts["O"], name="hy", seed=0)
    head.load_state_dict({"W_hy": arrays["W_hy"], "b_y": arrays["b_hy"]})
    h0 = tg.Tensor(arrays["h0"].reshape(-1, H))
    start = (h0, tg.Tensor(arrays["c0"].reshape(-1, H))) if kind == "lstm" else h0
    y = head(layer(arrays["x"], start))
    loss = (nn.cross_entropy if facts["loss"] == "ce" else nn.squared_error)(y, arrays["target"])
    opened = tg.open_fused(loss)
    losses = list(opened.operands) if opened.op.name == "Σ" else [opened]
    np.testing.assert_allclose([x.item() for x in losses], arrays["loss_steps"], rtol=1e-9)
    flow = tg.gradient_flow(loss)
    for p, name in ((cell.W_hh, "weight_hh"), (cell.W_xh, "weight_ih"), (cell.b_h, "bias_ih")):
        found = flow.attribution(p, losses)
        assert found.steps == list(range(1, T + 1))
        columns = np.array([sum(found.array(t, k) for t in found.loss_steps)
                            for k in found.steps])
        np.testing.assert_allclose(columns, arrays[f"contrib_{name}_l0"], rtol=1e-7, atol=1e-9)
        table = arrays.get(f"contrib_tk_{name}_l0")
        if table is not None:
            ours = [[found.array(t, k) for k in found.steps] for t in found.loss_steps]
            np.testing.assert_allclose(ours, table, rtol=1e-7, atol=1e-9)
        assert found.error <= 1e-12


# --- looks, bounds, refusals ----------------------------------------------------------------------


def small(keep="arrays", T=5, **options):
    layer = nn.RNN(3, 4, seed=0, return_sequences=True)
    xs = np.random.default_rng(0).normal(size=(T, 2, 3))
    total, losses = losses_of(layer, nn.Linear(4, 3, name="hy", seed=1), xs)
    return tg.gradient_flow(total).attribution(layer.cell.W_hh, losses, keep=keep)


def test_how_it_looks():
    found = small()
    lines = str(found).splitlines()
    assert lines[0] == "‖∂L_t/∂W_hh through its use at step k‖"
    assert lines[1].split()[:4] == ["loss", "k", "=", "1"]
    assert lines[3].split()[0] == "L_1"
    assert lines[-1].startswith("rows sum to each loss's gradient")
    assert found.to_csv().splitlines()[0] == "loss,k = 1,k = 2,k = 3,k = 4,k = 5,‖row sum‖"
    assert float(found.to_csv().splitlines()[3].split(",")[2]) == found.norms[2, 1]
    assert np.array_equal(found.to_numpy(), found.norms)
    assert found._repr_html_().startswith("<table")
    long = str(small(T=40)).splitlines()
    assert len(long) < 20
    assert max(map(len, long)) < 130
    assert small(T=40).to_csv().count("\n") == 41


@pytest.mark.parametrize("T", [3, 7, 8, 12, 13, 60])
def test_it_fits_into_a_terminal(T):
    layer = nn.RNN(2, 3, seed=0, return_sequences=True)
    losses = [(y ** 2).sum() for y in layer(np.random.default_rng(0).normal(size=(T, 1, 2)))]
    found = tg.gradient_flow(losses[-1]).attribution(layer.cell.W_hh, losses)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    head = lines[1].split("  ")
    assert head[:2] == ["loss", "k = 1"]
    assert [x.strip() for x in head if x][-2:] == [f"k = {T}", "‖row sum‖"]
    assert ("…" in lines[1]) == (T > 7)
    assert found.to_csv().splitlines()[0].count("k = ") == T  # every column


def test_norms_only():
    whole, found = small(), small("norms")
    assert np.array_equal(whole.norms, found.norms)
    assert found.error == whole.error
    with pytest.raises(tg.GradientError, match="only the norms"):
        found.array(1, 1)


def test_refusals():
    found = small()
    with pytest.raises(ValueError, match=r"k is one of the steps \[1, 2, 3, 4, 5\], got 9"):
        found.array(1, 9)
    with pytest.raises(ValueError, match="t is one of the steps"):
        found.array(0, 1)
    for wrong in (9, "1", [1], np.ones(2)):
        with pytest.raises(tg.InputError, match=r"t is one of the steps \[1, 2, 3, 4, 5\], got"):
            found.gradient(wrong)
    flow = tg.gradient_flow(found.losses[0])
    with pytest.raises(ValueError, match="needs a Value or a Tensor"):
        flow.attribution("W", found.losses)
    with pytest.raises(ValueError, match="expected a list of losses"):
        flow.attribution(found.W, found.losses[0])
    with pytest.raises(ValueError, match=r"got 'L' \(\)\. Keep"):  # as errors say it elsewhere
        flow.attribution(found.W, (found.losses[0] * 1.0).named("L"))
    with pytest.raises(tg.InputError, match="a list of losses, got none"):
        flow.attribution(found.W, [])
    with pytest.raises(ValueError, match="a single number"):
        flow.attribution(found.W, [found.W])
    with pytest.raises(tg.GradientError, match="no loss depends"):
        flow.attribution(tg.Value(1.0, name="alone"), found.losses)
    with pytest.raises(ValueError, match="keep is 'arrays' or 'norms'"):
        flow.attribution(found.W, found.losses, keep="all")


def test_nothing_is_said_to_add_up_where_there_is_nan():
    layer = nn.RNN(2, 3, seed=0, return_sequences=True)
    xs = np.ones((3, 1, 2))
    xs[1] = np.nan
    losses = [h.sum() for h in layer(xs)]
    found = tg.gradient_flow(losses[0]).attribution(layer.cell.W_hh, losses)
    assert "there are NaN or Inf" in str(found)
    assert "sum to" not in str(found)


def well_conditioned(large=0.0):
    """Losses at every step of a layer."""
    layer = nn.RNN(3, 4, seed=0, return_sequences=True)
    y = layer(np.random.default_rng(0).normal(size=(12, 2, 3)))
    losses = [(h * (large + 1.0)).sum() - (h * large).sum() for h in y.operands]
    return layer.cell.W_hh, losses


def ill_conditioned():
    """Losses whose gradients at h_t are 1e9 and -1e9, and what is left of the two."""
    return well_conditioned(large=1e9)


def test_sums_that_cancel_on_the_way_are_measured():
    """Relative to the cells' norms two right walks differ by more than 1e-12 here: rounding was
    magnified before the table began, and the table says how much."""
    W, losses = ill_conditioned()
    found = tg.gradient_flow(losses[-1]).attribution(W, losses)
    assert 1e-12 < found.error <= 100 * np.finfo(float).eps * found.condition
    assert 1e7 < found.condition < 1e11
    assert "large gradients cancel on the way: rounding is magnified" in str(found)
    assert small().condition == 1.0
    assert "cancel" not in str(small())


@pytest.mark.parametrize("ill", [False, True])
@pytest.mark.parametrize("slip", [1e-10, 1e-3, -1.0])
def test_a_cell_that_is_slightly_wrong(monkeypatch, ill, slip):
    """1e-10 is seen where rounding is 1e-16; of ill-conditioned sums, what is above their own."""
    good = module.walk

    def bad(W, losses):
        uses = good(W, losses)
        losses_, g = uses[-3].stack
        uses[-3] = uses[-3]._replace(stack=stacks.Stack(losses_, g * (1.0 + slip)))
        return uses

    monkeypatch.setattr(module, "walk", bad)
    W, losses = ill_conditioned() if ill else well_conditioned()
    flow = tg.gradient_flow(losses[-1])
    if ill and abs(slip) < 1e-9:
        assert flow.attribution(W, losses).condition > 1e7
        return
    with pytest.raises(tg.GradientError, match="differ"):
        flow.attribution(W, losses)


@pytest.mark.parametrize("mistake", ["lost", "double", "late"])
def test_the_check_sees_a_wrong_table(monkeypatch, mistake):
    """A cell lost, a use counted twice, a loss that arrives one step too late."""
    good = module.walk

    def bad(W, losses):
        uses = good(W, losses)
        if mistake == "lost":
            losses_, g = uses[2].stack
            uses[2] = uses[2]._replace(stack=stacks.Stack(losses_[1:], g[1:]))
        elif mistake == "double":
            uses.append(uses[1])
        else:
            losses_, g = uses[3].stack
            uses[3] = uses[3]._replace(stack=stacks.Stack(losses_, g[::-1]))
        return uses

    monkeypatch.setattr(module, "walk", bad)
    with pytest.raises(tg.GradientError, match="differ"):
        small()


def test_hooks_forbid_to_compare():
    layer = nn.RNN(3, 4, seed=0, return_sequences=True)
    total, losses = losses_of(layer, nn.Linear(4, 3, name="hy", seed=1), XS)
    calls = []
    layer.cell.W_hh.register_hook(calls.append)
    found = tg.gradient_flow(total).attribution(layer.cell.W_hh, losses)
    assert found.error is None
    assert len(calls) == 1  # by the flow itself
    assert "not checked" in str(found)


def test_one_walk_and_no_graph_for_each_loss(monkeypatch):
    """The work of the rules is one use for every node, and not one for every node and loss."""
    calls = []
    good = stacks.one_use
    monkeypatch.setattr(stacks, "one_use", lambda *a: calls.append(a[0]) or good(*a))
    monkeypatch.setattr(module, "audit", lambda table: (0.0, 1.0))
    before = ops.tanh(tg.Value(0.0)).order
    found = small("norms", T=20)
    assert len(calls) < 20 * 14 + 20 * 20
    assert ops.tanh(tg.Value(0.0)).order - before < 20 * 25
    assert found.norms.shape == (20, 20)
