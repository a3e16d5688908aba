"""Heat maps: which unit did what, and when; and which step gave what to which weight.

Two short pulses are all that this network hears. W_xh gets its gradient from these two steps only,
W_hh from every step at which there is something to remember.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

T, H = 40, 8
x = np.zeros((T, 1, 1))
x[5], x[25] = 2.0, -2.0
rnn = nn.RNN(1, H, return_sequences=True, bias=False, init_hh="orthogonal", seed=3)
outputs = rnn(x)
picture = draw.heatmap(outputs, title="h_t, after two pulses")
print(picture)

flow = tg.gradient_flow((outputs[-1] ** 2).sum())
ledgers = [flow.ledger(W) for W in (rnn.cell.W_xh, rnn.cell.W_hh)]
print(draw.heatmap(ledgers, title="What each step gave to each weight"))

picture.save("22_heat_maps.svg")
