"""Graphs with labels of every kind, through real Graphviz and parsers of XML and HTML: each is
drawn, and no label ever becomes markup. A thousand of them: tests/benchmarks/test_fuzzed.py."""

import subprocess

import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow

from . import pictures
from .fuzzed import TAGS, check_graphviz, check_markup, texts_of
from .test_text import NASTY, Tags, hostile

SOME = range(3, 1_000, 5)  # every view: 5 has no factor in common with the numbers of views


@pytest.fixture(scope="module")
def fuzzed():
    return texts_of(SOME)


def test_no_label_becomes_markup(fuzzed):
    assert len(fuzzed) == 200


def test_real_graphviz_draws_them(require, fuzzed):
    check_graphviz(require("dot"), fuzzed)


@pytest.mark.parametrize("name", pictures.VIEWS)
def test_every_view_is_well_formed(name):
    check_markup(pictures.VIEWS[name]())


def test_every_view_is_accepted_by_both_programs(require):
    require("dot")
    text = "".join(make().dot() for make in pictures.VIEWS.values())
    for command in (["dot", "-Tplain"], ["neato", "-n2", "-Tplain"]):
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=120,
                              check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.count(b"stop\n") == len(pictures.VIEWS)


@pytest.mark.parametrize("name", range(len(NASTY)))
def test_a_nasty_label_is_strict_html(name):
    html5lib = pytest.importorskip("html5lib")
    root = hostile(NASTY[name])
    for made in (draw.unrolled(root), draw.gradient_flow(gradient_flow(root))):
        html5lib.HTMLParser(strict=True).parse(made.html())


def test_the_check_can_fail():
    tags = Tags()
    tags.feed("<p><script>1</script>")
    assert not tags.found <= TAGS
