"""Who says where things stand: our own layouts, or Graphviz on request and for large graphs."""

import random
from types import SimpleNamespace

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.cli.draw import draw as drawn
from tinygrad_rnn.core import walk
from tinygrad_rnn.draw import engine, layout, render
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.layout import place
from tinygrad_rnn.draw.routing import Field
from tinygrad_rnn.draw.unrolled import look, scene_of
from tinygrad_rnn.draw.window import Window
from tinygrad_rnn.errors import InputError

from . import graphs
from .faults import faults


def tangle(count, seed=0):
    """A random graph of about `count` operations, without time."""
    rng = random.Random(seed)
    made = [tg.Value(rng.uniform(-1, 1), name=f"x{i}") for i in range(6)]
    loose = list(made)
    for i in range(count):
        last = len(loose) > 1 and i >= count - len(loose) - 1
        a, b = loose.pop(rng.randrange(len(loose))), loose.pop() if last else rng.choice(made[-25:])
        made.append(a * b if rng.random() < 0.5 else a + b)
        loose.append(made[-1])
    return loose[-1]


ASKED = {
    "tangle": lambda **more: draw.unrolled(tangle(80), **more),
    "squares": lambda **more: draw.unrolled(squares(), **more),
    "layer": lambda **more: draw.unrolled(graphs.layer(), **more),
    "LSTM, shapes": lambda **more: draw.unrolled(graphs.layer(3, kind=nn.LSTM),
                                                 show=["names", "shapes"], **more),
    "cells": lambda **more: draw.unrolled(graphs.deep(3), level="cell", **more),
    "encoder, decoder": lambda **more: draw.unrolled(graphs.seq2seq(9, "both"), **more),
    "flow, long": lambda **more: draw.gradient_flow(gradient_flow(graphs.vanilla(30)), **more),
    "flow, no time": lambda **more: draw.gradient_flow(gradient_flow(graphs.neuron()), **more),
}


def squares():
    """Two uses of one thing by one operation, again and again."""
    x = tg.Value(1.1, name="x")
    for _ in range(4):
        x = x * x + x
    return x


@pytest.mark.parametrize(("name", "direction"), [
    (name, ("right", "down")[i % 2]) for i, name in enumerate(ASKED)])
def test_graphviz_places_everything_and_our_writer_draws_it(require, name, direction):
    require("dot")
    asked = ASKED[name](layout="graphviz", direction=direction)
    own = ASKED[name](layout="own")
    assert faults(asked.drawing, ends=False) == []
    looks = [{(plain(b.text), round(b.w, 6), b.role, b.title) for b in p.drawing.boxes if b.text}
             for p in (asked, own)]
    assert looks[0] == looks[1]
    assert asked.svg() == ASKED[name](layout="graphviz", direction=direction).svg()


def test_graphviz_draws_what_our_own_layout_draws(require):
    """The same uses, wherever they run."""
    require("dot")
    asked, own = (draw.unrolled(tangle(60), layout=layout).drawing for layout in
                  ("graphviz", "own"))
    ends = [sorted((n.tail, n.head) for n in drawing.lines) for drawing in (asked, own)]
    assert ends[0] == ends[1]
    assert [b.x for b in asked.boxes] != [b.x for b in own.boxes]


def test_no_word_of_the_users_reaches_graphviz(monkeypatch, require):
    require("dot")
    heard = []
    run = render.run
    monkeypatch.setattr(render, "run", lambda command, text, *more: heard.append(text) or run(
        command, text, *more))
    a, b = tg.Value(1.0, name='"];x[label="y'), tg.Value(2.0, name="<script>")
    draw.unrolled((a * b).named("secret"), layout="graphviz")
    assert len(heard) == 1
    assert not any(word in heard[0] for word in ("secret", "script", "label=\"y", "];x"))


def test_large_graphs_without_time_go_to_graphviz_where_there_is_one(monkeypatch):
    asked = []
    monkeypatch.setattr(engine, "draw_by_graphviz", lambda scene, down: asked.append(scene))
    monkeypatch.setattr(engine, "there", lambda: True)
    monkeypatch.setattr(engine, "LARGE", 40)
    scene = scene_of(look(tangle(60), Window(), "here"), "here", "Tangle")
    place(scene)
    assert asked == [scene]
    assert place(scene, "own").boxes
    monkeypatch.setattr(engine, "there", lambda: False)
    assert place(scene).boxes
    assert len(asked) == 1


def test_without_graphviz_a_graph_of_any_size_is_drawn(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    h = tg.Value(0.5, name="h0")
    for _ in range(1_100):
        h = tg.tanh(h)
    assert len(draw.unrolled(h, first=2_000, last=0).drawing.boxes) > 1_000


def crammed(count):
    """Two steps, the first of them of so many operations."""
    with tg.timestep(1):
        h = tg.Value(0.5, name="h0")
        for _ in range(count):
            h = tg.tanh(h)
    with tg.timestep(2):
        return h * 2.0


def test_a_step_of_many_operations_goes_to_graphviz_too(monkeypatch):
    asked = []
    monkeypatch.setattr(engine, "draw_by_graphviz", lambda scene, down: asked.append(scene))
    monkeypatch.setattr(engine, "there", lambda: True)
    scenes = [scene_of(look(crammed(count), Window(), "here"), "here", "Crammed")
              for count in (engine.LARGE + 1, 20)]
    place(scenes[0], "auto", "right")
    place(scenes[1], "auto", "right")
    assert asked == scenes[:1]


def test_a_free_straight_way_is_taken_without_a_look_at_all_channels(monkeypatch):
    tried = []
    best = Field.best
    monkeypatch.setattr(Field, "best", lambda self, *rest: tried.append(1) or best(self, *rest))
    picture = draw.unrolled(crammed(60), layout="own")
    assert len(tried) < 10
    assert faults(picture.drawing) == []


def test_the_graph_of_a_gradient_follows_the_same_rule(monkeypatch, require):
    """Small ones in layers of our own, large ones by Graphviz; where there is none, and with
    layout="own", in our own too, however large."""
    require("dot")
    root = graphs.vanilla(2)
    leaf = next(node for node in walk.nodes(root) if node.name == "W_hh")
    gradient = [tg.grad(root, leaf, create_graph=True)] * 2  # of several, in layers
    own = draw.backward_graph(gradient).drawing
    monkeypatch.setattr(engine, "LARGE", 40)
    large = draw.backward_graph(gradient).drawing
    assert faults(large, ends=False) == []
    assert [b.id for b in large.boxes] == [b.id for b in own.boxes]
    assert [b.x for b in large.boxes] != [b.x for b in own.boxes]
    monkeypatch.setenv("PATH", "/nonexistent")
    assert draw.backward_graph(gradient).drawing == own
    assert draw.backward_graph(gradient, layout="own").drawing == own


def test_without_graphviz_the_error_names_three_ways_out(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(render.RenderError, match=r"`dot` was not found.*Three ways out") as caught:
        draw.unrolled(tangle(20), layout="graphviz")
    assert 'layout="own"' in str(caught.value)


def test_graphviz_that_hangs_is_stopped(monkeypatch, tmp_path):
    slow = tmp_path / "dot"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(render, "LIMIT", 0.2)
    with pytest.raises(render.RenderError, match=r"took more than .* was stopped.*own"):
        draw.unrolled(tangle(20), layout="graphviz")


def test_graphviz_that_fails_or_says_nonsense_is_an_error(monkeypatch, tmp_path):
    for script in ("echo broken >&2; exit 3", "echo nonsense"):
        odd = tmp_path / "dot"
        odd.write_text(f"#!/bin/sh\n{script}\n")
        odd.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(render.RenderError, match=r"dot (failed|said)"):
            draw.unrolled(tangle(20), layout="graphviz")


@pytest.mark.parametrize("name", ["neuron", "tangle", "layers"])
def test_what_has_no_time_runs_downwards_too(name):
    made = {"neuron": lambda: draw.unrolled(graphs.neuron(), direction="down"),
            "tangle": lambda: draw.unrolled(tangle(60), direction="down"),
            "layers": lambda: draw.unrolled(graphs.deep(3), level="layer", direction="down")}
    drawing = made[name]().drawing
    assert faults(drawing) == []
    boxes = {box.id: box for box in drawing.boxes}
    assert all(boxes[n.tail].y < boxes[n.head].y for n in drawing.lines)


DOWN = {
    "layer": graphs.layer,
    "LSTM": lambda: graphs.layer(2, kind=nn.LSTM),
    "GRU": lambda: graphs.layer(2, kind=nn.GRU),
    "long": lambda: graphs.layer(30),
    "both ways": graphs.both_ways,
    "encoder, decoder": lambda: graphs.seq2seq(3, "both"),
    "fed back": graphs.written,
    "scalars": lambda: graphs.scalar_rnn(2),
    "skipping": graphs.skipping,
}


@pytest.mark.parametrize("name", DOWN)
def test_time_runs_downwards_on_request(name):
    root = DOWN[name]()
    down, right = (draw.unrolled(root, direction=d).drawing for d in ("down", "right"))
    assert faults(down) == []
    tops, lefts = [b.sides[1] for b in down.frames], [b.sides[0] for b in right.frames]
    assert tops == sorted(tops)
    assert lefts == sorted(lefts)
    assert len({round(b.sides[2], 6) for b in down.frames}) == 1
    for drawing in (down, right):
        assert sorted(b.id for b in placed(drawing)) == sorted(b.id for b in placed(right))
        assert sorted((n.id, n.tail or "", n.head or "") for n in drawing.lines) == \
            sorted((n.id, n.tail or "", n.head or "") for n in right.lines)
    sizes = [{b.id: (b.shape, round(b.w, 6), round(b.h, 6)) for b in d.boxes
              if b.text and b.shape != "rect"} for d in (down, right)]
    assert sizes[0] == sizes[1]


def placed(drawing):
    """The boxes without the dots where wires part, which depend on how the wires run."""
    return [box for box in drawing.boxes if ".parting" not in box.id]


def test_strips_run_with_time():
    flow = gradient_flow(graphs.layer(30))
    down, right = (draw.gradient_flow(flow, 2, 1, direction=d).drawing for d in ("down", "right"))
    assert faults(down) == []
    assert [(s.cells, s.title) for s in down.strips] == [(s.cells, s.title) for s in right.strips]
    for strip in (s for s in down.strips if s.id.startswith("all")):
        assert strip.h > 10 * strip.w
        assert strip.x > max(frame.sides[2] for frame in down.frames)
        parts = [strip.part(i, i + 1, 1.0) for i in range(30)]
        assert [y for _, y, _, _ in parts] == sorted({y for _, y, _, _ in parts})
        assert parts[-1][1] + parts[-1][3] == pytest.approx(strip.y + strip.h)


@pytest.mark.parametrize("make", [
    lambda d: draw.gradient_flow(gradient_flow(graphs.vanilla(30)), direction=d),
    lambda d: draw.gradient_flow(gradient_flow(graphs.layer(2, kind=nn.LSTM)), direction=d),
    lambda d: draw.unrolled(graphs.deep(3, nn.GRU), level="cell", direction=d,
                            show=["names", "shapes", "parameters"]),
    lambda d: draw.rolled(graphs.both_ways(3), direction=d),
], ids=["flow", "LSTM flow", "cells", "rolled"])
def test_whatever_is_said_is_said_downwards_too(make):
    down, right = make("down").drawing, make("right").drawing
    assert faults(down) == []
    words = ["".join(plain(n.text) for n in d.labels) for d in (down, right)]
    assert sorted(words[0].replace(" ", "")) == sorted(words[1].replace(" ", ""))
    assert [b.title for b in placed(down)] == [b.title for b in placed(right)]


def test_the_command_line_takes_a_direction():
    assert drawn("scalar", steps=2, direction="down") != drawn("scalar", steps=2)
    with pytest.raises(InputError, match="has one direction; those of unrolled"):
        drawn("scalar", "scalar", direction="down")


@pytest.mark.parametrize("wrong", [{"direction": "up"}, {"layout": "dot"}])
def test_other_layouts_and_directions_are_refused(wrong):
    with pytest.raises(InputError, match=r"expected (direction|layout) to be one of"):
        draw.unrolled(graphs.power(2), **wrong)


@pytest.mark.parametrize(("within", "finished", "best"), [
    ((3, 2, 1), 3, 2), ((3, 2, 2), 2, 1), ((0, 0, 2), 2, 0)])
def test_a_last_try_that_can_be_no_better_is_not_finished(monkeypatch, within, finished, best):
    """What is crowded within the steps is known before the wires between them are laid. Where as
    much is crowded, fewer of it are wires."""
    grids = iter([SimpleNamespace(crowded=n, crowded_within=n) for n in within])
    inks = []

    def ink(grid):
        inks.append(SimpleNamespace(grid=grid, all_crowded=max(grid.crowded, 2)))
        return inks[-1]

    monkeypatch.setattr(layout, "TimeGrid", lambda *_: next(grids))
    monkeypatch.setattr(layout, "Ink", ink)
    found = layout.roomy(None)
    assert len(inks) == finished
    assert found.all_crowded == 2
    assert found is inks[best]
