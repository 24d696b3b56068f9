"""Tables that no law can be fitted to: every law refuses in one line that names the column, before any fitting."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import LAWS
from stages.laws.fitting.fit import fit_law

over_laws = pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)


def table(law, n=40):
    rng = np.random.default_rng(0)
    columns = {
        v.name: np.exp(rng.uniform(np.log(v.typical[0]), np.log(v.typical[1]), n))
        for v in law.variables
    }
    return columns | {"value": np.linspace(4, 2, n)}


def spoiled(column, value):
    return np.array([*column[:2], value, *column[3:]])


@over_laws
def test_a_missing_column_is_named(law):
    for name in (*law.variable_names, "value"):
        rows = {k: v for k, v in table(law).items() if k != name}
        with pytest.raises(
            InputError, match=f"no column '{name}'.*map it with {name}="
        ):
            fit_law(law, rows)


@over_laws
@pytest.mark.parametrize(
    "cell", [float("nan"), float("inf"), -2.0, "diverged"], ids=str
)
def test_a_cell_that_is_no_positive_number_is_named(law, cell):
    for name in (law.variable_names[0], "value"):
        rows = table(law)
        with pytest.raises(InputError) as refusal:
            fit_law(law, rows | {name: spoiled(rows[name], cell)})
        line = str(refusal.value)
        assert (
            f"'{name}'" in line
            and "\n" not in line
            and ("drop or repair" in line or "give one number a row" in line)
        )


@over_laws
def test_fewer_runs_than_unknowns_are_refused_with_both_numbers(law):
    n = len(law.parameters) - 1
    if n == 0:
        pytest.skip("one unknown can be fitted to one run")
    with pytest.raises(
        InputError,
        match=f"{n + 1} unknowns here but the table has {n}|needs several values of",
    ):
        fit_law(law, table(law, n))


@pytest.mark.parametrize(
    "law",
    [law for law in LAWS.values() if "n_params" in law.variable_names],
    ids=lambda law: law.name,
)
def test_one_model_size_is_refused_with_a_cure(law):
    with pytest.raises(
        InputError, match="needs several values of n_params.*use a law without n_params"
    ):
        fit_law(law, table(law) | {"n_params": np.full(40, 1e8)})
