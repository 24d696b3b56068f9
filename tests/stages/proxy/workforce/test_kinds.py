"""Kinds of runs: what is measured of them within the memory that there is."""

import pytest

from stages.foundation.errors import InputError
from stages.proxy.network.memory import SAFE_FRACTION
from stages.proxy.specs.shape import Shape
from stages.proxy.workforce.kinds import (
    CONTEXT_BYTES,
    Kind,
    group_bytes,
    measured,
    parts_in_share,
)

TEN_M = Shape(512, 3, 8, 512, 4096)


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


def on_card(spec, free_bytes, per_card):
    """The largest stack for a card; its rates are not of interest here."""
    return measured(
        spec,
        n_workers=1,
        device="cuda",
        per_card=per_card,
        free_bytes=free_bytes,
        rates=lambda *_arguments, **_named: {},
    ).most


@pytest.mark.parametrize("per_card", [2, 3, 8])
def test_groups_that_share_a_card_fit_into_it_together(make_spec, per_card):
    spec = make_spec(shape=TEN_M, batch_tokens=4096, budgets_tokens=(8192,))
    alone, shared = (on_card(spec, 80 * 10**9, n) for n in (1, per_card))
    assert alone / shared >= per_card / 2 and shared < alone
    stack = [spec] * shared
    together = per_card * (group_bytes(stack, "cuda") + CONTEXT_BYTES)
    assert together <= SAFE_FRACTION * 80 * 10**9
    assert parts_in_share(stack, 80 * 10**9, per_card, compiled=True) == {}


def test_a_share_that_holds_no_run_is_refused_in_one_line(make_spec):
    spec = make_spec(shape=TEN_M, batch_tokens=4096, budgets_tokens=(8192,))
    with pytest.raises(
        InputError, match="lower .* or the number of workers on a card, which is 4"
    ):
        on_card(spec, 3 * 10**9, 4)


def test_a_batch_too_large_for_a_share_is_cut_so_that_it_leaves_the_others_theirs(
    make_spec,
):
    """Its activations would fit where it were alone."""
    spec = make_spec(shape=TEN_M, batch_tokens=32_768, budgets_tokens=(65_536,))
    card, per_card = 16 * 10**9, 8
    share = SAFE_FRACTION * card / per_card - CONTEXT_BYTES
    assert share < group_bytes([spec], "cuda") < SAFE_FRACTION * card
    found = parts_in_share([spec], card, per_card, compiled=True)
    at_once = found["micro_sequences"]
    assert 1 <= at_once < 64 and not found["recompute"]
    assert group_bytes([spec], "cuda", 512 * at_once) <= share
    assert group_bytes([spec], "cuda", 512 * 2 * at_once) > share
