"""An op of your own: a value, and one rule per operand. Then it is a row like any other.

    softsign(x) = x / (1 + |x|)        its slope is 1 / (1 + |x|)²
"""

import tinygrad_rnn as tg
from tinygrad_rnn.testing import check_gradients


@tg.op(lambda g, y, x: g / (1 + abs(x)) ** 2)
def softsign(x):
    """x / (1 + |x|): like tanh, but it saturates more slowly."""
    return x / (1 + abs(x))


x = tg.Tensor([-2.0, -0.5, 0.5, 1.0, 3.0], name="x", requires_grad=True)
y = softsign(x)  # arrays
slope = tg.grad(y.sum(), x, create_graph=True)  # nodes: the same rule, now building a graph
curve = tg.grad(slope.sum(), x)

print(f"{'x':>5}{'softsign':>11}{'slope':>9}{'curvature':>12}")
for row in zip(x.numpy(), y.numpy(), slope.numpy(), curve.numpy()):
    print("{:5.1f}{:11.4f}{:9.4f}{:12.4f}".format(*row))

v = tg.Value(1.0, name="v")  # floats
softsign(v).backward()
print()
print(f"For a float: softsign'(1) = {v.grad}")
print()
print(check_gradients(lambda: (softsign(x) ** 2).sum(), [x]))
