"""The choice of a law from scores and small tables whose right order is known by hand."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.choose import (
    Score,
    Trial,
    _backtested,
    _indistinguishable,
    _joined,
    _notes,
    _rank,
    _where,
    choose_law,
    criterion,
    midmean,
)
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.variant import Variant


def score(law, errors, **changes):
    errors = np.array(errors, float)
    usual = {
        "law": law,
        "n_unknowns": 3.0,
        "mape": float(errors.mean()),
        "rmse": 1.0,
        "bias": 0.0,
        "coverage": 0.9,
        "typical": float(errors.mean()),
        "criterion": 0.0,
        "reason": "",
        "errors": errors,
        "surprise": (1.0,),
    }
    return Score(**usual | changes)


def test_the_least_held_out_error_wins_with_the_next_named():
    ranking, reason = _rank(
        [score("bad", [0.3] * 4), score("good", [0.1] * 4), score("fair", [0.2] * 4)]
    )
    assert [s.law for s in ranking] == ["good", "fair", "bad"]
    assert reason == "good: held-out error 10.00%; next fair, 20.00%"
    assert [s.reason for s in ranking] == [
        "lowest held-out error",
        "held-out error 20.00% against 10.00%",
        "held-out error 30.00% against 10.00%",
    ]


def test_a_single_law_says_that_it_is_alone():
    assert _rank([score("only", [0.1] * 4)])[1] == (
        "only: held-out error 10.00%; no other candidate could be fitted"
    )


def test_of_two_laws_the_other_is_named_as_the_next():
    _, reason = _rank([score("good", [0.1] * 4), score("bad", [0.3] * 4)])
    assert reason == "good: held-out error 10.00%; next bad, 30.00%"


def test_laws_that_are_not_told_apart_go_by_how_well_they_fit_the_rest():
    # differences of -.04 to .06: mean .01, standard error .02
    best = score("best", [0.2, 0.2, 0.2, 0.2], criterion=-1.0)
    near = score("near", [0.16, 0.2, 0.22, 0.26], criterion=-9.0, n_unknowns=5.4)
    far = score("far", [0.5] * 4, criterion=-99.0)
    ranking, reason = _rank([best, far, near])
    assert [s.law for s in ranking] == ["near", "best", "far"]
    assert reason == (
        "near: held-out error 21.00%, not told apart from best by 4 runs; it fits the"
        " rest best for its number of unknowns (5.4)"
    )
    assert [s.reason for s in ranking] == [
        "held-out error 21.00% against 20.00%, not told apart from the best",
        "lowest held-out error",
        "held-out error 50.00% against 20.00%",
    ]


def test_of_equal_errors_the_law_of_fewer_unknowns_is_the_best():
    many = score("many", [0.1, 0.1], n_unknowns=9.0, criterion=1.0)
    few = score("few", [0.1, 0.1], n_unknowns=2.0, criterion=2.0)
    ranking, _ = _rank([many, few])
    assert {s.law: s.reason for s in ranking}["few"] == "lowest held-out error"
    assert ranking[0].law == "many"  # a tie goes by the criterion


def test_what_cannot_be_told_apart():
    best = score("best", [0.2] * 4)
    # clearly worse in every run: mean difference .01, no spread
    assert not _indistinguishable(score("x", [0.21] * 4), best)
    # worse by more than a tenth, however noisy
    assert not _indistinguishable(score("x", [0.0, 0.1, 0.2, 0.6]), best)
    assert _indistinguishable(score("x", [0.16, 0.2, 0.22, 0.26]), best)
    # standard error of (-.01, .01, .03, .01) is .0163 / 2 = .0082, below the mean of .01
    assert not _indistinguishable(score("x", [0.19, 0.21, 0.23, 0.21]), best)
    # of two runs a tenth alone decides
    two = score("best", [0.2] * 2)
    assert _indistinguishable(score("x", [0.22, 0.22], typical=0.22), two)
    assert not _indistinguishable(score("x", [0.23, 0.23]), two)


def test_the_middle_half_from_eight_errors_on():
    assert midmean(np.array([9.0, 1, 2, 3, 4, 5, 6, 0])) == 3.5  # 2, 3, 4, 5
    assert midmean(np.array([9.0, 1, 2, 3, 4, 5, 6])) == pytest.approx(30 / 7)


def test_cuts_count_alike_whatever_their_runs():
    one = score("a", [0.1] * 6, rmse=1.0, bias=0.2, coverage=1.0, criterion=3.0)
    two = score(
        "a", [0.3] * 2, rmse=3.0, bias=0.4, coverage=0.5, criterion=5.0, surprise=(4.0,)
    )
    both = _joined("b", [one, two])
    assert (both.law, both.mape, both.rmse) == ("b", pytest.approx(0.2), 2.0)
    assert (both.bias, both.coverage) == (pytest.approx(0.3), 0.75)
    assert (both.criterion, both.n_unknowns) == (4.0, 3.0)
    assert both.typical == pytest.approx(0.2) and both.reason == ""
    assert both.errors.tolist() == [0.1] * 6 + [0.3] * 2
    assert both.surprise == (1.0, 4.0)


def test_warnings_say_what_the_choice_rests_on():
    assert _notes(8, [score("a", [0.1], coverage=0.61)], 0.9) == []
    [few] = _notes(7, [score("a", [0.1])], 0.9)
    assert (few["code"], few["severity"]) == ("few_held_out", "warning")
    assert few["message"] == (
        "the choice rests on 7 held-out runs; a coverage or an error of so few is a"
        " rough figure"
    )
    ranking = [score("a", [0.1], coverage=0.59), score("b", [0.1], coverage=1.0)]
    [outside] = _notes(8, ranking, 0.9)
    assert (outside["code"], outside["severity"]) == ("held_out_outside", "warning")
    assert outside["message"] == (
        "only 59% of the held-out runs lie in their 90% intervals: the law is off by"
        " more than its interval says"
    )


def test_rows_are_taken_and_scalars_kept():
    rows = _where({"a": np.array([1, 2, 3]), "b": 7.0}, np.array([True, False, True]))
    assert rows["a"].tolist() == [1, 3] and rows["b"] == 7.0


def separate(arms, by_arm=None, arm_column="arm"):
    """The parameters that each arm of a table has for itself."""
    trial = Trial(
        rows={"arm": np.array(arms)},
        helds=[],
        by_arm=by_arm,
        arm_column=arm_column,
        clusters=(),
        n_draws=50,
        level=0.9,
        trim=False,
        options={},
    )
    return trial.separate(get_law("chinchilla"))


def test_arms_are_separate_where_there_are_several():
    assert separate(["a", "b"]) == ("E", "B")
    assert separate(["a", "a"]) == ()
    assert separate(["a", "b"], arm_column="data") == ()
    assert separate(["a", "b"], by_arm=["B"]) == ("B",)
    assert separate(["a", "b"], by_arm=()) == ()
    assert separate(["a", "b"], by_arm=lambda law: [law.name]) == ("chinchilla",)


def test_the_members_of_a_mixture_are_those_that_may_be_right():
    # "good" errs least in every re-weighting, "never" in none
    ranking = [
        score("good", [0.1, 0.1, 0.1], surprise=(4.0,)),
        score("never", [0.3, 0.3, 0.3], surprise=(100.0,)),
    ]
    shares, by_cut = _backtested(ranking, [np.array([True] * 3)])
    assert shares == {"good": 1.0} and by_cut.tolist() == [4.0]
    # each errs least on one of two runs: about half of the re-weightings
    ranking = [
        score("good", [0.1, 0.3], surprise=(9.0,)),
        score("also", [0.3, 0.1], surprise=(5.0,)),
    ]
    shares, by_cut = _backtested(ranking, [np.array([True] * 2)])
    assert list(shares) == ["good", "also"] and 0.4 < shares["good"] < 0.6
    assert sum(shares.values()) == pytest.approx(1.0)
    assert by_cut == pytest.approx([9 * shares["good"] + 5 * shares["also"]])


@pytest.fixture(scope="module")
def rows():
    """loss = 2 + 40 / tokens^.5, off by half a per cent; two sizes that do not matter, four budgets, three draws."""
    rng = np.random.default_rng(0)
    size, tokens, draw = (
        column.ravel()
        for column in np.meshgrid(
            [1e3, 2e3], [1e3, 4e3, 16e3, 64e3], range(3), indexing="ij"
        )
    )
    value = (2 + 40 / tokens**0.5) * np.exp(0.005 * rng.standard_normal(size.size))
    return {
        "n_params": size,
        "n_tokens_seen": tokens,
        "value": value,
        "arm": np.full(size.size, "all"),
        "pool_draw": draw.astype(int).astype(str),
    }


OPTIONS = {"n_starts": 12, "n_draws": 30, "clusters": "pool_draw", "delta": None}


@pytest.fixture
def choice(rows):
    laws = [
        get_law(name)
        for name in ("power_floor", "power_floor_tokens", "data_constrained")
    ]
    return choose_law([laws[0], Variant(laws[1]), laws[2]], rows, **OPTIONS)


def test_the_law_that_holds_is_chosen_and_the_others_ranked_or_refused(choice, rows):
    assert choice.fit.law.name == "power_floor_tokens"
    assert choice.variant.name == "power_floor_tokens"
    assert choice.runner_up.law.name == "power_floor"
    assert choice.runner_up_variant.law.name == "power_floor"
    assert [s.law for s in choice.ranking] == ["power_floor_tokens", "power_floor"]
    assert list(choice.refused) == ["data_constrained"]
    assert choice.fit.n_points == choice.runner_up.n_points == 24
    assert choice.fit.params["E"] == pytest.approx(2.0, abs=0.1)
    # the largest compute is the larger size at 64,000 tokens: 3 runs
    assert choice.n_held_out == 3
    assert choice.held_out_from_flops == 6 * 2e3 * 64e3
    assert choice.reason.startswith("power_floor_tokens: held-out error 0.")
    assert choice.members[0][0] is choice.fit
    assert sum(share for _, share in choice.members) == pytest.approx(1.0)
    assert [w["code"] for w in choice.warnings] == ["few_held_out"]


def test_a_score_says_how_the_law_errs_on_the_runs_it_had_not_seen(choice, rows):
    best = choice.ranking[0]
    held = (rows["n_params"] == 2e3) & (rows["n_tokens_seen"] == 64e3)
    below = {name: column[~held] for name, column in rows.items()}
    fit = fit_law(
        get_law("power_floor_tokens"), below, n_starts=12, delta=None, identify=False
    )
    above = {name: column[held] for name, column in rows.items()}
    error = fit.predict(above) / above["value"] - 1
    assert best.mape == pytest.approx(np.abs(error).mean(), rel=1e-3)
    assert best.bias == pytest.approx(error.mean(), rel=1e-3)
    assert best.rmse == pytest.approx(
        np.sqrt(np.mean((fit.predict(above) - above["value"]) ** 2)), rel=1e-3
    )
    assert best.errors == pytest.approx(np.abs(np.log1p(error)), rel=1e-3)
    assert best.typical == pytest.approx(np.abs(np.log1p(error)).mean(), rel=1e-3)
    assert best.criterion == pytest.approx(criterion(fit), rel=1e-3)
    assert best.n_unknowns == pytest.approx(3.0) and len(best.surprise) == 1
    assert best.coverage in (0.0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0)
    assert 0 < best.surprise[0] < 20


def test_runs_to_predict_can_be_named(rows):
    held = rows["n_tokens_seen"] == 64e3
    choice = choose_law([get_law("power_floor_tokens")], rows, held_out=held, **OPTIONS)
    assert choice.n_held_out == 6 and np.isnan(choice.held_out_from_flops)
    assert choice.runner_up is None and choice.runner_up_variant is None
    assert choice.ranking[0].errors.size == 6


def test_more_rungs_and_cuts_hold_out_more(rows):
    law = [get_law("power_floor_tokens")]
    assert choose_law(law, rows, n_rungs=2, **OPTIONS).n_held_out == 6
    several = choose_law(law, rows, n_cuts=3, **OPTIONS)
    assert len(several.ranking[0].surprise) > 1
    assert several.ranking[0].errors.size > 3


def test_trimming_leaves_out_the_extreme_quarters(rows):
    held = rows["n_tokens_seen"] >= 16e3
    bad = rows["value"].copy()
    bad[np.flatnonzero(held)[0]] *= 3  # one diverged run among those held out
    spoilt, law = rows | {"value": bad}, [get_law("power_floor_tokens")]
    plain = choose_law(law, spoilt, held_out=held, **OPTIONS).ranking[0]
    trimmed = choose_law(law, spoilt, held_out=held, trim=True, **OPTIONS).ranking[0]
    assert plain.typical > 3 * trimmed.typical
    assert trimmed.typical == pytest.approx(midmean(trimmed.errors))
    assert plain.typical == pytest.approx(plain.errors.mean())


def test_compute_of_the_table_goes_before_six_n_d(rows):
    own = rows | {"flops": 12 * rows["n_params"] * rows["n_tokens_seen"]}
    choice = choose_law([get_law("power_floor")], own, **OPTIONS)
    assert choice.held_out_from_flops == 12 * 2e3 * 64e3


def test_where_no_law_can_be_fitted_each_says_why(rows):
    with pytest.raises(
        InputError, match="^no candidate could be fitted: data_constrained: "
    ):
        choose_law([get_law("data_constrained")], rows, **OPTIONS)


def test_the_criterion_is_schwarz_s_of_absolute_log_residuals(rows):
    fit = fit_law(
        get_law("power_floor_tokens"), rows, n_starts=12, delta=None, identify=False
    )
    size = np.abs(np.log(fit.predict(rows) / rows["value"])).mean()
    assert criterion(fit) == pytest.approx(48 * np.log(size) + 3 * np.log(24), rel=1e-6)
