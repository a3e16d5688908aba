"""An op of your own: a value, and one rule per operand. Then it is a row like any other.

    softsign(x) = x / (1 + |x|)        its slope is 1 / (1 + |x|)²
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.testing import check_gradients


@tg.op(lambda g, y, x: g / (1 + abs(x)) ** 2)
def softsign(x):
    """x / (1 + |x|): like tanh, but it saturates more slowly."""
    return x / (1 + abs(x))


v = tg.Value(0.5, name="v")
softsign(v).backward()
print(f"a float:   softsign'(0.5) = {v.grad:.6f}, by hand {1 / 1.5 ** 2:.6f}")

x = tg.Tensor(np.linspace(-2, 2, 5), name="x", requires_grad=True)
softsign(x).sum().backward()
print(f"an array:  {np.round(x.grad, 4)}")

(slope,) = tg.grad(softsign(v), [v], create_graph=True)
(curve,) = tg.grad(slope, [v])
print(f"and again: softsign''(0.5) = {curve.item():.6f}, by hand {-2 / 1.5 ** 3:.6f}")
print()
print(check_gradients(lambda: softsign(x).sum(), [x]))
