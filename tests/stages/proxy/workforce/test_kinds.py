"""Kinds of runs: what is measured of them within the memory that there is."""

import pytest

from stages.foundation.errors import InputError
from stages.proxy.workforce.kinds import Kind, measured


def test_memory_caps_the_stack_and_refuses_in_one_line(make_spec):
    spec = make_spec()
    roomy = measured(spec, n_workers=1, seconds=0.05)
    assert [way.stack_size for way in roomy.rates] == [1, 2, 4, 8]
    assert Kind.from_dict(roomy.to_dict()).rates.keys() == roomy.rates.keys()
    tight = measured(
        spec, n_workers=1, seconds=0.05, free_bytes=int((300 + 3) * 2**20 / 0.8)
    )
    assert 1 <= tight.most < 8
    assert max(way.stack_size for way in tight.rates) == tight.most
    with pytest.raises(
        InputError,
        match=(
            r"one run of d_model 16, batch 128 needs 0.00 GB, a worker has 0.00 GB;"
            r" lower batch_tokens"
        ),
    ):
        measured(spec, n_workers=2, free_bytes=0)
