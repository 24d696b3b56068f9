"""From a flat vector to named parameters and back, for one arm and for several."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.interface.layout import Layout, at_points

LAW = get_law("chinchilla")
COLUMNS = {
    "n_params": np.array([1e6, 1e8]),
    "n_tokens_seen": np.array([1e9, 1e9]),
}
PARAMS = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}


def layout(**more) -> Layout:
    return Layout.of(LAW, COLUMNS, value_scale=3.0, **more)


def test_parameters_come_back_from_their_vector():
    one = layout()
    theta = one.to_theta({name: np.array([value]) for name, value in PARAMS.items()})
    assert theta.shape == (one.size,) == (5,)
    found = one.to_params(theta)
    assert {name: float(part[0]) for name, part in found.items()} == pytest.approx(
        PARAMS
    )


def test_an_amplitude_is_the_log_of_its_term_at_the_centre_of_the_data():
    one = layout()
    theta = one.to_theta({name: np.array([value]) for name, value in PARAMS.items()})
    # the geometric mean of the sizes is 1e7
    assert theta[one.slots["A"]] == pytest.approx(np.log(400 / 1e7**0.34))
    assert theta[one.slots["B"]] == pytest.approx(np.log(410 / 1e9**0.28))


def test_a_parameter_that_is_separate_has_a_slot_an_arm():
    two = layout(arms=("x", "y"), by_arm=("E",))
    assert two.size == 6 and (two.width("E"), two.width("A")) == (2, 1)
    assert [arm for name, arm in two.slot_names() if name == "E"] == ["x", "y"]
    assert ("alpha", None) in two.slot_names()
    params = {name: np.array([value]) for name, value in PARAMS.items()}
    params["E"] = np.array([1.7, 1.9])
    found = two.to_params(two.to_theta(params))
    assert found["E"] == pytest.approx([1.7, 1.9])
    assert found["A"] == pytest.approx([400.0])


def test_parameters_of_arms_go_to_the_points_of_these_arms():
    found = at_points(
        {"E": np.array([1.0, 2.0]), "A": np.array([5.0])}, np.array([1, 0, 1])
    )
    assert found["E"].tolist() == [2.0, 1.0, 2.0] and found["A"].tolist() == [5.0]


def test_ranges_are_in_the_scale_of_the_values():
    one = layout()
    low, high = one.range("low", "high")
    floor = next(p for p in LAW.parameters if p.name == "E")
    assert floor.relative and floor.high == 1.0
    at = one.slots["E"]
    top = np.exp(high[at]) if floor.transform == "log" else high[at]
    assert top == pytest.approx([3.0])
    assert np.all(low < high)
