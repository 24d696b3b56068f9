"""A swarm whose best mixture is known, with wishes; the figures of it."""

import numpy as np
import pytest

from stages.foundation.errors import InputError, RefusedError
from stages.mixtures.mix_curves import mix_curves
from stages.mixtures.mix_figures import draw_mix
from stages.mixtures.proposal import propose, record
from stages.mixtures.swarm_tables import Swarm
from stages.mixtures.wishes import Wishes
from stages.presentation.plot_style import plt

RANDOM = np.random.default_rng(3)
SHARES = RANDOM.dirichlet(np.ones(3), 24)


def truth(shares):
    """Exponential laws whose equal mean is least at web .5, code .3, books .2: each slope there is the same."""
    best, rate = np.array([0.5, 0.3, 0.2]), 2.5
    return 2 + np.exp(rate * best) * np.exp(-rate * shares)


def swarm(noise=0.003, shares=SHARES):
    values = truth(shares)
    values = values + noise * np.random.default_rng(4).standard_normal(values.shape)
    return Swarm(
        tuple(f"r{i}" for i in range(len(shares))),
        domains=("web", "code", "books"),
        metrics=("m0", "m1", "m2"),
        shares=shares,
        values=values,
        notes=[],
    )


@pytest.fixture(scope="module")
def plain():
    """The proposal without wishes and its record."""
    found = propose(swarm(), Wishes(), n_draws=100)
    return found, record(found)


def test_the_best_mixture_is_proposed_within_its_interval(plain):
    _, said = plain
    assert said["status"] == "proposed"
    for domain, best in zip(("web", "code", "books"), (0.5, 0.3, 0.2), strict=True):
        low, high = said["interval"][domain]
        assert said["proposal"][domain] == pytest.approx(best, abs=0.03)
        assert low - 0.01 <= best <= high + 0.01 and high - low < 0.15
    assert sum(said["proposal"].values()) == pytest.approx(1)


def test_predictions_are_those_of_a_new_run_and_hold_the_truth(plain):
    found, said = plain
    there = truth(found.share[None])[0]
    for name, value in zip(("m0", "m1", "m2"), there, strict=True):
        middle, low, high = said["predicted"][name]
        assert low < value < high and low <= middle <= high
        assert 0.006 < high - low < 0.03  # noise of .003 alone is .0099 wide
    assert said["objective"]["value"] == pytest.approx(there.mean(), abs=0.005)
    assert said["objective"]["gain"][0] > 0 and said["objective"]["p_better"] == 1


def test_laws_are_weighed_on_runs_left_out(plain):
    _, said = plain
    assert all(sum(w.values()) == pytest.approx(1) for w in said["laws"].values())
    assert all(said["check"][m]["rank_correlation"] > 0.98 for m in said["check"])


def test_weights_move_the_proposal_to_what_counts():
    said = record(propose(swarm(), Wishes(weights={"m1": 2.0}), n_draws=20))
    assert said["proposal"]["code"] > 0.8
    assert said["objective"]["weights"] == {"m0": 0, "m1": 1, "m2": 0}


def test_repeats_pull_from_a_small_domain_and_are_told():
    wishes = Wishes(unique_tokens={"web": 1e8}, tokens=1e10)
    said = record(propose(swarm(), wishes, n_draws=20))
    assert said["proposal"]["web"] < 0.46  # without repeats .5
    passes = said["repetition"]["passes"]
    assert passes["web"] == pytest.approx(100 * said["proposal"]["web"])
    assert [n["code"] for n in said["warnings"]] == ["repetition_published"]


def test_an_optimum_past_the_runs_is_told_and_not_followed():
    inner = 0.25 * SHARES + 0.25  # no run has more than half of a domain
    said = record(propose(swarm(shares=inner), Wishes(weights={"m0": 1}), n_draws=20))
    assert said["status"] == "at the edge of the runs"
    assert "edge" in [n["code"] for n in said["warnings"]]
    assert said["proposal"]["web"] < 0.7
    assert said["interval"]["web"][1] > said["proposal"]["web"]


def test_noise_alone_proposes_nothing_better():
    found = swarm()
    noisy = 2 + 0.01 * np.random.default_rng(0).standard_normal(found.values.shape)
    blind = Swarm(
        found.runs,
        domains=found.domains,
        metrics=found.metrics,
        shares=found.shares,
        values=noisy,
        notes=[],
    )
    said = record(propose(blind, Wishes(), n_draws=100))
    assert said["objective"]["gain"][1] < 0.005
    assert "not_predicted" in [n["code"] for n in said["warnings"]]


BAD = {
    "metric": (Wishes(weights={"x": 1}), "no metric is called 'x'"),
    "weight": (Wishes(weights={"m0": -1}), "at least 0"),
    "domain": (Wishes(floors={"x": 0.1}), "--floor: no domain is called 'x'"),
    "floor": (Wishes(floors={"web": 1.5}), "a share is 0 to 1"),
    "floors": (Wishes(floors={"web": 0.6, "code": 0.6}), "add up to 1.2"),
    "caps": (Wishes(caps={"web": 0.2, "code": 0.2, "books": 0.2}), "add up to 0.6"),
    "cap": (Wishes(floors={"web": 0.5}, caps={"web": 0.4}), "above its --cap"),
    "prior": (Wishes(prior={"web": 0.5}), "--prior: the shares add up to 0.5"),
    "veto": (Wishes(vetoes={"m0": -0.1}), "at least 0"),
    "tokens": (Wishes(tokens=1e9), "belong together"),
    "unique": (Wishes(tokens=1e9, unique_tokens={"web": 0}), "must be above 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_wishes_that_cannot_be_are_one_line(name):
    wishes, said = BAD[name]
    with pytest.raises(InputError) as error:
        propose(swarm(), wishes, n_draws=2)
    assert said in str(error.value)


def test_a_veto_that_no_mixture_keeps_is_refused():
    wishes = Wishes(vetoes={"m0": 0.0}, caps={"web": 0.1}, prior={"web": 1})
    with pytest.raises(RefusedError, match="every mixture within floors, caps"):
        propose(swarm(), wishes, n_draws=2)


def test_the_figures_are_drawn(plain):
    found, said = plain
    figures = draw_mix(
        mix_curves(found),
        proposal=said["proposal"],
        interval=said["interval"],
        reference=said["reference"]["mixture"],
        level=said["level"],
    )
    assert set(figures) == {"shares", "slices", "trade-off"}
    slices = figures["slices"].axes
    assert [panel.get_title() for panel in slices] == ["web", "code", "books"]
    for figure in figures.values():
        plt.close(figure)
