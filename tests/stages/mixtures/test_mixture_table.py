"""The best of many mixtures, where it is known by hand."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError, RefusedError
from stages.mixtures import proposal
from stages.mixtures.mixture_table import mixture_table


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(proposal, "N_DRAWS", 60)


SHARES = np.random.default_rng(0).dirichlet(np.ones(4), 64)


def table(values, shares=SHARES, **columns):
    named = {f"share_{name}": shares[:, i] for i, name in enumerate("abcd")}
    return pl.DataFrame({**named, "value": values, **columns})


BOWL = 2 + (SHARES[:, 0] - 0.5) ** 2 + 0.5 * (SHARES[:, 1] - 0.3) ** 2


def test_the_surface_finds_the_bottom_and_predicts_mixtures_left_out():
    wanted = table(np.ones(64)).drop("value")[:3]
    found = mixture_table(table(BOWL), "runs.csv", predict=wanted)
    assert found["domains"] == list("abcd")
    assert found["best"]["a"] == pytest.approx(0.5, abs=0.05)
    assert found["best"]["b"] == pytest.approx(0.3, abs=0.08)
    for domain, best in (("a", 0.5), ("b", 0.3)):
        low, high = found["interval"][domain]
        assert low - 0.01 <= best <= high + 0.01
    assert found["check"]["rank_correlation"] > 0.98
    assert found["predictions"] == pytest.approx(BOWL[:3], rel=2e-3)


def test_mixtures_too_few_to_tell_domains_apart_are_refused():
    with pytest.raises(RefusedError, match="6 different mixtures of 4 domains"):
        mixture_table(table(BOWL[:6], SHARES[:6]), "runs.csv")


def test_trees_rank_too():
    found = mixture_table(table(2 - SHARES[:, 0]), "runs.csv", method="trees")
    assert max(found["best"], key=found["best"].get) == "a"


def test_projektor_is_a_line_in_log_size():
    sizes = np.where(np.arange(64) < 32, 1e6, 1e8)
    values = 1 + SHARES[:, 0] + 0.1 * np.log10(sizes)
    runs = table(values, n_params=sizes, distance=1 + SHARES[:, 1] ** 2)
    wanted = pl.DataFrame(
        {"share_a": [0.4], "share_b": [0.2], "share_c": [0.3], "share_d": [0.1]}
    ).with_columns(n_params=1e9, distance=1.04)
    found = mixture_table(runs, "runs.csv", method="projektor", predict=wanted)
    assert found["predictions"] == pytest.approx([1 + 0.4 + 0.9], rel=1e-6)


def test_sizes_that_differ_are_a_coded_warning_and_shares_of_no_whole_are_refused():
    mixed = table(BOWL, n_params=np.where(SHARES[:, 0] > 0.3, 1e6, 1e7))
    [warning] = mixture_table(mixed, "runs.csv")["warnings"]
    assert warning["code"] == "sizes_not_read"
    with pytest.raises(InputError, match=r"add up to 100; the shares of a run"):
        mixture_table(table(BOWL, 100 * SHARES), "runs.csv")


def test_mixtures_outside_of_those_trained_are_named_with_their_distance():
    # the four corners of shares .1 to .7; what falls with a asks for more of it than any run had
    corners = np.full((4, 4), 0.1) + 0.6 * np.eye(4)
    between = np.random.default_rng(1).dirichlet(np.ones(4), 60) @ corners
    inner = np.vstack([corners, between])
    wanted = table(np.ones(2), np.array([[0.25] * 4, [1.0, 0, 0, 0]])).drop("value")
    runs = table(3 - 2 * inner[:, 0], inner)
    found = mixture_table(runs, "runs.csv", predict=wanted)
    best, asked = found["warnings"]
    assert best["code"] == asked["code"] == "mixture_beyond"
    assert best["message"].startswith("the best mixture lies outside")
    assert "1 of 2 mixtures of --predict" in asked["message"]
    # from 1, 0, 0, 0 to the corner .7, .1, .1, .1
    assert "at most 30.0% of the mixture (row 2)" in asked["message"]


def test_a_best_mixture_between_runs_has_no_warning():
    assert mixture_table(table(BOWL), "runs.csv")["warnings"] == []
