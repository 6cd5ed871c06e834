"""The draft as a file: Python that can be verified at once, and comments that say what of it is a guess."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from coequal.subjects.drafts.code import Way, clip_method, clip_source, no_clip, put_off, stream_source
from coequal.subjects.drafts.layouts import Layout
from coequal.subjects.drafts.origin import Origin
from coequal.subjects.drafts.search import Search
from coequal.subjects.drafts.streams import Entry
from coequal.subjects.drafts.trial import Outcome

WIDTH = 118
MOST = 16  # ways that are shown, where none fits
HEAD = '''"""A draft of a coequal.Subject for {target}, by `coequal write`. As a file: coequal verify FILE.py:subject

Nothing here is known: the comments say what was guessed, from what, and what was tried. Read them before you believe a
verdict: it is about the clip function and the stream as they stand here.
"""'''
RULE = (
    "What was tried, on the example. A way that raises in its first two calls, or gives frames of another shape than the"
    " clip's, is none. Of the others the first is kept, the module's own methods and defaults coming first; whether a way"
    " gives the clip's values was no reason."
)
NOT_GUESSED = "Not guessed: window, emits, offset, inputs, memory, clip_state; docs/subject.md says what they are."
AXES = (
    "On other axes the frames are not the clip's, as is to be expected where time is another axis. Which axis is time, the"
    " module does not say."
)
DISAGREE = (
    "CAUTION: these ways do not agree with one another, or not with the clip. What is kept is what the module offers"
    " first, and not what agrees. Which way is meant, its documentation must say; if it is the one that is kept, and its"
    " frames are not the clip's, the stream is wrong."
)


def comment(text: str, first: str = "# ", then: str = "# ") -> list[str]:
    """A text as lines of a comment."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False)


def page(module: nn.Module, origin: Origin, way: Way, found: Search) -> str:
    """The whole file."""
    more = tuple(kind.__name__ for _, kind in way.start.names if kind.__module__ not in ("builtins", "collections"))
    standard, fetched = origin.imports(more)
    standard = [*(["import copy"] if way.fresh.copied or way.entry.keeps_state else []), *standard]
    return _file(
        origin,
        standard,
        fetched,
        [*_example(way, found), *_open(way)],
        ["", *_clip(module, way, found), clip_source(module, way)],
        ["", *_stream(way, found), stream_source(way)],
        ["", *tried(found), *comment(NOT_GUESSED), _subject(way)],
    )


def recognised(module: nn.Module, origin: Origin, layout: Layout | None) -> str:
    """The draft for a module that an adapter recognises."""
    standard, fetched = origin.imports()
    example = [layout.source()] if layout is not None else ["example = None  # TODO: a clip that the module accepts"]
    said = comment("An adapter of coequal recognises the module: clip, stream and axes are its, nothing of them is guessed.")
    read = comment(f"Guessed: the example, from {layout.read}.") if layout is not None else []
    subject = [*said, "subject = coequal.subject(module, example=example)"]
    return _file(origin, standard, fetched, [*read, *([] if origin.pair else example)], subject)


def _file(origin: Origin, standard: list[str], fetched: list[str], *blocks: list[str]) -> str:
    """Heading, imports and the module, then these blocks."""
    module = [origin.module(), "module.eval()  # guessed: as it is deployed"]
    imports = [standard, ["import torch", "", "import coequal"], fetched]
    whole = [[HEAD.format(target=origin.target)], *imports, module, *blocks]
    return "\n\n".join("\n".join(block) for block in whole if block) + "\n"


def tried(found: Search) -> list[str]:
    """Every way, and what came of it."""
    if not found.outcomes:
        return comment("TODO: nothing was tried, since not all that the module needs could be guessed.")
    lines = comment(RULE)
    for outcome in found.outcomes[: None if found.kept else MOST]:
        lines += comment(f"{_verb(outcome, found)}  {outcome.way.words()}:", "#   ", "#           ")
        lines += comment(outcome.words, "#           ", "#           ")
    if found.kept is None and len(found.outcomes) > MOST:
        lines += comment(f"And {len(found.outcomes) - MOST} more, none of which is a way either.")
    if found.passed_over():
        lines += comment("CAUTION: what the module offers first is not what is kept, since it is no way: see there.")
    if found.disagree():
        lines += comment(DISAGREE)
    elif found.axes_disagree():
        lines += comment(AXES)
    if found.kept is None:
        lines += comment("TODO: no way ran. What stands here is the first of them.")
    return lines


def _verb(outcome: Outcome, found: Search) -> str:
    if found.kept is not None and replace(found.kept.way, single=outcome.way.single) == outcome.way:
        return "kept  "
    return "runs  " if outcome.fits else "no way"


def _example(way: Way, found: Search) -> Iterator[str]:
    layout = way.layout
    refused = [f"Refused by the clip function: {text}." for text in found.refused]
    if layout.fixed:
        yield from comment(f"Guessed: the axes {layout.named()} of the example ({layout.read}).")
    elif not layout.read:
        yield from comment(" ".join(["TODO: a clip that the module accepts; none could be guessed.", *refused]))
        yield "example = None"
        return
    else:
        kind = "token ids" if layout.words is not None else "numbers"
        yield from comment(f"Guessed: the example, {kind}, axes {layout.named()}, from {layout.read}.")
        if layout.words is not None:
            yield from comment("Ids are drawn within the range of the example's.")
    for text in refused:
        yield from comment(text)
    if not layout.settled:
        yield from comment(f"Guessed: time is axis {layout.time}, as usual for such a layer; the module does not say.")
    if layout.rows == 1 and not layout.fixed:
        yield from comment("Guessed: one row only (batch=None), since two raise.")
    if layout.given is None:
        yield layout.source()


def _open(way: Way) -> list[str]:
    """What the module needs besides, and nobody can guess."""
    return [f"{name} = None  # TODO: an argument that is needed; not guessed" for name in others(way.entry)]


def others(*entries: Entry) -> list[str]:
    """The arguments of the entries that are not guessed."""
    return list(dict.fromkeys(name for entry in entries for name in entry.roles.others))


def _clip(module: nn.Module, way: Way, found: Search) -> list[str]:
    if way.clip is None:
        return comment(f"TODO: the clip function was not guessed: {no_clip(module)}.")
    if way.entry.keeps_state:
        return comment(
            "Guessed: the clip function is one call, on all frames at once, of a copy of the module that was reset. TODO: if"
            " the original has a clip mode of its own, compare with that: this one is no more than the stream in one piece."
        )
    picked = f"; {way.clip.output} of what comes back is the output, and nothing else is compared" if way.clip.output else ""
    called = "the module's own call on a whole clip is the clip function"
    if method := clip_method(module):
        called = f"{method} is the clip function, since forward is none, or needs more"
    lines = comment(f"Guessed: {called}{picked}.")
    if found.plain:
        lines += comment(f"CAUTION: without {', '.join(put_off(module))} it gives other values: {found.plain}.")
    return lines


def _stream(way: Way, found: Search) -> list[str]:
    lines = comment(f"Guessed: {way.words()}.")
    if way.fresh.copied:
        lines += comment(
            "A copy hides what one stream leaves behind in the module for the next: that is not looked at. Nor does it see"
            ' weights that are loaded later, which is found; allow=("reload",) waives it.'
        )
    elif not way.entry.roles.states:
        lines += comment(
            "The module has room for one stream, so that they live one at a time: a second one at the same time would"
            " disturb the first, which is not asked for. TODO: leave that out where several are promised."
        )
    if found.several and way.single:
        lines += comment(f"Several frames at once {found.several}: they are not offered (plan).")
    elif found.several:
        lines += comment(
            f'CAUTION: several frames at once {found.several}. They are offered all the same: plan="single" takes that back,'
            " where single frames are all that is promised."
        )
    return lines


def _subject(way: Way) -> str:
    layout = way.layout
    fields = {"clip": "clip", "stream": "Stream", "example": "example", "time": str(layout.time), "modules": "module"}
    if layout.rows == 1 and not layout.fixed:
        fields["batch"] = "None"
    elif layout.batch != 0:
        fields["batch"] = str(layout.batch)
    if way.output_time != layout.time and way.clip is not None:
        fields["output_time"] = str(way.output_time)
    if way.single:
        fields["plan"] = '"single"'
    if not way.fresh.copied and not way.entry.roles.states:
        fields["streams"] = '"one at a time"'
    return f"subject = coequal.Subject({', '.join(f'{name}={value}' for name, value in fields.items())})"
