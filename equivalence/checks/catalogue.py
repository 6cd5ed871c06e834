"""The named checks, in the order in which they are run."""

from __future__ import annotations

from coequal.equivalence.checks import conduct, domain, gradients, parameters, values, verbs
from coequal.equivalence.checks.base import CHUNKS, OTHER_ROWS, VIEWS, CheckSpec, in_chunks
from coequal.equivalence.checks.examples import (
    batch_examples,
    chunk_examples,
    far_chunks,
    integer_examples,
    lengthened,
    life_examples,
    long_examples,
    middle_examples,
    row_examples,
    the_longest,
)
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.lengths import value_examples

CHECKS: dict[str, CheckSpec] = {
    "values": CheckSpec(
        "Are the emissions the clip's output, for all lengths from 0 and 1 up, several weights, several scales?",
        value_examples,
        values.values,
    ),
    "chunking": CheckSpec(
        "Does it matter how many frames are fed at once?", chunk_examples, values.chunking, far=far_chunks
    ),
    "batch": CheckSpec(
        "Are batch elements independent, and does it work with other batch sizes than the example's?",
        batch_examples,
        values.batch,
        far=lengthened,
    ),
    "reset": CheckSpec(
        "Does a new stream after an old one start from nothing, and one that is told to reset(), again and again?",
        life_examples("", "twice", "again", "at once", CHUNKS, far=("",)),
        in_chunks(conduct.reset),
        "conduct",
        sampled=True,
        far=the_longest,
    ),
    "reuse": CheckSpec(
        "Do two streams at a time keep apart, of other numbers of rows, too?",
        middle_examples("", OTHER_ROWS),
        conduct.reuse,
        "conduct",
        far=lengthened,
    ),
    "fork": CheckSpec(
        "Does a copy of the stream, or of its state, go on as the original would? Skipped where it cannot be copied.",
        life_examples("copy", "state", CHUNKS, far=("copy", "copies", "states")),
        in_chunks(conduct.fork),
        "conduct",
        sampled=True,
        far=the_longest,
    ),
    "input-reuse": CheckSpec(
        "May the caller overwrite the frame once it has been fed?",
        middle_examples(),
        conduct.input_reuse,
        "conduct",
        far=lengthened,
    ),
    "output-hold": CheckSpec(
        "Do emissions that the caller keeps stay as they were?",
        middle_examples(),
        conduct.output_hold,
        "conduct",
        far=lengthened,
    ),
    "reset-rows": CheckSpec(
        "Does reset(rows) make these rows begin anew, and no others? Skipped where there is no such verb.",
        row_examples(*verbs.ROWS, "early", "late", "again", CHUNKS, many=verbs.MANY, far=("first", "but the first")),
        in_chunks(verbs.reset_rows),
        "conduct",
        sampled=True,
        far=the_longest,
    ),
    "reorder": CheckSpec(
        "Does reorder(index) make row i go on as what row index[i] was? Skipped where there is no such verb.",
        row_examples("", "after a reset", "before a crop", "all", CHUNKS, many=("", "all"), far=("",)),
        in_chunks(verbs.reorder),
        "conduct",
        sampled=True,
        far=the_longest,
    ),
    "crop": CheckSpec(
        "Does crop(frames) take the stream back to its first frames? Skipped where there is no such verb.",
        life_examples("half", "0", "1", "2", "3", "4", "5", "8", CHUNKS, times=3.0, far=("2", "half", "drafts")),
        in_chunks(verbs.crop),
        "conduct",
        sampled=True,
        far=the_longest,
    ),
    "clip-between": CheckSpec(
        "May the clip function run between two steps?",
        middle_examples(),
        verbs.clip_between,
        "conduct",
        far=lengthened,
    ),
    "padding": CheckSpec(
        "Do large numbers and NaN in frames that are padding stay out of the others? Skipped where no input is `valid`.",
        middle_examples("large", "nan"),
        values.padding,
    ),
    "one-buffer": CheckSpec(
        "May the caller refill one buffer for all frames?", middle_examples(), values.one_buffer, far=lengthened
    ),
    "memory-layout": CheckSpec(
        "Are strided (non-contiguous) frames the same frames, and views of a clip?",
        middle_examples("", VIEWS),
        values.memory_layout,
        far=lengthened,
    ),
    "grad-mode": CheckSpec(
        "Does it matter whether gradients are recorded?",
        middle_examples("grad", "inference"),
        values.grad_mode,
        far=lengthened,
    ),
    "long": CheckSpec(
        "Does it stay right for ten receptive fields, and past 1,000 frames?",
        long_examples,
        values.long_values,
        far=lengthened,
    ),
    "special-values": CheckSpec(
        "Are exact zeros and negative numbers treated as the clip treats them?",
        middle_examples("zeros", "some zeros", "negative"),
        values.special_values,
    ),
    "domain": CheckSpec(
        "Is it a number where the clip is one, and the same one where a program asks whether numbers are finite, whatever"
        " the size of the inputs? Skipped where nothing in it is undefined for some numbers, or asked.",
        middle_examples("", CHUNKS),
        in_chunks(domain.domain),
    ),
    "reload": CheckSpec(
        "Do parameters that are loaded after construction take effect?", middle_examples(), parameters.reload, "weights"
    ),
    "weights": CheckSpec(
        "Have both the same parameter names, shapes, dtypes; does a strict load work both ways, and are they equal after?",
        lambda session, effort: iter(
            [Example(session.plan.legal(2 * session.facts.reach + 3), session.batch, session.seed + 800)]
        ),
        parameters.weight_names,
        "weights",
    ),
    "gradients": CheckSpec(
        "Are the gradients through the stream the clip's? Skipped where its emissions carry none.",
        middle_examples(times=1.0),
        gradients.gradients,
        "conduct",
    ),
    "integers": CheckSpec(
        "Do both agree exactly, with `==`, on small integers, where no sum can round?", integer_examples, values.integers
    ),
}
