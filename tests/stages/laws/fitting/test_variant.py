"""Which variants of a law are candidates, and that a weight lets the large runs count."""

import numpy as np

from stages.laws import get_law
from stages.laws.fitting.hierarchy import learnt_prior
from stages.laws.fitting.variant import Variant, variants_of, with_variants


def test_a_law_with_exponents_over_size_and_tokens_has_variants_with_priors():
    names = [variant.name for variant in variants_of(get_law("chinchilla"))]
    assert names == [
        "chinchilla",
        "chinchilla (alpha ~ beta)",
        "chinchilla (published exponents)",
        "chinchilla (alpha ~ beta, published exponents)",
    ]


def test_other_laws_have_what_is_published_of_them_or_nothing():
    assert len(variants_of(get_law("log_linear"))) == 1
    names = [variant.name for variant in variants_of(get_law("coupled"))]
    assert names == ["coupled", "coupled (published alpha)"]
    both = with_variants([get_law("log_linear"), get_law("coupled")])
    assert [variant.name for variant in both] == ["log_linear", *names]


def test_a_law_over_compute_or_tokens_has_the_exponent_that_studies_have_measured():
    for name in ("power_floor", "compute_offset", "power_floor_tokens"):
        plain, learnt = variants_of(get_law(name))
        assert [plain.name, learnt.name] == [name, f"{name} (learnt exponent)"]
        assert learnt.priors == (learnt_prior(name),) and not plain.priors


def test_a_back_test_leaves_its_own_study_out_of_the_prior():
    law = get_law("power_floor")
    [_, left] = with_variants([law], without="ladder")
    assert left.priors == (learnt_prior("power_floor", without="ladder"),)
    assert left.priors != variants_of(law)[1].priors


def test_with_a_weight_the_largest_runs_decide_between_runs_that_disagree():
    """The loss rises with compute, which no falling law meets: the fit follows the runs that count."""
    rows = {
        "flops": np.array([1e9] * 4 + [1e11] * 4),
        "value": np.array([2.0, 2.01] * 2 + [2.2, 2.21] * 2),
    }
    law = get_law("power_floor")
    far = []
    for variant in (Variant(law), Variant(law, compute_weight=1.0)):
        fitted = variant.fit(rows, n_starts=8, seed=0, objective="least_squares_log")
        at_most = fitted.predict({"flops": np.array([1e11])})
        far.append(abs(float(np.ravel(at_most)[0]) - 2.2))
    assert far[1] < 0.02 < 0.05 < far[0]
