"""How far a mixture lies outside of those trained, where the answer is known by hand."""

import numpy as np
import pytest

from stages.laws.deciding.hull import beyond_mixtures, mixture_notes, share_to_move

TRAINED = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])


def test_mixtures_between_runs_are_inside_and_a_corner_is_half_a_mixture_away():
    centre, edge, corner = [1 / 3] * 3, [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]
    found = share_to_move(np.array([centre, edge, corner]), TRAINED)
    assert found == pytest.approx([0.0, 0.0, 0.5], abs=1e-9)


def test_a_mixture_inside_every_range_may_still_be_outside():
    # each share lies within what was trained, but between the runs first and second are equal
    diagonal = np.array([[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
    assert share_to_move(np.array([[0.5, 0.0, 0.5]]), diagonal)[0] == pytest.approx(
        0.25
    )


def test_a_domain_that_no_run_has_counts_with_all_of_its_share():
    trained = {"share_a": np.array([0.2, 0.6]), "share_b": np.array([0.8, 0.4])}
    asked = {"share_a": 0.3, "share_b": 0.4, "share_c": 0.3}
    assert beyond_mixtures(asked, trained) == pytest.approx([0.3])
    never = trained | {"share_c": np.zeros(2)}
    assert beyond_mixtures(asked, never) == pytest.approx([0.3])


def test_tiers_and_pools_are_two_wholes():
    trained = {
        "share_web": np.array([0.2, 0.8]),
        "share_code": np.array([0.8, 0.2]),
        "share_q000_050": np.array([0.0, 0.5]),
        "share_q050_100": np.array([1.0, 0.5]),
    }
    asked = {"share_web": 0.5, "share_code": 0.5}
    tiers = {"share_q000_050": 0.9, "share_q050_100": 0.1}
    assert beyond_mixtures(asked, trained) == pytest.approx([0.0])
    assert beyond_mixtures(asked | tiers, trained) == pytest.approx([0.4])
    assert beyond_mixtures({"n_params": 1e6}, trained) is None
    assert beyond_mixtures(asked, {"n_params": np.array([1e6])}) is None


def test_the_note_counts_and_names_the_furthest():
    assert mixture_notes(np.array([0.0, 0.005]), "mixtures lie") == []
    [note] = mixture_notes(np.array([0.0, 0.05, 0.3]), "mixtures lie")
    assert note["code"] == "mixture_beyond"
    assert note["message"].startswith(
        "2 of 3 mixtures lie outside of the mixtures trained: at most 30.0% of the"
        " mixture (row 3) would have to move"
    )
