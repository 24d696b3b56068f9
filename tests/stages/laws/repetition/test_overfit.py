import pytest

from stages.laws import get_law

CHINCHILLA = {"E": 1.0, "A": 4.0, "alpha": 0.5, "B": 6.0, "beta": 0.5}
RUN = {"n_params": 16.0, "n_tokens_seen": 36.0}


@pytest.mark.parametrize(
    ("name", "penalty", "expected"),
    [  # three repeats, and 16 parameters on 9 unique tokens
        ("overfit_one", {"P": 0.1}, 0.1 * 3 * 16 / 9),
        ("overfit_two", {"P": 0.1, "delta": 0.5}, 0.1 * (3 * 16 / 9) ** 0.5),
        ("overfit", {"P": 0.1, "delta": 2.0, "kappa": 0.5}, 0.1 * 9 * 4 / 3),
        (
            "overfit_four",
            {"P": 0.1, "delta": 2.0, "kappa": 0.5, "mu": 1.0},
            0.1 * 9 * 4 / 9,
        ),
    ],
)
def test_repeats_add_a_penalty_to_chinchilla(name, penalty, expected):
    law = get_law(name)
    repeated = law.value(CHINCHILLA | penalty, RUN | {"n_tokens_unique": 9.0})
    fresh = law.value(CHINCHILLA | penalty, RUN | {"n_tokens_unique": 36.0})
    assert float(fresh) == pytest.approx(1 + 4 / 4 + 6 / 6)
    assert float(repeated - fresh) == pytest.approx(expected)


def test_past_some_repeats_more_passes_harm_even_where_tokens_decay():
    law = get_law("overfit_data_constrained")
    p = CHINCHILLA | {"R_D_star": 5.0, "P": 0.02, "delta": 1.0, "kappa": 1.0}
    passes = [
        float(
            law.value(
                p, {"n_params": 9.0, "n_tokens_unique": 9.0, "n_tokens_seen": seen}
            )
        )
        for seen in (9.0, 27.0, 900.0)
    ]
    assert passes[1] < passes[0] < passes[2]
