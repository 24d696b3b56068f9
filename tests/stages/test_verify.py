"""The stage on the hand-made question: which trunks it asks for, and what it writes of what they reached."""

import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from stages import verify
from stages.decide import DecideParams
from stages.decide import run as run_decide
from stages.decision.record import read_decision
from stages.foundation.errors import InputError
from stages.foundation.files import read_json
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import CARRIED_ON, save_run
from stages.settings.verify import VerifyParams
from stages.verification.asked import size_of, top_of
from stages.verification.outcome import decision_hash
from stages.verification.record import read_verification
from stages.verification.track_record import read_track_record

N_PARAMS, BATCH = 2_000, 128
LARGEST = 32_000  # tokens; the larger size of the hand-made question
REACH = 6.0 * N_PARAMS * LARGEST
NEAR = 6.0 * N_PARAMS * 48_000  # a target beyond, in reach of `decided`


def truth(arm, n_tokens):
    """As the hand-made question has it: loss = E + B / sqrt(tokens)."""
    floor, amplitude = {"keep_20": (2.0, 60.0), "keep_100": (1.6, 100.0)}[
        "keep_20" if arm == "keep_20" else "keep_100"
    ]
    return floor + amplitude / n_tokens**0.5


def spec_of(arm, draw):
    return RunSpec(
        arm=f"{arm}/{draw}",
        shape=Shape(16, 1, 1, 32, 64),
        budgets_tokens=(BATCH * 10, BATCH * 250),
        batch_tokens=BATCH,
        weight_decay=1.0,
        pool_draw=draw,
    )


def result_of(spec, off=0.0):
    """What a run file holds of a run that reached the truth, `off` above it."""
    arm = spec.arm.partition("/")[0]
    n_unique = 500 if arm == "keep_20" else 900
    return {
        "spec": spec.to_dict(),
        "device": "cpu",
        "budgets": [
            {
                "budget_tokens": budget,
                "n_tokens_seen": budget,
                "n_tokens_unique": n_unique,
                "epochs": budget / n_unique,
                "flops": 6.0 * N_PARAMS * budget,
                "flops_exact": 8.0 * N_PARAMS * budget,
                "seconds": 1.0,
                "diverged": False,
                "shares": {"web|q": 1.0},
                "unique": {"web|q": n_unique},
                "held_out": {
                    "news": {
                        "loss_nats": truth(arm, budget) + off,
                        "standard_error_nats": 0.01,
                        "bits_per_byte": 1.0,
                        "n_tokens": 100,
                        "n_documents": 1,
                        "document_loss_nats": [1.0],
                    }
                },
            }
            for budget in spec.budgets_tokens
        ],
        "curve": {},
        "diverged": False,
        "seconds": 1.0,
        "stack_size": 1,
        "notes": [],
    }


@pytest.fixture
def trained():
    """Trunks in the order in which they were trained."""
    return []


@pytest.fixture
def folder(question_folder, tmp_path, monkeypatch, trained, whole_run):
    """The question decided, the files of its sweep, and a trainer whose runs reach the truth."""
    copy = shutil.copytree(question_folder, tmp_path / "copy")
    monkeypatch.chdir(copy)
    run_decide(DecideParams(target_flops=[3e7, NEAR]))
    runs = pl.read_parquet("data/sweep/runs.parquet")
    runs = runs.with_columns(epochs=pl.col("n_tokens_seen") / pl.col("n_tokens_unique"))
    runs.write_parquet("data/sweep/runs.parquet")
    for row in runs.iter_rows(named=True):
        if row["n_params"] == N_PARAMS and row["n_tokens_seen"] == LARGEST:
            spec = spec_of(row["arm"], row["pool_draw"])
            save_run(*whole_run(row["trunk_id"], spec, arm=row["arm"]))
    arms = read_json("data/arms/arms.json")
    views = {
        f"{arm}/{draw}": SimpleNamespace(n_tokens=900, stages=None)
        for arm in ("keep_20", "keep_100", "twin")
        for draw in range(4)
    }
    data = SimpleNamespace(
        arms=arms, views=views, data_hash=lambda arm, decay=None, loss="all": arm
    )
    monkeypatch.setattr(verify, "load_views", lambda: data)

    def train(asked, data, device):
        missing = [t for each in asked for t in each.trunks if not verify.is_trained(t)]
        for trunk in missing:
            trained.append(trunk)
            save_run(trunk, result_of(trunk["spec"]), CARRIED_ON)

    monkeypatch.setattr(verify, "train", train)
    return copy


def test_both_arms_are_trained_to_the_top_and_the_target_between(folder, trained):
    verify.run(VerifyParams(times=4))
    assert {trunk["spec"].arm for trunk in trained} == {"keep_20/0", "keep_100/0"}
    top, half = 4 * LARGEST, 2 * LARGEST
    for trunk in trained:
        assert trunk["spec"].budgets_tokens == (48_000, half, top)
        assert trunk["spec"].weight_decay == 1.0, "the setting that won in the sweep"
    record = read_verification("data/verify/filter.json")
    assert record.arms == {
        "keep_100": "best by prediction at the largest budget",
        "keep_20": "second by prediction at the largest budget",
    }
    assert record.fitted_to_flops == REACH
    assert sorted({run.times for run in record.runs}) == [1.5, 2.0, 4.0]


def test_a_law_that_is_the_truth_is_right(folder):
    verify.run(VerifyParams(times=4))
    record = read_verification("data/verify/filter.json")
    assert (record.coverage, record.lead_coverage) == (1.0, 1.0)
    assert record.mean_error < 0.01
    said = next(
        t
        for t in read_decision("data/decisions/filter.json").targets
        if t.flops == NEAR
    )
    assert said.status == "decided"
    [verdict] = record.verdicts
    assert (verdict.best, verdict.measured_best, verdict.right) == (
        "keep_100",
        "keep_100",
        True,
    )
    assert (record.decided_right, record.decided_wrong) == (1, 0)
    assert record.runs[0].measured == pytest.approx(truth(record.runs[0].arm, 48_000))
    assert read_json("data/metrics/verify.json")["filter"]["decided_right"] == 1


def test_runs_that_are_far_off_are_outside_and_a_wrong_verdict_is_counted(
    folder, monkeypatch
):
    def train(asked, data, device):
        for trunk in asked[0].trunks:
            worse = 1.0 if trunk["arm"] == "keep_100" else 0.0
            save_run(trunk, result_of(trunk["spec"], off=worse), CARRIED_ON)

    monkeypatch.setattr(verify, "train", train)
    verify.run(VerifyParams(times=4))
    record = read_verification("data/verify/filter.json")
    assert {run.arm for run in record.runs if run.inside} == {"keep_20"}
    assert record.lead_coverage == 0.0
    assert (record.decided_right, record.decided_wrong) == (0, 1)
    wrong = [
        claim
        for claim in read_track_record("data/track_record.jsonl")
        if claim.right is False
    ]
    assert [claim.arms for claim in wrong] == [["keep_100", "keep_20"]]


def test_nothing_that_the_fit_reads_is_touched_and_nothing_is_trained_twice(
    folder, trained
):
    before = {file: file.read_bytes() for file in folder.glob("data/sweep/**/*.*")}
    before |= {file: file.read_bytes() for file in folder.glob("data/fit/*")}
    verify.run(VerifyParams(times=4))
    first = len(trained)
    record = read_json("data/verify/filter.json")
    verify.run(VerifyParams(times=4))
    assert len(trained) == first
    assert {file: file.read_bytes() for file in before} == before
    assert read_json("data/verify/filter.json") == record
    table = pl.read_parquet("data/verify_runs/runs.parquet")
    assert table["n_tokens_seen"].min() == 48_000


def test_a_larger_budget_adds_to_what_was_trained(folder, trained):
    verify.run(VerifyParams(times=2))
    lines = len(read_track_record("data/track_record.jsonl"))
    verify.run(VerifyParams(flops=8 * REACH))
    times = {run.times for run in read_verification("data/verify/filter.json").runs}
    assert {1.5, 2.0, 8.0} <= times
    assert len(read_track_record("data/track_record.jsonl")) > lines


def test_the_control_is_the_twin_of_an_arm_that_is_trained(folder, trained):
    verify.run(VerifyParams(times=4, control=True, draws=2))
    assert {trunk["spec"].arm for trunk in trained} == {
        f"{arm}/{draw}" for arm in ("keep_20", "keep_100", "twin") for draw in (0, 1)
    }
    record = read_verification("data/verify/filter.json")
    assert record.arms["twin"] == "control, the same data as keep_100"


def test_without_training_the_record_says_that_there_is_nothing(folder, trained):
    verify.run(VerifyParams(train=False))
    assert trained == []
    record = read_verification("data/verify/filter.json")
    assert record.sentence == "Nothing has been trained after this decision."
    assert (record.runs, record.coverage, record.mean_error) == ([], None, None)
    assert read_track_record("data/track_record.jsonl") == []
    assert pl.read_parquet("data/verify_runs/runs.parquet").is_empty()


def test_a_question_that_is_not_asked_for_is_not_trained(folder, trained):
    with pytest.raises(
        InputError, match=r"verify.questions: no question 'mix'; .* filter"
    ):
        verify.run(VerifyParams(questions=["mix"]))
    assert trained == []


def test_a_budget_within_what_was_fitted_verifies_nothing():
    assert top_of(VerifyParams(times=8), 1e9) == 8e9
    assert top_of(VerifyParams(times=8, flops=2e9), 1e9) == 2e9
    with pytest.raises(
        InputError, match=r"verify.flops: 9e\+08 is not above the 1e\+09"
    ):
        top_of(VerifyParams(flops=9e8), 1e9)


def test_the_size_is_the_one_spoken_for_or_the_largest_that_was_trained(folder):
    decision = read_decision("data/decisions/filter.json")
    assert size_of(decision) == N_PARAMS
    asked = decision.n_params.model_copy(update={"value": 7_000_000})
    assert size_of(decision.model_copy(update={"n_params": asked})) == N_PARAMS


def test_a_decision_is_known_by_its_runs_and_its_law(folder):
    decision = read_decision("data/decisions/filter.json")
    other = decision.law.model_copy(update={"name": "other"})
    assert decision_hash(decision) != decision_hash(
        decision.model_copy(update={"law": other})
    )
    assert decision_hash(decision) == decision_hash(
        decision.model_copy(update={"sentence": "in other words"})
    )


def test_the_prediction_is_that_of_the_decision(folder):
    decision = read_decision("data/decisions/filter.json")
    tiers = read_json("data/arms/arms.json")["tiers"]
    rows = {
        "arm": np.array(["keep_20", "keep_100"]),
        "n_params": np.full(2, float(N_PARAMS)),
        "n_tokens_seen": np.full(2, 48_000.0),
        "flops": np.full(2, NEAR),
    }
    predicted = verify.load_prediction("filter", tiers)
    [said] = [target for target in decision.targets if target.flops == NEAR]
    values = [said.values[arm][0] for arm in rows["arm"]]
    assert predicted.point(rows) == pytest.approx(values)
    assert predicted.new_runs(rows).shape == (60, 2)
