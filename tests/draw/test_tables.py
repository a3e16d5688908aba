"""Heat maps and coloured text: every number has its colour, and what is none is seen."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.draw import style
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError, ShapeError

from . import graphs


def words(picture):
    return [plain(x.text) for x in (*picture.drawing.boxes, *picture.drawing.labels) if x.text]


# --- heat maps ------------------------------------------------------------------------------------


def test_units_run_down_and_time_runs_right():
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    outputs = nn.RNN(3, 5, return_sequences=True, seed=0)(xs)
    drawing = draw.heatmap(outputs, sample=1).drawing
    cell = next(b for b in drawing.boxes if b.title.startswith("unit 2, step 3:"))
    assert plain(cell.text).replace("−", "-") == f"{outputs.numpy()[2, 1, 2]:.3g}"
    below = next(b for b in drawing.boxes if b.title.startswith("unit 3, step 3:"))
    after = next(b for b in drawing.boxes if b.title.startswith("unit 2, step 4:"))
    assert (below.x, after.y) == (cell.x, cell.y)
    assert below.y > cell.y
    assert after.x > cell.x


def test_red_is_positive_blue_negative_and_white_zero():
    boxes = draw.heatmap([[-2.0, 0.0, 2.0, 1.0]]).drawing.boxes
    assert [b.fill for b in boxes[:3]] == ["#2166ac", "#f4f4f4", "#b2182b"]  # the paper is white
    red, green, blue = (int(boxes[3].fill[i:i + 2], 16) for i in (1, 3, 5))
    assert red > green > blue


def test_a_large_table_keeps_its_extremes_and_says_that_it_is_binned():
    table = np.zeros((300, 1000))
    table[123, 456], table[7, 999] = 5.0, -5.0
    picture = draw.heatmap(table)
    titles = [c.title for s in picture.drawing.strips for c in s.cells]
    assert len(titles) < 11_000
    assert any(t.endswith("row 123, step 457: 5") for t in titles)
    assert any(t.endswith("row 7, step 1000: −5") for t in titles)
    assert any("a cell shows the largest of" in w for w in words(picture))


def test_a_nan_is_not_lost_in_a_large_table():
    table = np.ones((200, 400))
    table[3, 5] = np.nan
    picture = draw.heatmap(table)
    assert any(c.paint == "nan" for s in picture.drawing.strips for c in s.cells)
    assert "?" in picture.text()


def test_in_one_cell_a_nan_comes_before_what_is_infinite():
    table = np.ones((200, 400))
    table[2, 4], table[0, 3] = np.nan, -np.inf
    paints = {c.paint for s in draw.heatmap(table).drawing.strips for c in s.cells}
    assert "nan" in paints
    table[2, 4] = -1e300
    assert "nan" not in {c.paint for s in draw.heatmap(table).drawing.strips for c in s.cells}


@pytest.mark.parametrize("shape", [(2, 5), (30, 40), (300, 400)])
def test_what_a_mask_hides_is_not_drawn(shape):
    table = np.ma.masked_array(np.ones(shape), np.zeros(shape, bool))
    table[0, 1] = 7.0
    table[0, 1] = np.ma.masked
    picture = draw.heatmap(table)
    titles = [b.title for b in picture.drawing.boxes] + \
        [c.title for s in picture.drawing.strips for c in s.cells]
    assert not any(title.startswith("row 0, step 2:") for title in titles)
    assert sum(bool(title) for title in titles) > 8
    assert "7" not in [w.split()[-1] for w in words(picture)]
    states = np.ma.masked_array(np.ones((4, 2, 3)), np.zeros((4, 2, 3), bool))
    states[2, 1, 0] = np.ma.masked
    told = [b.title for b in draw.heatmap(states, sample=1).drawing.boxes]
    assert len([title for title in told if title.startswith("unit")]) == 11
    assert "unit 0, step 3: 1" not in told


ODD = [[1.0, np.nan], [-np.inf, -1.0]]


def looks(picture, name):
    """Fill, outline and dashes of the last shape in the group of that id."""
    group = picture.svg().split(f'<g id="{name}">')[1].split("</g>")[0]
    shape = re.findall("<rect [^>]*>", group)[-1]
    return tuple((re.search(f' {key}="([^"]*)"', shape) or [0, ""])[1]
                 for key in ("fill", "stroke", "stroke-dasharray"))


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("view", ["few", "many", "text"])
def test_what_is_no_number_looks_as_in_the_legend_and_as_no_number_does(view, theme):
    if view == "many":
        picture = draw.heatmap(np.repeat([[1.0, np.nan], [0.0, np.inf], [0.0, -1.0]], 30, 1),
                               theme=theme)
        nan, inf, most = "row_0", "row_1", "row_2"
    elif view == "few":
        picture, nan, inf, most = draw.heatmap(ODD, theme=theme), "cell_0_1", "cell_1_0", "cell_0_0"
    else:
        picture = draw.text("abc", [np.nan, np.inf, 1.0], theme=theme)
        nan, inf, most = "c0_0", "c0_1", "c0_2"
    drawn = [looks(picture, name) for name in (nan, inf)]
    assert drawn == [looks(picture, f"legend_{word}") for word in ("NaN", "infinite")]
    assert len({*drawn, looks(picture, most)}) == 3
    table = style.THEMES[theme]
    for role in style.NO_NUMBER:  # no shade of any scale, or with an outline that none has
        shades = {style.Shade(scale, k / 40).on(theme) for scale in ("signed", "sizes")
                  for k in range(41)}
        near = min(style.apart(table[role].fill, shade) for shade in shades)
        outlined = style.contrast(table[role].fill, table[role].stroke) > 4.5
        assert near > 60 or outlined
        assert style.contrast(table[role].fill, table[role].ink) >= style.LEAST_CONTRAST


def test_what_is_no_number_is_told_apart_without_colours():
    """On a printer NaN and infinity are white inside; NaN has a dashed outline."""
    picture = draw.heatmap(ODD, theme="print")
    assert looks(picture, "cell_0_1") == ("#ffffff", "#000000", "4 3")
    assert looks(picture, "cell_1_0") == ("#ffffff", "#000000", "")
    assert 'style="filled,dashed"' in draw.heatmap(np.repeat(ODD, 30, 1), theme="print").dot()
    page = draw.text("abc", [np.nan, np.inf, 1.0], theme="print").html()
    assert "outline:1px dashed #000000" in page
    assert "</b> NaN" in page
    assert "</b> infinite" in page


def test_a_row_of_a_ledger_has_the_contributions_of_its_steps():
    flow = tg.gradient_flow(graphs.power(3))
    ledger = flow.ledger(next(n for n in flow.incoming if n.name == "w"))
    boxes = [b for b in draw.heatmap(ledger).drawing.boxes if "step" in b.title]
    assert [plain(b.text) for b in boxes] == ["0.036"] * 3


def test_a_table_of_attributions():
    rnn = nn.RNN(3, 4, return_sequences=True, seed=0)
    xs = np.random.default_rng(0).normal(size=(4, 1, 3))
    loss = nn.squared_error(rnn(xs), np.zeros((4, 1, 4)))
    losses = [n for n in tg.nodes(loss) if n.name == "L" and n.step is not None]
    table = tg.gradient_flow(loss).attribution(rnn.cell.W_hh, losses)
    titles = [b.title for b in draw.heatmap(table).drawing.boxes]
    assert f"loss L 3, step of the use 2: {table.norms[2, 1]:.3g}" in titles
    assert "loss L 2, step of the use 1: 0" in titles  # h_0 is 0
    later = [f"loss L {t}, step of the use {k}" for t in range(1, 5) for k in range(t + 1, 5)]
    assert not any(title.startswith(tuple(later)) for title in titles)  # cannot be: left empty
    assert draw.heatmap(table).text().splitlines()[2].rstrip() == "L 1  ▁"


@pytest.mark.parametrize(("data", "options", "error", "says"), [
    ("words", {}, InputError, "table of numbers"), ([], {}, ShapeError, "expected a table"),
    (np.zeros((2, 2, 2, 2)), {}, ShapeError, "got shape"),
    (np.zeros((2, 3)), {"rows": ["a"]}, ShapeError, "expected 2 names in rows"),
    (np.zeros((2, 3)), {"columns": "abcd"}, ShapeError, "expected 3 names in columns"),
    (np.zeros((2, 3)), {"scale": "log"}, InputError, "expected scale"),
    (np.zeros((2, 3, 4)), {"sample": 3}, InputError, "sample to be from 0 to 2")])
def test_what_is_no_table_is_refused(data, options, error, says):
    with pytest.raises(error, match=says):
        draw.heatmap(data, **options)


# --- text -----------------------------------------------------------------------------------------


def test_every_character_is_drawn_once_on_its_own_colour():
    text = "ab \n\tc(\u202e)名x\u0301" * 3
    numbers = np.linspace(-1, 1, len(text))
    picture = draw.text(text, numbers, width=7)
    boxes = [b for b in picture.drawing.boxes if b.id.startswith("c0")]
    assert len(boxes) == len(text)
    assert [int(b.title.split(":")[0]) for b in boxes] == list(range(1, len(text) + 1))
    assert boxes[0].fill == "#2166ac"
    assert boxes[-1].fill == "#b2182b"
    assert "\u202e" not in picture.svg() + picture.html() + picture.text() + picture.ansi()


def test_lines_are_broken_at_spaces_and_line_breaks():
    text = "one two three\nfour " + "x" * 12
    from tinygrad_rnn.draw.coloured import wrapped

    rows = ["".join(text[i] for i in row) for row in wrapped(text, 8)]
    assert rows == ["one two ", "three\n", "four ", "xxxxxxxx", "xxxx"]
    assert "".join(rows) == text


def test_the_page_is_text():
    page = draw.text("<i>", [0.0, 1.0, -1.0]).html()
    assert "&lt;</span>" in page
    assert "<i>" not in page
    assert "<svg" not in page


def test_the_terminal_shows_the_colours():
    ansi = draw.text("ab", [1.0, -1.0]).ansi()
    assert "\x1b[48;2;178;24;43;38;2;255;255;255ma\x1b[0m" in ansi
    pytest.importorskip("rich")
    assert draw.text("ab", [1.0, -1.0]).__rich__().plain.startswith("ab")


def test_a_long_text_is_shortened_and_it_is_said():
    picture = draw.text("x" * 10_000, np.ones(10_000))
    said = "6,000 further characters are not drawn"
    assert said in words(picture)
    assert said in picture.html()
    assert said in picture.text()


@pytest.mark.parametrize(("text", "numbers", "says"), [
    ("abc", [1.0, 2.0], "expected 3 activations"), ("", [], "expected a text"),
    (3, [1.0], "expected a text"), ("abc", np.zeros((3, 40)), "at most 12 cells"),
    ("abc", {"a": [1.0]}, "for 'a'")])
def test_numbers_that_do_not_fit_the_text_are_refused(text, numbers, says):
    with pytest.raises((InputError, ShapeError), match=says):
        draw.text(text, numbers)


def test_the_related_cell_is_found_and_chance_is_known():
    rng = np.random.default_rng(0)
    text = ('he said "yes or no" and then "maybe, some day", or not. ' * 6)[:300]
    wanted = draw.inside_quotes(text)
    noise = rng.normal(size=(300, 20)).cumsum(axis=0)  # wanders slowly, as states do
    nothing = draw.related(noise, rng.permutation(wanted))[0]
    noise[:, 7] = -wanted + 0.3 * rng.normal(size=300)
    found = draw.related(noise, wanted)[0]
    assert found.cell == 7
    assert found.correlation < -0.8
    assert found.real
    assert not nothing.real


def test_a_cell_that_never_changes_is_related_to_nothing():
    found = draw.related(np.stack([np.ones(20), np.arange(20.0)], 1), np.arange(20) % 3)
    assert next(r for r in found if r.cell == 0).correlation == 0
    with pytest.raises(InputError, match="something that changes"):
        draw.related(np.zeros((4, 2)), np.ones(4))
    with pytest.raises(ShapeError, match="expected activations"):
        draw.related(np.zeros((4, 2)), np.ones(5))


def test_quotes_and_nesting():
    assert draw.inside_quotes('a"b"c').tolist() == [0, 1, 1, 0, 0]
    assert draw.nesting("(a(b))c)").tolist() == [1, 1, 2, 2, 1, 0, 0, 0]
