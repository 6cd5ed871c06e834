"""The package stands beside its tests, and is not installed. Some configurations of each family are enough for a commit."""

import sys
from pathlib import Path

import hypothesis

sys.path.append(str(Path(__file__).parent))
hypothesis.settings.register_profile("tinystream", max_examples=25)
hypothesis.settings.load_profile("tinystream")
