"""A question of kind upsampling whose losses follow a law over tiers with known parameters."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from stages import fit
from stages.foundation import artefacts
from stages.foundation.sealed import write_sealed
from stages.laws.repetition.half_life import half_life
from stages.searched.asked import asked
from stages.searched.curves import Ground, steps, within_most
from stages.searched.record import SearchedRecord, read_any_decision
from stages.searched.upsampling import decide_curve, read_by
from stages.settings.arms import ArmsParams, tier_names
from stages.settings.decide import DecideParams

EDGES = [0.2, 0.6]
TIERS = tuple(tier_names(EDGES))
UNIQUE = np.array([4e3, 8e3, 8e3])  # tokens of a tier in a resample
SIZES, BUDGETS, DRAWS = (6_000, 24_000), (8e3, 16e3, 32e3, 64e3, 128e3), 3
LAW = half_life(TIERS, sized=True)
PARAMS = {"E": 1.2, "A": 30.0, "alpha": 0.4, "B": 30.0} | {
    f"{name}_{tier}": value
    for name, each in (("beta", (0.36, 0.33, 0.24)), ("tau", (4.0, 4.0, 4.0)))
    for tier, value in zip(TIERS, each, strict=True)
}
TARGET = {"params": 24_000, "tokens": 60_000, "pool_tokens": 2e4}


def true_loss(ground, shares):
    return LAW.value({k: np.array([v]) for k, v in PARAMS.items()}, ground.rows(shares))


def runs_of(made, noise):
    rng = np.random.default_rng(1)
    rows = []
    for arm in made.questions["up"]["arms"]:
        share = share_of(made.params.arms[arm])
        for draw in range(DRAWS):
            for size in SIZES:
                for n_tokens in BUDGETS:
                    ground = Ground(TIERS, UNIQUE, size, n_tokens, 7.0)
                    there = ground.rows(share[None])
                    value = float(true_loss(ground, share[None])[0])
                    rows.append(
                        {name: float(column[0]) for name, column in there.items()}
                        | {
                            "run_id": f"{arm}-{draw}-{size}-{n_tokens:g}",
                            "arm": arm,
                            "control": "",
                            "pool_draw": draw,
                            "n_params": size,
                            "n_tokens_seen": int(n_tokens),
                            "metric": "loss_news",
                            "modality": "text",
                            "value": value * np.exp(noise * rng.standard_normal()),
                            "weight_decay": 0.1,
                            "dropout": 0.0,
                            "diverged": False,
                            "data_hash": arm,
                            "code_hash": "c",
                        }
                    )
    return pl.DataFrame(rows)


def share_of(arm):
    """Shares of the tiers on a trained curve."""
    ends = np.array([*EDGES, 1.0])
    uses = np.array(list(arm.uses.values())) if arm.uses else (ends <= arm.keep) * 1.0
    return uses * UNIQUE / (uses * UNIQUE).sum()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Swept and fitted."""
    folder = tmp_path_factory.mktemp("up")
    params = ArmsParams(questions={"up": {"kind": "upsampling", "tiers": EDGES}})
    made = asked(params, {"pool": 2e4})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for path in ("data/sweep", "data/arms", "data/fit"):
            Path(path).mkdir(parents=True)
        runs = runs_of(made, noise=0.002)
        runs.write_parquet(artefacts.RUNS)
        documents = [[value * 90, value * 110] for value in runs["value"]]
        runs.select("run_id", "metric", loss_nats=pl.Series(documents)).write_parquet(
            artefacts.HELD_OUT_LOSSES
        )
        arms = {
            "questions": made.questions,
            "arms": {name: arm.model_dump() for name, arm in made.params.arms.items()},
            "controls": {},
            "tiers": list(TIERS),
            "pool_tokens": {"pool": 2e4},
            "draw_tokens": {"pool": 2e4},
        }
        write_sealed(artefacts.ARMS, arms)
        views = [
            {
                "arm": name,
                "draw": draw,
                "weight": float(share / tokens),
                "tier": tier,
                "n_tokens": int(tokens),
                "pool": "pool",
            }
            for name, arm in made.params.arms.items()
            for draw in range(DRAWS)
            for tier, (share, tokens) in enumerate(
                zip(share_of(arm), UNIQUE, strict=True)
            )
            if share > 0
        ]
        pl.DataFrame(views).write_parquet(artefacts.VIEWS)
        sizes = SimpleNamespace(
            open=lambda path: SimpleNamespace(n_scored_each=np.array([100, 100]))
        )
        patch.setattr(fit, "Packed", sizes)
        fit.run(fit.FitParams(draws=60, starts=16))
    return folder, arms


@pytest.fixture(scope="module")
def record(folder):
    return decided(folder, target=TARGET, n_params=24_000)


def decided(folder, **params):
    place, arms = folder
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        settings = DecideParams(**{"target_flops": [6.0 * 24_000 * 60_000]} | params)
        return decide_curve("up", arms, settings)[0]


def test_the_curve_is_as_good_as_the_best_there_is(record):
    ground = Ground(TIERS, UNIQUE, 24_000, 60_000, 7.0)
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    every = within_most(weights @ steps(UNIQUE), ground)
    best = every[true_loss(ground, every).argmin()]
    uses = np.array(list(record.proposal.values()))
    asked_for = uses * UNIQUE / 60_000
    lost = true_loss(ground, np.stack([asked_for, best, ground.flat]))
    assert lost[0] - lost[1] < 0.1 * (lost[2] - lost[1])  # of what there is to win
    for tier, there in zip(TIERS, ground.uses(best), strict=True):
        low, high = record.interval[tier]
        assert low - 0.3 <= there <= high + 0.3
    assert record.predicted["loss_news"][0] == pytest.approx(float(lost[0]), rel=0.01)


def test_the_uses_add_up_to_the_tokens_of_the_target_and_fall(record):
    uses = np.array(list(record.proposal.values()))
    assert float(uses @ UNIQUE) == pytest.approx(60_000)
    assert (np.diff(uses) <= 1e-9).all() and uses[0] <= 7.0
    assert record.reference == pytest.approx(dict.fromkeys(TIERS, 3.0))


def test_it_is_decided_with_what_it_gains_over_all_alike(record):
    assert record.status == "decided"
    assert record.objective.p_better > 0.95
    assert record.sentence.startswith("For 24,000 parameters and 60,000 tokens from")
    assert "use the best 20 %" in record.sentence
    assert record.sentence.endswith("better than using every tier alike.")
    assert record.best_run.run_id.startswith("up-")


def test_repeats_beyond_all_proxies_are_extrapolating(folder):
    """Sixty passes over all of the pool, where the most repeated tier of a proxy has 32."""
    target = TARGET | {"tokens": 1.2e6}
    far = decided(folder, target=target, n_params=24_000, max_decades=3)
    assert far.status == "extrapolating"
    assert "The target would read q" in far.reason


def test_without_a_target_the_largest_proxies_are_spoken_for(folder):
    record = decided(folder)
    assert (record.target, record.n_params.value) == (None, 24_000)
    assert record.n_tokens == 128_000
    [rung] = record.by_rung
    assert rung.n_tokens == 60_000
    assert sum(rung.proposal.values()) < sum(record.proposal.values())


def test_the_record_is_read_as_it_was_written(record, tmp_path):
    record.write(tmp_path / "up.json")
    again = read_any_decision(tmp_path / "up.json")
    assert isinstance(again, SearchedRecord) and again == record
    assert list(record.provenance.inputs) == read_by("up")
