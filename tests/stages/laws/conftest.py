"""Published tables and simulated runs for the tests of the laws."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from stages.laws import get_law

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def evidence():
    """Function: name of a published table -> its rows as dicts of text. Skips where the tables are not there."""
    folder = Path(
        os.environ.get("ASSAY_EVIDENCE") or CHECKOUT.parent / "shared" / "evidence"
    )

    def read(name: str) -> list[dict[str, str]]:
        if not (folder / name).exists():
            pytest.skip(
                f"no {name} in {folder}; set ASSAY_EVIDENCE to the folder of published"
                " tables"
            )
        with open(folder / name, newline="") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture(scope="session")
def table_of():
    """Function: rows of text and {our column: their column} -> columns of floats."""
    return lambda rows, **columns: {
        ours: np.array([float(row[theirs]) for row in rows])
        for ours, theirs in columns.items()
    }


TRUTH = {
    "power_floor": {"E": 1.8, "A": 40.0, "alpha": 0.1},
    "chinchilla": {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.36},
    "data_constrained": {
        "E": 1.7,
        "A": 400.0,
        "alpha": 0.34,
        "B": 2000.0,
        "beta": 0.36,
        "R_D_star": 8.0,
        "R_N_star": 6.0,
    },
    "half_life": {"E": 1.0, "B": 60.0, "beta": 0.2, "tau": 6.0},
    "half_life_sized": {
        "E": 1.7,
        "A": 400.0,
        "alpha": 0.34,
        "B": 2000.0,
        "beta": 0.36,
        "tau": 6.0,
    },
    "overfit": {
        "E": 1.7,
        "A": 400.0,
        "alpha": 0.34,
        "B": 2000.0,
        "beta": 0.36,
        "P": 0.02,
        "delta": 0.9,
        "kappa": 0.6,
    },
}


def _design(name: str, repeats: int) -> dict[str, np.ndarray]:
    """Sizes x budgets (x unique tokens) x repeats for one law."""

    def grid(**axes):
        return dict(
            zip(
                axes,
                (np.repeat(a.ravel(), repeats) for a in np.meshgrid(*axes.values())),
                strict=True,
            )
        )

    sizes = np.geomspace(5e6, 1e9, 5)
    if name == "power_floor":
        return grid(flops=np.geomspace(1e16, 1e21, 24))
    if name == "chinchilla":
        return grid(n_params=sizes, n_tokens_seen=np.geomspace(5e7, 2e10, 6))
    if name == "half_life":
        columns = grid(
            unique=np.array([2e7, 2e8, 2e9]),
            epochs=np.array([1, 2, 4, 8, 16, 32.0, 1, 2, 4, 8, 16, 32.0]),
        )
    else:
        columns = grid(
            n_params=sizes,
            unique=np.array([3e7, 6e8]),
            epochs=np.array([0.5, 1, 4, 8, 16, 48.0]),
        )
    unique = columns.pop("unique")
    return columns | {
        "n_tokens_unique": unique,
        "n_tokens_seen": unique * columns.pop("epochs"),
    }


@pytest.fixture(scope="session")
def simulated():
    """Function: law name -> (rows without noise, true parameters)."""

    def make(name: str, repeats: int = 2):
        rows, truth = _design(name, repeats), TRUTH[name]
        value = get_law(name).value({k: np.array([v]) for k, v in truth.items()}, rows)
        return rows | {"value": value}, truth

    return make


@pytest.fixture(scope="session")
def arm_runs():
    """Function: three arms on one design with pool draws, noise by draw, by arm and draw, and by
    run (arm c twice as noisy).

    Arm a is best early (small B) and worst late (large E); equal=True makes all arms the same.
    """

    def make(
        rng,
        n_draws: int,
        *,
        equal=False,
        floors=(1.8, 1.7, 1.7),
        amplitudes=(1600.0, 2000.0, 2000.0),
        noise=1.0,
    ):
        sizes, tokens = np.geomspace(5e6, 5e8, 3), np.geomspace(1e8, 1e10, 5)
        arm, n_params, n_tokens, draw = (
            x.ravel()
            for x in np.meshgrid(
                np.arange(3), sizes, tokens, np.arange(n_draws), indexing="ij"
            )
        )
        arm, draw = arm.astype(int), draw.astype(int)
        floors, amplitudes = (
            ([1.7] * 3, [2000.0] * 3) if equal else (floors, amplitudes)
        )
        rows = {
            "n_params": n_params,
            "n_tokens_seen": n_tokens,
            "arm": np.array(["a", "b", "c"])[arm],
            "pool_draw": draw,
        }
        value = get_law("chinchilla").value(
            {
                "E": np.array(floors)[arm],
                "A": 400.0,
                "alpha": 0.34,
                "B": np.array(amplitudes)[arm],
                "beta": 0.36,
            },
            rows,
        )
        wobble = (
            0.006 * rng.standard_normal(n_draws)[draw]
            + 0.004 * rng.standard_normal((3, n_draws))[arm, draw]
            + 0.005 * rng.standard_normal(arm.size) * np.array([1, 1, 2])[arm]
        )
        truth = {
            "E": dict(zip("abc", floors, strict=True)),
            "B": dict(zip("abc", amplitudes, strict=True)),
            "A": 400.0,
            "alpha": 0.34,
            "beta": 0.36,
        }
        return rows | {"value": value * np.exp(noise * wobble)}, truth

    return make
