"""Effective size and knowledge capacity."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.repetition.knowledge import params_needed
from stages.laws.theory.repeat_damage import repeat_damage, unique_repeated_tokens


def test_a_clean_run_keeps_its_size_and_a_damaged_one_loses_some():
    size = np.array([8e8, 8e8])
    clean = 1.8 + 60.0 * size**-0.2
    damage = repeat_damage(
        size, clean + np.array([0.0, 0.14]), floor=1.8, amplitude=60.0, exponent=0.2
    )
    assert (
        damage.share_of_params[0] == pytest.approx(1)
        and 0.4 < damage.share_of_params[1] < 0.8
    )
    assert [w["code"] for w in damage.warnings] == ["damage_not_monotone"]


def test_a_run_better_than_clean_is_noticed_and_one_below_the_floor_refused():
    assert (
        repeat_damage(1e8, 2.0, floor=1.8, amplitude=60.0, exponent=0.2).warnings[1][
            "code"
        ]
        == "better_than_clean"
    )
    with pytest.raises(InputError, match="not above the floor"):
        repeat_damage(1e8, 1.7, floor=1.8, amplitude=60.0, exponent=0.2)


def test_a_tenth_of_the_tokens_in_a_hundred_repeats_is_a_thousandth_of_them():
    assert unique_repeated_tokens(100e9, 0.1, 100) == pytest.approx(1e8)


def test_more_exposures_need_fewer_parameters():
    p = {"R_max": 2.0, "x_half": 100.0}
    assert params_needed(p, 1e9, 900.0) == pytest.approx(1e9 / 1.8) and params_needed(
        p, 1e9, 100.0
    ) == pytest.approx(1e9)
