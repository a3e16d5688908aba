"""Faults that were seen by eye, each with what tells it from the drawing alone."""

import re
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.draw import escapes, style
from tinygrad_rnn.draw.labels import number, plain
from tinygrad_rnn.draw.paper import label_rect

RECURRENT = ["many-to-many", "many-to-one", "one-to-many", "lstm", "gru", "stacked",
             "bidirectional", "encoder-decoder"]


def parts_of_sums(drawing):
    """The words Δ_t = … of a drawing."""
    return [label for label in drawing.labels if plain(label.text).startswith("Δ")
            and "=" in plain(label.text)]


def heads(drawing):
    """The box of every arrow head that ends on a rail."""
    for line in drawing.lines:
        if line.arrow and line.head is not None and ".tap" in line.head:
            (x, y), (_, before) = line.points[-1], line.points[-2]
            long, half = 5.0 + 1.9 * line.width, 2.4 + 1.15 * line.width
            yield x - half, min(y, y + np.sign(before - y) * long), x + half, \
                max(y, y + np.sign(before - y) * long)


def near_rail(drawing, label):
    """The rail that a reader takes words for: the first below them."""
    rails = [line for line in drawing.lines if line.id.endswith(".rail") and line.head is not None]
    left, _, right, _ = label_rect(label)
    below = [line for line in rails if line.points[0][1] >= label.y
             and line.points[1][0] - 60 < right and left < line.points[0][0] + 150]
    return min(below, key=lambda line: line.points[0][1])


@pytest.mark.parametrize("level", ["op", "cell"])
@pytest.mark.parametrize("name", RECURRENT)
def test_what_a_step_adds_stands_above_the_rail_of_its_weight_and_clear_of_heads(name, level):
    found = model(name, 3)
    flow = tg.gradient_flow(found.loss)
    drawing = draw.gradient_flow(flow, level=level).drawing
    sizes = {}  # by weight and step
    for w in flow.incoming:
        if w.is_leaf and w.requires_grad:
            parts = {}
            for row in flow.ledger(w):
                parts.setdefault(row.step, []).append(row.contribution)
            for step, some in parts.items():
                said = number(np.linalg.norm(sum(some)))
                sizes.setdefault((w.name, str(step)), set()).add(said)
    assert parts_of_sums(drawing)
    for label in parts_of_sums(drawing):
        rail = near_rail(drawing, label)
        weight = re.search(r"([WbPp](_[a-z]+)?)(\.\d+)?\.rail$", rail.id)[1]
        known = sizes[weight, label.text[1].text]
        assert label.text[-1].text in known, f"{plain(label.text)} stands at {rail.id}"
        left, top, right, bottom = label_rect(label)
        for a, b, c, d in heads(drawing):
            assert not (left < c + 1 and a < right + 1 and top < d and b < bottom), (
                f"{plain(label.text)} touches an arrow head")


@pytest.mark.parametrize("level", ["op", "cell"])
@pytest.mark.parametrize("T", [3, 9])
def test_every_gradient_that_arrives_at_a_state_is_told_and_they_add_up(T, level):
    """What is dhnext, why is it added to dh? Both are numbers at h_t, in a network of numbers; also
    where what comes next is not drawn."""
    a, b = tg.Value(-0.3, name="a"), tg.Value(0.4, name="b")
    h, loss = tg.Value(0.1, name="h0"), 0.0
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(a * h + b).named("h")
            loss = loss + (h * 2.0).named("y") ** 2
    flow = tg.gradient_flow(loss)
    picture = draw.gradient_flow(flow, 3, 2, level=level)
    told = [float(plain(n.text).replace("−", "-")) for n in picture.drawing.labels
            if n.role == "quiet" and re.fullmatch(r"−?[\d.]+(e−?\d+)?", plain(n.text))]
    for t in (1, 2, *([3, T - 1] if T > 3 else ())):
        whole = float(flow.gradient(next(x for x in flow.incoming if x.name == "h"
                                         and x.step == t)))
        assert any(abs(p + q - whole) < 4e-3 * abs(whole) for p in told for q in told), t


def test_what_comes_after_the_last_state_is_drawn_as_it_is_at_every_step():
    """A head on the last state: the same boxes, in the same colours, in one line."""
    one, many = (model(name, 3).loss for name in ("many-to-one", "many-to-many"))
    for level in ("cell", "layer"):
        looks = []
        for loss in (one, many):
            boxes = draw.unrolled(loss, level=level).drawing.boxes
            said = {plain(b.text).rstrip("₁₂₃ …y"): b.role for b in boxes}
            looks.append({(text, role) for text, role in said.items()
                          if text in ("linear", "squared error")})
        assert looks[0] == looks[1] != set()
    y = next(b for b in draw.unrolled(one).drawing.boxes if plain(b.text) == "y")
    assert y.role == "output"


@pytest.mark.parametrize("name", ["many-to-one", "encoder-decoder", "lstm", "stacked"])
@pytest.mark.parametrize("level", ["op", "layer"])
def test_a_chain_outside_of_time_is_level(name, level):
    drawing = draw.unrolled(model(name, 3).loss, level=level).drawing
    alone = {b.id: b for b in drawing.boxes if b.w > 8 and not b.role.startswith("weight")
             and not any(f.sides[0] < b.x < f.sides[2] for f in drawing.frames)}
    users, operands = {}, {}
    for line in drawing.lines:
        if line.tail in alone and line.head in alone:
            users.setdefault(line.tail, []).append(line.head)
            operands.setdefault(line.head, []).append(line.tail)
    chains = [(a, b) for a, (b, *more) in users.items() if not more if len(operands[b]) == 1]
    assert level == "op" or chains
    for a, b in chains:
        assert alone[a].y == pytest.approx(alone[b].y, abs=0.01), (a, b)


def test_words_in_a_crowded_step_stand_near_what_they_are_of():
    for name, show in (("one-to-many", ["names"]), ("one-to-many", ["names", "shapes"]),
                       ("encoder-decoder", ["names"])):
        for level in ("op", "cell"):
            drawing = draw.rolled(model(name, 3).loss, level=level, show=show).drawing
            box = next(b for b in drawing.boxes if plain(b.text) == "x_t" and b.dashed)
            label = next(n for n in drawing.labels if "only t = 1" in plain(n.text))
            left, top, right, _ = label_rect(label)
            far = 40 if "shapes" in show else 0
            assert left < box.sides[2] + far
            assert right > box.sides[0]
            assert top < box.sides[3] + 30


def test_first_states_leave_room_for_the_wires_between_them():
    drawing = draw.unrolled(model("lstm", 3).loss).drawing
    h, c = (next(b for b in drawing.boxes if plain(b.text) == text) for text in ("h₀", "c₀"))
    assert abs(h.y - c.y) - h.h >= 18


def test_the_title_of_a_step_stands_alone():
    for name in ("scalar", "many-to-one"):
        drawing = draw.rolled(model(name, 3).loss).drawing
        title = next(n for n in drawing.labels if plain(n.text) == "t = 1 … T")
        _, top, right, bottom = label_rect(title)
        others = [label_rect(n) for n in drawing.labels if n is not title]
        assert not any(a < right + 8 and c > right and b < bottom and d > top
                       for a, b, c, d in others)


def test_a_step_that_does_not_use_a_weight_is_empty_in_its_row_and_names_are_as_in_equations():
    found = model("encoder-decoder", 3)
    flow = tg.gradient_flow(found.loss)
    ledgers = {f"part/{name}": flow.ledger(w) for name, w in found.weights.items()}
    drawing = draw.heatmap(ledgers).drawing
    used = {(i, row.step) for i, ledger in enumerate(ledgers.values()) for row in ledger}
    cells = [b for b in drawing.boxes if b.id.startswith("cell")]
    assert len(cells) == len(used) < 4 * len(ledgers)
    rows = [n for n in drawing.labels if plain(n.text).startswith("part/")]
    assert len(rows) == len(ledgers)
    assert any(run.style == "_" for n in rows for run in n.text)


@pytest.mark.parametrize(("k1", "k2", "signs"), [
    (2, 4, {"cut", "sent back", "new steps", "run again"}),
    (4, 2, {"cut", "sent back", "that is not"}), (8, 8, {"sent back"})])
def test_the_legend_of_a_truncation_explains_all_that_is_drawn(k1, k2, signs):
    drawing = draw.truncated(8, k1=k1, k2=k2).drawing
    below = max(b.sides[3] for b in drawing.frames)
    said = " ".join(plain(n.text) for n in drawing.labels if n.y > below)
    every = {"cut", "sent back", "that is not", "new steps", "run again"}
    assert {sign for sign in every if sign in said} == signs


def test_the_numbers_of_an_axis_stand_clear_of_its_boxes():
    drawing = draw.truncated(500, k1=20, k2=35).drawing
    numbers = [label_rect(n) for n in drawing.labels if plain(n.text).isdigit()]
    boxes = [f.sides for f in drawing.frames]
    lines = [(min(x for x, _ in n.points), min(y for _, y in n.points),
              max(x for x, _ in n.points), max(y for _, y in n.points)) for n in drawing.lines]
    assert len(numbers) > 20
    words = [label_rect(n) for n in drawing.labels]
    assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
                   for a in numbers for b in boxes)
    assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
                   for a in words for b in lines)


def test_layers_say_what_a_delta_is_where_strips_show_it():
    flow = tg.gradient_flow(model("many-to-many", 3).loss)
    said = [plain(n.text) for n in draw.gradient_flow(flow, level="layer").drawing.labels]
    assert any(text.startswith("Δ_t: what step t adds") for text in said)


def test_a_weight_outside_of_time_tells_its_gradient():
    found = model("many-to-one", 3)
    flow = tg.gradient_flow(found.loss)
    said = [plain(n.text) for n in draw.gradient_flow(flow).drawing.labels]
    W_hy = next(w for name, w in found.weights.items() if "W_hy" in name)
    assert f"‖∂L/∂W_hy‖ = {number(np.linalg.norm(flow.gradient(W_hy)))}" in said


@pytest.mark.parametrize(("colours", "found"), [
    (1 << 24, r"\x1b\[48;2;(\d+);(\d+);(\d+);38;2;\d+;\d+;\d+m"),
    (256, r"\x1b\[48;5;(\d+);38;5;\d+m")])
def test_a_terminal_shows_the_colours_that_it_has_and_explains_them(colours, found):
    picture = draw.text("abc", [-1.0, 0.0, 1.0])
    text, words = picture.ansi(colours).splitlines()[:2]
    assert len(re.findall(found, text)) == 3
    assert re.findall(found, words) == re.findall(found, text)  # -1, 0 and 1 are the ends
    assert re.sub(r"\x1b\[[\d;]*m", "", words).split() == ["−1", "0", "1"]
    with pytest.raises(tg.errors.InputError, match="16,777,216 or 256"):
        picture.ansi(16)


@pytest.mark.parametrize(("row", "scale"), [(escapes.SIGNED, style.SIGNED),
                                            (escapes.SIZES, style.SIZES)])
def test_the_256_colours_go_as_the_others_do(row, scale):
    """Each is near the one that is meant, and darker the further it is from the pale end."""
    meant = [style.between(scale, i / (len(row) - 1)) for i in range(len(row))]
    shown = [escapes.meant(n) for n in row]
    assert all(style.apart(a, b) < 130 for a, b in zip(meant, shown))
    bright = [style.brightness(c) for c in shown]
    pale = bright.index(max(bright))
    assert bright == sorted(bright[:pale]) + sorted(bright[pale:], reverse=True)
    assert meant.index(max(meant, key=style.brightness)) == pale


@pytest.mark.parametrize("name", RECURRENT)
def test_of_finite_gradients_nothing_says_nan(name):
    drawing = draw.gradient_flow(tg.gradient_flow(model(name, 10).loss)).drawing
    assert any(frame.role == "gap" for frame in drawing.frames)
    assert not [n for n in drawing.labels if "NaN" in plain(n.text)]


def test_no_paper_shines_through_between_slim_rows():
    strips = draw.heatmap(np.arange(300.0 * 900).reshape(300, 900)).drawing.strips[:-1]
    assert len(strips) == 64
    assert all(a.y + a.h > b.y + 0.3 for a, b in pairwise(strips))


@pytest.mark.parametrize("name", ["one-to-many", "encoder-decoder"])
def test_words_of_two_parts_are_broken_before_they_run_across_a_weights_wire(name):
    """2 × 3, only t = 1 has no room beside x_t in one line."""
    picture = draw.rolled(model(name, 3).loss, show=["names", "shapes", "parameters"]).drawing
    upright = [(p, q) for line in picture.lines for p, q in pairwise(line.points) if p[0] == q[0]]
    only = next(n for n in picture.labels if plain(n.text) == "only t = 1")
    shape = next(n for n in picture.labels if plain(n.text) == "2 × 3" and n.y == only.y - 13)
    for words in (only, shape):
        left, top, right, bottom = label_rect(words)
        inset = 0.1 * (right - left)  # of the widest font
        assert not [p for p, q in upright if left + inset < p[0] < right - inset
                    and min(p[1], q[1]) < bottom and max(p[1], q[1]) > top]


@pytest.mark.parametrize("level", ["op", "cell"])
def test_an_output_that_is_read_again_tells_what_each_side_sends_back(level):
    flow = tg.gradient_flow(model("one-to-many", 3).loss)
    picture = draw.gradient_flow(flow, level=level).drawing
    y = next(box for box in picture.boxes if box.id.endswith("t1.y"))
    near = [float(plain(n.text)) for n in picture.labels if n.size == style.TINY
            and abs(n.x - y.x) < 40 and abs(n.y - y.y) < 40]
    assert len(near) == 2
    whole = flow.norm(next(n for n in flow.arrived if n.name == "y" and n.step == 1))
    assert max(near) - min(near) < whole < sum(near)  # two vectors and their sum


def test_a_shared_part_of_a_weight_is_called_after_it():
    """Not [], which is the name of the operation that takes a part."""
    W = tg.Tensor(np.full((3, 2, 2), 0.3), name="W", requires_grad=True)
    table = tg.Tensor(np.ones((5, 2)), name="E", requires_grad=True)
    some, h = W[np.array([0, 2])], tg.Tensor(np.ones((1, 2)), name="h_0")
    for t in range(1, 4):
        with tg.timestep(t):
            h = tg.tanh(h @ W[0] + h @ W[1].T + (h @ some).sum(0) + table[np.array([t])]).named("h")
    boxes = draw.unrolled((h**2).sum().named("L")).drawing.boxes
    rails = {plain(box.text) for box in boxes if box.role.startswith("weight")}
    assert rails >= {"W[[0, 2]]"}
    assert not any(plain(box.text) in ("[]", "[h]") for box in boxes)  # h is no gate
    assert {plain(box.text) for box in boxes} >= {"[[1]]", "[[2]]", "[[3]]"}


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_first_state_that_is_used_twice_stands_there_once(kind):
    """A sample of length 0 keeps it, and the others begin with it."""
    xs = np.random.default_rng(0).normal(size=(3, 3, 2))
    y = kind(2, 3, return_sequences=True, seed=0)(xs, lengths=[0, 2, 3])
    boxes = draw.unrolled((y**2).sum()).drawing.boxes
    first = [plain(box.text) for box in boxes if box.role == "initial"]
    assert len(first) == len(set(first)) == (2 if kind is nn.LSTM else 1)


@pytest.mark.parametrize("direction", ["right", "down"])
def test_where_gradients_go_on_together_the_largest_lies_on_top(direction):
    """A thin line along the middle of a thick one looked like a seam in it."""
    flow = tg.gradient_flow(model("lstm", 3).loss)
    lines = draw.gradient_flow(flow, direction=direction).drawing.lines
    widths = [line.width for line in lines if not line.id.startswith("legend")]
    assert widths == sorted(widths)
    assert len(set(widths)) > 10
