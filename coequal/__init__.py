"""coequal: does this streaming model compute the same function as its clip-mode original?

Layering rule: the face may import every room of the house.
"""

__version__ = "0.1.0"
