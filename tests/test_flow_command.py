"""`tinygrad-rnn flow`: what it prints, for patterns and programs of one's own, and how it ends."""

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.patterns import PATTERNS


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern(name, capsys):
    assert main(["flow", name, "--steps", "3"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "one row per use" in out
    assert "vanishes" in out or "keeps" in out or "explodes" in out or "a step" in out


def test_the_well_known_example(capsys):
    assert main(["flow", "scalar", "--steps", "3"]) == 0
    out = capsys.readouterr().out
    assert "0.108" in out
    assert "shrinks by 0.2 a step" in out
    assert "From one state back to the one before, without what each step's loss adds:" in out


def test_csv_and_markdown(capsys):
    assert main(["flow", "gru", "--format", "csv", "--weight", "b_h"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "step" in lines[0]
    assert len(lines) == 5
    assert main(["flow", "gru", "--format", "markdown"]) == 0
    assert "| ---" in capsys.readouterr().out


def test_a_function_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import tinygrad_rnn as tg\ndef f():\n    w = tg.Value(3.0, name='w')\n    return w * w\n")
    assert main(["flow", "mine.py:f"]) == 0
    assert "w.grad: 6" in capsys.readouterr().out


OWN = '''
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn

def loop(stamped, name):
    U, s = tg.Tensor(np.eye(2) * 0.5, name="U", requires_grad=True), tg.Tensor(np.ones(2))
    for t in range(1, 5):
        with tg.timestep(t) if stamped else tg.scope("loop"):
            s = tg.tanh(tg.linear(s, U))
            s = s if name is None else s.named(name)
    return s.sum()

def other_name():
    return loop(True, "s")

def no_name():
    return loop(True, None)

def unstamped():
    return loop(False, None)

def no_recurrence():
    with tg.timestep(1):
        return tg.Value(2.0, name="w") * 3.0

def fused():
    layer = nn.LSTM(2, 3, seed=0, fused=True)
    return (layer(np.ones((5, 1, 2))) ** 2).sum()
'''


@pytest.mark.parametrize(("name", "expected"), [
    ("other_name", ["‖∂L/∂s_t‖", "shrinks by 0."]), ("no_name", ["‖∂L/∂state_t‖", "shrinks by"]),
    ("unstamped", ["the graph has no time steps. Run the loop under tg.timestep(t)."]),
    ("no_recurrence", ["nothing is carried from one time step to the next."]),
    ("fused", ["‖∂L/∂h_t‖\n     1  ", "     5  0.6407\n", "shrinks by 0.64 a step"])])
def test_states_of_any_name_and_inside_of_fused_layers(name, expected, tmp_path, monkeypatch,
                                                       capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    assert main(["flow", f"mine.py:{name}"]) == 0
    out = capsys.readouterr().out
    for text in expected:
        assert text in out or text in " ".join(out.split())


def test_both_directions_in_the_order_of_the_program(capsys):
    assert main(["flow", "bidirectional"]) == 0
    out = capsys.readouterr().out
    assert out.index("in forward") < out.index("in backward")
    assert main(["flow", "encoder-decoder"]) == 0
    out = capsys.readouterr().out
    assert out.index("‖ in encoder") < out.index("‖ in decoder")


@pytest.mark.parametrize("arguments", [["nope"], ["nope:f"], ["scalar", "--weight", "V"],
                                       ["lstm", "--steps", "0"], ["lstm", "--format", "xml"]])
def test_bad_input_is_one_line_and_exit_code_2(arguments, capsys):
    assert main(["flow", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_file_without_a_function_and_more_steps_than_memory(capsys):
    assert main(["flow", "mine.py"]) == 2
    assert "Or name a function of mine.py: mine.py:function" in capsys.readouterr().err
    assert main(["flow", "lstm", "--steps", str(10 ** 15)]) == 2
    _, err = capsys.readouterr()
    assert err == "tinygrad-rnn: there is not enough memory for so much at once\n"
