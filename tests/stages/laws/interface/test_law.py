"""What every law must satisfy, whatever its formula: one test each, over all of LAWS, and how laws are found.

Points come from `Variable.typical`, parameters from the starting ranges, so a new law needs no line here.
"""

import ast
import inspect
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.laws import LAWS, automatic_laws, get_law, half_life_code, laws_of
from stages.laws.fitting.fit import fit_law
from stages.laws.repetition.half_life import half_life
from stages.laws.repetition.information import information
from stages.laws.repetition.recipe import recipe

POOLS = ("good", "rest")
FACTORIES = [
    half_life(POOLS),
    half_life(POOLS, sized=True),
    half_life_code(POOLS),
    recipe(POOLS),
    recipe(POOLS, shared=("beta", "tau")),
    information(POOLS),
]
ALL = [*LAWS.values(), *FACTORIES]
LAW_FILES = [
    module
    for name, module in sorted(sys.modules.items())
    if name.startswith("stages.laws.")
    and any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "Law"
        for node in ast.walk(ast.parse(inspect.getsource(module)))
    )
]
over_laws = pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)


def points(law, n=30, seed=0):
    """Runs drawn from the typical ranges, log-uniform; the shares of a run add up to 1."""
    rng = np.random.default_rng(seed)
    columns = {}
    for name in sorted(
        {v.name: v for v in law.variables}
    ):  # sorted: laws that share variables see the same points
        low, high = next(v.typical for v in law.variables if v.name == name)
        columns[name] = np.exp(rng.uniform(np.log(low), np.log(high), n))
    shares = [name for name in columns if name.startswith("share_")]
    if len(shares) > 1:
        total = sum(columns[name] for name in shares)
        columns |= {name: columns[name] / total for name in shares}
    return columns


def draws(law, columns, n=20, scale=2.0, seed=1):
    """Parameters (n, 1) inside the starting ranges, amplitudes so that their term is of the size of the value."""
    rng, found = np.random.default_rng(seed), {}
    for p in law.parameters:
        low, high = (
            x * (scale if p.relative else 1) for x in (p.start_low, p.start_high)
        )
        drawn = (
            rng.uniform(np.log(low), np.log(high), (n, 1))
            if p.transform == "log"
            else rng.uniform(low, high, (n, 1))
        )
        found[p.name] = np.exp(drawn) if p.transform == "log" else drawn
    for p in law.parameters:
        for exponent, quantity in p.term:
            size = quantity(columns)
            found[p.name] = found[p.name] * np.exp(
                -found[exponent] * np.mean(np.log(size[size > 0]))
            )
    return found


@over_laws
def test_a_law_broadcasts_parameters_against_points_and_is_positive(law):
    columns = points(law)
    p = draws(law, columns)
    values = law.value(p, columns)
    assert values.shape == (20, 30) and np.isfinite(values).all() and (values > 0).all()
    one = law.value({name: part[3] for name, part in p.items()}, columns)
    np.testing.assert_allclose(one, values[3], rtol=1e-12)
    by_point = law.value(
        {name: np.tile(part[3], 30) for name, part in p.items()}, columns
    )
    np.testing.assert_allclose(by_point, values[3], rtol=1e-12)


@over_laws
def test_a_law_says_what_it_is(law):
    for field in ("title", "formula", "source", "arm_parameters"):
        assert getattr(law, field), f"{law.name} lacks its {field}"
    assert len(law.formula) > 10, f"{law.name} has the formula {law.formula!r}"
    header = sys.modules[law.value.__module__].__doc__
    assert header and len(header) > 20, f"{law.value.__module__} lacks its docstring"
    assert all(
        v.unit and v.meaning and 0 < v.typical[0] < v.typical[1] for v in law.variables
    )
    assert all(p.unit and p.meaning for p in law.parameters)
    assert all(
        p.low < p.high and p.low <= p.start_low < p.start_high <= p.high
        for p in law.parameters
    )
    assert all(p.low > 0 for p in law.parameters if p.transform == "log")
    assert set(law.arm_parameters) <= set(law.parameter_names)
    assert {power for p in law.parameters for power, _ in p.term} <= set(
        law.parameter_names
    )


@pytest.mark.parametrize(
    "law", [law for law in ALL if law.reduces_to], ids=lambda law: law.name
)
def test_a_law_equals_the_smaller_law_that_it_names(law):
    rule, smaller = law.reduces_to, get_law(law.reduces_to.law)
    columns = points(law)
    columns |= {
        name: column for name, column in points(smaller).items() if name not in columns
    }
    p = draws(law, columns) | {
        name: np.full((20, 1), value) for name, value in rule.parameters.items()
    }
    columns |= {name: columns[other] for name, other in rule.variables.items()}
    own = law.value(p, columns)
    small = smaller.value(
        p
        | {
            name: np.full((20, 1), value)
            for name, value in rule.other_parameters.items()
        },
        columns,
    )
    np.testing.assert_allclose(own, small, rtol=1e-9)


@pytest.mark.parametrize(
    "law", [law for law in ALL if law.gradient], ids=lambda law: law.name
)
def test_a_gradient_agrees_with_differences(law):
    columns = points(law)
    p = draws(law, columns)
    exact = law.gradient(p, columns)
    assert set(exact) == set(law.parameter_names)
    for name in law.parameter_names:
        step = 1e-5 * p[name]
        moved = [
            law.value({**p, name: p[name] + sign * step}, columns) for sign in (1, -1)
        ]
        found = (moved[0] - moved[1]) / 2 / step * p[name]
        wanted = exact[name] * p[name]
        rounding = np.finfo(float).eps * np.abs(moved[0]) / 1e-5  # of the difference
        assert np.all(
            np.abs(found - wanted) <= 2e-4 * np.abs(wanted) + 1e-7 + rounding
        ), name


@over_laws
def test_a_fit_recovers_what_a_law_says_and_stays_in_its_bounds(law):
    columns, fresh = points(law, n=80, seed=2), points(law, n=80, seed=3)
    p = draws(law, columns, n=1, seed=4)
    truth, expected = law.value(p, columns)[0], law.value(p, fresh)[0]
    exact = fit_law(
        law,
        columns | {"value": truth},
        objective="least_squares_log",
        n_starts=24,
        identify=False,
    )
    assert np.median(np.abs(exact.predict(fresh) / expected - 1)) < 1e-3
    noisy = fit_law(
        law,
        columns
        | {
            "value": truth * np.exp(0.01 * np.random.default_rng(5).standard_normal(80))
        },
        objective="least_squares_log",
        n_starts=24,
        identify=False,
    )
    assert (
        np.sqrt(np.mean((noisy.predict(columns) / truth - 1) ** 2)) < 0.008
    )  # 80 runs, 1 % noise, at most a dozen unknowns
    low, high = noisy.problem.layout.range("low", "high")
    assert np.all((low - 1e-9 <= noisy.theta) & (noisy.theta <= high + 1e-9))


@pytest.mark.parametrize(
    "name",
    [
        "power_floor",
        "power_floor_tokens",
        "chinchilla",
        "data_constrained",
        "data_constrained_geometric",
        "effective_data",
        "half_life",
        "half_life_sized",
        "information",
    ],
)
def test_more_tokens_or_compute_never_hurt_in_a_saturating_law(name):
    law = get_law(name)
    columns = points(law)
    more = {
        k: v * 1.5 if k in ("n_tokens_seen", "flops") else v for k, v in columns.items()
    }
    p = draws(law, columns)
    assert (law.value(p, columns) >= 0).all() and (
        law.value(p, more) <= law.value(p, columns) + 1e-12
    ).all()


def test_an_unknown_law_is_refused_with_the_names():
    with pytest.raises(InputError, match="no law is called 'gompertz'.*chinchilla"):
        get_law("gompertz")


def test_the_optimum_of_chinchilla_is_the_least_on_a_grid():
    law, p = (
        get_law("chinchilla"),
        {"E": 1.8, "A": 482.0, "alpha": 0.3478, "B": 2085.4, "beta": 0.3658},
    )
    n_params, n_tokens = law.optimum(p, np.array([1e21]))
    assert n_params[0] * n_tokens[0] * 6 == pytest.approx(1e21)
    grid = np.geomspace(1e8, 1e11, 2001)
    values = law.value(p, {"n_params": grid, "n_tokens_seen": 1e21 / 6 / grid})
    assert grid[values.argmin()] == pytest.approx(n_params[0], rel=0.01)


@pytest.mark.parametrize("module", LAW_FILES, ids=lambda module: module.__name__)
def test_a_file_that_builds_a_law_names_one_and_has_its_own_test(module):
    own = Path(module.__file__).relative_to(ROOT)
    assert laws_of([module]), (
        f"{own} builds a law and gives none a name of the module: NAME = Law(...)"
    )
    mirror = ROOT / "tests" / own.with_name(f"test_{own.name}")
    assert mirror.is_file(), f"{own} lacks its test {mirror.relative_to(ROOT)}"


def module_of(name, *laws):
    module = ModuleType(name)
    for place, law in enumerate(laws):
        setattr(module, f"LAW_{place}", law)
    return module


def test_laws_are_found_in_the_order_of_ranks_and_a_new_file_comes_last():
    chinchilla, kaplan = get_law("chinchilla"), get_law("kaplan")
    new = replace(chinchilla, name="new", rank=type(chinchilla).rank)
    second = replace(new, name="second_of_the_file")
    modules = [
        module_of("a", new, second),
        module_of("b", kaplan),
        module_of("c", chinchilla),
    ]
    assert list(laws_of(modules)) == [
        "chinchilla",
        "kaplan",
        "new",
        "second_of_the_file",
    ]


def test_two_laws_of_one_name_are_refused():
    law = get_law("chinchilla")
    assert list(laws_of([module_of("a", law), module_of("b", law)])) == ["chinchilla"]
    with pytest.raises(ValueError, match="two laws are called 'chinchilla'"):
        laws_of([module_of("a", law), module_of("b", replace(law, title="other"))])


def test_auto_tries_the_laws_that_say_so():
    assert {law.name for law in automatic_laws("sizes and tokens")} == {
        "power_floor",
        "compute_offset",
        "log_linear",
        "chinchilla",
        "coupled",
        "over_training",
        "kaplan_floor",
        "bracket",
    }
    assert {law.name for law in automatic_laws("repeats")} == {
        "data_constrained",
        "overfit_log",
        "overfit_log_one",
        "overfit_log_two",
        "bracket_log",
    }
    assert [law.name for law in automatic_laws("compute alone")] == [
        "power_floor",
        "log_linear_compute",
        "compute_offset",
    ]
    assert [law.name for law in automatic_laws("tokens alone")] == [
        "power_floor_tokens",
        "log_linear_tokens",
    ]
    assert [law.name for law in automatic_laws("repeats of one size")] == ["half_life"]


def test_a_law_for_tables_of_compute_alone_does_not_read_sizes_and_tokens():
    for law in automatic_laws("compute alone"):
        assert not {"n_params", "n_tokens_seen"} <= set(law.variable_names), (
            f"{law.name} would never be tried: it reads sizes and tokens"
        )
