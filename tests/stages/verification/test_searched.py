"""A mixture that was searched for, verified: what is trained, on which views, and what is written of it."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from stages import verify
from stages.foundation import artefacts
from stages.foundation.sealed import write_sealed
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import CARRIED_ON, save_run
from stages.searched.asked import asked
from stages.searched.compared import weighted
from stages.searched.swarm import swarm_rows
from stages.settings.verify import VerifyParams
from stages.verification import searched, swarm_claim
from stages.verification.record import read_verification
from stages.verification.track_record import read_track_record
from tests.stages.searched.conftest import (
    BEST,
    POOLS,
    TOKENS,
    losses,
    params_of,
    runs_of,
)

BUDGETS = (10_240, 20_480, 40_960)
BATCH, DRAWS = 512, 4
PRIOR = np.array([0.6, 0.1, 0.3])
RUN = np.array([0.4, 0.4, 0.2])


@pytest.fixture(scope="module")
def made():
    return asked(params_of(runs=12), TOKENS)


@pytest.fixture
def trained():
    return []


@pytest.fixture
def folder(tmp_path, monkeypatch, made, whole_run, searched_record, trained):
    """The question swept, fitted and decided by hand, and a trainer whose runs reach the truth."""
    monkeypatch.chdir(tmp_path)
    for place in ("sweep", "fit", "arms", "verify", "metrics"):
        (tmp_path / "data" / place).mkdir(parents=True)
    question = made.questions["mix"]
    runs = runs_of(made, budgets=BUDGETS, effect=0.01).with_columns(
        trunk_id=pl.col("arm"),
        epochs=pl.lit(1.0),
        n_params=pl.lit(SHAPE.n_params),
        flops=6.0 * SHAPE.n_params * pl.col("n_tokens_seen"),
    )
    runs.write_parquet(artefacts.RUNS)
    swarm_rows(question, runs).write_parquet(artefacts.fitted_rows("mix"))
    for arm in question["arms"]:
        [draw] = made.draws[arm]
        save_run(*whole_run(arm, spec_of(f"{arm}/{draw}", draw), arm=arm))
    arms = {
        "questions": {"mix": question},
        "arms": {},
        "controls": {},
        "tiers": ["q000_100"],
    }
    write_sealed(artefacts.ARMS, arms)
    views().write_parquet(artefacts.VIEWS)
    monkeypatch.setattr(verify, "load_views", lambda: Data(arms, {}))
    monkeypatch.setattr(
        verify, "train", lambda asked, data, device: train(asked, trained)
    )
    monkeypatch.setattr(verify, "git_commit", lambda: None)
    monkeypatch.setattr(swarm_claim, "N_DRAWS", 80)
    monkeypatch.setattr(swarm_claim, "N_STARTS", 8)
    named = [
        dict(zip(POOLS, each.tolist(), strict=True)) for each in (BEST, PRIOR, RUN)
    ]
    record = searched_record(
        "mixture",
        *named,
        question=SimpleNamespace(name="mix"),
        metrics=[weighted(f"loss_{pool}", 1 / 3) for pool in POOLS],
        n_params=SimpleNamespace(value=SHAPE.n_params, trained=[SHAPE.n_params]),
        provenance=SimpleNamespace(
            params={"decide": {"target_flops": [1e9]}}, run_ids=["a"]
        ),
    )
    monkeypatch.setattr(searched, "read_any_decision", lambda path: record)
    return tmp_path


SHAPE = Shape(16, 1, 1, 32, 64)


def spec_of(view, draw):
    return RunSpec(
        arm=view,
        shape=SHAPE,
        budgets_tokens=BUDGETS,
        batch_tokens=BATCH,
        weight_decay=0.1,
        pool_draw=draw,
    )


def views():
    """Every resample has a document of 10,000 tokens of each pool, which corners hold apart."""
    return pl.DataFrame(
        {
            "arm": f"mix-0{at + 1}",
            "draw": draw,
            "id": f"d{draw}{at}",
            "row": at + 10 * draw,
            "weight": 1.0,
            "tier": 0,
            "pool": pool,
            "n_tokens": 10_000,
        }
        for at, pool in enumerate(POOLS)
        for draw in range(DRAWS)
    )


class Data:
    """Views that know the shares of the pools instead of tokens."""

    def __init__(self, arms, views):
        self.arms, self.views = arms, views

    def added(self, table):
        shares = {}
        for (arm, draw), part in table.group_by("arm", "draw", maintain_order=True):
            by_pool = dict(zip(part["pool"], part["weight"], strict=True))
            share = np.array([by_pool.get(pool, 0.0) for pool in POOLS])
            shares[f"{arm}/{draw}"] = SimpleNamespace(
                share=share / share.sum(),
                n_tokens=int(part["n_tokens"].sum()),
                stages=None,
            )
        SHARES.update(shares)
        return Data(self.arms, self.views | shares)

    def data_hash(self, view, decay=None, loss="all"):
        return view


SHARES = {}


def train(asked, trained):
    for each in asked:
        for trunk in each.trunks:
            if verify.is_trained(trunk):
                continue
            trained.append(trunk)
            save_run(trunk, result_of(trunk["spec"]), CARRIED_ON)


def result_of(spec):
    """What a run of the view reaches on each domain, by the truth of the swarm."""

    def held_out(n_tokens):
        reached = losses(SHARES[spec.arm].share[None], n_tokens)[0]
        return {
            pool: {
                "loss_nats": float(value),
                "standard_error_nats": 0.01,
                "bits_per_byte": 1.0,
                "n_tokens": 100,
                "n_documents": 1,
                "document_loss_nats": [1.0],
            }
            for pool, value in zip(POOLS, reached, strict=True)
        }

    return {
        "spec": spec.to_dict(),
        "device": "cpu",
        "budgets": [
            {
                "budget_tokens": budget,
                "n_tokens_seen": budget,
                "n_tokens_unique": 30_000,
                "epochs": budget / 30_000,
                "flops": 6.0 * SHAPE.n_params * budget,
                "flops_exact": 8.0 * SHAPE.n_params * budget,
                "seconds": 1.0,
                "diverged": False,
                "shares": {"web|q": 1.0},
                "unique": {"web|q": 30_000},
                "held_out": held_out(budget),
            }
            for budget in spec.budgets_tokens
        ],
        "curve": {},
        "diverged": False,
        "seconds": 1.0,
        "stack_size": 1,
        "notes": [],
    }


def test_the_proposal_the_prior_and_the_best_run_are_trained_and_judged(
    folder, trained
):
    verify.run(VerifyParams(times=8))
    assert {trunk["spec"].arm for trunk in trained} == {
        f"mix:{name}/0" for name in ("proposal", "reference", "best_run")
    }
    for trunk in trained:
        assert trunk["spec"].budgets_tokens[-1] == 8 * BUDGETS[-1]
    for name, share in (("proposal", BEST), ("reference", PRIOR), ("best_run", RUN)):
        assert SHARES[f"mix:{name}/0"].share == pytest.approx(share)
    record = read_verification("data/verify/mix.json")
    assert record.metric == "loss_weighted" and record.fitted_to_flops == reach()
    top = [run for run in record.runs if run.times == 8.0]
    assert {run.arm for run in top} == set(record.arms)
    for run in top:
        truth = losses(SHARES[f"{run.arm}/0"].share[None], 8 * BUDGETS[-1]).mean()
        assert run.measured == pytest.approx(truth)
        # three budgets settle floor and exponent of the fall to within some per cent
        assert run.inside and run.predicted == pytest.approx(truth, rel=0.06)
    leads = {lead.against: lead for lead in record.leads if lead.times == 8.0}
    assert set(leads) == {"mix:reference", "mix:best_run"}
    assert leads["mix:reference"].arm == "mix:proposal"
    assert leads["mix:reference"].measured < 0 and leads["mix:reference"].inside
    assert record.labels["mix:proposal"].startswith("the proposal: train on 50 % web")


def reach():
    return 6.0 * SHAPE.n_params * BUDGETS[-1]


def test_claims_join_the_track_record_once_and_nothing_is_trained_twice(
    folder, trained
):
    verify.run(VerifyParams(times=2))
    claims = read_track_record("data/track_record.jsonl")
    assert {tuple(claim.arms) for claim in claims if claim.claim == "lead"} == {
        ("mix:proposal", "mix:reference"),
        ("mix:proposal", "mix:best_run"),
    }
    assert len([claim for claim in claims if claim.claim == "value"]) == 3
    n_trained = len(trained)
    verify.run(VerifyParams(times=2))
    assert len(trained) == n_trained == 3
    assert read_track_record("data/track_record.jsonl") == claims


def test_a_single_budget_is_judged_by_leads_alone(folder, made):
    one = pl.read_parquet(artefacts.fitted_rows("mix")).filter(
        n_tokens_seen=BUDGETS[-1]
    )
    one.write_parquet(artefacts.fitted_rows("mix"))
    verify.run(VerifyParams(times=2))
    record = read_verification("data/verify/mix.json")
    assert record.runs == [] and len(record.leads) == 2
    assert record.sentence.endswith("budgets were too few to predict values.")
    assert set(record.arms) == {"mix:proposal", "mix:reference", "mix:best_run"}
