"""Axes for any law: what is drawn against what, and points on their curves."""

import numpy as np
import pytest

from stages.laws import LAWS, get_law
from stages.laws.fitting.fit import fit_law
from stages.presentation.si import si
from stages.run_tables.law_axes import (
    COMPUTE,
    MAX_LEVELS,
    axes_of,
    axis_label,
    levels,
    main_variable,
    on_curve,
)


def exact(name, columns, **parameters):
    """A fit of a law to its own values."""
    law = get_law(name)
    value = law.value({k: np.array([v]) for k, v in parameters.items()}, columns)
    return fit_law(
        law,
        columns | {"value": value},
        objective="least_squares_log",
        n_starts=16,
        identify=False,
    ), columns | {"value": value}


@pytest.fixture(scope="module")
def chinchilla():
    n, d = (
        g.ravel()
        for g in np.meshgrid(np.geomspace(1e7, 1e9, 8), np.geomspace(2e8, 5e10, 8))
    )
    return exact(
        "chinchilla",
        {"n_params": n, "n_tokens_seen": d},
        E=1.8,
        A=400.0,
        alpha=0.34,
        B=1200.0,
        beta=0.33,
    )


def test_size_and_tokens_are_drawn_against_compute_with_a_curve_a_size(chinchilla):
    fit, rows = chinchilla
    axes = axes_of(fit, rows)
    assert axes.x is COMPUTE and axes.by.name == "n_params"
    found = levels(axes, rows)
    assert (
        2 <= len(found) <= MAX_LEVELS and sum(level.mask.sum() for level in found) == 64
    )
    assert [level.columns["n_params"] for level in found] == sorted(
        level.columns["n_params"] for level in found
    )


def test_points_lie_on_the_curve_of_their_level_where_the_law_is_exact(chinchilla):
    fit, rows = chinchilla
    axes = axes_of(fit, rows)
    for level in levels(axes, rows):
        own = {name: column[level.mask] for name, column in rows.items()}
        x, y, _ = on_curve(fit, axes, level, own, None)
        np.testing.assert_allclose(x, 6 * own["n_params"] * own["n_tokens_seen"])
        np.testing.assert_allclose(
            y, fit.predict(axes.rows_at(x, level.columns)), rtol=1e-4
        )


def test_a_run_above_the_law_stays_as_far_above_its_curve(chinchilla):
    fit, rows = chinchilla
    axes = axes_of(fit, rows)
    level = levels(axes, rows)[0]
    raised = {name: column[level.mask] for name, column in rows.items()}
    raised["value"] = raised["value"] * 1.05
    x, y, moved = on_curve(fit, axes, level, raised, None)
    np.testing.assert_allclose(
        y / fit.predict(axes.rows_at(x, level.columns)), 1.05, rtol=1e-3
    )
    assert moved > 0.002  # two sizes share this level


def test_shares_go_on_adding_up_to_one_along_the_curve():
    shares = np.random.default_rng(0).dirichlet([2, 2, 2], 40)
    fit, rows = exact(
        "exponential_mix",
        {
            f"share_{n}": shares[:, i]
            for i, n in enumerate(("first", "second", "third"))
        },
        E=1.5,
        k=0.5,
        t_second=-1.0,
        t_third=0.7,
    )
    axes = axes_of(fit, rows)
    along = axes.rows_at(np.linspace(0, 1, 5), levels(axes, rows)[0].columns)
    np.testing.assert_allclose(sum(along.values()), 1.0)
    assert not axes.log and axes.by is None


@pytest.mark.parametrize("name", LAWS)
def test_every_law_has_a_main_variable_of_its_own(name):
    law = LAWS[name]
    columns = {v.name: np.geomspace(*v.typical, 9) for v in law.variables}
    x = main_variable(law, columns)
    assert x is COMPUTE or x.name in law.variable_names
    assert (x is COMPUTE) == (
        "flops" not in law.variable_names
        and {"n_params", "n_tokens_seen"} <= set(law.variable_names)
    )


def test_labels_carry_the_unit_once():
    by_name = {v.name: v for law in LAWS.values() for v in law.variables}
    assert axis_label(by_name["n_params"]) == "model size (parameters)"
    assert axis_label(by_name["n_tokens_seen"]) == "training tokens"
    assert (
        axis_label(COMPUTE) == "training compute, 6ND (FLOPs)"
        and axis_label(by_name["flops"]) == "training compute (FLOPs)"
    )
    assert [si(x) for x in (0.25, 1500, 7.5e7, 1.2e9, 3e12)] == [
        "0.25",
        "1.5k",
        "75M",
        "1.2B",
        "3T",
    ]
