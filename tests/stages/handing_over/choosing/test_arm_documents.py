"""The arm over the whole pools is the arm of the arms stage; repeats are counted by hand."""

import numpy as np
import polars as pl
import pytest

from stages.arms import joined_documents
from stages.curation.selecting.arm_views import arm_view, tier_labels
from stages.foundation.errors import InputError
from stages.handing_over.choosing.arm_documents import arm_documents, with_copies
from stages.handing_over.choosing.whole_pool import packed_documents
from stages.settings.arms import tier_names

ONE = {"good": 1.0, "noise": 1.0}


def chosen(name, section, tokens=None, ratios=ONE, removed=None):
    return arm_documents(
        name,
        section.arms[name],
        packed_documents(),
        edges=section.tier_edges,
        seed=section.seed,
        tokens=tokens,
        ratios=ratios,
        removed=removed,
    )


@pytest.mark.parametrize(
    "name",
    ["keep_20", "upweight_20", "mixed", "random_50", "with_copies", "without_lines"],
)
def test_it_is_the_view_that_the_arms_stage_would_make_of_one_draw_of_everything(
    name, project, arms_section
):
    documents = tier_labels(joined_documents(arms_section), arms_section.tier_edges)
    view = arm_view(documents, arms_section.arms[name], seed=arms_section.seed)
    found = chosen(name, arms_section)
    assert found.row.tolist() == view["row"].to_list()
    assert [f"{number:016x}" for number in found.id] == [id_[:16] for id_ in view["id"]]
    assert found.n_tokens.tolist() == view["n_tokens"].to_list()
    weights = [found.groups[group].weight for group in found.group]
    assert weights == pytest.approx(view["weight"].to_list())
    tiers = tier_names(arms_section.tier_edges)
    assert [found.groups[group].tier for group in found.group] == [
        tiers[tier] for tier in view["tier"]
    ]
    assert set(found.copies) == {1}


def test_repeats_give_each_pool_its_share_to_within_a_document(project, arms_section):
    found = chosen("mixed", arms_section, tokens=200_000)
    used = found.n_tokens.astype(int) * found.copies
    pools = np.array([found.groups[group].pool for group in found.group])
    largest = found.n_tokens.max()
    assert abs(used[pools == "good"].sum() - 150_000) <= largest
    assert abs(used[pools == "noise"].sum() - 50_000) <= largest
    # how often two documents of one group are used differs by one at most
    for group in range(len(found.groups)):
        assert np.ptp(found.copies[found.group == group]) <= 1


def test_fewer_tokens_than_the_arm_has_are_a_part_of_it(project, arms_section):
    whole = chosen("keep_100", arms_section)
    total = int(whole.n_tokens.sum())
    part = chosen("keep_100", arms_section, tokens=total / 4)
    assert abs(part.n_tokens.sum() - total / 4) <= whole.n_tokens.max() * len(
        whole.groups
    )
    assert set(part.row) < set(whole.row) and set(part.copies) == {1}
    # a tokenizer that makes half as many tokens needs twice as many documents for them
    twice = chosen(
        "keep_100", arms_section, tokens=total / 4, ratios=dict.fromkeys(ONE, 0.5)
    )
    assert abs(twice.n_tokens.sum() - total / 2) <= whole.n_tokens.max() * len(
        whole.groups
    )
    assert set(part.row) < set(twice.row)


def test_removed_documents_are_in_no_arm(project, arms_section):
    whole = chosen("keep_100", arms_section)
    left = chosen("keep_100", arms_section, removed=whole.id[:5])
    assert set(whole.id) - set(left.id) == set(whole.id[:5])


def test_copies_by_hand():
    """Ten documents of 10 tokens each, used 2.3 times: 230 tokens, so three of them a third time."""
    view = pl.DataFrame(
        {
            "id": pl.Series(range(10), dtype=pl.UInt64),
            "group": [0] * 10,
            "n_tokens": [10] * 10,
        }
    )
    found = with_copies(view, np.array([2.3]), seed=1)
    assert sorted(found["copies"]) == [2] * 7 + [3] * 3
    # with another seed others are, and a part of one pass leaves documents out
    other = with_copies(view, np.array([2.3]), seed=2)
    third = [set(f.filter(copies=3)["id"]) for f in (found, other)]
    assert third[0] != third[1]
    assert with_copies(view, np.array([0.3]), seed=1).height == 3


def test_whole_passes_have_no_odd_copies():
    """Uses that are whole but for rounding give every document the same."""
    view = pl.DataFrame(
        {
            "id": pl.Series(range(7), dtype=pl.UInt64),
            "group": [0] * 7,
            "n_tokens": [3, 5, 7, 11, 13, 17, 19],
        }
    )
    for uses in (3.0, 3.0 - 1e-12, 3.0 + 1e-12):
        assert set(with_copies(view, np.array([uses]), seed=1)["copies"]) == {3}


def test_a_slip_in_the_tokens_is_refused(project, arms_section):
    with pytest.raises(InputError, match="more than 1,000,000; give fewer tokens"):
        chosen("keep_20", arms_section, tokens=1e18)
    with pytest.raises(InputError, match="fewer than one document"):
        chosen("keep_100", arms_section, tokens=1)
