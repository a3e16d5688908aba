"""A recurrent network, unrolled: 'hell' goes in, one letter at a time, and 'ello' should come out.

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)        y_t = W_hy h_t + b_y        L = sum of L_t
"""

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

letters = "helo"
source = [letters.index(c) for c in "hell"]
target = [letters.index(c) for c in "ello"]

rnn = nn.RNN(input_size=4, hidden_size=3, return_sequences=True, seed=0)
head = nn.Linear(3, 4, name="hy", seed=1)
h = rnn(nn.one_hot(source, 4))
y = head(h)
loss = nn.cross_entropy(y, target)

print(f"{'t':>2} {'in':>3} {'target':>7} {'p(target)':>10}")
p = tg.softmax(y.numpy())
for t, (i, k) in enumerate(zip(source, target)):
    print(f"{t + 1:2} {letters[i]:>3} {letters[k]:>7} {p[t, k]:10.3f}")
print(f"L = {loss.item():.4f}; the graph has {len(tg.nodes(loss))} nodes; "
      f"W_hh is used {len(tg.uses(loss, rnn.cell.W_hh))} times")

draw.unrolled(loss).save("03_unrolled.svg")
