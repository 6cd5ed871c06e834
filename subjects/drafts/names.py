"""What streams, states and resets are called in modules that stream. Each list is in order of preference."""

from __future__ import annotations

import re

STEPS = (
    *("step", "forward_step", "forward_steps", "streaming_forward", "forward_streaming", "infer"),
    *("forward_recurrent", "forward_chunk", "forward_one_step", "decode_step"),
)
CHUNKED = ("forward_steps", "streaming_forward", "forward_streaming", "infer", "forward_chunk")  # the time axis is kept
CLIPS = ("forward_parallel", "parallel_forward", "forward_sequence", "forward_full")  # where forward is something else
SWITCHES = ("inference", "streaming", "stream", "is_streaming", "incremental", "online")  # arguments that are True or False
CONTEXTS = ("streaming", "streaming_mode", "streaming_context")  # methods that give a context manager
RESETS = (
    *("reset", "reset_state", "reset_states", "reset_streaming", "clean_state", "clear_state", "reset_buffers"),
    *("reset_cache", "empty_cache", "clear_cache", "reset_hidden", "init_state", "init_states", "init_cache", "init_hidden"),
)
BEGINS = (
    *("init_state", "init_states", "initial_state", "get_initial_state", "get_init_state", "init_hidden", "init_cache"),
    *("make_cache", "new_cache", "empty_cache", "begin_state", "zero_state"),
)
ROWS = ("batch", "batch_size", "bsz", "bs", "b", "n", "rows")
POSITIONS = ("pos", "position", "start_pos", "start", "offset", "idx", "index", "seq_idx", "t")
OUTPUTS = ("logits", "last_hidden_state", "output", "outputs", "out", "sample", "y", "x", "hidden_states")

_STATE = re.compile(r"(^|_)(cache|caches|state|states|hidden|hx|h0|h|c|cx|past|mems|carry|buffer|buffers)($|_)")
_NO_STATE = re.compile(
    r"^(encoder|output|return|use|num|n|is|reset|detach)_|_(position|positions|len|length|mask|size|dim|ids|idx)$"
)
_RETURNS = re.compile(r"^(use_cache|return_.*(state|cache|hidden|carry).*)$")


def is_state(name: str) -> bool:
    """Whether an argument is called as states and caches are: `hx`, `conv_cache`, `past_key_values`, `prev_state`."""
    return bool(_STATE.search(name)) and not _NO_STATE.search(name)


def asks_for_state(name: str) -> bool:
    """Whether an argument is called as those are that make a module return its state: `use_cache`, `return_state`."""
    return bool(_RETURNS.match(name))


LOOKED_FOR = (
    f"methods {', '.join(STEPS)}; arguments of forward that are called cache, state, hidden, hx, past, past_key_values,"
    f" {', '.join(SWITCHES)}; context managers {', '.join(CONTEXTS)}"
)
