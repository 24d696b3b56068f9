"""Runs of an earlier swarm, where a pool was added or split."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.mixtures.proposal import propose, record
from stages.mixtures.reused import with_reused
from stages.mixtures.swarm_tables import Swarm
from stages.mixtures.wishes import Wishes


def swarm(domains, shares, values=None, runs="r", metrics=("loss",)):
    shares = np.asarray(shares, float)
    values = np.zeros((len(shares), len(metrics))) if values is None else values
    names = tuple(f"{runs}{at}" for at in range(len(shares)))
    return Swarm(names, domains, metrics, shares, values, [])


OLD = swarm(("web", "code"), [[0.4, 0.6], [1.0, 0.0]], np.array([[1.0], [2.0]]))


def test_a_pool_that_was_added_had_no_share():
    new = swarm(("code", "web", "books"), [[0.2, 0.3, 0.5]], np.array([[3.0]]), "n")
    both = with_reused(new, OLD, {})
    assert both.runs == ("n0", "r0", "r1")
    assert both.shares.tolist() == [[0.2, 0.3, 0.5], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]]
    assert both.values.ravel().tolist() == [3.0, 1.0, 2.0]
    [said] = both.notes
    assert said["code"] == "reused"
    assert said["message"] == ("2 earlier runs are reused: books had no share in them")


def test_a_pool_that_was_split_counts_as_its_parts():
    new = swarm(("news", "blogs", "code"), [[0.2, 0.3, 0.5]], runs="r")
    both = with_reused(new, OLD, {"web/news": 0.25, "web/blogs": 0.75})
    assert both.runs == ("r0", "r0 (reused)", "r1")
    split = np.array([[0.1, 0.3, 0.6], [0.25, 0.75, 0.0]])
    assert both.shares[1:] == pytest.approx(split)
    assert "web counts as 0.25 news and 0.75 blogs" in both.notes[0]["message"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({}, "the earlier swarm has the domain 'web', which RATIOS lacks"),
        ({"web/news": 0.5}, "the parts of 'web' add up to 0.5"),
        ({"web/x": 1.0}, "--split web/x=1: write OLD/NEW=PART"),
        ({"news": 1.0}, "--split news=1: write OLD/NEW=PART"),
        ({"web/news": -1.0}, "a part is above 0"),
    ],
)
def test_what_became_of_a_pool_must_be_said(split, message):
    new = swarm(("news", "blogs", "code"), [[0.2, 0.3, 0.5]])
    with pytest.raises(InputError, match=message):
        with_reused(new, OLD, split)


def test_a_metric_that_was_not_measured_is_refused():
    new = swarm(("web", "code"), [[0.5, 0.5]], metrics=("bpb",))
    with pytest.raises(InputError, match="has no metric 'bpb'"):
        with_reused(new, OLD, {})


def test_few_new_runs_find_an_optimum_beside_the_earlier_ones():
    """Of a loss least at web .5, code .3, books .2: 16 earlier runs without books, 10 with."""
    random = np.random.default_rng(1)

    def loss(shares):
        off = shares - np.array([0.5, 0.3, 0.2])
        values = 2 + (off**2).sum(axis=1) + 0.002 * random.standard_normal(len(off))
        return values[:, None]

    face = random.dirichlet(np.ones(2), 16)
    whole = np.hstack([face, np.zeros((16, 1))])
    old = swarm(("web", "code"), face, loss(whole), "old")
    inside = random.dirichlet(np.ones(3), 10)
    new = swarm(("web", "code", "books"), inside, loss(inside), "new")
    said = record(propose(with_reused(new, old, {}), Wishes(), n_draws=60))
    assert said["n_runs"] == 26
    for name, best in (("web", 0.5), ("code", 0.3), ("books", 0.2)):
        assert said["proposal"][name] == pytest.approx(best, abs=0.05)
    assert "reused" in [note["code"] for note in said["warnings"]]


def test_a_run_that_stands_in_both_swarms_counts_once():
    new = swarm(("web", "code"), [[0.4, 0.6]], np.array([[1.0]]))
    both = with_reused(new, OLD, {})
    assert both.runs == ("r0", "r1")
    assert both.notes[0]["message"] == (
        "1 earlier runs are reused: the domains are the same; 1 more stand in both"
        " swarms and count once"
    )
    with pytest.raises(InputError, match="every run .* stands in RATIOS and METRICS"):
        with_reused(OLD, OLD, {})
