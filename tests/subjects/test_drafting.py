"""Drafts of many styles of modules: right ones are verified as they are, wrong ones are not hidden."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

import coequal
from coequal.process.drafts import of_target
from coequal.process.target import load
from coequal.subjects.drafting import draft
from coequal.subjects.drafts.origin import Origin
from coequal.subjects.errors import BadSubject

ZOO = Path(__file__).resolve().parent / "drafts" / "zoo.py"
NAMES = runpy.run_path(str(ZOO))
RIGHT, WRONG = NAMES["RIGHT"], NAMES["WRONG"]
CHECKS = ["values", "chunking", "batch", "reset", "long"]


def drafted(name: str, example: tuple[int, ...] | None = None) -> str:
    return of_target(f"{ZOO}:{name}", example)


def said(source: str) -> str:
    """The comments of a draft as one line, so that no test depends on where they are broken."""
    return " ".join(line.lstrip("# ").strip() for line in source.splitlines() if line.startswith("#"))


@pytest.fixture
def verified(tmp_path: Path):
    def run(name: str, checks: list[str] | None = None) -> tuple[coequal.Report, str]:
        source = drafted(name)
        path = tmp_path / f"draft_{name}.py"
        path.write_text(source)
        return coequal.verify(load(f"{path}:subject"), effort="quick", checks=checks), said(source)

    return run


@pytest.mark.parametrize("name", RIGHT)
def test_a_draft_of_a_right_stream_is_verified_as_it_is(verified, name: str) -> None:
    report, comments = verified(name, CHECKS)
    assert report.verdict == "tested"  # exact arithmetic was not asked for
    assert not [finding.name for finding in report.findings if finding.severity == "high"]
    assert "kept" in comments or "An adapter of coequal recognises the module" in comments
    assert "no way ran" not in comments


@pytest.mark.parametrize("name", WRONG)
def test_a_draft_of_a_wrong_stream_does_not_hide_it(verified, name: str) -> None:
    report, _ = verified(name)
    leaves_behind = name in ("Stale", "TwoResets")  # the first stream is right: the second finds what it left
    assert report.verdict == ("tested" if leaves_behind else "different")
    assert report.exit_code(None) == 1
    assert not leaves_behind or {"isolation", "reset"} <= {finding.name for finding in report.findings}


@pytest.mark.parametrize(
    ("name", "kept", "other"),
    [
        ("ZeroStart", "None, the argument's own default (state=None)", "module.init_state(rows)"),
        ("ZeroInit", "module.init_state(rows)", "None"),
        ("TwoResets", "reset() of the module", "reset_state() of the module"),
    ],
)
def test_agreement_with_the_clip_is_no_reason_to_choose(name: str, kept: str, other: str) -> None:
    """The default is kept, though another way gives the clip's values; and both are told, and that they disagree."""
    comments = said(drafted(name))
    first, then = comments.index("kept "), comments.index("runs ")
    assert kept in comments[first:then]
    assert other in comments[then:]
    assert "the same numbers" in comments[then:] or "e-17" in comments[then:] or "e-16" in comments[then:]
    if name != "TwoResets":  # the first stream is the clip's after either
        assert "CAUTION: these ways do not agree with one another" in comments
    else:
        assert "A SECOND STREAM IN THE SAME MODULE GIVES OTHER VALUES" in comments[first:then]
        assert "A SECOND STREAM IN THE SAME MODULE GIVES OTHER VALUES" not in comments[then:]


@pytest.mark.parametrize(
    ("name", "guessed"),
    [
        ("gru", "input_size=4 of the module itself (GRU), batch_first=True"),
        ("lstm", "axes (time, rows, features), from input_size=4 of the module itself (LSTM), batch_first=False"),
        ("Buffered", "axes (rows, features, time), from in_channels=4 of module.conv (Conv1d)"),
        ("Decoder", "token ids, axes (rows, time), from num_embeddings=11 of module.embed (Embedding)"),
        ("Summing", "time is axis 1, as usual for such a layer; the module does not say"),
        ("TimeFirst", "its documentation writes the axes (T, B, F)"),
        ("Flag", "one row only (batch=None), since two raise"),
        ("Steps", "clean_state() of its parts makes it forget"),
        ("Unresettable", "nothing in it resets it: each stream is a copy of the module as it came"),
        ("CacheInPlace", "the state begins as Cache(), the class of the argument"),
        ("CacheDict", "the state begins as {}, to be filled in place"),
        ("CacheInPlace", "CAUTION: what the module offers first is not what is kept"),
        ("Decoder", ".logits of what comes back is the output, .past_key_values the state"),
        ("StateFirst", "(state, output) comes back"),
        ("OneFrame", "Several frames at once raised ValueError: one frame at a time, please: they are not offered (plan)"),
        ("WrongChunks", "CAUTION: several frames at once give other values"),
        ("Stateful", "TODO: if the original has a clip mode of its own, compare with that"),
        ("Parallel", "Guessed: forward_parallel is the clip function"),
        (
            "OwnBuffer",
            "forward with inference, without in_buffers; time axis 2; reset_buffers() of the module makes it forget",
        ),
        ("StreamsByDefault", "CAUTION: without streaming it gives other values: 12 frames for the clip's 12"),
        ("gru", "[0] of what comes back is the output, and nothing else is compared"),
        ("gru", "Not guessed: window, emits, offset"),
        ("Looped", "On other axes the frames are not the clip's, as is to be expected"),
        ("LateTap", "CAUTION: these ways do not agree with one another, or not with the clip"),
        ("cell", "TODO: the clip function was not guessed: GRUCell takes single frames"),
        ("OnlySteps", "TODO: the clip function was not guessed: the module has no forward"),
        ("Bare", "TODO: a clip that the module accepts; none could be guessed"),
        ("Conditioned", "TODO: nothing was tried, since not all that the module needs could be guessed"),
    ],
)
def test_what_was_guessed_is_said(name: str, guessed: str) -> None:
    assert guessed in said(drafted(name))


def test_an_argument_that_is_not_guessed_stands_in_the_code() -> None:
    source = drafted("Conditioned")
    assert "context = None  # TODO: an argument that is needed; not guessed" in source
    assert "return module(x, context=context)[0]" in source


@pytest.mark.parametrize(
    ("name", "came"),
    [
        ("Scalar", "raised ValueError: a tensor of shape () has no time axis"),
        ("Texts", "what comes back has no output that could be told from a state"),
        ("Exits", "raised SystemExit: 3"),
    ],
)
def test_where_no_way_runs_the_first_is_printed(name: str, came: str) -> None:
    comments = said(drafted(name))
    assert came in comments
    assert "TODO: no way ran. What stands here is the first of them." in comments


@pytest.mark.parametrize("name", ["cell", "OnlySteps", "Bare", "Conditioned"])
def test_a_draft_with_something_to_do_is_python_and_verifies_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "draft.py").write_text(drafted(name))
    subject = load(f"{tmp_path / 'draft.py'}:subject")
    with pytest.raises(BadSubject):
        coequal.verify(subject, effort="quick")


def test_a_shape_of_the_users() -> None:
    source = drafted("Bare", (1, 12, 4))
    assert "example = torch.randn(1, 12, 4, " in source
    assert "the axes (rows, time, features) of the example" in said(source)
    assert "batch=None" not in source  # one row was asked for


def test_an_example_of_the_users() -> None:
    source = drafted("pair")
    assert "module, example = pair()" in source
    assert "torch.randn" not in source


def test_nothing_like_a_stream() -> None:
    with pytest.raises(
        BadSubject, match=r"Linear has nothing that looks like a stream\. Looked for: methods step, forward_step"
    ):
        drafted("linear")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Sized", r"takes arguments \(width\); expected .* write such a function where arguments are needed"),
        ("seven", "is of type int; expected a torch.nn.Module"),
    ],
)
def test_what_is_no_module(name: str, line: str) -> None:
    with pytest.raises(BadSubject, match=line):
        drafted(name)


def test_modules_of_an_adapter_need_no_guesses(tmp_path: Path) -> None:
    path = tmp_path / "theirs.py"
    path.write_text(
        "from torch import nn\nfrom coequal import continual\nnet = continual.convert(nn.Conv1d(4, 2, 3).eval())\n"
    )
    source = of_target(f"{path}:net", None)
    assert "subject = coequal.subject(module, example=example)" in source
    (tmp_path / "draft.py").write_text(source)
    report = coequal.verify(load(f"{tmp_path / 'draft.py'}:subject"), effort="quick", checks=["values"])
    assert report.verdict == "tested"


def test_a_subject_needs_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import torch, coequal\nsubject = coequal.Subject(clip=abs, stream=list, example=torch.ones(1, 1, 1))\n")
    with pytest.raises(BadSubject, match=r"is a coequal\.Subject already"):
        of_target(f"{path}:subject", None)


def test_a_file_that_is_called_as_a_library_is(tmp_path: Path) -> None:
    """Its name would import the library: the draft loads the file itself."""
    path = tmp_path / "rich.py"
    path.write_text("from torch import nn\nnet = nn.GRU(4, 3)\n")
    source = of_target(f"{path}:net", None)
    assert "spec_from_file_location" in source
    (tmp_path / "draft.py").write_text(source)
    assert isinstance(load(f"{tmp_path / 'draft.py'}:subject").modules, torch.nn.GRU)


@pytest.mark.parametrize("name", ["Polluted", "Stale", "Buffered", "Context"])
def test_the_module_is_left_as_it_was(name: str) -> None:
    """Ways are tried on copies: what is drafted does not depend on what was tried before."""
    module = NAMES[name]().eval()
    before = {key: repr(value) for key, value in vars(module).items()}
    first = draft(module, Origin(str(ZOO), name))
    assert {key: repr(value) for key, value in vars(module).items()} == before
    assert draft(module, Origin(str(ZOO), name)) == first
