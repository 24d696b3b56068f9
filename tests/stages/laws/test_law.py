"""What every law must satisfy, whatever its formula: one test each, over all of LAWS."""

import numpy as np
import pytest

from stages.errors import InputError
from stages.laws import LAWS, get_law, half_life, half_life_code

ALL = [*LAWS.values(), half_life(("good", "rest")), half_life(("good", "rest"), sized=True), half_life_code(("good", "rest"))]
rng = np.random.default_rng(0)
POINTS = {
    "n_params": rng.uniform(1e6, 1e9, 30), "n_tokens_seen": rng.uniform(1e7, 1e10, 30), "n_tokens_unique": rng.uniform(1e7, 1e9, 30),
    "flops": rng.uniform(1e15, 1e20, 30), "share_good": np.full(30, 0.25), "share_rest": np.full(30, 0.75),
    "unique_good": rng.uniform(1e6, 1e8, 30), "unique_rest": rng.uniform(1e7, 1e9, 30),
}


def draws(law, n=20, scale=2.0):
    """Parameters (n, 1) inside the starting ranges, amplitudes so that their term is of the size of the value."""
    found = {}
    for p in law.parameters:
        low, high = (x * (scale if p.relative else 1) for x in (p.start_low, p.start_high))
        found[p.name] = np.exp(rng.uniform(np.log(low), np.log(high), (n, 1)))
    for p in law.parameters:
        for power, quantity in p.term:
            positive = quantity(POINTS)[quantity(POINTS) > 0]
            found[p.name] = found[p.name] * np.exp(-found[power] * np.mean(np.log(positive)))
    return found


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name + str(len(law.parameters)))
def test_a_law_broadcasts_parameters_against_points_and_is_positive(law):
    p = draws(law)
    values = law.value(p, POINTS)
    assert values.shape == (20, 30) and np.isfinite(values).all() and (values > 0).all()
    one = law.value({name: part[3] for name, part in p.items()}, POINTS)
    np.testing.assert_allclose(one, values[3], rtol=1e-12)
    by_point = law.value({name: np.tile(part[3], 30) for name, part in p.items()}, POINTS)
    np.testing.assert_allclose(by_point, values[3], rtol=1e-12)


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name + str(len(law.parameters)))
def test_a_law_says_what_it_is(law):
    assert law.title and law.source and len(law.formula) > 10
    assert all(v.unit and v.meaning for v in law.variables) and all(p.unit and p.meaning for p in law.parameters)
    assert all(p.low < p.high and p.low <= p.start_low < p.start_high <= p.high for p in law.parameters)
    assert set(law.arm_parameters) <= set(law.parameter_names) and law.arm_parameters
    assert {power for p in law.parameters for power, _ in p.term} <= set(law.parameter_names)


@pytest.mark.parametrize("law", [law for law in ALL if law.reduces_to], ids=lambda law: law.name)
def test_a_law_equals_the_smaller_law_that_it_names(law):
    rule, smaller = law.reduces_to, get_law(law.reduces_to.law)
    p = draws(law) | {name: np.full((20, 1), value) for name, value in rule.parameters.items()}
    points = POINTS | {name: POINTS[other] for name, other in rule.variables.items()}
    own = law.value(p, points)
    small = smaller.value(p | {name: np.full((20, 1), value) for name, value in rule.other_parameters.items()}, points)
    np.testing.assert_allclose(own, small, rtol=1e-9)


@pytest.mark.parametrize("law", [law for law in ALL if law.gradient], ids=lambda law: law.name)
def test_a_gradient_agrees_with_differences(law):
    p = draws(law)
    exact = law.gradient(p, POINTS)
    for name in law.parameter_names:
        step = 1e-5 * p[name]
        moved = [law.value({**p, name: p[name] + sign * step}, POINTS) for sign in (1, -1)]
        np.testing.assert_allclose((moved[0] - moved[1]) / 2 / step * p[name], exact[name] * p[name], rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["power_floor", "power_floor_tokens", "chinchilla", "data_constrained", "half_life", "half_life_sized"])
def test_more_tokens_or_compute_never_hurt_in_a_saturating_law(name):
    law = get_law(name)
    more = {k: v * 1.5 if k in ("n_tokens_seen", "flops") else v for k, v in POINTS.items()}
    assert (law.value(draws(law), POINTS) >= 0).all()
    p = draws(law)
    assert (law.value(p, more) <= law.value(p, POINTS) + 1e-12).all()


def test_an_unknown_law_is_refused_with_the_names():
    with pytest.raises(InputError, match="no law is called 'kaplan'.*chinchilla"):
        get_law("kaplan")


def test_the_optimum_of_chinchilla_is_the_least_on_a_grid():
    law, p = get_law("chinchilla"), {"E": 1.8, "A": 482.0, "alpha": 0.3478, "B": 2085.4, "beta": 0.3658}
    n_params, n_tokens = law.optimum(p, np.array([1e21]))
    assert n_params[0] * n_tokens[0] * 6 == pytest.approx(1e21)
    grid = np.geomspace(1e8, 1e11, 2001)
    values = law.value(p, {"n_params": grid, "n_tokens_seen": 1e21 / 6 / grid})
    assert grid[values.argmin()] == pytest.approx(n_params[0], rel=0.01)
