"""Every network of the catalogue in small, and every closest variant, proved: tests prove one for each mechanism.

`python -P -m tests.systems.campaign`, or `make catalogue`.
"""

from __future__ import annotations

import sys
import time

from coequal.equivalence.campaigns.prove import prove
from coequal.equivalence.prove.decide import BOUND
from coequal.proofs.field.errors import NotDecided
from coequal.systems.small import up_to_channels
from tests.systems.networks import everywhere, streams, telling, variants
from tests.systems.test_streamability import PRIMES, STAGED


def main() -> int:
    """How many are not proved; a line for each network."""
    failed, seen = 0, set()
    named = [(name, network, False) for name, network in everywhere(streams).items()]
    named += [(name, network, True) for name, network in everywhere(variants).items() if name != STAGED]
    for name, (layer, shape), closest in named:
        if up_to_channels(layer) in seen:
            continue
        seen.add(up_to_channels(layer))
        started = time.process_time()
        try:
            proof = prove(telling(layer, shape, closest=closest), seed=3, primes=PRIMES)
            said = f"proved, wrong with {proof.wrong:.1e}" if proof.wrong <= BOUND else f"not decided: {proof.wrong:.1e}"
        except (AssertionError, NotDecided) as error:
            said = f"not proved: {error}"
        failed += not said.startswith("proved")
        of = f"the closest variant of {name}" if closest else name
        print(f"{of}: {said}, {time.process_time() - started:.1f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
