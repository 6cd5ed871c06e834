"""aten's names of operations, by what they do to terms of a cache and to positions. What torch makes of others by itself is
not listed.
"""

from __future__ import annotations

WRITTEN = {"copy", "index_copy", "scatter", "index_put", "_index_put_impl"}  # numbers put in the place of others
RESHAPED = {"view", "_unsafe_view", "_reshape_alias"}
MOVED = {*RESHAPED, "alias", "detach", "clone", "_to_copy", "lift_fresh", "transpose", "t", "permute", "unsqueeze",
         "squeeze", "expand", "repeat", "select", "slice", "cat", "stack", "split", "split_with_sizes", "unbind",
         "_conj"}  # fmt: skip
LINEAR_IN_EACH = {"add", "sub", "rsub", "neg", "where", "masked_fill", "copy"}
PRODUCTS = {"mul", "div", "addcmul", "addcdiv", "lerp"}
POWERS = {"pow", "square"}
GATED = {"silu", "gelu", "mish", "hardswish"}  # a number times a function of it
FUNCTIONS = {"sqrt", "rsqrt", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log1p", "relu", "sigmoid", "tanh", "elu",
             "celu", "leaky_relu", "softplus", "hardtanh", "abs", "sin", "cos", "erf", "clamp", "clamp_min", "clamp_max",
             "maximum", "minimum", "log_sigmoid_forward"}  # fmt: skip
FREE = FUNCTIONS | {"amax", "amin", "logsumexp"}  # whose values say nothing of the degree of their arguments
ELEMENTWISE = LINEAR_IN_EACH | PRODUCTS | POWERS | GATED | FUNCTIONS | {"hardsigmoid"}
LIKE = {"zeros_like", "ones_like", "full_like", "empty_like"}
SUMS = LINEAR_IN_EACH | {"sum", "mean"}
SMOOTH = {"exp", "exp2", "expm1", "sigmoid", "tanh", "sin", "cos", "erf", "silu", "gelu", "logsumexp"}
BLIND = {*MOVED, *WRITTEN, *SUMS, *POWERS, "mul", "div", "addcmul", "mm", "bmm", "addmm", "baddbmm", "convolution", "prod",
         "cumprod"}  # fmt: skip  # what does not look at signs
LOGICAL = {"logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_not",
           "bitwise_xor"}  # fmt: skip
COMPARED = {"lt", "le", "gt", "ge", "eq", "ne"}
READ = {"_local_scalar_dense", "is_nonzero"}
SUMMED = {"sum", "mean", "amax", "amin", "logsumexp"}
WEIGHED = {"_softmax", "_log_softmax", "_safe_softmax"}
MULTIPLIED = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1, "mv": 0, "addmv": 1, "dot": 0}
ATTENTION = {
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_fused_sdp_choice",
}
NORMED = {"native_layer_norm", "_fused_rms_norm", "rms_norm"}
MAKING = {"arange", "full", "zeros", "ones", "empty", "scalar_tensor", "new_zeros", "new_ones", "new_full", "new_empty"}
