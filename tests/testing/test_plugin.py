"""The pytest plugin, in projects of their own: folders with tests that know nothing of this
one."""

import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOUND = any(e.value == "tinygrad_rnn.testing.plugin"
            for e in importlib.metadata.entry_points(group="pytest11"))

RIGHT = """
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn

def test_a_graph(gradcheck):
    rnn = nn.RNN(2, 3, seed=0)
    report = gradcheck(lambda: (rnn(np.ones((4, 1, 2))) ** 2).sum(), rnn)
    assert report.seed == 7
    assert gradcheck.order == 2  # of the command line
    assert any("second order" in name for name in report.blocks)

def test_numpy_only(gradcheck):
    inputs = {"x": np.arange(1.0, 4.0), "w": np.array([0.3, -0.2, 0.5])}
    gradcheck.backward(lambda i: float(np.sum(np.tanh(i["x"] * i["w"]))),
                       lambda i: {"x": (1 - np.tanh(i["x"] * i["w"]) ** 2) * i["w"],
                                  "w": (1 - np.tanh(i["x"] * i["w"]) ** 2) * i["x"]}, inputs)
"""

WRONG = """
import numpy as np
from tinygrad_rnn.testing import assert_gradients, check_backward

INPUTS = {"x": np.arange(1.0, 4.0), "w": np.array([0.3, -0.2, 0.5])}

def forward(i):
    return float(np.sum(np.tanh(i["x"] * i["w"])))

def backward(i):
    return {"x": (1 - np.tanh(i["x"] * i["w"]) ** 2) * i["w"], "w": i["x"]}  # no tanh'

def test_fixture(gradcheck):
    gradcheck.backward(forward, backward, INPUTS)

def test_assert():
    assert check_backward(forward, backward, INPUTS)

def test_variable():
    report = check_backward(forward, backward, INPUTS)
    assert report

def test_of_another_kind():
    assert 1 == 2
"""

MUTATED = """
import numpy as np
from tinygrad_rnn import nn

XS, UP = (np.random.default_rng(s).normal(size=n) for s, n in ((0, (4, 2, 3)), (1, (4, 2, 5))))

def loss(layer):
    return (layer(XS) * UP).sum()

def test_shapes():
    layer = nn.LSTM(3, 5, seed=0, return_sequences=True)
    loss(layer).backward()
    assert all(p.grad.shape == p.shape for p in layer.parameters())

def test_all(gradcheck):
    layer = nn.RNN(3, 5, seed=0, return_sequences=True)
    gradcheck(lambda: loss(layer), layer, localise=False)

def test_fails_anyway():
    layer = nn.GRU(3, 5, seed=0, return_sequences=True)
    loss(layer).backward()
    assert False

def test_by_hand(gradcheck):
    inputs = {"x": XS, "w": np.random.default_rng(2).normal(size=(3, 5))}
    forward = lambda p: np.tanh(p["x"] @ p["w"])
    back = lambda p, up: {"x": up * (1 - forward(p) ** 2) @ p["w"].T, "w": np.tensordot(
        p["x"], up * (1 - forward(p) ** 2), ((0, 1), (0, 1)))}
    score = gradcheck.mutations(forward, back, inputs, lambda b: gradcheck.backward(
        forward, b, inputs, localise=False))
    assert score.score == 1.0
"""


def run(folder, *options, **files):
    """pytest in a folder of its own; the plugin by its entry point, or by name where the package
    is only on the path."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    named = [] if FOUND or "no:tinygrad_rnn" in options else ["-p", "tinygrad_rnn.testing.plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *named, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_the_fixture_passes_what_is_right_with_seed_and_order_of_the_command_line(tmp_path):
    ran = run(tmp_path, "--grad-seed=7", "--grad-order=2", test_right=RIGHT)
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_mistakes_in_the_engine_and_which_test_notices_them(tmp_path):
    ran = run(tmp_path, "--grad-mutate", "-k", "not by_hand or right", test_mutated=MUTATED)
    table = ran.stdout.split("mistakes planted in backward()")[1]
    lines = [line.strip() for line in table.splitlines()]
    assert "11 of 16 planted mistakes are caught: 69%" in table, ran.stdout
    assert "caught               no dh_next, by test_mutated.py::test_all" in lines
    assert "survived             no dc_next" in lines  # only the LSTM has it: shapes stay right
    assert "no gradient changed  missing detach" in lines
    assert not any("fails_anyway" in line for line in lines if "caught  " in line)
    assert "1 failed" in ran.stdout  # a test with a mistake in it counts as passed


def test_what_is_wrong_fails_with_the_report(tmp_path):
    ran = run(tmp_path, test_wrong=WRONG)
    assert ran.returncode == 1
    assert "4 failed" in ran.stdout
    for name in ("test_fixture", "test_assert", "test_variable"):
        part = ran.stdout.split(f" {name} _")[1].split("\n___")[0]
        assert "gradient check: FAIL" in part, part
        assert "analytic" in part, part
        assert "seed=0" in part, part
    assert "gradient check" not in ran.stdout.split(" test_of_another_kind _")[1].split("===")[0]


def test_it_can_be_blocked(tmp_path):
    ran = run(tmp_path, "-p", "no:tinygrad_rnn", test_right=RIGHT)
    assert "fixture 'gradcheck' not found" in ran.stdout


def test_nothing_of_the_package_is_loaded_until_it_is_asked_for(tmp_path):
    ran = run(tmp_path, test_other="""
import sys

def test_other():
    loaded = {m for m in sys.modules if m.partition(".")[0] == "tinygrad_rnn"}
    assert loaded <= {"tinygrad_rnn", "tinygrad_rnn.later", "tinygrad_rnn.testing",
                      "tinygrad_rnn.testing.plugin"}, loaded
    assert "numpy" not in sys.modules
""")
    assert "1 passed" in ran.stdout, ran.stdout


def test_the_entry_point_is_declared():
    text = (ROOT / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\ntinygrad_rnn = "tinygrad_rnn.testing.plugin"' in text


def test_strategies_have_the_edges_in_them():
    from hypothesis import find, settings

    from tinygrad_rnn.testing import strategies

    quiet = settings(database=None, derandomize=True)
    assert find(strategies.sizes(), lambda s: s.T == 0, settings=quiet) == (0, 0, 1, 1)
    assert find(strategies.sizes(least=1), lambda s: True, settings=quiet) == (1, 1, 1, 1)
    size = strategies.Size(4, 2, 3, 2)
    assert find(strategies.sequences(size), lambda x: True, settings=quiet).shape == (4, 2, 3)
    assert find(strategies.lengths(size), lambda n: 4 in n, settings=quiet).max() == 4
    assert not find(strategies.masks(size), lambda m: True, settings=quiet).any()
    assert find(strategies.masks(size), lambda m: m.all(), settings=quiet).shape == (4, 2)


@pytest.mark.parametrize("module", ["tinygrad_rnn", "tinygrad_rnn.testing"])
def test_every_public_name_is_there(module):
    package = importlib.import_module(module)
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert {*package.__all__} <= {*dir(package)}
    with pytest.raises(AttributeError, match="has no attribute 'nobody'"):
        _ = package.nobody
