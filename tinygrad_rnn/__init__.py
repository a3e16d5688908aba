"""x"""
from .core.values import Value, Tensor
from .core.place import *
from .bptt.flow import gradient_flow
