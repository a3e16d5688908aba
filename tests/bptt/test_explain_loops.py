"""Explain, of loops as they are written by hand: vectors, inputs without a name, totals."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw

from .latex import compiles


def by_columns(T=3):
    """h_t = tanh(W h_{t-1} + U x_t) with vectors, and its matrices W and U."""
    rng = np.random.default_rng(0)
    W = tg.Tensor(rng.normal(size=(3, 3)), name="W", requires_grad=True)
    U = tg.Tensor(rng.normal(size=(3, 2)), name="U", requires_grad=True)
    h = tg.Tensor(np.zeros(3), name="h0", requires_grad=True)
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(W @ h + U @ rng.normal(size=2)).named("h")
    return (h ** 2).sum().named("L"), W, U


def test_a_matrix_times_a_vector_gets_an_outer_product():
    loss, W, _ = by_columns()
    text = tg.gradient_flow(loss).explain(W).text
    for line in ("∂L/∂W = Σ_t δ_t h_{t−1}ᵀ\n", "term: δ₃ h₂ᵀ = (3, 3)", "term: δ₁ h0ᵀ = (3, 3)",
                 "∂L/∂h₂ = Wᵀ δ₃ = ["):
        assert line in text
    assert "_times" not in text


def test_a_vector_times_a_matrix_gets_an_outer_product():
    W = tg.Tensor(np.full((2, 2), 0.5), name="W", requires_grad=True)
    h = tg.Tensor(np.ones(2), name="h0", requires_grad=True)
    for t in (1, 2):
        with tg.timestep(t):
            h = tg.tanh(h @ W).named("h")
    text = tg.gradient_flow((h * h).sum().named("L")).explain(W).text
    assert "∂L/∂W = Σ_t h_{t−1} δ_tᵀ\n" in text
    assert "∂L/∂h₁ = W δ₂ = [" in text


def in_general(step, weight="u", T=4):
    """The general lines of a derivation: h_t = step(w, h_{t-1}, u, t)."""
    given = {name: tg.Value(v, name=name) for name, v in (("w", 0.7), ("h", 0.3), ("u", 2.0))}
    w, h, u = given.values()
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = step(w, h, u, t)
    text = tg.gradient_flow(h).explain(given[weight]).text
    return [line.strip() for line in text.split("\n\n")[1].splitlines()[1:]]


XS = [0.0, 0.5, -1.0, 2.0, 0.3]
OUTSIDE = [tg.Value(x, name=f"x_{i}") for i, x in enumerate(XS)]
PUT_IN, MADE = "      what the program put in at step t, without a name", \
    "      a result of step t, without a name"


@pytest.mark.parametrize("x", [
    lambda t: XS[t], lambda t: tg.Value(XS[t]), lambda t: tg.Value(XS[t], requires_grad=False)])
def test_an_input_without_a_name_is_no_number_in_the_general_line(x):
    assert in_general(lambda w, h, u, t: tg.tanh(w * h + u * x(t)).named("h")) == [
        "∂h₄/∂u = Σ_t δ_t · x_t", "δ_t = ∂h₄/∂h_t · (1 − h_t²)", "x_t" + PUT_IN]


@pytest.mark.parametrize("x", [
    lambda t: OUTSIDE[t], lambda t: tg.Value(XS[t], name="x")])
def test_an_input_keeps_its_name_wherever_it_was_made(x):
    assert in_general(lambda w, h, u, t: tg.tanh(w * h + u * x(t)).named("h")) == [
        "∂h₄/∂u = Σ_t δ_t · x_t", "δ_t = ∂h₄/∂h_t · (1 − h_t²)"]


def test_a_number_that_is_the_same_at_every_step_stays():
    assert in_general(lambda w, h, u, t: tg.tanh(w * h + u * 2.5).named("h")) == [
        "∂h₄/∂u = Σ_t δ_t · 2.5", "δ_t = ∂h₄/∂h_t · (1 − h_t²)"]


def test_two_inputs_are_two_symbols():
    assert in_general(lambda w, h, u, t: (tg.tanh(w * h + u * XS[t]) * t).named("h")) == [
        "∂h₄/∂u = Σ_t δ_t · x_t", "δ_t = ∂h₄/∂h_t · z_t · (1 − v_t²)",
        "x_t" + PUT_IN, "z_t" + PUT_IN, "v_t" + MADE]
    assert in_general(lambda w, h, u, t: (w * h * t + t).named("h"), "w") == [
        "∂h₄/∂w = Σ_t δ_t · h_{t−1}", "δ_t = ∂h₄/∂h_t · x_t", "x_t" + PUT_IN]


def test_a_letter_that_the_program_has_is_not_taken_again():
    def step(w, h, u, t):
        return tg.tanh(w * h + u * XS[t] * tg.Value(t, name="x")).named("h")
    assert in_general(step) == ["∂h₄/∂u = Σ_t δ_t · z_t", "δ_t = ∂h₄/∂h_t · (1 − h_t²) · x_t",
                                "z_t" + PUT_IN]


def test_states_without_a_name_have_their_step():
    assert in_general(lambda w, h, u, t: tg.tanh(w * h + u * XS[t]), "w") == [
        "∂L/∂w = Σ_t δ_t · v_{t−1}", "δ_t = ∂L/∂v_t · (1 − v_t²)", "v_t" + MADE]


def test_arrays_without_a_name():
    loss, W, U = by_columns()
    flow = tg.gradient_flow(loss)
    assert "∂L/∂U = Σ_t δ_t x_tᵀ\n" in flow.explain(U).text
    assert r"\sum_t \delta_t \, {x_{t}}^\top" in flow.explain(U).latex
    assert "x_t" not in flow.explain(W).text
    assert compiles(flow.explain(U).latex)


def in_a_loop(total, loss="", T=3):
    """The total of a loop that adds up inside of its steps, and its weight."""
    w, h, made = tg.Value(0.7, name="w"), tg.Value(0.3, name="h0"), tg.Value(0.0)
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(w * h).named("h")
            term = (h - 1) ** 2
            made = made + (term.named(loss) if loss else term)
    return made.named(total), w


@pytest.mark.parametrize("loss", ["", "L", "l"])
def test_the_total_of_a_loop_is_not_that_of_its_last_step(loss):
    L, w = in_a_loop("L", loss)
    flow = tg.gradient_flow(L)
    text = flow.explain(w).text
    assert text.startswith("∂L/∂w, from the graph")
    assert "∂L/∂L = 1      the start" in text
    assert "δ_t = ∂L/∂h_t · (1 − h_t²)" in text
    assert flow.ledger(w).title.startswith("∂L/∂w: one row per use")
    assert {row.root for row in flow.ledger(w)} == {"L"}
    h = next(x for x in flow.incoming if x.name == "h")
    origins = flow.ledger(h).origins([0])
    assert origins == [{"": "L", "L": "L_3", "l": "l_3"}[loss]]
    shown = re.sub(r"\s+", "", re.sub("<[^>]*>", "", draw.gradient_flow(flow).svg()))
    assert "itspartof∂L/∂·" in shown
    assert tg.what_if(L, "no tanh'").ledger(w).root == "L"


def test_the_loss_of_one_step_and_a_state_keep_their_step():
    L, w = in_a_loop("L", T=1)
    assert tg.gradient_flow(L).root_name == "L_1"
    h = tg.Value(0.3, name="h0")
    s = tg.Value(0.0, name="s0")
    for t in (1, 2, 3):
        with tg.timestep(t):
            h = (h + tg.tanh(w * h)).named("h")
            s = (s + w * t).named("s")
    assert tg.gradient_flow(h).root_name == "h_3"
    assert tg.gradient_flow(s).root_name == "s_3"


@pytest.mark.parametrize(("rows", "general"), [
    ([2, 0, 1], ["∂L/∂E = Σ_t δ_t → [i_t]", "i_t      what step t picks"]),
    ([1, 1, 1], ["∂L/∂E = Σ_t δ_t → [1]"])])
def test_a_row_that_differs_is_no_number_in_the_general_line(rows, general):
    E, W = (tg.Tensor(np.eye(3) / 2, name=name, requires_grad=True) for name in "EW")
    h = tg.Tensor(np.zeros(3), name="h0")
    for t, row in enumerate(rows, 1):
        with tg.timestep(t):
            h = tg.tanh(W @ h + E[row]).named("h")
    found = tg.gradient_flow((h * h).sum().named("L")).explain(E)
    lines = [line.strip() for line in found.text.split("\n\n")[1].splitlines()[1:]]
    assert lines == [general[0], "δ_t = ∂L/∂h_t ⊙ (1 − h_t²)", *general[1:]]
    assert compiles(found.latex)
