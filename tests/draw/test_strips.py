"""The strips below a long gradient flow: every step of every stage, at its own place."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.draw.labels import number, plain

from . import graphs


def told(strip):
    """What the cells of a strip say, by place: the step and the number; None where there is no
    gradient."""
    found = []
    for cell in strip.cells:
        step, said = cell.title.removeprefix("t = ").split(": ")
        found.append((int(step), None if said == "no gradient" else said))
    return found


@pytest.fixture(scope="module")
def long():
    return tg.gradient_flow(graphs.seq2seq(9, S=8, kind=nn.LSTM))


@pytest.fixture(scope="module", params=["right", "down"])
def strips(request, long):
    drawing = draw.gradient_flow(long, 2, 2, direction=request.param).drawing
    return {strip.title: told(strip) for strip in drawing.strips[:-1]}  # the last is the legend


STEPS = [*range(1, 10), *range(9)]  # the encoder's, and the decoder's: 0 is where it is handed over


def test_states_of_both_stages_stand_at_their_own_steps(long, strips):
    titles = [title for title in strips if "all steps" in title]
    assert [title.split("∂L/∂")[1] for title in titles] == [
        "encoder/c_t‖", "encoder/h_t‖", "decoder/h_t‖", "decoder/c_t‖"]
    for title in titles:
        assert [step for step, _ in strips[title]] == STEPS
        scope, _, name = title.split("∂L/∂")[1].removesuffix("_t‖").partition("/")
        norms = long.norms(f"{scope}/{name}")
        own = strips[title][:9] if scope == "encoder" else strips[title][9:]
        other = strips[title][9:] if scope == "encoder" else strips[title][:9]
        assert own == [(step, number(norms[step])) for step, _ in own]
        assert {said for _, said in other} == {None}


@pytest.mark.parametrize("scope", ["encoder", "decoder"])
@pytest.mark.parametrize("name", ["W_xh", "W_hh", "b_h"])
def test_weights_of_both_stages_stand_at_their_own_steps(long, strips, scope, name):
    cells = strips[f"‖Δ_t‖ of {scope}/{name}, log scale"]
    weight = next(x for x in long.incoming if x.is_leaf and x.name == name
                  and long.incoming.get(x)[0].node.scope.startswith(scope))
    sums = {}
    for row in long.ledger(weight):
        sums[row.step] = sums.get(row.step, 0) + row.contribution
    own, other = (cells[:9], cells[9:]) if scope == "encoder" else (cells[9:], cells[:9])
    assert [step for step, _ in cells] == STEPS
    assert {said for _, said in other} == {None}
    assert dict(own) == {step: number(np.linalg.norm(sums[step])) if step in sums else None
                         for step, _ in own}


def test_the_bridge_is_at_the_step_of_handing_over(strips):
    for name in ("P", "p", "P_c", "p_c"):
        there = [i for i, (_, said) in enumerate(strips[f"‖Δ_t‖ of {name}, log scale"]) if said]
        assert there == [9]


@pytest.mark.parametrize("scope", ["encoder", "decoder"])
def test_numbers_of_steps_stand_where_the_strip_has_cells_and_begin_anew_with_a_stage(long, scope):
    drawing = draw.gradient_flow(long, 2, 2).drawing
    strip = next(s for s in drawing.strips if f"{scope}/h" in s.title)
    said = sorted((round((label.x - strip.x) / strip.w * 18 - 0.5), plain(label.text))
                  for label in drawing.labels if label.role == "quiet"
                  and 0 < label.y - strip.y - strip.h < 20 and plain(label.text).isdigit())
    assert said[0] == ((0, "1") if scope == "encoder" else (9, "0"))
    assert said == [(i, str(STEPS[i])) for i, _ in said]
    assert all((i < 9) == (scope == "encoder") for i, _ in said)
    assert len(said) > 2
