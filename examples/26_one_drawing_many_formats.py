"""One drawing, many formats: the suffix says how, and none of these needs another program."""

import json
import tempfile
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import draw

w, h = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0")
for t in range(1, 3):
    with tg.timestep(t):
        h = (w * h).named("h")
picture = draw.unrolled(h)

with tempfile.TemporaryDirectory() as folder:
    for suffix, use in {".svg": "any browser", ".html": "a page of its own", ".dot": "Graphviz",
                        ".json": "a program of yours", ".txt": "a terminal"}.items():
        path = picture.save(Path(folder) / f"picture{suffix}")
        print(f"{path.name:14}{len(path.read_bytes()):7,} bytes   for {use}")
print()
print(picture)
things = json.loads(picture.json())["boxes"]
print(*(f"{thing['id']} is {thing['role']}" for thing in things if thing["w"] > 8), sep="; ")

picture.save("26_one_drawing_many_formats.svg")
