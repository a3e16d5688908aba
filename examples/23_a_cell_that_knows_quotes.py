"""A cell that knows quotes: a small LSTM learns to predict a text, and one of its cells keeps track
of whether a quotation is open. Nobody told it to; inside quotes the letters are other ones.

    every character on the colour of that cell's c_t: blue is negative, white 0, red positive
"""

import numpy as np

from tinygrad_rnn import draw, nn, optim

letters = 'abc"xyz '
rng = np.random.default_rng(0)


def sentence():
    """Words of a, b, c outside the quotes, and of x, y, z inside."""
    text = ""
    for _ in range(rng.integers(2, 4)):
        outside, inside = ("".join(rng.choice(list(part), size=rng.integers(3, 9)))
                           for part in ("abc ", "xyz "))
        text += f'{outside}"{inside}"'
    return text


def batch(size, length):
    """Texts of equal length, as numbers (T, B)."""
    texts = [(sentence() + sentence() + sentence())[:length] for _ in range(size)]
    return texts, np.array([[letters.index(c) for c in text] for text in texts]).T


lstm = nn.LSTM(len(letters), 12, return_sequences=True, return_all_states=True, seed=1, fused=True)
head = nn.Linear(12, len(letters), name="hy", seed=2)
weights = [*lstm.parameters(), *head.parameters()]
adam = optim.Adam(weights, lr=0.02)
print("update   nats per character")
for update in range(151):
    _, classes = batch(16, 30)
    outputs, _ = lstm(nn.one_hot(classes[:-1], len(letters)))
    loss = nn.cross_entropy(head(outputs), classes[1:])
    adam.zero_grad()
    loss.backward()
    optim.clip_grad_norm(weights, 1.0)
    adam.step()
    if update % 50 == 0:
        print(f"{update:6}{loss.item() / 29:21.4f}")

texts, classes = batch(8, 30)  # texts that it has not read
_, states = lstm(nn.one_hot(classes, len(letters)))
wanted = np.array([draw.inside_quotes(text) for text in texts]).T
found = draw.related(states.c, wanted)
print()
print("cell   correlation with being inside quotes   the best by chance")
for row in found[:3]:
    print(f"{row.cell:4}{row.correlation:40.3f}{row.chance:21.3f}")

text = " ".join(texts[:3])
shown = np.concatenate([np.append(states.c.numpy()[:, b, found[0].cell], 0) for b in range(3)])
picture = draw.text(text, {f"cell {found[0].cell}": shown[:-1]}, width=62)
picture.save("23_a_cell_that_knows_quotes.svg")
