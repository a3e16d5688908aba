"""Every example runs by itself, says what it should, and writes the same bytes each time."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parent.parent / "examples"

# what an example is about, in lines that it prints (spaces do not count)
SAYS = {
    "01_one_neuron": ["w1 -0.8 1.2835 1.2835", "b 1.0 0.8556 0.8556"],
    "02_a_weight_used_twice": ["** 6 75.0% 6", "* 2 25.0% 8", "sum = w.grad: 8",
                               "Writing `=` for `+=` would leave the last row alone: 2.",
                               "A second backward without zero_grad() adds it all once more: 16."],
    "03_unrolled": ["1 h e 0.265 1.3263", "L 6.1452",
                    "43 nodes; W_hh is one of them, and is used at the steps 1 2 3 4"],
    "04_the_ledger": ["12 linear 1.2 100.8% 1.2", "1 linear 0 0.0% 1.185",
                      "sum = W_hh.grad: ‖·‖ = 1.18529", "1 1.50e-05 #"],
    "05_your_own_op": ["1.0 0.5000 0.2500 -0.2500", "For a float: softsign'(1) = 0.25",
                       "pass: x"],
    "06_gradient_of_a_gradient": ["3 -0.565209 -0.565209 22", "0.6775 0.2678", "0.2678 0.8445"],
}
PICTURE = {name: [] if name == "05_your_own_op" else [f"{name}.svg"] for name in SAYS}


def run(name, folder):
    """What an example prints, and the files that it writes."""
    folder.mkdir()
    done = subprocess.run([sys.executable, "-W", "error", str(FOLDER / f"{name}.py")], cwd=folder,
                          capture_output=True, encoding="utf-8", check=False,
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_example_is_listed_and_tested():
    examples = sorted(path.stem for path in FOLDER.glob("*.py"))
    listed = re.findall(r"\]\((\w+)\.py\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert examples == sorted(SAYS) == listed


@pytest.mark.parametrize("name", SAYS)
def test_an_example_says_and_draws_what_it_should_and_twice_the_same(name, tmp_path):
    printed, files = run(name, tmp_path / "first")
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in SAYS[name]:
        assert line in lines
    assert list(files) == PICTURE[name]
    for picture in files.values():
        assert ElementTree.fromstring(picture.decode()).tag.endswith("svg")
    assert run(name, tmp_path / "second") == (printed, files)
