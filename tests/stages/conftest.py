"""Stages run one after another in a folder, without DVC; refits and records whose numbers are known by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from stages.decision.record import Flip, Target
from stages.errors import InputError
from stages.params import load_params
from stages.pipeline import PIPELINE


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

    def predict(self, rows, arm=None):
        return np.asarray(self.curves[arm](np.asarray(rows["flops"], float)), float)


class KnownBoot:
    """Stands for a bootstrap: each draw is the fit plus an offset of that draw and arm."""

    def __init__(self, curves, offsets, measured_to):
        self.fit = KnownFit(curves, measured_to)
        self.offsets = {arm: np.array(each, float) for arm, each in offsets.items()}
        self.n_draws = len(next(iter(self.offsets.values())))

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
