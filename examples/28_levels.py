"""Levels: the same network as layers, as cells, as operations."""

import numpy as np

from tinygrad_rnn import draw, nn

xs, ys = np.zeros((3, 2, 4)), np.zeros((3, 2, 5))
model = nn.EncoderDecoder(nn.LSTM(4, 3, seed=0), nn.LSTM(5, 3, seed=1), seed=2,
                          head=nn.Linear(3, 5, name="hy", seed=3))
loss = nn.cross_entropy(model(xs, target_inputs=ys), np.zeros((3, 2), int))

print(f"{'level':10}{'boxes':>8}{'lines':>8}")
for level in ("layer", "cell", "op"):
    drawing = draw.unrolled(loss, level=level).drawing
    print(f"{level:10}{len(drawing.boxes):8}{len(drawing.lines):8}")
print()
print(draw.unrolled(loss, level="layer"))

draw.unrolled(loss, level="cell", show=["names", "shapes"]).save("28_levels.svg")
