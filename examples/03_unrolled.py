"""A recurrent network, unrolled: 'hell' goes in, letter by letter, and 'ello' should come out.

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)        y_t = W_hy h_t + b_y        L = sum of L_t
"""

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

letters = "helo"
source = [letters.index(c) for c in "hell"]
target = [letters.index(c) for c in "ello"]

rnn = nn.RNN(input_size=4, hidden_size=3, return_sequences=True, seed=0)
head = nn.Linear(3, 4, name="hy", seed=1)
y = head(rnn(nn.one_hot(source, 4)))  # (T, I) -> (T, H) -> (T, O)
loss = nn.cross_entropy(y, target)

p = tg.softmax(y.numpy())
print(f"{'t':>2}{'reads':>8}{'next':>7}{'p(next)':>10}{'L_t':>9}")
for t, (i, k) in enumerate(zip(source, target)):
    L = tg.cross_entropy(y.numpy()[t], k)
    print(f"{t + 1:2}{letters[i]:>8}{letters[k]:>7}{p[t, k]:10.3f}{L:9.4f}")
print(f"{'L':>27}{loss:9.4f}")
print()
print(f"{len(tg.nodes(loss))} nodes; W_hh is one of them, and is used at the steps",
      *(node.step for node, _ in tg.uses(loss, rnn.cell.W_hh)))

draw.unrolled(loss).save("03_unrolled.svg")
