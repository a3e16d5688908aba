"""Why LSTM? A gradient has two ways back: straight on through the forget gates, and around.

    dc_T/dc_k  =  diag(f_T ... f_{k+1})  +  the rest, through h, the gates and W_hh
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

T, B, I, H = 60, 1, 3, 8
xs = np.random.default_rng(0).normal(size=(T, B, I))
layers = {"RNN": nn.RNN(I, H, return_sequences=True, seed=0),
          "GRU": nn.GRU(I, H, return_sequences=True, seed=0),
          **{f"LSTM, b_f = {bias}": nn.LSTM(I, H, return_sequences=True, forget_bias=bias, seed=0)
             for bias in (0.0, 2.0, 5.0)}}
found = {name: tg.step_jacobians(layer(xs)) for name, layer in layers.items()}

print(found["LSTM, b_f = 5.0"].paths)
print()
print(f"{T - 1} steps back      a step  of the whole state  straight on  below 1e-3 after")
for name, jacobians in found.items():
    lag = jacobians.lag(1e-3)
    straight = f"{jacobians.paths.direct[-1].max():.1e}" if jacobians.paths else "no such way"
    print(f"{name:16}{jacobians.rate:9.3f}{jacobians.growth()[-1].max():20.1e}{straight:>13}"
          f"{'never here' if lag is None else f'{lag} steps':>20}")

last = nn.Recurrent(layers["LSTM, b_f = 5.0"].cell)(xs[:3])
loss = (last ** 2).sum().named("L")
draw.gradient_flow(tg.gradient_flow(loss)).save("15_why_lstm.svg")
