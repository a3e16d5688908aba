"""What comes in from outside is wrong now and then: it is refused in plain words, or drawn as what
it is, and no text of a user's ends up as markup."""

import numpy as np
import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.errors import InputError

from . import graphs


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
