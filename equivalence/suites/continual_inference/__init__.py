"""continual-inference: every public module and container, conversions of torch's modules, the life cycle of a stream.

Options are those of signatures and documentation; each module is compared with its own `forward`, or with the torch module
that it was converted from. What a module refuses is refused by its own assertions.
"""
