"""Optimisers: update rules, clipping, and learning rates that change with the step.

The question this package answers: *what happens between `backward()` and the next forward?*
"""

from .clipping import clip_grad_norm, clip_grad_value
from .optimizer import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from .rules import RULES
from .schedules import cosine_decay, exponential_decay, step_decay, warm_up

__all__ = [
    "RULES", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm",
    "clip_grad_value", "cosine_decay", "exponential_decay", "step_decay", "warm_up",
]
