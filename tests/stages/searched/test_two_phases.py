"""A mixture for each phase whose best is known: 70 % web while the rate is high, 20 % in the decay."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stages.foundation import artefacts
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.sealed import write_sealed
from stages.handing_over.proposed import arm_of, require_phase
from stages.mixtures import proposal
from stages.searched.asked import asked
from stages.searched.mixture import decide_mixture
from stages.searched.swarm import fit_swarm
from stages.settings.arms import ArmsParams
from stages.settings.decide import DecideParams

POOLS = ("web", "code")
TOKENS = {"web": 5e5, "code": 5e5}
STABLE, LAST, DECAY = 0.7, 0.2, 0.25


def made_of(**question):
    mix = {"kind": "mixture", "over": POOLS, "runs": 20, "two_phases": True}
    params = ArmsParams(draws=4, draw_tokens=100_000, questions={"mix": mix | question})
    return asked(params, TOKENS)


def runs_of(made):
    """Runs whose loss is least at STABLE and LAST; the shares are those of all tokens, a quarter of them in decays."""
    rng = np.random.default_rng(3)
    rows = []
    for arm in made.questions["mix"]["arms"]:
        stable, last = (
            made.params.arms[name].mixture.get("web", 0.0)
            for name in (arm, made.decays[arm])
        )
        web = (1 - DECAY) * stable + DECAY * last
        loss = 3 + (stable - STABLE) ** 2 + 0.5 * (last - LAST) ** 2
        rows.append(
            {
                "run_id": arm,
                "arm": arm,
                "pool_draw": made.draws[arm][0],
                "n_params": 2_000,
                "n_tokens_seen": 40_000,
                "n_tokens_unique": 40_000,
                "flops": 4.8e8,
                "metric": "loss_news",
                "value": loss + 0.002 * rng.standard_normal(),
                "weight_decay": 0.1,
                "dropout": 0.0,
                "diverged": False,
                "data_hash": arm,
                "code_hash": "c",
                "share_web": web,
                "share_code": 1 - web,
                "unique_web": 4e4 * web,
                "unique_code": 4e4 * (1 - web),
            }
        )
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases")
    made = made_of()
    question = made.questions["mix"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(proposal, "N_DRAWS", 80)
        Path("data/fit").mkdir(parents=True)
        Path("data/arms").mkdir()
        arms = {"questions": made.questions, "pool_tokens": TOKENS, "arms": {}}
        write_sealed(artefacts.ARMS, arms)
        fit_swarm("mix", question, runs_of(made), judges={})
        return decide_mixture("mix", arms, DecideParams(target_flops=[1e9]))[0]


def test_each_run_has_an_arm_for_its_decays_and_both_phases_move_apart():
    made = made_of()
    question = made.questions["mix"]
    assert len(question["arms"]) == 20 and len(made.params.arms) == 40
    assert made.decays["mix-00"] == "mix-00-decay"
    assert made.draws["mix-03"] == made.draws["mix-03-decay"]
    # the first run is the prior in both
    assert made.params.arms["mix-00"] == made.params.arms["mix-00-decay"]
    web = np.array(
        [
            [made.params.arms[name].mixture.get("web", 0.0) for name in pair]
            for pair in made.decays.items()
        ]
    )
    assert abs(np.corrcoef(web.T)[0, 1]) < 0.5
    assert question["mixtures"]["mix-00"] == {
        "stable web": 0.5,
        "stable code": 0.5,
        "decay web": 0.5,
        "decay code": 0.5,
    }


def test_the_best_of_each_phase_is_proposed_within_its_interval(record):
    assert record.status == "decided"
    for name, best in (("stable web", STABLE), ("decay web", LAST)):
        low, high = record.interval[name]
        assert record.proposal[name] == pytest.approx(best, abs=0.06)
        assert low - 0.02 <= best <= high + 0.02
    for phase in ("stable", "decay"):
        both = [record.proposal[f"{phase} {pool}"] for pool in POOLS]
        assert sum(both) == pytest.approx(1.0, abs=1e-6)
    assert record.phases == pytest.approx({"stable": 0.75, "decay": 0.25})
    assert set(record.repetition) == set(POOLS)


def test_the_sentence_and_the_table_tell_the_phases_apart(record):
    assert ", and in the decay on " in record.sentence
    phases = [row["phase"] for row in record.tables.proposal]
    assert phases == ["stable", "stable", "decay", "decay"]


def test_a_phase_is_handed_over_by_itself(record):
    made = {"questions": {"mix": {}}}
    arm = arm_of(record, "proposal", [], made=made, phase="decay")
    assert arm.mixture["web"] == pytest.approx(record.proposal["decay web"], abs=1e-6)
    with pytest.raises(
        InputError, match="say which with --phase stable or --phase decay"
    ):
        require_phase(record, None)


def test_too_few_runs_for_two_mixtures_are_refused():
    with pytest.raises(ParamsError, match="6 runs of 4 domains"):
        made_of(runs=6)
