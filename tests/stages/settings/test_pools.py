"""A pool has one source, and something is held out and looked up to."""

import pytest
from pydantic import ValidationError

from stages.settings.pools import IngestParams, Pool

GOOD = {"path": "a.jsonl", "heldout": 0.1, "reference": 0.2}


@pytest.mark.parametrize(
    ("pool", "fault"),
    [
        ({}, "needs exactly one of path"),
        ({"path": "a", "extract": "news"}, "needs exactly one of path"),
        ({"extract": "nowhere"}, "extract must be one of"),
        ({"images": "nothing"}, "images must be one of"),
        ({"extract": "news", "url": "link"}, "has no addresses; leave url out"),
        ({"path": "a", "url": "text"}, "maps the column 'text', which holds something"),
        ({"path": "a", "heldout": 0.6, "reference": 0.6}, "together exceed 1"),
    ],
)
def test_a_pool_that_cannot_be_is_told_what_is_wrong(pool, fault):
    with pytest.raises(ValidationError, match=fault):
        Pool(**pool)


@pytest.mark.parametrize(
    ("pools", "modality", "fault"),
    [
        ({"a": {"path": "a", "reference": 0.1}}, "text", "no pool has a heldout"),
        ({"a": {"path": "a", "heldout": 0.1}}, "text", "no pool has a reference"),
        ({"a": GOOD}, "image", "'a' is of modality image: it cannot have extract"),
        (
            {"a": GOOD, "b": {"images": "digits"}},
            "text",
            "'b' is of modality text: it cannot have images",
        ),
    ],
)
def test_pools_must_judge_and_teach_and_be_of_one_modality(pools, modality, fault):
    with pytest.raises(ValidationError, match=fault):
        IngestParams(pools=pools, modality=modality)


def test_one_pool_may_do_all_and_images_need_no_reference():
    assert IngestParams(pools={"a": GOOD}).pools["a"].text == "text"
    images = IngestParams(
        modality="image", pools={"a": {"images": "digits", "heldout": 0.1}}
    )
    assert images.pools["a"].heldout == 0.1
