"""Encoder and decoder: a word is read, and written backwards, with a full stop after it.

    x_1 x_2 x_3  ->  encoder  ->  s_0 = P h_3 + p  ->  decoder  ->  y_1 y_2 y_3 y_4

Different lengths (3 and 4), sizes (12 and 16) and alphabets (4 letters; 4 letters and '.'). Trained
with a teacher: the decoder reads the right letter before. Then alone: it reads what it wrote.
"""

from itertools import product

import numpy as np

from tinygrad_rnn import nn, optim

letters = "abcd."
words = ["".join(w) for w in product("abcd", repeat=3)]  # all 64 of them
source = nn.one_hot(np.array([[letters.index(c) for c in w] for w in words]).T, 4)  # (T, B, I)
target = np.array([[letters.index(c) for c in w[::-1] + "."] for w in words]).T     # (T, B)
before = np.concatenate([np.zeros((1, 64, 5)), nn.one_hot(target[:-1], 5)])         # y_{t-1}
new = np.arange(64) % 5 == 2  # every fifth word is kept for the test

model = nn.EncoderDecoder(nn.GRU(4, 12, seed=0), nn.GRU(5, 16, seed=1), seed=2,
                          head=nn.Linear(16, 5, name="hy", seed=3), feed=nn.greedy)
adam = optim.Adam(model, lr=0.03)

print("update        L   right when alone: of the words trained on, of new ones")
for update in range(101):
    loss = nn.cross_entropy(model(source[:, ~new], before[:, ~new]), target[:, ~new])
    if update % 20 == 0:
        alone = model(source, steps=4).numpy().argmax(-1)
        right = (alone == target).all(0)
        print(f"{update:6}{loss:9.4f}{right[~new].sum():22} of {(~new).sum()}"
              f"{right[new].sum():15} of {new.sum()}")
    adam.zero_grad()
    loss.backward()
    adam.step()

print()
for k in np.flatnonzero(new)[:8]:
    print(words[k], "->", "".join(letters[i] for i in alone[:, k]), "" if right[k] else "  wrong")
