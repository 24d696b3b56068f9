"""How much of a draw's pool a proxy gets so that it repeats as often as the target will."""

import numpy as np
import pytest

from stages.foundation.errors import InputError, ParamsError
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.shrink import shrunk
from stages.proxy.tokens.view import View
from stages.sweeping.simulate import drawn_tokens, least_part, pool_share


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
    # the smallest arm has three documents of 10 tokens: 15 are in two, and from 16 on two are nearest
    share = pool_share(views, 0, 6, 2.0, clipped=True, least_tokens=15)
    assert share == pytest.approx(16 / 30)
    assert shrunk(views["few/0"], 16, 0).n_tokens == 20
    assert shrunk(views["few/0"], 15, 0).n_tokens == 10
    assert drawn_tokens(views, 0) == 60 and drawn_tokens(views, 1) == 20


@pytest.mark.parametrize("draw", range(8))
def test_a_part_for_a_target_leaves_each_stage_of_a_curriculum_a_batch(tmp_path, draw):
    rng = np.random.default_rng(draw)
    documents = (
        (str(i), np.arange(n), n) for i, n in enumerate(rng.integers(5, 40, 200))
    )
    pack = write_packed(tmp_path / "pack", documents, vocab_size=64, eos_id=0)
    rows, stages = np.arange(200), np.arange(200) % 4
    weights = rng.uniform(0.6, 1.5, 200)
    whole = View(pack, rows, arm="all")
    staged = View(pack, rows, weights, arm="staged", stages=stages)
    views = {f"all/{draw}": whole, f"staged/{draw}": staged}
    share = pool_share(views, draw, 100, 8.0, clipped=True, least_tokens=64)
    for view in views.values():
        shrunk(view, round(share * view.n_tokens), draw).require(64)
    # whole arms alone would be content with less
    alone = pool_share(
        {f"all/{draw}": whole}, draw, 100, 8.0, clipped=True, least_tokens=64
    )
    assert alone < share < 1
    # it is the least that does
    fewer = round(share * staged.n_tokens) - 1
    with pytest.raises(InputError, match="in stage"):
        shrunk(staged, fewer, draw).require(64)


def test_a_stage_that_has_no_batch_in_the_whole_arm_is_left_to_the_trainer_to_refuse(
    views,
):
    staged = View(views["all/0"].packed, np.arange(5), stages=np.array([0, 0, 0, 0, 1]))
    assert least_part(staged, 15, seed=0) == np.inf
    only = {"all/0": staged}
    assert pool_share(only, 0, 6, 2.0, clipped=True, least_tokens=15) == 1.0
