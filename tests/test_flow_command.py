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


@pytest.mark.parametrize("arguments", [["nope"], ["nope:f"], ["scalar", "--weight", "V"],
                                       ["lstm", "--steps", "0"], ["lstm", "--format", "xml"]])
def test_bad_input_is_one_line_and_exit_code_2(arguments, capsys):
    assert main(["flow", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
