from stages.decision.question_laws import (
    fitted_law,
    law_named,
    tier_laws,
    twins,
)
from stages.laws import get_law
from stages.laws.repetition.half_life import OVER_TIERS

TIERS = ["good", "rest"]


def test_the_mixture_is_made_for_the_tiers_of_the_pool():
    law = law_named(OVER_TIERS, TIERS)
    assert law.name == "half_life_sized_mix"
    assert {f"share_{tier}" for tier in TIERS} <= set(law.variable_names)
    assert law_named(law.name, TIERS).variable_names == law.variable_names


def test_any_other_name_is_a_law_of_the_list():
    assert law_named("chinchilla", TIERS) is get_law("chinchilla")


def test_a_twin_is_a_control_of_the_same_data_as_an_arm_of_the_question():
    arms = {
        "controls": {
            "again": {"kind": "same", "like": "all"},
            "of_another": {"kind": "same", "like": "half"},
            "less": {"kind": "drop_half", "like": "all"},
        }
    }
    assert twins(arms, ["all", "best"]) == {"again": "all"}


def test_every_law_over_tiers_is_found_by_the_name_that_its_fit_has():
    for law in tier_laws(TIERS):
        found = fitted_law(law.name, TIERS)
        assert found.name == law.name
        assert found.variable_names == law.variable_names
    # which in fit.laws is the one with model size
    assert "n_params" not in fitted_law(OVER_TIERS, TIERS).variable_names
