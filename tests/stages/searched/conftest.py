"""A mixture question whose runs come from known losses."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stages.foundation import artefacts
from stages.foundation.sealed import write_sealed
from stages.searched.asked import asked
from stages.searched.mixture import decide_mixture
from stages.searched.swarm import fit_swarm
from stages.settings.arms import ArmsParams
from stages.settings.decide import DecideParams

POOLS = ("web", "code", "books")
BEST = np.array([0.5, 0.3, 0.2])
TOKENS = {"web": 6e5, "code": 1e5, "books": 3e5}
BUDGETS = (20_000, 40_000)
RATE = 2.5
NONE: dict[str, float] = {}
BYTES = 3.0  # of a token


def losses(shares, n_tokens):
    """(runs, domains): each is least in its own pool; their mean is least at BEST at every budget."""
    own = np.exp(RATE * BEST) * np.exp(-RATE * shares)
    return 2 + own + (1e4 / n_tokens) ** 0.5


def params_of(**question):
    return ArmsParams(
        draws=4,
        draw_tokens=100_000,
        questions={"mix": {"kind": "mixture", "over": POOLS, **question}},
    )


def runs_of(made, noise=0.003, effect=0.1, budgets=BUDGETS[1:], truth=losses):
    """The runs table. effect: sd of what the runs of a resample share, nats."""
    rng = np.random.default_rng(5)
    shared = effect * rng.standard_normal((made.params.draws, len(POOLS)))
    rows = []
    for arm in made.questions["mix"]["arms"]:
        [draw] = made.draws[arm]
        mixture = made.params.arms[arm].mixture
        share = np.array([mixture.get(pool, 0.0) for pool in POOLS])
        for n_tokens in budgets:
            reached = truth(share[None], n_tokens)[0] + shared[draw]
            reached = reached + noise * rng.standard_normal(len(POOLS))
            bits = [("bpb", each / BYTES / np.log(2)) for each in reached]
            judged = [*(("loss", each) for each in reached), *bits]
            for pool, (kind, value) in zip(POOLS * 2, judged, strict=True):
                rows.append(
                    {
                        "run_id": f"{arm}-{n_tokens}",
                        "arm": arm,
                        "pool_draw": draw,
                        "n_params": 2_000,
                        "n_tokens_seen": n_tokens,
                        "n_tokens_unique": n_tokens,
                        "flops": 6.0 * 2_000 * n_tokens,
                        "metric": f"{kind}_{pool}",
                        "value": float(value),
                        "value_se": 1e-3,
                        "weight_decay": 0.1,
                        "dropout": 0.0,
                        "diverged": False,
                        "data_hash": arm,
                        "code_hash": "c",
                        **{
                            f"share_{name}": each if each else None
                            for name, each in zip(POOLS, share.tolist(), strict=True)
                        },
                        **{
                            f"unique_{name}": min(1e5, each * n_tokens)
                            for name, each in zip(POOLS, share.tolist(), strict=True)
                        },
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """decided(question keys, decide={}, judges={}, **runs) -> the record and its curves, from known losses."""
    folder = tmp_path_factory.mktemp("mix")

    def make(question, decide=None, judges=NONE, **runs):
        made = asked(params_of(**question), TOKENS)
        arms = {
            "questions": made.questions,
            "arms": {name: arm.model_dump() for name, arm in made.params.arms.items()},
            "pool_tokens": TOKENS,
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            Path("data/fit").mkdir(parents=True, exist_ok=True)
            Path("data/arms").mkdir(parents=True, exist_ok=True)
            write_sealed(artefacts.ARMS, arms)
            fit_swarm(
                "mix", made.questions["mix"], runs_of(made, **runs), judges=judges
            )
            settings = DecideParams(**{"target_flops": [1e9]} | (decide or {}))
            return decide_mixture("mix", arms, settings)

    return make
