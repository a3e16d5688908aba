"""Truncation, heat maps, coloured text, scalar graphs, graphs of gradients: what they say is so."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.draw import opened, style
from tinygrad_rnn.draw.labels import number, plain
from tinygrad_rnn.errors import InputError, ShapeError, UnsupportedError

from . import graphs, pictures
from .faults import faults

# characters stand close together, and a window's marks on its band
CROWDED = ("text",)


def words(picture):
    return [plain(x.text) for x in (*picture.drawing.boxes, *picture.drawing.labels) if x.text]


@pytest.mark.parametrize("name", [n for n in pictures.VIEWS if not n.startswith(CROWDED)])
def test_everything_has_its_own_place(name):
    assert faults(pictures.VIEWS[name]().drawing) == []


@pytest.mark.parametrize("name", pictures.VIEWS)
def test_ids_are_unique_and_lines_end_at_things_that_exist(name):
    drawing = pictures.VIEWS[name]().drawing
    ids = [x.id for x in (*drawing.boxes, *drawing.frames, *drawing.lines, *drawing.strips)]
    assert len(ids) == len(set(ids))
    assert {e for n in drawing.lines for e in (n.tail, n.head)} - {None} <= set(ids)


# --- truncation -----------------------------------------------------------------------------------


def test_the_norms_are_those_of_the_cuts_and_the_losses_those_given():
    windows, losses = pictures.windows(8, 3)
    said = " ".join(words(draw.truncated(windows, losses=losses)))
    for window, loss in zip(windows, losses):
        assert f"L = {loss:.3g}" in said
        for cut in window.cut:
            assert f"‖∂L/∂h{'₀₁₂₃₄₅₆₇₈'[cut.step]}‖ = {cut.norm:.3g}" in said


@pytest.mark.parametrize(("k1", "k2", "said"), [
    (2, 2, ["back over 1 … 2 steps", "back over 1 … 2 steps", "back over 1 … 2 steps"]),
    (2, 3, ["back over 1 … 2 steps", "back over 2 … 3 steps", "back over 2 … 3 steps"]),
    (3, 2, ["back over 0 … 2 steps", "back over 0 … 2 steps"]),
    (1, 1, ["back over 1 step"] * 6), (6, 6, ["back over 1 … 6 steps"])])
def test_how_far_each_loss_reaches_back_in_measured_windows_and_in_the_plan(k1, k2, said):
    measured = draw.truncated(pictures.windows(6, k1, k2)[0])
    plan = draw.truncated(6, k1, k2)
    for picture in (measured, plan):
        found = [w.split(";")[0].strip() for w in words(picture) if "back over" in w]
        assert found == said


def test_a_measured_truncation_is_drawn_with_its_cuts():
    layer = nn.RNN(3, 2, return_sequences=True, seed=0)
    xs = np.random.default_rng(0).normal(size=(6, 2, 3))
    found = tg.truncation(nn.squared_error(layer(xs), np.zeros((6, 2, 2))), layer, 2, 3)
    said = words(draw.truncated(found))
    assert next(w for w in said if w.startswith("back over")) == "back over 1 … 2 steps"
    for cut in found.cuts:
        assert any(f"= {cut.norm:.3g}" in w for w in said)


def cut_up(layer, T, k1, k2):
    """A truncation of a layer that gives two numbers a step, and its picture."""
    xs = np.random.default_rng(0).normal(size=(T, 2, 3))
    outputs = layer(xs)
    found = tg.truncation(nn.squared_error(outputs, np.zeros(outputs.shape)), layer, k1, k2)
    return found, draw.truncated(found)


@pytest.mark.parametrize(("T", "k1", "k2"), [(6, 2, 3), (6, 3, 2), (5, 2, 2), (40, 10, 12)])
def test_windows_that_go_against_time_are_the_mirror_image_of_those_that_go_with_it(T, k1, k2):
    ways = [cut_up(nn.RNN(3, 2, return_sequences=True, reverse=reverse, seed=0), T, k1, k2)
            for reverse in (False, True)]
    (_, there), (found, back) = ways
    assert faults(back.drawing) == []
    frames = [{f.id: f for f in picture.drawing.frames} for _, picture in ways]
    both = min(f.sides[0] for f in there.drawing.frames) + max(
        f.sides[2] for f in there.drawing.frames)
    assert frames[0].keys() == frames[1].keys()
    for name, f in frames[0].items():
        other = frames[1][name].sides
        assert (other[0], other[2]) == pytest.approx((both - f.sides[2], both - f.sides[0]))
    said = [[w for w in words(picture) if w.startswith("back over")] for _, picture in ways]
    assert [w.split(";")[0] for w in said[0]] == [w.split(";")[0] for w in said[1]]
    for cut in found.cuts:
        assert any(f"‖ = {number(cut.norm)}" in w for w in said[1])


def test_both_directions_of_a_bidirectional_layer_are_drawn():
    layer = nn.Bidirectional(nn.LSTM(3, 2, return_sequences=True, seed=0))
    found, picture = cut_up(layer, 9, 4, 5)
    assert faults(picture.drawing) == []
    boxes = {box.id: box for box in picture.drawing.boxes}
    assert all(boxes[f"h{t}"].x == boxes[f"lower.h{t}"].x for t in range(1, 10))
    said = words(picture)
    for each in found:
        assert each.cuts
        assert all(any(f"= {number(cut.norm)}" in w for w in said) for cut in each.cuts)


def test_a_gradient_that_reaches_no_further_is_really_zero_there():
    """The picture says that a loss at step 6 reaches back over 3 steps: so dL_6/dx_3 is 0."""
    layer = nn.RNN(3, 2, return_sequences=True, seed=0)
    xs = tg.Tensor(np.random.default_rng(0).normal(size=(6, 1, 3)), name="x", requires_grad=True)
    for window in tg.truncated_bptt(layer, xs, 2, 3):
        window.backward(window.outputs[-1].sum() * (6 in window.times))
    assert [bool(np.any(g)) for g in xs.grad] == [False, False, False, True, True, True]


@pytest.mark.parametrize(("windows", "options", "says"), [
    ([], {}, "list of windows"), ("abc", {}, "list of windows"), ([1, 2], {}, "list of windows"),
    (6, {}, "k1"), (6, {"k1": 0}, "k1"), (0, {"k1": 2}, "steps"), (True, {"k1": 2}, "steps"),
    (6, {"k1": 2, "k2": 1.5}, "k2"), ([], {}, "got an empty list"),
    (tg.Tensor(np.ones(3)), {"k1": 2}, "list of windows, got Tensor"),
    ([tg.Value(1.0)], {"k1": 2}, "list of windows, got a list with a Value in it")])
def test_what_is_no_truncation_is_refused(windows, options, says):
    with pytest.raises(InputError, match=says):
        draw.truncated(windows, **options)


def test_losses_must_be_as_many_as_windows():
    with pytest.raises(InputError, match="expected 3 losses"):
        draw.truncated(pictures.windows()[0], losses=[1.0])


# --- heat maps ------------------------------------------------------------------------------------


def test_units_run_down_and_time_runs_right():
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    outputs = nn.RNN(3, 5, return_sequences=True, seed=0)(xs)
    drawing = draw.heatmap(outputs, sample=1).drawing
    cell = next(b for b in drawing.boxes if b.title.startswith("unit 2, step 3:"))
    assert plain(cell.text).replace("−", "-") == f"{outputs.numpy()[2, 1, 2]:.3g}"
    below = next(b for b in drawing.boxes if b.title.startswith("unit 3, step 3:"))
    after = next(b for b in drawing.boxes if b.title.startswith("unit 2, step 4:"))
    assert (below.x, after.y) == (cell.x, cell.y)
    assert below.y > cell.y
    assert after.x > cell.x


def test_red_is_positive_blue_negative_and_white_zero():
    boxes = draw.heatmap([[-2.0, 0.0, 2.0, 1.0]]).drawing.boxes
    assert [b.fill for b in boxes[:3]] == ["#2166ac", "#f4f4f4", "#b2182b"]  # the paper is white
    red, green, blue = (int(boxes[3].fill[i:i + 2], 16) for i in (1, 3, 5))
    assert red > green > blue


def test_a_large_table_keeps_its_extremes_and_says_that_it_is_binned():
    table = np.zeros((300, 1000))
    table[123, 456], table[7, 999] = 5.0, -5.0
    picture = draw.heatmap(table)
    titles = [c.title for s in picture.drawing.strips for c in s.cells]
    assert len(titles) < 11_000
    assert any(t.endswith("row 123, step 457: 5") for t in titles)
    assert any(t.endswith("row 7, step 1000: −5") for t in titles)
    assert any("a cell shows the largest of" in w for w in words(picture))


def test_a_nan_is_not_lost_in_a_large_table():
    table = np.ones((200, 400))
    table[3, 5] = np.nan
    picture = draw.heatmap(table)
    assert any(c.paint == "nan" for s in picture.drawing.strips for c in s.cells)
    assert "?" in picture.text()


def test_in_one_cell_a_nan_comes_before_what_is_infinite():
    table = np.ones((200, 400))
    table[2, 4], table[0, 3] = np.nan, -np.inf
    paints = {c.paint for s in draw.heatmap(table).drawing.strips for c in s.cells}
    assert "nan" in paints
    table[2, 4] = -1e300
    assert "nan" not in {c.paint for s in draw.heatmap(table).drawing.strips for c in s.cells}


@pytest.mark.parametrize("shape", [(2, 5), (30, 40), (300, 400)])
def test_what_a_mask_hides_is_not_drawn(shape):
    table = np.ma.masked_array(np.ones(shape), np.zeros(shape, bool))
    table[0, 1] = 7.0
    table[0, 1] = np.ma.masked
    picture = draw.heatmap(table)
    titles = [b.title for b in picture.drawing.boxes] + \
        [c.title for s in picture.drawing.strips for c in s.cells]
    assert not any(title.startswith("row 0, step 2:") for title in titles)
    assert sum(bool(title) for title in titles) > 8
    assert "7" not in [w.split()[-1] for w in words(picture)]
    states = np.ma.masked_array(np.ones((4, 2, 3)), np.zeros((4, 2, 3), bool))
    states[2, 1, 0] = np.ma.masked
    told = [b.title for b in draw.heatmap(states, sample=1).drawing.boxes]
    assert len([title for title in told if title.startswith("unit")]) == 11
    assert "unit 0, step 3: 1" not in told


ODD = [[1.0, np.nan], [-np.inf, -1.0]]


def looks(picture, name):
    """Fill, outline and dashes of the last shape in the group of that id."""
    group = picture.svg().split(f'<g id="{name}">')[1].split("</g>")[0]
    shape = re.findall("<rect [^>]*>", group)[-1]
    return tuple((re.search(f' {key}="([^"]*)"', shape) or [0, ""])[1]
                 for key in ("fill", "stroke", "stroke-dasharray"))


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("view", ["few", "many", "text"])
def test_what_is_no_number_looks_as_in_the_legend_and_as_no_number_does(view, theme):
    if view == "many":
        picture = draw.heatmap(np.repeat([[1.0, np.nan], [0.0, np.inf], [0.0, -1.0]], 30, 1),
                               theme=theme)
        nan, inf, most = "row_0", "row_1", "row_2"
    elif view == "few":
        picture, nan, inf, most = draw.heatmap(ODD, theme=theme), "cell_0_1", "cell_1_0", "cell_0_0"
    else:
        picture = draw.text("abc", [np.nan, np.inf, 1.0], theme=theme)
        nan, inf, most = "c0_0", "c0_1", "c0_2"
    drawn = [looks(picture, name) for name in (nan, inf)]
    assert drawn == [looks(picture, f"legend_{word}") for word in ("NaN", "infinite")]
    assert len({*drawn, looks(picture, most)}) == 3
    table = style.THEMES[theme]
    for role in style.NO_NUMBER:  # no shade of any scale, or with an outline that none has
        shades = {style.Shade(scale, k / 40).on(theme) for scale in ("signed", "sizes")
                  for k in range(41)}
        near = min(style.apart(table[role].fill, shade) for shade in shades)
        outlined = style.contrast(table[role].fill, table[role].stroke) > 4.5
        assert near > 60 or outlined
        assert style.contrast(table[role].fill, table[role].ink) >= style.LEAST_CONTRAST


def test_what_is_no_number_is_told_apart_without_colours():
    """On a printer NaN and infinity are white inside; NaN has a dashed outline."""
    picture = draw.heatmap(ODD, theme="print")
    assert looks(picture, "cell_0_1") == ("#ffffff", "#000000", "4 3")
    assert looks(picture, "cell_1_0") == ("#ffffff", "#000000", "")
    assert 'style="filled,dashed"' in draw.heatmap(np.repeat(ODD, 30, 1), theme="print").dot()
    page = draw.text("abc", [np.nan, np.inf, 1.0], theme="print").html()
    assert "outline:1px dashed #000000" in page
    assert "</b> NaN" in page
    assert "</b> infinite" in page


def test_a_row_of_a_ledger_has_the_contributions_of_its_steps():
    flow = tg.gradient_flow(graphs.power(3))
    ledger = flow.ledger(next(n for n in flow.incoming if n.name == "w"))
    boxes = [b for b in draw.heatmap(ledger).drawing.boxes if "step" in b.title]
    assert [plain(b.text) for b in boxes] == ["0.036"] * 3


def test_a_table_of_attributions():
    rnn = nn.RNN(3, 4, return_sequences=True, seed=0)
    xs = np.random.default_rng(0).normal(size=(4, 1, 3))
    loss = nn.squared_error(rnn(xs), np.zeros((4, 1, 4)))
    losses = [n for n in tg.nodes(loss) if n.name == "L" and n.step is not None]
    table = tg.gradient_flow(loss).attribution(rnn.cell.W_hh, losses)
    titles = [b.title for b in draw.heatmap(table).drawing.boxes]
    assert f"loss L 3, step of the use 2: {table.norms[2, 1]:.3g}" in titles
    assert "loss L 2, step of the use 1: 0" in titles  # h_0 is 0
    later = [f"loss L {t}, step of the use {k}" for t in range(1, 5) for k in range(t + 1, 5)]
    assert not any(title.startswith(tuple(later)) for title in titles)  # cannot be: left empty
    assert draw.heatmap(table).text().splitlines()[2].rstrip() == "L 1  ▁"


@pytest.mark.parametrize(("data", "options", "error", "says"), [
    ("words", {}, InputError, "table of numbers"), ([], {}, ShapeError, "expected a table"),
    (np.zeros((2, 2, 2, 2)), {}, ShapeError, "got shape"),
    (np.zeros((2, 3)), {"rows": ["a"]}, ShapeError, "expected 2 names in rows"),
    (np.zeros((2, 3)), {"columns": "abcd"}, ShapeError, "expected 3 names in columns"),
    (np.zeros((2, 3)), {"scale": "log"}, InputError, "expected scale"),
    (np.zeros((2, 3, 4)), {"sample": 3}, InputError, "sample to be from 0 to 2")])
def test_what_is_no_table_is_refused(data, options, error, says):
    with pytest.raises(error, match=says):
        draw.heatmap(data, **options)


# --- text -----------------------------------------------------------------------------------------


def test_every_character_is_drawn_once_on_its_own_colour():
    text = "ab \n\tc(\u202e)名x\u0301" * 3
    numbers = np.linspace(-1, 1, len(text))
    picture = draw.text(text, numbers, width=7)
    boxes = [b for b in picture.drawing.boxes if b.id.startswith("c0")]
    assert len(boxes) == len(text)
    assert [int(b.title.split(":")[0]) for b in boxes] == list(range(1, len(text) + 1))
    assert boxes[0].fill == "#2166ac"
    assert boxes[-1].fill == "#b2182b"
    assert "\u202e" not in picture.svg() + picture.html() + picture.text() + picture.ansi()


def test_lines_are_broken_at_spaces_and_line_breaks():
    text = "one two three\nfour " + "x" * 12
    from tinygrad_rnn.draw.coloured import wrapped

    rows = ["".join(text[i] for i in row) for row in wrapped(text, 8)]
    assert rows == ["one two ", "three\n", "four ", "xxxxxxxx", "xxxx"]
    assert "".join(rows) == text


def test_the_page_is_text():
    page = draw.text("<i>", [0.0, 1.0, -1.0]).html()
    assert "&lt;</span>" in page
    assert "<i>" not in page
    assert "<svg" not in page


def test_the_terminal_shows_the_colours():
    ansi = draw.text("ab", [1.0, -1.0]).ansi()
    assert "\x1b[48;2;178;24;43;38;2;255;255;255ma\x1b[0m" in ansi
    pytest.importorskip("rich")
    assert draw.text("ab", [1.0, -1.0]).__rich__().plain.startswith("ab")


def test_a_long_text_is_shortened_and_it_is_said():
    picture = draw.text("x" * 10_000, np.ones(10_000))
    said = "6,000 further characters are not drawn"
    assert said in words(picture)
    assert said in picture.html()
    assert said in picture.text()


@pytest.mark.parametrize(("text", "numbers", "says"), [
    ("abc", [1.0, 2.0], "expected 3 activations"), ("", [], "expected a text"),
    (3, [1.0], "expected a text"), ("abc", np.zeros((3, 40)), "at most 12 cells"),
    ("abc", {"a": [1.0]}, "for 'a'")])
def test_numbers_that_do_not_fit_the_text_are_refused(text, numbers, says):
    with pytest.raises((InputError, ShapeError), match=says):
        draw.text(text, numbers)


def test_the_related_cell_is_found_and_chance_is_known():
    rng = np.random.default_rng(0)
    text = ('he said "yes or no" and then "maybe, some day", or not. ' * 6)[:300]
    wanted = draw.inside_quotes(text)
    noise = rng.normal(size=(300, 20)).cumsum(axis=0)  # wanders slowly, as states do
    nothing = draw.related(noise, rng.permutation(wanted))[0]
    noise[:, 7] = -wanted + 0.3 * rng.normal(size=300)
    found = draw.related(noise, wanted)[0]
    assert found.cell == 7
    assert found.correlation < -0.8
    assert found.real
    assert not nothing.real


def test_a_cell_that_never_changes_is_related_to_nothing():
    found = draw.related(np.stack([np.ones(20), np.arange(20.0)], 1), np.arange(20) % 3)
    assert next(r for r in found if r.cell == 0).correlation == 0
    with pytest.raises(InputError, match="something that changes"):
        draw.related(np.zeros((4, 2)), np.ones(4))
    with pytest.raises(ShapeError, match="expected activations"):
        draw.related(np.zeros((4, 2)), np.ones(5))


def test_quotes_and_nesting():
    assert draw.inside_quotes('a"b"c').tolist() == [0, 1, 1, 0, 0]
    assert draw.nesting("(a(b))c)").tolist() == [1, 1, 2, 2, 1, 0, 0, 0]


# --- scalar graphs --------------------------------------------------------------------------------


def test_the_numbers_on_the_edges_are_local_derivative_times_what_arrives():
    a, b = tg.Value(2.0, name="a"), tg.Value(-3.0, name="b")
    y = (a * b + tg.tanh(a)) ** 2
    picture = draw.scalar(y)
    assert a.grad is None
    y.backward()
    said = words(picture)
    assert f"∂ {a.grad:.3g}".replace("-", "−") in said
    assert f"∂ {b.grad:.3g}".replace("-", "−") in said
    g = 2 * (a.item() * b.item() + np.tanh(2.0))
    assert f"−3 · ({g:.3g}) = {-3 * g:.3g}".replace("-", "−") in said


def test_a_dashed_edge_is_explained_where_there_is_one():
    told = "; dashed: no gradient goes there"
    for given, dashed in ((tg.Value(3.0, name="b", requires_grad=False), True),
                          (tg.Value(3.0, name="b"), False)):
        picture = draw.scalar(tg.Value(2.0, name="a") * given)
        assert any(bool(line.dash) for line in picture.drawing.lines) is dashed
        assert any(word.endswith(told) for word in words(picture)) is dashed


@pytest.mark.parametrize("make", [
    pictures.opened,
    lambda: tg.Tensor(np.ones((2, 2)), name="x", requires_grad=True) @ np.array([[1., 2], [3, 4]]),
    lambda: tg.tanh(tg.Tensor([0.5, 1.0], name="z", requires_grad=True)),
    lambda: tg.Tensor([[1.0], [2.0]], requires_grad=True) * tg.Tensor([3.0, 4.0], name="b"),
    lambda: tg.Tensor([[1.0, 2.0]], requires_grad=True).sum()])
def test_an_opened_node_has_the_values_and_gradients_of_the_closed_one(make):
    node = make()
    seed = np.arange(1.0, 1 + np.size(node.value)).reshape(np.shape(node.value))
    pairs = opened.opened(node, seed)
    got = np.array([n.value for n, _ in pairs]).reshape(np.shape(node.value))
    np.testing.assert_allclose(got, node.value)
    leaves = [x for x in node.operands if isinstance(x, tg.Node) and x.requires_grad]
    expected = tg.grad(node, leaves, seed)
    for n, s in pairs:
        n.backward(s)
    small = {n: None for n in tg.nodes(*(n for n, _ in pairs)) if n.is_leaf and n.requires_grad}
    total = sum(n.grad for n in small)
    np.testing.assert_allclose(total, sum(np.sum(g.numpy()) for g in expected))
    assert draw.scalar(node, seed=seed).drawing.boxes


def test_what_cannot_be_opened_is_refused():
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(UnsupportedError, match="cannot be opened"):
        draw.scalar(tg.softmax(x).T)
    with pytest.raises(InputError, match="at most 60 entries"):
        draw.scalar(tg.Tensor(np.ones((10, 10)), requires_grad=True) * 2)
    with pytest.raises(InputError, match="at most 120 nodes"):
        draw.scalar(graphs.power(200))
    with pytest.raises(InputError, match="expected a Value"):
        draw.scalar(3.0)


# --- the graph of a gradient ----------------------------------------------------------------------


def test_forward_and_backward_are_told_apart():
    a = tg.Value(2.0, name="a")
    slope = tg.grad(tg.tanh(a) ** 2, a, create_graph=True)
    picture = draw.backward_graph(slope)
    nodes = tg.nodes(slope)
    red = [b for b in picture.drawing.boxes if b.role == "backward" and b.text]
    ops = [n for n in nodes if n.phase == "backward"]
    assert len(red) == len(ops) + 1  # and the result
    assert any(f"backward: {len(ops)} nodes" in w for w in words(picture))
    back = {n.id for n in picture.drawing.boxes if n.role == "backward"}
    for line in picture.drawing.lines:
        assert not (line.tail in back and line.head not in back)


def test_a_total_over_steps_can_be_opened():
    drawing = draw.scalar(graphs.layer(3)).drawing
    assert sum(plain(box.text).endswith("+") for box in drawing.boxes) == 2
    assert faults(drawing) == []


def test_a_nameless_array_is_no_shape_that_reads_as_a_product():
    """The gradient of a mean is multiplied by 1/6 at every entry."""
    found = model("many-to-one", 3)
    slope = tg.grad(found.loss, found.weight(), create_graph=True)
    texts = {plain(b.text) for b in draw.backward_graph(slope).drawing.boxes}
    assert "0.167" in texts
    assert "2 × 3" not in texts
    W = tg.Tensor(np.ones((2, 2)), requires_grad=True)  # it changes: the ones are not what it is
    picture = draw.unrolled(tg.Tensor([[1.0, 2.0]]) @ W * tg.Tensor([[2.0, 2.0]]))
    assert {"given", "2", "leaf"} <= {plain(b.text) for b in picture.drawing.boxes}


def test_the_graph_of_a_gradient_of_arrays():
    x = tg.Tensor([[1.0, 2.0]], name="x")
    W = tg.Tensor([[0.5, 1.0], [0.25, -1.0]], name="W", requires_grad=True)
    loss = (tg.tanh(tg.linear(x, W)) ** 2).sum()
    one = draw.backward_graph(tg.grad(loss, W, create_graph=True))
    two = draw.backward_graph(tg.grad(loss, [W, W], create_graph=True))
    assert any(plain(box.text) == "gradient" for box in one.drawing.boxes)
    assert len(two.drawing.boxes) >= len(one.drawing.boxes)


def curved(name, steps):
    """The graph of a gradient of a built-in pattern: the gradient."""
    found = model(name, steps)
    return tg.grad(found.loss, found.weight(), create_graph=True)


@pytest.mark.parametrize(("name", "steps", "said"), [
    ("many-to-one", 40, ["t = 2 … 39: 190 operations", "t = 2 … 39: 228 operations"]),
    ("lstm", 6, ["t = 2 … 5: 76 operations", None]), ("encoder-decoder", 9, [None, None]),
    ("bidirectional", 9, [None, None]), ("stacked", 9, [None, None]), ("gru", 5, [None, None])])
def test_of_many_steps_the_first_and_the_last_are_drawn(name, steps, said):
    """Of several gradients, in layers. And every wire still runs from what was there before to what
    came after."""
    slope = curved(name, steps)
    drawing = draw.backward_graph([slope, slope]).drawing
    gaps = [plain(box.text) for box in drawing.boxes if "operations" in plain(box.text)]
    assert len(gaps) == 2
    assert all(word in (None, gap) for word, gap in zip(said, gaps))
    hidden = sum(int(gap.split(": ")[1].split()[0].replace(",", "")) for gap in gaps)
    inner = sum(not node.is_leaf for node in tg.nodes(slope))
    shown = [box for box in drawing.boxes if box.title.startswith(("forward:", "backward:"))]
    assert hidden > inner / 3
    assert len(shown) + hidden >= inner
    x = {box.id: box.x for box in drawing.boxes}
    assert all(x[line.tail] < x[line.head] for line in drawing.lines)
    assert len({(line.tail, line.head) for line in drawing.lines if "hidden" in line.tail}) == \
        sum("hidden" in line.tail for line in drawing.lines)


def test_as_many_steps_of_a_gradient_as_asked_for():
    slope = curved("many-to-one", 6)
    whole = draw.backward_graph(slope)
    assert not any("operations" in word for word in words(whole))
    some = [len(draw.backward_graph(slope, first, last).drawing.boxes)
            for first, last in ((1, 1), (2, 1), (2, 2), (6, 0))]
    assert some == sorted(set(some))
    assert some[-1] == len(whole.drawing.boxes)
    with pytest.raises(InputError, match="leave no step"):
        draw.backward_graph(slope, 0, 0)
    with pytest.raises(InputError, match="expected last to be a number of steps"):
        draw.backward_graph(slope, 1, -1)


def test_a_result_is_drawn_even_of_a_step_that_is_not():
    found = model("many-to-one", 12)
    inside = next(n for n in tg.nodes(found.loss) if n.name == "h" and n.step == 6)
    roots = tg.grad(found.loss, [found.weight(), inside], create_graph=True)
    drawing = draw.backward_graph(roots, 1, 1).drawing
    assert {"∂1", "∂2"} <= {plain(box.text).replace("₁", "1").replace("₂", "2")
                            for box in drawing.boxes}
    x = {box.id: box.x for box in drawing.boxes}
    assert all(x[line.tail] < x[line.head] for line in drawing.lines)


def test_what_is_no_gradient_is_refused():
    a = tg.Value(2.0, name="a")
    for given in (a, a * 2, 3.0, []):
        with pytest.raises(InputError, match="create_graph=True"):
            draw.backward_graph(given)


def test_a_use_outside_of_time_has_a_column_of_its_own():
    rnn, head = nn.RNN(3, 4, seed=0), nn.Linear(4, 2, name="hy", seed=1)
    loss = nn.squared_error(head(rnn(np.ones((3, 2, 3)))), np.zeros((2, 2)))
    flow = tg.gradient_flow(loss)
    ledgers = {name: flow.ledger(w) for name, w in (("W_hh", rnn.cell.W_hh), ("W_hy", head.W_hy))}
    lines = str(draw.heatmap(ledgers)).splitlines()
    rows = {line.split()[0]: line.split()[-1] for line in lines if line.startswith("W_h")}
    assert [len(row) for row in rows.values()] == [3, 1]  # nothing where it is not used
    assert rows["W_hy"] != "▁"
    assert "1 no step   step →" in lines[4]
    assert "no step" in [plain(n.text) for n in draw.heatmap(ledgers).drawing.labels]


def test_negative_factors_stand_in_brackets():
    a, b = tg.Value(2.0, name="a"), tg.Value(-3.0, name="b")
    picture = draw.scalar((a * b * -1.0).named("y"))
    assert any("−3 · (−1) = 3" in text for text in words(picture))


def test_the_captions_of_two_directions_begin_at_one_x():
    layer = nn.Bidirectional(nn.RNN(3, 2, return_sequences=True, seed=0))
    outputs = layer(np.random.default_rng(0).normal(size=(6, 2, 3)))
    losses = [(outputs[t] ** 2).sum() for t in range(6)]
    drawing = draw.truncated(tg.truncation(losses, layer.parameters(), 2, 3)).drawing
    captions = [label for label in drawing.labels if plain(label.text).startswith("Truncated")]
    assert len(captions) == 2
    assert captions[0].x == captions[1].x
    assert faults(drawing) == []
