"""A fused pass over the steps at which something happens, and no others.

The question this file answers: *what does padding cost a fused layer?*

Nothing. Steps at either end that are masked for the whole batch are not computed: the kernel gets
the window between them. What it gives is put in its place here, and what arrives outside of the
window goes where it belongs: before the first step taken the state is s_0, after the last it is
that of the last. So not even the rounding of a product over all steps depends on the padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Trimmed:
    """A kernel for the steps `window` of T, with `value`, `backward` and the gradients of a kernel
    for all of them. `first` are the parts of the first state."""

    def __init__(self, kernel: Any, window: range, T: int, reverse: bool, first: list[Any]) -> None:
        self.kernel, self.desk, self.T = kernel, kernel.desk, T
        self.window = slice(window.start, window.stop)
        outside = slice(0, window.start), slice(window.stop, T)
        self.early, self.late = outside[::-1] if reverse else outside
        self.end = (0 if reverse else -1) if window else None
        inner = kernel.value
        self.value = np.empty((*inner.shape[:-3], T, *inner.shape[-2:]), inner.dtype)
        start = np.stack(first) if inner.ndim == 4 else first[0]
        self.value[..., self.early, :, :] = start[..., None, :, :]
        self.value[..., self.window, :, :] = inner
        last = start if self.end is None else inner[..., self.end, :, :]
        self.value[..., self.late, :, :] = last[..., None, :, :]

    def backward(self, g: Any) -> Any:
        """The pass backwards: what arrives before the window is for the first state."""
        early, late = (g[..., part, :, :].sum(-3) for part in (self.early, self.late))
        inner = np.array(g[..., self.window, :, :])
        if self.end is None:
            early = early + late
        else:
            inner[..., self.end, :, :] += late
        deltas = self.kernel.backward(inner)
        parts = early if early.ndim == 3 else [early]
        deltas.states = [d + more for d, more in zip(deltas.states, parts, strict=True)]
        return deltas

    def gradient(self, name: str, deltas: Any) -> Any:
        """The gradient of a weight."""
        return self.kernel.gradient(name, deltas)

    def input_gradient(self, deltas: Any) -> Any:
        """dL/dx_t at every step, (T, B, I)."""
        return self.placed(self.kernel.input_gradient(deltas))

    def uses(self, name: str, deltas: Any) -> list[tuple[Any, Any, Any]]:
        """What each step gives to a weight, in the order of time; nothing outside the window."""
        return [(self.placed(d), None if x is None else self.placed(x), rows)
                for d, x, rows in self.kernel.uses(name, deltas)]

    def placed(self, inner: Any) -> Any:
        """What was found for the window, among all steps: 0 outside."""
        found = np.zeros((self.T, *inner.shape[1:]), inner.dtype)
        found[self.window] = inner
        return found
