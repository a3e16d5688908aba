"""Step Jacobians: against published numbers, differences, tg.jacobian and a flow; and what is said
of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.rows import between, rows
from tinygrad_rnn.core.gradients import pull
from tinygrad_rnn.errors import GradientError, InputError, ShapeError

from ..nn.reference import close, family
from .chains import XS, B, H, I, T, leaf, same, vanilla

# --- numbers computed elsewhere -------------------------------------------------------------------


@pytest.mark.parametrize(("facts", "arrays"), family("jacobian"))
def test_published_jacobians(facts, arrays):
    a, steps = arrays, facts["T"]
    phi = "identity" if facts["act"] == "linear" else facts["act"]
    layer = nn.RNN(facts["I"], facts["H"], phi, return_sequences=True, seed=0)
    layer.load_state_dict({"cell.W_xh": a["W_xh"], "cell.W_hh": a["W_hh"], "cell.b_h": a["b"]})
    h0 = tg.Tensor(a["h0"], requires_grad=True, name="h")
    outputs = layer(a["x"], h0)
    found = tg.step_jacobians([h0, *outputs])
    assert found.steps == list(range(steps + 1))
    close(found.to_numpy(), a["step_jac"])
    close(found.product(steps, 0), a["dhT_dh0"])
    close(found.growth()[:0:-1], a["prod_norm2"])
    assert found.growth()[0] == 1.0
    close(np.sort(abs(np.linalg.eigvals(layer.cell.W_hh.value))), np.sort(a["eig_abs"]))
    loss = (outputs[steps - 1] * a["up"]).sum()
    flow = tg.gradient_flow(loss)
    for t in range(1, steps + 1):
        back = found.product(steps, t).T @ a["up"]
        close(back, a["dL_dh"][t - 1])
        close(np.linalg.norm(back), a["dL_dh_norm"][t - 1])
    contributions = {row.step: row for row in flow.ledger(layer.cell.W_hh)}
    for t in range(1, steps + 1):
        close(contributions[t].contribution, a["contrib_W_hh"][t - 1])
        close(contributions[t].norm, a["contrib_norm"][t - 1])
    close(layer.cell.W_hh.grad, a["grad_W_hh"])
    assert found.closed_difference < 1e-15


def test_the_repeated_product_is_not_a_power_of_W_hh():
    """A sentence common in lecture notes drops the tanh': right for a linear recurrence only."""
    W = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0] * 0.9
    power = np.linalg.matrix_power(W, 20)
    linear = tg.step_jacobians(vanilla(W, same)).product(20, 0)
    np.testing.assert_allclose(linear, power, rtol=1e-12)
    product = tg.step_jacobians(vanilla(W)).product(20, 0)
    two = np.linalg.norm(product, 2), np.linalg.norm(power, 2)
    assert two[1] == pytest.approx(0.9**20, rel=1e-10)  # 0.12
    assert two[0] == pytest.approx(1.32e-4, rel=1e-2)  # with its tanh' it is 900 times smaller
    assert np.linalg.norm(product - power) > 0.99 * np.linalg.norm(power)


def test_the_product_runs_over_the_steps_between():
    """dh_t/dh_{t-k} is a product of k Jacobians, from t - k + 1 to t, and not down to 1."""
    found = tg.step_jacobians(vanilla(np.eye(3) * 0.5, steps=6))
    J = {t: found.jacobian(t) for t in range(1, 7)}
    np.testing.assert_array_equal(found.product(5, 3), J[5] @ J[4])
    np.testing.assert_array_equal(found.product(5, 5), np.eye(3))


# --- two derivations agree ------------------------------------------------------------------------

LAYERS = {
    "tanh": lambda **o: nn.RNN(I, H, seed=0, **o),
    "relu": lambda **o: nn.RNN(I, H, "relu", seed=0, **o),
    "stacked form": lambda **o: nn.RNN(I, H, stacked=True, seed=0, **o),
    "softsign": lambda **o: nn.RNN(I, H, "softsign", seed=0, **o),
    "lstm": lambda **o: nn.LSTM(I, H, seed=0, **o),
    "peepholes": lambda **o: nn.LSTM(I, H, seed=0, peepholes=True, **o),
    "gru": lambda **o: nn.GRU(I, H, seed=0, **o),
    "gru, reset before": lambda **o: nn.GRU(I, H, seed=0, reset_after=False, **o),
    "skip": lambda **o: nn.Recurrent(nn.SkipRNNCell(I, H, skips=(3,), seed=0), **o),
    "deep": lambda **o: nn.Recurrent(nn.DeepRNNCell(I, H, deep_transition=[5], shortcut=True,
                                                    seed=0), **o),
}


def flat(state):
    return np.concatenate([p.numpy() for p in nn.states.parts_of(state)], -1)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch", [(), (B,)])
def test_a_step_against_a_jacobian_of_the_cell(name, batch):
    """Every sample, every step: tg.jacobian of the cell as a function of its whole state."""
    layer = LAYERS[name](return_sequences=True, return_all_states=True)
    xs = XS if batch else XS[:, 0]
    _, states = layer(xs)
    found = tg.step_jacobians(states)
    assert len(found) == (T - 3 if name == "skip" else T - 1)  # h_0, h_-1 want no gradient
    at = [[nn.steps_joined.stacked_steps(p)[t] for p in nn.states.parts_of(states)]
          for t in range(T)]
    for t in range(T - len(found), T):
        for b in range(B if batch else 1):
            part = [p.value[b] if batch else p.value for p in at[t - 1]]
            x, sizes = xs[t, b] if batch else xs[t], len(part)

            def step(s, x=x, sizes=sizes):
                state = [s[k * H:(k + 1) * H] for k in range(sizes)]
                after = layer.cell(x, layer.cell.joined(state))[1]
                return np.concatenate(nn.states.parts_of(after), -1)

            J = tg.jacobian(step, np.concatenate(part))
            mine = found.jacobian(t + 1)
            np.testing.assert_allclose(mine[b] if batch else mine, J, rtol=1e-12, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted({*LAYERS} - {"skip"})), st.integers(2, 6), st.integers(1, 3),
       st.integers(0, 99))
def test_products_carry_the_gradient_of_a_last_loss(name, steps, batch, seed):
    """(dh_T/dh_k)ᵀ dL/dh_T is dL/dh_k of a flow whose loss sees the last step only."""
    rng = np.random.default_rng(seed)
    layer = LAYERS[name](return_sequences=True, return_all_states=True)
    for p in layer.parameters():
        p.data = rng.normal(size=p.shape)
    _, states = layer(rng.normal(size=(steps, batch, I)))
    found = tg.step_jacobians(states)
    links = found.chain.links
    up = rng.normal(size=(batch, found.chain.size))
    loss = sum((x * g).sum() for x, g in zip(links[-1], np.split(up, len(links[-1]), 1)))
    flow = tg.gradient_flow(loss)
    for i, link in enumerate(links[:-1]):
        back = np.einsum("bij,bi->bj", found.product(found.steps[-1], found.steps[i]), up)
        if len(link) == 1:
            np.testing.assert_allclose(back, flow.gradient(link[0]), rtol=1e-9, atol=1e-12)
            continue
        h, c = link  # c_t leads to h_t as well: in the flow that arrives at c_t too
        np.testing.assert_allclose(back[:, :H], flow.gradient(h), rtol=1e-9, atol=1e-12)
        inner = pull(h, [c], flow.gradient(h), graph=False, until={c})[c]
        np.testing.assert_allclose(back[:, H:] + inner, flow.gradient(c), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "lstm", "gru"])
def test_against_differences(name):
    layer = LAYERS[name](return_all_states=True)
    start = layer.cell.joined([leaf(H, seed=k, name=n)
                               for k, n in enumerate(layer.cell.state_names)])
    _, states = layer(XS[:3, 0], start)
    first = [*nn.states.parts_of(start)]
    links = [start] + [layer.cell.joined([p[t] for p in nn.states.parts_of(states)])
                       for t in range(3)]
    found = tg.step_jacobians(links).product(3, 0)
    size = found.shape[0]
    for j in range(size):
        sides = []
        for sign in (1.0, -1.0):
            moved = [p.numpy() for p in first]
            moved[j // H][j % H] += sign * 1e-5
            sides.append(flat(layer.run(layer.steps(XS[:3, 0]), layer.cell.joined(moved),
                                        nn.masking.Masks(3), None).state))
        np.testing.assert_allclose(found[:, j], (sides[0] - sides[1]) / 2e-5, atol=1e-8)


def test_rows_are_what_pull_gives_one_by_one():
    """Ops with and without a rule for many rows at once, broadcasting, joints and aliases."""
    x, w = leaf(2, 3), leaf(3, seed=1)
    W, s = leaf(4, 3, seed=2), leaf(seed=3)
    y = tg.linear(x * w + 0.5, W[:3]) @ W.T
    y = np.concatenate([y, tg.softmax(x) * s, np.exp(x[0]) + x], -1)
    y = np.where(y > 0, y, 0.1 * y).reshape(5, 4).T + np.maximum(x[:, :1].sum(), 0.0)
    seeds = np.random.default_rng(4).normal(size=(6, *y.shape))
    found = rows({y: seeds}, [x, w, W, s])
    for r in range(6):
        one = pull(y, [x, w, W, s], seeds[r], graph=False)
        for p in (x, w, W, s):
            np.testing.assert_allclose(found[p][r], one[p], rtol=1e-12, atol=1e-14)


# --- what a user may give -------------------------------------------------------------------------


def test_scalars_are_numbers():
    w, h = tg.Value(-0.5, name="w"), tg.Value(0.9, name="h")
    states = [h]
    for t in range(1, 4):
        with tg.timestep(t):
            h = tg.tanh(w * h).named("h")
        states.append(h)
    found = tg.step_jacobians(states)
    assert found.jacobian(2) == -0.5 * (1 - states[2].value ** 2)
    assert type(found.product(3, 0)) is float
    assert found.to_numpy().shape == (3,)
    assert found.product(3, 0) == pytest.approx(tg.grad(h, states[0]).item(), rel=1e-14)
    assert "-0." in str(found)


def test_an_unstamped_loop_is_counted():
    W, h = leaf(2, 2, name="W"), leaf(2)
    states = [h]
    for _ in range(3):
        h = np.tanh(W @ h)
        states.append(h)
    found = tg.step_jacobians(states)
    assert found.steps == [0, 1, 2, 3]
    assert found.closed_difference < 1e-15
    assert found.closed_forms[0].weight == "W"


def test_the_parts_of_an_lstm_are_found_in_the_graph():
    layer = nn.LSTM(I, H, seed=0, return_sequences=True, return_all_states=True)
    outputs, states = layer(XS)
    found = tg.step_jacobians(outputs)
    assert found.names == ["h", "c"]
    np.testing.assert_array_equal(found.to_numpy(), tg.step_jacobians(states).to_numpy())


def test_each_layer_of_a_stack_and_all_of_it():
    model = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True),
                        nn.RNN(H, H, seed=1, return_sequences=True)], return_all_states=True)
    outputs, states = model(XS)
    top = tg.step_jacobians(outputs)
    np.testing.assert_array_equal(top.to_numpy(), tg.step_jacobians(states[1]).to_numpy())
    lower = tg.step_jacobians(states[0])
    assert lower.names == ["h", "c"]
    whole = tg.step_jacobians(states).to_numpy()
    np.testing.assert_array_equal(whole[..., :2 * H, :2 * H], lower.to_numpy())
    np.testing.assert_array_equal(whole[..., 2 * H:, 2 * H:], top.to_numpy())
    assert (whole[..., :2 * H, 2 * H:] == 0).all()  # the lower one never hears of the upper
    assert (whole[..., 2 * H:, :2 * H] != 0).any()


def test_both_directions_of_a_bidirectional_layer():
    layer = nn.Bidirectional(nn.GRU(I, H, seed=0, return_sequences=True), return_all_states=True)
    outputs, (forward, backward) = layer(XS)
    assert tg.step_jacobians(forward).steps == [1, 2, 3, 4, 5]
    found = tg.step_jacobians(backward)
    assert found.steps == [5, 4, 3, 2, 1]
    assert "h_{t+1}" in str(found)
    alone = nn.Recurrent(layer.backward_layer.cell, return_sequences=True)
    np.testing.assert_array_equal(tg.step_jacobians(alone(XS[::-1])).to_numpy(), found.to_numpy())
    for both in (outputs, (forward, backward)):  # of the merged outputs, and of the pair: each
        for mine, expected in zip(tg.step_jacobians(both), (tg.step_jacobians(forward), found)):
            np.testing.assert_array_equal(mine.to_numpy(), expected.to_numpy())
            assert str(mine) == str(expected)


def test_masked_steps_pass_everything_on():
    mask = np.ones((T, B), bool)
    mask[2, 0] = mask[3] = False
    _, states = nn.RNN(I, H, seed=0, return_all_states=True)(XS, mask=mask)
    J = tg.step_jacobians(states).to_numpy()
    np.testing.assert_array_equal(J[1, 0], np.eye(H))
    np.testing.assert_array_equal(J[2], np.stack([np.eye(H)] * B))
    assert (J[1, 1] != np.eye(H)).any()


def test_float32():
    found = tg.step_jacobians(nn.RNN(I, H, seed=0, dtype="float32", return_sequences=True)(XS))
    assert found.to_numpy().dtype == np.float32
    assert found.closed_difference < 1e-6


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_fused_layer_is_opened(kind):
    """What was computed as one node for the sequence has the Jacobians of its steps."""
    found = []
    for fused in (False, True):
        layer = kind(I, H, seed=0, fused=fused, return_sequences=True, return_all_states=True)
        h0 = layer.cell.joined([leaf(B, H, seed=k, name=n)
                                for k, n in enumerate(layer.cell.state_names)])
        outputs, states = layer(XS, h0)
        found.append(tg.step_jacobians(states))
        np.testing.assert_allclose(tg.step_jacobians(outputs).to_numpy(), found[-1].to_numpy(),
                                   rtol=1e-12)
    np.testing.assert_allclose(found[1].to_numpy(), found[0].to_numpy(), rtol=1e-11, atol=1e-13)
    assert found[0].steps == found[1].steps


# --- what is refused ------------------------------------------------------------------------------


def test_what_has_states_and_is_none_says_what_to_give():
    layer = nn.RNN(I, H, seed=0, return_sequences=True, return_state=True)
    outputs, state = layer(XS)
    loss = (outputs ** 2).sum()
    for wrong, fix in ((layer, r"tg.step_jacobians\(layer\(xs\)\)"), (loss, r"in tg.nodes\(loss\)"),
                       (tg.gradient_flow(loss), r"in tg.nodes\(loss\)"),
                       ((outputs, state), r"outputs, state = layer\(xs\)"),
                       ("h", "return_sequences=True"), (outputs.numpy(), "return_sequences=True")):
        with pytest.raises(InputError, match=fix):
            tg.step_jacobians(wrong)
    with pytest.raises(InputError, match=r"records nothing.*detached"):
        tg.step_jacobians(outputs.detach())
    gone = nn.RNN(I, H, seed=0, return_sequences=True)(XS)
    tg.release((gone ** 2).sum())
    with pytest.raises(tg.GradientError, match="already released"):
        tg.step_jacobians(gone)
    h = [n for n in tg.nodes(loss) if n.name == "h" and n.op.rules]  # what two of them say
    np.testing.assert_array_equal(tg.step_jacobians(h).to_numpy(), tg.step_jacobians(outputs))


def test_a_state_that_is_there_twice_is_refused():
    h = nn.RNN(I, H, seed=0, return_sequences=True)(XS)
    with pytest.raises(InputError, match="twice in a row"):
        tg.step_jacobians([h[0], h[1], h[1]])


def test_what_is_no_chain():
    h, c = leaf(2), leaf(2, name="c")
    with pytest.raises(InputError, match="at least two states"):
        tg.step_jacobians([h])
    with pytest.raises(InputError, match="does not depend on"):
        tg.step_jacobians([h, c])
    with pytest.raises(InputError, match="list of states"):
        tg.step_jacobians(h)
    with pytest.raises(InputError, match="is a constant"):
        tg.step_jacobians([tg.Tensor([1.0, 2.0]), h])
    states = [(h, c)]
    for _ in range(3):
        c = c * 0.9 + h
        h = np.tanh(c) * h
        states.append((h, c))
    assert tg.step_jacobians(states).to_numpy().shape == (3, 4, 4)
    with pytest.raises(InputError, match=r"past.*not the whole state.*\(h_1, c_1\)"):
        tg.step_jacobians([h for h, _ in states])
    with pytest.raises(InputError, match="step from 0 to 3"):
        tg.step_jacobians(states).jacobian(7)
    with pytest.raises(InputError, match="comes before"):
        tg.step_jacobians(states).product(1, 2)
    with pytest.raises(InputError, match="is the first"):
        tg.step_jacobians(states).jacobian(0)


def test_samples_that_are_mixed():
    h, states = leaf(3, 2), []
    for _ in range(3):
        h = np.tanh(h - 0.5 * np.mean(h, 0))
        states.append(h)
    with pytest.raises(InputError, match="of one sample depends on"):
        tg.step_jacobians(states)


def test_a_released_graph():
    states = vanilla(np.eye(2), steps=4)
    tg.release(states[-1])
    with pytest.raises((GradientError, InputError)):
        tg.step_jacobians(states)


# --- how it looks ---------------------------------------------------------------------------------


def test_the_table():
    found = tg.step_jacobians(vanilla(np.eye(3) * 0.5, steps=30))
    lines = str(found).splitlines()
    assert lines[0] == "J_t = dh_t/dh_{t-1}: 30 matrices 3 x 3"
    assert any("18 more" in line for line in lines)
    assert len(found.cells()) == 31
    assert found.to_csv().count("\n") == 31
    assert found.to_markdown().startswith("| t | ‖J_t‖₂")
    assert found._repr_html_().startswith("<table")
    assert repr(found) == str(found)
    assert ">30</td>" in found._repr_html_()
    J = found.to_numpy()
    assert float(found.cells()[1][1]) == pytest.approx(np.linalg.norm(J[0], 2), rel=1e-3)
    np.testing.assert_allclose(found.frobenius_norms, np.linalg.norm(J, axis=(1, 2)))
    np.testing.assert_allclose(found.spectral_norms, np.linalg.norm(J, 2, (1, 2)))
    np.testing.assert_allclose(found.spectral_radii, abs(np.linalg.eigvals(J)).max(1))
    np.testing.assert_allclose(
        found.growth("frobenius")[::-1],
        [np.linalg.norm(found.product(30, k)) for k in range(31)])


def test_one_step_of_a_stack_costs_one_step(monkeypatch):
    """The walk does not go down into the layers below, and from there to the beginning of time."""
    from tinygrad_rnn.bptt import rows as module
    looked, real = [], module.operands_of
    monkeypatch.setattr(module, "operands_of", lambda node: looked.append(node) or real(node))
    counts = []
    for steps in (10, 40):
        model = nn.Stacked([nn.RNN(I, H, seed=0, return_sequences=True),
                            nn.RNN(H, H, seed=1, return_sequences=True)])
        outputs = model(np.zeros((steps, 1, I)))
        h = outputs.operands[-2:]
        assert len(between([h[0]], [h[1]])) == 4  # linear, +, + b, tanh
        looked.clear()
        tg.step_jacobians(outputs)
        counts.append(len(looked) / (steps - 1))
    assert counts[0] == counts[1] <= 12  # 5 nodes of the step, looked at twice


def test_a_matrix_by_its_step_and_the_norms():
    h = nn.RNN(2, 3, seed=0, return_sequences=True)(np.ones((4, 1, 2)))
    found = tg.step_jacobians(h)
    np.testing.assert_array_equal(found[3], found.jacobian(3))
    np.testing.assert_array_equal(found.norms, found.spectral_norms)
    with pytest.raises(tg.errors.InputError, match="expected a step from 1 to 4, got 7"):
        found[7]


def test_a_batch_of_none_and_a_step_that_is_no_number():
    layer = nn.RNN(2, 3, seed=0, return_sequences=True)
    with pytest.raises(ShapeError, match=r"at least one sample, got states of shape \(0, 3\)"):
        tg.step_jacobians(layer(np.ones((4, 0, 2))))
    J = tg.step_jacobians(layer(np.ones((4, 1, 2))))
    for wrong in (np.array([1, 2]), [1], None, slice(1, 2)):
        with pytest.raises(InputError, match="a step from 1 to 4, got"):
            J[wrong]


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM])
def test_it_fits_into_a_terminal(cell):
    layer = cell(2, 3, seed=0, return_sequences=True)
    J = tg.step_jacobians(layer(np.random.default_rng(0).normal(size=(6, 2, 2))))
    assert max(map(len, str(J).splitlines())) <= 80
    assert " ".join(J.verdict.split()) in " ".join(str(J).split())
    assert J.verdict in J._repr_html_()  # a page breaks its lines itself
