"""Recurrences: `RNN`, `LSTM`, `GRU`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways
from coequal.subjects.subject import Subject


@family(
    kind=st.sampled_from(["RNN", "LSTM", "GRU"]),
    input_size=st.integers(1, 3),
    hidden_size=st.integers(1, 4),
    num_layers=st.integers(1, 3),
    bias=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5]),
    nonlinearity=st.sampled_from(["default", "default", "tanh", "relu"]),
    proj_size=st.sampled_from([0, 0, 1, 2]),
    way=ways,
)
def recurrent(
    kind: str,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    bias: bool,
    dropout: float,
    nonlinearity: str,
    proj_size: int,
    way: str,
) -> Subject:
    """The first of them takes a nonlinearity, the second a projection; dropout does nothing in eval mode."""
    options: dict[str, Any] = {"num_layers": num_layers, "bias": bias, "dropout": dropout}
    options |= {} if nonlinearity == "default" else {"nonlinearity": nonlinearity}
    options |= {"proj_size": proj_size} if proj_size else {}
    return subject(lambda: getattr(co, kind)(input_size, hidden_size, **options), 2, input_size, 8, way=way)
