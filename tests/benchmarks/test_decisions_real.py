"""What the benchmark of decisions computes from measured values, and that its project trains every arm."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.settings.questions import Question

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import decisions_real

    yield decisions_real
    sys.modules.pop("decisions_real", None)


def measured(values):
    """arm -> its value in each resample, as rows."""
    return pl.DataFrame(
        [
            {"arm": arm, "pool_draw": draw, "value": value}
            for arm, row in values.items()
            for draw, value in enumerate(row)
        ]
    )


def test_what_all_arms_of_a_resample_share_is_no_noise(benchmark):
    shared = np.array([0.0, 0.5, -0.3, 0.2])
    truth = benchmark.truth_of(
        measured({"a": 4 + shared, "b": 4.01 + shared, "c": 4.2 + shared})
    )
    assert truth.best == "a" and truth.half == pytest.approx(0, abs=1e-9)
    assert sorted(truth.pairs) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_the_interval_of_a_difference_is_that_of_a_two_way_table(benchmark):
    noise = 0.01 * np.random.default_rng(0).standard_normal((2000, 3, 4))
    halves = [
        benchmark.truth_of(measured(dict(zip("abc", each, strict=True)))).half
        for each in noise[:200]
    ]
    differences = noise[:, 0].mean(axis=1) - noise[:, 1].mean(axis=1)
    outside = np.mean(np.abs(differences[:200]) > halves)
    assert 0.01 < outside < 0.1  # .05 of pairs that are alike are called different


def test_pairs_within_the_noise_do_not_count_and_others_by_their_order(benchmark):
    truth = benchmark.Truth({"a": 4.0, "b": 4.05, "c": 4.3}, half=0.1)
    assert sorted(truth.pairs) == [("a", "c"), ("b", "c")]
    assert truth.as_good == ["a", "b"]
    assert truth.in_order({"a": 2.0, "b": 1.0, "c": 3.0}) == 2
    assert truth.in_order({"a": 2.0, "b": 4.0, "c": 3.0}) == 1


@pytest.mark.parametrize("scale", ["toy", "full"])
def test_every_arm_of_every_question_is_carried_to_the_target(
    benchmark, scale, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    asked = benchmark.TOY if scale == "toy" else benchmark.Scale()
    names = [*benchmark.QUESTIONS, benchmark.SEARCHED]
    made = benchmark.params(asked, draws=4, seed=1, cache="wheels", names=names)
    Path("params.yaml").write_text(yaml.safe_dump(made))
    sections = load_params("params.yaml", PIPELINE)
    questions = sections["arms"].questions.values()
    trained = sections["verify"].best_arms + 1  # and the unfiltered, or the next one
    assert all(len(q.arms) <= trained for q in questions if isinstance(q, Question))
    assert sections["verify"].draws == sections["arms"].draws
    largest = 6 * benchmark.N_PARAMS * sections["sweep"].budgets_tokens[-1]
    assert sections["verify"].flops == sections["decide"].target.n_flops == 3 * largest
