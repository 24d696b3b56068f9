"""The mean of several judges: what counts in it, with which weight, and what it is of each run."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import ParamsError
from stages.runs.suite import judged_rows, judges_of, with_suite

# bits a byte of arms a and b in two draws at the largest budget
SURE = {"a": (1.0, 1.2), "b": (2.0, 2.2)}
VAGUE = {"a": (1.0, 1.2), "b": (1.02, 1.22)}


def table(**judged):
    rows = [
        {
            "run_id": f"{arm}-{draw}-{tokens}",
            "arm": arm,
            "n_params": 10,
            "n_tokens_seen": tokens,
            "flops": 60.0 * tokens,
            "metric": metric,
            # at the smaller budget arms are far apart, which must not count
            "value": value if tokens == 200 else value + 50 * (arm == "a"),
            "value_se": 0.3,
            "pool_draw": str(draw),
            "weight_decay": 0.1,
            "dropout": 0.0,
            "diverged": False,
        }
        for metric, arms in judged.items()
        for arm, values in arms.items()
        for draw, value in enumerate(values)
        for tokens in (100, 200)
    ]
    return pl.DataFrame(rows)


def test_weights_are_shares_and_every_judge_says_what_it_tells():
    news, items = judges_of(
        {"news": 3.0, "correct_bpb_copy": 1.0},
        table(bpb_news=SURE, correct_bpb_copy=SURE, loss_news=VAGUE),
        least_ratio=1.0,
    )
    assert (news.metric, news.weight, news.used) == ("bpb_news", 0.75, True)
    assert (items.metric, items.weight, items.used) == ("correct_bpb_copy", 0.25, True)
    assert news.signal == pytest.approx(1.0)
    assert news.noise == pytest.approx(np.sqrt(0.02))
    assert news.reason == (
        "arms differ by 1 bits a byte, 7.1 times the noise of one run"
    )


def test_a_judge_that_cannot_tell_the_arms_apart_is_left_out_with_its_numbers():
    runs = table(bpb_news=SURE, bpb_wiki=VAGUE)
    news, wiki = judges_of({"news": 1.0, "wiki": 9.0}, runs, least_ratio=1.0)
    assert (news.weight, news.used) == (1.0, True)
    assert (wiki.weight, wiki.used) == (0.0, False)
    assert wiki.reason == (
        "left out: arms differ by 0.02 bits a byte, 0.14 times the noise of one run,"
        " less than fit.least_signal_to_noise 1"
    )
    kept = judges_of({"news": 1.0, "wiki": 9.0}, runs, least_ratio=0.0)
    assert [judge.weight for judge in kept] == [0.1, 0.9]


def test_where_no_judge_tells_the_arms_apart_all_stay():
    [wiki] = judges_of({"wiki": 2.0}, table(bpb_wiki=VAGUE), least_ratio=1.0)
    assert (wiki.weight, wiki.used) == (1.0, True)
    assert wiki.reason.endswith("less than 1, but no judge has more")


def test_of_one_draw_the_noise_is_the_standard_error():
    runs = table(bpb_news={"a": (1.0,), "b": (2.0,)})
    assert judges_of({"news": 1.0}, runs, least_ratio=1.0)[0].noise == 0.3


def test_a_judge_that_no_run_was_judged_by_is_named_with_those_there_are():
    runs = table(bpb_news=SURE, correct_bpb_copy=SURE, loss_wiki=SURE)
    for name in ("wiki", "loss_wiki"):
        with pytest.raises(ParamsError) as error:
            judges_of({name: 1.0}, runs, least_ratio=1.0)
        assert str(error.value) == (
            f"fit.judges: no held-out domain or items {name!r} in bits a byte; there"
            " are correct_bpb_copy, news"
        )


def test_the_suite_is_the_weighted_mean_of_each_run():
    runs = table(bpb_news=SURE, bpb_wiki={"a": (3.0, 3.2), "b": (6.0, 6.2)})
    judges = judges_of({"news": 3.0, "wiki": 1.0}, runs, least_ratio=0.0)
    every = with_suite(runs, judges)
    assert every.columns == runs.columns and every[: len(runs)].equals(runs)
    suite = every.filter(metric="bpb_suite", n_tokens_seen=200)
    assert dict(suite.select("run_id", "value").iter_rows()) == pytest.approx(
        {"a-0-200": 1.5, "a-1-200": 1.7, "b-0-200": 3.0, "b-1-200": 3.2}
    )
    error = np.hypot(0.75 * 0.3, 0.25 * 0.3)
    assert suite["value_se"].to_list() == pytest.approx([error] * 4)
    assert with_suite(runs, []) is runs


def test_a_run_that_one_judge_has_not_seen_has_no_suite():
    runs = table(bpb_news=SURE, bpb_wiki=SURE)
    judges = judges_of({"news": 1.0, "wiki": 1.0}, runs, least_ratio=0.0)
    seen = ~((pl.col("metric") == "bpb_wiki") & (pl.col("run_id") == "a-0-200"))
    suite = with_suite(runs.filter(seen), judges).filter(metric="bpb_suite")
    assert set(runs["run_id"]) - set(suite["run_id"]) == {"a-0-200"}


def test_the_runs_that_decided_get_the_values_of_one_judge():
    runs = table(bpb_news=SURE, bpb_wiki={"a": (3.0, 3.2), "b": (6.0, 6.2)})
    _, wiki = judges_of({"news": 1.0, "wiki": 1.0}, runs, least_ratio=0.0)
    best = runs.filter(metric="bpb_news", n_tokens_seen=200)[::-1]
    own = judged_rows(best, runs, wiki)
    assert own["run_id"].to_list() == best["run_id"].to_list()
    assert own["value"].to_list() == [6.2, 6.0, 3.2, 3.0]
    assert set(own["metric"]) == {"bpb_wiki"} and own.columns == best.columns
