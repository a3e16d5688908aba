"""The demo from end to end, on the texts it must run on; what it writes and how the page reads."""

import argparse
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_rnn.cli import main, page, story, terminal
from tinygrad_rnn.cli.demo import FILES, demo
from tinygrad_rnn.cli.story import begin, printable, shown
from tinygrad_rnn.train import Text, read_text

ACCENTS = "Élève, où êtes-vous ? Ça va très bien — naïve œuvre 😀 façade.\n" * 20
VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def told():
    """The story of 'hello', trained."""
    tale = begin(Text("hello"), 0)
    tale.learn(lambda losses, total: losses)
    return tale


class Balanced(HTMLParser):
    """Every tag is closed where it should be; collects the text and the addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.words, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def check_files(folder):
    """All files are there and whole: the drawings parse, the page fetches nothing. Its words."""
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)
    for name in ("unrolled", "gradient_flow"):
        root = ElementTree.fromstring((folder / f"{name}.svg").read_text(encoding="utf-8"))
        assert root.tag.endswith("svg")
        dot = (folder / f"{name}.dot").read_text(encoding="utf-8")
        assert dot.lstrip().startswith(("digraph", "strict digraph"))
    text = (folder / "index.html").read_text(encoding="utf-8")
    reader = Balanced()
    reader.feed(text)
    assert reader.open == []
    assert reader.addresses == []
    assert not re.search(r"url\(|@import|<script", text)
    assert text.count("<svg") == 3
    return " ".join(reader.words)


def test_hello_on_the_command_line(tmp_path):
    """As a user runs it: seconds, plain text in a pipe, no display, nothing else on PATH."""
    begun = time.monotonic()
    env = {**{k: v for k, v in os.environ.items() if k not in ("DISPLAY", "COLUMNS")}, "PATH": ""}
    done = subprocess.run([sys.executable, "-m", "tinygrad_rnn", "demo"], cwd=tmp_path, env=env,
                          capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begun < 30
    out = done.stdout
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert [f"{n}. " in out for n in range(1, 9)] == [True] * 8
    assert "'hello': 5 characters, 4 different ones" in out
    assert "the sum of the 4 rows = W_hh.grad, bit for bit" in out
    assert "pass" in out
    assert "hello │" in out
    assert "tinygrad_rnn_demo/" in out
    for name in ("index.html", "unrolled.svg", "gradient_flow.svg"):
        assert name in out
    words = check_files(tmp_path / "tinygrad_rnn_demo")
    assert "The sum of the 4 rows = W_hh.grad, bit for bit." in words
    assert "It is." in words


def test_a_source_file_of_the_standard_library(tmp_path, capsys):
    begun = time.monotonic()
    assert main(["demo", "--file", argparse.__file__, "--out", str(tmp_path / "out")]) == 0
    assert time.monotonic() - begun < 60
    out = capsys.readouterr().out
    assert "read in windows of 25 steps" in " ".join(out.split())
    assert "⋮" in out
    assert "the sum of the 25 rows = W_hh.grad, bit for bit" in out
    check_files(tmp_path / "out")


def test_a_text_with_accents(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(story, "training_steps", lambda text: 30)
    file = tmp_path / "accents.txt"
    file.write_text(ACCENTS, encoding="utf-8")
    assert main(["demo", "--file", str(file), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "Élève, où" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "Élève, où" in check_files(tmp_path / "out")


@pytest.mark.parametrize("text", ["ab", "aab", "<b>&amp;[bold]</b>", "a\tb\nc\r", "\x1b[31mred",
                                  "“你好”", "\u202eabc", "-- x", "x" * 26 + "y"])
def test_any_short_text(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(story, "training_steps", lambda text: 3)
    assert main(["demo", f"--text={text}", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out
    words = check_files(tmp_path / "out")
    assert "\x1b" not in words
    assert f"{len(text)} characters" in out


def test_the_same_seed_is_the_same_bytes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(story, "training_steps", lambda text: 5)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        demo("hello", out=str(tmp_path / name), seed=seed)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a/index.html").read_bytes() != (tmp_path / "c/index.html").read_bytes()


def test_the_numbers_of_the_story(told):
    cell = told.model.rnn.cell
    assert told.nodes == 43
    assert [s.t for s in told.steps] == [1, 2, 3, 4]
    assert [(s.reads, s.target) for s in told.steps] == list(zip("hell", "ello"))
    assert sum(s.loss for s in told.steps) == pytest.approx(told.loss.item())
    assert told.report
    assert told.ledger.node is cell.W_hh
    parts = [row.contribution for row in told.ledger]
    np.testing.assert_allclose(sum(parts), told.flow.gradient(cell.W_hh))
    assert told.start + told.written == "hello"
    assert told.curve[-1] < 0.1 < told.curve[0]


def test_a_wrong_sum_would_be_said(told):
    told.exact = False
    try:
        assert story.ledger_sum(told).endswith("NOT equal")
        assert 'class="verdict bad">The sum of the 4 rows' in page.page(told)
    finally:
        told.exact = True


def test_a_failed_check_would_be_said(told):
    report = told.report
    told.report = ""
    try:
        assert 'class="verdict bad">Not confirmed.' in page.page(told)
    finally:
        told.report = report


def test_what_a_text_holds_is_never_markup(told, monkeypatch):
    monkeypatch.setattr(told, "report", "<b>report</b>")
    monkeypatch.setattr(told, "written", "<script>\x1b</script>")
    monkeypatch.setattr(told, "start", "<i>")
    text = page.page(told)
    assert "&lt;b&gt;report" in text
    assert "<b>&lt;script&gt;U+001B&lt;/script&gt;</b>" in text
    assert "<script" not in text
    assert text.count("&lt;i&gt;") == 2


def test_characters_without_a_shape():
    assert [shown(c) for c in "a \n\t\x1b\x00é"] == ["a", "␣", "⏎", "⇥", "U+001B", "U+0000", "é"]
    assert printable("a b\n\x1b[31m") == "a b\nU+001B[31m"


def test_long_tables_show_both_ends():
    rows = [[str(i)] for i in range(100)]
    kept = terminal.elided(rows)
    assert len(kept) == 11
    assert (kept[0], kept[5], kept[-1]) == (["0"], ["⋮"], ["99"])
    assert terminal.elided(rows[:12]) == rows[:12]


@pytest.mark.parametrize("width", [12, 20, 30, 40, 60, 80, 120])
def test_narrow_tables_keep_their_first_columns_whole(told, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    screen = terminal.Screen()
    terminal.tell_steps(screen, told)
    terminal.tell_ledger(screen, told)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    firsts = [line.split()[0] for line in lines if line.strip()]
    for first in ("t", "1", "2", "3", "4", "step", "Σ"):
        assert first in firsts
    missing = [name for name in ("‖∂L/∂h_t‖", "‖running") if name not in " ".join(lines)]
    assert missing == []
    assert ("narrow" in " ".join(lines)) == (width < 60)


def test_how_many_columns_fit():
    rows = [["ab", "c", "def"], ["a", "四四", "d"], []]
    assert [terminal.fitting(rows, width) for width in (0, 5, 11, 12, 17, 18)] == [1, 1, 1, 2, 2, 3]


def test_a_second_demo_replaces_the_first(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(story, "training_steps", lambda text: 3)
    demo("hello", out=str(tmp_path), seed=1)
    first = (tmp_path / "index.html").read_text(encoding="utf-8")
    demo("hello", out=str(tmp_path), seed=2)
    check_files(tmp_path)
    assert (tmp_path / "index.html").read_text(encoding="utf-8") != first


def test_small_curves():
    assert terminal.spark([]) == ""
    assert terminal.spark([2.0, 1.0]) == "█▁"
    assert len(terminal.spark(list(range(1000)))) == 32
    assert page.running_mean([1.0, 2.0, 3.0, 4.0], 1) == [1.0, 1.5, 2.5, 3.5]
    assert "polyline" in page.curve([1.0])


def test_a_big_vocabulary_trains_for_less():
    few, many = Text("ab" * 50), Text("".join(map(chr, range(0x4E00, 0x4E00 + 3000))))
    assert story.training_steps(few) > 3 * story.training_steps(many) > 0


def test_the_window_that_is_drawn_is_the_first(tmp_path):
    file = tmp_path / "long.txt"
    file.write_text("abc" * 40)
    tale = begin(read_text(file), 0)
    assert len(tale.read) == 25
    assert tale.read == ("abc" * 40)[:25]
    assert not tale.short
