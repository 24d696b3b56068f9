"""The model ladder's two steps on published numbers."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law

RUNS = [
    f"{size}-{ratio}xC"
    for size in ("190M", "370M", "760M", "1B")
    for ratio in (1, 2, 5, 10)
]
# non-embedding size and tokens of the 13B model
LARGE = {"n_params": 13202396160.0, "n_tokens_seen": 5000088518656.0}
PUBLISHED = {  # bits per byte, then accuracy chained from it
    "mmlu_test": (0.7502, 0.513),
    "hellaswag_val": (0.6532, 0.853),
    "arc_challenge_test": (0.7833, 0.527),
    "arc_easy_test": (0.5931, 0.772),
    "piqa_val": (0.8748, 0.821),
    "csqa_val": (0.6617, 0.776),
    "socialiqa_val": (0.9916, 0.599),
    "openbookqa_test": (1.2750, 0.449),
}


@pytest.fixture(scope="module")
def ladder(evidence):
    by_run = {name: [] for name in RUNS}
    for row in evidence("olmo_ladder.csv"):
        if row["run"] in by_run:
            by_run[row["run"]].append(row)
    return by_run


@pytest.mark.parametrize("task", PUBLISHED)
def test_sixteen_small_runs_give_the_published_prediction_for_the_13b_model(
    ladder, task
):
    rows = {
        "n_params": np.array(
            [float(run[0]["params_nonembed_N"]) for run in ladder.values()]
        ),
        "n_tokens_seen": np.array(
            [float(run[-1]["tokens_D"]) for run in ladder.values()]
        ),
        "value": np.array(
            [
                np.mean([float(row[f"{task}_bpb"]) for row in run[-5:]])
                for run in ladder.values()
            ]
        ),
    }
    fit = fit_law(get_law("chinchilla"), rows, identify=False)
    assert fit.predict(LARGE)[0] == pytest.approx(PUBLISHED[task][0], abs=6e-5)


@pytest.mark.parametrize("task", PUBLISHED)
def test_the_second_step_gives_the_published_accuracy(ladder, task):
    """All checkpoints but the first tenth, means of five, and a perfect point; the published steps
    leave the window open, so .005.
    """
    loss, accuracy = [[1e-9]], [[1.0]]
    for run in ladder.values():
        kept = run[int(0.1 * len(run)) :]
        for found, column in ((loss, f"{task}_bpb"), (accuracy, f"{task}_acc")):
            found.append(
                np.convolve(
                    [float(row[column]) for row in kept], np.ones(5) / 5, "valid"
                )
            )
    fit = fit_law(
        get_law("accuracy_from_loss"),
        {"task_loss": np.concatenate(loss), "value": np.concatenate(accuracy)},
        objective="least_squares",
        n_starts=64,
        identify=False,
    )
    assert fit.predict({"task_loss": PUBLISHED[task][0]})[0] == pytest.approx(
        PUBLISHED[task][1], abs=0.005
    )
