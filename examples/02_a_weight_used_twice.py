"""A weight that is used twice gets two contributions, and they add up: the reason for `+=`.

    y = w x + w²        dy/dw = x + 2w        one part for each arrow that leads back to w
"""

import tinygrad_rnn as tg
from tinygrad_rnn import draw

w, x = tg.Value(3.0, name="w"), tg.Value(2.0, name="x")
y = (w * x + w ** 2).named("y")

flow = tg.gradient_flow(y)
ledger = flow.ledger(w)
print(ledger)
print()
print(f"Writing `=` for `+=` would leave the last row alone: {ledger[-1].contribution:g}.")
y.backward()
print(f"A second backward without zero_grad() adds it all once more: {w.grad:g}.")

draw.gradient_flow(flow).save("02_a_weight_used_twice.svg")
