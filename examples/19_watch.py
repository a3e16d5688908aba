"""Watch a training run: healthy, with too large a learning rate, and with a missing detach.

Looked at after each backward: the gradient, of the weights and of h at every time step, the size
of the update beside the weight, saturated units, and whether the graph grows because a history was
not cut.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, train

draws = np.random.default_rng(0)
xs, target = draws.normal(size=(120, 2, 3)), 0.5 * draws.normal(size=(120, 2, 3))


def run(lr, detached=True):
    """Windows of 10 steps, the state carried on: what the watch has to say."""
    rnn = nn.RNN(3, 8, return_sequences=True, return_state=True, seed=0)
    head = nn.Linear(8, 3, name="hy", seed=1)
    params = [*rnn.parameters(), *head.parameters()]
    sgd, watch, state = optim.SGD(params, lr), train.Watch(params, states="h"), None
    for start in range(0, 120, 10):
        outputs, state = rnn(xs[start:start + 10], state)
        loss = nn.squared_error(head(outputs), target[start:start + 10])
        sgd.zero_grad()
        watch.update(tg.gradient_flow(loss, keep="norms"))  # loss.backward(), and more to see
        if detached:
            sgd.step()
            state = state.detach()
    return watch


print("lr = 0.02", run(0.02), sep="\n")
print("\nlr = 3", run(3.0), sep="\n")
print("\nwithout detach()", run(0.0, detached=False), sep="\n")
