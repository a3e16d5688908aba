"""A cell that knows depth: a small LSTM learns to predict text with brackets in it, and one of its
cells counts how many are open. To predict well it has to: a sentence ends only where none is open,
and there are never more than four.

    every character on the colour of that cell's c_t; below it, for comparison, the depth itself
"""

import numpy as np

from tinygrad_rnn import draw, nn, optim

letters = "abc() "
rng = np.random.default_rng(0)


def sentence():
    """Letters, the same at any depth, and brackets that fit."""
    text, depth = "", 0
    while True:
        dice = rng.random()
        if dice < 0.3 and depth < 4:
            text, depth = text + "(", depth + 1
        elif dice < 0.6 and depth > 0:
            text, depth = text + ")", depth - 1
        elif dice > 0.85 and depth == 0 and text:
            return text + " "
        else:
            text += rng.choice(list("abc"))


def batch(size, length):
    """Texts of equal length, as numbers (T, B)."""
    texts = []
    for _ in range(size):
        text = ""
        while len(text) < length:
            text += sentence()
        texts.append(text[:length])
    return texts, np.array([[letters.index(c) for c in text] for text in texts]).T


lstm = nn.LSTM(len(letters), 10, return_sequences=True, return_all_states=True, seed=1, fused=True)
head = nn.Linear(10, len(letters), name="hy", seed=2)
weights = [*lstm.parameters(), *head.parameters()]
adam = optim.Adam(weights, lr=0.02)
print("update   nats per character")
for update in range(81):
    _, classes = batch(16, 40)
    outputs, _ = lstm(nn.one_hot(classes[:-1], len(letters)))
    loss = nn.cross_entropy(head(outputs), classes[1:])
    adam.zero_grad()
    loss.backward()
    optim.clip_grad_norm(weights, 1.0)
    adam.step()
    if update % 40 == 0:
        print(f"{update:6}{loss.item() / 39:21.4f}")

texts, classes = batch(16, 60)  # texts that it has not read
_, states = lstm(nn.one_hot(classes, len(letters)))
wanted = np.array([draw.nesting(text) for text in texts]).T
found = draw.related(states.c, wanted)
print()
print("cell   correlation with the depth   the best by chance")
for row in found[:3]:
    print(f"{row.cell:4}{row.correlation:29.3f}{row.chance:21.3f}")

print()
print("depth   what the cell holds: mean, and how far from it")
cell = states.c.numpy()[..., found[0].cell]
for depth in range(int(wanted.max()) + 1):
    there = cell[wanted == depth]
    print(f"{depth:5}{there.mean():25.2f} ± {there.std():.2f}")

name = f"cell {found[0].cell}"
picture = draw.text(texts[0], {name: cell[:, 0], "depth": wanted[:, 0]}, width=60)
picture.save("33_a_cell_that_knows_depth.svg")
