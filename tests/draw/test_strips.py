"""The strips below a long gradient flow: every step of every stage, at its own place."""

import itertools
import math
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.draw.labels import number, plain
from tinygrad_rnn.draw.picture import Picture

from . import graphs
from .faults import faults


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
        f"{name}_t‖ of {scope}, log scale" for scope, name in (
            ("encoder", "c"), ("encoder", "h"), ("decoder", "h"), ("decoder", "c"))]
    for title in titles:
        assert [step for step, _ in strips[title]] == STEPS
        name, _, scope = title.split("∂L/∂")[1].removesuffix(", log scale").partition("_t‖ of ")
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
    strip = next(s for s in drawing.strips if f"∂h_t‖ of {scope}" in s.title)
    said = sorted((round((label.x - strip.x) / strip.w * 18 - 0.5), plain(label.text))
                  for label in drawing.labels if label.role == "quiet"
                  and 0 < label.y - strip.y - strip.h < 20 and plain(label.text).isdigit())
    assert said[0] == ((0, "1") if scope == "encoder" else (9, "0"))
    assert said == [(i, str(STEPS[i])) for i, _ in said]
    assert all((i < 9) == (scope == "encoder") for i, _ in said)
    assert said[-1] == ((8, "9") if scope == "encoder" else (17, "8"))
    assert len(said) > 2


def disturbed(T, at):
    """A recurrence whose factor is not 0.9 at some steps."""
    w = tg.Tensor([[0.9]], name="w", requires_grad=True)
    h = tg.Tensor([[1.0]], name="h0")
    with np.errstate(all="ignore"):
        for t in range(1, T + 1):
            with timestep(t):
                h = (tg.linear(h, w) * at.get(t, 1.0)).named("h")
        return tg.gradient_flow(h.sum())


@pytest.mark.parametrize("T", [30, 2_500])
@pytest.mark.parametrize("level", ["op", "cell", "layer"])
@pytest.mark.parametrize("direction", ["right", "down"])
def test_the_norms_of_states_have_heights_on_a_log_scale_and_say_its_ends(T, level, direction):
    flow = disturbed(T, {})
    drawing = draw.gradient_flow(flow, 1, 1, level=level, direction=direction).drawing
    strip = next(s for s in drawing.strips if s.title.endswith("/∂h_t‖, log scale"))
    norms = np.array(list(flow.norms("h").values()))
    largest = np.maximum.reduceat(norms, np.arange(min(T, 1_000)) * T // min(T, 1_000))
    assert len(strip.cells) == min(T, 1_000)
    expected = np.interp(np.log(largest), np.log([norms.min(), norms.max()]), [0.06, 1.0])
    assert [cell.level for cell in strip.cells] == pytest.approx(expected, abs=0.01)
    assert len({cell.paint for cell in strip.cells}) > 5
    said = [plain(x.text) for x in drawing.labels]
    assert {f"{number(norms.max())} largest", f"{number(norms.min())} smallest"} <= set(said)
    assert faults(drawing) == []


@pytest.mark.parametrize("T", [30, 1_000])
@pytest.mark.parametrize(("factor", "role", "sign", "dots"), [
    (0.0, "zero", "0", "dotted"), (math.nan, "nan", "N", "dashed"), (math.inf, "inf", "∞", "")])
def test_what_has_no_height_is_outlined_and_not_taken_for_the_largest(T, factor, role, sign, dots):
    picture = draw.gradient_flow(disturbed(T, {T // 2: factor}), 1, 1)
    cells = picture.drawing.strips[0].cells
    odd = T // 2 - 1
    assert {(cell.level, cell.paint) for cell in cells[:odd]} == {(1.0, role)}
    assert all(cell.paint[0] == "#" for cell in cells[odd:])
    assert sign * 10 in picture.text()
    printed = Picture(picture.drawing, "print")
    strip = re.search(r'<g id="all.strip0">(.*?)</g>', printed.svg(), re.DOTALL)[1]
    outlines = [found for found in re.findall(r"<rect[^>]*>", strip) if "stroke-width" in found]
    assert len(outlines) == (odd if T == 30 else 1)  # where cells touch, they are outlined together
    assert all(float(re.search(r'width="([\d.]+)', found)[1]) > 5 for found in outlines)
    dash = {"dotted": "1.5 3", "dashed": "4 3"}.get(dots)
    assert {*re.findall(r'dasharray="(.*?)"', strip)} == ({dash} if dash else set())
    look = f'"filled,{dots}"' if dots else "filled"
    assert f'"all.strip0.0" [shape=box, style={look}' in printed.dot()


@pytest.mark.parametrize("level", ["op", "cell", "layer"])
def test_a_step_that_gives_a_weight_nothing_looks_like_zero_and_not_like_no_gradient(level):
    """At step 1 W_hh multiplies a state that is 0; at the decoder's step 0 nothing is computed."""
    flow = tg.gradient_flow(graphs.seq2seq(9, S=8))
    drawing = draw.gradient_flow(flow, 2, 2, level=level).drawing
    strip = next(x for x in drawing.strips if x.title == "‖Δ_t‖ of encoder/W_hh, log scale")
    assert (strip.cells[0].level, strip.cells[0].paint) == (1.0, "zero")
    assert [(cell.level, cell.paint) for cell in strip.cells[9:]] == [(0.0, "dim")] * 9
    assert "zero" in {plain(x.text) for x in drawing.labels}
    assert faults(drawing) == []


def test_an_encoder_and_a_decoder_have_no_number_of_steps_together(long):
    caption = next(plain(x.text) for x in draw.gradient_flow(long, 2, 2).drawing.labels
                   if "not drawn" in plain(x.text))
    assert caption.endswith(";  18 steps, of which encoder 3 to 7, decoder 2 to 6 are not drawn")


def test_the_legend_knows_what_is_infinite_behind_many_that_are_nan():
    drawing = draw.gradient_flow(disturbed(30, {20: math.inf, 10: 0.0})).drawing
    said = [plain(x.text) for x in drawing.labels]
    assert {"NaN", "infinite"} <= set(said)


def test_strips_that_run_down_have_their_titles_in_two_lines_and_stand_close():
    drawing = draw.gradient_flow(tg.gradient_flow(graphs.layer(30)), 2, 1, direction="down").drawing
    strips = [strip for strip in drawing.strips if strip.id.startswith("all")]
    for strip, after in itertools.pairwise(strips[1:]):
        assert after.x - strip.x < 3.5 * strip.w
        lines = [label for label in drawing.labels if label.x == strip.x and label.y < strip.y]
        words = "".join(plain(label.text) for label in sorted(lines, key=lambda label: label.y))
        assert (len(lines), words) == (2, strip.title.replace(", ", ","))
    assert faults(drawing) == []
