"""The gradient flow with boxes: what runs along a line there is the sum of what it stands for."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.draw.labels import number, plain

from . import graphs
from .faults import faults

MODELS = {
    "RNN": graphs.layer,
    "GRU": lambda: graphs.layer(3, kind=nn.GRU),
    "LSTM, long": lambda: graphs.layer(20, kind=nn.LSTM),
    "many to one": lambda: graphs.layer(9, many=False),
    "stacked": graphs.deep,
    "both ways": graphs.both_ways,
    "encoder, decoder": lambda: graphs.seq2seq(9, S=8, kind=nn.LSTM),
    "fed back": graphs.written,
    "padded": graphs.padded,
    "scalars": graphs.scalar_rnn,
    "skipping": graphs.skipping,
}


def notes(picture):
    return [plain(label.text) for label in picture.drawing.labels]


def line(picture, tail, head):
    """The line between two boxes, forward: from an operand to its user."""
    return next(x for x in picture.drawing.lines if (x.tail, x.head) == (tail, head))


def sent(flow, x, step):
    """What the operations of a step send back to `x`, each by itself."""
    return [use.array() for use in flow.incoming.get(x) if use.step == step]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("level", "direction"), [
    ("cell", "right"), ("cell", "down"), ("layer", "right")])
def test_every_level_has_a_place_for_everything(name, level, direction):
    flow = tg.gradient_flow(MODELS[name]())
    assert faults(draw.gradient_flow(flow, level=level, direction=direction).drawing) == []


def test_a_line_into_a_cell_is_all_that_the_cell_sends_back():
    flow = tg.gradient_flow(graphs.layer(3, kind=nn.GRU))
    picture = draw.gradient_flow(flow, level="cell")
    h = {x.step: x for x in flow.incoming if x.name == "h"}
    for step, before in ((2, "h₁"), (3, "h₂")):
        back = sent(flow, h[step - 1], step)
        assert len(back) == 2  # a GRU uses its state twice
        size = float(np.linalg.norm(sum(back)))
        drawn = line(picture, f"t{step}.GRU", f"t{step - 1}.h")
        assert drawn.title == f"step {step}: contributes {number(size)} to ∂L/∂{before}"
        factor = size / float(np.linalg.norm(flow.gradient(h[step])))
        assert f"×{number(factor)}" in notes(picture)


def test_a_weight_says_the_same_at_both_levels():
    flow = tg.gradient_flow(graphs.deep(4, nn.GRU))
    op, cell = (draw.gradient_flow(flow, level=level) for level in ("op", "cell"))
    said = [sorted(note for note in notes(picture) if note.startswith(("Δ", "‖∂L/∂W", "‖∂L/∂b")))
            for picture in (op, cell)]
    assert said[0] == said[1]
    assert len(said[0]) == 10 + 4 * 10 + 1  # the sums, the steps' parts, and the legend


def test_at_layer_level_all_steps_count_together():
    flow = tg.gradient_flow(graphs.layer(30))
    picture = draw.gradient_flow(flow, level="layer")
    whole = math.hypot(*flow.norms("h").values())
    assert f"‖∂L/∂(h₁ … h₃₀)‖ = {number(whole)}" in notes(picture)
    h = [x for x in flow.incoming if x.name == "h"]
    above = math.hypot(*(np.linalg.norm(sum(use.array() for use in flow.incoming.get(x)
                                            if use.node.name != "h" and use.op == "linear"
                                            and use.step == x.step)) for x in h))
    assert line(picture, "linear", "h_").title == f"contributes {number(above)} to ∂L/∂h₁ … h₃₀"
    weights = {x.name: np.linalg.norm(x.grad) for x in tg.nodes(flow.root) if x.name == "W_hh"}
    assert any(f"W_hh {number(weights['W_hh'])}" in note for note in notes(picture))
    assert len(picture.drawing.strips) == 6 + 1  # h, five weights; the legend
    assert all(len(strip.cells) == 30 for strip in picture.drawing.strips[:6])


def test_weights_of_one_name_are_told_apart_in_the_strips():
    titles = [strip.title for strip in
              draw.gradient_flow(tg.gradient_flow(graphs.deep(3)), level="layer").drawing.strips]
    assert len(set(titles)) == len(titles) == 2 + 8 + 1
    assert sum(" of layer 1" in title for title in titles) == 4


def test_what_is_zero_looks_so_at_cell_level_too():
    flow = tg.what_if(graphs.layer(4, many=False), "no dh_next")
    picture = draw.gradient_flow(flow, level="cell")
    looks = [(line(picture, f"t{t}.RNN", f"t{t - 1}.h").role) for t in (2, 3)]
    assert looks == ["zero", "zero"]
    assert "×0" in notes(picture)


def test_two_states_that_leave_a_box_together_have_a_factor_each():
    flow = tg.gradient_flow(graphs.seq2seq(4, kind=nn.LSTM))
    picture = draw.gradient_flow(flow, collapse="encoder")
    assert sum(note.count("×") == 2 for note in notes(picture)) == 3
    assert faults(picture.drawing) == []


def test_the_legend_says_that_norms_do_not_add_up():
    arrays, numbers = (notes(draw.gradient_flow(tg.gradient_flow(make())))
                       for make in (graphs.layer, graphs.power))
    assert any("do not add up" in note for note in arrays)
    assert not any("do not add up" in note for note in numbers)


@pytest.mark.parametrize(("kind", "level", "said"), [
    (nn.LSTM, "cell", True), (nn.LSTM, "op", False), (nn.GRU, "cell", False),
    (nn.RNN, "cell", False)])
def test_a_part_that_a_state_gets_inside_of_its_cell_is_told_of(kind, level, said):
    """At cell level c of the last step has a gradient, from the h beside it, and no wire brings
    it."""
    drawing = draw.gradient_flow(tg.gradient_flow(graphs.layer(3, kind=kind)), level=level).drawing
    told = "what a state gets from inside its own cell has no wire"
    assert (told in [plain(x.text) for x in drawing.labels]) is said
    assert faults(drawing) == []


@pytest.mark.parametrize("many", [False, True])
def test_beside_sequences_every_gradient_says_of_what_it_is(many):
    flow = tg.gradient_flow(graphs.layer(many=many))
    said = [plain(x.text) for x in draw.gradient_flow(flow, level="layer").drawing.labels]
    told = [w for w in said if w.startswith("‖∂") and " = " in w]
    assert "‖∂L/∂L‖ = 1" in told
    assert not [w for w in told if not w.startswith("‖∂L/∂")]


def pills(drawing):
    """The boxes of operations, by what they say, at each step."""
    return {t: sorted(plain(box.text) for box in drawing.boxes if box.id.startswith(f"t{t}.")
                      and box.role in ("op", "function", "cell")) for t in range(1, 5)}


def masked(last):
    """An LSTM with a head, masked at the last step alone or at the one before as well."""
    if last:
        return graphs.padded(4, kind=nn.LSTM)
    layer = nn.LSTM(4, 3, seed=0, return_sequences=True)
    return graphs.priced(graphs.head()(layer(graphs.sequence(4, 4), lengths=[4, 2])))


@pytest.mark.parametrize("last", [True, False])
def test_a_linear_map_is_one_box_where_a_mask_kept_a_state_too(last):
    """There it reads another thing than at other steps: the state that was chosen."""
    root = masked(last)
    flow = draw.gradient_flow(tg.gradient_flow(root), level="cell").drawing
    for drawing in (flow, draw.unrolled(root, level="cell").drawing):
        for what in pills(drawing).values():
            assert [word for word in what if word != "where"] == ["LSTM", "cross entropy", "linear"]
        assert faults(drawing) == []
    rolled = draw.rolled(root, level="cell").drawing
    assert [plain(box.text) for box in rolled.boxes].count("linear") == 1
    assert "@" not in [plain(box.text) for box in rolled.boxes]


def test_operations_are_in_one_box_whichever_operand_comes_first():
    def boxes(turned):
        w, h, total = tg.Value(0.5, name="w"), tg.Value(0.3, name="h0"), 0
        for t in range(1, 4):
            with tg.timestep(t):
                h = tg.tanh(w * h).named("h")
                a, b = tg.exp(h), h * 2.0
                total = (b * a if turned else a * b).named("L") + total
        return pills(draw.unrolled(total, level="cell").drawing)

    assert boxes(False) == boxes(True)


def test_a_state_beside_its_cell_gives_its_gradient_straight_to_it():
    """Also where a mask lets another thing go on to the next step, from the same side."""
    picture = draw.gradient_flow(tg.gradient_flow(masked(last=False)), level="cell")
    ways = [line(picture, f"t{t}.h", f"t{t}.LSTM").points for t in range(1, 5)]
    assert [len(way) for way in ways] == [2, 2, 2, 2]


@pytest.mark.parametrize("direction", ["right", "down"])
def test_what_leads_on_from_another_step_is_drawn_between_layers_too(direction):
    """The last output of a layer that reads backwards is that of step 1, and is read at step T; a
    state that comes back to its own layer is not drawn."""
    flow = tg.gradient_flow(graphs.both_ways(4, many=False))
    picture = draw.gradient_flow(flow, level="layer", direction=direction)
    for way in ("forward", "backward"):
        sent = next(use.norm() for h in flow.incoming if h.name == "h" and h.scope == way
                    for use in flow.incoming.get(h) if use.node.op.name == "concat")
        assert number(sent) in line(picture, "concat", f"{way}.h_").title
        assert not [x for x in picture.drawing.lines
                    if (x.tail, x.head) == (f"{way}.RNN", f"{way}.h_")]
    assert faults(picture.drawing) == []
