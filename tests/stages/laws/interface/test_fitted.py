"""A fitted law as a record."""

from stages.laws.interface.fitted import FittedParameter, parameter_rows


def parameter(value: float) -> FittedParameter:
    return FittedParameter(
        value=value, low=None, high=None, unit="1", at_bound=False, identified=True
    )


def test_a_parameter_of_each_arm_is_a_row_of_its_own():
    of_arms = {"a": parameter(1.0), "b": parameter(2.0)}
    rows = parameter_rows({"alpha": parameter(0.3), "E": of_arms})
    assert [(row["parameter"], row["value"]) for row in rows] == [
        ("alpha", 0.3),
        ("E [a]", 1.0),
        ("E [b]", 2.0),
    ]
