"""Folds leave out the top of each axis and keep enough below to fit."""

import numpy as np
import pytest

from stages.laws.choosing.folds import axes, folds


def grid():
    """4 sizes at 5 token counts each."""
    size, tokens = np.meshgrid(
        [1e6, 2e6, 4e6, 8e6], [1e8, 2e8, 4e8, 8e8, 16e8], indexing="ij"
    )
    return {"n_params": size.ravel(), "n_tokens_seen": tokens.ravel()}


def test_each_fold_holds_the_top_of_its_axis():
    rows = grid()
    found = folds(rows)
    assert {fold.axis for fold in found} == {"flops", "n_params", "n_tokens_seen"}
    columns = axes(rows)
    for fold in found:
        column = columns[fold.axis]
        assert column[fold.held].min() > column[~fold.held].max()


def test_the_depths_are_an_eighth_to_a_half_of_the_runs():
    flops = np.geomspace(1e15, 1e18, 40)
    held = [int(fold.held.sum()) for fold in folds({"flops": flops})]
    assert held == [5, 12, 20]


def test_runs_that_tie_are_held_together():
    rows = grid()
    sizes = [
        rows["n_params"][fold.held] for fold in folds(rows) if fold.axis == "n_params"
    ]
    assert sizes and all(set(held) == {8e6} for held in sizes)


def test_a_fold_leaves_three_levels_and_six_runs():
    assert folds({"flops": np.geomspace(1e15, 1e18, 6)}) == []
    assert folds({"flops": np.repeat([1e15, 1e16, 1e17], 10)}) == []
    four = folds({"flops": np.repeat([1e15, 1e16, 1e17, 1e18], 10)})
    assert [int(fold.held.sum()) for fold in four] == [10]


def test_epochs_are_an_axis_where_data_are_repeated():
    rows = grid()
    rows["n_tokens_unique"] = np.full(20, 1e8)
    assert axes(rows)["epochs"].tolist() == pytest.approx([1, 2, 4, 8, 16] * 4)
    assert "epochs" not in axes(grid())
