"""The fit stage: which metric, laws and budgets, the truth of a question made by hand, and its check."""

import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from stages import fit
from stages.decision.record import read_question_fit
from stages.fit import (
    FitParams,
    early_budgets,
    law_named,
    least_error,
    metric_of,
    n_scored,
    resampled_values,
    twins,
)
from stages.foundation.errors import ParamsError
from stages.foundation.files import read_json
from stages.laws import get_law
from stages.laws.choosing.record import from_state
from stages.laws.fitting.fit import fit_law

PARAMS = FitParams(laws=["power_floor", "chinchilla"], starts=32)
ARMS = {"all": 60.0, "best": 50.0}


def runs(n_budgets, early):
    """Two arms, three sizes; below 500k tokens losses are held back by `early` a halving."""
    cells = [
        (arm, n, 4_194_304 / 2.0**halving)
        for arm in ARMS
        for n in (6e3, 25e3, 147e3)
        for halving in range(n_budgets)
    ]
    arm, n_params, tokens = (np.array(column) for column in zip(*cells, strict=True))
    loss = (
        1.5 + 40 / n_params**0.35 + np.array([ARMS[name] for name in arm]) / tokens**0.3
    )
    return {
        "arm": arm,
        "n_params": n_params,
        "n_tokens_seen": tokens,
        "flops": 6 * n_params * tokens,
        "value": loss * np.exp(early * np.maximum(0, np.log2(524_288 / tokens))),
    }


def left_out(rows):
    late = {
        name: column[rows["n_tokens_seen"] >= 524_288] for name, column in rows.items()
    }
    fit = fit_law(
        get_law("chinchilla"), late, by_arm=("B",), n_starts=32, identify=False
    )
    onset = early_budgets(SimpleNamespace(fit=fit), rows, PARAMS)
    return onset and sorted(set(rows["n_tokens_seen"][~onset.keep]))


def test_budgets_before_the_law_are_left_out_for_all_arms():
    assert left_out(runs(6, early=-0.05)) == [131_072, 262_144]


def test_a_clean_ladder_and_one_of_four_budgets_keep_all():
    assert left_out(runs(6, early=0.0)) == []
    assert left_out(runs(4, early=-0.05)) is None


def test_a_twin_is_a_control_of_the_same_data_as_an_arm_of_the_question():
    arms = {
        "controls": {
            "again": {"kind": "same", "like": "a"},
            "elsewhere": {"kind": "same", "like": "z"},
            "half": {"kind": "drop_half", "like": "a"},
        }
    }
    assert twins(arms, ["a", "b"]) == {"again": "a"} and twins(arms, ["b"]) == {}


METRICS = pl.DataFrame(
    {"metric": ["loss_wiki", "bpb_news", "loss_news", "loss_news", "error_digits"]}
)


def test_the_metric_is_the_first_domain_or_the_one_asked_for():
    assert metric_of(None, METRICS) == "loss_news"
    assert metric_of("wiki", METRICS) == "loss_wiki"
    assert metric_of(None, METRICS, "error") == "error_digits"


def test_a_domain_or_kind_that_was_not_measured_is_a_fault_of_its_key():
    with pytest.raises(ParamsError) as error:
        metric_of("code", METRICS)
    assert str(error.value) == (
        "fit.domain: no held-out domain 'code'; there are news, wiki"
    )
    with pytest.raises(ParamsError) as error:
        metric_of(None, METRICS.filter(metric="loss_wiki"), "error")
    assert str(error.value) == (
        "fit.metric: the runs have no error; text has loss, images have loss and error"
    )


def test_a_law_by_name_and_the_mixture_for_its_tiers():
    assert law_named("chinchilla", ["q0"]) is get_law("chinchilla")
    mixture = law_named("half_life_mix", ["q0", "q1"])
    assert "share_q0" in mixture.variable_names and "share_q1" in mixture.variable_names
    assert "n_params" in mixture.variable_names
    assert law_named(mixture.name, ["q0", "q1"]).name == mixture.name
    with pytest.raises(
        ValueError, match="no law 'chincilla'; choose among .*half_life"
    ):
        FitParams(laws=["chinchilla", "chincilla"])
    with pytest.raises(ValueError, match="at least 2"):
        FitParams(laws=["chinchilla"])


def test_an_error_of_none_counts_as_half_an_image():
    losses = pl.DataFrame({"loss_nats": [[0.0, 1.0, 0.0, 1.0]]})
    assert n_scored(losses) == 4 and least_error(losses) == 0.125


def scored(values):
    return pl.DataFrame(
        {
            "run_id": [f"r{i}" for i in range(len(values))],
            "metric": "loss_news",
            "loss_nats": values,
        }
    )


def test_losses_are_weighed_anew_by_tokens_for_text_and_by_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/sweep").mkdir(parents=True)
    # documents of 100 and 300 tokens at 2 nats a token in r0, 4 in r1
    table = scored([[200.0, 600.0], [400.0, 1200.0]])
    other = scored([[0.0, 0.0]] * 2).with_columns(metric=pl.lit("loss_wiki"))
    pl.concat([other, table]).write_parquet("data/sweep/heldout_losses.parquet")
    opened = []

    class Packed:
        n_tokens_each = np.array([100, 300])

        @classmethod
        def open(cls, path):
            opened.append(path)
            return cls

    monkeypatch.setattr(fit, "Packed", Packed)
    best = pl.DataFrame({"run_id": ["r1", "r0"]})
    params = FitParams(laws=["chinchilla", "power_floor"], draws=50, seed=2)
    values = resampled_values(best, "loss_news", params)
    assert opened == ["data/pack/heldout/news"] and values.shape == (50, 2)
    assert values == pytest.approx(np.tile([4.0, 2.0], (50, 1)))
    # two images, right and wrong: the mean error by weight, at least half an image
    table = scored([[0.0, 1.0], [0.0, 0.0]]).with_columns(metric=pl.lit("error_digits"))
    table.write_parquet("data/sweep/heldout_losses.parquet")
    monkeypatch.setattr(fit.images, "are_pooled", lambda: True)
    wrong, right = resampled_values(
        pl.DataFrame({"run_id": ["r0", "r1"]}), "error_digits", params
    ).T
    assert set(right) == {0.25} and wrong.min() >= 0.25 and wrong.max() > 0.6
    assert wrong.max() <= 1.0


def truth_is_found(fitted):
    assert fitted.metric == "loss_news" and fitted.law.law == "power_floor_tokens"
    assert fitted.runner_up == "chinchilla"
    floors = fitted.law.params["E"]
    assert floors["keep_20"].value == pytest.approx(2.0, abs=0.05)
    assert floors["keep_100"].value == pytest.approx(1.6, abs=0.05)
    assert floors["twin"].value == pytest.approx(1.6, abs=0.05)
    assert fitted.law.params["beta"].value == pytest.approx(0.5, abs=0.03)
    assert (fitted.law.level, fitted.law.n_draws, fitted.law.n_clusters) == (0.9, 60, 4)
    assert fitted.law.n_points == 3 * 2 * 6 * 4
    assert fitted.reason.startswith("power_floor_tokens: held-out error 0.")
    assert fitted.ranking[0].law == "power_floor_tokens"


def check_is_of_the_largest_compute_alone(fitted):
    check = fitted.holdout
    largest = 6.0 * 2_000 * 32_000
    assert check.from_flops == largest and check.n == 3 * 4
    assert {row.flops for row in check.rows} == {largest} and len(check.rows) == 3
    row = next(row for row in check.rows if row.arm == "keep_20")
    assert row.measured == pytest.approx(2 + 60 / 32_000**0.5, rel=0.003)
    assert row.predicted == pytest.approx(row.measured, rel=0.01)
    assert row.low < row.predicted < row.high
    assert (row.n_params, row.n_tokens_seen) == (2_000.0, 32_000.0)
    assert 0 < check.mape < 0.01 and check.rmse < 0.02
    assert abs(check.bias) <= check.rmse
    assert [row.arm for row in check.rows] == ["keep_100", "keep_20", "twin"]
    errors = [row.predicted - row.measured for row in check.rows]
    assert check.bias == pytest.approx(np.mean(errors))
    # every arm is predicted the same in all draws: the spread of its runs adds to the error
    squares = [error**2 for error in errors]
    assert np.mean(squares) ** 0.5 <= check.rmse < np.mean(squares) ** 0.5 + 0.01
    assert check.mape >= abs(check.bias) / 3
    assert 0.5 <= check.coverage <= 1.0


def rows_stand_at_their_best_regularisation(fitted, folder):
    rows = pl.read_parquet(folder / "data/fit/filter.parquet")
    assert set(rows["weight_decay"]) == {1.0} and len(rows) == 144
    assert set(rows["metric"]) == {"loss_news"}
    assert fitted.regularisation == [
        {"arm": arm, "decay 1.0, dropout 0.0": 1.0}
        for arm in ("keep_100", "keep_20", "twin")
    ]


def refits_of_both_laws_and_metrics_are_written(fitted, folder):
    states = read_json(folder / "data/fit/filter-refits.json")
    assert list(states) == ["law", "runner_up"]
    law = from_state(states["law"], get_law("power_floor_tokens"))
    assert law.n_draws == 60 and law.n_clusters == 4
    rival = from_state(states["runner_up"], get_law(fitted.runner_up))
    assert rival.n_draws == 60
    assert read_json(folder / "data/metrics/fit.json") == {
        "filter": {
            "law": "power_floor_tokens",
            "heldout_mape": round(fitted.holdout.mape, 5),
            "heldout_coverage": round(fitted.holdout.coverage, 3),
            "rms_log": round(fitted.law.rms_log, 5),
        }
    }
    assert fitted.law.rms_log < 0.005


def test_the_stage_on_a_question_made_by_hand(fitted_folder):
    fitted = read_question_fit(fitted_folder / "data/fit/filter.json")
    truth_is_found(fitted)
    check_is_of_the_largest_compute_alone(fitted)
    rows_stand_at_their_best_regularisation(fitted, fitted_folder)
    refits_of_both_laws_and_metrics_are_written(fitted, fitted_folder)


def test_early_budgets_are_left_out_with_the_reason_unless_told_not_to(
    swept_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(shutil.copytree(swept_folder, tmp_path / "copy"))

    def early(choice, rows, params):
        keep = rows["n_tokens_seen"] > 1_000
        return SimpleNamespace(keep=keep, reason="1,000 tokens come before the law")

    values = np.full((50, 3 * 2 * 5 * 4), 3.0)
    monkeypatch.setattr(fit, "early_budgets", early)
    monkeypatch.setattr(fit, "resampled_values", lambda *_: values)
    laws = ["power_floor_tokens", "power_floor"]
    fit.run(FitParams(laws=laws, draws=50, starts=8))
    found = read_question_fit("data/fit/filter.json")
    assert found.reason.endswith("; 1,000 tokens come before the law")
    assert found.law.n_points == 3 * 2 * 5 * 4
    rows = pl.read_parquet("data/fit/filter.parquet")
    assert rows["n_tokens_seen"].min() == 2_000
    monkeypatch.setattr(fit, "resampled_values", lambda *_: np.full((50, 144), 3.0))
    fit.run(FitParams(laws=laws, draws=50, starts=8, leave_out_early=False))
    found = read_question_fit("data/fit/filter.json")
    assert "come before" not in found.reason and found.law.n_points == 144
