"""How much of a draw's pool a proxy gets so that it repeats as often as the target will."""

import numpy as np
import pytest

from stages.foundation.errors import ParamsError
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.sweeping.simulate import drawn_tokens, pool_share


@pytest.fixture
def views(tmp_path):
    """Ten documents of 10 tokens. Draw 0 holds the first six in two arms that overlap, draw 1 two others."""
    documents = ((str(i), np.arange(1, 10), 12) for i in range(10))
    pack = write_packed(tmp_path / "pack", documents, vocab_size=64, eos_id=0)
    rows = {"all/0": range(5), "few/0": range(3, 6), "all/1": range(8, 10)}
    return {name: View(pack, chosen) for name, chosen in rows.items()}


def test_the_pool_of_a_draw_is_what_any_of_its_arms_holds_counted_once(views):
    # 60 tokens are in the pool of draw 0, and 30 passed once need half of them
    assert pool_share(views, 0, 30, 1.0) == 0.5
    assert pool_share(views, 0, 30, 2.0) == 0.25
    assert pool_share(views, 1, 15, 1.0) == 0.75


def test_more_than_the_whole_pool_is_refused_with_what_would_do(views):
    assert pool_share(views, 1, 20, 1.0) == 1.0
    with pytest.raises(
        ParamsError, match=r"needs 1.50 times .* arms.draw_tokens to 30"
    ):
        pool_share(views, 1, 30, 1.0)


def test_a_part_for_a_target_is_clipped_to_what_there_is(views):
    assert pool_share(views, 1, 30, 1.0, clipped=True) == 1.0
    assert pool_share(views, 0, 30, 2.0, clipped=True) == 0.25
    # the smallest arm has 30 tokens: 15 of them are half
    assert pool_share(views, 0, 6, 2.0, clipped=True, least_tokens=15) == 0.5
    assert drawn_tokens(views, 0) == 60 and drawn_tokens(views, 1) == 20
