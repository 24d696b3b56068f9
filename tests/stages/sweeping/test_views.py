import numpy as np
import polars as pl
import pytest

from stages.foundation.files import write_json
from stages.proxy.tokens.packed import write_packed
from stages.sweeping.views import load_views


def packed(folder, n_documents):
    rng = np.random.default_rng(0)
    documents = ((str(i), rng.integers(1, 64, 9), 12) for i in range(n_documents))
    return write_packed(folder, documents, vocab_size=64, eos_id=0)


@pytest.fixture
def views(tmp_path, monkeypatch):
    """Two pools of four documents in one pack, an arm of all of it and one of its good half."""
    monkeypatch.chdir(tmp_path)
    packed(tmp_path / "data/pack/pools", 8)
    packed(tmp_path / "data/pack/heldout/web", 2)
    write_json("data/arms/arms.json", {"tiers": ["good", "rest"], "controls": {}})
    rows = pl.DataFrame(
        {
            "arm": ["all"] * 8 + ["half"] * 4,
            "draw": [0] * 12,
            "row": [*range(8), 0, 1, 4, 5],
            "weight": [1.0] * 12,
            "pool": ["a"] * 4 + ["b"] * 4 + ["a"] * 2 + ["b"] * 2,
            "tier": [0, 0, 1, 1] * 2 + [0] * 4,
        }
    )
    rows.write_parquet("data/arms/views.parquet")
    return load_views()


def test_views_are_named_by_arm_and_draw_and_know_pools_and_tiers(views):
    assert list(views.views) == ["all/0", "half/0"]
    assert views.views["half/0"].rows.tolist() == [0, 1, 4, 5]
    names = views.views["all/0"].group_names
    assert list(names) == ["a|good", "a|rest", "b|good", "b|rest"]
    groups = [names[label] for label in views.views["all/0"].group_of_row]
    assert groups == [name for name in names for _ in range(2)]
    assert list(views.held_out) == ["web"] and views.items is None


def test_the_hash_is_of_the_tokens_of_the_view_and_of_its_decay(views):
    hashes = [
        views.data_hash("all/0"),
        views.data_hash("half/0"),
        views.data_hash("all/0", "half/0"),
    ]
    assert len(set(hashes)) == 3
    assert views.data_hash("all/0") == hashes[0]
