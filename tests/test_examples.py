"""Every example runs by itself, says what it should, and draws what it should.

That it does so twice, to the byte: python -m pytest tests/benchmarks/test_examples_again.py
"""

import importlib.util
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
    "07_hello": ["0 5.4888 0.203 0.345 0.265 0.223 hhlll",
                 "60 0.0124 0.997 0.997 0.998 0.996 hello"],
    "08_five_patterns": ["one to one a single step (2, 3) (2, 3) 1",
                         "many to one the last output (5, 2, 3) (2, 3) 1 2 3 4 5",
                         "many to many every output (5, 2, 3) (5, 2, 3) 1 2 3 4 5",
                         "one to many y_t becomes x_{t+1} (2, 3) (5, 2, 3) 1 2 3 4 5",
                         "many to many read, then write (5, 2, 3) (3, 2, 3) encoder 1 2 3 4 5",
                         "decoder 1 2 3"],
    "09_encoder_decoder": ["0 6.4324 0 of 51 0 of 13", "100 0.0126 51 of 51 11 of 13",
                           "abd -> dba."],
    "10_bidirectional": ["from left to right 98 0.3504", "in both directions 66 0.0024",
                         "log 2 at half of them 0.3466"],
    "11_order_matters": ["bag 82 0.6931 0.499 0.499", "recurrence 146 0.0001 1.000 0.000",
                         "bag 34 0.6932 32 of 64", "recurrence 98 0.0010 64 of 64",
                         "bag 34 0.6931 4 of 8", "recurrence 98 0.0118 8 of 8"],
    "12_truncated": ["Window(steps 9 to 16, the gradient is cut at h_8, |dL/dh_8| = 0.587)",
                     "8 8 3 25.1% #############", "24 24 1 0.0%", "1 8 24 4.5% ##"],
    "13_vanishing_and_exploding": [
        "Closed form J_t = diag(1 - h²) W_hh: largest difference 0",
        "The gradient vanishes: it shrinks by 0.46 a step, below 1e-6 of its size after",
        "tanh 0.5 5.7e-14 3.6e-12 vanishes: it shrinks by 0.46 a step",
        "identity 1.5 1.5e+07 1.5e+07 explodes: it grows by 1.53 a step"],
    "14_truncation_measured": ["2 back: dx_3/dw = 0.072 of 0.108", "7 3 17 18%",
                               "8 36% 0.9687 25.1% 55% 0.9990 4.5%"],
    "15_why_lstm": ["RNN 0.432 3.0e-22 no such way 9 steps",
                    "LSTM, b_f = 5.0 1.036 8.2e+00 7.5e-01 never here"],
    "16_three_ways": ["10 BPTT 2,124 430", "40 BPTT 8,604 1,720", "16 304 4,944 468,560 94.8 485 "
                      "4,880"],
    "17_what_if": ["= for += 100.0% –", "no dh_next 32.7% –",
                   "one gate's slice shifted – –", "WRONG on purpose: no dh_next",
                   "4 linear 0.2445 0.2445", "3 linear 0.3468 0.3322 ✗"],
    "20_from_outside": ["many to one 3 1", "one to many 1 3", "encoder, decoder 4 3"],
    "21_where_the_gradient_ends": ["1 to 3 2.64 nowhere", "7 to 9 3.43 h_4 1.4477"],
    "22_heat_maps": ["W_xh ▁▁▁▁▁▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅▁▁▁▁▁▁▁▁▁▁▁▁▁▁"],
    "23_a_cell_that_knows_quotes": ["0 2.0966", "11 0.925 0.714"],
    "24_scalar_by_scalar": ["L = [4] ^ 2 = 0.926 ∂ 1 −1.92 · 1 = −1.92 → [4]",
                            "z[1,2] = [3] + [4] = 3 ∂ 1 1 · 1 = 1 → [3], 1 · 1 = 1 → [4]"],
    "25_the_graph_of_a_gradient": ["forward y = tanh([1]) = 0.762", "backward [5] = [4] × x = 0.84",
                                   "d²y/dw² = -2.558800 by hand -2.558800"],
    "26_one_drawing_many_formats": [
        "w is weight recurrent; x0 is initial; t1.h.op is op; t1.h is state; t2.h.op is op; "
        "t2.h is state"],
    "27_rolled": ["T = 3 and T = 300 are drawn alike: True", "┊ │ only t = T │ ┊",
                  "┊ ││ t < T │ ┊"],
    "28_levels": ["layer 13 13", "cell 87 90", "op 229 239"],
    "29_which_mistake": ["0 pass", "1 FAIL x h0 Wx Wh b the gradient equals that of a tanh RNN "
                         "whose backward forgets dh_next",
                         "4 FAIL b the gradient equals that of a tanh RNN whose backward has `=` "
                         "for `+=` at b: the first step's part is left of it"],
    "30_pytorch_from_outside": ["gradient check: pass; 5 parameters, 138 entries"
                                if importlib.util.find_spec("torch") else
                                "PyTorch is not installed: nothing to check."],
    "31_do_my_tests_notice": ["6 of 21 planted mistakes are caught: 29%",
                              "21 of 21 planted mistakes are caught: 100%"],
    "32_the_player": ["67 moments: 33 forward, 33 backward, and the turn: "
                      "32_the_player.html#m=33", "4 32_the_player.html#m=50&look=W_hh"],
    "33_a_cell_that_knows_depth": ["0 1.8733", "9 -0.982 0.373", "0 0.29 ± 0.09",
                                   "4 -2.42 ± 0.21"],
    "18_explain": ["∂L/∂W_hh = Σ_t δ_t h_{t−1}ᵀ", "δ_t = ∂L/∂h_t ⊙ (1 − h_t²)",
                   "chain = ∂h₃/∂h₂ · ∂h₂/∂h₁ · ∂h₁/∂w = 0.2 · 0.2 · 0.9 = 0.036",
                   "∂h₃/∂w = 0.036 + 0.036 + 0.036 = 0.108 what this pass added to w.grad",
                   r"\frac{\partial L}{\partial W_{hh}} &= \sum_t \delta_t \, {h_{t-1}}^\top \\"],
    "19_watch": ["no warnings", "update 2, step 1: 69% of h_1's states are beyond ±0.99: its "
                 "slope is nearly 0",
                 "update 2, step 10: the graph has 177 nodes, after 117 at first: linear still",
                 "uses h_10 of an earlier update. Cut it: h.detach()"],
}
TABLE_ONLY = {"05_your_own_op", "07_hello", "08_five_patterns", "09_encoder_decoder",
              "11_order_matters", "16_three_ways", "18_explain", "19_watch",
              "29_which_mistake", "30_pytorch_from_outside", "31_do_my_tests_notice"}
PAGE = {"32_the_player"}
PICTURE = {name: [] if name in TABLE_ONLY else
           [f"{name}.html" if name in PAGE else f"{name}.svg"] for name in SAYS}


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
def test_an_example_says_and_draws_what_it_should(name, tmp_path):
    printed, files = run(name, tmp_path / "first")
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in SAYS[name]:
        assert line in lines
    assert list(files) == PICTURE[name]
    for picture in files.values() if name not in PAGE else ():
        assert ElementTree.fromstring(picture.decode()).tag.endswith("svg")
    assert all(files[page].startswith(b"<!doctype html>") for page in files if name in PAGE)
