import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.tokens.shrink import shrunk, simulated_unique_tokens
from stages.proxy.tokens.view import View
from stages.proxy.training.train import train_run


def test_a_cut_is_near_its_size_nested_and_shared_between_arms(make_pack):
    pack = make_pack(200, seed=3)
    weights = np.linspace(0.5, 2, 200)
    whole = View(
        pack, np.arange(200), weights, groups=np.arange(200) % 2, group_names=("a", "b")
    )
    cuts = [shrunk(whole, n, seed=1) for n in (500, 2000, 5000)]
    for cut, asked in zip(cuts, (500, 2000, 5000), strict=True):
        assert abs(cut.n_tokens - asked) <= 50  # half of the longest document
        assert cut.weights.tolist() == weights[cut.rows].tolist()
        assert cut.group_names == ("a", "b")
    assert set(cuts[0].rows) < set(cuts[1].rows) < set(cuts[2].rows)
    assert shrunk(whole, 2000, seed=2).rows.tolist() != cuts[1].rows.tolist()
    other = shrunk(View(pack, np.arange(0, 200, 2)), 1500, seed=1)
    assert set(cuts[1].rows) & set(range(0, 200, 2)) <= set(other.rows) or set(
        other.rows
    ) <= set(cuts[1].rows)
    with pytest.raises(
        InputError, match=r"has \d+ distinct tokens, 99999999 are asked for"
    ):
        shrunk(whole, 99_999_999, seed=1)


def test_a_proxy_repeats_as_often_as_its_target(make_spec, data):
    unique = simulated_unique_tokens(
        2560, target_tokens=1e12, target_unique_tokens=2.5e11
    )
    assert unique == 640
    [budget] = train_run(
        make_spec(budgets_tokens=(2560,), unique_tokens=unique), data
    ).budgets
    assert budget.epochs == pytest.approx(4, rel=0.08)
    assert budget.n_tokens_unique == pytest.approx(640, abs=50)
