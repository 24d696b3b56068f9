"""Documents that say the same point to the one that stays; others stay as they are."""

import polars as pl
import pytest
from pydantic import ValidationError

from stages.curation.reading.documents import documents
from stages.pools.copies_section import EPS, SemanticParams
from stages.pools.semantic_copies import semantic_twins

FOX = "the quick brown fox jumps over the lazy dog near the river bank"
TEXTS = [
    FOX,
    "the quick brown fox jumps over the lazy dog near the river bank again",
    "stock markets fell sharply on monday after the central bank raised rates",
    "bake the bread for forty minutes until the crust is golden and firm",
]


@pytest.fixture
def pool(tmp_path):
    frame = documents(TEXTS, ["a", "b", "c", "d"], "web")
    frame.write_parquet(tmp_path / "0.parquet")
    return [tmp_path / "0.parquet"], frame["id"].to_list()


def test_a_copy_in_other_words_points_to_the_document_that_stays(pool):
    shards, ids = pool
    params = SemanticParams(eps=0.2, clusters=1)
    twins = semantic_twins(shards, pl.DataFrame({"id": ids}), params, 0)
    ((copy, kept),) = twins.iter_rows()
    assert {copy, kept} == set(ids[:2])


def test_only_firsts_are_compared(pool):
    shards, ids = pool
    params = SemanticParams(eps=0.2, clusters=1)
    twins = semantic_twins(shards, pl.DataFrame({"id": ids[1:]}), params, 0)
    assert twins.is_empty() and twins.columns == ["id", "semantic_of"]


def test_one_threshold_and_one_source_of_embeddings():
    assert SemanticParams().threshold() == EPS
    assert SemanticParams(drop_fraction=0.1).threshold() is None
    with pytest.raises(ValidationError, match="give eps or drop_fraction, not both"):
        SemanticParams(eps=0.1, drop_fraction=0.1)
    with pytest.raises(ValidationError, match="give model or reader, not both"):
        SemanticParams(model="m", reader="r")
    assert SemanticParams(model="m").files() == ["m"]
    assert SemanticParams(reader="r").files() == ["r", "data/pack/tokenizer.json"]
