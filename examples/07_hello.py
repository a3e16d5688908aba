"""The hello network: trained until it writes 'hello' when it is given an 'h'.

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)        y_t = W_hy h_t + b_y
    trained:   x_t is the letter that is there        generating:   x_t is the letter just written
"""

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

letters = "helo"
source = nn.one_hot([letters.index(c) for c in "hell"], 4)
target = [letters.index(c) for c in "ello"]

rnn = nn.RNN(input_size=4, hidden_size=8, return_sequences=True, seed=0)
head = nn.Linear(8, 4, name="hy", seed=1)
params = [*rnn.parameters(), *head.parameters()]
adam = optim.Adam(params, lr=0.03)


def write(steps=4):
    """What the network writes after 'h', always its likeliest letter."""
    found = nn.generate(rnn, head, letters.index("h"), steps, feedback="greedy")
    return "h" + "".join(letters[k] for k in found)


print(f"{'update':>6}{'L':>9}   p(e|h)  p(l|he)  p(l|hel)  p(o|hell)   {'writes':8}")
for update in range(61):
    y = head(rnn(source))  # (T, I) -> (T, H) -> (T, O)
    loss = nn.cross_entropy(y, target)
    if update % 10 == 0:
        p = [tg.softmax(y.numpy())[t, k] for t, k in enumerate(target)]
        print("{:6}{:9.4f}{:9.3f}{:9.3f}{:10.3f}{:11.3f}   {}".format(
            update, loss.item(), *p, write()))
    adam.zero_grad()
    loss.backward()
    adam.step()
