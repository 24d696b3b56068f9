"""The fit stage: which metric, laws and budgets, the truth of a question made by hand, and its check."""

import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import yaml

from stages import fit
from stages.decision.question_laws import law_named, twins
from stages.decision.record import read_question_fit
from stages.fit import early_budgets, least_error, metric_of, n_scored, resampled_values
from stages.fits.heldout import heldout_check
from stages.fits.section import FitParams
from stages.foundation.errors import ParamsError
from stages.foundation.files import read_json
from stages.foundation.sealed import read_sealed
from stages.foundation.stage import ROOT
from stages.judges import resampled
from stages.laws import get_law
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.record import prediction_of
from stages.laws.fitting.fit import fit_law
from stages.pipeline import PIPELINE
from stages.settings.params import load_params

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
    # of five the one that comes before
    assert left_out(runs(5, early=-0.05)) == [262_144]


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
        "fit.metric: the runs have no error; text has loss and bpb, images have loss and"
        " error, items correct_nats, correct_bpb and brier"
    )


def test_a_law_by_name_and_the_mixture_for_its_tiers():
    assert law_named("chinchilla", ["q0"]) is get_law("chinchilla")
    mixture = law_named("half_life_mix", ["q0", "q1"])
    assert "share_q0" in mixture.variable_names and "share_q1" in mixture.variable_names
    assert "n_params" in mixture.variable_names
    assert law_named(mixture.name, ["q0", "q1"]).name == mixture.name
    with pytest.raises(
        ValueError,
        match=r"no law 'chincilla'; did you mean chinchilla or .*`assay laws` lists them",
    ):
        FitParams(laws=["chinchilla", "chincilla"])
    with pytest.raises(ValueError, match="at least 1"):
        FitParams(laws=[])


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
        n_scored_each = np.array([100, 300])

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
    # of two laws that say the same the one of model size is named first
    assert fitted.metric == "loss_news" and fitted.law.law == "chinchilla"
    assert fitted.runner_up == "power_floor_tokens"
    floors = fitted.law.params["E"]
    assert floors["keep_20"].value == pytest.approx(2.0, abs=0.05)
    assert floors["keep_100"].value == pytest.approx(1.6, abs=0.05)
    assert floors["twin"].value == pytest.approx(1.6, abs=0.05)
    assert fitted.law.params["beta"].value == pytest.approx(0.5, abs=0.03)
    assert (fitted.law.level, fitted.law.n_draws, fitted.law.n_clusters) == (0.9, 60, 4)
    assert fitted.law.n_points == 3 * 2 * 6 * 4
    assert "% of the weight of 2 laws" in fitted.reason
    assert {row.law.split(" (")[0] for row in fitted.ranking} == {
        "chinchilla",
        "power_floor_tokens",
    }


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
    states = read_sealed(folder / "data/fit/filter-refits.json", "")
    assert list(states) == ["law", "runner_up"]
    law = prediction_of(states["law"], get_law)
    assert law.n_draws == 60 and law.n_clusters == 4
    rival = prediction_of(states["runner_up"], get_law)
    assert rival.n_draws == 60
    assert read_json(folder / "data/metrics/fit.json") == {
        "filter": {
            "law": "chinchilla",
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


def judged_by_error(folder, zero):
    """Make the decider the share of 200 images that are wrong, none of them in the runs of the mask `zero`."""
    runs = pl.read_parquet(folder / "data/sweep/runs.parquet").filter(
        metric="loss_news", weight_decay=1.0
    )
    share = 0.9 / (pl.col("n_tokens_seen") / 1_000) ** 0.8
    gap = pl.when(pl.col("arm") == "keep_20").then(0.8).otherwise(1.0)
    wrong = (200 * share * gap).round().cast(pl.Int64)
    runs = runs.with_columns(
        metric=pl.lit("error_digits"),
        modality=pl.lit("image"),
        wrong=pl.when(zero).then(0).otherwise(wrong),
    ).with_columns(value=pl.col("wrong") / 200)
    images = [[1.0] * n + [0.0] * (200 - n) for n in runs["wrong"]]
    scored = runs.select("run_id", "metric", loss_nats=pl.Series(images))
    # the losses of the same runs, of fewer images, and none of them 0
    losses = runs.drop("wrong").with_columns(metric=pl.lit("loss_digits"), value=2.0)
    of_losses = scored.with_columns(
        metric=pl.lit("loss_digits"), loss_nats=pl.Series([[2.0] * 10] * len(runs))
    )
    pl.concat([losses, runs.drop("wrong")]).write_parquet(
        folder / "data/sweep/runs.parquet"
    )
    pl.concat([of_losses, scored]).write_parquet(
        folder / "data/sweep/heldout_losses.parquet"
    )
    return dict(runs.select("run_id", "value").iter_rows())


def test_where_errors_decide_an_error_of_none_is_half_an_image_and_others_stay(
    swept_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(shutil.copytree(swept_folder, tmp_path / "copy"))
    monkeypatch.setattr(fit.images, "are_pooled", lambda: True)
    last = pl.col("run_id") == "keep_100-2000-0-1.0-32000"
    measured = judged_by_error(tmp_path / "copy", last)
    laws = ["power_floor_tokens", "power_floor"]
    fit.run(FitParams(laws=laws, metric="error", draws=50, starts=8))
    rows = pl.read_parquet("data/fit/filter.parquet")
    assert len(rows) == len(measured) == 3 * 2 * 6 * 4
    for run_id, value in rows.select("run_id", "value").iter_rows():
        assert value == (measured[run_id] or 0.5 / 200)
    assert rows["value"].min() == 0.0025
    fitted = read_question_fit("data/fit/filter.json")
    assert fitted.metric == "error_digits" and fitted.law.n_points == len(rows)
    # 0.9 / 1,000 tokens^.8, of keep_20 a fifth less: no floor
    assert fitted.law.params["beta"].value == pytest.approx(0.8, abs=0.1)
    boot = prediction_of(read_sealed("data/fit/filter-refits.json", "")["law"], get_law)
    assert boot.n_draws == 50 and np.isfinite(boot.predict(POINT, "keep_20")).all()


POINT = {
    "n_params": np.array([2_000.0]),
    "n_tokens_seen": np.array([1e5]),
    "flops": np.array([1.2e9]),
}


def fitted_with(folder, monkeypatch, scale=1.0, **changes):
    """The fit file and the refits of the chosen law, quickly and without the noise of held-out documents."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        fit,
        "resampled_values",
        lambda best, *_: np.tile(scale * best["value"].to_numpy(), (50, 1)),
    )
    laws = ["power_floor_tokens", "power_floor"]
    fit.run(FitParams(**{"laws": laws, "draws": 50, "starts": 8} | changes))
    refits = read_sealed("data/fit/filter-refits.json", "")
    return read_question_fit("data/fit/filter.json"), {
        role: np.log(prediction_of(state, get_law).predict(POINT, "keep_100"))
        for role, state in refits.items()
    }


def bands(fitted):
    return [(row.low, row.high) for row in fitted.holdout.rows]


def test_the_seed_settles_every_draw(swept_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(swept_folder, tmp_path / "copy")
    one, refits = fitted_with(folder, monkeypatch, seed=3)
    again, same = fitted_with(folder, monkeypatch, seed=3)
    other, others = fitted_with(folder, monkeypatch, seed=4)
    assert list(refits) == ["law", "runner_up"]
    for role in refits:
        assert (refits[role] == same[role]).all()
        # other weights move the refits by far more than other starts of the fit do
        assert np.abs(refits[role] - others[role]).max() > 1e-4
    assert bands(one) == bands(again)
    assert np.abs(np.array(bands(one)) - np.array(bands(other))).max() > 1e-5
    # the law is the same whatever the draws
    assert one.law.params["beta"].value == pytest.approx(other.law.params["beta"].value)
    assert one.law.params["beta"].low != other.law.params["beta"].low


def test_a_second_process_changes_nothing(swept_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(swept_folder, tmp_path / "copy")
    beside, refits = fitted_with(folder, monkeypatch, seed=3)
    monkeypatch.setattr(fit, "PROCESS_FROM_RUNS", 10_000)
    alone, same = fitted_with(folder, monkeypatch, seed=3)
    assert np.allclose(bands(beside), bands(alone), rtol=1e-9, atol=0)
    assert all(np.allclose(refits[role], same[role], rtol=1e-9) for role in refits)


def test_refits_are_made_of_the_resampled_documents(
    swept_folder, tmp_path, monkeypatch
):
    folder = shutil.copytree(swept_folder, tmp_path / "copy")
    found, _ = fitted_with(folder, monkeypatch, scale=1.1)
    # every loss a tenth higher in every draw: so is the floor, and the fit itself is not
    floor = found.law.params["E"]["keep_100"]
    assert floor.value == pytest.approx(1.6, abs=0.02) and floor.low > 1.7


def test_several_judges_decide_by_their_mean_and_each_has_its_own_prediction(
    swept_folder, tmp_path, monkeypatch
):
    folder = shutil.copytree(swept_folder, tmp_path / "copy")
    monkeypatch.chdir(folder)
    runs = pl.read_parquet("data/sweep/runs.parquet").with_columns(value_se=0.01)
    news = runs.filter(metric="bpb_news")
    items = news.with_columns(
        metric=pl.lit("correct_bpb_copy"), value=1 + 2 * pl.col("value")
    )
    pl.concat([runs, items]).write_parquet("data/sweep/runs.parquet")
    monkeypatch.setattr(
        resampled,
        "Packed",
        SimpleNamespace(
            open=lambda _: SimpleNamespace(n_scored_bytes=np.array([100, 100]))
        ),
    )
    judges = {"news": 3.0, "correct_bpb_copy": 1.0}
    laws = ["power_floor_tokens", "power_floor"]
    fit.run(FitParams(laws=laws, judges=judges, draws=50, starts=8))
    fitted = read_question_fit("data/fit/filter.json")
    assert fitted.metric == "bpb_suite"
    assert {judge.name: judge.weight for judge in fitted.judges} == {
        "news": 0.75,
        "correct_bpb_copy": 0.25,
    }
    rows = pl.read_parquet("data/fit/filter.parquet")
    best = news.filter(weight_decay=1.0).select("run_id", one=pl.col("value"))
    both = rows.join(best, on="run_id", how="left")
    # 3 / 4 v + 1 / 4 (1 + 2 v)
    assert both["value"].to_numpy() == pytest.approx(
        0.25 + 1.25 * both["one"].to_numpy()
    )
    refits = read_sealed("data/fit/filter-refits.json", "")
    boots = {name: prediction_of(state, get_law) for name, state in refits.items()}
    assert {"law", "judge news", "judge correct_bpb_copy"} <= set(boots)
    at = {name: boot.central(POINT, "keep_20")[0] for name, boot in boots.items()}
    expected = (2 + 60 / 1e5**0.5) / 3
    assert at["judge news"] == pytest.approx(expected, rel=0.02)
    assert at["judge correct_bpb_copy"] == pytest.approx(1 + 2 * expected, rel=0.02)
    assert at["law"] == pytest.approx(0.25 + 1.25 * expected, rel=0.02)


@pytest.mark.parametrize("also", [{"domain": "news"}, {"metric": "bpb"}])
def test_judges_take_the_place_of_domain_and_metric(also):
    with pytest.raises(ValueError, match="judges take the place of domain and metric"):
        FitParams(judges={"news": 1.0}, **also)


def test_a_judge_has_a_weight_above_nothing():
    with pytest.raises(ValueError, match="greater than 0"):
        FitParams(judges={"news": 0.0})


def test_two_held_out_budgets_are_those_of_the_check(
    swept_folder, tmp_path, monkeypatch
):
    folder = shutil.copytree(swept_folder, tmp_path / "copy")
    found, _ = fitted_with(folder, monkeypatch, held_out_rungs=2)
    # largest: 2,000 parameters for 32,000 tokens; then 1,000 for 32,000 and 2,000 for 16,000
    second = 6.0 * 2_000 * 16_000
    assert (found.holdout.n, found.holdout.from_flops) == (3 * 3 * 4, second)
    cells = {(row.n_params, row.n_tokens_seen) for row in found.holdout.rows}
    assert cells == {(2_000, 32_000), (1_000, 32_000), (2_000, 16_000)}


BUDGETS = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000)


def checked(off):
    """The check of loss = 2 + 60 / tokens^.5, off by the share off(budget's position, draw) in eight draws."""
    cells = [
        (tokens, draw, off(position, draw))
        for position, tokens in enumerate(BUDGETS)
        for draw in range(8)
    ]
    tokens, draw, share = (np.array(each, float) for each in zip(*cells, strict=True))
    rows = {
        "arm": np.full(tokens.size, "all"),
        "pool_draw": draw.astype(int).astype(str),
        "n_params": np.full(tokens.size, 1e3),
        "n_tokens_seen": tokens,
        "flops": 6e3 * tokens,
        "value": (2 + 60 / tokens**0.5) * (1 + share),
    }
    law = get_law("power_floor_tokens")
    choose = partial(choose_law, [law], by_arm=(), n_starts=16, delta=None)
    params = FitParams(laws=[law.name], draws=200, starts=16)
    return heldout_check(choose, rows, params)


LARGEST = 2 + 60 / 64_000**0.5


def test_the_check_says_by_how_much_the_law_errs_and_in_which_direction():
    def noise(position, draw):
        return 0.01 * (-1) ** (position + draw)

    check = checked(noise)
    [row] = check.rows
    assert row.measured == pytest.approx(LARGEST)
    assert row.predicted == pytest.approx(LARGEST, rel=0.002)
    assert check.bias == pytest.approx(row.predicted - row.measured)
    # every run is off by a hundredth, to both sides
    assert check.mape == pytest.approx(0.01, rel=0.05)
    assert check.rmse == pytest.approx(0.01 * LARGEST, rel=0.05)

    # at the largest budget three runs in four turn out a tenth better than the law says
    def better(position, draw):
        return noise(position, draw) if position < 6 else -0.1 * (draw % 4 > 0)

    check = checked(better)
    assert (check.coverage, check.n) == (0.25, 8)
    assert check.bias == pytest.approx(0.075 * LARGEST, rel=0.05)
    assert check.mape == pytest.approx(0.75 * 0.1 / 0.9, rel=0.05)
    assert check.rmse == pytest.approx(np.sqrt(0.75) * 0.1 * LARGEST, rel=0.05)


def test_an_interval_of_the_check_has_the_noise_of_one_run_in_it():
    # noise that averages out in every draw: the law is known to a hundredth, a run to a twentieth
    check = checked(lambda position, draw: 0.05 * (-1) ** (position + draw))
    [row] = check.rows
    assert row.low < 0.95 * row.predicted and row.high > 1.05 * row.predicted
    assert check.coverage == 1.0
    calm = checked(lambda position, draw: 0.0).rows[0]
    assert calm.high - calm.low < 0.05


def test_a_law_that_cannot_be_fitted_is_named_with_the_reason(
    swept_folder, tmp_path, monkeypatch
):
    folder = shutil.copytree(swept_folder, tmp_path / "copy")
    laws = ["power_floor_tokens", "multi_power"]
    found, refits = fitted_with(folder, monkeypatch, laws=laws)
    names = {name.split(" (")[0] for name in found.refused}
    assert names == {"multi_power"} and all(found.refused.values())
    # alone there is no runner-up
    assert found.runner_up is None and list(refits) == ["law"]
    assert found.law.law == "power_floor_tokens"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"domain": "code"}, "fit.domain: no held-out domain 'code'; there are news"),
        ({"metric": "error"}, "fit.metric: error is measured of images; here there"),
        ({"metric": "brier", "domain": "x"}, "fit.metric: brier .* of sweep.items"),
        (
            {"domain": None, "judges": {"news": 1, "code": 1}},
            "fit.judges.code: no held-out domain 'code'; there are news, wiki",
        ),
        (
            {"domain": None, "judges": {"correct_bpb_copy": 1}},
            "fit.judges.correct_bpb_copy: no held-out domain",
        ),
    ],
)
def test_what_no_run_would_be_judged_by_is_known_before_any_work(
    refused, changes, message
):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["fit"] |= changes
    refused(params, message)


def test_items_judge_where_there_are_items(tmp_path):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["sweep"]["items"] = "copy.jsonl"
    params["fit"] |= {"domain": None, "judges": {"wiki": 1, "correct_bpb_copy": 2}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    judges = load_params(tmp_path / "params.yaml", PIPELINE)["fit"].judges
    assert judges == {"wiki": 1, "correct_bpb_copy": 2}
