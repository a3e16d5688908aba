"""Order matters: the same words (prices, pixels) in another order say something else, and only some
models notice.

    bag of words    y = MLP(x_1 + ... + x_T)         a sum has no order
    places          y = MLP([x_1; ...; x_T])         weights of its own for every place: T is fixed
    recurrence      h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h),  y = W_hy h_T + b_y

Both classes have the same bags: no bag can do better than a coin, log 2 = 0.6931.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


def models(T, width):
    """The three, for T inputs of this width and two classes."""
    return {"bag": nn.Sequential(lambda xs: xs.sum(0), nn.MLP([width, 8, 2], seed=0)),
            "places": nn.MLP([T * width, 8, 2], flatten=True, seed=0),
            "recurrence": nn.Sequential(nn.RNN(width, 8, seed=0), nn.Linear(8, 2, seed=1))}


def trained(model, xs, target):
    """The number of parameters, the loss after training, and the probabilities of class 1."""
    adam = optim.Adam(model, lr=0.03)
    for _ in range(80):
        adam.zero_grad()
        loss = nn.cross_entropy(model(xs), target)
        loss.backward()
        adam.step()
    size = sum(p.data.size for p in model.parameters())
    return size, loss.item(), tg.softmax(model(xs).numpy())[:, 1]


sentences = ["Machine Learning is easy , not difficult", "Machine Learning is difficult , not easy"]
words = sorted(set(sentences[0].split()))
indices = np.array([[words.index(w) for w in s.split()] for s in sentences])
xs = nn.one_hot(indices.T, len(words))  # (T, B, I)
print(f"{'':12}parameters     loss   p(easy | 'easy, not ...')   p(easy | 'difficult, not ...')")
for name, model in models(len(xs), len(words)).items():
    size, loss, (first, second) = trained(model, xs, np.array([1, 0]))
    print(f"{name:12}{size:10}{loss:9.4f}{first:28.3f}{second:33.3f}")

# the same five prices in the order of 32 weeks, and of the same weeks backwards: did they go up?
draws = np.random.default_rng(0)
weeks = np.array([draws.permutation([-1.0, -0.5, 0.0, 0.5, 1.0]) for _ in range(32)])
prices = np.concatenate([weeks, weeks[:, ::-1]]).T[:, :, None]  # (T, B, 1)
up = (prices[-1, :, 0] > prices[0, :, 0]).astype(int)
print()
print(f"{'':12}parameters     loss   right about prices that went up or down")
for name, model in models(5, 1).items():
    size, loss, p = trained(model, prices, up)
    print(f"{name:12}{size:10}{loss:9.4f}{((p > 0.5) == up).sum():8} of {len(up)}")

# the same 4 white pixels of 16, in a row of the picture or in a column, read one after the other
lines = np.eye(4)[:, :, None] * np.ones(4)
pictures = np.concatenate([lines, lines.swapaxes(1, 2)])  # (B, 4, 4)
upright = np.repeat([0, 1], 4)
print()
print(f"{'':12}parameters     loss   right about lines that lie or stand")
for name, model in models(16, 1).items():
    size, loss, p = trained(model, pictures.reshape(8, 16).T[:, :, None], upright)
    print(f"{name:12}{size:10}{loss:9.4f}{((p > 0.5) == upright).sum():8} of {len(upright)}")
