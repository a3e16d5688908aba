"""Every word can be read: its colour against what is behind it, on light and on dark paper."""

import itertools

import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw import style
from tinygrad_rnn.draw.dot import ROOM, font_size
from tinygrad_rnn.draw.labels import Run, plain, width

from .graphs import GRAPHS


def test_contrast_is_that_of_wcag():
    assert style.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert style.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)
    assert style.contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("theme", style.THEMES)
def test_words_stand_out_from_what_is_behind_them(theme):
    table = style.THEMES[theme]
    for role, paint in table.items():
        behind = [paint.fill] if paint.fill != "none" else []
        if role in ("text", "quiet"):  # words on their own stand on the paper, in frames, in gaps
            behind = [table[on].fill for on in ("paper", "frame", "gap")]
        for fill in behind:
            assert style.contrast(paint.ink, fill) >= 4.5, (role, paint.ink, fill)


@pytest.mark.parametrize("level", [i / 40 for i in range(41)])
def test_a_state_can_be_read_in_every_colour_of_the_gradient(level):
    colour = style.gradient_colour(level)
    assert style.contrast(style.ink_on(colour), colour) >= 4.5


@pytest.mark.parametrize("name", GRAPHS)
def test_plain_text_fits_its_box_in_dot(name):
    """W_hh without a subscript is wider than its box was made for."""
    for box in draw.gradient_flow(gradient_flow(GRAPHS[name]())).drawing.boxes:
        if box.text:
            size = font_size(box)
            assert width((Run(plain(box.text)),), size) <= box.w - ROOM + 1e-9
            assert size > 0.7 * box.size, box.id


@pytest.mark.parametrize("scale", [style.GRADIENT, style.SIGNED, style.SIZES], ids=["size of a "
                         "gradient", "signed", "sizes"])
def test_on_paper_a_larger_number_is_a_darker_grey(scale):
    colours = [style.between(scale, i / 40) for i in range(41)]
    greys = list(map(style.printer(colours), colours))
    bright = [style.brightness(grey) for grey in greys]
    assert all(a >= b for a, b in itertools.pairwise(bright))
    assert bright[0] > 20 * bright[-1]
    assert all(grey[1:3] == grey[3:5] == grey[5:7] for grey in greys)


@pytest.mark.parametrize("name", style.WEIGHTS)
def test_a_rail_is_seen_on_dark_paper(name):
    """The lines of weights, which cross the whole picture, are no darker than the paper allows."""
    table = style.THEMES["dark"]
    assert style.contrast(table[f"weight {name}"].stroke, table["paper"].fill) >= 3.5


def test_in_print_a_state_is_as_dark_as_the_legend_says():
    picture = draw.gradient_flow(gradient_flow(GRAPHS["power"]()), theme="print").drawing
    bar = next(strip for strip in picture.strips if "legend" in strip.id)
    states = [box.fill for box in picture.boxes if box.role == "state"]
    assert {bar.cells[-1].paint} <= set(states)
    backward, plain_ = (style.THEMES["print"][role].fill for role in ("backward", "op"))
    assert style.apart(backward, plain_) > 100
