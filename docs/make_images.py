"""Draws the pictures of the documentation:  python docs/make_images.py  writes docs/images/.

The same library, the same bytes: a test draws them again and compares. After a change of the
drawings, run this and look at what it wrote.
"""

from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import draw


def one_unit() -> tg.Value:
    """A vanilla recurrence of one unit over three steps, on paper:  L = h_3²."""
    W_xh, W_hh = tg.Value(0.5, name="W_xh"), tg.Value(0.8, name="W_hh")
    h = tg.Value(0.5, name="h_0", requires_grad=False)
    for t, number in enumerate([1.0, 0.5, 0.2], start=1):
        with tg.timestep(t):
            x = tg.Value(number, name="x", requires_grad=False)
            h = tg.tanh(W_xh * x + W_hh * h).named("h")
    return (h**2).named("L")


def write_images(folder: Path) -> list[Path]:
    """Every picture, on light and on dark paper."""
    flow = tg.gradient_flow(one_unit())
    return [draw.gradient_flow(flow, theme=theme).save(folder / f"gradient_flow_{theme}.svg")
            for theme in ("light", "dark")]


if __name__ == "__main__":
    for path in write_images(Path(__file__).parent / "images"):
        print(path.name)
