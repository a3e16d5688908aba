"""The player: backpropagation through time on a page, and links that lead to its moments.

    open the page, and step forward and backward with the arrow keys
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

rnn, head = nn.RNN(4, 3, return_sequences=True, seed=0), nn.Linear(3, 4, name="hy", seed=1)
loss = nn.cross_entropy(head(rnn(np.eye(4))), [1, 2, 3, 0])
page = draw.player(tg.gradient_flow(loss))
path = page.save("32_the_player.html")

nodes, uses, moments = (page.data[key] for key in ("nodes", "uses", "moments"))
turn = next(m for m, moment in enumerate(moments) if moment["kind"] == "turn")
print(f"{len(moments)} moments: {turn} forward, {len(moments) - turn - 1} backward, "
      f"and the turn: {path}#m={turn}")
print()
at = {m: nodes[moment["node"]]["step"] for m, moment in enumerate(moments)
      if any(nodes[uses[use]["x"]]["name"] == "W_hh" for use in moment.get("uses", []))}
print("Where W_hh receives its contributions:")
print("step   link")
for m, step in at.items():
    print(f"{step:4}   {path}#m={m}&look=W_hh")
print()
print(f"The last of them, with L₄ alone, and every step in one place: "
      f"{path}#m={max(at)}&off=0.1.2&time=rolled")
