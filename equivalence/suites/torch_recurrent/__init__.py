"""torch's recurrences: `nn.RNN`, `nn.LSTM`, `nn.GRU` and their cells, with every documented option.

The clip is one call on all frames. The stream is the same layer a frame at a time, or in chunks, with the state that it
returned, or a stack of cells with its weights.
"""

LIBRARY = "torch"
