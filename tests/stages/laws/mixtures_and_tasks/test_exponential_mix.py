"""Mixing laws: the gauge, the implicit form, and held-out mixtures of the published tables."""

import numpy as np

from stages.laws import implicit_mix
from stages.laws.fitting.fit import fit_law
from stages.laws.mixtures_and_tasks.exponential_mix import exponential_mix, overall


def test_one_hidden_domain_is_the_explicit_law_and_two_equal_ones_are_twice_its_reducible_part():
    domains, v = (
        ("a", "b"),
        {"share_a": np.array([0.2, 0.9]), "share_b": np.array([0.8, 0.1])},
    )
    explicit = exponential_mix(domains).value({"E": 1.0, "k": -0.5, "t_b": 1.2}, v)
    one = implicit_mix(domains, 1).value({"E": 1.0, "k_1": -0.5, "t_b_1": 1.2}, v)
    two = implicit_mix(domains, 2).value(
        {"E": 1.0, "k_1": -0.5, "t_b_1": 1.2, "k_2": -0.5, "t_b_2": 1.2}, v
    )
    np.testing.assert_allclose(one, explicit)
    np.testing.assert_allclose(two - 1, 2 * (explicit - 1))


def test_the_overall_value_is_the_weighted_mean_of_the_domains():
    values = {"x": np.array([1.0, 2.0]), "y": np.array([3.0, 3.0])}
    np.testing.assert_allclose(overall(values, {"x": 1.0, "y": 3.0}), [2.5, 2.75])


def test_mixtures_never_seen_are_predicted_as_well_as_by_an_honest_refit(evidence):
    """Fit 20 of the 26 mixtures of five domains, predict 6, three splits; .0192 nats is what an
    independent refit had.
    """
    domains = ("academic", "prose", "dialogue", "symbolic", "internet")
    weights = {
        row["val_domain"]: float(row["pile_valid_weight"])
        for row in evidence("mixinglaws_valid_weight.csv")
    }
    rows = [
        row
        for row in evidence("mixinglaws_5mix.csv")
        if row["step"] == "30000" and row["model"] == "70M"
    ]
    tags = sorted({row["run_tag"] for row in rows})
    loss = {
        (row["run_tag"], row["val_domain"]): float(row["loss_nats"]) for row in rows
    }
    shares = {
        f"share_{d}": np.array(
            [
                next(float(row[f"w_{d}"]) for row in rows if row["run_tag"] == tag)
                for tag in tags
            ]
        )
        for d in domains
    }
    observed = overall(
        {d: np.array([loss[tag, d] for tag in tags]) for d in weights}, weights
    )
    law, errors = exponential_mix(domains), []
    for split in range(3):
        held = np.zeros(len(tags), bool)
        held[np.random.default_rng(split).permutation(len(tags))[:6]] = True
        predicted = {}
        for d in weights:
            known = {name: part[~held] for name, part in shares.items()} | {
                "value": np.array([loss[tag, d] for tag in tags])[~held]
            }
            fit = fit_law(law, known, n_starts=16, delta=None, identify=False)
            predicted[d] = fit.predict(
                {name: part[held] for name, part in shares.items()}
            )
        errors.append(np.mean(np.abs(overall(predicted, weights) - observed[held])))
    assert np.mean(errors) < 0.0192
