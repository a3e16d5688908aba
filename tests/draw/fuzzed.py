"""Graphs and tables with labels of every kind, each from its own seed; and what is true of every
picture of them."""

import json
import random
import re
import subprocess
import xml.etree.ElementTree as ET

import numpy as np

try:
    import html5lib  # of the `test` extra: strict where Python's own parser forgives
except ModuleNotFoundError:
    html5lib = None

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.place import scope, timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.core.walk import nodes

from .test_text import NASTY, Tags, check_svg, tokens

ALPHABET = [*"abWh_t0123 ", *"\"'\\<>&{}|[]();:=/-%#@$`\n\r\t\x00\x1b\u202e\u2066\u200b\ufeff",
            *"é名😀\u0301\ud800", "<b>", "</text>", "&lt;", "&#65;", "-->", "]]>", "\\n", "\\N",
            "<script>alert(1)</script>", "javascript:alert(1)", "${x}", "{{x}}"]
TAGS = {"svg", "title", "style", "rect", "g", "path", "polygon", "circle", "text", "tspan", "html",
        "head", "meta", "body", "figure", "pre", "span", "p", "b", "h2"}


def label(rng):
    """A name of any kind; every now and then a very long one."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(NASTY)
    if kind < 0.32:
        return "".join(rng.choice(ALPHABET) for _ in range(200)) * 50
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 12))) or "x"


def graph(rng):
    """A small graph of random shape, with and without time, its names all drawn."""
    custom = ops.primitive(label(rng), ops.either(lambda x: x * 0.5, lambda x: x * 0.5),
                           lambda g, y, x: g * 0.5)
    made = [Value(rng.uniform(-1, 1), name=label(rng)) for _ in range(rng.randint(1, 3))]
    steps = rng.choice([0, 0, 1, 2, 3])
    state = made[0]
    for t in range(1, steps + 1):
        with timestep(t), scope(label(rng)):
            state = custom(state * rng.choice(made))
            state = state.named(label(rng)) if rng.random() < 0.8 else state
    for _ in range(rng.randint(1, 5)):
        a, b = rng.choice(made), rng.choice(made)
        x = rng.choice([lambda a, b: a * b, lambda a, b: a + b, lambda a, b: custom(a)])(a, b)
        made.append(x.named(label(rng)) if rng.random() < 0.5 else x)
    return made[-1] * state


def picture(i):
    """The i-th picture: a graph in one of the views, or a view of a table or a text."""
    rng = random.Random(i)
    view = i % 8
    if view == 0:
        return draw.heatmap(np.ones((2, 3)) * rng.uniform(-1, 1), title=label(rng),
                            rows=[label(rng) for _ in range(2)],
                            columns=[label(rng) for _ in range(3)])
    if view == 1:
        text = label(rng)[:60]
        return draw.text(text, {label(rng): np.linspace(-1, 1, len(text))}, width=20)
    root = graph(rng)
    if view in (2, 3):
        return draw.gradient_flow(gradient_flow(root))
    if view == 4:
        return draw.scalar(root)
    if i % 16 == 5:
        weight = next(x for x in nodes(root) if x.is_leaf)
        return draw.backward_graph(grad(root * weight * weight, weight, create_graph=True))
    if view == 6:
        x = Tensor(np.ones((1, 2)), name=label(rng), requires_grad=True)
        return draw.scalar(ops.linear(x, np.ones((2, 2))).named(label(rng)))
    if i % 16 == 7 and any(x.step for x in nodes(root)):
        return draw.rolled(root) if i % 32 == 7 else draw.unrolled(root, level="cell")
    return draw.unrolled(root)


def check_markup(made):
    """SVG and HTML parse, and hold our own elements only; JSON and DOT can be read."""
    check_svg(made, TAGS)
    page = made.html()
    tags = Tags()
    tags.feed(page)
    assert tags.found <= TAGS
    if html5lib is not None:
        html5lib.HTMLParser(strict=True).parse(page)
    strings, _ = tokens(made.dot())
    assert all("\n" not in s and len(s) < 4_000 for s in strings)
    data = json.loads(made.json())
    assert data["format"] == "tinygrad_rnn drawing"
    sketch = made.text()
    assert all(c == "\n" or c.isprintable() for c in sketch)


def texts_of(numbers):
    """These pictures as DOT; of every view some are checked in all other formats too."""
    texts = []
    for i in numbers:
        made = picture(i)
        if (i + i // 8) % 4 == 0:  # of every view some: the others have other names
            check_markup(made)
        assert max(len(box.id) for box in made.drawing.boxes) < 200
        texts.append(made.dot())
    return texts


def check_graphviz(dot, texts):
    """All in one process: `dot` reads graph after graph. Its output is XML without links."""
    done = subprocess.run([dot, "-Tsvg"], input="".join(texts).encode(), capture_output=True,
                          timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    documents = done.stdout.decode().split("<?xml")[1:]
    assert len(documents) == len(texts)
    for document in documents:
        assert b"xlink:href" not in document.encode().replace(b"xmlns:xlink", b"")
        tree = ET.fromstring("<?xml" + document.replace("&nbsp;", " "))
        assert not any(e.tag.endswith(("script", "image")) for e in tree.iter())
        links = [e for e in tree.iter() if e.tag.endswith("}a")]
        assert not any(re.search("href$", key) for e in links for key in e.attrib)
