"""`coequal cost` as it is typed: what it prints, what it writes, and what it says of bad input."""

import json
from pathlib import Path

import pytest

from coequal.__main__ import main

pytestmark = pytest.mark.usefixtures("forked")

HEAD = """
import torch
from torch import nn
import coequal
from coequal.continual import Conv1d, Sequential

regular = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 4, 3, stride=2, padding=1))
ours = Sequential(Conv1d(2, 4, 3, padding=1), Conv1d(4, 4, 3, padding=1))
whole = nn.Sequential(nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4))
number = 3
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)

class Chosen(nn.Module):
    def forward(self, x):
        return x[x > 0].sum()

class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.rfft(x).abs()

class Running:
    state = torch.zeros(1, 2)
    def step(self, frame):
        self.state = self.state + 2 * frame
        return self.state

chosen, spectrum = Chosen(), nn.Sequential(nn.ReLU(), Spectrum())

class Silent:
    def step(self, frame):
        return None

layer = nn.Conv1d(2, 4, 4, stride=4, bias=False)

class InFours:
    def __enter__(self):
        self.seen = torch.zeros(2)
        return self
    def __exit__(self, *error):
        self.seen = None
    def chunk(self, frames):
        assert frames.shape == (2, 2, 4)
        self.seen = self.seen + 1
        return layer(frames)

def in_fours():
    example = torch.randn(2, 2, 12)
    return coequal.Subject(clip=layer, stream=InFours, example=example, modules=layer, plan=4, batches=(2,))

def without_rows():
    return coequal.Subject(clip=lambda x: layer(x[None])[0], stream=Silent, example=torch.randn(2, 12), time=1, batch=None)

class Conditioned:
    def step(self, frame, weight):
        return frame @ weight

def conditioned():
    example = {"frame": torch.randn(2, 6, 3), "weight": torch.randn(3, 5)}
    axes = {"time": {"frame": 1, "weight": None}, "batch": {"frame": 0, "weight": None}}
    return coequal.Subject(clip=lambda frame, weight: frame @ weight, stream=Conditioned, example=example, **axes)

def again():
    return coequal.Subject(clip=layer, stream=InFours, example=torch.randn(2, 2, 12), plan=coequal.Plan(whole=True))

class Elsewhere(nn.Module):
    def forward(self, x):
        return torch.from_numpy(x.numpy() * 2)

elsewhere = Elsewhere()

class Masked(nn.Module):
    def forward(self, x):
        return torch.eye(x.shape[1]) @ x

class Itself:
    def step(self, frame):
        return frame @ torch.eye(2)

def masked():
    return coequal.Subject(clip=Masked(), stream=Itself, example=torch.randn(1, 8, 2), time=1)

def subject(stream=Running):
    return coequal.Subject(clip=lambda x: (2 * x).cumsum(2), stream=stream, example=torch.randn(3, 2, 6))

def silent():
    return subject(Silent)

def pair():
    return regular, torch.randn(1, 2, 16)
"""


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    path = tmp_path / "theirs.py"
    path.write_text(HEAD)
    return str(path)


def told(line: list[str], tmp_path: Path) -> dict:
    file = tmp_path / "cost.json"
    assert main(["cost", *line, "--json", str(file)]) == 0
    return json.loads(file.read_text())


def test_an_operator_of_the_catalogue(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    counted = told(["conv", "--symbolic"], tmp_path)
    per_frame = 64 * 64 * 27 * 56 * 56
    assert counted["target"] == "conv"
    assert counted["convention"] == "macs"
    assert counted["clip"]["macs"] == 16 * per_frame
    assert counted["clip"]["params"] == 64 * 64 * 27 + 64
    assert counted["clip"]["expression"] == "110592 H T W"
    assert counted["step"]["macs"] == counted["step"]["worst"] == per_frame
    assert counted["step"]["expression"] == "110592 H W"
    assert counted["step"]["state_bytes"] == 4 * 2 * 64 * 56 * 56
    assert counted["reduction"] == 16
    said = capsys.readouterr().out
    assert "multiply-adds, batch 1" in said
    assert "5,549,064,192" in said
    assert "110592 H T W" in said
    assert "16x" in said


MOVES = ("channels", "class_token", "frame_difference", "pad", "pathways", "shift", "token_grid")
WHOLE = (
    "adaptive_kernel",
    "class_token",
    "decoder",
    "multiview",
    "non_local",
    "pathways",
    "pooling_attention",
    "qkv_attention",
)


def test_every_operator_of_the_catalogue_is_counted(tmp_path: Path) -> None:
    from coequal.proofs.cost.targets.named import operators

    for name in operators():
        counted = told([name, "--convention", "operations"], tmp_path)
        assert counted["clip"]["macs"] > 0 or name in MOVES, name
        assert (counted["step"] is None) == (name in WHOLE), name
        if name not in WHOLE:
            step = told([name, "--mode", "step"], tmp_path)["step"]
            assert step["executed"] == step["macs"], name


def test_a_strided_operator_has_mean_and_worst(tmp_path: Path) -> None:
    counted = told(["pool", "--convention", "operations", "--example", "1,64,16,8,8"], tmp_path)
    assert counted["step"]["period"] == 2
    assert counted["step"]["worst"] > counted["step"]["macs"]


def test_a_network_of_the_catalogue_executes_less_than_its_library_would(tmp_path: Path) -> None:
    """CoOadTR of two blocks: retroactive first block without subtractions, no keys and values for the newest row."""
    step = told(["CoOadTR-b2 [A.Net]"], tmp_path)["step"]
    N, E, A = 64, 1024, 8
    last = 4 * E * E + 2 * E * E + 2 * A * N * E  # one row: attention, perceptron
    first = 3 * E * E + N * E * E + 2 * N * E * E
    assert step["macs"] == 3072 * E + E * 22 + first + (6 * N - 4) * E + last
    assert step["executed"] - step["macs"] < (7 + 8) * N * E
    assert step["executed"] > step["macs"]


def test_a_large_network_runs_when_asked(tmp_path: Path) -> None:
    counted = told(["CoX3D-L_64"], tmp_path)
    assert counted["step"]["executed"] is None
    assert "executed: not counted" in counted["notes"][0]
    assert counted["reduction"] == counted["clip"]["macs"] / counted["step"]["macs"]


def test_a_network_without_a_step_says_why(tmp_path: Path) -> None:
    counted = told(["X3D-M", "--symbolic"], tmp_path)
    assert counted["step"] is None
    assert counted["notes"] == ["no step: squeeze-and-excite over the whole clip: not streamable"]
    assert "1261296 T ceiling(H/32) ceiling(W/32)" in counted["clip"]["expression"]


def test_letters_of_two_pathways(tmp_path: Path) -> None:
    """SlowFast: T is a multiple of alpha, and both pathways say so in the same words."""
    counted = told(["SlowFast-8x8-R50", "--symbolic"], tmp_path)
    assert "ceiling(T/4)" in counted["clip"]["expression"]
    assert "floor" not in counted["clip"]["expression"]


def test_latex(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert told(["pool", "--latex", "--convention", "operations", "--mode", "clip"], tmp_path)["clip"]["expression"] == (
        r"1664 \left\lceil{\frac{H}{2}}\right\rceil \left\lceil{\frac{T}{2}}\right\rceil"
        r" \left\lceil{\frac{W}{2}}\right\rceil"
    )
    assert r"\lceil" in capsys.readouterr().out


def test_counts_are_of_one_clip_whatever_the_batch(tmp_path: Path) -> None:
    many, one = (told(["conv", "--example", f"{batch},64,4,8,8"], tmp_path) for batch in (3, 1))
    assert many["clip"]["macs"] == one["clip"]["macs"] == 4 * 8 * 8 * 64 * 64 * 27
    assert many["step"]["macs"] == one["step"]["macs"]


def test_one_mode_alone(tmp_path: Path) -> None:
    counted = told(["conv", "--mode", "clip"], tmp_path)
    assert counted["step"] is None
    assert counted["reduction"] is None
    assert told(["conv", "--mode", "step"], tmp_path)["clip"] is None


def test_a_regular_module_is_counted_with_its_continual_twin(theirs: str, tmp_path: Path) -> None:
    counted = told([f"{theirs}:regular", "--example", "4,2,16", "--symbolic"], tmp_path)
    assert counted["clip"]["macs"] == 24 * 16 + 48 * 8  # one clip of the four
    assert counted["clip"]["params"] == 24 + 4 + 48 + 4
    assert counted["clip"]["expression"] == "24 T + 48 ceiling(T/2)"
    assert counted["clip"]["modules"] == {"0": 24 * 16, "1": 0, "2": 48 * 8}
    step = counted["step"]
    assert (step["macs"], step["executed"], step["worst"], step["period"]) == (48, 48, 72, 2)
    assert step["expression"] == "48"
    assert step["claimed"] is None
    assert counted["reduction"] == 16
    assert "continual twin" in counted["notes"][0]


def test_a_function_that_returns_a_module_and_its_clip(theirs: str, tmp_path: Path) -> None:
    assert told([f"{theirs}:pair"], tmp_path)["clip"]["macs"] == 24 * 16 + 48 * 8


def test_a_continual_module_of_ours(theirs: str, tmp_path: Path) -> None:
    counted = told([f"{theirs}:ours", "--example", "1,2,16"], tmp_path)
    assert counted["step"]["macs"] == counted["step"]["executed"] == 24 + 48
    assert counted["step"]["state_bytes"] >= 4 * (2 * 2 + 2 * 4)


def test_a_subject(theirs: str, tmp_path: Path) -> None:
    counted = told([f"{theirs}:subject", "--convention", "operations"], tmp_path)
    assert counted["clip"]["macs"] == 2 * 2 * 6  # batch 1: a product and a sum for each element
    assert counted["step"]["macs"] == counted["step"]["executed"] == 4


THEIRS = """
import continual as co
conv = co.Conv3d(2, 3, 5, padding=2)
strided = co.Conv3d(2, 3, 3, stride=2, padding=1)
retroactive = co.RetroactiveMultiheadAttention(8, 2, sequence_len=6, batch_first=True)
single = co.SingleOutputMultiheadAttention(8, 2, sequence_len=6, batch_first=True)
"""


@pytest.fixture
def library(tmp_path: Path) -> str:
    pytest.importorskip("continual", reason="continual-inference is not installed")
    path = tmp_path / "library.py"
    path.write_text(THEIRS)
    return str(path)


def test_their_convolution_executes_k_times_the_minimum(library: str, tmp_path: Path) -> None:
    step = told([f"{library}:conv", "--example", "1,2,9,4,4"], tmp_path)["step"]
    assert step["macs"] == 2 * 3 * 5**3 * 4 * 4
    assert step["executed"] == 5 * step["macs"]
    assert step["claimed"] is None


def test_their_stride_saves_nothing(library: str, tmp_path: Path) -> None:
    step = told([f"{library}:strided", "--example", "1,2,9,4,4"], tmp_path)["step"]
    assert step["macs"] == 2 * 3 * 3**3 * 2 * 2 / 2
    assert step["executed"] == step["worst"] == 6 * step["macs"]


def test_their_attention_executes_its_formula_and_claims_more(library: str, tmp_path: Path) -> None:
    N, E, A = 6, 8, 2
    retroactive = told([f"{library}:retroactive", "--example", f"1,{N},{E}"], tmp_path)["step"]
    assert retroactive["macs"] == retroactive["executed"] == 3 * E * E + (6 * N - 4) * E + N * E * E
    d = E // A
    assert retroactive["claimed"] == 3 * E * E + 3 * E + A * (7 * N * d + 2 * N - 3 * d) + N * E * (E + 1)
    single = told([f"{library}:single", "--example", f"1,{N},{E}"], tmp_path)["step"]
    assert single["macs"] == single["executed"] == 4 * E * E + 2 * N * E


def test_a_module_that_cannot_stream_has_no_step(theirs: str, tmp_path: Path) -> None:
    counted = told([f"{theirs}:whole", "--example", "1,2,16"], tmp_path)
    assert counted["step"] is None
    assert "no step: 1 (GroupNorm) cannot be streamed" in counted["notes"][0]


def test_attention_has_a_step_if_it_gets_a_window(theirs: str, tmp_path: Path) -> None:
    line = [f"{theirs}:encoder", "--example", "1,6,8"]
    assert told(line, tmp_path)["step"] is None
    N, E, F = 6, 8, 16
    step = told([*line, "--window", "6"], tmp_path)["step"]
    assert step["macs"] is None
    assert step["executed"] > 3 * E * E + N * E * E + 2 * N * E * F


def test_the_table_of_submodules(theirs: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["cost", f"{theirs}:regular", "--example", "1,2,16", "--modules"]) == 0
    said = capsys.readouterr().out
    assert "clip: submodule" in said
    assert said.index("\n0 ") < said.index("\n1 ")


CONVENTIONS = "there are macs, flops, conv-linear, ptflops-0.6, fvcore-old, hlo, operations"
WRONG = {
    "konv": "'konv' is not in the catalogue",
    "conv --example 1,3,16,8,8": "Conv: axis 1 (C) of the clip (B, C, T, H, W) must have 64 channels, got 3",
    "conv --example 1,64,8": "Conv: expected a clip (B, C, T, H, W), 5 axes, got 3 axes (1, 64, 8)",
    "conv --convention gflops": f"cost: no convention 'gflops'; {CONVENTIONS}",
    "conv --json nowhere/cost.json": "cannot write nowhere/cost.json: no folder nowhere",
    "{}:number": "is of type int; expected a coequal.Subject, a torch.nn.Module",
    "{}:regular": "needs the shape of a clip: add --example SHAPE",
    "{}:regular --example 1,3,16": "a clip of shape (1, 3, 16) does not fit: Given groups=1, weight of size [4, 2, 3]",
    "{}:chosen --example 1,2,16": "data-dependent shape: what runs depends on the values of the input",
    "{}:spectrum --example 1,2,16": "1: no count for the operation aten._fft_r2c, which computes with floats",
    "{}:silent": "the stream has emitted nothing after 1024 frames",
    "{}:nothing --example 1,2,16": "no name 'nothing'",
}


@pytest.mark.parametrize("line", WRONG)
def test_bad_input_is_one_line(line: str, theirs: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["cost", *line.format(theirs).split()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert WRONG[line] in said.err


def test_a_layer_without_a_formula_is_named() -> None:
    from dataclasses import dataclass

    from coequal.proofs.cost import NoFormula, clip_cost
    from coequal.reference.compose import Identity, Sequential

    @dataclass(frozen=True)
    class Unheard(Identity):
        """Derived from a layer that has one: inherited formulas would be guesses."""

    with pytest.raises(NoFormula, match="Unheard: no formula"):
        clip_cost(Sequential((Unheard(),)), (1, 2, 3))


OF_PEOPLE = """
import torch
import coequal
from torch import nn

gru = nn.GRU(3, 4, batch_first=True)


class Keys:
    kv = None

    def step(self, x):
        self.kv = x[:, None].clone() if self.kv is None else torch.cat([self.kv, x[:, None]], 1)
        return ((x[:, None] @ self.kv.transpose(1, 2)).softmax(-1) @ self.kv)[:, 0]


def clip(x):
    allowed = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    return (x @ x.transpose(1, 2)).masked_fill(~allowed, float("-inf")).softmax(-1) @ x


cache = coequal.Subject(clip=clip, stream=Keys, example=torch.randn(1, 16, 8), time=1)


def conv():
    import continual

    return coequal.subject(continual.Conv3d(6, 10, (5, 3, 3)), example=torch.randn(1, 6, 8, 6, 6))
"""


def counted_of(tmp_path, name, *options):
    from coequal.__main__ import main

    (tmp_path / "mine.py").write_text(OF_PEOPLE)
    assert main(["cost", f"{tmp_path / 'mine.py'}:{name}", "--json", str(tmp_path / "r.json"), *options]) == 0
    return json.loads((tmp_path / "r.json").read_text())


def test_a_recurrence_has_a_line_in_time(tmp_path) -> None:
    found = counted_of(tmp_path, "gru", "--symbolic", "--example", "1,8,3")
    assert found["clip"]["expression"] == "84 T"
    assert found["step"]["expression"] == "84"
    assert found["step"]["executed"] == 84


def test_a_growing_cache_is_compared_at_the_length_of_the_clip(tmp_path) -> None:
    step = counted_of(tmp_path, "cache", "--symbolic")["step"]
    assert step["executed"] == 2 * 16 * 8  # scores and values of 16 keys of 8 numbers
    assert step["state_bytes"] > 0
    assert step["expression"] is None


def test_a_session_that_lags_for_the_flush_is_not_counted(tmp_path) -> None:
    pytest.importorskip("continual")
    step = counted_of(tmp_path, "conv")["step"]
    assert step["executed"] == 5 * step["macs"]


def counted(target: str, tmp_path: Path) -> dict:
    """What `--json` has."""
    said = tmp_path / "cost.json"
    assert main(["cost", target, "--json", str(said)]) == 0
    return json.loads(said.read_text())


def test_a_stream_of_chunks_of_several_rows_is_counted_for_a_frame_of_one(theirs: str, tmp_path: Path):
    report = counted(f"{theirs}:in_fours", tmp_path)
    assert (report["clip"]["macs"], report["clip"]["shape"]) == (96, [1, 2, 12])
    step = report["step"]
    assert (step["executed"], step["macs"], step["worst"], step["period"]) == (8, 8, 32, 4)
    assert step["state_bytes"] == 4  # of one row
    assert "a step is a call on 4 frames, of which it is one" in report["notes"]
    assert "a step is that of 2 rows, of which it is one" in report["notes"]


def test_a_clip_without_rows_is_counted_whole(theirs: str, tmp_path: Path):
    said = tmp_path / "cost.json"
    assert main(["cost", f"{theirs}:without_rows", "--mode", "clip", "--json", str(said)]) == 0
    assert json.loads(said.read_text())["clip"] | {"shape": [2, 12], "macs": 96} == json.loads(said.read_text())["clip"]


def test_what_does_not_move_with_time_is_known(theirs: str, tmp_path: Path):
    report = counted(f"{theirs}:conditioned", tmp_path)
    assert (report["clip"]["macs"], report["step"]["executed"]) == (6 * 15, 15)


def test_a_stream_that_is_handed_frames_again_has_no_step(theirs: str, tmp_path: Path):
    report = counted(f"{theirs}:again", tmp_path)
    assert report["step"] is None
    assert "no step: each call is handed frames again" in report["notes"]


def test_what_a_mask_hides_is_no_minimum(theirs: str, tmp_path: Path):
    step = counted(f"{theirs}:masked", tmp_path)["step"]
    assert (step["executed"], step["macs"]) == (4, None)


def test_what_leaves_torch_is_not_counted(theirs: str, capsys: pytest.CaptureFixture[str]):
    assert main(["cost", f"{theirs}:elsewhere", "--example", "1,2,6"]) == 2
    assert "the clip function leaves torch: what it computes elsewhere is not counted" in capsys.readouterr().err
