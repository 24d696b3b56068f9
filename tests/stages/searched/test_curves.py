"""The best falling curve over tiers, of a loss whose minimum is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from stages.searched.curves import Ground, Limit, best_curve, steps, within_most

TIERS = ("q000_010", "q010_040", "q040_100")
UNIQUE = np.array([1e3, 3e3, 6e3])


def ground(n_tokens=2e4, most=7.0):
    return Ground(TIERS, UNIQUE, n_params=1e3, n_tokens=n_tokens, most=most)


def bowl(best, offsets=(0.0, 0.02, -0.02)):
    """A loss that is least at the shares `best`; in each draw a little of the best tier more or less."""
    best, moved = np.array(best), np.array(offsets)

    def value(rows, at):
        shares = np.stack([rows[f"share_{tier}"] for tier in TIERS], axis=-1)
        return 3.0 + ((shares - at) ** 2).sum(axis=-1)

    each = [best + np.array([d, -d, 0.0]) for d in moved]
    return SimpleNamespace(
        central=lambda rows: value(rows, best),
        predict=lambda rows: np.stack([value(rows, at) for at in each]),
    )


def test_the_minimum_is_found_and_that_of_each_draw():
    best = [0.5, 0.3, 0.2]  # 10, 2 and 0.67 uses of 20,000 tokens
    found = best_curve(bowl(best), ground(most=20.0), seed=1)
    assert found.share == pytest.approx(best, abs=0.02)
    assert found.draws[1][0] == pytest.approx(0.52, abs=0.02)
    assert found.draws[2][0] == pytest.approx(0.48, abs=0.02)


def test_no_document_is_used_more_than_it_may_be():
    found = best_curve(bowl([0.5, 0.3, 0.2]), ground(most=7.0), seed=1)
    uses = ground().uses(found.share)
    assert uses[0] == pytest.approx(7.0, abs=0.05)
    assert (np.diff(uses) < 1e-9).all()


def test_a_judge_holds_the_curve_to_what_it_may_lose_against_all_alike():
    """The judge loses as much as the best tier gains in share, of which all alike has a tenth."""

    def judged(rows):
        return 1.0 + rows["share_q000_010"]

    judge = SimpleNamespace(central=judged)
    limits = [Limit(judge, margin=0.15)]
    found = best_curve(bowl([0.5, 0.3, 0.2]), ground(most=20.0), seed=1, limits=limits)
    assert found.share[0] == pytest.approx(0.25, abs=0.02)
    assert found.share[0] <= 0.25 + 1e-9 and (found.draws[:, 0] <= 0.25 + 1e-9).all()
    # nothing to lose: all alike, which every limit allows
    none = best_curve(
        bowl([0.5, 0.3, 0.2]), ground(), seed=1, limits=[Limit(judge, 0.0)]
    )
    assert none.share[0] == pytest.approx(0.1, abs=1e-9)


def test_a_curve_never_rises_though_the_loss_would_have_it():
    found = best_curve(bowl([0.05, 0.15, 0.8]), ground(), seed=1)
    uses = ground().uses(np.vstack([found.share, found.draws]))
    assert (np.diff(uses, axis=1) < 1e-9).all()
    assert uses[0] == pytest.approx(np.full(3, 2.0), abs=0.1)  # all alike


def test_a_target_that_must_repeat_more_uses_all_alike():
    short = ground(n_tokens=9e4, most=7.0)  # nine passes over everything
    shares = within_most(steps(UNIQUE), short)
    assert short.uses(shares) == pytest.approx(np.full((3, 3), 9.0))


def test_rows_are_those_that_laws_read():
    rows = ground().rows(steps(UNIQUE)[:1])
    assert rows["share_q000_010"].tolist() == [1.0]
    assert rows["unique_q000_010"].tolist() == [1e3]
    assert rows["unique_q010_040"].tolist() == [1.0]  # not used
    assert rows["n_tokens_unique"].tolist() == [1e3]
    assert rows["flops"].tolist() == [6 * 1e3 * 2e4]
