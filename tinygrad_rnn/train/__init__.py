"""Training: text as data, a character model, the loop, and a watch on it."""

from .data import Text, read_text
from .loop import train
from .model import CharacterModel
from .watch import Watch

__all__ = ["CharacterModel", "Text", "Watch", "read_text", "train"]
