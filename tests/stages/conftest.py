"""Stages run one after another in a folder, without DVC; refits and records whose numbers are known by hand."""

import itertools
import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import yaml

from stages import fit
from stages.decision.at_budgets import Flip, Target
from stages.foundation.errors import InputError
from stages.foundation.files import write_json
from stages.laws.interface.cost import Cost
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.verification.record import (
    VERSION,
    Verdict,
    Verification,
    VerifiedLead,
    VerifiedRun,
)


@pytest.fixture(scope="session")
def run_stages():
    """run_stages(folder, params, until) writes params.yaml and runs the pipeline up to a stage,
    each with all that it promised.
    """

    def run(folder, params, until):
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            sections = load_params("params.yaml", PIPELINE)
            for stage in PIPELINE:
                stage.run(sections[stage.name])
                assert not [
                    path for path in stage.products if not (folder / path).exists()
                ], stage.name
                if stage.name == until:
                    return folder
        raise ValueError(f"no stage {until!r}")

    return run


@pytest.fixture
def refused(tmp_path):
    """refused(params, message): params.yaml is refused in one line that matches."""

    def check(params, message):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        with pytest.raises(InputError, match=message) as error:
            load_params(tmp_path / "params.yaml", PIPELINE)
        assert "\n" not in str(error.value)

    return check


class KnownFit:
    """Stands for a fit: value(arm) = curve(FLOPs) of that arm, whatever else a row holds."""

    by_arm = ("E",)

    def __init__(self, curves, measured_to):
        self.curves = curves
        self.law = SimpleNamespace(
            name="known", variable_names=("n_params", "n_tokens_seen")
        )
        self.problem = SimpleNamespace(columns={"flops": np.array([measured_to])})
        self.cost = Cost()

    def predict(self, rows, arm=None):
        return np.asarray(self.curves[arm](np.asarray(rows["flops"], float)), float)


class KnownBoot:
    """Stands for a bootstrap: each draw is the fit plus an offset of that draw and arm."""

    def __init__(self, curves, offsets, measured_to):
        self.fit = KnownFit(curves, measured_to)
        self.offsets = {arm: np.array(each, float) for arm, each in offsets.items()}
        self.n_draws = len(next(iter(self.offsets.values())))

    def central(self, rows, arm=None):
        return self.fit.predict(rows, arm)

    def predict(self, rows, arm=None):
        return self.fit.predict(rows, arm) + self.offsets[arm][:, None]


@pytest.fixture(scope="session")
def known_boot():
    """known_boot({arm: curve over FLOPs}, {arm: offset of each draw}, measured_to): draws known by hand."""

    def made(curves, offsets, measured_to=1e9):
        return KnownBoot(curves, offsets, measured_to)

    return made


@pytest.fixture(scope="session")
def target():
    """target(**changes): the comparison of arms a and b at 2e9 FLOPs, a leading by 0.10."""
    usual = {
        "flops": 2e9,
        "best": "a",
        "second": "b",
        "status": "decided",
        "reason": "a leads",
        "values": {"a": (3.0, 2.9, 3.2), "b": (3.1, 3.05, 3.3)},
        "p_best": {"a": 0.96, "b": 0.04},
        "regret": {"a": 0.001, "b": 0.101},
        "lead": (-0.1, -0.15, -0.02),
        "n_params": {"a": 1e4, "b": 1e4},
        "n_tokens": {"a": 2e5, "b": 2e5},
        "extrapolation_decades": -0.5,
        "runner_up_best": "a",
        "tolerance": 0.01,
        "smallest_detectable_effect": 0.05,
        "p_best_rivals": {},
    }
    return lambda **changes: Target(**usual | changes)


@pytest.fixture(scope="session")
def flip():
    """flip(**changes): a gives way to b at 1e9 FLOPs, between 5e8 and 3e9."""
    usual = {
        "first": "a",
        "second": "b",
        "flops": 1e9,
        "low": 5e8,
        "high": 3e9,
        "share": 0.9,
        "level": 0.9,
        "extrapolated": False,
    }
    return lambda **changes: Flip(**usual | changes)


# loss = E + B / sqrt(tokens): keep_20 leads up to 10,000 tokens, keep_100 beyond
TRUTH = {"keep_20": (2.0, 60.0), "keep_100": (1.6, 100.0), "twin": (1.6, 100.0)}
SIZES = (1_000, 2_000)
BUDGETS = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
DRAWS = 4
# how far the loss of each arm is off in each draw
NOISE = {
    "keep_20": (0.002, -0.001, -0.002, 0.001),
    "keep_100": (-0.002, 0.002, 0.001, -0.001),
    "twin": (0.001, 0.001, -0.002, 0.0),
}
ARM = {
    "by": "quality",
    "take": "high",
    "upweight": None,
    "dedup": "near",
    "rules": False,
    "mixture": None,
}


def loss(arm, n_tokens):
    """Nats a token of the hand-made question, without noise."""
    floor, amplitude = TRUTH[arm]
    return floor + amplitude / n_tokens**0.5


def hand_made_runs():
    """The runs table of the hand-made question: two settings, of which the weaker decay is always worse."""
    cells = itertools.product(TRUTH, SIZES, BUDGETS, range(DRAWS), (0.1, 1.0))
    rows = []
    for arm, n_params, n_tokens, draw, decay in cells:
        trunk = f"{arm}-{n_params}-{draw}-{decay}"
        noise = NOISE[arm][draw] * (1 + (n_params + n_tokens) % 7 / 10)
        value = loss(arm, n_tokens) * np.exp(noise) + (0.5 if decay == 0.1 else 0.0)
        rows.append(
            {
                "run_id": f"{trunk}-{n_tokens}",
                "trunk_id": trunk,
                "arm": arm,
                "modality": "text",
                "n_params": n_params,
                "n_tokens_seen": n_tokens,
                "n_tokens_unique": 500 if arm == "keep_20" else 900,
                "flops": 6.0 * n_params * n_tokens,
                "weight_decay": decay,
                "dropout": 0.0,
                "seed": 0,
                "pool_draw": draw,
                "diverged": False,
                "device": "cpu",
                "seconds": 1.0,
                "metric": "loss_news",
                "value": float(value),
                "data_hash": f"data-{arm}-{draw}",
                "code_hash": "code",
            }
        )
    return pl.DataFrame(rows)


@pytest.fixture(scope="session")
def swept_folder(tmp_path_factory):
    """A folder in which the question `filter` of two arms and a twin is swept, all of it made by hand."""
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runs = hand_made_runs()
        other = runs.with_columns(metric=pl.lit("bpb_news"), value=pl.col("value") / 3)
        (folder / "data/sweep").mkdir(parents=True)
        pl.concat([runs, other]).write_parquet("data/sweep/runs.parquet")
        documents = [[value * 90, value * 110] for value in runs["value"]]
        runs.select("run_id", "metric", loss_nats=pl.Series(documents)).write_parquet(
            "data/sweep/heldout_losses.parquet"
        )
        arms = {
            "questions": {
                "filter": {"title": "How strict?", "arms": ["keep_20", "keep_100"]}
            },
            "arms": {
                "keep_20": {"keep": 0.2, **ARM},
                "keep_100": {"keep": 1.0, **ARM},
            },
            "controls": {"twin": {"kind": "same", "like": "keep_100"}},
            "tiers": ["q000_020", "q020_100"],
        }
        write_json("data/arms/arms.json", arms)
        views = [
            {"arm": arm, "draw": draw, "weight": 1.0, "tier": tier, "n_tokens": tokens}
            for arm, parts in {
                "keep_20": [500],
                "keep_100": [500, 400],
                "twin": [500, 400],
            }.items()
            for draw in range(DRAWS)
            for tier, tokens in enumerate(parts)
        ]
        pl.DataFrame(views).write_parquet("data/arms/views.parquet")
    return folder


def fit_by_hand(folder):
    """Run the fit stage in a copy of the swept folder; two held-out documents of 100 tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        packed = SimpleNamespace(
            open=lambda path: SimpleNamespace(n_scored_each=np.array([100, 100]))
        )
        patch.setattr(fit, "Packed", packed)
        laws = ["chinchilla", "power_floor_tokens"]
        fit.run(fit.FitParams(laws=laws, draws=60, starts=16))
    return folder


@pytest.fixture(scope="session")
def question_folder(swept_folder, tmp_path_factory):
    """The question made by hand, fitted."""
    folder = tmp_path_factory.mktemp("question") / "copy"
    return fit_by_hand(shutil.copytree(swept_folder, folder))


@pytest.fixture
def fitted_folder(swept_folder, tmp_path):
    """The same, fitted for one test alone."""
    return fit_by_hand(shutil.copytree(swept_folder, tmp_path / "copy"))


def verified_run(arm, times, measured, predicted, half=0.1):
    """A run with an interval of this half width."""
    return VerifiedRun(
        run_id=f"{arm}-{times:g}",
        arm=arm,
        flops=times * 1e9,
        times=times,
        n_tokens_seen=int(1000 * times),
        epochs=times,
        pool_draw=0,
        weight_decay=1.0,
        dropout=0.1,
        measured=measured,
        predicted=predicted,
        low=predicted - half,
        high=predicted + half,
        inside=abs(measured - predicted) <= half,
    )


def verified_lead(times, measured, predicted, half=0.1):
    return VerifiedLead(
        arm="a",
        against="b",
        flops=times * 1e9,
        times=times,
        run_ids=[f"a-{times:g}", f"b-{times:g}"],
        measured=measured,
        predicted=predicted,
        low=predicted - half,
        high=predicted + half,
        inside=abs(measured - predicted) <= half,
    )


@pytest.fixture
def verification():
    """verification(**changes): at 2x both runs are inside and `a`, said to lead by .15, trails by .05; at 8x one
    of two runs is inside and the lead of .1 is .2.
    """
    usual = {
        "version": VERSION,
        "question": "filter",
        "decision": "first",
        "metric": "loss_news",
        "level": 0.9,
        "n_params": 1000,
        "fitted_to_flops": 1e9,
        "labels": {"a": "keep a", "b": "keep b"},
        "arms": {"a": "best", "b": "second"},
        "runs": [
            verified_run("a", 2, measured=4.05, predicted=4.05),
            verified_run("b", 2, measured=4.0, predicted=4.08),
            verified_run("a", 8, measured=4.0, predicted=4.08),
            verified_run("b", 8, measured=4.2, predicted=4.0),
        ],
        "leads": [
            verified_lead(2, measured=0.05, predicted=-0.15),
            verified_lead(8, -0.2, -0.1),
        ],
        "verdicts": [
            Verdict(
                flops=2e9,
                times=2,
                status="decided",
                best="a",
                measured_best="b",
                right=False,
            )
        ],
        "coverage": 0.75,
        "mean_error": 0.02,
        "lead_coverage": 0.5,
        "decided_right": 0,
        "decided_wrong": 1,
        "sentence": "as it is",
        "table": [],
        "lead_table": [],
    }
    return lambda **changes: Verification(**usual | changes)


@pytest.fixture(scope="session")
def whole_run():
    """whole_run(trunk_id, spec, arm=..., loss=...): the head and the result of a run file that lacks nothing."""

    def made(trunk_id, spec, *, arm="all", loss=3.0, **header):
        head = {
            "trunk_id": trunk_id,
            "arm": arm,
            "control": "",
            "data_hash": "data",
            "code_hash": "code",
        }
        budgets = [
            {
                "budget_tokens": budget,
                "n_tokens_seen": budget,
                "n_tokens_unique": 100,
                "epochs": budget / 100,
                "flops": spec.flops(budget),
                "flops_exact": spec.flops(budget, exact=True),
                "seconds": 1.0,
                "diverged": False,
                "shares": {"web|q": 1.0},
                "unique": {"web|q": 100},
                "held_out": {
                    "news": {
                        "loss_nats": loss,
                        "standard_error_nats": 0.01,
                        "bits_per_byte": loss / 3,
                        "n_tokens": 200,
                        "n_documents": 2,
                        "document_loss_nats": [90 * loss, 110 * loss],
                    }
                },
            }
            for budget in spec.budgets_tokens
        ]
        result = {
            "spec": spec.to_dict(),
            "budgets": budgets,
            "curve": {
                name: [1]
                for name in (
                    "step",
                    "n_tokens_seen",
                    "budget_tokens",
                    "loss_nats",
                    "lr",
                )
            },
            "diverged": False,
            "device": "cpu",
            "seconds": 1.0,
            "stack_size": 1,
            "notes": [],
        }
        return head | header, result

    return made
