"""Every word can be read: its colour against what is behind it, on light and on dark paper."""

import itertools
import re

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


LEVELS = [i / 40 for i in range(41)]


@pytest.mark.parametrize("scale", style.SCALES)
def test_on_paper_a_larger_number_is_a_darker_grey(scale):
    greys = [style.Shade(scale, level).on("print") for level in LEVELS]
    bright = [style.brightness(grey) for grey in greys]
    assert all(a >= b for a, b in itertools.pairwise(bright))
    assert bright[0] > 20 * bright[-1]
    assert all(grey[1:3] == grey[3:5] == grey[5:7] for grey in greys)


def test_on_dark_paper_every_line_of_a_gradient_is_seen():
    paper = style.THEMES["dark"]["paper"].fill
    assert min(style.contrast(style.gradient_colour(level).on("dark"), paper)
               for level in LEVELS) >= 4.5


@pytest.mark.parametrize("scale", ["signed", "sizes"])
def test_nothing_is_as_dark_as_dark_paper_and_what_is_large_shines(scale):
    """A zero that is white on dark paper would be what is seen first."""
    paper = style.THEMES["dark"]["paper"].fill

    def far(level):
        return style.contrast(style.Shade(scale, level).on("dark"), paper)

    none, most = (0.5, 1.0) if scale == "signed" else (0.0, 1.0)
    assert far(none) < 1.5
    assert far(most) > 6
    assert far(0.0) > 6 or scale == "sizes"
    sizes = [far(none + (most - none) * i / 20) for i in range(21)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("paper", ["light", "dark", "print"])
@pytest.mark.parametrize("scale", style.SCALES)
def test_a_number_can_be_read_on_its_shade(scale, paper):
    for level in LEVELS:
        shade = style.Shade(scale, level)
        assert style.contrast(shade.on(paper), shade.its("ink").on(paper)) >= 4.5


@pytest.mark.parametrize("theme", style.THEMES)
@pytest.mark.parametrize("low", [0.0, -1.0])
def test_every_number_of_a_heat_map_can_be_read(low, theme):
    """In the file: an ink that is black on light paper may be white on dark paper, or not."""
    numbers = [[low + (1 - low) * (7 * row + column) / 48 for column in range(7)]
               for row in range(7)]
    text = draw.heatmap(numbers, theme=theme).svg()
    cells = re.findall(r'<rect [^>]*fill="(#\w+)"[^>]*/><text [^>]*fill="(#\w+)"', text)
    assert len(cells) == 49
    assert min(style.contrast(*cell) for cell in cells) >= 4.5


def test_a_shade_follows_the_readers_setting():
    """With theme="auto" the sheet has the dark colour of every shade; a file has one of them."""
    table = draw.heatmap([[0.0, 1.0], [-1.0, 0.5]])
    most = style.Shade("signed", 1.0)
    page, dark = table.html(), draw.heatmap([[1.0, -1.0]], theme="dark")
    assert f'fill="{most}" data-fill="signed-40.fill"' in page
    assert f'[data-fill="signed-40.fill"]{{fill:{most.on("dark")}}}' in page
    assert f'[data-fill="signed-40.ink"]{{fill:{most.its("ink").on("dark")}}}' in page
    for text in (dark.svg(), dark.dot()):
        assert most.on("dark") in text
        assert most not in text


def test_a_page_of_text_follows_the_readers_setting():
    most, words = style.Shade("signed", 1.0), draw.text("ab", [1.0, -0.5]).html()
    assert f".signed-40{{background:{most};color:#ffffff}}" in words
    assert f".signed-40{{background:{most.on('dark')};color:#000000}}" in words
    assert '<span class="signed-10" title="2: b −0.5">b</span>' in words
    assert most not in draw.text("ab", [1.0, -0.5], theme="dark").html()


def test_a_users_own_colour_is_no_shade():
    """On dark paper it stays what it is, whatever it looks like."""
    white = style.Shade("signed", 0.5)
    picture = draw.unrolled(GRAPHS["power"](), theme="dark",
                            node=lambda node, box: {"fill": str(white)})
    assert f'fill="{white}"' in picture.svg()
    printed = draw.unrolled(GRAPHS["power"](), theme="print",
                            node=lambda node, box: {"fill": "#2166ac"})
    state = next(box for box in printed.drawing.boxes if box.role == "state")
    assert state.fill == style.grey("#2166ac")


def test_in_print_what_goes_in_is_told_from_what_comes_out():
    table = style.THEMES["print"]
    fills = [table[role].fill for role in ("input", "state", "output")]
    assert all(style.apart(a, b) > 60 for a, b in itertools.combinations(fills, 2))
    smallest = style.brightness(style.gradient_colour(0.0).on("print"))
    assert all(style.brightness(paint.fill) > smallest for role, paint in table.items()
               if paint.fill != "none" and role != "delay")  # in a flow no grey means a size


@pytest.mark.parametrize("theme", style.THEMES)
def test_a_line_without_a_gradient_is_faint_and_still_seen(theme):
    table = style.THEMES[theme]
    for role in ("zero", "dim"):
        assert style.contrast(table[role].stroke, table["paper"].fill) >= 3.0


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


@pytest.mark.parametrize("role", [
    "op", "function", "state", "value", "output", "input", "initial", "cell", "loss", "total",
    *(f"weight {name}" for name in style.WEIGHTS)])
def test_in_print_the_backward_pass_is_told_from_everything_forward(role):
    table = style.THEMES["print"]
    assert style.apart(table["backward"].fill, table[role].fill) > 100


def test_in_print_new_steps_are_told_from_those_that_are_run_again():
    fills = {box.id: style.THEMES["print"][box.role].fill
             for box in draw.truncated(500, k1=20, k2=35, theme="print").drawing.boxes}
    new, again = (style.channels(fills[f"legend_{said}"])[0] for said in (
        "new_steps_of_the_window", "steps_that_are_run_again"))
    assert abs(new - again) >= 16
