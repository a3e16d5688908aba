"""What comes in from outside is wrong now and then: it is refused in plain words, or drawn as what
it is, and no text of a user's ends up as markup."""

from dataclasses import replace
from html import escape

import numpy as np
import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError

from . import graphs
from .fuzzed import TAGS, check_markup
from .test_text import NASTY, check_svg, tokens


@pytest.mark.parametrize("view", ["drawing", "text"])
@pytest.mark.parametrize("width", [0, -1, "a", 1.5, True, np.ones(2)])
def test_a_sketch_is_at_least_one_character_wide(view, width):
    """A cut to less than nothing never came to an end."""
    picture = draw.unrolled(graphs.power(2)) if view == "drawing" else draw.text("abc", [1, 2, 3])
    with pytest.raises(InputError, match="width to be a whole number of at least 1, got"):
        picture.text(width=width)


@pytest.mark.parametrize("width", [1, 2, 5, np.int64(7)])
def test_no_line_of_a_cut_sketch_is_longer_than_asked_for(width):
    for picture in (draw.unrolled(graphs.power(2)), draw.text("abcdefghij", range(10))):
        assert max(map(len, picture.text(width).split("\n"))) <= width
        assert picture.text(width) != picture.text()


BREAKING = '"/><script>alert(1)</script>'  # ends an attribute, and an element


@pytest.mark.parametrize(("callback", "change", "says"), [
    ("edge", {"dash": BREAKING}, "lengths of dashes and gaps"),
    ("edge", {"dash": "zz"}, "lengths of dashes and gaps"),
    ("edge", {"dash": "4 3 "}, "lengths of dashes and gaps"),
    ("edge", {"dash": np.ones(2)}, "lengths of dashes and gaps"),
    ("edge", {"dash": object()}, "lengths of dashes and gaps"),
    ("edge", {"dash": None}, "lengths of dashes and gaps"),
    ("edge", {"title": np.ones(2)}, "expected title to be a text or a number"),
    ("edge", {"note": object()}, "expected note to be a text or a number"),
    ("edge", {"width": "2"}, "a width in points"),
    ("edge", {"width": np.nan}, "a width in points"),
    ("edge", {"colour": "#12_345"}, "a colour like"),
    ("edge", {"colour": "#+12345"}, "a colour like"),
    ("edge", {"role": np.ones(2)}, "expected role to be one of"),
    ("node", {"text": None}, "expected text to be a text or a number, got None"),
    ("node", {"title": ["a"]}, "expected title to be a text or a number"),
    ("node", {"dashed": np.ones(2)}, "expected dashed to be True or False"),
    ("node", {"dashed": "no"}, "expected dashed to be True or False"),
    ("node", {"fill": "#" + BREAKING}, "a colour like"),
    ("node", {"role": BREAKING}, "expected role to be one of"),
    ("node", {"role": ["state"]}, "expected role to be one of"),
    ("node", {3: "x"}, "a change of the node callback to be one of"),
])
@pytest.mark.parametrize("view", ["unrolled", "rolled", "scalar"])
def test_what_a_callback_returns_is_checked_when_it_is_returned(view, callback, change, says):
    root = graphs.power(2)
    with pytest.raises(InputError, match=says):
        getattr(draw, view)(root, **{callback: lambda node, thing: change})


def test_what_a_callback_may_return():
    picture = draw.unrolled(
        graphs.power(2), node=lambda node, box: {
            "text": 3, "note": np.float64(0.5), "title": np.array(2.0), "dashed": np.True_,
            "width": np.float32(2)},
        edge=lambda node, line: {"dash": "7 3,1.5 3", "note": "two"})
    assert {line.dash for line in picture.drawing.lines if line.arrow} == {"7 3,1.5 3"}
    assert all(box.dashed and plain(box.text) == "3" for box in picture.drawing.boxes
               if box.role == "state")
    assert "<title>2.0</title>" in picture.svg()
    assert draw.unrolled(graphs.power(2), edge=lambda node, line: {"dash": ""}).svg()


@pytest.mark.parametrize("words", NASTY, ids=range(len(NASTY)))
def test_texts_of_callbacks_are_texts_in_every_format(words):
    root = graphs.power(2)
    changed = {"node": lambda node, box: {"text": words, "title": words, "note": words},
               "edge": lambda node, line: {"title": words, "note": words}}
    for picture in (draw.unrolled(root, **changed), draw.scalar(root, **changed),
                    draw.rolled(root, **changed)):
        check_markup(picture)


def test_colours_and_dashes_are_escaped_as_well():
    """A drawing may be made by hand."""
    drawing = draw.unrolled(graphs.power(2)).drawing
    boxes = [box._replace(fill="#" + BREAKING, ink="#" + BREAKING) for box in drawing.boxes]
    lines = [line._replace(dash=BREAKING, colour="#" + BREAKING) for line in drawing.lines]
    made = draw.Picture(replace(drawing, boxes=tuple(boxes), lines=tuple(lines)))
    assert "<script" not in made.svg() + made.html()
    tokens(made.dot())


@pytest.mark.parametrize("font", [BREAKING, "a;background:url(//x.y/z)", "x}", "'open", "<b>", "",
                                  ",", "a" * 101, np.ones(2), b"x"])
def test_what_is_no_font_is_refused(font):
    with pytest.raises(InputError, match="name of a font"):
        draw.text("abc", [1, 2, 3], font=font)


@pytest.mark.parametrize("font", ["Fira Sans", "'Fira Sans', \"DejaVu Sans\", serif", "游ゴシック",
                                  "Barlow-Light"])
def test_fonts(font):
    for view in (lambda **o: draw.text("abc", [1, 2, 3], **o),
                 lambda **o: draw.scalar(graphs.power(2), **o)):
        picture = view(font=font)
        check_svg(picture, TAGS)
        assert f"{escape(font)}, Helvetica" in picture.svg()
