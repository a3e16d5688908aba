"""`tinygrad-rnn check`: what can be checked, what the exit code says, and what is refused."""

import xml.etree.ElementTree

import pytest

from tinygrad_rnn.cli import main

FILE = '''
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.testing import check_gradients

rnn = nn.RNN(2, 3, seed=0)
xs = np.ones((4, 1, 2))
X = np.arange(1.0, 4.0)

def pair():
    return lambda: (rnn(xs) ** 2).sum(), rnn

def loss():
    return (rnn(xs) ** 2).sum()

def with_weights():
    return (rnn(xs) ** 2).sum(), [rnn.cell.W_hh]

def by_hand():
    return (lambda i: float(np.sum(np.tanh(i["x"]))),
            lambda i: {"x": 1 - np.tanh(i["x"]) ** 2}, {"x": X})

def by_hand_wrong():
    return (lambda i: float(np.sum(np.tanh(i["x"]))),
            lambda i: {"x": 1 + np.tanh(i["x"]) ** 2}, {"x": X})

def cached():
    return (lambda i: (float(np.sum(i["x"] ** 2)), i["x"]),
            lambda g, x: {"x": 2 * g * x}, {"x": X}, {"cached": True})

@tg.op(lambda g, y, x: g * 3 * x ** 2)
def cube(x):
    return x ** 3

def an_op():
    return cube, X

def a_report():
    return check_gradients(loss, rnn)

def new_weights():
    w = tg.Value(2.0, name="w")
    return w * w

def nothing():
    return "nothing"

def broken():
    return lambda: 1 / 0, rnn

def raises():
    raise RuntimeError("not today")
'''


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(["check", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize("name", ["scalar", "many-to-one", "lstm", "encoder-decoder"])
def test_patterns(run, name):
    code, out, err = run(name, "--steps", "3")
    assert (code, err) == (0, "")
    assert out.startswith("gradient check: pass")


@pytest.mark.parametrize("name", ["pair", "loss", "with_weights", "by_hand", "cached", "an_op",
                                  "a_report"])
def test_functions_that_are_right(run, name):
    code, out, err = run(f"mine.py:{name}")
    assert (code, err) == (0, ""), out + err
    assert "gradient check: pass" in out


def test_a_wrong_gradient_has_another_exit_code(run):
    code, out, err = run("mine.py:by_hand_wrong", "--seed", "3")
    assert (code, err) == (1, "")
    assert out.startswith("gradient check: FAIL")
    assert "seed=3" in out


def test_order_two_and_junit(run, tmp_path):
    code, out, _ = run("mine.py:pair", "--order", "2", "--junit", "report.xml")
    assert code == 0
    assert "pass" in out
    xml.etree.ElementTree.parse(tmp_path / "report.xml")


@pytest.mark.parametrize(("name", "words"), [
    ("mine.py:new_weights", "it makes new weights at every call"),
    ("mine.py:nothing", "expected (loss_fn, params), a loss"),
    ("mine.py:raises", "RuntimeError: not today"),
    ("mine.py:broken", "ZeroDivisionError: division by zero"),
    ("mine.py:nobody", "has no function 'nobody'"),
    ("absent.py:f", "there is no such file"),
    ("nobody", "there is no pattern 'nobody'"),
])
def test_what_cannot_be_checked_is_one_line(run, name, words):
    code, out, err = run(name)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
