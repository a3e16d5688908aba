"""The gallery: every view of every pattern on one page.

    python docs/gallery.py [gallery.html] [auto | light | dark | print]

Open it in a browser after a change of the drawings, and look at each picture, on every paper.
"""

import runpy
from argparse import ArgumentParser
from contextlib import chdir, redirect_stdout
from html import escape
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.cli.draw import heatmap, outside
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.cli.patterns import PATTERNS
from tinygrad_rnn.draw.picture import Picture

STEPS = 3
STYLE = """body { margin: 2em; font-family: Helvetica, Arial, sans-serif }
figure { margin: 1em 0 2em; overflow-x: auto }
"""
DARK = "body { background: #16181c; color: #f2f2f2 }"
NIGHT = {"auto": f"@media (prefers-color-scheme: dark) {{ {DARK} }}", "light": "", "dark": DARK,
         "print": ""}


def of_pattern(name):
    """The views of one pattern, by name."""
    found = model(name, STEPS)
    flow = tg.gradient_flow(found.loss)
    views = {
        "unrolled": draw.unrolled(found.loss), "gradient flow": draw.gradient_flow(flow),
        "gradient flow, cell level": draw.gradient_flow(flow, level="cell"),
        "gradient flow, layer level": draw.gradient_flow(flow, level="layer"),
        "rolled": draw.rolled(found.loss),
        "rolled, and unrolled": draw.rolled(found.loss, unrolled=True),
        "rolled, cell level": draw.rolled(found.loss, level="cell"),
        "rolled, with shapes": draw.rolled(found.loss, show=["names", "shapes", "parameters"]),
        "unrolled, cell level": draw.unrolled(found.loss, level="cell"),
        "unrolled, layer level": draw.unrolled(found.loss, level="layer"),
    }
    if name != "scalar":
        steps = (STEPS, STEPS) if name == "encoder-decoder" else STEPS
        views["from outside"] = draw.api(outside(name, "rnn", 0), steps)
    views["what each step gave"] = heatmap(found, {}, "auto")
    views["long"] = draw.gradient_flow(tg.gradient_flow(model(name, 40).loss))
    return views


def others():
    """The views that are not of a pattern."""
    draws = np.random.default_rng(0)
    xs = draws.normal(size=(8, 2, 3))
    views = {}
    for k1, k2 in ((3, 3), (2, 4), (4, 2)):
        windows = []
        for window in tg.truncated_bptt(nn.LSTM(3, 2, return_sequences=True, seed=0), xs, k1, k2):
            window.backward((window.outputs**2).sum())
            windows.append(window)
        views[f"truncated, k1 = {k1}, k2 = {k2}"] = draw.truncated(windows)
    views["truncated, a long plan"] = draw.truncated(500, k1=20, k2=35)
    states = nn.RNN(3, 24, return_sequences=True, seed=0)(draws.normal(size=(60, 1, 3)))
    views["heat map of states"] = draw.heatmap(states, title="States")
    views["heat map, binned"] = draw.heatmap(draws.normal(size=(300, 900)).cumsum(axis=1))
    for name in ("23_a_cell_that_knows_quotes", "33_a_cell_that_knows_depth"):
        views[f"text, {name[3:].replace('_', ' ')}"] = of_example(name)
    a, b = tg.Value(2.0, name="a"), tg.Value(-3.0, name="b")
    y = ((a * b + tg.tanh(a)) ** 2).named("y")
    views["scalar"] = draw.scalar(y)
    W = tg.Tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 3.0]], name="W", requires_grad=True)
    views["linear, opened"] = draw.scalar(tg.linear(tg.Tensor([[2.0, 1.0]], name="x"), W))
    views["graph of a gradient"] = draw.backward_graph(tg.grad(y, a, create_graph=True))
    found = model("many-to-one", 3)
    slope = tg.grad(found.loss, found.weight(), create_graph=True)
    views["graph of a gradient, through steps"] = draw.backward_graph(slope)
    vector = nn.VectorToSequence(nn.RNNCell(4, 3, seed=0), 10, nn.Linear(3, 4, seed=0), seed=0)
    views["vector to sequence"] = draw.api(vector, 4)
    views["one to one"] = draw.api(nn.MLP([4, 8, 3], seed=0))
    return views


def of_example(name):
    """The picture that an example ends in."""
    path = Path(__file__).resolve().parent.parent / "examples" / f"{name}.py"
    with TemporaryDirectory() as folder, chdir(folder), redirect_stdout(StringIO()):
        return runpy.run_path(str(path))["picture"]


def page(theme="auto"):
    """The whole page, ids made unique by the number of the picture."""
    parts, count = [], 0
    for name in (*PATTERNS, "other views"):
        parts.append(f"<h2>{escape(name)}</h2>")
        for view, picture in (of_pattern(name) if name in PATTERNS else others()).items():
            count += 1
            picture = Picture(picture.drawing, theme)
            svg = picture._repr_mimebundle_()["image/svg+xml"]
            svg = svg.replace('<g id="', f'<g id="p{count}.')
            parts.append(f"<figure><figcaption>{escape(view)}</figcaption>\n{svg}</figure>")
    body = "\n".join(parts)
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Gallery</title>'
            f"<style>{STYLE}{NIGHT[theme]}</style></head>\n<body>\n"
            f"<h1>Every view of every pattern</h1>\n{body}\n</body></html>\n")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", type=Path, default=Path("gallery.html"))
    parser.add_argument("theme", nargs="?", choices=NIGHT, default="auto")
    asked = parser.parse_args()
    asked.path.write_text(page(asked.theme), encoding="utf-8")
    print(f"wrote {asked.path}")
