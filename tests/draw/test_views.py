"""What is in the picture: rails, states, inputs, totals, gaps, numbers; and what is refused."""

import math

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.core.walk import release
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError

from . import graphs
from .faults import faults


def boxes(picture):
    return {box.id: box for box in picture.drawing.boxes}


def said(picture):
    """All words that stand on their own."""
    return [plain(label.text) for label in picture.drawing.labels]


def lines(picture):
    return {line.id: line for line in picture.drawing.lines}


def test_each_part_of_a_vanilla_network_plays_its_role():
    found = boxes(draw.unrolled(graphs.vanilla(3)))
    roles = {
        name: found[name].role
        for name in (
            "W_hh",
            "W_xh",
            "W_hy",
            "b_h",
            "b_y",
            "t1.h",
            "t3.h",
            "t2.x",
            "t2.y",
            "t2.L",
            "h0",
        )
    }
    assert roles == {
        "W_hh": "weight recurrent",
        "W_xh": "weight input",
        "W_hy": "weight output",
        "b_h": "weight bias h",
        "b_y": "weight bias y",
        "t1.h": "state",
        "t3.h": "state",
        "t2.x": "input",
        "t2.y": "output",
        "t2.L": "loss",
        "h0": "initial",
    }
    assert found["h0"].dashed
    assert plain(found["t2.h"].text) == "h₂"
    assert plain(found["h0"].text) == "h₀"


@pytest.mark.parametrize("build", [graphs.vanilla, graphs.layer, graphs.scalar_rnn])
def test_a_shared_weight_is_drawn_once_with_a_tap_into_every_step(build):
    picture = draw.unrolled(build(3))
    rails = [
        name
        for name, box in boxes(picture).items()
        if box.role.startswith("weight") and "tap" not in name
    ]
    assert len(rails) in (3, 5)
    for rail in rails:
        taps = [n for n in picture.drawing.lines if (n.tail or "").startswith(f"{rail}.tap")]
        assert [line.head.partition(".")[0] for line in taps] == ["t1", "t2", "t3"]


def test_by_hand_and_by_the_layer_the_states_stand_in_one_row():
    for root in (graphs.vanilla(3), graphs.layer(3)):
        found = boxes(draw.unrolled(root))
        rows = {found[f"t{t}.h"].y for t in (1, 2, 3)} | {found["t1.h.op"].y}
        assert len(rows) == 1
        assert found["t1.x"].y > found["t1.h"].y > found["t1.y"].y > found["t1.L"].y


@pytest.mark.parametrize("total", ["chain", "timed"])
def test_a_total_over_the_steps_is_one_box_at_the_end_of_a_rail(total):
    picture = draw.unrolled(graphs.vanilla(3, total=total))
    ends = [box for box in picture.drawing.boxes if box.role == "total"]
    assert [plain(box.text) for box in ends] == ["Σ L_t"]
    terms = [line for line in picture.drawing.lines if line.tail in ("t1.L", "t2.L", "t3.L")]
    assert len(terms) == 3
    assert all(line.head.startswith("total.term") for line in terms)
    assert plain(boxes(draw.unrolled(graphs.layer(3)))["L"].text) == "L = Σ L_t"


def test_a_residual_state_is_no_total():
    """h_t = f(h_{t-1}) + h_{t-1} is a chain of + as well, but its terms are used again."""
    w, h = Value(0.5, name="w"), Value(1.0, name="h0")
    for t in range(1, 4):
        with timestep(t):
            h = ops.tanh(w * h) + h
    assert not [box for box in draw.unrolled(h).drawing.boxes if box.role == "total"]


def test_slices_of_a_sequence_are_inputs_and_transposed_weights_are_the_weights():
    found = boxes(draw.unrolled(graphs.transposed(3)))
    texts = [plain(box.text) for box in found.values() if box.role == "input"]
    assert texts == ["X[0]", "X[1]", "X[2]"]
    assert {"W", "U"} <= found.keys()
    assert not any(plain(box.text) == "ᵀ" for box in found.values())


def test_a_long_sequence_is_elided_in_the_middle():
    picture = draw.unrolled(graphs.vanilla(100))
    frames = [frame.id for frame in picture.drawing.frames]
    assert frames == [
        "t1.frame",
        "t2.frame",
        "t3.frame",
        "gap.frame",
        "t98.frame",
        "t99.frame",
        "t100.frame",
    ]
    assert "94 steps" in said(picture)
    found = lines(picture)
    assert {"t3.h--gap", "gap--t98.linear"} <= {name.rsplit(".2", 1)[0] for name in found}


@pytest.mark.parametrize(
    ("first", "last", "count"), [(5, 0, 5), (2, 2, 5), (1, 1, 3), (0, 2, 3), (2, 0, 3)]
)
def test_first_and_last_choose_the_steps(first, last, count):
    picture = draw.unrolled(graphs.power(5), first=first, last=last)
    assert len(picture.drawing.frames) == count


def test_no_gap_for_a_single_hidden_step():
    assert len(draw.unrolled(graphs.power(7)).drawing.frames) == 7


def test_a_graph_without_time_shows_its_values():
    picture = draw.unrolled(graphs.neuron())
    assert not picture.drawing.frames
    assert {"2", "−3", "6.88", "0.706"} <= set(said(picture))


def test_a_long_chain_without_time_is_elided():
    x = Value(1.0, name="a")
    for _ in range(5_000):
        x = x * 0.999
    picture = draw.unrolled(x)
    assert any("4,984 operations" in plain(box.text) for box in picture.drawing.boxes)
    assert len(picture.drawing.boxes) < 30


@pytest.mark.parametrize("options", [{}, {"first": 400}])
def test_the_inputs_that_only_hidden_operations_use_are_counted(options):
    """A query and 100 keys: the first eight operations use four of them, the last eight none."""
    query = Value(0.3, name="q")
    parts = [ops.exp(query * Value(0.01 * i, name=f"k{i}")) for i in range(100)]
    picture = draw.unrolled(sum(parts[1:], parts[0]), **options)
    drawn = [plain(box.text) for box in picture.drawing.boxes]
    gap = [word for word in drawn if "operations" in word]
    assert gap == ([] if options else ["⋯ 283 operations, 96 inputs ⋯"])
    assert sum(word.startswith("k") for word in drawn) == (100 if options else 4)


def test_an_input_that_is_drawn_after_the_gap_is_not_counted_in_it():
    query, keys = Value(0.3, name="q"), [Value(0.01 * i, name=f"k{i}") for i in range(100)]
    parts = [ops.exp(query * key) for key in keys]
    drawn = boxes(draw.unrolled(sum(parts[1:], parts[0]) * keys[50])).values()
    words = [plain(box.text) for box in drawn]
    assert "⋯ 284 operations, 95 inputs ⋯" in words
    assert words.count("k₅₀") == 1


@pytest.mark.parametrize("root", [Value(1.0, name="a"), Tensor(np.ones(2)), Value(2.0)])
def test_a_single_value_is_a_picture_too(root):
    assert (
        draw.unrolled(root).svg().count("<circle") + draw.unrolled(root).svg().count("<rect") >= 2
    )


# --- the gradient flow ----------------------------------------------------------------------------


def test_the_numbers_of_the_flow_are_those_of_the_ledger():
    """x_3 = w^3 x_0 with w = 0.2 and x_0 = 0.9: 0.036 + 0.036 + 0.036 = 0.108."""
    picture = draw.gradient_flow(gradient_flow(graphs.power(3)))
    words = said(picture)
    deltas = [w for w in words if w.startswith("Δ") and "=" in w]
    assert deltas == ["Δ₁ = 0.036", "Δ₂ = 0.036", "Δ₃ = 0.036"]
    assert "∂h₃/∂w = 0.108" in words
    assert [w for w in words if w.startswith("×") and ":" not in w] == ["×0.2", "×0.2", "×0.2"]
    assert {"∂h₃/∂h₁ = 0.04", "∂h₃/∂h₂ = 0.2", "∂h₃/∂h₃ = 1", "∂h₃/∂x₀ = 0.008"} <= set(words)


def test_norms_and_sums_of_tensors():
    root = graphs.vanilla(3)
    flow = gradient_flow(root)
    picture = draw.gradient_flow(flow)
    words = said(picture)
    norms = flow.norms("h")
    for t, below in ((1, "₁"), (2, "₂"), (3, "₃")):
        assert f"‖∂L/∂h{below}‖ = {norms[t]:.3g}" in words
    W = next(n for n in flow.arrived if n.name == "W_hh")
    assert f"‖∂L/∂W_hh‖ = {np.linalg.norm(W.grad):.3g}" in words
    rows = {row.step: row.norm for row in flow.ledger(W)}
    assert f"Δ₃ = {rows[3]:.3g}" in words


def test_arrows_run_backwards_and_the_larger_gradient_is_wider():
    picture = draw.gradient_flow(gradient_flow(graphs.power(4)))
    passages = [n for n in picture.drawing.lines if (n.head or "") in ("t1.h", "t2.h", "t3.h")]
    assert [n.head for n in passages] == ["t1.h", "t2.h", "t3.h"]
    widths = [n.width for n in passages]
    assert widths == sorted(widths)
    assert len({n.colour for n in passages}) == 3
    assert all(n.points[0][0] > n.points[-1][0] for n in passages)


def test_what_gets_no_gradient_is_dim_and_dashed():
    picture = draw.gradient_flow(gradient_flow(graphs.vanilla(2)))
    dead = lines(picture)["t1.x--t1.linear"]
    assert (dead.role, dead.dash) == ("dim", "3 3")
    assert dead.tail == "t1.x"  # not turned round: nothing comes back


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_zero_nan_and_infinite_gradients_look_different():
    looks = {}
    for value in (0.0, math.nan, math.inf, 0.5):
        w, h = Value(value, name="w"), Value(1.0, name="h0")
        for t in range(1, 4):
            with timestep(t):
                h = (w * h).named("h")
        picture = draw.gradient_flow(gradient_flow(h))
        picture.svg()
        picture.dot()
        line = next(n for n in picture.drawing.lines if n.head == "t1.h")
        looks[str(value)] = (line.colour, line.role, line.dash, line.width)
    assert len(set(looks.values())) == 4
    assert [looks[v][1] for v in ("0.0", "nan", "inf")] == ["zero", "nan", "inf"]


def exploding(gain, dtype, T=4):
    """h_t = W h_{t-1}, much larger (or smaller) at every step."""
    W = Tensor((np.eye(2) * gain).astype(dtype), name="W", requires_grad=True)
    h = Tensor(np.ones(2, dtype), name="h0")
    with np.errstate(all="ignore"):
        for t in range(1, T + 1):
            with timestep(t):
                h = (W @ h).named("h")
        return gradient_flow(h.sum().named("L"))


@pytest.mark.parametrize("view", [
    draw.gradient_flow, lambda flow: draw.gradient_flow(flow, level="layer"), draw.player,
    lambda flow: draw.unrolled(flow.root, show=["names", "values"]),
    lambda flow: draw.rolled(flow.root)])
@pytest.mark.parametrize(("gain", "dtype"), [(1e80, float), (1e200, float), (1e9, np.float32),
                                             (1e30, np.float32), (1e-30, np.float32)])
def test_gradients_whose_squares_are_too_large_or_small_draw_without_a_warning(gain, dtype, view):
    view(exploding(gain, dtype))


def test_a_size_is_told_as_long_as_it_is_finite():
    words = said(draw.gradient_flow(exploding(1e9, np.float32)))
    assert {"×1e9", "Δ₁ = 2e27", "‖∂L/∂W‖ = 8e27"} <= set(words)


def test_the_looks_in_the_legend_do_not_run_over_its_words():
    picture = draw.gradient_flow(exploding(1e200, float))
    assert {"no gradient", "NaN", "infinite"} <= set(said(picture))
    assert faults(picture.drawing) == []


def test_all_zero_gradients_draw():
    w, h = Value(0.0, name="w"), Value(0.0, name="h0")
    for t in range(1, 3):
        with timestep(t):
            h = (w * h).named("h")
    assert "zero" in said(draw.gradient_flow(gradient_flow(h * 0.0)))


def test_a_long_flow_has_strips_over_all_steps():
    flow = gradient_flow(graphs.vanilla(100))
    picture = draw.gradient_flow(flow)
    strips = [s for s in picture.drawing.strips if s.id != "legend.strip"]
    assert [len(s.cells) for s in strips] == [100] * 6  # h, and five weights
    norms = flow.norms("h")
    assert f"t = 50: {norms[50]:.3g}" in strips[0].cells[49].title
    assert any(w.startswith("Σ Δ = ") for w in said(picture))
    assert any(w.endswith(" per step") for w in said(picture))


def test_a_strip_shows_steps_without_a_gradient_as_empty():
    """The loss is at the last step only, so W_hy is used there and nowhere else."""
    picture = draw.gradient_flow(gradient_flow(graphs.vanilla(30, losses="last")))
    strip = next(s for s in picture.drawing.strips if "W_hy" in s.title)
    assert [cell.level > 0 for cell in strip.cells] == [False] * 29 + [True]


def test_layers_with_weights_of_the_same_name_have_a_strip_each():
    picture = draw.gradient_flow(gradient_flow(graphs.stacked(20)))
    titles = [s.title for s in picture.drawing.strips]
    assert sum("W_hh" in title for title in titles) == 2


def test_a_weight_used_more_than_once_in_a_step_has_one_number_there():
    """Its uses together, as in the ledger: what is drawn adds up to the whole gradient."""
    for root in (graphs.used_twice(), graphs.entered_again()):
        flow = gradient_flow(root)
        w = next(n for n in flow.arrived if n.name == "w")
        words = said(draw.gradient_flow(flow))
        deltas = [float(x.split(" = ")[1]) for x in words if x.startswith("Δ") and " = " in x]
        assert len(deltas) == root.step
        assert sum(deltas) == pytest.approx(w.grad, rel=2e-3)


def test_an_unnamed_result_is_called_as_the_ledger_calls_it():
    y, L = Value(2.0, name="y"), Value(2.0, name="L")
    texts = [[plain(b.text) for b in draw.unrolled(z).drawing.boxes] for z in (y * 3, L * 3)]
    assert [sorted(t) for t in texts] == [["L", "y", "× 3"], ["L", "result", "× 3"]]
    y = Tensor(np.ones(2), name="y", requires_grad=True)
    array = y * 3  # no single number: the op's sign stands for it
    assert sorted(plain(b.text) for b in draw.unrolled(array).drawing.boxes) == ["y", "× 3"]


def strips_of(picture, name):
    return next(s for s in picture.drawing.strips if name in s.title)


def test_bars_are_as_high_as_the_words_beside_them_say():
    """W_hy's parts differ by less than a factor of two: the largest is still the highest."""
    picture = draw.gradient_flow(gradient_flow(graphs.layer(30)))
    for name in ("W_hy", "W_hh"):
        strip = strips_of(picture, name)
        assert strip.title == f"‖Δ_t‖ of {name}, log scale"
        sizes = {float(c.title.split(": ")[1]): c.level for c in strip.cells
                 if c.level and c.paint != "zero"}  # of which only the outline is drawn
        assert sizes[max(sizes)] == pytest.approx(1.0)
        assert [level for _, level in sorted(sizes.items())] == sorted(sizes.values())
        beside = [w for w in said(picture) if w.endswith(("largest", "smallest"))]
        assert {f"{max(sizes):.3g} largest", f"{min(sizes):.3g} smallest"} <= set(beside)
    even = strips_of(draw.gradient_flow(gradient_flow(graphs.power(30))), "w, log")
    assert {round(cell.level, 6) for cell in even.cells} == {1.0}


def legend(picture):
    """The largest norm that the legend names."""
    return next(float(w.removeprefix("largest ")) for w in said(picture) if w[:8] == "largest ")


@pytest.mark.parametrize("build", [lambda: graphs.layer(30), graphs.used_twice, graphs.vanilla])
def test_the_largest_in_the_legend_is_the_largest_of_all(build):
    picture = draw.gradient_flow(gradient_flow(build()))
    cells = [c.title.rpartition(": ")[2].split(",")[0] for s in picture.drawing.strips
             for c in s.cells if c.title]
    sizes = [float(c) for c in cells if c[:1].isdigit()]
    words = [w for w in said(picture) if w[0] in "Δ∂‖" and " = " in w and "norms" not in w]
    rails = {b.id for b in picture.drawing.boxes if b.role.startswith("weight")}
    whole = [w for w in words if not any(f"∂{rail}" in w for rail in rails)]  # sums have no colour
    sizes += [abs(float(w.split(" = ")[1].replace("−", "-"))) for w in whole]
    assert legend(picture) == max(sizes)


def test_the_legend_shows_what_occurs_and_says_what_the_signs_mean():
    every = said(draw.gradient_flow(gradient_flow(graphs.vanilla(3))))
    assert {"no gradient", "zero"} <= set(every)
    assert "Δ_t: what step t adds to the gradient of a weight" in every
    assert any(w.startswith("×: the factor") for w in every)
    bare = said(draw.gradient_flow(gradient_flow(graphs.power(3))))
    assert not {"no gradient", "zero", "NaN", "infinite"} & set(bare)
    assert not [w for w in said(draw.gradient_flow(gradient_flow(graphs.neuron())))
                if w.startswith(("Δ", "×:"))]


def test_more_than_a_thousand_steps_share_cells():
    picture = draw.gradient_flow(gradient_flow(graphs.power(2_500)))
    assert max(len(strip.cells) for strip in picture.drawing.strips) == 1_000


def test_before_a_backward_there_is_no_flow_to_draw():
    with pytest.raises(
        InputError, match=r"expected a gradient flow, got Value 'h_3'.*tg\.gradient_flow"
    ):
        draw.gradient_flow(graphs.power(3))


@pytest.mark.parametrize("wrong", [3, "loss", None, [graphs.power(2)]])
def test_what_is_not_a_node_is_refused(wrong):
    with pytest.raises(InputError, match="expected a Value or a Tensor"):
        draw.unrolled(wrong)


@pytest.mark.parametrize("view", [draw.unrolled, draw.rolled, draw.scalar, draw.backward_graph])
def test_a_released_graph_is_refused(view):
    loss = graphs.power(3)
    loss.backward()
    release(loss)
    with pytest.raises(InputError, match=r"graph of .h_3. at step 3 was released.*Draw it first"):
        view(loss)


@pytest.mark.parametrize("view", [draw.gradient_flow, draw.player])
def test_the_flow_of_a_released_graph_is_refused(view):
    flow = gradient_flow(graphs.power(3))
    release(flow.root)
    with pytest.raises(InputError, match=r"graph of .h_3. at step 3 was released.*Draw it first"):
        view(flow)


@pytest.mark.parametrize("window", [{"first": -1}, {"last": 1.5}, {"first": 0, "last": 0}])
def test_a_window_that_cannot_be_is_refused(window):
    with pytest.raises(InputError):
        draw.unrolled(graphs.power(3), **window)
    with pytest.raises(InputError):
        draw.gradient_flow(gradient_flow(graphs.power(3)), **window)


def test_an_unknown_theme_is_refused():
    with pytest.raises(InputError, match="light, dark, print, auto"):
        draw.unrolled(graphs.power(3), theme="blue")


def test_a_decoder_stands_after_its_encoder():
    """Steps of its own, and the context as a rail of the state's colour."""
    picture = draw.unrolled(graphs.seq2seq(3, "both", S=2))
    frames = {box.id: box.sides for box in picture.drawing.frames}
    assert list(frames) == ["encoder.t1.frame", "encoder.t2.frame", "encoder.t3.frame",
                            "decoder.t0.frame", "decoder.t1.frame", "decoder.t2.frame"]
    assert frames["decoder.t0.frame"][0] > frames["encoder.t3.frame"][2]
    rail = next(box for box in picture.drawing.boxes if plain(box.text) == "h₃" and box.w > 20
                and box.shape == "rect")
    assert rail.role == "state"
    taps = [n for n in picture.drawing.lines if (n.tail or "").startswith(f"{rail.id}.tap")]
    assert len(taps) == 3


def test_the_gradient_of_a_context_runs_back_into_the_encoder():
    picture = draw.gradient_flow(gradient_flow(graphs.seq2seq(3, "input", S=2)))
    line = next(n for n in picture.drawing.lines if n.head == "t3.encoder.h" and n.tail == "h")
    assert line.colour is not None
    assert line.dash == ""


def test_gates_are_named_rows():
    found = texts_of(draw.unrolled(graphs.layer(2, kind=nn.LSTM)))
    assert {"[i]", "[f]", "[g]", "[o]"} <= found
    assert {"[r]", "[z]", "[n]"} <= texts_of(draw.unrolled(graphs.layer(2, kind=nn.GRU)))


def texts_of(picture):
    return {plain(box.text) for box in picture.drawing.boxes}


def test_a_fed_back_output_is_an_output():
    roles = {plain(box.text): box.role for box in draw.unrolled(graphs.written(3)).drawing.boxes}
    assert (roles["h₁"], roles["y₁"]) == ("state", "output")
