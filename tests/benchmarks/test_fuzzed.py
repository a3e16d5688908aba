"""A thousand graphs with labels of every kind, through real Graphviz and the parsers.

    python -m pytest tests/benchmarks/test_fuzzed.py      # about half a minute
"""

import shutil

from tests.draw.fuzzed import check_graphviz, check_markup, picture, texts_of


def test_real_graphviz_draws_a_thousand_and_no_label_becomes_markup():
    check_graphviz(shutil.which("dot"), texts_of(range(1_000)))


def test_every_format_of_five_hundred():
    for i in range(0, 1_000, 2):
        check_markup(picture(i))
