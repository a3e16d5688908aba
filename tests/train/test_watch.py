"""Watch: what it sees, when it warns, and that it changes nothing and keeps no graph."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, train


def run(updates=6, lr=0.05, detach=True, keep=1000, watch=True, kind=nn.RNN, scale=1.0, **options):
    draws = np.random.default_rng(0)
    layer = kind(3, 4, return_sequences=True, return_state=True, seed=0, **options)
    seen = train.Watch(layer, keep) if watch else None
    sgd, state = optim.SGD(layer, lr), None
    for _ in range(updates):
        outputs, state = layer(scale * draws.normal(size=(5, 2, 3)), state)
        loss = (outputs ** 2).sum()
        sgd.zero_grad()
        loss.backward()
        if seen is not None:
            seen.update(loss)
        if lr:
            sgd.step()
        if detach:
            state = state.detach() if hasattr(state, "detach") else tuple(
                s.detach() for s in state)
    return layer, seen, loss


def test_it_changes_nothing_and_sees_what_there_is():
    layer, seen, loss = run()
    other, _, _ = run(watch=False)
    for a, b in zip(layer.parameters(), other.parameters()):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    row = seen.rows[-1]
    assert row.update == 6
    assert row.loss == loss.item()
    assert row.gradient == pytest.approx(
        np.sqrt(sum(np.sum(p.grad ** 2) for p in layer.parameters())))
    assert (row.nodes, row.steps) == (len(tg.nodes(loss)), 5)
    assert seen.to_numpy().shape == (6, 9)
    assert seen.to_csv().splitlines()[0].startswith("update,loss,gradient,")
    head, rule, *lines = seen.to_markdown().splitlines()
    assert head.startswith("| update | loss | gradient |")
    assert rule.startswith("| ---: |")
    assert lines


def test_a_healthy_run_has_no_warnings():
    _, seen, _ = run(lr=0.005)
    assert seen.warnings == {}
    assert "no warnings" in str(seen)


def test_a_history_that_was_not_cut_names_the_edge():
    _, seen, _ = run(lr=0.0, detach=False)
    said = seen.warnings["growth"]
    assert said.startswith("update 2, step 5: the graph has ")
    assert "linear still uses h_5 of an earlier update. Cut it: h.detach()" in said
    assert "growth" not in run(lr=0.0, detach=True)[1].warnings


def test_saturation_exploding_updates_and_dead_units():
    assert any("beyond ±0.99" in text for text in run(scale=50.0)[1].warnings.values())
    assert any("of its size" in text for text in run(lr=50.0, updates=3)[1].warnings.values())
    layer = nn.RNN(3, 4, nonlinearity="relu", return_sequences=True, seed=0)
    layer.cell.b_h.data = np.array([-100.0, 0.5, 0.5, -100.0])
    seen = train.Watch(layer)
    for _ in range(20):
        loss = layer(np.random.default_rng(0).normal(size=(4, 2, 3))).sum()
        loss.backward()
        seen.update(loss)
    assert seen.rows[-1].dead == 2
    assert [row.dead for row in seen.rows] == [0] * 19 + [2]
    assert seen.warnings["dead h"] == \
        "update 20: 2 relu units of h have not been on once in 20 updates in a row"


def test_memory_is_flat_and_no_graph_is_kept():
    _, seen, loss = run(updates=30, keep=10)
    assert len(seen.rows) == 10
    assert {len(sizes) for sizes in seen.norms.values()} == {10}
    there = weakref.ref(loss)
    del loss
    gc.collect()
    assert there() is None


def test_a_keep_that_cannot_be():
    with pytest.raises(tg.InputError, match="whole number of at least 1"):
        train.Watch([], keep=0)


def relus(bias, updates, seen=None, layer=None):
    """A relu layer whose biases are set for some updates."""
    layer = layer or nn.RNN(3, 2, nonlinearity="relu", return_sequences=True, seed=0)
    seen = seen or train.Watch(layer)
    layer.cell.b_h.data = np.array(bias)
    for _ in range(updates):
        loss = layer(np.random.default_rng(0).normal(size=(4, 2, 3))).sum()
        loss.backward()
        seen.update(loss)
    return layer, seen


def test_a_unit_can_die_late_and_come_back():
    """Dead from its 20th update off in a row, whenever that is; not by being off now and then."""
    layer, seen = relus([5.0, 5.0], 7)
    relus([5.0, -100.0], 19, seen, layer)
    assert seen.rows[-1].dead == 0
    assert "dead h" not in seen.warnings
    relus([5.0, -100.0], 1, seen, layer)
    assert seen.rows[-1].dead == 1
    assert seen.warnings["dead h"].startswith("update 27: 1 relu unit of h has ")
    relus([5.0, 5.0], 1, seen, layer)
    assert seen.rows[-1].dead == 0


# --- the norms per time step --------------------------------------------------------------------


def stepwise(updates=3, T=5, states="h", keep=1000, H=4, kind=nn.RNN, change=None):
    layer = kind(3, H, return_sequences=True, seed=0)
    seen = train.Watch(layer, keep, states)
    xs = np.random.default_rng(0).normal(size=(T, 2, 3))
    flows = []
    for i in range(updates):
        if change is not None:
            change(layer, i)
        flow = tg.gradient_flow((layer(xs)[-1] ** 2).sum(), keep="norms")
        seen.update(flow)
        flows.append(flow.norms("h"))
    return seen, flows


def test_the_norms_per_step_are_those_of_the_flow():
    def shrink(layer, i):
        layer.cell.W_hh.data = layer.cell.W_hh.numpy() * 0.5

    seen, flows = stepwise(change=shrink)
    assert seen.steps.steps("h") == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(seen.steps.table("h"),
                                  [[sizes[t] for t in range(1, 6)] for sizes in flows])
    assert f"{flows[2][1]:.3g}" in str(seen)
    head, *_, last = seen.to_csv().splitlines()
    assert head.endswith("|dh_1|,|dh_2|,|dh_3|,|dh_4|,|dh_5|")
    assert last.endswith(f"{flows[2][5]!r}")


def test_several_states_and_steps_that_come_and_go():
    seen, _ = stepwise(states=["h", "c"], kind=nn.LSTM)
    assert seen.steps.table("c").shape == (3, 5)
    layer = nn.RNN(3, 4, return_sequences=True, seed=0)
    watch = train.Watch(layer, states="h")
    for window in tg.truncated_bptt(layer, np.ones((6, 2, 3)), 3):
        watch.update(window.flow((window.outputs ** 2).sum()))
    table = watch.steps.table("h")
    there = np.isfinite(table)
    assert there[:, -3:].tolist() == [[False] * 3, [True] * 3]
    assert there[:, :3].tolist()[0] == [True] * 3


def test_of_a_history_that_was_not_cut_the_last_window_counts():
    layer = nn.RNN(3, 4, return_sequences=True, return_state=True, seed=0)
    watch, state = train.Watch(layer, states="h"), None
    for _ in range(3):
        outputs, state = layer(np.ones((4, 2, 3)), state)
        flow = tg.gradient_flow((outputs ** 2).sum(), keep="norms")
        watch.update(flow)
        last = [flow.norm(n) for n in outputs.operands]
    np.testing.assert_array_equal(watch.steps.table("h")[-1], last)
    assert "growth" in watch.warnings


def test_a_gradient_that_vanishes_is_told_with_step_and_update():
    def change(layer, i):
        layer.cell.W_hh.data = layer.cell.W_hh.numpy() * (1.0 if i < 2 else 1e-3)

    seen, _ = stepwise(updates=4, change=change)
    assert seen.warnings["vanishes h"].startswith(
        "update 3, step 1: the gradient of h vanishes: at step 1 it is ")


def test_a_gradient_that_is_not_finite_is_told_where_it_begins():
    warned = {}
    train.step_norms.judge("h", {1: np.nan, 2: np.inf, 3: 1.0},
                           lambda kind, text, step: warned.update({kind: (text, step)}))
    assert warned == {"steps h": ("the gradient of h is not finite from step 2 back", 2)}


def test_padding_is_no_vanishing():
    layer = nn.RNN(3, 4, return_sequences=True, seed=0)
    seen = train.Watch(layer, states="h")
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    seen.update(tg.gradient_flow((layer(xs, lengths=[2, 1]) ** 2).sum(), keep="norms"))
    assert seen.warnings == {}
    warned = []
    train.step_norms.judge("h", {1: 1.0, 2: 0.5, 3: 0.0}, lambda *said: warned.append(said))
    assert warned == []


def test_the_memory_of_the_norms_is_bounded_and_independent_of_the_width():
    def room(H):
        seen, _ = stepwise(updates=8, keep=3, H=H)
        return [(steps.nbytes, norms.nbytes) for _, steps, norms in seen.steps.rows["h"]]

    assert len(room(2)) == 3
    assert room(2) == room(64)
    assert room(2)[0] == (5 * 8, 5 * 8)


def test_what_was_not_asked_for_costs_nothing_and_says_so():
    _, seen, _ = run()
    assert seen.steps.rows == {}
    with pytest.raises(tg.InputError, match="no norms per step are kept of 'h'"):
        seen.steps.table("h")


def test_bad_input_is_refused_before_anything_is_noted():
    layer = nn.RNN(3, 4, seed=0)
    loss = (layer(np.ones((2, 1, 3))) ** 2).sum()
    seen = train.Watch(layer, states="h")
    with pytest.raises(tg.InputError, match="a loss alone does not have them"):
        seen.update(loss)
    with pytest.raises(tg.InputError, match="got float"):
        seen.update(3.0)
    with pytest.raises(tg.InputError, match=r"got shape \(1, 4\)"):
        seen.update(layer(np.ones((2, 1, 3))))
    with pytest.raises(tg.InputError, match="no node named 'k'"):
        train.Watch(layer, states="k").update(tg.gradient_flow(loss))
    with pytest.raises(tg.InputError, match="expected names of states"):
        train.Watch(layer, states=[3])
    with pytest.raises(tg.InputError, match="expected names of states, got 3"):
        train.Watch(layer, states=3)
    for params, got in ((None, "NoneType"), (3, "int"), (["W"], "str")):
        with pytest.raises(tg.InputError, match=f"a model or its parameters, got {got}"):
            train.Watch(params)
    assert seen.count == 0
    assert not seen.rows


def test_parameters_of_one_name_are_told_apart():
    below, above = (nn.RNN(3, 3, return_sequences=True, seed=k) for k in (0, 1))
    params = [*below.parameters(), *above.parameters()]
    seen = train.Watch(params)
    loss = (above(below(np.ones((4, 2, 3)))) ** 2).sum()
    loss.backward()
    row = seen.update(loss)
    assert len(seen.params) == 6
    assert row.gradient == pytest.approx(np.sqrt(sum(np.sum(p.grad ** 2) for p in params)))


def test_it_is_read_in_a_terminal_and_in_a_notebook():
    layer, seen, _ = run(updates=30)
    lines = str(seen).splitlines()
    assert lines[0].split() == ["update", "loss", "‖gradient‖", "update/w", "|h|>.99", "gates",
                                "dead", "nodes"]
    assert [line.split()[0] for line in lines[2:14]] == [
        "1", "3", "6", "8", "11", "14", "16", "19", "22", "24", "27", "30"]
    at = lines.index("‖∂L/∂W‖ of each parameter")
    assert lines[at + 1].split() == ["update", "cell.W_xh", "cell.W_hh", "cell.b_h"]
    size = np.linalg.norm(layer.cell.W_hh.grad)
    assert lines[at + 14].split()[2] == f"{size:.3g}"
    page = seen._repr_mimebundle_()["text/html"]
    assert page.count("<table") == 2
    assert "‖∂L/∂W‖" in page
    states = train.Watch(layer, states="<h>")
    assert "&lt;h&gt;" in states._repr_html_()


def test_a_released_graph_has_nothing_to_look_at():
    _, seen, loss = run(updates=1)
    tg.release(loss)
    with pytest.raises(tg.GradientError, match=r"was released.*watch\.update\(loss\) first"):
        seen.update(loss)
    assert [row.update for row in seen.rows] == [1]


def test_it_fits_into_a_terminal():
    layers = [nn.Bidirectional(nn.LSTM(2, 3, seed=0, return_sequences=True)),
              nn.GRU(6, 3, seed=1)]
    model = nn.Stacked(layers)
    loss = (model(np.ones((4, 1, 2))) ** 2).sum()
    loss.backward()
    seen = train.Watch(model)
    seen.update(loss)
    optim.SGD(model, 1e6).step()
    seen.update(loss)  # and a warning for every parameter
    assert max(map(len, str(seen).splitlines())) <= 80
    assert "layers.0.forward_layer.cell.W_xh  …  layers.1.cell.b_hn" in str(seen)
    assert "of its size: a smaller lr, or clipping" in " ".join(str(seen).split())


@pytest.mark.parametrize("option", [{"fused": True}, {"checkpoint_every": 2}])
def test_units_inside_of_one_node_are_said_not_to_be_looked_at(option):
    layer = nn.LSTM(2, 3, seed=0, forget_bias=50.0, return_sequences=True, **option)
    loss = (layer(np.ones((4, 1, 2))) ** 2).sum()
    loss.backward()
    seen = train.Watch(layer)
    assert seen.update(loss).gates == 0.0
    assert "tg.open_fused(loss)" in seen.warnings["inside"]
    opened = train.Watch(layer)
    assert opened.update(tg.open_fused(loss)).gates == pytest.approx(1 / 3)
    assert "inside" not in opened.warnings
