"""Curves and bands of known draws: the sign of a difference, low below high, the level that was asked for."""

import numpy as np
import pytest

from stages.decision.curves import budgets, curves

# eleven draws, so that 10 % and 90 % are the second and the tenth of them
SHIFTS = np.arange(-5, 6) / 10


@pytest.fixture
def found(known_boot):
    """found(level): arm a at 3 with draws of -.5 to .5, arm b at 4 with twice these, base b."""

    def made(level):
        boot = known_boot(
            {"a": lambda flops: 3 + 0 * flops, "b": lambda flops: 4 + 0 * flops},
            {"a": SHIFTS, "b": 2 * SHIFTS},
        )
        return curves(
            boot, {"a": {}, "b": {}}, 1e6, 1e8, n_params=10, base="b", level=level
        )

    return made


def row(table, kind, arm):
    return table.filter(kind=kind, arm=arm).row(0, named=True)


def test_budgets_are_even_in_their_logarithm_and_end_where_asked():
    grid = budgets(1e6, 1e8)
    assert len(grid) == 50 and (grid[0], grid[-1]) == (1e6, pytest.approx(1e8))
    assert np.ptp(np.diff(np.log(grid))) < 1e-12


def test_the_band_of_a_loss_curve_has_the_level_asked_for(found):
    one = row(found(0.8), "loss", "a")
    assert (one["value"], one["low"], one["high"]) == pytest.approx((3, 2.6, 3.4))
    wide = row(found(0.6), "loss", "a")
    assert (wide["low"], wide["high"]) == pytest.approx((2.7, 3.3))


def test_a_difference_is_the_arm_less_the_base_paired_by_draw(found):
    one = row(found(0.8), "difference", "a")
    # 3 - 4, and in draw s: (3 + s) - (4 + 2 s) = -1 - s
    assert (one["value"], one["low"], one["high"]) == pytest.approx((-1, -1.4, -0.6))
    own = row(found(0.8), "difference", "b")
    assert (own["value"], own["low"], own["high"]) == pytest.approx((0, 0, 0))


def test_the_table_holds_every_arm_of_both_kinds_in_order(found):
    table = found(0.9)
    assert table.columns == ["kind", "arm", "flops", "value", "low", "high"]
    order = table.group_by("kind", "arm", maintain_order=True).len()
    assert order["kind"].to_list() == ["loss", "loss", "difference", "difference"]
    assert order["arm"].to_list() == ["a", "b", "a", "b"]
    assert set(order["len"]) == {50}
