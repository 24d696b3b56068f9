"""Exponents of published studies as a prior: its centre and spread by hand, what leaving a study out leaves out, and
how far it moves few runs and many."""

import numpy as np
import pytest

from stages.laws import LAWS, get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.hierarchy import LEAST_SPREAD, learnt_prior, predictive
from stages.laws.fitting.learnt_exponents import EXPONENTS
from stages.laws.fitting.prior import Prior

THREE = {"one": (0.1, 0.0, 1), "two": (0.2, 0.0, 1), "three": (0.4, 0.0, 1)}
LAW = get_law("power_floor")


def test_centre_and_spread_of_three_studies_by_hand():
    """Logs a factor 2 apart: mean log .2, variance (log 2)^2, and a third of it more for a fourth study."""
    mean, spread = predictive(THREE)
    assert mean == pytest.approx(np.log(0.2))
    assert spread == pytest.approx(np.log(2) * np.sqrt(4 / 3))


def test_tables_of_one_study_count_as_one_and_their_scatter_adds():
    """The study of many tables moves the mean no more than the others; only studies with several tell a scatter."""
    mean, spread = predictive(THREE | {"three": (0.4, 0.5, 100)})
    assert mean == pytest.approx(np.log(0.2))
    assert spread == pytest.approx(np.sqrt(np.log(2) ** 2 * 4 / 3 + 0.25))


def test_studies_that_agree_leave_a_spread():
    assert predictive(dict.fromkeys("abc", (0.2, 0.0, 1)))[1] == LEAST_SPREAD


def test_leaving_a_study_out_leaves_its_rows_out():
    four = THREE | {"four": (0.8, 0.9, 7)}
    measured = {"power_floor": ("alpha", four)}
    left = learnt_prior("power_floor", without="four", measured=measured)
    assert left == learnt_prior(
        "power_floor", measured={"power_floor": ("alpha", THREE)}
    )
    whole = learnt_prior("power_floor", measured=measured)
    assert whole.mean == pytest.approx(np.log([0.1, 0.2, 0.4, 0.8]).mean())
    assert whole.source == "exponents of 4 studies"


def test_two_studies_make_no_prior_and_an_unknown_law_has_none():
    measured = {"power_floor": ("alpha", THREE)}
    assert learnt_prior("power_floor", without="one", measured=measured) is None
    assert learnt_prior("chinchilla", measured=measured) is None


@pytest.mark.parametrize("law", EXPONENTS)
def test_every_measured_exponent_belongs_to_its_law(law):
    name, by_study = EXPONENTS[law]
    [parameter] = [p for p in LAWS[law].parameters if p.name == name]
    assert parameter.transform == "log" and not parameter.term
    for exponent, spread, n_tables in by_study.values():
        assert parameter.low < exponent < parameter.high
        assert spread >= 0 and (spread > 0) == (n_tables > 1)
    for study in by_study:
        left = learnt_prior(law, without=study)
        assert left.source == f"exponents of {len(by_study) - 1} studies"


def only_exponent(logs, heights, **options):
    """log value = -alpha * log flops with nothing but alpha to fit, by least squares in log value."""
    rows = {"flops": np.exp(logs), "value": np.exp(-np.asarray(heights))}
    fit = fit_law(
        LAW,
        rows,
        objective="least_squares_log",
        fixed={"E": 0.0, "A": 1.0},
        n_starts=8,
        identify=False,
        **options,
    )
    return fit.params["alpha"]


def test_the_mode_of_two_rows_under_a_known_prior_by_hand():
    """Rows (1, .25) and (2, .55): alpha (.25 + 1.1) / 5 = .27 with squares .0005, the variance of a run.

    At alpha = .2 the slope of the squares over log alpha is -.2 (1 * .05 + 2 * .15) = -.07; a prior of sd .1 balances
    it where .0005 / .1^2 * (log .2 - mean) = .07, so its mean is log .2 - 1.4.
    """
    logs, heights = np.array([1.0, 2.0]), np.array([0.25, 0.55])
    assert only_exponent(logs, heights) == pytest.approx(0.27)
    prior = Prior({"alpha": 1.0}, float(np.log(0.2)) - 1.4, 0.1, "by hand")
    assert only_exponent(logs, heights, priors=[prior]) == pytest.approx(0.2, rel=1e-4)


def test_a_table_of_many_rows_ignores_the_prior():
    """The same line and the same scatter, 2,000 rows long: the learnt prior moves it by less than one part in 500."""
    logs = np.linspace(1.0, 2.0, 2_000)
    rng = np.random.default_rng(0)
    heights = 0.27 * logs + 0.0158 * rng.standard_normal(logs.size)
    prior = learnt_prior("power_floor")
    free = only_exponent(logs, heights)
    held = only_exponent(logs, heights, priors=[prior])
    assert held == pytest.approx(free, rel=2e-3)
    few = slice(None, None, 1_000)
    moved = only_exponent(logs[few], heights[few], priors=[prior])
    assert abs(np.log(moved / free)) > 5 * abs(np.log(held / free))
