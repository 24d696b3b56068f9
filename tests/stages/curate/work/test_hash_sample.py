"""A sample that depends on the documents alone, and holds on to nothing else."""

import json

import polars as pl
import psutil
import pytest

from stages.curate.work.hash_sample import smallest
from stages.curation.reading.documents import documents


@pytest.fixture
def pool() -> pl.DataFrame:
    return documents(
        [f"Document {at}, " + "x" * (at % 50) for at in range(600)],
        [str(at) for at in range(600)],
        "p",
    )


@pytest.mark.parametrize("size", [1, 7, 600])
def test_batches_and_order_do_not_matter(pool, size):
    whole = smallest([pool], 2_000, 1, "test")
    assert 1_900 < whole["n_chars"].sum() <= 2_000
    shuffled = pool.sample(fraction=1.0, shuffle=True, seed=3)
    assert smallest(shuffled.iter_slices(size), 2_000, 1, "test").equals(whole)
    assert not smallest([pool], 2_000, 2, "test").equals(whole)


def test_one_document_at_least_and_none_of_none(pool):
    assert smallest([pool], 1, 1, "test").height == 1
    assert (
        smallest([], 1, 1, "test").height == 0
        and smallest([pool.clear()], 1, 1, "test").height == 0
    )


def test_a_few_rows_do_not_hold_on_to_their_batches():
    """100 batches of 2 MB, of which 0.5 MB is drawn: views into the batches would hold 200 MB."""
    memory = psutil.Process().memory_info
    texts = (
        json.loads(json.dumps([f"{batch} {at} " + "y" * 400 for at in range(5000)]))
        for batch in range(100)
    )
    batches = (
        documents(part, [f"{batch}-{at}" for at in range(5000)], "p")
        for batch, part in enumerate(texts)
    )
    before = memory().rss
    drawn = smallest(batches, 500_000, 1, "test")
    assert drawn.height > 1_000 and memory().rss - before < 100e6
