import pytest
import torch

from coequal.equivalence.run.player import Player, StreamRaised, Trace
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Inputs
from coequal.subjects.outputs import Outputs


def player(stream, time=2, output_time=2, **options) -> Player:
    return Player(stream, Inputs({"": time}, {"": 0}), Outputs(time=output_time), **options)


def play(stream, clip, time=2, output_time=2, chunks=None) -> Trace:
    return player(stream, time, output_time).feed(clip, chunks).flush().trace


def emissions(output, time):
    return Outputs(time=time).of_stream(output, "step()", chunk=time is not None)


class Both:
    """Notes how it was fed; emits what it was given."""

    def __init__(self):
        self.calls = []

    def step(self, frame):
        self.calls.append(1)
        return frame

    def chunk(self, frames):
        self.calls.append(-frames.shape[2])
        return frames

    def flush(self):
        return [torch.full((2, 3), 7.0)] * 2


def test_emissions_are_counted_with_the_frames_that_were_fed():
    x = torch.randn(2, 3, 4)
    trace = play(Both(), x, 2, 2)
    assert trace.seen == [1, 2, 3, 4, 4, 4]
    assert (trace.flushed, trace.ended) == (2, True)
    assert torch.equal(torch.stack(trace.frames[:4], 2), x)


def test_a_schedule_goes_to_chunk_and_single_frames_to_both():
    stream = Both()
    player(stream, 2, 2).feed(torch.randn(2, 3, 6), (1, 1, 3, 1))
    assert stream.calls == [-1, 1, -3, 1]


def test_chunks_for_a_stream_that_takes_single_frames_are_taken_apart():
    class Single:
        fed = 0

        def step(self, frame):
            self.fed += 1

    stream = Single()
    trace = player(stream, 2, 2).feed(torch.randn(2, 3, 5), (3, 2)).trace
    assert (stream.fed, trace.frames) == (5, [])


def test_frames_are_copies():
    class Overwrites:
        def step(self, frame):
            frame.zero_()

    x = torch.randn(2, 3, 4)
    before = x.clone()
    play(Overwrites(), x, 2, 2)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("output", "count"),
    [(None, 0), (torch.randn(2, 3), 1), ([torch.randn(2, 3)] * 3, 3), ([None, torch.randn(2, 3)], 1), (torch.empty(0), 0)],
)
def test_what_a_step_may_return(output, count):
    assert len(emissions(output, None)) == count


def test_what_it_may_not_return():
    with pytest.raises(BadSubject, match="the stream returned str: expected a tensor, None, or a list of tensors"):
        emissions("frame", None)
    with pytest.raises(BadSubject, match=r"shape \(2, 3\): its time axis 2 is missing"):
        emissions(torch.randn(2, 3), 2)


@pytest.mark.parametrize(("error", "text"), [(ValueError("no"), "raised ValueError: no"), (SystemExit(3), "tried to exit")])
def test_a_stream_that_raises_says_where(error, text):
    class Raises:
        count = 0

        def step(self, frame):
            self.count += 1
            if self.count == 3:
                raise error

    with pytest.raises(StreamRaised, match=rf"stream\.step\(\) {text}.*\(after 3 frames fed\)"):
        play(Raises(), torch.randn(2, 3, 4), 2, 2)
