"""The hand-made question decided for a target: sizes, pools and repetition that are known by hand."""

import math
import shutil

import polars as pl
import pytest

from stages.decide import decide
from stages.decision.at_target import columns_at, count_text
from stages.foundation.files import read_json
from stages.settings.decide import DecideParams
from stages.target.target import Target

REACH = 6.0 * 2_000 * 32_000


@pytest.fixture(scope="module")
def made(question_folder, tmp_path_factory):
    """made(target, **params): the record of the question, pools of 600 and 300 tokens in each resample of 9,000."""
    folder = shutil.copytree(question_folder, tmp_path_factory.mktemp("at") / "copy")
    views = pl.read_parquet(folder / "data/arms/views.parquet")
    views.with_columns(pool=pl.lit("web")).write_parquet(
        folder / "data/arms/views.parquet"
    )
    arms = read_json(folder / "data/arms/arms.json") | {
        "pool_tokens": {"web": 9_000},
        "draw_tokens": {"web": 900.0},
    }

    def record(target, **changes):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            params = {
                "target_flops": [target.n_flops],
                "target": target,
                "n_params": round(target.params),
            }
            return decide("filter", arms, DecideParams(**params | changes))

    return record


@pytest.fixture(scope="module")
def far(made):
    return made(Target(params=1e6, tokens=1e5, pool_tokens=90_000))


@pytest.fixture(scope="module")
def near(made):
    """A size that was trained, 1.25 times the tokens of the longest run, the pool of a resample."""
    return made(Target(params=2_000, tokens=40_000, pool_tokens=900))


def test_the_target_is_said_with_its_distance(far):
    record, _ = far
    run = record.target
    assert run.text == "1e6 parameters and 100,000 tokens from a pool of 90,000"
    assert run.flops == 6e11 and run.pool_tokens == {"web": 90_000}
    assert run.decades == pytest.approx(math.log10(6e11 / REACH))
    assert run.decades_params == pytest.approx(math.log10(1e6 / 2_000))
    assert run.decades_tokens == pytest.approx(math.log10(1e5 / 32_000))
    assert record.sentence.startswith(
        f"For {run.text}, 3.2 decades beyond the largest proxy: extrapolating, nearest:"
        " keep everything (P(best) "
    )


def test_far_off_it_extrapolates_and_still_names_the_leading_arm(far):
    record, _ = far
    assert record.status == record.target.status == "extrapolating"
    assert "3.2 decades above the largest measured run" in record.reason
    [target] = record.targets
    # the law knows no size: 1.6 + 100 / sqrt(100,000)
    assert record.target.best == target.best == "keep_100"
    assert target.values["keep_100"][0] == pytest.approx(1.916, rel=0.02)
    assert target.n_tokens["keep_100"] == pytest.approx(1e5)
    # the floor of the other arm, 2, lies above that
    assert record.worth[0].never and "at the target" in record.worth[0].text
    assert record.n_params.why == "that of the target"


def test_figures_show_the_largest_proxy_where_none_is_as_large(far):
    record, curves = far
    assert {point.n_tokens_seen for point in record.points} >= {1_000, 32_000}
    assert curves["flops"].max() == pytest.approx(10 * REACH)
    assert record.crossovers_drawn[0].flops == pytest.approx(1.2e8, rel=0.05)


def test_each_arm_has_the_kept_part_of_the_targets_pools(far, near):
    of_far = {each.arm: each for each in far[0].target.repetition}
    # 500 and 900 of 900 tokens, of a pool a hundred times as large
    assert of_far["keep_20"].unique_tokens == pytest.approx(50_000)
    assert of_far["keep_100"].unique_tokens == pytest.approx(90_000)
    assert of_far["keep_20"].target_passes == pytest.approx(2.0)
    assert of_far["keep_20"].proxy_passes == pytest.approx((2.0, 64.0))
    assert of_far["keep_100"].text == "" and of_far["keep_100"].covered
    of_near = {each.arm: each for each in near[0].target.repetition}
    assert of_near["keep_100"].target_passes == pytest.approx(40_000 / 900)


def test_at_a_trained_size_the_answer_is_of_that_size(near):
    record, curves = near
    assert record.target.decades == pytest.approx(math.log10(1.25))
    assert record.targets[0].best == "keep_100"
    # 44 and 80 passes against 64 and less in any run: within a factor of 1.5
    assert record.status == "decided", record.reason
    assert record.sentence.startswith(
        "For 2,000 parameters and 40,000 tokens from a pool of 900, 0.1 decades beyond"
        " the largest proxy: keep everything (P(best) 1.00, "
    )
    assert " By compute at this size: keep the best 20 % up to 1." in record.sentence
    # as far beyond the target as else beyond the runs
    assert curves["flops"].max() == pytest.approx(12.5 * REACH)


def test_repetition_that_no_run_has_forbids_decided(made):
    record, _ = made(Target(params=2_000, tokens=64_000, pool_tokens=300))
    # 300 of 300: 213 passes against 64
    assert record.status == "extrapolating"
    assert record.targets[0].code == "repeats_beyond"
    assert (
        "would pass 213 times over its data, and no run more than 64" in record.reason
    )
    [_, whole] = record.target.repetition
    assert (whole.arm, whole.covered) == ("keep_100", False)
    assert whole.text == (
        "keep everything passes 213 times over its most repeated part at the target,"
        " 1.11 to 35.6 times in its proxies; no run repeats as often, so nothing is"
        " decided"
    )


def test_runs_of_other_arms_may_cover_it_and_both_numbers_are_said(made):
    record, _ = made(Target(params=2_000, tokens=64_000, pool_tokens=800))
    [_, whole] = record.target.repetition
    assert whole.covered and whole.text.endswith(
        "80 times over its most repeated part at the target, 1.11 to 35.6 times in its"
        " proxies; runs of other arms repeat as often, and the law carries it"
    )


def test_mixtures_keep_their_shares_and_others_follow_the_pools():
    views = pl.DataFrame(
        {
            "arm": ["all", "all", "mix", "mix"],
            "draw": [0] * 4,
            "pool": ["web", "code"] * 2,
            "weight": [1.0, 1.0, 1.0, 1.0],
            "tier": [0, 1, 0, 1],
            "n_tokens": [100, 100, 100, 100],
        }
    )
    plain = {"mixture": None, "upweight": None}
    arms = {
        "arms": {"all": plain, "mix": plain | {"mixture": {"web": 0.5, "code": 0.5}}},
        "controls": {},
        "tiers": ["t0", "t1"],
        "pool_tokens": {"web": 100, "code": 100},
        "draw_tokens": {"web": 100.0, "code": 100.0},
    }
    target = Target(params=1e6, tokens=1e6, pool_tokens={"web": 300})
    found = columns_at(target, views, ["all", "mix"], arms)
    assert found["all"]["n_tokens_unique"] == 400 == found["mix"]["n_tokens_unique"]
    assert found["all"]["share_t0"] == 0.75 and found["mix"]["share_t0"] == 0.5
    assert found["mix"]["unique_t0"] == 300


@pytest.fixture(scope="module")
def generated(question_folder, tmp_path_factory):
    """The worse part of the pool, 400 of 900 tokens that keep_100 alone uses, is generated for 3.6e8 FLOPs."""
    folder = shutil.copytree(question_folder, tmp_path_factory.mktemp("made") / "copy")
    path = folder / "data/arms/views.parquet"
    pool = pl.when(pl.col("tier") == 0).then(pl.lit("web")).otherwise(pl.lit("qa"))
    pl.read_parquet(path).with_columns(pool=pool).write_parquet(path)
    arms = read_json(folder / "data/arms/arms.json") | {
        "pool_tokens": {"web": 500, "qa": 400},
        "draw_tokens": {"web": 500.0, "qa": 400.0},
    }
    target = Target(params=2_000, tokens=40_000, generation_flops_per_token={"qa": 9e5})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        params = {"target_flops": [target.n_flops], "target": target, "n_params": 2_000}
        return decide("filter", arms, DecideParams(**params))


def test_what_is_spent_on_generating_is_not_spent_on_training(generated, near):
    record, _ = generated
    assert near[0].target.best == "keep_100"
    [target] = record.targets
    # 4.8e8 FLOPs at 12,000 a token, of one arm less 3.6e8
    assert target.flops == pytest.approx(4.8e8)
    assert target.n_tokens == pytest.approx({"keep_20": 40_000, "keep_100": 10_000})
    assert target.generation_flops == pytest.approx({"keep_100": 3.6e8})
    # 2 + 60 / 200 and 1.6 + 100 / 100
    assert target.best == record.target.best == "keep_20"
    assert target.values["keep_20"][0] == pytest.approx(2.3, rel=0.02)
    assert target.values["keep_100"][0] == pytest.approx(2.6, rel=0.02)
    assert (
        " Generating text takes 75 % of the compute of keep everything."
        in record.sentence
    )


def test_the_answer_flips_where_the_whole_compute_pays(generated):
    record, _ = generated
    # .4 + 60 / sqrt(x) = 100 / sqrt(x - 30,000) at x = 52,850 tokens of 12,000 FLOPs
    assert record.crossovers[-1].flops == pytest.approx(12_000 * 52_850, rel=0.06)
    [worth] = record.worth
    # 1.6 + 100 / sqrt(20,408) = 2.3: as many tokens and 3.6e8 FLOPs beside
    assert worth.times == pytest.approx((20_408 * 12_000 + 3.6e8) / 4.8e8, rel=0.05)
    assert worth.tokens_times == pytest.approx(20_408 / 40_000, rel=0.08)
    assert worth.tokens_low < worth.tokens_times < worth.tokens_high
    repeats = {each.arm: each.target_passes for each in record.target.repetition}
    assert repeats == pytest.approx({"keep_20": 80, "keep_100": 10_000 / 900})


def test_figures_of_the_proxies_show_their_training(generated, near):
    record, curves = generated
    assert curves["flops"].max() == pytest.approx(10 * REACH)
    assert record.crossovers_by_size == near[0].crossovers_by_size


def test_a_record_without_generated_text_is_written_as_before(near):
    assert "generation_flops" not in near[0].targets[0].model_dump()
    plain = Target(params=1e6, tokens=1e6)
    assert "generation_flops_per_token" not in plain.model_dump()


@pytest.mark.parametrize(("take", "flops"), [("high", 4_000.0), ("random", 1_000.0)])
def test_what_a_filter_drops_was_generated_too(take, flops):
    """A quarter of 400 tokens at 10 FLOPs each: by quality all of them are made, at random a quarter is."""
    views = pl.DataFrame(
        {
            "arm": ["some"] * 2,
            "draw": [0] * 2,
            "pool": ["qa", "web"],
            "weight": [1.0, 3.0],
            "tier": [0, 0],
            "n_tokens": [100, 100],
        }
    )
    arm = {"keep": 0.25, "take": take, "mixture": None, "upweight": None}
    arms = {
        "arms": {"some": arm},
        "controls": {},
        "tiers": ["t0"],
        "pool_tokens": {"qa": 400, "web": 400},
        "draw_tokens": {"qa": 400.0, "web": 400.0},
    }
    target = Target(params=1e6, tokens=1e6, generation_flops_per_token={"qa": 10.0})
    found = columns_at(target, views, ["some"], arms)["some"]
    # of 400 tokens one pass reads 100 of qa
    assert found["generation_flops_qa_0"] == flops
    assert found["generation_tokens_qa_0"] == 400


def test_counts_as_one_would_write_them():
    assert count_text(4e11) == "4e11" and count_text(7.25e9) == "7.25e9"


def test_where_one_arm_is_surely_behind_no_run_is_advised(near):
    record, _ = near
    assert record.next_run is None
    # 2.3 against 2.1 with a noise of .2 %: nothing to be said for it
    assert list(record.dropped) == ["keep_20"] and record.dropped["keep_20"] < 1e-6


def test_where_arms_cross_the_run_that_tells_them_apart_is_advised(made):
    record, _ = made(Target(params=2_000, tokens=10_000, pool_tokens=900))
    advised, [target] = record.next_run, record.targets
    assert record.sureness <= target.p_best[target.best]
    assert record.dropped == {} and target.p_best[target.best] < 0.9
    assert advised.n_runs == 4 and (advised.weight_decay, advised.dropout) == (1.0, 0)
    assert advised.flops == pytest.approx(
        4 * 6 * advised.n_params * advised.n_tokens_seen
    )
    now, after = advised.p_best
    assert now == target.p_best[target.best] < after <= 1
    assert advised.settles == (target.best, target.second, target.flops)
    assert advised.text.startswith(f"Train {advised.arm} once more, on each of the 4")
    # the longest run has 32,000 tokens, more than twice the target's
    assert advised.n_tokens_seen <= 32_000
    assert f"now {now:.2f}, is expected to become {after:.2f}." in advised.text


def test_repeats_count_for_less_and_less_in_the_effective_tokens(far, near):
    """R* of text is 15.39: 1 / 9 of a repeat counts nearly whole, 79 repeats as 15.3 passes."""
    [_, whole] = far[0].target.repetition
    assert whole.unique_tokens == 90_000
    assert whole.effective_tokens == pytest.approx(99_964, rel=1e-4)
    [kept, _] = near[0].target.repetition
    assert kept.unique_tokens == 500 and kept.target_passes == 80
    assert kept.effective_tokens == pytest.approx(500 * (1 + 15.297), rel=1e-3)
