"""Scalar by scalar: on every edge the local derivative, times what arrives, is what is sent back.

A node of arrays is opened: linear is nothing but products and sums.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw

w, x, b = tg.Value(-2.0, name="w"), tg.Value(0.75, name="x"), tg.Value(1.0, name="b")
loss = ((tg.tanh(w * x + b) - 0.5) ** 2).named("L")
print(draw.scalar(loss))

W = tg.Tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 3.0]], name="W", requires_grad=True)
z = tg.linear(tg.Tensor([[2.0, 1.0]], name="x"), W).named("z")  # z = W x: three units
print(draw.scalar(z, seed=np.ones((1, 3))))

draw.scalar(loss).save("24_scalar_by_scalar.svg")
