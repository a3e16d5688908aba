"""`tinygrad-rnn draw`: every pattern and view, the user's own, and one line when it cannot be."""

import json

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.draw import VIEWS, heatmap
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.cli.patterns import PATTERNS
from tinygrad_rnn.draw.labels import plain


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("view", VIEWS)
def test_every_pattern_is_drawn(name, view, place, capsys):
    out = "out.html" if view == "player" else "out.svg"
    fits = view != "api" or name != "scalar"
    fits = fits and (view != "truncated" or name in ("many-to-many", "lstm", "gru"))
    steps = "1" if view == "backward-graph" else "2"  # with one step it is large already
    code = main(["draw", name, "--view", view, "--steps", steps, "-o", out])
    if not fits:  # a scalar is no model; a window is of one layer
        assert code == 2
        assert "there is no model" in capsys.readouterr().err
        return
    assert (code, capsys.readouterr()) == (0, (f"wrote {out}\n", ""))
    assert (place / out).read_text(encoding="utf-8").startswith(("<svg", "<!doctype html>"))


@pytest.mark.parametrize("name", [n for n in PATTERNS if n != "scalar"])
def test_every_pattern_is_drawn_from_outside(name, capsys):
    assert main(["draw", name, "--view", "api"]) == 0
    assert " to " in capsys.readouterr().out


def test_the_line_of_the_contract(place, capsys):
    assert main(["draw", "many-to-many", "--cell", "lstm", "--steps", "4", "--view", "unrolled",
                 "-o", "lstm.svg"]) == 0
    assert [p.name for p in place.iterdir()] == ["lstm.svg"]


@pytest.mark.parametrize("suffix", ["svg", "dot", "html", "json", "txt"])
def test_the_suffix_says_how(suffix, place, capsys):
    assert main(["draw", "scalar", "--output", f"out.{suffix}"]) == 0
    assert (place / f"out.{suffix}").stat().st_size > 300


def test_without_a_file_the_sketch_is_printed(capsys):
    assert main(["draw", "scalar", "--view", "scalar", "--steps", "2"]) == 0
    assert "h₁ = w × x₀ = 0.18" in capsys.readouterr().out
    assert main(["draw", "scalar", "--view", "backward-graph", "--steps", "2"]) == 0
    assert "backward [" in capsys.readouterr().out


def test_a_long_one_is_elided_unless_asked_otherwise(capsys):
    assert main(["draw", "scalar", "--steps", "30"]) == 0
    assert "24 steps" in capsys.readouterr().out
    assert main(["draw", "scalar", "--steps", "30", "--first", "2"]) == 0
    assert "28 steps" in capsys.readouterr().out


def test_the_users_own_program_and_model(place, capsys):
    (place / "mine.py").write_text(
        "import tinygrad_rnn as tg\nfrom tinygrad_rnn import nn\n"
        "def loss():\n    w = tg.Value(2.0, name='w')\n    return w * w\n"
        "def net():\n    return nn.Stacked([nn.RNN(2, 3, return_sequences=True), nn.RNN(3, 4)])\n")
    assert main(["draw", "mine.py:loss", "--view", "scalar"]) == 0
    assert "w × w = 4" in capsys.readouterr().out
    assert main(["draw", "mine.py:net", "--view", "api"]) == 0
    assert "layer 1: RNN 3 → 4" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "says"), [
    (["nothing"], "there is no pattern 'nothing'"),
    (["scalar", "--view", "upside-down"], "there is no view"),
    (["scalar", "--view", "api"], "drawn from outside"),
    (["scalar", "--steps", "0"], "--steps: expected a whole number of at least 1, got '0'"),
    (["scalar", "--steps", "x"], "--steps: expected a whole number of at least 1, got 'x'"),
    (["scalar", "--first", "-1"], "--first"),
    (["scalar", "--first", "0", "--last", "0"], "leave no step"),
    (["scalar", "-o", "absent/out.svg"], "cannot write"), (["scalar", "-o", "out.jpeg"], ".svg"),
    (["absent.py:net", "--view", "api"], "there is no such file"), ([], "model")])
def test_what_cannot_be_is_one_line(arguments, says, place, capsys):
    assert main(["draw", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert says in err
    assert list(place.iterdir()) == []


def test_the_views_that_the_help_names_are_those_that_there_are(capsys):
    assert main(["draw", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # it breaks at hyphens
    assert all(view in said for view in VIEWS)


@pytest.mark.parametrize("view", ["unrolled", "gradient-flow", "rolled"])
def test_fewer_and_larger_boxes_on_request(view, place):
    counts = []
    for more in ((), ("--level", "cell"), ("--collapse", "encoder", "--collapse", "decoder")):
        assert main(["draw", "encoder-decoder", "--view", view, *more, "-o", "out.json"]) == 0
        counts.append(len(json.loads((place / "out.json").read_text("utf-8"))["boxes"]))
    assert counts[2] < counts[1] < counts[0]


def test_a_flow_of_whole_layers_is_the_one_of_the_library(place):
    assert main(["draw", "lstm", "--view", "gradient-flow", "--level", "layer", "--steps", "3",
                 "-o", "out.svg"]) == 0
    flow = tg.gradient_flow(model("lstm", 3).loss)
    assert (place / "out.svg").read_text("utf-8") == draw.gradient_flow(
        flow, level="layer", first=3, last=0).svg()


@pytest.mark.parametrize("view", ["unrolled", "gradient-flow"])
def test_time_runs_down_on_request(view, place):
    sizes = []
    for way in ("right", "down"):
        assert main(["draw", "many-to-one", "--steps", "6", "--view", view, "--direction", way,
                     "-o", "out.json"]) == 0
        frames = json.loads((place / "out.json").read_text("utf-8"))["frames"]
        sizes.append([len({frame[side] for frame in frames}) for side in ("x", "y")])
    assert sizes == [[6, 1], [1, 6]]


def test_a_direction_that_a_view_does_not_have_is_refused_in_a_line(capsys):
    assert main(["draw", "lstm", "--view", "heatmap", "--direction", "down"]) == 2
    problem = capsys.readouterr().err
    assert "--direction: the view 'heatmap' has one direction" in problem
    assert problem.count("\n") == 1


@pytest.mark.parametrize("name", ["encoder-decoder", "stacked", "one-to-many"])
def test_from_outside_there_are_as_many_steps_as_asked_for(name, place):
    assert main(["draw", name, "--view", "api", "--steps", "3", "-o", "out.json"]) == 0
    boxes = json.loads((place / "out.json").read_text("utf-8"))["boxes"]
    outputs = [box for box in boxes if box["role"] == "output" and box.get("text")]
    assert [box["text"][-1][0] for box in outputs] == ["1", "2", "3"]


@pytest.mark.parametrize(("more", "says"), [
    (("--view", "heatmap", "--level", "cell"), "--level: the view 'heatmap' has one level"),
    (("--view", "cell-level", "--level", "op"), "has one level"),
    (("--view", "api", "--collapse", "encoder"), "--collapse: the view 'api' has one level"),
    (("--view", "rolled", "--level", "layer"), "layer"),
    (("--collapse", "nothing"), "there is no scope 'nothing' to collapse"),
])
def test_levels_that_cannot_be_are_refused_in_a_line(more, says, capsys):
    assert main(["draw", "many-to-many", *more]) == 2
    problem = capsys.readouterr().err
    assert says in problem
    assert problem.count("\n") == 1


def test_a_sketch_is_cut_where_a_terminal_ends_and_whole_in_a_file(capsys, monkeypatch):
    assert main(["draw", "many-to-many"]) == 0
    whole = capsys.readouterr().out
    assert max(map(len, whole.splitlines())) > 150
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["draw", "many-to-many"]) == 0
    short = capsys.readouterr().out
    assert max(map(len, short.splitlines())) == 80
    assert "cut at 80 columns" in short


def test_the_rows_of_what_each_step_gave_are_called_as_the_weights_of_other_pictures():
    found = model("encoder-decoder", 3)
    flow = draw.gradient_flow(tg.gradient_flow(found.loss)).drawing
    rails = {plain(box.text) for box in flow.boxes if box.role.startswith("weight")}
    rows = {plain(label.text) for label in heatmap(found, {}, "auto").drawing.labels}
    assert {row.rpartition("/")[2] for row in rows} >= rails
    assert not [row for row in rows if "head." in row or "bridge" in row]
