from stages.presentation.parameters import parameter_rows


def test_a_parameter_of_each_arm_is_a_row_of_its_own():
    shared, of_arms = {"value": 0.3}, {"a": {"value": 1.0}, "b": {"value": 2.0}}
    assert parameter_rows({"alpha": shared, "E": of_arms}) == [
        {"parameter": "alpha", "value": 0.3},
        {"parameter": "E [a]", "value": 1.0},
        {"parameter": "E [b]", "value": 2.0},
    ]
