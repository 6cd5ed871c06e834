"""moshi: convolutions, attention, transformers, SEANet, the codec and its quantizers, as `module.streaming(rows)` runs them.

The clip is the module outside of streaming. What a module refuses is refused by its own assertions.
"""
