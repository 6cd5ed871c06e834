"""transformers' caches: each kind, and each kind of layer, under tiny random models of several architectures.

The clip is the model on all tokens without a cache. How models are called is what their adapter says; nothing is downloaded.
"""

LIBRARY = "transformers"
