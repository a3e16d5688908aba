"""The training loop: forward, backward, clip, step; again.

The question this file answers: *what does training do with all these gradients?*
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import optim
from ..nn.states import mapped
from .model import CharacterModel


def train(model: CharacterModel, optimizer: optim.Optimizer, *, steps: int, window: int = 25,
          clip: float = 5.0) -> Iterator[float]:
    """Train for `steps` updates; yield the loss per character (in nats) before each of them.

    A text of up to `window` + 1 characters is read whole each time: full backpropagation through
    time. A longer one is read window by window. The state is carried on, but detached: what a
    window learns does not reach into the one before (truncated backpropagation). At the end of the
    text it starts again, from h_0 = 0. Each gradient entry is cut to [-clip, clip].
    """
    windows: Iterator[tuple[str, str]] = iter(())
    state = None
    for _ in range(steps):
        pair = next(windows, None)
        if pair is None:
            windows, state = model.text.windows(window), None
            pair = next(windows)
        optimizer.zero_grad()
        loss, state = model.loss(*pair, state)
        loss.backward()
        optim.clip_grad_value(model, clip)
        optimizer.step()
        state = mapped(lambda part: part.detach(), state)
        yield loss.item() / len(pair[0])
