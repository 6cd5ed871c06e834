"""A sample of the generated bugs: `make campaign` runs hundreds."""

import pytest

from tests.generated.campaign import judged


@pytest.mark.parametrize("seed", range(8))
def test_no_mutant_is_believed_and_no_twin_accused(seed):
    found = judged(seed)
    if found is None:
        pytest.skip("this mutation makes no difference to this network")
    kind, became, twin = found
    assert became != "PROVED WRONGLY", kind
    assert twin != "ACCUSED", kind
