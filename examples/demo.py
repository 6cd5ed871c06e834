"""Real streaming modules that nobody here wrote, each checked against its clip mode: `make demo`.

The modules are continual-inference's (the version that is installed), leaf modules first, then the networks its README
shows, written here from their description. Every row is a function without arguments, so that a single one can be
verified by itself: `coequal verify examples/demo.py:encoder_two_layers`.
"""

from __future__ import annotations

import logging
import sys
import textwrap
import warnings
from collections import OrderedDict
from collections.abc import Callable
from importlib.metadata import version

import torch
from torch import nn

import coequal
from coequal.equivalence.report import Finding

warnings.filterwarnings("ignore", module="continual")
logging.getLogger("continual").setLevel(logging.ERROR)
import continual as co  # noqa: E402  the third-party library

Factory = Callable[[], coequal.Subject]
ROWS: list[tuple[str, Factory]] = []


def row(what: str) -> Callable[[Factory], Factory]:
    """A row of the table, called `what`."""

    def add(factory: Factory) -> Factory:
        ROWS.append((what, factory))
        return factory

    return add


def subject_of(module: nn.Module, *shape: int, **overrides: object) -> coequal.Subject:
    """A module in eval mode with a random clip of this shape."""
    return coequal.subject(module.eval(), example=torch.randn(*shape), **overrides)


def norm_relu(module: nn.Module, channels: int) -> nn.Module:
    """Batch norm and rectifier after a module."""
    return co.Sequential(module, nn.BatchNorm3d(channels), nn.ReLU())


@row("Conv3d 3x3x3")
def conv() -> coequal.Subject:
    return subject_of(co.Conv3d(3, 4, kernel_size=3, padding=1), 2, 3, 8, 5, 5)


@row("Conv1d depthwise, kernel 5, causal padding")
def depthwise() -> coequal.Subject:
    return subject_of(co.Conv1d(4, 4, kernel_size=5, padding=4, groups=4), 2, 4, 10)


@row("two strided Conv1d, a pool between them")
def strided() -> coequal.Subject:
    net = co.Sequential(
        co.Conv1d(3, 4, kernel_size=3, padding=1, stride=2),
        co.MaxPool1d(kernel_size=3, padding=1, stride=1),
        co.Conv1d(4, 4, kernel_size=3, padding=1, stride=2),
    )
    return subject_of(net, 2, 3, 24)


@row("average and maximum pooling")
def pooled() -> coequal.Subject:
    net = co.Sequential(
        co.AvgPool3d(kernel_size=(2, 2, 2), stride=(1, 2, 2)), co.MaxPool3d(kernel_size=(3, 2, 2), stride=(1, 1, 1))
    )
    return subject_of(net, 2, 2, 10, 6, 6)


@row("adaptive average pooling over 4 frames")
def adaptive() -> coequal.Subject:
    return subject_of(co.AdaptiveAvgPool3d((1, 1, 1), kernel_size=4), 2, 3, 8, 4, 4)


@row("RNN")
def rnn() -> coequal.Subject:
    return subject_of(co.RNN(input_size=3, hidden_size=4), 2, 3, 8)


@row("LSTM, two layers")
def lstm() -> coequal.Subject:
    return subject_of(co.LSTM(input_size=3, hidden_size=4, num_layers=2), 2, 3, 8)


@row("GRU")
def gru() -> coequal.Subject:
    return subject_of(co.GRU(input_size=3, hidden_size=4), 2, 3, 8)


@row("residual 3-D convolution (README)")
def residual() -> coequal.Subject:
    return subject_of(co.Residual(co.Conv3d(4, 4, kernel_size=3, padding=1)), 2, 4, 8, 4, 4)


@row("inverted residual block of MobileNetV2 (README)")
def inverted_residual() -> coequal.Subject:
    block = co.Residual(
        co.Sequential(
            co.Conv3d(4, 8, kernel_size=(1, 1, 1)),
            nn.BatchNorm3d(8),
            nn.ReLU6(),
            co.Conv3d(8, 8, kernel_size=(3, 3, 3), padding=(1, 1, 1), groups=8),
            nn.ReLU6(),
            co.Conv3d(8, 4, kernel_size=(1, 1, 1)),
            nn.BatchNorm3d(4),
        )
    )
    return subject_of(block, 2, 4, 8, 4, 4)


@row("squeeze-and-excitation (README)")
def squeeze_excite() -> coequal.Subject:
    parts = OrderedDict(
        pool=co.AdaptiveAvgPool3d((1, 1, 1), kernel_size=4),
        down=co.Conv3d(8, 2, kernel_size=1),
        act1=nn.ReLU(),
        up=co.Conv3d(2, 8, kernel_size=1),
        act2=nn.Sigmoid(),
    )
    return subject_of(co.Residual(co.Sequential(parts), reduce="mul"), 2, 8, 8, 3, 3)


@row("inception module (README)")
def inception() -> coequal.Subject:
    module = co.BroadcastReduce(
        co.Conv3d(6, 4, kernel_size=1),
        co.Sequential(norm_relu(co.Conv3d(6, 4, kernel_size=1), 4), norm_relu(co.Conv3d(4, 5, kernel_size=3, padding=1), 5)),
        co.Sequential(norm_relu(co.Conv3d(6, 2, kernel_size=1), 2), norm_relu(co.Conv3d(2, 3, kernel_size=5, padding=2), 3)),
        co.Sequential(
            co.MaxPool3d(kernel_size=(1, 3, 3), padding=(0, 1, 1), stride=1), norm_relu(co.Conv3d(6, 3, kernel_size=1), 3)
        ),
        reduce="concat",
    )
    return subject_of(module, 2, 6, 8, 4, 4)


@row("torch network converted by the library")
def converted() -> coequal.Subject:
    net = nn.Sequential(
        nn.Conv3d(3, 4, kernel_size=3, padding=(0, 1, 1)),
        nn.BatchNorm3d(4),
        nn.ReLU(),
        nn.AvgPool3d((2, 2, 2), stride=(1, 2, 2)),
        nn.Conv3d(4, 4, kernel_size=(3, 1, 1)),
    )
    return subject_of(co.continual(net), 2, 3, 10, 6, 6)


@row("single-output attention, 6 tokens")
def single_output_attention() -> coequal.Subject:
    module = co.SingleOutputMultiheadAttention(
        8, 2, sequence_len=6, batch_first=True, forward_returns_attn_mask=False, single_output_forward=True
    )
    return subject_of(module, 2, 8, 8)


@row("retroactive attention, 6 tokens")
def retroactive_attention() -> coequal.Subject:
    module = co.RetroactiveMultiheadAttention(8, 2, sequence_len=6, batch_first=True, forward_returns_attn_mask=False)
    return subject_of(module, 2, 8, 8)


def _encoder(layers: int, activation: str = "relu") -> nn.Module:
    layer = co.TransformerEncoderLayerFactory(8, 2, dim_feedforward=16, dropout=0.0, activation=activation, sequence_len=6)
    return co.TransformerEncoder(layer, num_layers=layers)


@row("transformer encoder, one layer, 6 tokens")
def encoder_one_layer() -> coequal.Subject:
    return subject_of(_encoder(1), 2, 8, 8)


@row("transformer encoder, two layers, 6 tokens")
def encoder_two_layers() -> coequal.Subject:
    return subject_of(_encoder(2), 2, 8, 8)


def _torch_encoder(activation: str) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0, activation=activation, batch_first=True)
    return nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False).eval()


def _against_torch(stream: nn.Module, original: nn.Module) -> coequal.Subject:
    """The library's stream against torch's own module: torch's layout is (B, T, E), the library's (B, E, T)."""
    clip = lambda x: original(x.transpose(1, 2)).transpose(1, 2)  # noqa: E731
    return subject_of(stream, 2, 8, 8, clip=clip, modules=None)


@row("torch encoder, one layer, converted by the library")
def encoder_converted() -> coequal.Subject:
    original = _torch_encoder("relu")
    return _against_torch(co.TransformerEncoder.build_from(original, sequence_len=6), original)


@row('the same, activation="gelu"')
def encoder_gelu() -> coequal.Subject:
    donor, original = _torch_encoder("relu"), _torch_encoder("gelu")
    original.load_state_dict(donor.state_dict())
    stream = _encoder(1, activation="gelu")
    stream.load_state_dict(co.TransformerEncoder.build_from(donor, sequence_len=6).state_dict())
    return _against_torch(stream, original)


# why a row is different, found by reading the library's code; printed only where the row is different
WHY = {
    "encoder_two_layers": "the ring of the first layer's shortcut holds `delay + 1` tokens, its index wraps after `delay`:"
    " from the second lap on, the shortcut adds tokens in the wrong order.",
    "encoder_gelu": "the library's table of activations maps the name 'gelu' to relu.",
}


def main() -> int:
    """Verify every row, print one table, explain what is different."""
    from rich.console import Console
    from rich.progress import Progress

    torch.manual_seed(0)
    console, reports = Console(), []
    console.print(
        f"continual-inference {version('continual-inference')}, torch {torch.__version__}, coequal {coequal.__version__}\n"
    )
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("verifying", total=len(ROWS))
        for what, factory in ROWS:
            progress.update(task, description=what)
            reports.append((what, factory, coequal.verify(factory(), effort="quick")))
            progress.advance(task)
    console.print(table(reports))
    for what, factory, report in reports:
        explain(console, what, factory, report)
    tally = [report.verdict.value for *_, report in reports]
    console.print(f"{len(tally)} subjects: " + ", ".join(f"{tally.count(v)} {v}" for v in dict.fromkeys(tally)))
    return 0


def table(reports: list[tuple[str, Factory, coequal.Report]]) -> object:
    """What, relation, measured timing, verdict, for how many frames it is proved, findings, seconds."""
    from rich.table import Table

    grid = Table(
        "what",
        "equal to",
        "field",
        "delay",
        "verdict",
        "lengths",
        "findings",
        "s",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    grid.columns[0].overflow = "fold"
    for column in (2, 3, 5, 7):
        grid.columns[column].justify = "right"
    for what, _, report in reports:
        relation = "the stream so far" if report.relation.window is None else f"last {report.relation.window} frames"
        field, delay = report.timing.receptive_field, report.timing.delay
        style = {"different": "bold red", "tested": "green", "proved": "green"}.get(report.verdict.value, "yellow")
        serious = [f.name for f in report.findings if worth_reading(f)]
        grid.add_row(
            what,
            relation,
            str(field),
            str(delay),
            f"[{style}]{report.verdict.value}[/]",
            str(report.proof["horizon"]) if report.verdict.value == "proved" else "",
            ", ".join(serious),
            f"{report.seconds:.1f}",
        )
    return grid


def worth_reading(finding: Finding) -> bool:
    """What a newcomer should know; that a module cannot be pickled is not it."""
    return finding.severity in ("high", "medium") or finding.name == "alignment"


def explain(console: object, what: str, factory: Factory, report: coequal.Report) -> None:
    """A `different` in a sentence with its reproduction, and findings worth reading."""
    name, c = factory.__name__, report.counterexample
    lines = []
    if c is not None:
        given = c.schedule
        command = f"coequal verify examples/demo.py:{name} --only {c.check}"
        command += "".join(f" --{key} {given[key]}" for key in ("length", "batch", "seed", "scale") if key in given)
        lines += [f"different: {c.detail}.", *([f"Why: {WHY[name]}"] if name in WHY else []), f"Repeat: {command}"]
    lines += [f"{f.severity} finding {f.name}: {f.detail}" for f in report.findings if worth_reading(f)]
    if lines:
        console.print(f"\n[bold]{what}[/bold]")  # type: ignore[attr-defined]
        for line in lines:
            console.print(
                textwrap.indent(textwrap.fill(line, 110, break_long_words=False), "  "), highlight=False, markup=False
            )  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
