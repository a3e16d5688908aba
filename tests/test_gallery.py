"""The gallery: a page with every view of a pattern, on every paper."""

import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tinygrad_rnn.draw.picture import Picture

GALLERY = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "gallery.py"))


@pytest.mark.parametrize("name", ["scalar", "many-to-one"])
def test_every_view_of_a_pattern_is_a_picture(name):
    views = GALLERY["of_pattern"](name)
    assert {"unrolled", "gradient flow", "rolled", "unrolled, layer level", "long"} <= set(views)
    assert ("from outside" in views) == (name != "scalar")
    for picture in views.values():
        for theme in ("light", "dark", "print"):
            assert ET.fromstring(Picture(picture.drawing, theme).svg()).tag.endswith("svg")


def test_text_is_coloured_by_a_cell_that_was_found():
    picture = GALLERY["of_example"]("33_a_cell_that_knows_depth")
    assert list(picture.series) == ["cell 9", "depth"]
