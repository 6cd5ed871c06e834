"""Operations of torch's dispatcher known by their name alone: what each element costs, what only moves, what is a view.

Names are those of aten, without the underscore of in-place forms. An operation that touches floating-point numbers and is in
no table here or in `aten.py` is an error there: it never counts as zero.
"""

from __future__ import annotations

from coequal.proofs.cost.formulas.activation import PER_ELEMENT, RECTIFIERS

Row = tuple[str, int, int, int, int, int]


def words(text: str) -> list[str]:
    """Of a table."""
    return text.split()


# activations whose name in aten is not that of torch.nn in small letters
RENAMED = {
    **{"leaky_relu": "LeakyReLU", "_prelu_kernel": "PReLU", "log_sigmoid_forward": "LogSigmoid"},
    **{"rrelu_with_noise": "RReLU", "rrelu_with_noise_functional": "RReLU"},
}
ACTIVATIONS = {name.lower(): name for name in PER_ELEMENT if " " not in name} | RENAMED

# multiplications, additions, divisions, transcendentals, comparisons for each element of the output
ARITHMETIC: dict[tuple[int, int, int, int, int], list[str]] = {
    (0, 1, 0, 0, 0): words("add sub rsub cumsum"),
    (1, 0, 0, 0, 0): words("mul square"),
    (0, 0, 1, 0, 0): words("div reciprocal"),
    (2, 1, 0, 0, 0): words("addcmul lerp"),
    (1, 1, 1, 0, 0): words("addcdiv"),
    (0, 0, 0, 1, 0): words("exp exp2 expm1 log log1p log2 sqrt erf sin cos pow"),
    (0, 0, 1, 1, 0): words("rsqrt"),
    (0, 0, 0, 0, 1): words(
        "maximum minimum eq ne lt le gt ge clamp_min clamp_max cummax cummin isnan isinf isneginf logical_not logical_and"
        " logical_or"
    ),
    (0, 0, 0, 0, 2): words("clamp"),
    (1, 4, 0, 3, 1): words("logcumsumexp"),  # maximum and sum so far, scaled to each other
    (0, 0, 0, 0, 0): words("neg abs sign where masked_fill floor ceil round trunc bernoulli"),  # signs, selections, draws
}

ELEMENTWISE: dict[str, Row] = {
    **{name: ("elementwise", *row) for row, names in ARITHMETIC.items() for name in names},
    **{
        aten: ("rectifier" if name in RECTIFIERS else "activation", *PER_ELEMENT[name]) for aten, name in ACTIVATIONS.items()
    },
    "glu": (
        "activation",
        1 + PER_ELEMENT["Sigmoid"][0],
        *PER_ELEMENT["Sigmoid"][1:],
    ),
}

# name -> (class, the count of each input that is not an output, divisions for each output)
REDUCTIONS: dict[str, tuple[str, str, int]] = {
    "sum": ("elementwise", "add", 0),
    "mean": ("pool", "add", 1),
    **dict.fromkeys(words("amax amin max min argmax any all"), ("elementwise", "compare", 0)),
    **dict.fromkeys(words("_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d"), ("pool", "add", 1)),
    **dict.fromkeys(words("adaptive_max_pool2d adaptive_max_pool3d"), ("pool", "compare", 0)),
}

# name -> (the count of each term of a window but the first, divisions for each output); the kernel is the second argument
POOLS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(words("avg_pool1d avg_pool2d avg_pool3d"), ("add", 1)),
    **dict.fromkeys(words("max_pool2d_with_indices max_pool3d_with_indices"), ("compare", 0)),
}

COPIES = set(
    words(
        """
        cat stack clone copy _to_copy contiguous embedding roll flip repeat repeat_interleave tril triu unfold_copy im2col
        constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
        replication_pad3d index index_put _index_put_impl index_select index_copy index_fill gather scatter masked_select
        select_scatter slice_scatter pixel_shuffle pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d
        upsample_nearest3d native_dropout
        """
    )
)
VIEWS = set(
    words(
        """
        view _unsafe_view reshape transpose t permute expand slice select squeeze unsqueeze split split_with_sizes
        unsafe_split unsafe_split_with_sizes unbind chunk alias detach unfold as_strided _reshape_alias lift_fresh lift
        narrow diagonal movedim set resize view_as_real view_as_complex real imag resolve_conj resolve_neg
        empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like new_zeros ones ones_like new_ones full
        full_like new_full fill zero scalar_tensor arange linspace eye randn rand randint normal uniform
        _local_scalar_dense item size sym_size stride sym_stride numel sym_numel is_same_size
        _has_compatible_shallow_copy_type
        """
    )
)
