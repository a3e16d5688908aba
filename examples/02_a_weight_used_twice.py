"""A weight used twice gets two contributions, and they are added: the reason for `+=`.

    y = w * x + w * w            dy/dw = x + w + w
"""

import tinygrad_rnn as tg

w, x = tg.Value(3.0, name="w"), tg.Value(2.0, name="x")
y = (w * x + w * w).named("y")

flow = tg.gradient_flow(y)
print(flow.ledger(w))
print()
print(f"A traversal that wrote `=` for `+=` would end at {flow.ledger(w)[-1].contribution:g}.")
print(f"A second backward without zero_grad() adds everything once more: {w.grad:g} becomes", end=" ")
y.backward()
print(f"{w.grad:g}.")
