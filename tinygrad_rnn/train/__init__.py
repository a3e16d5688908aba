"""Training: text as data, a character model, and the loop."""

from .data import Text, read_text
from .loop import train
from .model import CharacterModel

__all__ = ["CharacterModel", "Text", "read_text", "train"]
