import pytest

from stages.laws import get_law
from stages.laws.repetition.knowledge import params_needed

P = {"R_max": 2.0, "x_half": 100.0}


@pytest.mark.parametrize(
    ("exposures", "in_the_data", "learned"),
    [
        (100.0, 1e9, 1000.0),  # half of two bits, a thousand parameters
        (300.0, 1e9, 1500.0),
        (100.0, 500.0, 500.0),  # no more than there is
    ],
)
def test_a_model_holds_what_its_size_and_the_exposures_allow(
    exposures, in_the_data, learned
):
    found = get_law("knowledge_capacity").value(
        P,
        {"n_params": 1000.0, "exposures": exposures, "knowledge_bits": in_the_data},
    )
    assert float(found) == pytest.approx(learned)


def test_the_smallest_model_for_all_facts_holds_exactly_them():
    assert params_needed(P, 500.0, 100.0) == pytest.approx(500.0)
