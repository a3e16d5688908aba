"""The command line: `tinygrad-rnn` and `python -m tinygrad_rnn`."""

from .main import main

__all__ = ["main"]
