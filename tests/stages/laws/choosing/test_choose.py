"""The weight of each law follows from what it predicts beyond the runs it saw."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.folds import folds
from stages.laws.fitting.variant import Variant, variants_of
from stages.laws.interface.table import example_runs, run_flops


def noisy(rows, sd=0.005, seed=0):
    random = np.random.default_rng(seed).standard_normal(rows["value"].size)
    return rows | {"value": rows["value"] * np.exp(sd * random)}


def laws(*names):
    return [get_law(name) for name in names]


def share_of(choice, law):
    return sum(
        score.share for score in choice.ranking if score.law.split(" (")[0] == law
    )


def test_the_law_that_extrapolates_has_the_most_weight(simulated):
    rows = noisy(simulated("overfit")[0])
    choice = choose_law(
        laws("power_floor", "chinchilla", "overfit"), rows, delta=None, n_starts=32
    )
    assert choice.fit.law.name == "overfit"
    assert choice.runner_up.law.name == "chinchilla"
    assert "overfit has" in choice.reason and "of 3 laws" in choice.reason
    shares = [score.share for score in choice.ranking]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1)
    assert choice.ranking[0].mape < 0.02
    assert choice.fit.n_points == rows["value"].size


def test_weights_are_in_inverse_proportion_to_the_error(simulated):
    rows = noisy(simulated("chinchilla")[0])
    choice = choose_law(laws("power_floor", "chinchilla"), rows, n_starts=16)
    first, second = choice.ranking
    assert first.share / second.share == pytest.approx(second.typical / first.typical)


def test_a_variant_that_weighs_more_before_weighs_more_after(simulated):
    rows = noisy(simulated("chinchilla")[0])
    law = get_law("chinchilla")
    choice = choose_law(
        [Variant(law, "a"), Variant(law, "b", prior_weight=3.0)], rows, n_starts=16
    )
    shares = {score.law: score.share for score in choice.ranking}
    assert shares == pytest.approx({"chinchilla (a)": 0.25, "chinchilla (b)": 0.75})


def test_the_error_of_a_fold_is_that_of_a_fit_below_it(simulated):
    rows = noisy(simulated("power_floor")[0])
    [fold, *_] = folds(rows)
    choice = choose_law(laws("power_floor"), rows, held_out=fold.held, delta=1e-3)
    below = {name: column[~fold.held] for name, column in rows.items()}
    above = {name: column[fold.held] for name, column in rows.items()}
    alone = choose_law(laws("power_floor"), below, delta=1e-3).fit
    error = np.mean(np.abs(alone.predict(above) / above["value"] - 1))
    assert choice.ranking[0].mape == pytest.approx(error, rel=0.02)


def test_arms_are_separated_by_the_law_s_own_parameters(arm_runs):
    rows, _ = arm_runs(np.random.default_rng(0), 3)
    choice = choose_law(laws("chinchilla", "data_constrained"), rows, n_starts=16)
    assert choice.fit.by_arm == ("E", "B") and choice.runner_up is None
    assert "n_tokens_unique" in choice.refused["data_constrained"]


def test_a_law_of_model_size_comes_first_where_there_is_one(simulated):
    rows = noisy(simulated("power_floor")[0])
    size = np.exp(np.random.default_rng(1).uniform(14, 20, rows["flops"].size))
    rows |= {"n_params": size, "n_tokens_seen": rows["flops"] / 6 / size}
    choice = choose_law(laws("power_floor", "chinchilla"), rows, n_starts=16)
    assert choice.fit.law.name == "chinchilla"
    assert choice.runner_up.law.name == "power_floor"


def test_few_held_out_runs_are_said_to_be_few(simulated):
    rows = noisy(simulated("chinchilla", repeats=1)[0])
    held = np.argsort(run_flops(rows)) >= rows["value"].size - 3
    choice = choose_law(laws("chinchilla"), rows, held_out=held, n_starts=16)
    assert [w["code"] for w in choice.warnings] == ["few_held_out"]


def test_too_few_runs_for_folds_weigh_all_the_same():
    rows = {
        "flops": np.array([1e15, 1e16, 1e17, 1e18]),
        "value": np.array([4.0, 3, 2.5, 2.3]),
    }
    choice = choose_law(laws("power_floor"), rows, n_starts=16)
    assert choice.n_folds == 0 and choice.errors.scale == 1.0
    assert "too few runs to hold some out" in choice.reason


def test_no_candidate_that_can_be_fitted_is_refused(simulated):
    rows = simulated("power_floor")[0]
    with pytest.raises(InputError, match="no candidate could be fitted: chinchilla"):
        choose_law(laws("chinchilla"), rows, n_starts=16)


def test_variants_share_their_starts_and_keep_their_own_fits(simulated):
    rows = noisy(simulated("chinchilla")[0], sd=0.02)
    choice = choose_law(variants_of(get_law("chinchilla")), rows, n_starts=16)
    assert len(choice.members) == 4
    assert len({round(fit.objective, 12) for fit, _ in choice.members}) > 1


def test_errors_beyond_the_usual_widen_the_scale(simulated):
    """A law that turns where the folds begin errs more there than any study says."""
    rows = noisy(simulated("power_floor")[0])
    usual = choose_law(laws("power_floor"), rows, n_starts=16).errors.scale
    flops = np.log(rows["flops"])
    beyond = np.maximum(0, flops - np.quantile(flops, 0.5))
    turned = rows | {"value": rows["value"] * np.exp(0.1 * beyond)}
    assert (
        choose_law(laws("power_floor"), turned, n_starts=16).errors.scale > 1.5 * usual
    )


def test_a_learnt_exponent_is_tried_where_no_arms_are_compared():
    """A lead is not to rest on an exponent that comes from other studies."""
    rows, law = example_runs(), get_law("power_floor")
    rows = {"flops": run_flops(rows), "value": rows["value"], "arm": rows["arm"]}
    tried = {
        by_arm: {
            score.law
            for score in choose_law(
                variants_of(law), rows, by_arm=by_arm, n_starts=8
            ).ranking
        }
        for by_arm in ((), ("E", "A"))
    }
    assert tried[()] == {"power_floor", "power_floor (learnt exponent)"}
    assert tried["E", "A"] == {"power_floor"}
