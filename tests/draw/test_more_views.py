"""Scalar graphs and graphs of gradients: what they say is so; and the order in all such views."""


import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.draw import opened
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError, UnsupportedError

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
